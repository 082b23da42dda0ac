#!/usr/bin/env python3
"""greylag-opensmtpd: alone, fed over pipes as smtpd-filters(7) says, and as the
filter of a real OpenSMTPD on loopback."""
import collections
import os
import pathlib
import selectors
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from harness import LIMIT, Tests, check, equal, wait_for
from mta import TLS_RULES, Client, attempt
from opensmtpd import OpenSMTPD

test = Tests(__doc__)
EVENTS = {"link-connect", "link-identify", "link-tls", "link-auth", "link-disconnect", "tx-begin", "tx-mail", "tx-reset",
          "tx-rollback", "tx-commit"}
CLIENT = "192.0.2.1"


def binary(t):
    return pathlib.Path(t.args.greylagd).parents[1] / "doors/greylag-opensmtpd"


class Filter:
    """The filter with us in smtpd's place."""

    def __init__(self, t, where, *options, version="0.6"):
        self.version, self.token = version, 0
        self.lines, self.left = collections.deque(), b""
        self.process = subprocess.Popen([binary(t), "--socket", str(where), *options], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=open(t.folder / "filter.log", "ab"))
        os.set_blocking(self.process.stdout.fileno(), False)
        t.at_end(self.process.kill)
        self.send("config|smtpd-version|6.8.0p2", "config|subsystem|smtp-in", "config|admd|mx", "config|ready")
        self.registered = []
        while "register|ready" not in self.registered:
            self.registered.append(self.line())

    def write(self, data):
        """Like smtpd, reads answers while it writes."""
        fd = self.process.stdin.fileno()
        os.set_blocking(fd, False)
        while data:
            try:
                data = data[os.write(fd, data):]
            except BlockingIOError:
                self.read(0.01)

    def send(self, *lines):
        self.write(b"".join((x if isinstance(x, bytes) else x.encode()) + b"\n" for x in lines))

    def read(self, limit):
        with selectors.DefaultSelector() as s:
            s.register(self.process.stdout, selectors.EVENT_READ)
            if s.select(limit):
                data = os.read(self.process.stdout.fileno(), 1 << 20)
                check(data, "the filter closed its output")
                *lines, self.left = (self.left + data).split(b"\n")
                self.lines.extend(lines)

    def line(self, limit=LIMIT):
        end = time.monotonic() + limit
        while not self.lines:
            check(time.monotonic() < end, f"no line within {limit} s")
            self.read(end - time.monotonic())
        return self.lines.popleft().decode()

    def quiet(self, seconds=0.3):
        self.read(seconds)
        equal((list(self.lines), self.left), ([], b""), "a line that nobody asked for")

    def report(self, event, sid, *rest):
        self.send("|".join(("report", self.version, "1795233321.577102", "smtp-in", event, sid, *rest)))

    def request(self, phase, sid, *rest):
        """Sends a filter request; returns its token."""
        self.token += 1
        token = f"{self.token:016x}"
        self.send("|".join(("filter", self.version, "1795233321.577102", "smtp-in", phase, sid, token, *rest)))
        return token

    def ask(self, phase, sid, *rest, limit=LIMIT):
        """What the filter wants done: "proceed", "reject|451 ..."."""
        token = self.request(phase, sid, *rest)
        line = self.line(limit)
        head = f"filter-result|{sid}|{token}|"
        check(line.startswith(head), f"{line} instead of {head}")
        return line[len(head):]

    def session(self, sid, sender="alice@example.org", client=f"{CLIENT}:4242", name="mx.sender.example",
                confirmed="pass", message="28fa6bd2"):
        self.report("link-connect", sid, name, confirmed, client, "127.0.0.1:25")
        self.report("link-identify", sid, "EHLO", "mx.example.org")
        self.report("tx-begin", sid, message)
        fields = (sender, "ok") if self.version == "0.5" else ("ok", sender)
        self.report("tx-mail", sid, message, *fields)

    def close(self):
        """Ends its input; 0 is how it must exit, and soon."""
        self.process.stdin.close()
        equal(self.process.wait(LIMIT), 0, "exit status")


# --- Alone ------------------------------------------------------------------------------

@test
def registration(t):
    f = Filter(t, t.folder / "nobody")
    equal({x.rsplit("|", 1)[1] for x in f.registered if "|report|" in x}, EVENTS, "reports")
    equal([x for x in f.registered if "|filter|" in x],
          ["register|filter|smtp-in|rcpt-to", "register|filter|smtp-in|data"], "filters")
    f.send("config|ready")
    f.quiet()
    f.close()
    f = Filter(t, t.folder / "nobody", "--header")
    check("register|filter|smtp-in|data-line" in f.registered, "with --header")
    f.close()
    r = subprocess.run([binary(t), "word"], stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT)
    equal(r.returncode, 64, "a word after the options")


@test
def versions_and_facts(t):
    d = t.daemon("greylist delay 1h\n")
    for n, version in enumerate(("0.5", "0.6", "0.7", "1.0")):
        f = Filter(t, d.socket, version=version)
        f.session("a" * 16, sender=f"alice{n}@example.org", client=f"198.51.{n}.1:4242")
        equal(f.ask("rcpt-to", "a" * 16, "bob@example.net")[:29], "reject|451 4.7.1 Greylisted, ", version)
        wait_for(lambda: f"from=<alice{n}@example.org>" in d.logged(), f"the sender in {version}")
        f.close()
    f = Filter(t, d.socket, "--reply", "450 4.2.0")
    f.session("b" * 16, confirmed="fail", client="[2001:db8::7]:5")
    check(f.ask("rcpt-to", "b" * 16, "bob@example.net").startswith("reject|450 4.2.0 "), "codes of --reply")
    wait_for(lambda: "identity=sender.example" in d.logged(), "a confirmed name is one")
    wait_for(lambda: "client=2001:db8::7 " in d.logged(), "an IPv6 address")
    wait_for(lambda: "identity=2001:db8::/64" in d.logged(), "an unconfirmed name is none")
    wait_for(lambda: "helo=mx.example.org" in d.logged(), "the HELO")
    f.close()


@test
def who_is_not_asked_about(t):
    d = t.daemon()
    for version, auth in (("0.6", ("a|b", "pass")), ("0.6", ("me", "pass")), ("0.7", ("pass", "a|b"))):
        f = Filter(t, d.socket, version=version)
        f.session("a" * 16)
        f.report("link-auth", "a" * 16, *auth)
        equal(f.ask("rcpt-to", "a" * 16, "bob@example.net"), "proceed", "an authenticated user")
        f.close()
    f = Filter(t, d.socket)
    f.session("b" * 16, client="unix:/var/run/smtpd.sock")
    equal(f.ask("rcpt-to", "b" * 16, "bob@example.net"), "proceed", "a local user")
    equal(d.logged().count("verdict="), 0, "nobody was asked")
    f.session("c" * 16)
    f.report("link-auth", "c" * 16, "x|pass", "fail")
    check(f.ask("rcpt-to", "c" * 16, "bob@example.net").startswith("reject|451"), "a user named |pass who failed")
    f.close()


@test
def tells_of_tls(t):
    # Debian's smtpd ends each handshake in this sandbox with an internal error.
    d = t.daemon(TLS_RULES)
    f = Filter(t, d.socket)
    f.session("a" * 16)
    check(f.ask("rcpt-to", "a" * 16, "bob@example.net").startswith("reject|550"), "without TLS")
    f.report("link-tls", "a" * 16, "TLSv1.3:TLS_AES_256_GCM_SHA384:256")
    equal(f.ask("rcpt-to", "a" * 16, "bob@example.net"), "proceed", "with TLS")
    f.close()


@test
def odd_lines(t):
    d = t.daemon("greylist delay 1h\n")
    f = Filter(t, d.socket)
    f.send("", "|", "|||||||||||", "report", "filter|0.6", "report|0.6|1|smtp-in|link-connect", "config",
           "garbage", b"\x00\xff\xfe|\x80", "report|0.6|1|smtp-in|tx-mail|nosuch|1|ok|x",
           "filter|0.6|1|smtp-in|rcpt-to|" + "s" * 99, "report|0.6|1|smtp-in|link-greeting|aaaa|mx",
           "report|0.6|1|smtp-in|tls-thing|aaaa|x", "report|9|9|9|9|9|9|9",
           "report|0.6|1|smtp-out|link-connect|aaaa|x|pass|192.0.2.1:1|192.0.2.2:25", "x" * 50000)
    f.quiet()
    equal(f.ask("no-such-phase", "a" * 16, "x"), "proceed", "a phase that was not asked for")
    equal(f.ask("rcpt-to", "e" * 16, "bob@example.net"), "proceed", "an unknown session")
    f.session("a" * 16, sender="a|b@example.org")
    f.write(b"filter|0.6|1|smtp-in|rcpt-to|" + b"a" * 16 + b"|0123|c|d")
    f.quiet(0.1)
    f.write(b"@example.net\n")
    check(f.line().startswith("filter-result|" + "a" * 16 + "|0123|reject|451 4.7.1 "), "half a line, then its rest")
    wait_for(lambda: "from=<a|b@example.org> to=<c|d@example.net>" in d.logged(), "addresses with |")
    equal(f.ask("rcpt-to", "a" * 16, "x" * 1_000_000 + "@example.net"), "proceed", "a line of 1 MB is answered")
    f.send("report|0.6|1|smtp-in|link-identify|" + "a" * 16 + "|EHLO|" + "h" * 1_000_000)
    check(f.ask("rcpt-to", "a" * 16, "bob@example.net").startswith("reject|451"), "and the session goes on")
    f.report("tx-reset", "a" * 16, "28fa6bd2")
    equal(f.ask("rcpt-to", "a" * 16, "bob@example.net"), "proceed", "no sender")
    f.write(b"filter|0.6|1|smtp-in|rcpt-to|" + b"a" * 16 + b"|0124|never")
    f.close()
    check(d.alive(), "the daemon lives")


@test
def header_at_the_top_of_one_message(t):
    d = t.daemon("greylist delay 1s\n")
    f = Filter(t, d.socket, "--header")
    f.session("a" * 16)
    check(f.ask("rcpt-to", "a" * 16, "bob@example.net").startswith("reject|"), "the first attempt")
    time.sleep(1.2)
    f.session("b" * 16)
    for recipient in ("bob@example.net", "carol@example.net"):
        equal(f.ask("rcpt-to", "b" * 16, recipient), "proceed")
    equal(f.ask("data", "b" * 16), "proceed")
    body = ["Subject: a|b", "", "x" * 65000, "..", "\x01|", "."]
    for number in range(2):
        tokens = [f.request("data-line", "b" * 16, line) for line in body]
        got = [f.line() for _ in range(len(tokens) + (1 - number))]
        if number == 0:
            check(got[0].startswith(f"filter-dataline|{'b' * 16}|{tokens[0]}|X-Greylist: delayed "), got[0])
            got = got[1:]
        equal(got, [f"filter-dataline|{'b' * 16}|{k}|{x}" for k, x in zip(tokens, body)], "the message")
        f.report("tx-commit", "b" * 16, "28fa6bd2", "10")
    f.close()


@test
def a_flood_of_lines_is_echoed(t):
    f = Filter(t, t.folder / "nobody", "--header")
    head = "0.6|1|smtp-in|data-line|" + "a" * 16 + "|0123|"
    f.send(*[f"filter|{head}{n} {'y' * 500}" for n in range(40000)])
    for n in range(40000):
        check(f.line().startswith(f"filter-dataline|{'a' * 16}|0123|{n} y"), f"line {n}")
    f.close()


@test
def daemon_hangs_under_many_sessions(t):
    d = t.daemon()
    f = Filter(t, d.socket, "--deadline", "7s", "--on-failure", "defer")
    d.send_signal(signal.SIGSTOP)
    wanted, started = {}, time.monotonic()
    for n in range(1000):
        f.session(f"{n:016x}", sender=f"alice{n}@example.org")
        wanted[f"filter-result|{n:016x}|{f.request('rcpt-to', f'{n:016x}', 'bob@example.net')}|"] = n
    for n in range(0, 1000, 10):
        f.report("link-disconnect", f"{n:016x}")
    lines = [f.line() for _ in range(900)]
    took = time.monotonic() - started
    d.send_signal(signal.SIGCONT)
    check(6.9 < took < 17.5, f"within the deadline: {took:.1f} s")
    for line in lines:
        head, text = line.rsplit("|reject|", 1)
        check(wanted.pop(head + "|") % 10, "a session that is gone needs no answer")
        check(text.startswith("451 4.7.1 Service is unavailable"), line)
    f.session("a" * 16, sender="carol@example.org")
    check("Greylisted" in f.ask("rcpt-to", "a" * 16, "bob@example.net"), "it is asked again")
    f.close()


@test
def more_sessions_than_it_keeps(t):
    f = Filter(t, t.folder / "nobody")
    for n in range(12000):
        f.report("link-connect", f"{n:016x}", "name.example", "pass", f"{CLIENT}:1", "127.0.0.1:25")
    equal(f.ask("rcpt-to", f"{1:016x}", "bob@example.net"), "proceed", "one that was dropped")
    status = pathlib.Path(f"/proc/{f.process.pid}/status").read_text()
    check(int(status.split("VmHWM:")[1].split()[0]) < 400_000, "bounded memory")
    f.close()


@test
def only_the_end_of_its_input_ends_it(t):
    f = Filter(t, t.folder / "nobody")
    f.process.stdout.close()
    f.send(*["filter|0.6|1|smtp-in|nothing|" + "a" * 16 + "|0123|x"] * 100)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        f.process.send_signal(number)
    time.sleep(0.3)
    equal(f.process.poll(), None, "it goes on")
    f.close()


# --- With a real OpenSMTPD ----------------------------------------------------------------

def smtpd(t, where, options="", name="smtpd", **more):
    server = OpenSMTPD(t.folder / name, f"{binary(t)} --socket {where} {options}", **more)
    t.at_end(server.stop)
    return server.start()


def refused(replies, text="Greylisted"):
    return all(code == 451 and answer.startswith("4.7.1 ") and text in answer for code, answer in replies)


def taken(replies):
    return all(code == 250 for code, _ in replies)


@test
def deferred_then_accepted(t):
    d = t.daemon("greylist delay 1s\n")
    plain = smtpd(t, d.socket)
    replies, end = attempt(plain.port, "alice@example.org", ["bob@example.net", "a|b@example.net"])
    check(refused(replies) and end is None, replies)
    time.sleep(1.2)
    line = "y" * 5000
    with Client(plain.port) as client:
        replies, end = client.attempt("alice@example.org", ["bob@example.net", "a|b@example.net"],
                                      f"Subject: one\r\n\r\n{line}\r\n")
    check(taken(replies) and end[0] == 250, (replies, end))
    equal(plain.wait_delivered(line), [], "no header, and long lines whole")
    wait_for(lambda: "to=<a|b@example.net>" in d.logged(), "an address with |")
    wait_for(lambda: "name=localhost" in d.logged(), "the confirmed name of the client")
    pid = plain.filter_pid()
    plain.stop()
    wait_for(lambda: not pathlib.Path(f"/proc/{pid}").exists(), "the filter to end with smtpd")


@test
def header_in_a_message(t):
    d = t.daemon("greylist delay 1s\n")
    server = smtpd(t, d.socket, "--header")
    check(refused(attempt(server.port, "alice@example.org", ["bob@example.net"])[0]), "the first attempt")
    time.sleep(1.2)
    with Client(server.port) as client:
        for word in ("one", "two"):
            replies, end = client.attempt("alice@example.org", ["bob@example.net", "carol@example.net"],
                                          f"Subject: {word}\r\n\r\n..\r\n{word} is all\r\n")
            check(taken(replies) and end[0] == 250, (replies, end))
            server.wait_delivered(f"\n..\n{word} is all")
    wait_for(lambda: server.delivered().count("is all") == 4, "all deliveries")
    equal(len(server.wait_delivered("two is all")), 2, "each copy of the first message has one header")


@test
def null_sender(t):
    d = t.daemon("greylist delay 1s\n")
    server = smtpd(t, d.socket)
    replies, end = attempt(server.port, "", ["bob@example.net"])
    check(taken(replies), f"a callback is answered: {replies}")
    check(refused([end]), end)
    time.sleep(1.2)
    equal(attempt(server.port, "", ["bob@example.net"])[1][0], 250, "the bounce that is tried again")


@test
def daemon_away(t):
    for choice, right in (("pass", taken), ("defer", lambda r: refused(r, "unavailable"))):
        server = smtpd(t, t.folder / "nobody", f"--on-failure {choice} --deadline 500ms", name=choice)
        for sender in ("alice@example.org", ""):
            replies, _ = attempt(server.port, sender, ["bob@example.net", "carol@example.net"])
            check(right(replies), f"{choice}: {replies}")
        check(server.alive() and server.filter_pid(), "smtpd and its filter live")
        server.stop()


@test
def daemon_hangs(t):
    d = t.daemon()
    server = smtpd(t, d.socket, "--deadline 10s")
    check(refused(attempt(server.port, "alice@example.org", ["bob@example.net"])[0]), "while it answers")
    d.send_signal(signal.SIGSTOP)
    started = time.monotonic()
    with Client(server.port) as waiting, Client(server.port) as other:
        waiting.mail("carol@example.org")
        waiting.putcmd("rcpt", "TO:<bob@example.net>")
        equal(other.mail("erin@example.org")[0], 250, "another session")
        check(time.monotonic() - started < 9.5, "does not wait")
        equal(waiting.getreply()[0], 250, "passed at the deadline")
        check(9.9 < time.monotonic() - started < 20, f"{time.monotonic() - started:.1f} s")
    d.send_signal(signal.SIGCONT)
    check(refused(attempt(server.port, "dave@example.org", ["bob@example.net"])[0]), "it answers again")


@test
def daemon_restarted(t):
    d = t.daemon("greylist delay 1s\n", store="rocksdb")
    server = smtpd(t, d.socket)
    check(refused(attempt(server.port, "alice@example.org", ["bob@example.net"])[0]), "before")
    pid = server.filter_pid()
    d.stop()
    time.sleep(1)
    d.start(wait=False)
    check(taken(attempt(server.port, "alice@example.org", ["bob@example.net"])[0]), "after, by the same records")
    wait_for(lambda: "reason=retried" in d.logged(), "it waited for the daemon")
    equal(server.filter_pid(), pid, "the same filter")


if __name__ == "__main__":
    test.main()
