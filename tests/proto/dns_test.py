#!/usr/bin/env python3
"""Rules that ask the DNS, with a real greylagd and a real name server (nsd)."""
import pathlib
import signal
import socket
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from harness import Asker, Tests, ask_once, check, equal, request_bytes, wait_for
from nsd import Nsd

test = Tests(__doc__)

LISTS = """
2.0.0.127.bl A 127.0.0.2
66.113.0.203.bl A 127.0.0.4
67.113.0.203.bl A 127.0.0.10
68.113.0.203.bl A 127.255.255.254
2.0.0.127.wl A 127.0.9.0
1.100.51.198.wl A 127.0.5.2
2.100.51.198.wl A 127.0.0.255
test.rhs A 127.0.0.2
spam.example.rhs A 127.0.0.2
*.world A 127.0.0.2
2.0.0.127.six A 127.0.0.2
2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.six A 127.0.0.2
9.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.six A 127.0.0.3
"""
SPF = """
spf TXT "v=spf1 ip4:198.51.100.0/24 -all"
soft TXT "v=spf1 ip4:198.51.100.0/24 ~all"
open TXT "v=spf1 +all"
broken TXT "v=spf1 ip4:nonsense -all"
"""
DEFERRED = "DEFER_IF_PERMIT 4.2.0 Greylisted"


def verdict(d, client, sender="alice@example.org", **more):
    """(action's first word, reason) of one request; the reason is the log's."""
    def verdicts():
        # Whole lines only.
        return [l for l in d.logged().split("\n")[:-1] if "verdict=" in l]
    before = len(verdicts())
    action = ask_once(d.socket, client_address=client, sender=sender, client_name="unknown", **more).split()[0]
    wait_for(lambda: len(verdicts()) > before, "the line in the log")
    return action, verdicts()[-1].split("reason=")[1].split()[0]


def daemon(t, n, config, **more):
    """The budget is longer than a busy machine needs."""
    budget = "" if "dns budget" in config else "dns budget 20s\n"
    return t.daemon(f"dns servers {n.address}\n{budget}{config}", **more)


@test
def dns_lists(t):
    n = Nsd(t, LISTS)
    d = daemon(t, n, "block dnsbl bl.test=127.0.0.2-127.0.0.9\nblock dnsbl six.test\nblock rhsbl rhs.test\n"
                     "allow dnswl wl.test\nblock dnsbl world.test")
    equal(verdict(d, "203.0.113.66"), ("REJECT", "block-rule"), "listed")

    def health():
        import json
        row, = [json.loads(l) for l in t.greylag(d, "status", "--json").splitlines() if "dns" in l]
        return {l["zone"]: l["health"] for l in row["dns"]["lists"]}
    wait_for(lambda: "untested" not in health().values(), "the lists to be tested")
    equal(health(), {"bl.test": "good", "six.test": "good", "rhs.test": "good", "wl.test": "good", "world.test": "bad"},
          "the list that lists everybody is found out")
    equal(verdict(d, "203.0.113.67", "b@example.org")[1], "new", "with an answer that does not count")
    equal(verdict(d, "203.0.113.68", "c@example.org")[1], "new", "a list that refuses us lists nobody")
    equal(verdict(d, "2001:db8::9")[0], "REJECT", "by its nibbles")
    equal(verdict(d, "192.0.2.1", "x@spam.example")[0], "REJECT", "the sender's domain")
    equal(verdict(d, "198.51.100.1"), ("DUNNO", "allow-rule"), "a good name")
    equal(verdict(d, "198.51.100.2")[1], "new", "over the quota")
    equal(verdict(d, "192.0.2.9", "y@example.org")[1], "new", "it is not asked any more")
    check("dnsbl world.test: bad" in t.greylag(d, "status"), "status says so")


@test
def only_who_is_listed_is_greylisted(t):
    """RFC 6647 C12: all others pass at once, also while the list does not answer."""
    n = Nsd(t, LISTS)
    d = daemon(t, n, "defer dnsbl bl.test delay 1h\nallow")
    equal(verdict(d, "192.0.2.1"), ("DUNNO", "allow-rule"))
    equal(verdict(d, "203.0.113.66")[1], "new")
    check("wait=3600" in d.logged().splitlines()[-1], "with the rule's delay")
    n.signal(signal.SIGSTOP)
    equal(verdict(d, "192.0.2.99"), ("DUNNO", "allow-rule"))


@test
def spf_as_a_condition(t):
    n = Nsd(t, SPF)
    d = daemon(t, n, "block spf fail permerror\ndefer spf softfail delay 1h\nallow spf pass sender-domain spf.test")
    equal(verdict(d, "203.0.113.1", "a@spf.test")[0], "REJECT", "fail")
    equal(verdict(d, "203.0.113.1", "a@broken.test")[0], "REJECT", "permerror")
    equal(verdict(d, "198.51.100.7", "a@spf.test"), ("DUNNO", "allow-rule"), "pass, of the one that was named")
    equal(verdict(d, "198.51.100.7", "a@soft.test")[1], "new", "a pass alone is none")
    equal(verdict(d, "203.0.113.2", "a@none.test")[1], "new", "none")
    verdict(d, "203.0.113.3", "a@soft.test")
    check("wait=3600" in d.logged().splitlines()[-1], "softfail")
    equal(verdict(d, "203.0.113.4", "", helo_name="spf.test")[0], "REJECT", "HELO for the null sender")
    bad = t.daemon("allow spf pass", start=False)
    import subprocess
    r = subprocess.run([t.args.greylagd, "-t", "-c", bad.config_file], capture_output=True, text=True)
    check(r.returncode != 0 and "an SPF pass alone is no reason" in r.stderr, r.stderr)


@test
def spf_as_an_identity(t):
    n = Nsd(t, SPF)
    d = daemon(t, n, "identity spf host network\ngreylist delay 1s")
    equal(verdict(d, "198.51.100.7", "a@spf.test")[1], "new")
    check("identity=spf.test" in d.logged(), "its identity")
    time.sleep(1.1)
    equal(verdict(d, "198.51.100.77", "a@spf.test")[1], "retried", "from another machine of the domain's")
    equal(verdict(d, "198.51.100.200", "b@spf.test", recipient="x@example.net")[1], "allowed", "the domain has proved itself")
    equal(verdict(d, "203.0.113.9", "b@spf.test", recipient="x@example.net")[1], "new", "not from a stranger's machine")
    equal(verdict(d, "203.0.113.10", "a@open.test")[1], "new")
    check("identity=203.0.113.0/24" in d.logged().splitlines()[-1], "who lets everybody send confirms nobody")


@test
def a_dead_resolver_costs_the_budget_and_no_more(t):
    n = Nsd(t, LISTS + SPF)
    d = daemon(t, n, "dns budget 600ms\nblock dnsbl bl.test\nblock rhsbl rhs.test\nblock not dnswl wl.test recipient only@example.net\n"
                     "identity spf host network")
    wait_for(lambda: verdict(d, "203.0.113.66")[0] == "REJECT", "it works")
    n.signal(signal.SIGSTOP)
    for client in ("192.0.2.10", "192.0.2.11"):
        before = time.monotonic()
        equal(verdict(d, client, "x@unheard.example")[1] in ("new", "early"), True, "judged without it")
        took = time.monotonic() - before
        check(took < 2.5, f"{took:.1f} s")
    equal(verdict(d, "192.0.2.12", "z@unheard.example", recipient="only@example.net")[1], "new", "unknown is not `not listed'")
    many = []

    def ask(i):
        many.append(ask_once(d.socket, client_address=f"10.{i >> 8}.{i & 255}.1", sender=f"s{i}@e{i}.example"))
    before = time.monotonic()
    threads = [threading.Thread(target=ask, args=(i,)) for i in range(200)]
    [x.start() for x in threads]
    [x.join() for x in threads]
    check(time.monotonic() - before < 30 and len(many) == 200, "two hundred at once wait together")
    check(all(a.startswith(DEFERRED) for a in many), "and are judged")
    n.signal(signal.SIGCONT)
    wait_for(lambda: verdict(d, "203.0.113.66", "again@example.org")[0] == "REJECT", "it works again")


class Slow:
    """Answers every question with 127.0.0.2, late: after so many seconds, or on release()."""

    def __init__(self, test, seconds=None):
        self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.s.bind(("127.0.0.1", 0))
        self.seconds, self.asked, self.held = seconds, [], []
        test.at_end(self.s.close)
        threading.Thread(target=self.serve, daemon=True).start()

    @property
    def address(self):
        return "127.0.0.1:%d" % self.s.getsockname()[1]

    def serve(self):
        while True:
            try:
                query, peer = self.s.recvfrom(2000)
            except OSError:
                return
            end = query.index(b"\0", 12) + 5
            self.asked.append(query[12:end])
            listed = b"\x0266\x03113" in query or b"\x012\x010\x010\x03127" in query
            answer = query[:2] + (b"\x81\x80" if listed else b"\x81\x83") + b"\0\1" + (b"\0\1" if listed else b"\0\0") + b"\0\0\0\0" + query[12:end]
            if listed:
                answer += b"\xc0\x0c\0\1\0\1\0\0\1\0\0\4\x7f\0\0\2"
            if self.seconds is None:
                self.held.append((answer, peer))
            else:
                threading.Timer(self.seconds, self.s.sendto, (answer, peer)).start()

    def release(self):
        """Those that were asked so far."""
        for answer, peer in list(self.held):
            self.s.sendto(answer, peer)


@test
def a_late_answer_serves_the_next_attempt(t):
    slow = Slow(t)
    d = t.daemon(f"dns servers {slow.address} budget 200ms\nblock dnsbl late.test")
    equal(verdict(d, "203.0.113.66")[1], "new", "nobody waits that long")
    slow.release()
    wait_for(lambda: "reject" in t.greylag(d, "why", "203.0.113.66", "alice@example.org", "bob@example.net"), "the answer to come")
    equal(verdict(d, "203.0.113.66")[0], "REJECT", "now it is known")


@test
def a_reload_brings_other_lists(t):
    n = Nsd(t, LISTS)
    d = daemon(t, n, "")
    equal(verdict(d, "203.0.113.66")[1], "new", "no rule asks")
    d.configure(f"dns servers {n.address} budget 20s\nblock dnsbl bl.test\nblock rate 3/1m recipient flood@example.net")
    t.greylag(d, "reload")
    equal(verdict(d, "203.0.113.66")[0], "REJECT", "now one does")
    with Asker(d.socket) as a:
        seen = [a.ask(client_address="192.0.2.50", recipient="flood@example.net", sender=f"s{i}@x.example").split()[0] for i in range(5)]
    equal(seen, ["DEFER_IF_PERMIT"] * 3 + ["REJECT"] * 2, "more than three a minute")
    with Asker(d.socket) as a:
        check(a.ask(client_address="192.0.2.51", recipient="flood@example.net").startswith(DEFERRED), "another client's rate is its own")


@test
def who_waits_while_all_changes(t):
    """Requests that wait for the DNS, while the rules are replaced, their askers leave, and the daemon stops."""
    slow = Slow(t, 3)
    d = t.daemon(f"dns servers {slow.address} budget 1500ms\nidentity spf host network\n"
                 "block dnsbl first.test text \"first rules\"\ncontinue dnsbl gone.test delay 2h\ndefer spf fail text \"of the first\"")
    asker, leaver = Asker(d.socket), Asker(d.socket)
    asker.send(request_bytes(client_address="192.0.2.20") * 3)
    leaver.send(request_bytes(client_address="192.0.2.21") * 3)
    explained = []
    thread = threading.Thread(target=lambda: explained.append(t.greylag(d, "why", "192.0.2.22", "alice@example.org", "bob@example.net")))
    thread.start()
    wait_for(lambda: len(slow.asked) >= 4, "the questions")
    leaver.__exit__()
    for i in range(3):
        d.configure(f"dns servers {slow.address} budget 1500ms\nblock dnsbl next{i}.test text \"next rules\"")
        t.greylag(d, "reload")
    for _ in range(3):
        check(asker.reply().startswith(DEFERRED), "judged by the rules that it came under, or those of now")
    thread.join()
    check("new" in explained[0] or "early" in explained[0], explained)
    d.configure(f"dns servers {slow.address} budget 30s\nblock dnsbl slower.test")
    t.greylag(d, "reload")
    waiting = Asker(d.socket)
    waiting.send(request_bytes(client_address="192.0.2.30") * 2)
    explainer = threading.Thread(target=lambda: t.greylag(d, "why", "192.0.2.31", "alice@example.org", "bob@example.net", status=None))
    explainer.start()
    wait_for(lambda: any(b"slower" in q and b"\x0231\x012\x010\x03192" in q for q in slow.asked), "the questions")
    equal(d.stop(), 0, d.tail())
    explainer.join()


if __name__ == "__main__":
    test.main()
