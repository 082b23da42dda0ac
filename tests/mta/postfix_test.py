#!/usr/bin/env python3
"""greylagd behind a real Postfix on loopback: real SMTP sessions are deferred
with the right code and accepted on their retry with the right header."""
import pathlib
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from harness import LIMIT, Tests, check, equal, wait_for
from mta import Session, send, shorten_delay
from postfix import Postfix

test = Tests(__doc__)
DELAY = 2


def setup(t, config="", main="", policy_options="timeout=10s, default_action=DUNNO", delay=f"{DELAY}s", **more):
    d = t.daemon(f"greylist delay {delay}\n{config}", store="rocksdb")
    t.folder.chmod(0o755)
    d.folder.chmod(0o755)
    p = Postfix(t.folder / "postfix", f"{{ unix:{d.socket}, {policy_options} }}", main, **more)
    t.at_end(p.stop)
    return d, p.start()


def deferred(reply, where=""):
    code, text = reply
    check(code == 450 and text.startswith(b"4.2.0 ") and b"Greylisted" in text, f"{where}: {code} {text}")


@test
def deferred_then_accepted_with_header(t):
    # A header_checks WARN makes Postfix log the header that the message was given.
    d, p = setup(t, main="header_checks = regexp:{ { /^X-Greylist:/ WARN } }", delay="1h")
    replies, _ = send(p, "alice@example.org", "bob@example.net")
    deferred(replies[0], "first attempt")
    replies, _ = send(p, "alice@example.org", "bob@example.net")
    deferred(replies[0], "too early")
    shorten_delay(d, DELAY)
    replies, end = send(p, "alice@example.org", "bob@example.net")
    equal(replies[0][0], 250, "retry")
    equal(end[0], 250, f"message {end}")
    wait_for(lambda: "X-Greylist: delayed" in p.logged(), "the header in Postfix's log")
    line = next(l for l in p.logged().splitlines() if "X-Greylist: delayed" in l)
    check("seconds by greylag-" in line and "at mx.test;" in line, line)
    replies, end = send(p, "alice@example.org", "bob@example.net")
    equal(end[0], 250, "later mail")
    time.sleep(0.3)
    equal(p.logged().count("X-Greylist: delayed"), 1, "no header on mail that was not delayed")


@test
def tells_why_not(t):
    d, p = setup(t, "reply header all\nallow recipient postmaster@\n", main="header_checks = regexp:{ { /^X-Greylist:/ WARN } }")
    replies, end = send(p, "alice@example.org", "postmaster@example.net")
    equal(end[0], 250, "mail to the exempt recipient")
    wait_for(lambda: "X-Greylist: not delayed (allow-rule) by greylag-" in p.logged(), "the header in Postfix's log")


@test
def several_recipients(t):
    d, p = setup(t, "allow recipient postmaster@")
    replies, end = send(p, "alice@example.org", "postmaster@example.net", "bob@example.net", "carol@example.net")
    equal(replies[0][0], 250, "exempt recipient")
    deferred(replies[1], "first judged recipient")
    deferred(replies[2], "the others follow")
    equal(end[0], 250, "the mail to the exempt recipient goes through")
    time.sleep(DELAY)
    replies, end = send(p, "alice@example.org", "bob@example.net", "carol@example.net", "dave@example.net")
    equal([code for code, _ in replies], [250, 250, 250], "the retry, a new recipient beside it")
    equal(end[0], 250, "message")


@test
def one_header_for_several_recipients(t):
    d, p = setup(t, main="header_checks = regexp:{ { /^X-Greylist:/ WARN } }")
    send(p, "alice@example.org", "bob@example.net", "carol@example.net")
    time.sleep(DELAY)
    _, end = send(p, "alice@example.org", "bob@example.net", "carol@example.net")
    equal(end[0], 250, "message")
    wait_for(lambda: "X-Greylist: delayed" in p.logged(), "the header")
    time.sleep(0.3)
    equal(p.logged().count("X-Greylist: delayed"), 1, "one header")


@test
def retry_from_another_address_of_the_organisation(t):
    d, p = setup(t)
    replies, _ = send(p, "a@big.example", "bob@example.net", address="192.0.2.1", name="out1.big.example")
    deferred(replies[0])
    time.sleep(DELAY)
    replies, end = send(p, "a@big.example", "bob@example.net", address="2001:db8:7::25", name="out9.big.example")
    equal(end and end[0], 250, f"{replies}")
    replies, end = send(p, "new@other.example", "carol@example.net", address="198.51.100.8", name="out5.big.example")
    equal(end and end[0], 250, "the organisation is allowed altogether")
    replies, _ = send(p, "new@other.example", "dora@example.net", address="203.0.113.8")
    deferred(replies[0], "a stranger is not")


@test
def null_sender(t):
    d, p = setup(t, main=f"smtpd_data_restrictions = check_policy_service unix:{t.folder}/d0/policy")
    session = Session(p)
    session.smtp.mail("")
    equal(session.smtp.rcpt("bob@example.net")[0], 250, "a callout gets through")
    session.smtp.rset()
    session.close()
    replies, end = send(p, "", "bob@example.net")
    equal(replies[0][0], 250, "RCPT")
    equal(end[0], 450, f"a bounce is judged at DATA: {end}")
    time.sleep(DELAY)
    replies, end = send(p, "", "bob@example.net")
    equal(end[0], 250, f"and accepted on its retry: {end}")
    # Several recipients: Postfix names none at DATA.
    replies, end = send(p, "", "carol@example.net", "dora@example.net", address="198.51.100.7")
    equal(end[0], 450, f"{end}")
    time.sleep(DELAY)
    replies, end = send(p, "", "carol@example.net", "dora@example.net", address="198.51.100.7")
    equal(end[0], 250, f"{end}")


@test
def authenticated_client(t):
    d, p = setup(t)
    # XCLIENT LOGIN is how Postfix lets tests and proxies say who has authenticated.
    replies, end = send(p, "me@example.net", "bob@example.net", login="me")
    equal(end and end[0], 250, f"{replies}")
    wait_for(lambda: "reason=authenticated" in d.logged(), "the reason")
    # Whom we write to may answer at once, from wherever; others may not.
    replies, end = send(p, "bob@example.net", "me@example.net", address="203.0.113.77")
    equal(end and end[0], 250, f"the answer: {replies}")
    wait_for(lambda: "reason=correspondent" in d.logged(), "its reason")
    replies, _ = send(p, "bob@example.net", "carol@example.net", address="203.0.113.77")
    deferred(replies[0], "to somebody else")


@test
def unknown_users_are_refused_for_good_at_once(t):
    # DEFER_IF_PERMIT: what comes later in the restrictions may still say no.
    d, p = setup(t, main="relay_recipient_maps = inline:{bob@example.net=OK}\n",
                 after="reject_unlisted_recipient")
    replies, _ = send(p, "alice@example.org", "nobody@example.net", "bob@example.net")
    equal(replies[0][0], 550, f"{replies}")
    deferred(replies[1])


@test
def backup_mx_order(t):
    """permit_mx_backup before the policy check would let everything for the
    backed-up domain pass unasked; behind it, it is greylisted."""
    d, p = setup(t, main="relay_domains = example.net, backup.example\n")
    replies, _ = send(p, "alice@example.org", "bob@backup.example")
    deferred(replies[0], "a domain that we are backup MX for")
    p.stop()
    conf = p.conf / "main.cf"
    text = conf.read_text().replace("reject_unauth_destination, check_policy", "reject_unauth_destination, "
                                    "check_recipient_access inline:{backup.example=permit}, check_policy")
    conf.write_text(text)
    p.start()
    replies, end = send(p, "alice@example.org", "carol@backup.example")
    equal(end and end[0], 250, "permitted before the check: never asked")
    check("carol" not in d.logged(), "not asked")


@test
def stopped_daemon_lets_mail_flow(t):
    d, p = setup(t)
    deferred(send(p, "alice@example.org", "bob@example.net")[0][0])
    d.stop()
    replies, end = send(p, "alice@example.org", "bob@example.net")
    equal(end and end[0], 250, f"default_action=DUNNO: {replies}")


@test
def stopped_daemon_defers_when_so_configured(t):
    d, p = setup(t, policy_options="timeout=10s, default_action={451 4.3.5 greylag is away}")
    d.stop()
    replies, _ = send(p, "alice@example.org", "bob@example.net")
    equal(replies[0][0], 451, f"{replies}")
    d.start()
    deferred(send(p, "alice@example.org", "bob@example.net")[0][0])


@test
def killed_in_between_nothing_is_forgotten(t):
    d, p = setup(t)
    for i in range(20):
        deferred(send(p, f"s{chr(97 + i)}@example.org", "bob@example.net", address=f"192.0.{i}.1")[0][0])
    d.stop(signal.SIGKILL)
    time.sleep(DELAY)
    d.start()
    for i in range(20):
        replies, end = send(p, f"s{chr(97 + i)}@example.org", "bob@example.net", address=f"192.0.{i}.1")
        equal(end and end[0], 250, f"triplet {i}: {replies}")


@test
def restart_between_two_recipients(t):
    d, p = setup(t)
    session = Session(p)
    session.smtp.mail("alice@example.org")
    deferred(session.smtp.rcpt("bob@example.net"))
    d.stop()
    d.start()
    deferred(session.smtp.rcpt("carol@example.net"), "after the restart")
    session.close()


@test
def swaks_as_another_client(t):
    if not shutil.which("swaks"):
        check(False, "swaks is missing; ./dev test installs it")
    d, p = setup(t)
    run = lambda: subprocess.run(["swaks", "--server", f"127.0.0.1:{p.port}", "--from", "s@example.org", "--to",
                                  "bob@example.net", "--helo", "mx.example.org", "--timeout", str(int(LIMIT))],
                                 capture_output=True, text=True)
    first = run()
    check("450 4.2.0 <bob@example.net>: Recipient address rejected: Greylisted" in first.stdout, first.stdout)
    time.sleep(DELAY)
    second = run()
    equal(second.returncode, 0, second.stdout)


@test
def utf8_and_quoted_addresses(t):
    d, p = setup(t, main="smtputf8_enable = yes\n")
    session = Session(p)
    for sender in ('"a b=c\\"d"@example.org', "o'brien!#$%&@example.org"):
        code, text = session.smtp.docmd("MAIL", f"FROM:<{sender}>")
        equal(code, 250, f"{sender}: {text}")
        deferred(session.smtp.rcpt("bob@example.net"), sender)
        session.smtp.rset()
    session.smtp.sock.sendall("MAIL FROM:<jörg@exämple.com> SMTPUTF8\r\n".encode())
    equal(session.smtp.getreply()[0], 250, "SMTPUTF8")
    deferred(session.smtp.rcpt("bob@example.net"), "SMTPUTF8")
    session.close()
    wait_for(lambda: "xn--exmple-cua.com" in t.greylag(d, "dump"), "the A-label in the key")


if __name__ == "__main__":
    test.main()
