#!/usr/bin/env python3
"""greylag learn on what real mail servers write: their logs, and the Received fields of
the mail that they took. Where a server cannot be told that its client comes from
elsewhere, 127.0.0.1 is replaced in what it wrote."""
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import exim
import mta
from harness import LIMIT, Tests, check, equal, wait_for
from learning import deferred, learn, passes
from opensmtpd import OpenSMTPD
from postfix import Postfix
from sendmail import Sendmail
from syslogd import Syslog
from ucspi import Tcpserver, reply

test = Tests(__doc__)


def raw(port, *lines, prefix=b""):
    """An SMTP client that waits for each reply, and goes without QUIT."""
    with socket.create_connection(("127.0.0.1", port), LIMIT) as s:
        s.sendall(prefix)
        for line in lines:
            reply(s)
            s.sendall(line + b"\r\n")
        reply(s)


def learn_text(t, format, text, *more):
    """The rows that come of a log's text; the format found by itself gives the same."""
    path = t.folder / f"{format}.log"
    path.write_text(text)
    by_name = learn(t, "log", "--print", "--format", format, *more, path)[0]
    equal(learn(t, "log", "--print", *more, path)[0], by_name, "without --format")
    return sorted(by_name.splitlines())


def learn_mail(t, text):
    path = t.folder / "real-mail"
    path.write_text(text)
    return learn(t, "ham", "--print", path)[0]


@test
def real_postfix(t):
    t.folder.chmod(0o755)
    p = Postfix(t.folder / "postfix", None,
                "smtpd_data_restrictions = check_sender_access inline:{ { held@example.org = HOLD } }")
    t.at_end(p.stop)
    p.start()
    mta.send(p, "alice@example.org", "bob@example.net", address="192.0.2.77", name="mx.sender.example")
    mta.send(p, "alice@example.org", "bob@example.net", address="2001:db8::7")
    mta.send(p, "alice@example.org", "bob@example.net", address="192.0.2.79", login="me")
    mta.send(p, "alice@example.org", "bob@foreign.test", address="192.0.2.80")
    for n, steps in ((81, ()), (82, (("mail", "a@b.example"),))):
        session = mta.Session(p, f"192.0.2.{n}")
        for step in steps:
            getattr(session.smtp, step[0])(*step[1:])
        session.close()
    session = mta.Session(p, "192.0.2.83", "dial.example")
    session.smtp.send(b"HELO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<bob@example.net>\r\n")
    for _ in range(3):
        session.smtp.getreply()
    session.smtp.quit()
    wait_for(lambda: p.logged().count(": removed") == 3 and "pipelining" in p.logged() and
             all(f"disconnect from {client}" in p.logged() for client in
                 ("unknown[192.0.2.81]", "unknown[192.0.2.82]", "dial.example[192.0.2.83]")), "Postfix's log")
    equal(learn_text(t, "postfix", p.logged()),
          ["known 192.0.2.77 mx.sender.example", "known 2001:db8::7", "misbehaved 192.0.2.81", "misbehaved 192.0.2.82",
           "misbehaved 192.0.2.83 dial.example"])
    d = t.daemon()
    equal(learn(t, "log", p.log, daemon=d)[0].split(", ")[:3], ["2 messages", "2 clients known", "3 lost standing"])
    passes(d, "192.0.2.77")
    passes(d, "198.51.100.9", "mx2.sender.example")
    passes(d, "2001:db8::7")
    deferred(d, "192.0.2.79")
    deferred(d, "192.0.2.81")
    mta.send(p, "held@example.org", "bob@example.net", address="192.0.2.90", name="mx.sender.example", helo="[10.1.1.1]")
    file = next((p.spool / "hold").iterdir())
    text = subprocess.run([p.root / "usr/sbin/postcat", "-c", p.conf, "-hb", file], env=p.env, capture_output=True, timeout=LIMIT).stdout
    equal(learn_mail(t, text.decode()), "192.0.2.90 mx.sender.example\n", text.decode())


@test
def real_exim(t):
    for name in ("macros", "statements"):
        (t.folder / name).write_text("")
    e = exim.Exim(t.folder / "exim", t.folder / "macros", t.folder / "statements", "log_selector = +incoming_port +millisec +pid")
    t.at_end(e.stop)
    e.start()
    for address in ("192.0.2.1", "2001:db8::5"):
        with exim.Session(e, address) as s:
            equal(s.attempt("alice@example.org", ["bob@example.net"])[1][0], 250)
    with exim.Session(e, "192.0.2.2") as s:
        s.login("tester", "secret")
        equal(s.attempt("alice@example.org", ["bob@example.net"])[1][0], 250)
    with exim.Session(e, "192.0.2.3") as s:
        equal(s.attempt("alice@example.org", ["bob@foreign.test"])[0][0][0], 550)

    def proxy(n):
        return f"PROXY TCP4 192.0.2.{n} 127.0.0.1 4242 {e.port}\r\n".encode()
    raw(e.port, b"EHLO x.example", b"MAIL FROM:<a@b.example>", prefix=proxy(4))
    lose_in_data(e.port, proxy(5))
    raw(e.port, b"EHLO x.example\r\nMAIL FROM:<a@b.example>", prefix=proxy(6))
    wait_for(lambda: all(f"[192.0.2.{n}]" in e.logged() for n in (4, 5, 6)), f"Exim's log {e.logged()}")
    equal(learn_text(t, "exim", e.logged()),
          ["known 192.0.2.1", "known 2001:db8::5", "misbehaved 192.0.2.4", "misbehaved 192.0.2.5", "misbehaved 192.0.2.6"])
    d = t.daemon()
    learn(t, "log", e.logs / "mainlog", daemon=d)
    passes(d, "192.0.2.1")
    deferred(d, "192.0.2.4")
    # A queue file has each line's length and kind in front.
    headers = [re.sub(r"^\d{3}. ", "", text, flags=re.M) for text in e.queued()]
    equal(sorted(learn_mail(t, text).strip() for text in headers), ["", "192.0.2.1", "2001:db8::5"])


def lose_in_data(port, prefix=b""):
    with socket.create_connection(("127.0.0.1", port), LIMIT) as s:
        s.sendall(prefix)
        for line in (b"EHLO x.example", b"MAIL FROM:<a@b.example>", b"RCPT TO:<root@example.net>", b"DATA"):
            reply(s)
            s.sendall(line + b"\r\n")
        reply(s)
        s.sendall(b"Subject: x\r\n")


@test
def real_sendmail(t):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="greylag-learn-", dir="/run"))
    folder.chmod(0o755)
    t.at_end(lambda: shutil.rmtree(folder, ignore_errors=True))
    log = Syslog(folder / "dev")
    t.at_end(log.close)
    keeper, box = folder / "keeper", folder / "box"
    keeper.write_text(f"#!/bin/sh\nexec cat >{box}\n")
    keeper.chmod(0o755)
    s = Sendmail(folder / "sendmail", f"unix:{folder}/none", syslog=log, more=(
        f"define(`confDELIVERY_MODE', `i')dnl\ndefine(`LOCAL_MAILER_PATH', `{keeper}')dnl\n"
        "define(`LOCAL_MAILER_ARGS', `keeper $u')dnl"))
    t.at_end(s.stop)
    s.start()
    equal(mta.attempt(s.port, "alice@example.org", ["root@example.net"])[1][0], 250)
    wait_for(lambda: any("stat=Sent" in line for line in log.lines()), f"delivery {log.lines()}")

    def rows():
        return learn_text(t, "sendmail", "\n".join(log.lines()).replace("localhost [127.0.0.1]", "mx.sender.example [192.0.2.1]") + "\n")
    equal(rows(), ["known 192.0.2.1 mx.sender.example"])
    equal(learn_mail(t, box.read_text()), "")
    equal(learn_mail(t, box.read_text().replace("localhost [127.0.0.1]", "mx.sender.example [192.0.2.1]")),
          "192.0.2.1 mx.sender.example\n", box.read_text())
    for lines, word in (((), "did not issue"), ((b"EHLO x",), "did not issue"), ((b"EHLO x", b"MAIL FROM:<a@b.example>"), "lost input")):
        log.got.clear()
        raw(s.port, *lines)
        wait_for(lambda: any(word in line for line in log.lines()), f"{word} {log.lines()}")
        equal(rows(), ["misbehaved 192.0.2.1 mx.sender.example"], word)
    log.got.clear()
    raw(s.port, b"HELO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<root@example.net>")
    wait_for(lambda: any("traffic before response" in line for line in log.lines()), f"{log.lines()}")
    equal(rows(), ["misbehaved 192.0.2.1 mx.sender.example"])


@test
def real_opensmtpd(t):
    t.folder.chmod(0o755)
    script = t.folder / "filter"
    script.write_text("#!/bin/sh\necho 'register|ready'\nexec cat >/dev/null\n")
    script.chmod(0o755)
    log = Syslog(t.folder / "dev")
    t.at_end(log.close)
    o = OpenSMTPD(t.folder / "smtpd", script, syslog=log)
    t.at_end(o.stop)
    o.start()
    equal(mta.attempt(o.port, "alice@example.org", ["bob@example.net"])[1][0], 250)
    wait_for(lambda: any("reason=quit" in line for line in log.lines()), f"the end {log.lines()}")

    def rows():
        return learn_text(t, "opensmtpd", "\n".join(log.lines()).replace("address=127.0.0.1", "address=192.0.2.1") + "\n")
    equal(rows(), ["known 192.0.2.1"])
    o.wait_delivered("hello")
    check("OpenSMTPD" in o.delivered(), o.delivered())
    equal(learn_mail(t, o.delivered()), "")
    equal(learn_mail(t, o.delivered().replace("127.0.0.1", "192.0.2.1")), "192.0.2.1\n")
    for lines in ((), (b"EHLO x",), (b"EHLO x", b"MAIL FROM:<a@b.example>")):
        log.got.clear()
        raw(o.port, *lines)
        wait_for(lambda: any("smtp disconnected" in line for line in log.lines()), f"{log.lines()}")
        equal(rows(), ["misbehaved 192.0.2.1"], str(lines))


@test
def real_tcpserver(t):
    """mailfront in qmail-smtpd's place: it ends with 1 in the middle of a mail, too."""
    s = Tcpserver(t.folder)
    t.at_end(s.close)
    tai64n = mta.unpack("daemontools", ["daemontools"]) / "usr/bin/tai64n"
    mta.attempt(s.port, "alice@example.org", ["bob@example.net"])
    s.quiet()
    lose_in_data(s.port)
    wait_for(lambda: s.said().count(": end ") == 2, s.said())
    equal(s.statuses(), [0, 256])
    stamped = subprocess.run([tai64n], input=s.said(), capture_output=True, text=True, timeout=LIMIT).stdout
    check(stamped.startswith("@4"), stamped)
    equal(learn_text(t, "qmail", stamped.replace("from 127.0.0.1", "from 192.0.2.1")), ["misbehaved 192.0.2.1"])


if __name__ == "__main__":
    test.main()
