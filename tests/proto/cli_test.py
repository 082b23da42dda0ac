#!/usr/bin/env python3
"""greylag(1) against a real greylagd, and what else may come over its control socket."""
import contextlib
import json
import os
import pathlib
import socket
import stat
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from harness import LIMIT, Asker, Tests, ask_once, check, equal, wait_for

test = Tests(__doc__)


def filled(t, config="", **more):
    """A greylagd that has deferred three triplets of two clients."""
    d = t.daemon(config, **more)
    with Asker(d.socket) as a:
        a.ask(client_address="192.0.2.1", sender="alice@example.org", recipient="bob@example.net")
        a.ask(client_address="192.0.2.1", sender="carol@example.org", recipient="bob@example.net")
        a.ask(client_address="198.51.100.7", client_name="mail.sender.example",
              sender="dave@sender.example", recipient="eve@example.net")
    return d


def rows(text):
    return [json.loads(line) for line in text.splitlines()]


class Control:
    """The control socket without greylag(1)."""

    def __init__(self, daemon):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.settimeout(LIMIT)
        self.s.connect(str(daemon.control))
        self.f = self.s.makefile("rb")

    def ask(self, line):
        self.s.sendall(line + b"\n")
        out = []
        while True:
            row = self.f.readline()
            if not row:
                return out
            out.append(json.loads(row))
            if "end" in out[-1] or "error" in out[-1]:
                return out


@test
def help_and_usage(t):
    def run(*words):
        return subprocess.run([t.args.greylag, *words], capture_output=True, text=True, timeout=LIMIT)
    r = run("--help")
    equal(r.returncode, 0)
    for word in ("status", "why", "ask", "show", "dump", "forget", "config", "reload", "backup", "version"):
        check(word in r.stdout, f"{word} in the help")
        one = run("help", word)
        equal(one.returncode, 0)
        check(one.stdout.startswith(f"usage: greylag {word}"), one.stdout)
    for wrong in ([], ["no-such"], ["show"], ["show", "client"], ["why", "1"], ["status", "x"], ["--no-such"], ["store", "copy", "a", "b", "--dry-run"],
                  ["dump", "--format", "csv"], ["--all", "status"], ["allow", "x", "--days", "3"]):
        r = run(*wrong)
        equal(r.returncode, 64, str(wrong))
        check(r.stderr, "says so")
    equal(run("help", "no-such").returncode, 64)


@test
def a_full_disk_is_no_success(t):
    d = filled(t)
    log, rows = t.folder / "log", t.folder / "rows"
    log.write_text("")
    rows.write_text("SPAMTRAP|trap@example.net\n")
    conf = t.folder / "postgrey"
    conf.write_text("POSTGREY_OPTS=\"--inet=10023\"\n")
    for words in (["dump"], ["report"], ["report", "--from-log", log], ["import", "spamdb", rows, "--print"], ["convert", "postgrey", conf],
                  ["learn", "log", log, "--dry-run"], ["top"]):
        with open("/dev/full", "w") as full:
            r = subprocess.run([t.args.greylag, "--socket", str(d.control), *map(str, words)], stdout=full, stderr=subprocess.PIPE,
                               text=True, timeout=LIMIT)
        equal(r.returncode, 75, f"{words}: {r.stderr}")
        check("No space left" in r.stderr, f"{words}: {r.stderr}")


@test
def no_daemon(t):
    r = subprocess.run([t.args.greylag, "--socket", str(t.folder / "none"), "status"],
                       capture_output=True, text=True, timeout=LIMIT)
    equal(r.returncode, 69)
    check("none" in r.stderr, r.stderr)
    d = t.daemon()
    for said, words, status in ((d.control, [], 0), (t.folder / "none", [], 69), (t.folder / "none", ["--socket", str(d.control)], 0)):
        r = subprocess.run([t.args.greylag, *words, "status"], capture_output=True, env={**os.environ, "GREYLAG_SOCKET": str(said)})
        equal(r.returncode, status, f"GREYLAG_SOCKET={said} {words}")
    long = subprocess.run([t.args.greylag, "--socket", "/" + "x" * 300, "status"],
                          capture_output=True, text=True, timeout=LIMIT)
    equal(long.returncode, 64)


@test
def control_socket_is_for_its_owner(t):
    d = t.daemon()
    equal(stat.S_IMODE(os.stat(d.control).st_mode), 0o600)


@test
def status(t):
    d = filled(t)
    text = t.greylag(d, "status")
    for word in ("greylagd", "memory", "requests", "new", "defer"):
        check(word in text, f"{word} in {text}")
    row, = rows(t.greylag(d, "status", "--json"))
    equal(row["requests"], 3)
    equal([(v["verdict"], v["reason"], v["count"]) for v in row["verdicts"]], [("defer", "new", 3)])
    equal(row["store"]["records"], 3)
    equal(row["store"]["waiting"], 3)
    equal(row["pid"], d.process.pid)
    equal(row["store"]["health"], "good")


@test
def show(t):
    d = filled(t)
    for field, pattern, wanted in (
            ("client", "192.0.2.1", 2), ("client", "192.0.2.0/24", 2), ("client", "192.0.0.0/16", 2),
            ("client", "203.0.113.1", 0), ("client", "sender.example", 1), ("client", "mail.sender.example", 1),
            ("sender", "example.org", 2), ("sender", "alice@example.org", 1), ("sender", "ALICE@Example.ORG", 1),
            ("sender", "alice@", 1), ("sender", "@example.org", 2), ("sender", "*@*.example", 1),
            ("recipient", "bob@example.net", 2), ("recipient", "e?e@*", 1), ("recipient", "nobody@example.net", 0)):
        got = rows(t.greylag(d, "show", field, pattern, "--json"))
        equal(len(got), wanted, f"show {field} {pattern}")
        text = t.greylag(d, "show", field, pattern, status=0 if wanted else 1)
        equal(text.count("waiting"), wanted, text)
    row, = rows(t.greylag(d, "show", "sender", "dave@sender.example", "--json"))
    equal((row["kind"], row["state"], row["identity"], row["sender"], row["recipient"], row["blocked"]),
          ("triplet", "waiting", "sender.example", "dave@sender.example", "eve@example.net", 1))
    for wrong in (("nobody", "x"), ("client", "192.0.2.0/99"), ("sender", "")):
        t.greylag(d, "show", *wrong, status=75)


@test
def dump_of_many(t):
    d = t.daemon()
    with Asker(d.socket) as a:
        for i in range(2500):
            a.ask(sender=f"s{chr(97 + i % 26)}{chr(97 + i // 26 % 26)}{chr(97 + i // 676)}@example.org")
    got = rows(t.greylag(d, "dump", "--json"))
    equal(len(got), 2500)
    equal(len({row["sender"] for row in got}), 2500)
    equal(t.greylag(d, "dump").count("waiting"), 2500)


@test
def forget(t):
    d = filled(t)
    check("1 records would be forgotten" in t.greylag(d, "forget", "sender", "alice@example.org", "--dry-run"), "dry")
    equal(len(rows(t.greylag(d, "dump", "--json"))), 3)
    check("1 records forgotten" in t.greylag(d, "forget", "sender", "alice@example.org"), "wet")
    check("0 records" in t.greylag(d, "forget", "sender", "alice@example.org", status=1), "again")
    equal(len(rows(t.greylag(d, "dump", "--json"))), 2)
    t.greylag(d, "forget", "client", "0.0.0.0/0", status=75)
    t.greylag(d, "forget", "sender", "*", status=75)
    equal(len(rows(t.greylag(d, "dump", "--json"))), 2)
    t.greylag(d, "forget", "sender", "*", "--all")
    equal(t.greylag(d, "dump", "--json"), "")
    t.greylag(d, "dump", status=1)
    check(ask_once(d.socket, sender="alice@example.org").startswith("DEFER"), "a stranger again")


@test
def forget_in_the_real_store(t):
    d = filled(t, store="rocksdb")
    with Asker(d.socket) as a:
        for i in range(1200):
            a.ask(sender=f"s{chr(97 + i % 26)}{chr(97 + i // 26 % 26)}{chr(97 + i // 676)}@many.example")
    check("1200 records forgotten" in t.greylag(d, "forget", "sender", "many.example"), "in pages")
    equal(len(rows(t.greylag(d, "dump", "--json"))), 3)
    d.stop()
    d.start()
    equal(len(rows(t.greylag(d, "dump", "--json"))), 3)


@test
def why(t):
    d = filled(t, "block sender evil@example.org text \"go away\"\n")
    row, = rows(t.greylag(d, "why", "192.0.2.1", "alice@example.org", "bob@example.net", "--json"))
    equal((row["verdict"], row["reason"], row["identity"]), ("defer", "early", "192.0.2.0/24"))
    check(0 < row["wait_s"] <= 60, row)
    check(row["passes_at"].endswith("Z"), row)
    text = t.greylag(d, "why", "192.0.2.1", "alice@example.org", "bob@example.net")
    for word in ("early", "192.0.2.0/24", "retry", "first seen"):
        check(word in text, f"{word} in {text}")
    row, = rows(t.greylag(d, "why", "192.0.2.1", "evil@example.org", "x@example.net", "--json"))
    equal((row["verdict"], row["reason"], row["rule_line"]), ("reject", "block-rule", 7))
    row, = rows(t.greylag(d, "why", "198.51.100.9", "x@example.org", "y@example.net", "--name",
                          "a.sender.example", "--json"))
    equal((row["reason"], row["identity"]), ("new", "sender.example"))
    row, = rows(t.greylag(d, "why", "198.51.100.9", "x@example.org", "y@example.net", "--sasl", "me", "--json"))
    equal(row["reason"], "authenticated")
    row, = rows(t.greylag(d, "why", "999.1.1.1", "x@example.org", "y@example.net", "--json"))
    equal(row["reason"], "malformed")
    # Whatever was asked: nothing has changed.
    equal(len(rows(t.greylag(d, "dump", "--json"))), 3)
    equal(rows(t.greylag(d, "status", "--json"))[0]["requests"], 3)
    text = t.greylag(d, "why", "192.0.2.1", "\udcff\udcfe@example.org", "bob@example.net")
    check("new" in text, text)


@test
def ask(t):
    d = t.daemon("greylist delay 1s\nblock sender evil@example.org\n")
    def run(*words, status):
        r = subprocess.run([t.args.greylag, "ask", "--socket", f"unix:{d.socket}", *words],
                           capture_output=True, text=True, timeout=LIMIT)
        equal(r.returncode, status, f"{words}: {r.stdout}{r.stderr}")
        return r.stdout
    mail = ["--client", "192.0.2.1", "--sender", "alice@example.org", "--recipient", "bob@example.net"]
    check(run(*mail, status=75).startswith("defer Greylisted"), "first")
    time.sleep(1.1)
    check(run(*mail, status=0).startswith("pass X-Greylist: delayed"), "retry")
    equal(run(*mail, status=0), "pass\n")
    equal(json.loads(run(*mail, "--json", status=0)), {"verdict": "pass", "text": ""})
    mail[3] = "evil@example.org"
    check(run(*mail, status=77).startswith("reject"), "block")
    mail[3] = ""
    equal(run(*mail, status=0), "pass\n", )
    run("--client", "192.0.2.1", status=64)
    r = subprocess.run([t.args.greylag, "ask", "--socket", str(t.folder / "none"), *mail], capture_output=True)
    equal(r.returncode, 69)


@test
def config_and_reload(t):
    d = filled(t, "greylist delay 90s\nallow client 203.0.113.0/24\n")
    text = t.greylag(d, "config")
    line, = [line for line in text.splitlines() if line.startswith("greylist delay ")]
    check("1m30s" in line and f"{d.config_file}:7" in line, line)
    line, = [line for line in text.splitlines() if line.startswith("greylist window ")]
    check("# default" in line, line)
    settings = {row["setting"]: row for row in rows(t.greylag(d, "config", "--json")) if "setting" in row}
    equal(settings["greylist delay"]["value"], "1m30s")
    d.configure("greylist delay 30s\n")
    check("reloaded" in t.greylag(d, "reload"), "taken")
    check("30s" in t.greylag(d, "config"), "new value")
    d.configure("greylist delay 30 parsecs\n")
    r = subprocess.run([t.args.greylag, "--socket", str(d.control), "reload"], capture_output=True, text=True)
    equal(r.returncode, 1)
    check(f"{d.config_file}:7:" in r.stderr and "not reloaded" in r.stdout, r.stdout + r.stderr)
    check("30s" in t.greylag(d, "config"), "the old one stays")
    rule = "allow identity example.co.uk\n"
    sentence = 'test "from 192.0.2.1 name mx.example.co.uk" expect'
    for result, status in (("allow", 0), ("block", 1)):
        d.configure(f"{rule}{sentence} {result}\n")
        r = subprocess.run([t.args.greylag, "--socket", str(d.control), "reload"], capture_output=True, text=True)
        equal(r.returncode, status)
        check(status == 0 or f"{d.config_file}:8:52: error: expected block" in r.stderr, r.stdout + r.stderr)
        r = subprocess.run([str(d.binary), "-t", "-c", str(d.config_file)], capture_output=True, text=True)
        equal(r.returncode, 78 if status else 0)
        check(status == 0 or f"{d.config_file}:8:52: error: expected block" in r.stderr, r.stdout + r.stderr)
    check("0.1" in t.greylag(d, "version"), "version")


@test
def backup(t):
    d = filled(t, store="rocksdb")
    copy = d.folder / "store" / "copy"
    check(str(copy) in t.greylag(d, "backup", str(copy)), "written")
    t.greylag(d, "backup", str(copy), status=75)
    t.greylag(d, "backup", "/no/such/place", status=75)
    other = t.daemon(store=f"rocksdb {copy}")
    equal(len(rows(t.greylag(other, "dump", "--json"))), 3)


@test
def nonsense_on_the_control_socket(t):
    d = filled(t)
    for line in (b"x", b"[]", b"1", b"{}", b'{"cmd":1}', b'{"cmd":"no-such"}', b'{"cmd":"show"}',
                 b'{"cmd":"show","field":1,"pattern":[]}', b'{"cmd":"why"}', b'{"cmd":"why","client":[]}',
                 b'{"cmd":"backup"}', b'{"cmd":"backup","directory":"relative"}', b"\xff\xfe", b'{"cmd":"sta\0tus"}',
                 b"[" * 5000, b'{"cmd":"status","cmd":"status"}', b'{"cmd":"forget","field":"all","pattern":""}',
                 b'{"cmd":"show","field":"sender","pattern":"' + b"x" * 5000 + b'"}'):
        c = Control(d)
        answer = c.ask(line)
        check("error" in answer[-1], f"{line[:60]!r}: {answer}")
        equal(c.ask(b'{"cmd":"version"}')[-1], {"end": True}, "the connection lives on")
    c = Control(d)
    c.s.sendall(b'\n\n  \n{"cmd":"version"}\n{"cmd":"version"}\n')
    equal([json.loads(c.f.readline()).keys() for _ in range(4)],
          [{"version"}, {"end"}, {"version"}, {"end"}], "two at once")
    equal(len(rows(t.greylag(d, "dump", "--json"))), 3)


@test
def read_only_socket(t):
    look = t.folder / "look"
    d = filled(t, f"listen control unix {look} mode 0666 read-only")
    equal(stat.S_IMODE(look.stat().st_mode), 0o666)
    d.control, all_of_it = look, d.control
    for words in (["status"], ["show", "client", "192.0.2.1"], ["lists", "--json"], ["config"], ["version"],
                  ["why", "192.0.2.1", "alice@example.org", "bob@example.net"]):
        t.greylag(d, *words)
    for words in (["forget", "client", "192.0.2.1"], ["allow", "192.0.2.1"], ["reload"], ["unlist", "allow", "192.0.2.1"],
                  ["backup", str(t.folder / "copy")]):
        r = subprocess.run([t.args.greylag, "--socket", str(look), *words], capture_output=True, text=True, timeout=LIMIT)
        equal(r.returncode, 75, str(words))
        check("read-only" in r.stderr, r.stderr)
    d.control = all_of_it
    check("forgotten" in t.greylag(d, "forget", "client", "192.0.2.1"), "the other socket may")


@test
def recent_verdicts(t):
    d = filled(t)
    with Asker(d.socket) as a:
        a.ask(client_address="192.0.2.1", helo_name="he lo", sender=b"\xff\"<b>" + b"x" * 300 + b"@example.org",
              recipient="bob@example.net", queue_id="Q1")
    c = Control(d)
    answer = c.ask(b'{"cmd":"recent"}')
    equal(answer.pop(), {"end": True})
    equal([r["number"] for r in answer], [1, 2, 3, 4])
    equal({k: answer[2][k] for k in ("verdict", "reason", "client", "name", "identity", "from", "to")},
          {"verdict": "defer", "reason": "new", "client": "198.51.100.7", "name": "mail.sender.example",
           "identity": "sender.example", "from": "dave@sender.example", "to": "eve@example.net"})
    check("queue" not in answer[0] and answer[0]["wait"] > 0, str(answer[0]))
    equal(answer[3]["from"][:12], "\\xff\\x22<b>x", "escaped")
    check(answer[3]["from"].endswith("...") and answer[3]["queue"] == "Q1", str(answer[3]))
    for row in answer:
        line = next(l for l in d.logged().splitlines() if f"from=<{row['from']}>" in l)
        for key in ("verdict", "reason", "client", "identity"):
            check(f"{key}={row[key]} " in line, f"{key} of {row} in {line}")
    equal([r["number"] for r in c.ask(b'{"cmd":"recent","after":2}')[:-1]], [3, 4])
    equal([r["number"] for r in c.ask(b'{"cmd":"recent","most":1}')[:-1]], [4])
    for odd in (b'"after":-1', b'"after":"x"', b'"most":-5', b'"most":0', b'"after":9223372036854775807'):
        check("end" in c.ask(b'{"cmd":"recent",' + odd + b"}")[-1], str(odd))


@test
def request_without_end(t):
    d = filled(t)
    c = Control(d)
    try:
        c.s.sendall(b"x" * 1000000)
        equal(c.f.readline(), b"", "closed")
    except (BrokenPipeError, ConnectionResetError):
        pass
    wait_for(lambda: "without end" in d.logged(), "and logged")
    t.greylag(d, "status")


@test
def reader_that_goes_away(t):
    d = t.daemon(store="rocksdb")
    with Asker(d.socket) as a:
        for i in range(3000):
            a.ask(sender=f"{'x' * 200}{chr(97 + i % 26)}{chr(97 + i // 26 % 26)}{chr(97 + i // 676)}@example.org")
    for _ in range(5):
        c = Control(d)
        c.s.sendall(b'{"cmd":"show","field":"all","pattern":""}\n')
        c.f.readline()
        c.f.close()
        c.s.close()
    # One that stays but does not read holds up nobody.
    lazy = Control(d)
    lazy.s.sendall(b'{"cmd":"show","field":"all","pattern":""}\n' * 50)
    started = time.monotonic()
    t.greylag(d, "status")
    ask_once(d.socket)
    check(time.monotonic() - started < 5, "others are served")
    check(d.resident_kb() < 600 * 1024, "in bounded memory")
    equal(len(rows(t.greylag(d, "dump", "--json"))), 3001)
    equal(d.stop(), 0)


@test
def half_close(t):
    d = filled(t)
    c = Control(d)
    c.s.sendall(b'{"cmd":"show","field":"all","pattern":""}\n')
    c.s.shutdown(socket.SHUT_WR)
    equal(len(c.f.read().splitlines()), 4, "all rows and the end")


@test
def many_control_connections(t):
    d = filled(t)
    several = [Control(d) for _ in range(60)]
    for c in several:
        equal(c.ask(b'{"cmd":"version"}')[-1], {"end": True})
    more = [Control(d) for _ in range(20)]
    refused = 0
    for c in more:
        try:
            refused += c.ask(b'{"cmd":"version"}') == []
        except (BrokenPipeError, ConnectionResetError):
            refused += 1
    check(refused >= 10, f"{refused} refused")
    for c in several + more:
        c.f.close()
        c.s.close()
    wait_for(lambda: subprocess.run([t.args.greylag, "--socket", str(d.control), "version"],
                                    capture_output=True).returncode == 0, "room again")


@test
def onlookers_lock_nobody_out(t):
    look = t.folder / "look"
    d = filled(t, f"listen control unix {look} mode 0666 read-only")
    d.control, all_of_it = look, d.control
    several = [Control(d) for _ in range(70)]
    served = 0
    for c in several:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            served += c.ask(b'{"cmd":"version"}') != []
    equal(served, 32, "connections of a read-only socket")
    d.control = all_of_it
    t.greylag(d, "reload")
    for c in several:
        c.f.close()
        c.s.close()


@test
def rights_end_with_the_socket(t):
    """A socket that a reload makes read-only is so for those who are connected, too."""
    look = t.folder / "look"
    d = filled(t, f"listen control unix {look}")
    d.control, all_of_it = look, d.control
    idle, asking = Control(d), Control(d)
    for c in idle, asking:
        equal(c.ask(b'{"cmd":"version"}')[-1], {"end": True})
    d.control = all_of_it
    d.configure(f"listen control unix {look} read-only")
    asking.s.sendall(b'{"cmd":"reload"}\n{"cmd":"forget","field":"all","pattern":""}\n{"cmd":"version"}\n')
    answers = asking.f.read().splitlines()
    check(any(b'"end"' in a for a in answers) and any(b"read-only" in a for a in answers), f"answers: {answers}")
    with contextlib.suppress(ConnectionResetError):
        equal(idle.f.read(), b"", "an old connection")
    d.control = look
    check("read-only" in Control(d).ask(b'{"cmd":"reload"}')[-1]["error"], "a new connection")
    d.control = all_of_it
    equal(len(rows(t.greylag(d, "dump", "--json"))), 3, "records")


if __name__ == "__main__":
    test.main()
