#!/usr/bin/env python3
"""greylag import and export: data made by the real postgrey, SQLgrey and greylistd, and
by hand in the documented formats of others, then asked for at a real greylagd."""
import csv
import io
import json
import os
import pathlib
import re
import signal
import sqlite3
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import mariadb
import valkey
from harness import LIMIT, Tests, ask_once, check, equal, wait_for
from peers import Greylistd, Postgrey, Sqlgrey

test = Tests(__doc__)
HOUR, DAY = 3600, 86400


def run(t, d, *words, status=0, stdin=None, env=None):
    """Output and errors of greylag."""
    socket = ["--socket", str(d.control)] if d else []
    r = subprocess.run([t.args.greylag, *socket, *map(str, words)], capture_output=True, timeout=3 * LIMIT,
                       input=stdin, env={**os.environ, **(env or {})})
    out, err = r.stdout.decode(errors="replace"), r.stderr.decode(errors="replace")
    equal(r.returncode, status, f"greylag {words}: {out}{err}")
    return out, err


def imported(t, d, *words, **more):
    return json.loads(run(t, d, "--json", "import", *words, **more)[0])


def again(t, d, *words, **more):
    """A second import of the same changes nothing."""
    before = records(t, d)
    sums = imported(t, d, *words, **more)
    equal((sums["added"], sums["changed"], sums["failed"]), (0, 0, 0), f"{words} once more: {sums}")
    equal(records(t, d), before, "the records after a second import")


def records(t, d):
    return sorted(run(t, d, "export")[0].splitlines())


def record(t, d, key):
    rows = [r for r in map(json.loads, records(t, d)) if r["key"] == key]
    check(len(rows) == 1, f"{key}: {rows} of {records(t, d)}")
    return rows[0]


def ask(d, client, sender, recipient="bob@example.net", **more):
    return ask_once(d.socket, client_address=client, sender=sender, recipient=recipient, **more)


def passes(d, *words, **more):
    check(not ask(d, *words, **more).upper().startswith("DEFER"), f"{words} {more} should pass: {d.tail(3)}")


def deferred(d, *words, **more):
    check(ask(d, *words, **more).upper().startswith("DEFER"), f"{words} {more} should be deferred: {d.tail(3)}")


NAME = dict(client_name="mx1.sender.example", reverse_client_name="mx1.sender.example")


# --- Real programs -----------------------------------------------------------------------

@test
def postgrey(t):
    now = int(time.time())
    p = Postgrey(t.folder)
    t.at_end(p.stop)

    def tell(at, client, sender, recipient="bob@example.net"):
        return p.ask(now - at, client_address=client, sender=sender, recipient=recipient).startswith("DEFER")
    for number in range(6):     # its auto-whitelisted client: five triplets that passed, an hour apart
        tell(10 * DAY - number * 7200, "192.0.2.7", f"news{chr(97 + number)}@list.example")
        tell(10 * DAY - number * 7200 - 400, "192.0.2.7", f"news{chr(97 + number)}@list.example")
    check(not tell(5 * DAY, "192.0.2.7", "anybody@else.example"), "postgrey itself knows the client")
    check(tell(3 * DAY, "198.51.100.20", "known@sender.example"), "postgrey defers")
    check(not tell(3 * DAY - 900, "198.51.100.20", "known@sender.example"), "and lets the retry pass")
    tell(1000, "203.0.113.5", "fresh@waits.example")
    tell(40, "203.0.113.77", "bounce-4711-x@waits.example")
    tell(1000, "2001:db8:1:2::3", "v6@waits.example")
    tell(5 * DAY, "203.0.113.9", "never@again.example")
    d = t.daemon("greylist delay 10m\n", store="rocksdb")
    (t.folder / "tmp").mkdir()
    env = {"TMPDIR": str(t.folder / "tmp")}     # of our own: others import, too
    # It runs, and its log has not been written into its databases.
    sums = imported(t, d, "postgrey", p.database, env=env)
    equal((sums["passed"], sums["waiting"], sums["trusted"], sums["over"], sums["left_out"]), (6, 4, 2, 1, 0), str(sums))
    again(t, d, "postgrey", p.database, env=env)
    check(tell(0, "192.0.2.99", "still@alive.example"), "postgrey was not disturbed")
    passes(d, "192.0.2.7", "new@nobody.example", "carol@example.net")
    passes(d, "198.51.100.99", "known@sender.example")          # the network is known
    passes(d, "198.51.100.98", "known@sender.example", **NAME)  # under its name too
    deferred(d, "198.51.100.98", "stranger@sender.example")
    deferred(d, "198.51.101.98", "known@sender.example")
    passes(d, "203.0.113.5", "fresh@waits.example")             # waited long enough
    passes(d, "2001:db8:1:2::9", "v6@waits.example")
    deferred(d, "203.0.113.77", "bounce-4712-x@waits.example")  # 40 s of 10 minutes
    key = "t 203.0.113.0/24 bounce-#-x@waits.example bob@example.net"
    check(now - 45 < record(t, d, key)["first_seen"] <= now - 40, "it keeps its time")
    equal(record(t, d, "a 192.0.2.7")["passed"] >= 5, True)
    p.stop()
    # What is written some seconds later is in the store by then.
    d.stop()
    d.start()
    # As root the tools run as the folder's owner.
    if os.geteuid() == 0:
        t.folder.chmod(0o755)
        os.chown(p.database, 65534, 65534)
        again(t, d, "postgrey", p.database, "--dry-run", env=env)
    os.mkfifo(p.database / "fifo.db")
    _, err = run(t, d, "import", "postgrey", p.database, status=1, env=env)
    check("no plain file" in err, err)
    (p.database / "fifo.db").unlink()
    sums = imported(t, d, "postgrey", p.database, "--dry-run", env=env)
    check(not list((t.folder / "tmp").iterdir()), "no copy is left behind")
    equal((sums["passed"], sums["waiting"], sums["added"]), (6, 5, 0), "after it has stopped")


@test
def postgrey_interrupted(t):
    """No copy of a database stays behind. The tools are slow ones, so that there is a time to interrupt."""
    for folder in ("env", "tmp", "bin"):
        (t.folder / folder).mkdir()
    (t.folder / "env/postgrey.db").write_bytes(b"x" * 5000)
    for name in ("dump", "recover"):
        tool = t.folder / f"bin/db5.3_{name}"
        tool.write_text("#!/bin/sh\n[ \"$1\" = -h ] && exec sleep 60\nexit 0\n")
        tool.chmod(0o755)
    env = {**os.environ, "TMPDIR": str(t.folder / "tmp"), "PATH": f"{t.folder}/bin:{os.environ['PATH']}"}
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        p = subprocess.Popen([t.args.greylag, "import", "postgrey", str(t.folder / "env"), "--print"], env=env,
                             preexec_fn=lambda: signal.signal(number, signal.SIG_DFL))  # what runs behind nohup or & ignores it
        wait_for(lambda: list((t.folder / "tmp").glob("*/postgrey.db")), "the copy")
        time.sleep(0.3)
        p.send_signal(number)
        equal(p.wait(timeout=LIMIT), -number)
        equal(list((t.folder / "tmp").iterdir()), [])


@test
def sql_through_pipes(t):
    """A pipe has nothing to spare; SQLite itself needs a file."""
    path, base = t.folder / "dump.sql", t.folder / "sqlgrey.db"
    with sqlite3.connect(base) as s:
        s.execute("CREATE TABLE connect (sender_name, sender_domain, src, rcpt, first_seen)")
        s.execute("CREATE TABLE from_awl (sender_name, sender_domain, src, first_seen, last_seen)")
        s.execute("CREATE TABLE domain_awl (sender_domain, src, first_seen, last_seen)")
        s.execute("INSERT INTO connect VALUES ('a', 'b.example', '192.0.2.1', 'c@d.example', datetime('now'))")
        path.write_text("\n".join(s.iterdump()))
    first = run(t, None, "import", "sqlgrey", path, "--print")[0]
    check("waiting 192.0.2.1" in first, first)
    for source in ("-", "/dev/stdin"):
        equal(run(t, None, "import", "sqlgrey", source, "--print", stdin=path.read_bytes())[0], first)
        err = run(t, None, "import", "sqlgrey", source, "--print", stdin=base.read_bytes(), status=1)[1]
        check("comes as a file" in err, err)
    damaged = bytearray(base.read_bytes())
    damaged[100:4096] = b"\xff" * (4096 - 100)
    base.write_bytes(damaged)
    err = run(t, None, "import", "sqlgrey", base, "--print", status=1)[1]
    check("malformed" in err and "no table" not in err, err)


@test
def postgrey_without_names(t):
    """By the exact address (--lookup-by-host), and hashed (--privacy)."""
    now = int(time.time())
    p = Postgrey(t.folder, "--lookup-by-host")
    t.at_end(p.stop)
    for at in (900, 0):
        p.ask(now - at, client_address="198.51.100.20", sender="a@b.example", recipient="c@example.net")
    d = t.daemon()
    sums = imported(t, d, "postgrey", p.database)
    check(sums["passed"] == 1 and sums["trusted"] == 2, sums)
    passes(d, "198.51.100.20", "x@y.example")
    folder = t.folder / "hashed"
    folder.mkdir()
    h = Postgrey(folder, "--privacy")
    t.at_end(h.stop)
    h.ask(now, client_address="198.51.100.20", sender="a@b.example", recipient="c@example.net")
    sums = imported(t, d, "postgrey", h.database)
    equal(sums["reasons"], {"a hashed key (--privacy)": 1})


@test
def sqlgrey(t):
    s = Sqlgrey(t.folder)
    t.at_end(s.stop)

    def age(seconds):
        with sqlite3.connect(s.database, timeout=10) as db:
            db.execute("UPDATE connect SET first_seen = first_seen - ?", (seconds,))

    def asks(client, sender, **more):
        return s.ask(client_address=client, sender=sender, recipient="bob@example.net", **more)
    # By its name this is a mail server: SQLgrey takes its /24.
    server = dict(client_name="mx1.sender.example", reverse_client_name="mx1.sender.example")
    for sender in ("one@sender.example", "two@sender.example", "three@sender.example"):
        check("reylisted" in asks("198.51.100.20", sender, **server) or sender.startswith("three"), "SQLgrey greylists")
        age(600)
        check("reylisted" not in asks("198.51.100.20", sender, **server), "and lets the retry pass")
    asks("192.0.2.7", "only@home.example")
    age(600)
    asks("192.0.2.7", "only@home.example")
    asks("203.0.113.5", "fresh@waits.example")
    age(500)
    asks("203.0.113.6", "early@waits.example")
    d = t.daemon("greylist delay 5m\n")
    sums = imported(t, d, "sqlgrey", s.database)
    check(sums["waiting"] == 2 and sums["trusted"] >= 1 and sums["entries"] >= 1 and sums["left_out"] == 0, sums)
    again(t, d, "sqlgrey", s.database)
    passes(d, "192.0.2.7", "x@new.example")
    passes(d, "198.51.100.77", "x@new.example")
    passes(d, "203.0.113.5", "fresh@waits.example")
    deferred(d, "203.0.113.6", "early@waits.example")
    deferred(d, "203.0.113.99", "stranger@waits.example")
    listed = run(t, d, "lists", "allow", "client")[0]
    check("198.51.100.0/24" in listed and "sqlgrey: sender.example" in listed, listed)
    # The same as a text of statements.
    dump = subprocess.run(["sqlite3", s.database, ".dump"], capture_output=True, timeout=LIMIT, check=True).stdout
    e = t.daemon("greylist delay 5m\n")
    other = imported(t, e, "sqlgrey", "-", stdin=dump)
    equal({k: other[k] for k in ("waiting", "trusted", "entries")}, {k: sums[k] for k in ("waiting", "trusted", "entries")})
    passes(e, "198.51.100.77", "x@new.example")


@test
def greylistd(t):
    g = Greylistd(t.folder, retry_min=1)
    t.at_end(g.stop)
    known, null = "192.0.2.7 known@sender.example bob@example.net", "198.51.100.7  bob@example.net"
    for words in (known, null, "203.0.113.5 fresh@waits.example bob@example.net"):
        equal(g.ask(f"update --grey {words}"), "true")
    time.sleep(2.1)
    for words in (known, null):
        equal(g.ask(f"update --grey {words}"), "false", "greylistd lets it pass")
    g.ask("add --black 203.0.113.66")
    g.ask("add --white 192.0.2.128/25 x@y.example carol@example.net")
    g.ask("add --black 203.0.113.67 a@b.example c@example.net")
    equal(g.ask("save"), "greylistd data has been saved")
    d = t.daemon("greylist delay 2s\n")
    sums = imported(t, d, "greylistd", g.database)
    equal((sums["passed"], sums["waiting"], sums["entries"]), (3, 1, 1), str(sums))
    equal(list(sums["reasons"]), ["a triplet that is blocked: that is a rule of greylag.conf"])
    again(t, d, "greylistd", g.database)
    passes(d, "192.0.2.7", "new@nobody.example")
    passes(d, "203.0.113.5", "fresh@waits.example")
    check(ask(d, "203.0.113.66", "a@b.example").startswith(("REJECT", "5")), "blocked")
    deferred(d, "203.0.113.99", "fresh@elsewhere.example")
    equal(record(t, d, "t 198.51.100.0/24 <> bob@example.net")["passed"], 1, "greylistd's count")


# --- By hand, as documented ------------------------------------------------------------------

@test
def milter_greylist(t):
    now = int(time.time())
    f = t.folder / "greylist.db"
    f.write_text(
        "# milter-greylist database, timestamp 1\n# greylisted tuples\n"
        f"203.0.113.5\t<fresh@waits.example>\t<bob@example.net>\t{now - 60} # 2026-11-21 10:00:00\n"
        f"203.0.113.6\t<>\t<bob@example.net>\t{now + 1790}\n"
        "# auto-whitelisted tuples\n"
        f"192.0.2.7\t<\"a b\"@sender.example>\t<bob@example.net>\t{now + DAY} AUTO # 2026-11-22\n"
        f"198.51.100.0/24\t<n@net.example>\t<bob@example.net>\t{now + DAY} AUTO\n"
        f"192.0.2.8\t<old@sender.example>\t<bob@example.net>\t{now - 5} AUTO\n"
        f"192.0.2.9\t<t@sender.example>\t<bob@example.net>\t{now + 50}\t30 TARPIT\n"
        "half a line\n"
        "# Summary: 6 records, 2 greylisted, 3 whitelisted, 1 tarpitted\n")
    d = t.daemon("greylist delay 60s\n")
    sums = imported(t, d, "milter-greylist", f)
    equal((sums["passed"], sums["waiting"], sums["trusted"], sums["left_out"], sums["over"]), (3, 2, 2, 2, 2), str(sums))
    again(t, d, "milter-greylist", f)
    passes(d, "192.0.2.7", "x@new.example")
    passes(d, "198.51.100.9", "n@net.example")
    passes(d, "203.0.113.5", "fresh@waits.example")
    deferred(d, "192.0.2.8", "old@sender.example")
    _, err = run(t, d, "import", "milter-greylist", f)
    check("greylist.db:10: not a line" in err and "greylist.db:9: a tarpit's record" in err, err)


@test
def spamdb(t):
    now = int(time.time())
    text = (f"WHITE|192.0.2.7|||{now - 9 * DAY}|{now - 8 * DAY}|{now + DAY}|3|12\n"
            f"GREY|203.0.113.5|helo.example|<fresh@waits.example>|<bob@example.net>|{now - 900}|{now + 600}|{now + HOUR}|2|0\n"
            f"TRAPPED|203.0.113.66|{now + 2 * HOUR}\nTRAPPED|203.0.113.65|{now - 5}\nSPAMTRAP|<trap@example.net>\n"
            "WHITE|not an address|||1|2|3|4|5\nWHITE|16.0.0.0/4|||1|2|3|4|5\nOTHER|x\n|\nGREY|203.0.113.5|h|a|b|1|2\n\n")
    d = t.daemon("greylist delay 60s\n")
    sums = imported(t, d, "spamdb", "-", stdin=text.encode())
    equal((sums["trusted"], sums["waiting"], sums["entries"], sums["left_out"], sums["over"]), (1, 1, 3, 5, 1), str(sums))
    equal(sums["reasons"]["a network that is too wide"], 1)
    again(t, d, "spamdb", "-", stdin=text.encode())
    passes(d, "192.0.2.7", "x@new.example")
    passes(d, "203.0.113.5", "fresh@waits.example")
    check(ask(d, "203.0.113.66", "a@b.example").startswith(("REJECT", "5")), "trapped")
    listed = [json.loads(r) for r in run(t, d, "--json", "lists", "block")[0].splitlines()]
    equal([(r["value"], r["until"], r["author"], r["comment"]) for r in listed],
          [("203.0.113.66", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now + 2 * HOUR)), "spamdb", "spamdb TRAPPED")])
    deferred(d, "203.0.113.90", "a@b.example", "trap@example.net")
    deferred(d, "203.0.113.90", "c@d.example")


RELAYDELAY = """-- MySQL dump 10.19
/*!40103 SET TIME_ZONE='+00:00' */;
DROP TABLE IF EXISTS `relaytofrom`;
CREATE TABLE `relaytofrom` (
  `id` bigint(20) NOT NULL AUTO_INCREMENT,
  `relay_ip` char(16) DEFAULT NULL,
  `mail_from` varchar(255) DEFAULT NULL,
  `rcpt_to` varchar(255) DEFAULT NULL,
  `block_expires` datetime NOT NULL,
  `record_expires` datetime NOT NULL,
  `blocked_count` bigint(20) NOT NULL DEFAULT 0,
  `passed_count` bigint(20) NOT NULL DEFAULT 0,
  `aborted_count` bigint(20) NOT NULL DEFAULT 0,
  `origin_type` enum('MANUAL','AUTO') NOT NULL,
  `create_time` datetime NOT NULL,
  `last_update` timestamp NOT NULL DEFAULT current_timestamp(),
  PRIMARY KEY (`id`), KEY `relay_ip` (`relay_ip`)
) ENGINE=MyISAM;
LOCK TABLES `relaytofrom` WRITE;
INSERT INTO `relaytofrom` VALUES %s;
UNLOCK TABLES;
"""


def relaydelay_dump(zone):
    """Its DATETIMEs are local to `zone`, which has no hour twice; its TIMESTAMP is UTC, as mysqldump writes it."""
    now = int(time.time())
    os.environ["TZ"] = zone
    time.tzset()

    def local(at):
        return "'" + time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at)) + "'"

    def utc(at):
        return "'" + time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at)) + "'"
    forever, never = "'9999-12-31 23:59:59'", "'0000-00-00 00:00:00'"
    rows = [
        ("'192.0.2.7'", "'<known@o\\'sender.example>'", "'<bob@example.net>'", local(now - 9 * DAY), local(now + DAY), 1, 4, "'AUTO'", local(now - 9 * DAY), utc(now - DAY)),
        ("'203.0.113.5'", "'<fresh@waits.example>'", "'<bob@example.net>'", local(now + 3000), local(now + HOUR), 1, 0, "'AUTO'", local(now - 480), utc(now - 480)),
        ("'192.168'", "NULL", "NULL", never, forever, 0, 0, "'MANUAL'", local(now), utc(now)),
        ("'203.0.113.66'", "NULL", "NULL", forever, local(now + DAY), 0, 0, "'MANUAL'", local(now), utc(now)),
        ("NULL", "'<spammer@bad.example>'", "NULL", forever, forever, 0, 0, "'MANUAL'", local(now), utc(now)),
        ("NULL", "'<a@b.example>'", "NULL", never, forever, 0, 0, "'MANUAL'", local(now), utc(now)),
        ("NULL", "NULL", "'<postmaster@example.net>'", never, forever, 0, 0, "'MANUAL'", local(now), utc(now)),
        ("'192.0.2.1'", "NULL", "'<x@example.net>'", never, forever, 0, 0, "'MANUAL'", local(now), utc(now)),
        ("'192.0.2.8'", "'<old@b.example>'", "'<bob@example.net>'", local(now - DAY), local(now - HOUR), 1, 1, "'AUTO'", local(now - DAY), utc(now - DAY)),
    ]
    values = ",".join(f"({n},{r[0]},{r[1]},{r[2]},{r[3]},{r[4]},{r[5]},{r[6]},0,{r[7]},{r[8]},{r[9]})" for n, r in enumerate(rows, 1))
    os.environ.pop("TZ")
    time.tzset()
    return now, (RELAYDELAY % values).encode()


@test
def relaydelay(t):
    now, dump = relaydelay_dump("Asia/Kolkata")
    d = t.daemon("greylist delay 60s\n")
    zone = {"TZ": "Asia/Kolkata"}
    sums = imported(t, d, "relaydelay", "-", stdin=dump, env=zone)
    equal((sums["passed"], sums["waiting"], sums["trusted"], sums["entries"], sums["left_out"]), (1, 1, 1, 4, 3), str(sums))
    again(t, d, "relaydelay", "-", stdin=dump, env=zone)
    r = record(t, d, "t 192.0.2.0/24 known@o'sender.example bob@example.net")
    equal((r["last_seen"], r["expires"], r["blocked"], r["passed"]), (now - DAY, now + DAY, 1, 4))
    equal(record(t, d, "t 203.0.113.0/24 fresh@waits.example bob@example.net")["first_seen"], now - 480)
    passes(d, "192.0.2.7", "x@new.example")
    passes(d, "192.168.3.4", "x@new.example")
    passes(d, "203.0.113.5", "fresh@waits.example")
    passes(d, "203.0.113.50", "c@d.example", "postmaster@example.net")
    check(ask(d, "203.0.113.66", "c@d.example").startswith(("REJECT", "5")), "blocked")
    check(ask(d, "203.0.113.50", "spammer@bad.example").startswith(("REJECT", "5")), "blocked")
    deferred(d, "203.0.113.50", "a@b.example")


@test
def qmail_spp(t):
    now = int(time.time())

    def utc(at):
        return "'" + time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at)) + "'"
    dump = ("-- MariaDB dump\n/*!40103 SET TIME_ZONE='+00:00' */;\n"
            "INSERT INTO `greylisting_data` (`id`,`relay_ip`,`mail_from`,`rcpt_to`,`block_expires`,`record_expires`,"
            "`blocked_count`,`passed_count`,`aborted_count`,`create_time`,`last_update`) VALUES\n"
            f"(1,0xC0000207,'known@sender.example','bob@example.net',{utc(now)},{utc(now + DAY)},1,3,0,{utc(now - DAY)},{utc(now - HOUR)}),\n"
            f"(2,_binary '\\xcb\\0qA','x@y.example','bob@example.net',{utc(now)},{utc(now + DAY)},1,0,0,{utc(now - 500)},{utc(now - 500)}),\n"
            f"(3,X'20010DB8000000000000000000000001','v6@waits.example','bob@example.net',{utc(now)},{utc(now + DAY)},1,0,0,{utc(now - 500)},{utc(now - 500)}),\n"
            f"(4,3405803781,'old@waits.example','bob@example.net',{utc(now)},{utc(now + DAY)},1,0,0,{utc(now - 500)},{utc(now - 500)});\n"
            "INSERT INTO greylisting_lists (ipaddr, rcpt_to, block_expires, record_expires, comment) VALUES "
            f"('192.168.1.0/24',NULL,'0000-00-00 00:00:00','9999-12-31 23:59:59','our \"LAN\"'),"
            f"(NULL,'example.com',{utc(now + DAY)},{utc(now + DAY)},'');\n")
    d = t.daemon("greylist delay 60s\n")
    raw = dump.encode().replace(b"\\xcb", b"\xcb")
    sums = imported(t, d, "qmail-spp", "-", stdin=raw)
    equal((sums["passed"], sums["waiting"], sums["trusted"], sums["entries"], sums["left_out"]), (1, 3, 1, 2, 0), str(sums))
    again(t, d, "qmail-spp", "-", stdin=raw)
    passes(d, "192.0.2.7", "x@new.example")
    passes(d, "2001:db8::7", "v6@waits.example")
    passes(d, "203.0.113.5", "old@waits.example")
    passes(d, "203.0.113.65", "x@y.example")
    passes(d, "192.168.1.77", "x@new.example")
    check(ask(d, "203.0.113.90", "x@new.example", "a@example.com").startswith(("REJECT", "5")), "blocked")


@test
def folders_of_clients(t):
    """jgreylist's and qgreylist's."""
    now = int(time.time())

    def client(path, first, last):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
        os.utime(path, (now - last, now - first))
    tree, flat = t.folder / "jgreylist", t.folder / "qgreylist"
    client(tree / "192/000/002/007", 3 * DAY, HOUR)
    client(tree / "198/051/100/001", 30, 30)
    client(tree / "203/000/113", 3 * DAY, HOUR)
    client(tree / "203/000/999", 3 * DAY, HOUR)
    client(tree / "README", 3 * DAY, HOUR)
    (tree / "loop").symlink_to(tree)
    client(flat / "192.0.3.7", 3 * DAY, HOUR)
    client(flat / "198.51.101", 3 * DAY, HOUR)
    client(flat / "notes.txt", 3 * DAY, HOUR)
    d = t.daemon()
    sums = imported(t, d, "jgreylist", tree)
    equal((sums["trusted"], sums["entries"], sums["left_out"]), (1, 1, 4), str(sums))
    sums = imported(t, d, "qgreylist", flat)
    equal((sums["trusted"], sums["entries"], sums["left_out"]), (1, 1, 1), str(sums))
    again(t, d, "jgreylist", tree)
    for known in ("192.0.2.7", "203.0.113.9", "192.0.3.7", "198.51.101.20"):
        passes(d, known, "x@new.example")
    for stranger in ("192.0.2.8", "198.51.100.1", "192.0.3.8"):
        deferred(d, stranger, "x@new.example")


@test
def from_a_server(t):
    """The tables where they are: a MariaDB server whose clock has another zone."""
    server = mariadb.alone(t)
    now, dump = relaydelay_dump("UTC")
    server.query("CREATE DATABASE greylists")
    for text in (dump.decode(), (
            "CREATE TABLE connect (sender_name varchar(64) NOT NULL, sender_domain varchar(255) NOT NULL, src varchar(39) NOT NULL,"
            " rcpt varchar(255) NOT NULL, first_seen timestamp NOT NULL);"
            "CREATE TABLE from_awl (sender_name varchar(64), sender_domain varchar(255), src varchar(39), first_seen timestamp, last_seen timestamp);"
            "CREATE TABLE domain_awl (sender_domain varchar(255), src varchar(39), first_seen timestamp, last_seen timestamp);"
            f"INSERT INTO connect VALUES ('-undef-','-undef-','198.51.100','bob@example.net',FROM_UNIXTIME({now - 700}));"
            f"INSERT INTO from_awl VALUES ('a','b.example','2001:0db8:0000:0001',FROM_UNIXTIME({now - 700}),FROM_UNIXTIME({now - 70}));")):
        r = subprocess.run([mariadb.CLIENT, "--no-defaults", f"--socket={server.socket}", "--user=root", "greylists"],
                           input=text.encode(), capture_output=True, timeout=LIMIT)
        check(r.returncode == 0, r.stderr.decode())
    server.query("SET GLOBAL time_zone = '+05:00'")
    server.query("CREATE USER reader IDENTIFIED BY 'secret'; GRANT SELECT ON greylists.* TO reader")
    secret = t.folder / "secret"
    secret.write_text("secret\n")
    secret.chmod(0o600)
    source = f"mariadb:unix:{server.socket}/greylists"
    account = "--user", "reader", "--password-file", secret
    d = t.daemon("greylist delay 60s\n")
    sums = imported(t, d, "relaydelay", source, *account, env={"TZ": "UTC"})
    equal((sums["passed"], sums["waiting"], sums["trusted"], sums["entries"], sums["left_out"]), (1, 1, 1, 4, 3), str(sums))
    r = record(t, d, "t 192.0.2.0/24 known@o'sender.example bob@example.net")
    equal((r["last_seen"], r["expires"]), (now - DAY, now + DAY))
    again(t, d, "relaydelay", source, *account, env={"TZ": "UTC"})
    sums = imported(t, d, "sqlgrey", source, *account)
    equal((sums["waiting"], sums["entries"], sums["left_out"]), (1, 1, 0), str(sums))
    equal(record(t, d, "t 198.51.100.0/24 <> bob@example.net")["first_seen"], now - 700)
    passes(d, "2001:db8:0:1::77", "x@new.example")
    _, err = run(t, d, "import", "qmail-spp", source, *account, status=1)
    check("greylisting_data" in err, err)
    _, err = run(t, d, "import", "sqlgrey", source, "--user", "nobody", status=1)
    check("denied" in err.lower(), err)


@test
def from_pg_dump(t):
    now = int(time.time())
    stamp = time.strftime("%Y-%m-%d %H:%M:%S.123456", time.localtime(now - 900))
    text = ("--\n-- PostgreSQL database dump\n--\nSET statement_timeout = 0;\nCREATE TABLE public.connect (\n    sender_name "
            "character varying(64) NOT NULL\n);\nCOPY public.config (parameter, value) FROM stdin;\nversion\t3\n\\.\n\n"
            "COPY public.connect (sender_name, sender_domain, src, rcpt, first_seen) FROM stdin;\n"
            f"o\\\\'x\tb.example\t203.0.113.5\tbob@example.net\t{stamp}\nhalf\ta row\n\\.\n\n"
            "COPY public.domain_awl (sender_domain, src, first_seen, last_seen) FROM stdin;\n\\.\n"
            f"COPY public.from_awl (sender_name, sender_domain, src, first_seen, last_seen) FROM stdin;\na\tb.example\t192.0.2.7\t{stamp}\t{stamp}\n\\.\n")
    d = t.daemon("greylist delay 60s\n")
    sums = imported(t, d, "sqlgrey", "-", stdin=text.encode())
    equal((sums["waiting"], sums["trusted"], sums["left_out"]), (1, 1, 1), str(sums))
    equal(record(t, d, "t 203.0.113.0/24 o\\'x@b.example bob@example.net")["first_seen"], now - 900)
    passes(d, "192.0.2.7", "x@new.example")


# --- Export, and back -------------------------------------------------------------------------

@test
def round_trip(t):
    d = t.daemon("greylist delay 1s\n", store="rocksdb")
    for n in range(40):
        ask(d, f"192.0.{n}.1", f"s{n}@one.example")
    ask(d, "198.51.100.1", b"gr\xc3\xbc\xc3\x9fe@one.example".decode(), "\"a b\"@example.net")
    ask_once(d.socket, client_address="198.51.100.2", sender=b"latin\xe9%41@one.example", recipient="x@example.net")
    ask(d, "198.51.100.3", "=cmd@evil.example", "q\"uote@example.net")
    time.sleep(1.2)
    passes(d, "192.0.3.1", "s3@one.example")
    run(t, d, "block", "203.0.113.0/24", "--for", "30d", "--comment", "a \"comment\", really")
    run(t, d, "allow", "sender", "friend@pals.example")
    run(t, d, "enlist", "vip", "recipient", "boss@example.net", "--until", "2030-01-01")
    run(t, d, "unlist", "allow", "sender", "friend@pals.example")
    run(t, d, "learn", "spam", "-", stdin=b"Received: from h (mx.bad.example [203.0.114.9])\n\tby mx.test (Postfix) with ESMTP id 2; x\n\n")
    exported = run(t, d, "export")[0]
    rows = [json.loads(line) for line in exported.splitlines()]
    check(len(rows) > 45, str(len(rows)))
    for store in ("memory", "rocksdb"):
        e = t.daemon("greylist delay 1s\n", store=store)
        out, err = run(t, e, "import", "greylag", "-", stdin=exported.encode())
        check("left out" not in out + err and f"{len(rows)} added" in out, out + err)
        equal(run(t, e, "export")[0], exported, f"what comes back from {store}")
        wait_for(lambda: ask(e, "203.0.113.5", "a@b.example").startswith(("REJECT", "5")), "the imported list to count")
        passes(e, "192.0.3.1", "x@new.example")
        equal(run(t, e, "lists")[0], run(t, d, "lists")[0], "the lists, notes and holds")
        check("203.0.114.9" in run(t, e, "lists", "held")[0], "the hold")
        sums = imported(t, e, "greylag", "-", stdin=exported.encode())
        equal((sums["added"], sums["changed"]), (0, 0), "once more")
    table = list(csv.DictReader(io.StringIO(run(t, d, "export", "--format", "csv")[0])))
    equal(len(table), len(rows))
    evil = [r for r in table if "evil" in r["sender"]][0]
    equal((evil["sender"], evil["recipient"], evil["kind"]), ("'=cmd@evil.example", "q\"uote@example.net", "triplet"))
    entry = [r for r in table if r["list"] == "block" and r["kind"] == "note"][0]
    equal((entry["value"], entry["comment"]), ("203.0.113.0/24", "a \"comment\", really"))
    run(t, d, "export", "--format", "xml", status=64)


# --- What must not go wrong -----------------------------------------------------------------------

@test
def what_happened_here_counts(t):
    now = int(time.time())
    d = t.daemon("greylist delay 1h\n")
    spam = b"Received: from h (mx.bad.example [192.0.2.7])\n\tby mx.test (Postfix) with ESMTP id 2; x\n\n"
    run(t, d, "learn", "spam", "-", stdin=spam)
    white = f"WHITE|192.0.2.7|||{now - 9 * DAY}|{now - 8 * DAY}|{now + DAY}|3|12\n".encode()
    sums = imported(t, d, "spamdb", "-", stdin=white)
    equal((sums["held"], sums["added"]), (1, 0), str(sums))
    deferred(d, "192.0.2.7", "a@b.example")
    # A triplet that waits here since a moment has waited for longer elsewhere.
    deferred(d, "203.0.113.5", "fresh@waits.example")
    grey = f"GREY|203.0.113.5|h|<fresh@waits.example>|<bob@example.net>|{now - 2 * HOUR}|{now}|{now + HOUR}|2|0\n".encode()
    equal(imported(t, d, "spamdb", "-", stdin=grey)["changed"], 1)
    passes(d, "203.0.113.5", "fresh@waits.example")
    equal(imported(t, d, "spamdb", "-", stdin=grey)["present"], 1)


@test
def into_a_shared_store(t):
    """What is imported at one exchanger counts at the other one."""
    now = int(time.time())
    server = valkey.Server(t)
    one, two = (t.daemon("greylist delay 60s\n", store=f"valkey unix:{server.socket}") for _ in range(2))
    text = (f"WHITE|192.0.2.7|||{now - 9}|{now - 8}|{now + DAY}|3|12\nTRAPPED|203.0.113.66|{now + HOUR}\n"
            f"GREY|203.0.113.5|h|a@b.example|bob@example.net|{now - 900}|{now}|{now + HOUR}|2|0\n").encode()
    equal(imported(t, one, "spamdb", "-", stdin=text)["added"], 3)
    again(t, two, "spamdb", "-", stdin=text)
    passes(two, "192.0.2.7", "x@new.example")
    passes(two, "203.0.113.5", "a@b.example")
    wait_for(lambda: ask(two, "203.0.113.66", "a@b.example").startswith(("REJECT", "5")), "the entry at the other one")
    run(t, one, "block", "198.51.100.0/24")
    exported = run(t, one, "export")[0]
    run(t, one, "unlist", "block", "198.51.100.0/24")
    (t.folder / "other").mkdir()
    other = valkey.Server(t, t.folder / "other")
    third = t.daemon(store=f"valkey unix:{other.socket}")
    run(t, third, "import", "greylag", "-", stdin=exported.encode())
    wait_for(lambda: ask(third, "198.51.100.9", "a@b.example").startswith(("REJECT", "5")), "the list that was imported")


@test
def networks_that_do_not_fit(t):
    d = t.daemon("identity address\n")
    now = int(time.time())
    line = f"192.0.2.0/24\t<a@b.example>\t<bob@example.net>\t{now + DAY} AUTO\n".encode()
    sums = imported(t, d, "milter-greylist", "-", stdin=line)
    equal((sums["refused"], sums["left_out"], sums["reasons"]), (1, 0, {"a network that is wider than clients are told apart here": 1}))
    check("    1 refused: a network that is wider" in run(t, d, "import", "milter-greylist", "-", stdin=line)[0], "in words")
    wide = f"10.0.0.0/8\t<a@b.example>\t<bob@example.net>\t{now + DAY} AUTO\n".encode()
    equal(imported(t, t.daemon(), "milter-greylist", "-", stdin=wide)["refused"], 1)


@test
def broken_sources(t):
    d = t.daemon()
    folder = t.folder / "empty"
    folder.mkdir()
    (folder / "postgrey.db").write_bytes(b"\0\5\0\0garbage" * 500)
    cases = [
        (("postgrey", folder), "postgrey.db"), (("postgrey", t.folder / "none"), "no folder"),
        (("postgrey", t.folder / "d0"), "there is no postgrey.db"), (("greylistd", folder), "states"),
        (("spamdb", t.folder / "none"), "cannot be opened"), (("jgreylist", t.folder / "none"), "No such file"),
        (("sqlgrey", "mariadb:127.0.0.1:1/none"), "connect"), (("sqlgrey", "mariadb:nonsense"), "database"),
        (("sqlgrey", "postgresql://x"), "pg_dump"), (("relaydelay", "-"), "there is no table relaytofrom"),
    ]
    for words, text in cases:
        _, err = run(t, d, "import", *words, status=1, stdin=b"")
        check(text in err, f"{words}: {err}")
    run(t, d, "import", "nonsense", "x", status=64)
    run(t, d, "import", "spamdb", status=64)
    run(t, d, "import", "spamdb", "-", "--delay", "soon", status=64)
    odd = [b"", b"\0" * 5000, b"\xff\xfe|" * 5000, b"WHITE|" * 3000, b"x" * 1000000, b"GREY|192.0.2.1|h|\xff@b|c@d|1|2|3|4|5\n",
           b"INSERT INTO connect VALUES (" * 100, b"INSERT INTO connect (src) VALUES ('" + b"x" * 100000, b"COPY connect (src) FROM stdin;\n1\t2\n",
           b"CREATE TABLE connect (a, b); INSERT INTO connect VALUES (1,2,3),(1),();", b"/* never ends", b"'"]
    for text in odd:
        for name in ("milter-greylist", "spamdb", "greylag", "sqlgrey", "relaydelay", "qmail-spp"):
            r = subprocess.run([t.args.greylag, "--socket", str(d.control), "import", name, "-"], input=text, capture_output=True, timeout=60)
            check(r.returncode in (0, 1), f"{name} {text[:40]}: {r.returncode} {r.stderr[-300:]}")
            check(b"Sanitizer" not in r.stderr, r.stderr.decode(errors="replace"))
    # A database that is cut short.
    db = t.folder / "half.db"
    with sqlite3.connect(db) as c:
        c.execute("CREATE TABLE connect (sender_name, sender_domain, src, rcpt, first_seen)")
        for table in ("from_awl", "domain_awl"):
            c.execute(f"CREATE TABLE {table} (sender_name, sender_domain, src, first_seen, last_seen)")
        c.executemany("INSERT INTO connect VALUES (?,?,?,?,?)", [("a" * 40, "b.example", "192.0.2.1", "c@d", 1)] * 2000)
    db.write_bytes(db.read_bytes()[:40000])
    _, err = run(t, d, "import", "sqlgrey", db, status=1)
    check("half.db" in err, err)
    # The daemon takes nothing that is wrong.
    for rows in ([{"what": "trusted", "client": "x"}], [5], [{"what": "record", "key": "l !", "expires": 2000000000}],
                 [{"what": "record", "key": "t a\nb c d", "expires": 2000000000}], [{"what": "passed", "client": "192.0.2.1", "sender": 5}]):
        answer = control(d, {"cmd": "import", "rows": rows})
        equal(answer[-2]["refused"], 1, f"{rows}: {answer}")
    check("error" in control(d, {"cmd": "import"})[0] and "error" in control(d, {"cmd": "import", "rows": [{}] * 501})[0], "no rows, too many")
    check(d.alive(), "greylagd lives")


def control(d, request):
    import socket
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(LIMIT)
        s.connect(str(d.control))
        s.sendall(json.dumps(request).encode() + b"\n")
        text = b""
        while b'"end"' not in text and b'"error"' not in text:
            text += s.recv(65536)
    return [json.loads(line) for line in text.splitlines()]


@test
def dry_run_and_print(t):
    now = int(time.time())
    text = (f"WHITE|192.0.2.7|||{now - 9}|{now - 8}|{now + DAY}|3|12\nSPAMTRAP|trap@example.net\n"
            f"GREY|203.0.113.5|h|<>|<bob@example.net>|{now - 900}|{now}|{now + HOUR}|2|0\nnonsense\n").encode()
    out, err = run(t, None, "import", "spamdb", "-", "--print", stdin=text)
    equal(out.splitlines(), ["trusted 192.0.2.7/32", "trap recipient trap@example.net", "waiting 203.0.113.5/32 <> bob@example.net"])
    check(err == "-:4: not a line of spamdb: left out\n", err)
    out, _ = run(t, None, "import", "spamdb", "-", "--dry-run", stdin=text)
    equal(out, "1 that wait, 1 trusted clients, 1 entries of lists, 1 left out; nothing was sent\n    1 left out: not a line of spamdb\n")
    run(t, None, "--socket", t.folder / "none", "import", "spamdb", "-", status=69, stdin=text)


@test
def many(t):
    """More than fits into a few batches, in little time."""
    now = int(time.time())
    lines = [f"GREY|198.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}|h|<s@d{n}.example>|<bob@example.net>|{now - 900}|{now}|{now + HOUR}|1|0\n"
             for n in range(20000)]
    lines += [f"TRAPPED|10.{n >> 8}.{n & 255}.1|{now + DAY + n % 7}\n" for n in range(3000)]
    d = t.daemon("greylist delay 60s\n", store="rocksdb")
    started = time.monotonic()
    sums = imported(t, d, "spamdb", "-", stdin="".join(lines).encode())
    equal((sums["added"], sums["failed"]), (23000, 0), str(sums))
    check(time.monotonic() - started < 100, "fast enough")


if __name__ == "__main__":
    test.main()
