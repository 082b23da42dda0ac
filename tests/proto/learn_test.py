#!/usr/bin/env python3
"""greylag learn against a real greylagd: from mails, mailboxes and mail logs."""
import gzip
import json
import os
import pathlib
import pty
import random
import re
import resource
import select
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from harness import LIMIT, Tests, ask_once, check, equal, wait_for
from learning import deferred, first_mail, learn, passes

test = Tests(__doc__)

HOP = "Received: from helo.example (mx.sender.example [192.0.2.77])\n\tby mx.test (Postfix) with ESMTP id 2; x\n"
LOCAL = "Received: from localhost (localhost [127.0.0.1])\n\tby mx.test (Postfix) with ESMTP id 3; x\n"
INNER = "Received: from filter.test (filter.test [198.51.100.4])\n\tby mx.test (Postfix) with ESMTP id 4; x\n"
FORGED = "Received: from a.example (victim.example [203.0.113.9])\n\tby mx.test (Postfix) with ESMTP id 1; x\n"
MAIL = LOCAL + HOP + FORGED + "Subject: x\n\nReceived: from b (c.example [203.0.113.8]) by d (Postfix)\n"


def learned(d):
    return sorted(re.findall(r"reason=(?:learned|distrusted) client=(\S+)", d.logged()))


def when(seconds_ago=0):
    return time.strftime("%b %e %H:%M:%S", time.localtime(time.time() - seconds_ago))


# --- From mail --------------------------------------------------------------------------

@test
def ham_and_spam(t):
    d = t.daemon()
    mail = t.folder / "mail"
    mail.write_text(MAIL)
    deferred(d, "192.0.2.77")
    equal(learn(t, "ham", mail, daemon=d)[0], "1 message, 1 relay, 0 from here, 0 without an address\n")
    wait_for(lambda: learned(d) == ["192.0.2.77"], "the report in the log")
    passes(d, "192.0.2.77")
    passes(d, "203.0.113.200", "mx9.sender.example")  # the name is confirmed: its organisation is known
    deferred(d, "203.0.113.9")
    learn(t, "spam", mail, daemon=d)
    check(first_mail(d, "192.0.2.77").startswith("DEFER"), "held")
    learn(t, "ham", mail, daemon=d)
    passes(d, "192.0.2.77")


@test
def mailboxes(t):
    def mail(n, text=HOP):
        return text.replace("192.0.2.77", f"192.0.2.{n}").replace("mx.sender", f"mx.s{n}") + f"Subject: {n}\n\nbody\n"
    box, maildir, folder = t.folder / "box", t.folder / "md", t.folder / "folder"
    box.write_text("".join(f"From a@b Sat Nov 21 10:00:00 2026\n{mail(n)}>From x\n\n" for n in (1, 2, 3)))
    packed = t.folder / "box.gz"
    packed.write_bytes(gzip.compress(box.read_bytes()))
    for part in ("cur", "new", "tmp"):
        (maildir / part).mkdir(parents=True)
    for part, n in (("cur", 4), ("new", 5), ("tmp", 6)):
        (maildir / part / f"{n}:2,S").write_text(mail(n))
    folder.mkdir()
    for n in (7, 8):
        (folder / str(n)).write_bytes(mail(n).replace("\n", "\r\n").encode())
    (folder / ".hidden").write_text(mail(9))

    def printed(*words, **more):
        return sorted(learn(t, "ham", "--print", *words, **more)[0].splitlines())

    def wanted(*numbers):
        return [f"192.0.2.{n} mx.s{n}.example" for n in numbers]
    equal(printed(box), wanted(1, 2, 3))
    equal(printed(packed), wanted(1, 2, 3))
    equal(printed(maildir), wanted(4, 5))
    equal(printed(folder), wanted(7, 8))
    equal(printed("-", stdin=mail(9).encode()), wanted(9))
    equal(printed("-", stdin=packed.read_bytes()), wanted(1, 2, 3))
    equal(printed(box, maildir, folder), wanted(1, 2, 3, 4, 5, 7, 8))
    d = t.daemon()
    out, _ = learn(t, "ham", box, maildir, box, daemon=d)
    equal(out, "8 messages, 5 relays, 0 from here, 0 without an address\n")
    wait_for(lambda: len(learned(d)) == 5, "the reports in the log")
    row = json.loads(learn(t, "spam", "--print", "--json", box, daemon=d)[0].splitlines()[0])
    equal(row, {"what": "spam", "client": "192.0.2.1", "name": "mx.s1.example"})


@test
def trusted_relays(t):
    mail = t.folder / "mail"
    mail.write_text(LOCAL + INNER + HOP + FORGED + "\n")

    def printed(*words, **more):
        return learn(t, "spam", "--print", mail, *words, **more)[0].split(" ")[0]
    equal(printed(), "198.51.100.4")
    equal(printed("--trusted", "10.0.0.0/8, 198.51.100.0/24"), "192.0.2.77")
    equal(printed("--trusted=198.51.100.4,192.0.2.77"), "203.0.113.9")
    d = t.daemon('learn trusted "10.0.0.0/8 198.51.100.0/24"\n')
    equal(printed(daemon=d), "192.0.2.77")
    equal(printed("--trusted", "192.0.2.0/24", daemon=d), "203.0.113.9")
    check("198.51.100.0/24" in t.greylag(d, "config"), "the setting is shown")
    out, _ = learn(t, "spam", mail, "--trusted", "0.0.0.0/0", daemon=d)
    equal(out, "1 message, 0 relays, 1 from here, 0 without an address\n")
    learn(t, "spam", mail, "--trusted", "nonsense", daemon=d, status=64)
    learn(t, "spam", mail, "--trusted", ",".join(f"10.0.{n % 256}.{n // 256}" for n in range(300)), status=64)
    d.configure('learn trusted "10.0.0.0/8 nonsense"\n')
    r = subprocess.run([str(d.binary), "-t", "-c", str(d.config_file)], capture_output=True, text=True)
    check(r.returncode == 78 and "prefixes" in r.stderr, r.stderr)


@test
def odd_mail(t):
    d = t.daemon()
    odd = [b"", b"\n", b"\0" * 5000, b"\xff\xfe" * 5000, b"Received:", b"Received: from", b"From ", b"From \n\n\nFrom \n",
           b"Received: from x ([192.0.2", b"Received: from x (" + b"(" * 100000, b"Received: from " + b"x" * 1000000,
           HOP.encode()[:60], b"Received: from x\0y (\xff [192.0.2.1]) by z (Postfix); x\n"]
    for n, text in enumerate(odd):
        path = t.folder / f"odd{n}"
        path.write_bytes(text)
        learn(t, "spam", path, "--print")
    # Half a gzip file: what is there counts, and the exit status tells.
    half = t.folder / "half.gz"
    half.write_bytes(gzip.compress((HOP + "\n" + "".join(map(str, range(100000)))).encode())[:60000])
    out, err = learn(t, "spam", half, "--print", status=1)
    check("cut short" in err and out == "192.0.2.77 mx.sender.example\n", out + err)
    learn(t, "spam", half, "--dry-run", status=1)
    out, err = learn(t, "spam", t.folder / "none", daemon=d, status=1)
    check("none" in err and out.startswith("0 messages"), out + err)
    (t.folder / "huge").write_text("X: y\n" * 2000000 + HOP)
    equal(learn(t, "spam", t.folder / "huge", "--print")[0], "", "a header is not read without end")
    out, err = learn(t, "spam", "odd\x1b[2J\xff", daemon=d, status=1)
    check("\x1b" not in err, "a name is escaped")


# --- From logs --------------------------------------------------------------------------

def postfix_log(count, seconds_ago=60, start=0):
    """count accepted mails, each of another client, and as many that were lost."""
    lines = []
    stamp = when(seconds_ago)
    for n in range(start, start + count):
        good, bad = f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}", f"172.{16 + (n >> 16 & 15)}.{n >> 8 & 255}.{n & 255}"
        lines += [f"{stamp} mx postfix/smtpd[1]: Q{n:X}: client=mx.s{n}.example[{good}]",
                  f"{stamp} mx postfix/qmgr[2]: Q{n:X}: from=<a@b>, size=320, nrcpt=1 (queue active)",
                  f"{stamp} mx postfix/lmtp[3]: Q{n:X}: to=<b@c>, relay=x, delay=0, dsn=2.0.0, status=sent (250 ok)",
                  f"{stamp} mx postfix/smtpd[1]: lost connection after CONNECT from unknown[{bad}]"]
    return "\n".join(lines) + "\n"


@test
def known_and_lost(t):
    d = t.daemon()
    mail = t.folder / "mail"
    mail.write_text(HOP.replace("192.0.2.77", "172.16.0.0").replace("mx.sender.example", "unknown") + "\n")
    learn(t, "ham", mail, daemon=d)
    passes(d, "172.16.0.0")
    log = t.folder / "mail.log"
    log.write_text(postfix_log(3) + f"{when()} mx dovecot: imap(x): y\nnonsense\n" +
                   f"{when()} mx postfix/smtpd[1]: lost connection after DATA (9 bytes) from mx.s1.example[10.0.0.1]\n" +
                   f"{when()} mx postfix/smtpd[1]: lost connection after CONNECT from localhost[127.0.0.1]\n")
    dry, _ = learn(t, "log", log, "--dry-run", daemon=d)
    equal(dry, "3 messages, 3 clients known, 3 lost standing, 1 line not understood of 16; nothing was sent\n")
    equal(len(learned(d)), 1)
    deferred(d, "10.0.0.2")
    equal(learn(t, "log", log, daemon=d)[0], dry.replace("; nothing was sent", ""))
    wait_for(lambda: len(learned(d)) == 7, "seven reports")
    for n in range(3):
        passes(d, f"10.0.0.{n}")
    passes(d, "203.0.113.5", "other.s1.example")
    deferred(d, "172.16.0.0")
    row = json.loads(learn(t, "log", log, "--json", daemon=d)[0])
    equal([row[k] for k in ("messages", "known", "misbehaved", "lines", "lines_not_understood", "learned", "failed", "dry_run")],
          [3, 3, 3, 16, 1, 6, 0, False])
    equal(sorted(learn(t, "log", log, "--print", daemon=d)[0].splitlines())[2:4],
          ["known 10.0.0.2 mx.s2.example", "misbehaved 172.16.0.0"])


@test
def only_the_last_days(t):
    log = t.folder / "mail.log"
    log.write_text(postfix_log(2, 50 * 86400) + postfix_log(3, 5 * 86400, 10) + postfix_log(1, 60, 20))

    def known(*words):
        return learn(t, "log", log, "--dry-run", *words)[0].split(", ")[1]
    equal(known(), "4 clients known")
    equal(known("--days", "60"), "6 clients known")
    equal(known("--days", "1"), "1 client known")
    for days in ("0", "-1", "x", "99999999999999999999"):
        learn(t, "log", log, "--days", days, status=64)
    equal(known("--trusted", "10.0.0.0/24"), "0 clients known")


@test
def gzip_and_standard_input(t):
    text = postfix_log(5).encode()
    packed, half = t.folder / "mail.log.2.gz", t.folder / "half.gz"
    packed.write_bytes(gzip.compress(text))
    half.write_bytes(gzip.compress(postfix_log(500).encode())[:-3000])
    summary = "5 messages, 5 clients known, 5 lost standing, 0 lines not understood of 20; nothing was sent\n"
    equal(learn(t, "log", "--dry-run", packed)[0], summary)
    equal(learn(t, "log", "--dry-run", "-", stdin=text)[0], summary)
    equal(learn(t, "log", "--dry-run", "-", stdin=packed.read_bytes())[0], summary)
    out, err = learn(t, "log", "--dry-run", half, packed, status=1)
    check("cut short" in err and not out.startswith("5 "), out + err)
    # A rotated log: a mail that came in before and went out after.
    first, second = text.splitlines(True)[:1], text.splitlines(True)[1:]
    (t.folder / "a").write_bytes(b"".join(first))
    (t.folder / "b").write_bytes(b"".join(second))
    equal(learn(t, "log", "--dry-run", t.folder / "a", t.folder / "b")[0], summary)


@test
def odd_logs(t):
    d = t.daemon()
    good = postfix_log(1).encode()
    odd = [b"", b"\n\n\n", b"\0" * 100000, b"\xff" * 100000, b"x" * 3000000, good[:-1], good.replace(b"\n", b"\r\n"),
           b"\0\xff\n" + good, good.replace(b"client=", b"client=\0\xff"), random.Random(8).randbytes(200000)]
    for n, text in enumerate(odd):
        path = t.folder / f"odd{n}"
        path.write_bytes(text)
        out, _ = learn(t, "log", path, daemon=d)
        if n in (5, 6, 7):
            check("1 client known, 1 lost standing" in out, f"{n}: {out}")
    for cut in range(0, len(good), 7):
        learn(t, "log", "--dry-run", "-", stdin=good[:cut])
    learn(t, "log", t.folder / "none", daemon=d, status=1)
    learn(t, "log", t.folder, daemon=d, status=1)
    _, err = learn(t, "log", "--format", "notes", "-", status=64)
    check("postfix sendmail opensmtpd qmail exim" in err, err)
    equal(learn(t, "log", "--format", "exim", "--dry-run", "-", stdin=good)[0],
          "0 messages, 0 clients known, 0 lost standing, 0 lines not understood of 4; nothing was sent\n")
    for wrong in (["log"], ["mail", "x"], ["ham"], []):
        r = subprocess.run([t.args.greylag, "learn", *wrong], capture_output=True, timeout=LIMIT)
        equal(r.returncode, 64, str(wrong))
    learn(t, "log", t.folder / "odd5", status=69)


@test
def a_large_log(t):
    """100,000 lines into the real store; memory stays small, other requests are served."""
    d = t.daemon(store="rocksdb")
    log = t.folder / "mail.log"
    log.write_text(postfix_log(25000))
    started = time.monotonic()
    process = subprocess.Popen([t.args.greylag, "--socket", str(d.control), "learn", "log", str(log)], stdout=subprocess.PIPE)
    slowest = 0
    while process.poll() is None:
        before = time.monotonic()
        ask_once(d.socket)
        slowest = max(slowest, time.monotonic() - before)
        check(time.monotonic() - started < 120, "in two minutes")
    equal(process.stdout.read().decode(),
          "25,000 messages, 25,000 clients known, 25,000 lost standing, 0 lines not understood of 100,000\n")
    check(slowest < 5, f"a request took {slowest:.1f} s meanwhile")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    check(peak < 400 * 1024, f"{peak} KB")
    passes(d, "10.0.97.167")
    print(f"# 100,000 lines, 50,000 clients in {time.monotonic() - started:.1f} s")


@test
def progress_bar(t):
    """On a terminal only, and wiped away at the end."""
    log = t.folder / "mail.log"
    log.write_text(postfix_log(3000))
    master, slave = pty.openpty()
    process = subprocess.Popen([t.args.greylag, "--socket", str(t.folder / "none"), "learn", "log", "--dry-run", str(log)],
                               stdout=subprocess.DEVNULL, stderr=slave)
    os.close(slave)
    shown = b""
    while select.select([master], [], [], LIMIT)[0]:
        try:
            data = os.read(master, 65536)
        except OSError:
            break
        shown += data
    equal(process.wait(LIMIT), 0)
    os.close(master)
    check(b"100 %" in shown and b"[####" in shown and shown.endswith(b"\r"), shown[-300:])
    _, err = learn(t, "log", "--dry-run", log)
    check("%" not in err, err)


# --- The command of the control socket --------------------------------------------------

@test
def malformed_rows(t):
    d = t.daemon()

    def ask(request):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(LIMIT)
            s.connect(str(d.control))
            s.sendall((request if isinstance(request, bytes) else json.dumps(request).encode()) + b"\n")
            s.shutdown(socket.SHUT_WR)
            return [json.loads(line) for line in s.makefile()]
    good = {"what": "known", "client": "192.0.2.1", "name": "mx.example.org"}
    for wrong in (1, None, [], {}, {"what": "known"}, {"what": "x", "client": "192.0.2.1"}, {"what": 1, "client": "192.0.2.1"},
                  {"what": "ham", "client": "192.0.2"}, {"what": "ham", "client": ""}, {"what": "ham", "client": []},
                  {"what": "spam", "client": "192.0.2.1", "name": 5}, {"what": "ham", "client": "192.0.2.1", "name": "x" * 300}):
        answer = ask({"cmd": "learn", "clients": [good, wrong]})
        check(answer[-1]["error"].startswith("row 2 of 2: "), answer)
    for wrong in ({"cmd": "learn"}, {"cmd": "learn", "clients": {}}, {"cmd": "learn", "clients": "x"}):
        check("error" in ask(wrong)[-1], wrong)
    equal(learned(d), [], "all or nothing")
    equal(ask({"cmd": "learn", "clients": []}), [{"learned": 0, "failed": 0}, {"end": True}])
    equal(ask({"cmd": "learn", "clients": [good] * 500}), [{"learned": 500, "failed": 0}, {"end": True}])
    equal(ask({"cmd": "learn", "clients": [{"what": "misbehaved", "client": "[IPv6:2001:db8::1]", "name": "unknown"}]})[0],
          {"learned": 1, "failed": 0})
    t.greylag(d, "status")


@test
def store_that_fails(t):
    d = t.daemon(store="failing fail")
    mail = t.folder / "mail"
    mail.write_text(HOP + "\n")
    out, _ = learn(t, "ham", mail, daemon=d, status=75)
    check("1 not learned: the store failed" in out, out)
    d.stop()
    hanging = t.daemon("store deadline 300ms\n", store="failing hang")
    log = t.folder / "log"
    log.write_text(postfix_log(100))
    out, _ = learn(t, "log", log, daemon=hanging, status=75)
    check("200 not learned" in out, out)
    # Whoever goes away in the middle of it leaves nothing behind.
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(hanging.control))
        s.sendall(json.dumps({"cmd": "learn", "clients": [{"what": "ham", "client": "192.0.2.1"}] * 900}).encode() + b"\n")
        time.sleep(0.2)
    t.greylag(hanging, "status")
    equal(hanging.stop(), 0)


if __name__ == "__main__":
    test.main()
