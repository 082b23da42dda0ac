#!/usr/bin/env python3
"""The living lists: greylag allow, block, trap, enlist, unlist, lists against a real greylagd."""
import datetime
import json
import os
import pathlib
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from harness import LIMIT, Asker, Tests, check, equal, wait_for
from valkey import Server

test = Tests(__doc__)
NEVER = "9999-12-31T23:59:59Z"


def rows(text):
    return [json.loads(line) for line in text.splitlines()]


def listed(t, d, *words, status=0):
    """(list, kind, value) of what `greylag lists` prints."""
    return [(r["list"], r["kind"], r["value"]) for r in rows(t.greylag(d, "lists", *words, "--json", status=status))]


def run(t, d, *words, stdin=None, env=None):
    return subprocess.run([t.args.greylag, "--socket", str(d.control), *words], capture_output=True, text=True,
                          timeout=3 * LIMIT, input=stdin, env={**os.environ, **(env or {})})


def control(d, line):
    """One line to the control socket; the rows of its answer."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(LIMIT)
        s.connect(str(d.control))
        s.sendall(line if isinstance(line, bytes) else json.dumps(line).encode())
        s.sendall(b"\n")
        out = []
        for row in s.makefile("rb"):
            out.append(json.loads(row))
            if "end" in out[-1] or "error" in out[-1]:
                break
        return out


@test
def add_list_remove(t):
    d = t.daemon(store="rocksdb")
    text = t.greylag(d, "allow", "client", "192.0.2.7", "10.1", "2001:DB8::/32", "--comment", "our partner")
    equal(text, "allow client 192.0.2.7: added, without end\nallow client 10.1.0.0/16: added, without end\n"
                "allow client 2001:db8::/32: added, without end\n")
    t.greylag(d, "allow", "198.51.100.0/24")
    t.greylag(d, "allow", "name", "Mail.Example.ORG.", "*.example.net", "=mx.example.com")
    t.greylag(d, "block", "sender", "Spammer@Example.org", "<>", "@bad.example", "--for", "30d")
    t.greylag(d, "trap", "recipient", "old@", "--until", "2099-01-02")
    t.greylag(d, "enlist", "no-sms", "recipient", "example.com")
    equal(listed(t, d), [
        ("allow", "client", "10.1.0.0/16"), ("allow", "client", "192.0.2.7"), ("allow", "client", "198.51.100.0/24"),
        ("allow", "client", "2001:db8::/32"), ("allow", "name", ".example.net"), ("allow", "name", "=mx.example.com"),
        ("allow", "name", "mail.example.org"), ("block", "sender", "<>"), ("block", "sender", "@bad.example"),
        ("block", "sender", "spammer@example.org"), ("no-sms", "recipient", "example.com"), ("trap", "recipient", "old@")])
    row, = rows(t.greylag(d, "lists", "trap", "--json"))
    equal((row["until"], row["comment"]), ("2099-01-02T23:59:59Z", ""))
    row = rows(t.greylag(d, "lists", "allow", "client", "192.0.2.7", "--json"))[0]
    equal((row["until"], row["comment"]), (NEVER, "our partner"))
    text = t.greylag(d, "lists", "allow", "client")
    check("our partner" in text and "never" in text, text)
    for words, count in ((("allow",), 7), (("allow", "client"), 4), (("allow", "client", "10.0.0.0/8"), 1),
                         (("allow", "client", "10.1.2.3"), 1), (("block", "sender", "bad"), 1),
                         (("block", "sender", "*@*.ORG"), 1), (("nothing",), 0), (("held",), 0)):
        equal(len(listed(t, d, *words)), count, str(words))
    check("removed" in t.greylag(d, "unlist", "allow", "client", "10.1.0.0/16"), "taken off")
    check("is not there" in t.greylag(d, "unlist", "allow", "client", "10.1.0.0/16", status=1), "only once")
    t.greylag(d, "unlist", "block", "sender", "<>")
    equal(len(listed(t, d)), 10)
    t.greylag(d, "lists", "nothing", status=1)
    equal(d.stop(), 0)
    d.start()
    equal(len(listed(t, d)), 10, "after a restart")
    wait_for(lambda: "lists: 10 entries read" in d.logged(), "the entries in memory")
    check("lists: allow: 3 added" in d.logged(), "changes are logged")


@test
def ends(t):
    d = t.daemon(store="rocksdb")
    check("added until 20" in t.greylag(d, "block", "client", "192.0.2.1", "--for", "2d"), "an end")
    check("already there until 20" in t.greylag(d, "block", "client", "192.0.2.1", "--for", "1d"), "no earlier end")
    check("extended until 20" in t.greylag(d, "block", "client", "192.0.2.1", "--for", "3d"), "a later one")
    check("extended, without" in t.greylag(d, "block", "client", "192.0.2.1", "--until", "9999-12-31"), "for ever")
    equal(t.greylag(d, "block", "192.0.2.1"), "block client 192.0.2.1: already there, without end\n")
    check("shortened until 20" in t.greylag(d, "block", "192.0.2.1", "--for", "1h", "--shorten"), "on request")
    check("already" in t.greylag(d, "block", "192.0.2.1", "--for", "30m"), "not without")
    t.greylag(d, "block", "192.0.2.2", "--until", "2098-01-01T12:00:00Z", "--comment", "first")
    equal(rows(t.greylag(d, "lists", "block", "client", "192.0.2.2", "--json"))[0]["until"], "2098-01-01T12:00:00Z")
    equal(listed(t, d, "--expiring", "2h"), [("block", "client", "192.0.2.1")])
    equal(listed(t, d, "--expiring"), [("block", "client", "192.0.2.1")])
    equal(listed(t, d, "--expiring=30m"), [])
    for wrong in (("--for", "30"), ("--for", "0"), ("--until", "yesterday"), ("--until", "2001-01-01"),
                  ("--until", "2098-01-01Tnoon")):
        r = run(t, d, "block", "192.0.2.3", *wrong)
        equal(r.returncode, 64, str(wrong))
        check("end" in r.stderr, r.stderr)
    equal(len(listed(t, d)), 2)
    # What has come to its end has gone, and may come back with what is said then.
    t.greylag(d, "block", "192.0.2.4", "--for", "3s", "--comment", "soon over")
    wait_for(lambda: ("block", "client", "192.0.2.4") not in listed(t, d), "the end")
    check("added" in t.greylag(d, "block", "192.0.2.4"), "anew")
    equal(rows(t.greylag(d, "lists", "block", "client", "192.0.2.4", "--json"))[0]["comment"], "")
    # Removing wins over a later end; adding again wins over removing.
    t.greylag(d, "unlist", "block", "192.0.2.2")
    check("added until" in t.greylag(d, "block", "192.0.2.2", "--for", "1d"), "with an earlier end")
    d.stop()
    d.start()
    end = datetime.datetime.fromisoformat(
        rows(t.greylag(d, "lists", "block", "client", "192.0.2.2", "--json"))[0]["until"].replace("Z", "+00:00"))
    check(end - datetime.datetime.now(datetime.timezone.utc) < datetime.timedelta(days=1, minutes=1), str(end))


@test
def who_and_why(t):
    d = t.daemon(store="rocksdb")
    equal(run(t, d, "allow", "192.0.2.1", "--comment", "50% off, \"really\" ä", "--for", "1d",
              env={"SUDO_USER": "alice"}).returncode, 0)
    row, = rows(t.greylag(d, "lists", "--json"))
    equal((row["author"], row["comment"]), ("alice", "50% off, \\x22really\\x22 ä"))
    run(t, d, "allow", "192.0.2.1", "--for", "2d", env={"SUDO_USER": "bob"})
    row, = rows(t.greylag(d, "lists", "--json"))
    equal((row["author"], row["comment"]), ("bob", "50% off, \\x22really\\x22 ä"), "who extends may be silent")
    run(t, d, "allow", "192.0.2.1", "--for", "3d", "--comment", "new", env={"SUDO_USER": ""})
    row, = rows(t.greylag(d, "lists", "--json"))
    check(row["author"] not in ("", "bob") and row["comment"] == "new", row)
    equal(run(t, d, "allow", "192.0.2.2", "--comment", "x" * 201).returncode, 1)
    equal(run(t, d, "allow", "192.0.2.2", "--comment", "x" * 200, env={"SUDO_USER": "y" * 200}).returncode, 0)
    row = rows(t.greylag(d, "lists", "allow", "client", "192.0.2.2", "--json"))[0]
    equal((row["author"], row["comment"]), ("y" * 60, "x" * 200))


@test
def wrong_command_lines(t):
    d = t.daemon()
    for words, status, said in (
            (("allow",), 64, "which values"), (("allow", "client"), 64, "which values"),
            (("allow", "mail.example.org"), 64, "a name, sender or recipient"),
            (("allow", "a@example.org"), 64, "a sender or a recipient"),
            (("allow", "client", "192.0.2.0/33"), 1, "no address or prefix"),
            (("allow", "client", "mail.example.org"), 1, "no address or prefix"),
            (("allow", "name", "192.0.2.1"), 1, "not a name"), (("allow", "name", "exämple.org"), 1, "xn--"),
            (("allow", "name", "a..b"), 1, "no host name"), (("allow", "sender", "a b@example.org"), 1, "no mail address"),
            (("allow", "sender", ""), 1, "no mail address"), (("allow", "sender", "x" * 600), 1, "too long"),
            (("allow", "sender", "x" * 2000), 1, "too long"), (("allow", "name", "\udcff.example"), 1, "no host name"),
            (("enlist", "held", "192.0.2.1"), 75, "held"), (("enlist", "no list", "192.0.2.1"), 75, "letters"),
            (("enlist", "x" * 65, "192.0.2.1"), 75, "at most 64"), (("enlist", "!", "192.0.2.1"), 75, "letters"),
            (("unlist", "allow"), 64, "which values"), (("enlist", "x"), 64, "which values"),
            (("lists", "a b"), 75, "letters"), (("lists", "allow", "dog"), 75, "not a client"),
            (("lists", "--expiring=soon"), 64, "duration"), (("allow", "--file", "/no/such"), 64, "/no/such"),
            (("allow", "192.0.2.1", "--file", "-"), 64, "either"),
            (("allow", "--file", "-", "--format", "no-such"), 64, "")):
        r = run(t, d, *words, stdin="")
        equal(r.returncode, status, f"{words}: {r.stdout}{r.stderr}")
        check(said in r.stderr, f"{words}: {r.stderr}")
    equal(listed(t, d), [])


@test
def files(t):
    d = t.daemon(store="rocksdb")
    file = t.folder / "relaydelay"
    file.write_text("# Servers that do not retry\n\n192.168 # private\n12.5.136.141\t# Southwest Airlines\n"
                    "10.0.0.\n2001:db8::/32 # IPv6\r\n300.1 # no\nmail.example.org # a name\n" + "x" * 2000 + "\n")
    r = run(t, d, "allow", "--file", str(file), "--format", "relaydelay")
    equal((r.returncode, r.stdout), (1, "allow: 4 added, 3 refused\n"), r.stderr)
    for line in (7, 8, 9):
        check(f"{file}:{line}: " in r.stderr, r.stderr)
    got = {row["value"]: row["comment"] for row in rows(t.greylag(d, "lists", "allow", "--json"))}
    equal(got, {"10.0.0.0/24": "", "12.5.136.141": "Southwest Airlines", "192.168.0.0/16": "private",
                "2001:db8::/32": "IPv6"})
    r = run(t, d, "allow", "--file", str(file), "--format", "relaydelay")
    equal(r.stdout, "allow: 4 already there, 3 refused\n", "again")
    r = run(t, d, "unlist", "allow", "--file", str(file), "--format", "relaydelay")
    equal((r.returncode, r.stdout), (1, "allow: 4 removed, 3 refused\n"))
    r = run(t, d, "block", "client", "--file", "-", "--format", "cidr", stdin="192.0.2.0/24\n192.168\n198.51.100.1 # x\n")
    equal(r.stdout, "block: 2 added, 1 refused\n")
    check("stdin:2:" in r.stderr, r.stderr)
    equal({row["comment"] for row in rows(t.greylag(d, "lists", "block", "--json"))}, {""})
    r = run(t, d, "allow", "--file", "-", "--format", "postgrey",
            stdin="# postgrey\nexample.org # comment\n/^mx[0-9]+\\.example\\.com$/\n192.0.2\n2001:db8::1\na@example.org\n")
    equal(r.stdout, "allow: 3 added, 2 refused\n", r.stderr)
    check("stdin:3:" in r.stderr and "greylag.conf" in r.stderr and "stdin:6:" in r.stderr, r.stderr)
    equal(listed(t, d, "allow"), [("allow", "client", "192.0.2.0/24"), ("allow", "client", "2001:db8::1"),
                                  ("allow", "name", "example.org")])
    r = run(t, d, "enlist", "nogrey", "recipient", "--file", "-", "--format", "postgrey",
            stdin="postmaster@\nabuse@\nexample.org\n/^friend-/\nuser@example.com\n")
    equal(r.stdout, "nogrey: 4 added, 1 refused\n", r.stderr)
    r = subprocess.run([t.args.greylag, "--socket", str(d.control), "allow", "--file", "-"], capture_output=True,
                       timeout=LIMIT, input=b"a\0b.example\n\xff\xfe.example\nhalf.example")
    equal(r.stdout, b"allow: 1 added, 2 refused\n", r.stderr.decode(errors="replace"))
    r = run(t, d, "block", "--file", "-", stdin="")
    equal((r.returncode, r.stdout), (0, "block: no entries\n"))
    r = run(t, d, "block", "--file", "-", "--dry-run", stdin="203.0.113.1\n203.0.113.1\n")
    equal(r.stdout, "block: 1 added, 1 already there (nothing changed)\n")
    equal(len(listed(t, d, "block")), 2)
    out = rows(run(t, d, "block", "--file", "-", "--json", stdin="203.0.113.1\n# c\nnonsense!\n203.0.113.0/99\n").stdout)
    equal([(r.get("line"), r["outcome"]) for r in out[:-1]], [(3, "refused")] * (len(out) == 3) + [(4, "refused")], str(out))
    equal((out[-1]["added"], out[-1]["refused"]), (1, 2))


@test
def a_hundred_thousand(t):
    d = t.daemon(store="rocksdb")
    text = "".join(f"{10 + (i >> 16)}.{i >> 8 & 255}.{i & 255}.1 # number {i}\n" for i in range(100000))
    started = time.monotonic()
    r = run(t, d, "block", "--file", "-", "--for", "30d", stdin=text)
    took = time.monotonic() - started
    equal((r.returncode, r.stdout), (0, "block: 100000 added\n"), r.stderr[:500])
    print(f"# 100,000 entries in {took:.1f} s, {d.resident_kb() // 1024} MB")
    check(took < 150, f"took {took} s")
    # Others are answered meanwhile.
    p = subprocess.Popen([t.args.greylag, "--socket", str(d.control), "block", "--file", "-", "--for", "31d"],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    worst = 0
    with Asker(d.socket) as a:
        p.stdin.write(text)
        p.stdin.close()
        while p.poll() is None:
            began = time.monotonic()
            a.ask()
            worst = max(worst, time.monotonic() - began)
            time.sleep(0.005)
    equal(p.stdout.read(), "block: 100000 extended\n")
    p.stdout.close()
    print(f"# longest answer meanwhile {worst * 1000:.0f} ms")
    check(worst < 5, f"an answer took {worst} s")
    equal(len(listed(t, d, "block")), 100000)
    equal(len(listed(t, d, "block", "client", "10.7.0.0/16")), 256)
    d.stop()
    d.start()
    wait_for(lambda: "lists: 100000 entries read" in d.logged(), "all of them after a restart")
    r = run(t, d, "unlist", "block", "--file", "-", stdin=text)
    equal(r.stdout, "block: 100000 removed\n", r.stderr[:500])
    equal(listed(t, d, "block"), [])


@test
def two_daemons_on_one_store(t):
    server = Server(t)
    one, two = (t.daemon(store=f"valkey unix:{server.socket}") for _ in range(2))
    t.greylag(one, "block", "192.0.2.1", "--comment", "from one")
    # What is listed comes from the store, at once; what counts for mail within seconds.
    equal(listed(t, two), [("block", "client", "192.0.2.1")])
    wait_for(lambda: entries(t, two) == 1, "two to see it")
    t.greylag(two, "allow", "name", "example.org", "example.net")
    wait_for(lambda: entries(t, one) == 3, "one to see the others")
    check("already" in t.greylag(two, "block", "192.0.2.1"), "known")
    t.greylag(two, "unlist", "block", "192.0.2.1")
    equal(listed(t, one, "block"), [])
    wait_for(lambda: entries(t, one) == 2, "gone in one too")
    check("added until" in t.greylag(one, "block", "192.0.2.1", "--for", "1h"), "by one, after two removed it")
    equal(listed(t, two, "block"), [("block", "client", "192.0.2.1")])
    r = run(t, one, "allow", "--file", "-", stdin="".join(f"10.1.{i >> 8}.{i & 255}\n" for i in range(3000)))
    equal(r.stdout, "allow: 3000 added\n", r.stderr)
    wait_for(lambda: entries(t, two) == 3003, "the bulk")
    check("mx.test" in two.config_file.read_text(), "both have run")


@test
def a_server_that_comes_back_empty(t):
    server = Server(t)
    d = t.daemon(store=f"valkey unix:{server.socket}")
    t.greylag(d, "block", "192.0.2.1")
    equal(entries(t, d), 1)
    server.stop()
    wait_for(lambda: run(t, d, "block", "192.0.2.2").returncode == 75, "an error")
    equal(entries(t, d), 1, "what was known stays")
    wait_for(lambda: "lists: the store could not be read" in d.logged(), "a line in the log")
    server.socket.unlink(missing_ok=True)
    server.start()
    wait_for(lambda: entries(t, d) == 0, "the lists as the store has them")
    wait_for(lambda: run(t, d, "block", "192.0.2.3").returncode == 0, "a new entry")
    equal(listed(t, d), [("block", "client", "192.0.2.3")])


def entries(t, d):
    return rows(t.greylag(d, "status", "--json"))[0]["lists"]["entries"]


@test
def hostile_control_input(t):
    d = t.daemon()
    entry = {"kind": "client", "value": "192.0.2.1"}
    for request in (
            {"cmd": "list_add"}, {"cmd": "list_add", "list": 1, "values": []}, {"cmd": "list_add", "list": "a"},
            {"cmd": "list_add", "list": "a", "values": {}}, {"cmd": "list_add", "list": "a", "values": [entry] * 1001},
            {"cmd": "list_add", "list": "a b", "values": [entry]}, {"cmd": "list_add", "list": "", "values": [entry]},
            {"cmd": "list_add", "list": "a", "values": [entry], "until": 1},
            {"cmd": "list_add", "list": "a", "values": [entry], "until": -2 ** 63},
            {"cmd": "list_add", "list": "a", "values": [entry], "author": "x" * 61},
            {"cmd": "lists", "list": "a\nb"}, {"cmd": "lists", "list": "x" * 65}, {"cmd": "lists", "kind": "!"},
            {"cmd": "lists", "pattern": "x" * 600}, b'{"cmd":"list_add","list":"a","values":[{"kind":"client","value":"\\u0000"}]}'):
        answer = control(d, request)
        check("error" in answer[-1], f"{request}: {answer}")
    strange = [None, 1, [], "x", {}, {"kind": "client"}, {"kind": 1, "value": []}, {"kind": "dog", "value": "x"},
               {"kind": "client", "value": ""}, {"kind": "sender", "value": "x" * 513},
               {"kind": "sender", "value": "a\n@b.example"}, {"kind": "name", "value": "é.example"},
               {"kind": "name", "value": "."}, {"kind": "name", "value": "="}, {"kind": "name", "value": "*."},
               {"kind": "recipient", "value": "@"}, {"kind": "client", "value": "192.0.2.1", "comment": "x" * 201}]
    answer = control(d, {"cmd": "list_add", "list": "a", "values": strange, "each": True})
    equal([row["outcome"] for row in answer[:-2]], ["refused"] * len(strange), str(answer))
    equal(answer[-2]["refused"], len(strange))
    # Every byte that a value may have comes back as it went in.
    odd = ["a%20b@c.example", "\"x\"@c.example", "<>", "é@c.example", "a%@"]
    answer = control(d, {"cmd": "list_add", "list": "odd", "each": True, "until": 2 ** 62,
                         "values": [{"kind": "sender", "value": v, "comment": "% \t\n\x7f"} for v in odd]})
    equal(answer[-2]["added"], len(odd), str(answer))
    equal({r["value"].replace("\\x22", "\"") for r in rows(t.greylag(d, "lists", "odd", "--json"))}, set(odd))
    equal({(r["until"], r["comment"]) for r in rows(t.greylag(d, "lists", "odd", "--json"))},
          {(NEVER, "% \\x09\\x0a\\x7f")})
    # The longest that a batch can be.
    answer = control(d, {"cmd": "list_add", "list": "long", "values": [
        {"kind": "sender", "value": f"{i}" + "%" * 130 + "@x.example"} for i in range(1000)]})
    equal(answer[-2]["added"], 1000)
    equal(len(listed(t, d, "long")), 1000)
    # Lists cannot be had without end.
    answers = [control(d, {"cmd": "list_add", "list": f"l{i}", "values": [entry]})[-2] for i in range(110)]
    equal(sum(a["added"] for a in answers), 98, "a hundred lists")
    check("requests" in t.greylag(d, "status"), "alive")


@test
def what_becomes_of_mail(t):
    d = t.daemon("penalty hasty 0 hopping 0\nallow client 203.0.113.1\ndefer listed slow delay 2h\n"
                 "outgoing client 203.0.113.77\n")
    t.greylag(d, "allow", "192.0.2.0/25", "2001:db8::/32")
    t.greylag(d, "allow", "name", "good.example")
    t.greylag(d, "allow", "sender", "boss@")
    t.greylag(d, "block", "client", "192.0.2.0/24", "203.0.113.1")
    t.greylag(d, "block", "sender", "bad.example", "--for", "1h")
    t.greylag(d, "trap", "recipient", "old@example.net")
    t.greylag(d, "enlist", "slow", "client", "100.65.0.32/27")
    with Asker(d.socket) as a:
        def ask(client, sender="s@some.example", to="bob@example.net", **more):
            a.ask(client_address=client, sender=sender, recipient=to, **more)
            line = wait_for(lambda: [x for x in d.logged().splitlines() if "verdict=" in x][ask.count:], "the log line")[0]
            ask.count += 1
            words = dict(word.split("=", 1) for word in line.split() if "=" in word)
            return words["verdict"], words["reason"], words.get("rule")
        ask.count = 0
        equal(ask("192.0.2.1"), ("pass", "allow-list", "allow:192.0.2.0/25"))
        equal(ask("192.0.2.129"), ("reject", "block-list", "block:192.0.2.0/24"))
        equal(ask("192.0.2.129", "Boss@Some.example"), ("pass", "allow-list", "allow:boss@"))
        equal(ask("2001:db8:1::1"), ("pass", "allow-list", "allow:2001:db8::/32"))
        equal(ask("203.0.113.1"), ("reject", "block-list", "block:203.0.113.1"), "before the rules")
        equal(ask("198.51.100.1", client_name="mx.good.example", reverse_client_name="mx.good.example")[1], "allow-list")
        equal(ask("198.51.100.1", reverse_client_name="mx.good.example")[1], "new", "a reverse name proves nothing")
        equal(ask("198.51.100.1", "x@mail.bad.example")[1], "block-list")
        equal(ask("100.65.0.33")[:2], ("defer", "new"), "a rule with a list of its own")
        row, = rows(t.greylag(d, "why", "100.65.0.34", "x@y.example", "z@example.net", "--json"))
        equal((row["reason"], row["wait_s"]), ("new", 7200))
        equal(ask("203.0.113.77", "boss@example.net", "friend@far.example")[1], "outgoing", "still remembered")
        row, = rows(t.greylag(d, "why", "192.0.2.129", "x@y.example", "z@example.net", "--json"))
        equal((row["reason"], row["entry"]), ("block-list", "192.0.2.0/24"))
        check("192.0.2.0/24" in t.greylag(d, "why", "192.0.2.129", "x@y.example", "z@example.net"), "for people too")
        equal(ask("100.66.0.200", to="old@example.net")[:2], ("defer", "trap"))
        equal(ask("100.66.0.200")[:2], ("defer", "trapped"))
        row, = rows(t.greylag(d, "lists", "held", "--json"))
        equal((row["kind"], row["value"], row["cause"], row["strikes"]), ("client", "100.66.0.200", "trap", 1))
        equal([r["list"] for r in rows(t.greylag(d, "lists", "--json"))].count("held"), 1)
        check("trap" in t.greylag(d, "lists", "held", "client", "100.66.0.0/24"), "for people too")
        t.greylag(d, "unlist", "held", "client", "100.66.0.200")
        t.greylag(d, "lists", "held", status=1)
        t.greylag(d, "block", "sender", "bad.example", "--for", "3s", "--shorten")
        wait_for(lambda: listed(t, d, "block", "sender") == [], "its end")
        equal(ask("198.51.100.1", "x@mail.bad.example")[1], "new", "that entry came to its end")
        t.greylag(d, "unlist", "block", "client", "192.0.2.0/24")
        equal(ask("192.0.2.129")[1], "new", "and that one was removed")


@test
def forgetting_leaves_the_lists(t):
    d = t.daemon()
    t.greylag(d, "allow", "192.0.2.1")
    with Asker(d.socket) as a:
        a.ask(client_address="198.51.100.1")
    t.greylag(d, "forget", "sender", "*", "--all")
    t.greylag(d, "forget", "client", "0.0.0.0/0", "--all", status=None)
    equal(listed(t, d), [("allow", "client", "192.0.2.1")])
    t.greylag(d, "dump", status=1)
    t.greylag(d, "unlist", "held", "client", "192.0.2.1", status=1)


@test
def a_start_that_fails_with_questions_open(t):
    server = Server(t)
    d = t.daemon(f"country-database {t.folder}/missing", store=f"valkey unix:{server.socket}", start=False)
    d.start(wait=False)
    equal(d.process.wait(LIMIT), 69, d.tail())
    check("cannot start" in d.tail(), d.tail())


if __name__ == "__main__":
    test.main()
