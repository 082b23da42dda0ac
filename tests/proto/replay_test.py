#!/usr/bin/env python3
"""The journal of requests and greylag replay: what a real greylagd recorded, judged again
by the same configuration and by others."""
import ctypes
import gzip
import json
import os
import pathlib
import resource
import signal
import stat
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
from harness import Asker, Skip, Tests, ask_once, check, equal, wait_for  # noqa: E402

test = Tests(__doc__)


def rows(path):
    return [json.loads(line) for line in pathlib.Path(path).read_text().splitlines() if line]


def recorded(c, daemon, but=0):
    """The journal once all is written, or all but so many requests."""
    wait_for(lambda: json.loads(c.greylag(daemon, "--json", "status"))["journal"]["waiting"] <= but, "the journal to be written")
    return daemon.folder / "journal"


def replay(c, *arguments, status=0):
    p = subprocess.run([c.args.greylag, "replay", *map(str, arguments)], capture_output=True, text=True, timeout=120,
                       errors="replace")
    equal(p.returncode, status, f"exit status of replay {arguments} ({p.stdout[-300:]}{p.stderr[-600:]})")
    return p


def totals(c, *arguments):
    lines = replay(c, "--json", *arguments).stdout.splitlines()
    return json.loads(lines[-1]), [json.loads(line) for line in lines[:-1]]


def changes(t):
    return {word: t[word]["all"] for word in ("later", "sooner", "refused", "accepted")}


NOTHING = {"later": 0, "sooner": 0, "refused": 0, "accepted": 0}


def config_file(daemon, name, old, new):
    path = daemon.folder / name
    text = daemon.config_file.read_text()
    check(old in text, f"{old} in the configuration")
    path.write_text(text.replace(old, new))
    return path


RULES = """greylist delay 2s
penalty hasty 0 hammering 0 hopping 3 hopping-span 1s unwelcome 2 unretried 20
allow recipient postmaster@
block helo bad.example
trap recipient trap@example.net
defer client-name dynamic delay 3s
"""


class Mail:
    """Servers of their own networks, each with one sender and one recipient."""

    def __init__(self, daemon):
        self.asker = Asker(daemon.socket)
        self.count = 0

    def send(self, i, **more):
        self.count += 1
        attributes = dict(client_address=f"10.{i // 250}.{i % 250}.9", helo_name=f"mx{i}.example", instance=f"i{self.count}",
                          sender=f"someone{i}@sender{i}.example", recipient=f"user{i}@example.net")
        return self.asker.ask(**{**attributes, **more})


def deferred(reply):
    return reply.startswith("DEFER")


GOOD, SPAM = range(0, 30), range(100, 140)


def traffic(daemon):
    m, began = Mail(daemon), time.monotonic()
    for i in GOOD:
        check(deferred(m.send(i)), "a first attempt")
    for i in SPAM:
        check(deferred(m.send(i)), "a first attempt of spam")
        if i % 4 == 0:
            m.send(i, sender=f"other{i}@sender{i}.example")
    for i in (200, 201):
        check(not deferred(m.send(i, recipient="postmaster@example.net")), "an allow rule")
    for _ in range(4):
        check(m.send(210, helo_name="bad.example").startswith("REJECT"), "a block rule")
    check(deferred(m.send(210)), "unwelcome")
    check(deferred(m.send(211, recipient="trap@example.net")), "a trap")
    # One of ours writes, and is answered; a bounce is judged at DATA.
    m.send(212, sender="user@example.net", recipient="friend@far.example", sasl_username="user")
    check(not deferred(m.send(213, sender="friend@far.example", recipient="user@example.net")), "an answer")
    m.send(214, sender="", instance="bounce")
    m.send(214, sender="", instance="bounce", protocol_state="DATA")
    # One mail to two, hostile bytes, and no usable client.
    m.send(215, instance="two")
    m.send(215, instance="two", recipient="another@example.net")
    m.send(216, helo_name=b"\xff\x01\"\\", sender=b"\xc3\xa9\x80 x@sender216.example")
    m.send(217, client_address="nonsense")
    time.sleep(5.2)
    for i in GOOD:
        check(not deferred(m.send(i)), "a good retry")
    check(deferred(m.send(211)), "held for the trap")
    # Longer than any of them waited: with twice the wait they would be in by then, too.
    time.sleep(time.monotonic() - began + 1.3)
    for i in GOOD:
        check(not deferred(m.send(i, sender=f"colleague@sender{i}.example")), "a server that proved itself")
    return m.count


@test
def same_and_double_delay(c):
    d = c.daemon(start=False)
    d.configure(f"journal {d.folder}/journal\n{RULES}")
    d.start()
    asked = traffic(d)
    path = recorded(c, d)
    lines = rows(path)
    equal(len(lines), asked, "recorded requests")
    equal(stat.S_IMODE(path.stat().st_mode), 0o600, "mode of the journal")
    equal({r["reason"] for r in lines} >= {"new", "retried", "allowed", "allow-rule", "block-rule", "trap", "trapped", "unwelcome",
          "authenticated", "correspondent", "null-sender", "malformed"}, True, "reasons in the journal")

    same, _ = totals(c, "--config", d.config_file, path)
    equal(changes(same), NOTHING, "the same configuration")
    equal((same["requests"], same["made_up"], same["spam_more"], same["bad_lines"]), (asked, 0, 0, 0), "the same configuration")
    both, _ = totals(c, "--config", d.config_file, "--against", d.config_file, path)
    equal(changes(both), NOTHING, "a configuration against itself")

    first, retry = {}, {}
    for r in lines:
        if str(r.get("sender", "")).startswith("someone") and r["helo"] != "bad.example":
            first.setdefault(r["sender"], r["time"])
            if r["reason"] == "retried":
                retry[r["sender"]] = r["time"]
    # Seconds are whole, so how long they waited differs by chance: a delay that none of these retries is late enough for.
    gaps = [retry[sender] - first[sender] for sender in retry]
    check(max(gaps) + 1 <= 2 * min(gaps), f"the machine stood still: {gaps}")
    double = config_file(d, "double.conf", "greylist delay 2s", f"greylist delay {max(gaps) + 1}s")
    t, listed = totals(c, "--list", "--config", double, path)
    equal(changes(t), {**NOTHING, "later": len(GOOD)}, "more delay")
    equal({r["sender"] for r in listed}, set(retry), "who is later")
    for r in listed:
        gap = retry[r["sender"]] - first[r["sender"]]
        equal((r["change"], r["by_s"], r["before"]["after_s"], r["now"]["after_s"], r["guess"]),
              ("later", gap, gap, 2 * gap, "legitimate"), r["sender"])
    text = replay(c, "--config", double, path).stdout
    check(text.startswith(f"{len(GOOD)} messages later"), text)
    text = replay(c, "--list", "--config", double, path).stdout
    check("let in after" in text and "user3@example.net" in text, text[:300])

    # Without a delay at all everything that was only deferred is let in at once.
    none = config_file(d, "none.conf", "greylist delay 2s", "greylist delay 0s")
    t, _ = totals(c, "--config", none, "--against", double, path)
    equal(t["later"]["all"], 0, "no delay")
    check(t["sooner"]["all"] == len(GOOD), f"no delay: {t}")
    # The block rule gone: its four attempts are one message, let in at a retry or at all.
    open_ = config_file(d, "open.conf", "block helo bad.example\n", "")
    t, listed = totals(c, "--list", "--config", open_, path)
    equal([r["client"] for r in listed if r["change"] in ("later", "sooner", "refused")], [], "without the block rule")
    t, listed = totals(c, "--list", "--config", config_file(d, "all.conf", "block helo bad.example\n", "allow client 10.0.0.0/8\n"), path)
    check(t["accepted"]["spam"] >= 1 and t["spam_fewer"] >= 5, f"all allowed: {t}")


@test
def records_of_before(c):
    """A journal that begins when the store knows much already."""
    d = c.daemon("greylist delay 2s")
    for i in range(20):
        ask_once(d.socket, client_address=f"10.1.{i}.9")
    time.sleep(2.2)
    for i in range(20):
        check(not deferred(ask_once(d.socket, client_address=f"10.1.{i}.9")), "a good retry")
    d.configure(f"greylist delay 2s\njournal {d.folder}/journal")
    d.send_signal(signal.SIGHUP)
    wait_for((d.folder / "journal").exists, "the journal")
    for i in range(20):
        check(not deferred(ask_once(d.socket, client_address=f"10.1.{i}.9", sender="colleague@example.org")), "a known server")
    t, _ = totals(c, "--config", d.config_file, recorded(c, d))
    equal((changes(t), t["requests"]), (NOTHING, 20), "known servers")
    # What was found then does not make up for another rule.
    strict = config_file(d, "strict.conf", "greylist delay", "block recipient bob@example.net\ngreylist delay")
    t, _ = totals(c, "--config", strict, d.folder / "journal")
    equal(t["refused"]["legitimate"], 20, "refused now")


@test
def rotation_and_hangup(c):
    d = c.daemon(start=False)
    d.configure(f"journal {d.folder}/journal\njournal size 1M keep 2")
    d.start()
    long = "x" * 900
    with Asker(d.socket) as a:
        for i in range(4500):
            a.ask(client_address=f"10.2.{i % 250}.{i // 250}", sender=f"{long}{i}@example.org")
            if i % 500 == 499:      # no more than memory holds, should the disk be slow
                recorded(c, d, but=100)
    journal = recorded(c, d)
    files = sorted(p.name for p in d.folder.glob("journal*"))
    equal(files, ["journal", "journal.1", "journal.2"], "files")
    for name in files:
        check((d.folder / name).stat().st_size <= 1 << 20, f"{name} is over its size")
        rows(d.folder / name)
    equal(rows(journal)[-1]["sender"].endswith("4499@example.org"), True, "the newest request")
    # Somebody else rotates, and says so.
    journal.rename(d.folder / "moved")
    d.send_signal(signal.SIGHUP)
    wait_for(journal.exists, "the file anew")
    ask_once(d.socket, sender="after@example.org")
    recorded(c, d)
    equal([r["sender"] for r in rows(journal)], ["after@example.org"], "after the rotation")
    # Compressed ones are read too, and order among files does not matter.
    packed = d.folder / "journal.2.gz"
    packed.write_bytes(gzip.compress((d.folder / "journal.2").read_bytes()))
    kept = [journal, packed, d.folder / "journal.1", d.folder / "moved"]
    t, _ = totals(c, "--config", d.config_file, *kept)
    equal(t["requests"], sum(len(rows(p)) for p in kept if p != packed) + len(rows(d.folder / "journal.2")), "all files")
    # A reload to a file that cannot be: all goes on.
    d.configure(f"journal {d.folder}/nowhere/journal")
    d.send_signal(signal.SIGHUP)
    wait_for(lambda: "it stays as it was" in d.logged(), "the complaint")
    ask_once(d.socket, sender="still@example.org")
    recorded(c, d)
    equal(rows(journal)[-1]["sender"], "still@example.org", "still recorded")
    # Switched off: what was on its way is written, no more.
    ask_once(d.socket, sender="last@example.org")
    d.configure("")
    d.send_signal(signal.SIGHUP)
    wait_for(lambda: d.logged().count("configuration reloaded") >= 3, "the reload")
    ask_once(d.socket, sender="off@example.org")
    wait_for(lambda: "last@example.org" in journal.read_text(), "what was on its way")
    time.sleep(1.3)
    equal(rows(journal)[-1]["sender"], "last@example.org", "no longer recorded")
    # Switched on again, and off just before the end.
    d.configure(f"journal {d.folder}/journal")
    d.send_signal(signal.SIGHUP)
    wait_for(lambda: d.logged().count("configuration reloaded") >= 4, "the reload")
    ask_once(d.socket, sender="on@example.org")
    d.configure("")
    c.greylag(d, "reload")
    equal(d.stop(), 0, "exit status")
    equal(rows(journal)[-1]["sender"], "on@example.org", "recorded again")


@test
def hanging_disk(c):
    """A reload without the journal does not wait for its thread, which is held as a disk would."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    d = c.daemon(f"journal {c.folder}/journal")
    c.greylag(d, "version")     # when it answers, all its threads are there
    threads = [int(n) for n in os.listdir(f"/proc/{d.process.pid}/task") if int(n) != d.process.pid]
    for thread in threads:
        if libc.ptrace(16, thread, None, None) != 0:  # PTRACE_ATTACH
            raise Skip("may not hold a thread of another process")
        os.waitpid(thread, os.WUNTRACED | 0x40000000)  # __WALL
    ask_once(d.socket, sender="held@example.org")
    d.configure("")
    begin = time.monotonic()
    c.greylag(d, "reload")
    check(time.monotonic() - begin < 2, "the reload waits for the disk")
    for thread in threads:
        equal(libc.ptrace(17, thread, None, None), 0, "PTRACE_DETACH")
    equal(d.stop(), 0, "exit status")
    equal([r["sender"] for r in rows(c.folder / "journal")], ["held@example.org"], "what was on its way")


@test
def full_disk(c):
    """A file size limit stands in for the disk: verdicts go on, whole lines stay, the rest is counted."""
    d = c.daemon(start=False)
    d.configure(f"journal {d.folder}/journal\nlog level warning")
    limit = 200_000
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard[1]))
    try:
        d.start()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, hard)
    slowest = 0
    with Asker(d.socket) as a:
        for i in range(3000):
            began = time.monotonic()
            a.ask(client_address=f"10.3.{i % 250}.{i // 250}")
            slowest = max(slowest, time.monotonic() - began)
    journal = recorded(c, d)
    check(journal.stat().st_size <= limit, "the limit holds")
    lines = rows(journal)
    status = json.loads(c.greylag(d, "--json", "status"))["journal"]
    equal(status["recorded"], len(lines), "recorded")
    equal(status["recorded"] + status["dropped"], 3000, "all are accounted for")
    check(status["dropped"] > 0, f"{status}")
    wait_for(lambda: "not recorded" in d.logged(), "the complaint")
    check(slowest < 5, f"a verdict took {slowest:.1f} s")
    equal(d.stop(), 0, "exit status")


@test
def privacy(c):
    d = c.daemon(start=False)

    def record(mode, name):
        d.configure(f"journal {d.folder}/{name}\njournal privacy {mode}\ngreylist delay 2s")
        if d.process is None:
            d.start()
        else:
            d.send_signal(signal.SIGHUP)
            wait_for(lambda: (d.folder / name).exists(), name)
        for sender, client in (("anna.secret", 1), ("otto.secret", 2), ("anna.secret", 1)):
            ask_once(d.socket, client_address=f"10.4.{client}.1", sender=f"{sender}@example.org", recipient="hidden+tag@example.net",
                     sasl_username="")
        time.sleep(2.2)
        check(not deferred(ask_once(d.socket, client_address="10.4.1.1", sender="Anna.Secret@example.org",
                                    recipient="hidden+tag@example.net")), "the retry")
        ask_once(d.socket, sasl_username="loginname", sender="ours@example.net", recipient="far@example.com")
        recorded(c, d)
        text = (d.folder / name).read_text()
        return text, rows(d.folder / name)

    text, lines = record("local-parts", "half")
    for word in ("secret", "hidden", "loginname", "ours@", "far@"):
        check(word not in text.lower(), f"{word} in the journal")
    check(all(r["sender"].endswith(("@example.org", "@example.net")) for r in lines), "domains stay")
    equal(len({r["sender"] for r in lines[:4]}), 2, "equal ones stay equal, whatever their spelling")
    key = d.folder / "half.key"
    equal((stat.S_IMODE(key.stat().st_mode), key.stat().st_size), (0o600, 32), "the key")
    t, _ = totals(c, "--config", d.config_file, d.folder / "half")
    equal(changes(t), NOTHING, "replay of hashed names")

    c.greylag(d, "forget", "client", "*", "--all")
    text, lines = record("client", "most")
    for word in ("secret", "hidden", "loginname", "example.org", "example.net", "example.com"):
        check(word not in text.replace("mx.example.org", ""), f"{word} in the journal")
    check(lines[0]["client"] == "10.4.1.1", "the client stays")
    t, _ = totals(c, "--config", d.config_file, d.folder / "most")
    equal(changes(t), NOTHING, "replay of hashed addresses")


@test
def torn_and_broken(c):
    d = c.daemon(start=False)
    d.configure(f"journal {d.folder}/journal")
    d.start()
    for i in range(30):
        ask_once(d.socket, client_address=f"10.5.{i}.1")
    journal = recorded(c, d)
    d.stop(signal.SIGKILL)
    whole = journal.read_bytes()
    # As a crash leaves it: the last line is cut short.
    journal.write_bytes(whole[:-40])
    d.process = None
    d.start()
    ask_once(d.socket, sender="later@example.org")
    recorded(c, d)
    text = journal.read_text().splitlines()
    equal(len(text), 31, "lines")
    equal(json.loads(text[-1])["sender"], "later@example.org", "the line after the torn one")
    p = replay(c, "--config", d.config_file, journal)
    check(f"{journal}:30: cut short" in p.stderr and "1 line could not be read" in p.stdout, p.stderr + p.stdout)
    broken = d.folder / "broken"
    broken.write_bytes(b'\x00\xff\n{"v":1}\n{"v":2,"time":1}\n{"v":1,"time":-5,"client":"x"}\n[]\nhello\n{' + b"x" * 40000 + b"\n" +
                       b'{"v":1,"time":1,"verdict":"maybe","client":"x"}\n{"v":1,"time":99999999999999999999}\n' + whole)
    t, _ = totals(c, "--config", d.config_file, broken)
    equal((t["requests"], t["bad_lines"]), (30, 9), "a broken file")
    replay(c, "--config", d.config_file, d.folder / "nothing", status=1)
    replay(c, "--config", d.folder / "nothing", journal, status=1)
    empty = d.folder / "empty"
    empty.write_text("")
    t, _ = totals(c, "--config", d.config_file, empty)
    equal((t["requests"], changes(t)), (0, NOTHING), "an empty file")


def postfix_log(start):
    """A day of a Postfix with a greylisting of its own, as its log has it."""
    out = []

    def line(at, program, text):
        out.append((at, time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(start + at)) + f" mx postfix/{program}[99]: {text}"))

    for i in range(6):
        client, reject = f"mx{i}.example.org[192.0.{i}.5]", "450 4.2.0 <u@example.net>: Recipient address rejected: Greylisted"
        mail = f"from=<s{i}@example.org> to=<u@example.net> proto=ESMTP helo=<mx{i}.example.org>"
        line(i, "smtpd", f"NOQUEUE: reject: RCPT from {client}: {reject}; {mail}")
        if i < 4:
            line(400 + i, "smtpd", f"A{i}B: client={client}")
            line(400 + i, "qmgr", f"A{i}B: from=<s{i}@example.org>, size=400, nrcpt=1 (queue active)")
            line(401 + i, "local", f"A{i}B: to=<box@mx.example.net>, orig_to=<u@example.net>, relay=local, delay=1, status=sent (ok)")
    line(700, "smtpd", "NOQUEUE: reject: RCPT from x.example[192.0.99.1]: 554 5.7.1 no; from=<a@b.example> to=<u@example.net>")
    return "".join(text + "\n" for _, text in sorted(out, key=lambda row: row[0]))


@test
def mail_logs(c):
    folder = c.folder
    conf = folder / "conf"
    log = folder / "mail.log"
    log.write_text(postfix_log(1795000000))
    conf.write_text("greylist delay 60s\nidentity network\n")
    t, _ = totals(c, "--config", conf, log)
    equal((t["requests"], t["logged"], changes(t)), (10, 10, NOTHING), "a minute instead of whatever it was")
    conf.write_text("greylist delay 10m\nidentity network\n")
    t, listed = totals(c, "--list", "--config", conf, log)
    equal(changes(t), {**NOTHING, "later": 4}, "ten minutes")
    equal({(r["sender"], r["recipient"], r["client"]) for r in listed},
          {(f"s{i}@example.org", "u@example.net", f"192.0.{i}.5") for i in range(4)}, "who")
    # greylagd's own lines, as syslog and as its own file have them.
    d = c.daemon("greylist delay 2s")
    for i in range(5):
        ask_once(d.socket, client_address=f"10.6.{i}.1", helo_name="a b")
    time.sleep(2.2)
    for i in range(5):
        ask_once(d.socket, client_address=f"10.6.{i}.1")
    d.stop()
    t, _ = totals(c, "--config", d.config_file, d.log)
    equal((t["logged"], changes(t)), (10, NOTHING), "greylagd's log")
    t, _ = totals(c, "--config", config_file(d, "slow.conf", "delay 2s", "delay 1h"), d.log)
    equal(changes(t), {**NOTHING, "later": 5}, "an hour")
    postgrey = folder / "postgrey.log"
    head = "Nov  1 10:0%d:00 mx postgrey[7]: action=%s, client_name=mx.example.org, client_address=192.0.2.7, " \
           "sender=a@example.org, recipient=b@example.net\n"
    postgrey.write_text(head % (0, "greylist, reason=new") + head % (6, "pass, reason=triplet found, delay=360"))
    conf.write_text("greylist delay 60s\n")
    t, _ = totals(c, "--config", conf, postgrey)
    equal((t["logged"], t["messages"], changes(t)), (2, 1, NOTHING), "postgrey's log")


# As Exim 4.96 writes them (deliveries after its specification), and Sendmail 8.17.
EXIM = """2026-11-21 14:48:15 H=(mx.example.org) [192.0.2.1] F=<alice@example.org> temporarily rejected RCPT <bob@example.net>: 451 4.7.1 Greylisted, please try again in 2 seconds
2026-11-21 14:48:16 H=mx.other.example (helo) [192.0.9.1] F=<> temporarily rejected RCPT <bob@example.net>: no room
2026-11-21 14:48:18 1xUmO2-00061A-04 <= alice@example.org H=(mx.example.org) [192.0.2.1] P=esmtp S=306
2026-11-21 14:48:18 1xUmO2-00061A-04 => box <bob@example.net> R=local_user T=mail_spool
2026-11-21 14:48:18 1xUmO2-00061A-04 Completed
2026-11-21 14:48:19 1xUmO3-00061A-05 <= ours@example.net H=(laptop) [192.0.2.200] P=esmtpsa A=plain:ours S=306
2026-11-21 14:48:19 1xUmO3-00061A-05 => far@example.com R=dnslookup T=remote_smtp
"""
SENDMAIL = """Nov 21 14:48:15 mx sm-mta[12]: 6ALA: Milter: to=<bob@example.net>, reject=451 4.7.1 Greylisted, please try again in 2 seconds
Nov 21 14:48:15 mx sm-mta[12]: 6ALA: from=<alice@example.org>, size=0, class=0, nrcpts=0, proto=ESMTP, daemon=MTA, relay=mx.example.org [192.0.2.1]
Nov 21 14:48:18 mx sm-mta[13]: 6ALB: from=<alice@example.org>, size=300, class=0, nrcpts=1, msgid=<1@x>, proto=ESMTP, daemon=MTA, relay=mx.example.org [192.0.2.1]
Nov 21 14:48:18 mx sm-mta[14]: 6ALB: to=<bob@example.net>, delay=00:00:00, mailer=local, pri=30300, dsn=2.0.0, stat=Sent
"""


@test
def exim_and_sendmail_logs(c):
    for name, text in (("exim", EXIM), ("sendmail", SENDMAIL)):
        log, conf = c.folder / name, c.folder / "conf"
        log.write_text(text)
        conf.write_text("greylist delay 2s\n")
        t, _ = totals(c, "--config", conf, log)
        equal((t["requests"], t["messages"], t["bad_lines"], changes(t)), (2, 1, 0, NOTHING), name)
        conf.write_text("greylist delay 4s\n")
        t, listed = totals(c, "--list", "--config", conf, log)
        equal(changes(t), {**NOTHING, "later": 1}, name)
        equal([(r["client"], r["sender"], r["recipient"], r["by_s"]) for r in listed],
              [("192.0.2.1", "alice@example.org", "bob@example.net", 3)], name)


if __name__ == "__main__":
    test.main()
