#!/usr/bin/env python3
"""Greylag::Client: alone, against a greylagd and against a server that misbehaves,
and in a real MIMEDefang behind a real Postfix."""
import json
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from harness import LIMIT, Tests, check, equal, free_port, wait_for
from mimedefang import PERL, MIMEDefang
from mta import Client
from postfix import Postfix

test = Tests(__doc__)
DELAY = 2
SAMPLE = (PERL / "mimedefang-filter.sample").read_text()
SOCKET = "unix:/run/greylag/policy"


# --- behind Postfix -----------------------------------------------------------------

class Session(Client):
    """An SMTP session that claims, by XCLIENT, to come from somewhere else."""

    def __init__(self, postfix, address="192.0.2.77", name="[UNAVAILABLE]", helo="mx.example.org", login=None):
        super().__init__(postfix.port, helo)
        words = f"ADDR={address} NAME={name} REVERSE_NAME={name} HELO={helo}" + (f" LOGIN={login}" if login else "")
        code, text = self.docmd("XCLIENT", words)
        equal(code, 220, f"XCLIENT {text}")
        self.ehlo(helo)


def setup(t, config="", options=(), folder="postfix", **client):
    """The sample filter, with other arguments for Greylag::Client->new."""
    d = t.daemon(f"greylist delay {DELAY}s\n{config}")
    t.folder.chmod(0o755)
    d.folder.chmod(0o755)
    filter = SAMPLE.replace(SOCKET, f"unix:{d.socket}")
    for name, value in client.items():
        filter = re.sub(rf"(?m)^(    {name} +=>) [^ ]+,", rf"\1 '{value}',", filter)
    m = MIMEDefang(filter, options)
    t.at_end(m.stop)
    m.start()
    p = Postfix(t.folder / folder, "static:dunno",
                "smtpd_recipient_restrictions = reject_unauth_destination\n"
                # Postfix logs the headers that a milter adds.
                "milter_header_checks = regexp:{ { /^X-Greylist:/ WARN } }\n"
                f"smtpd_milters = unix:{m.socket}\n")
    t.at_end(p.stop)
    return d, m, p.start()


def send(postfix, sender="alice@example.org", recipients=("bob@example.net",), **how):
    with Session(postfix, **how) as session:
        return session.attempt(sender, list(recipients))


@test
def deferred_then_accepted_with_header(t):
    # -r 1: every question finds another worker, which knows nothing of the others.
    for options in ((), ("-r", "1")):
        d, m, p = setup(t, options=options, folder=f"postfix{len(options)}")
        replies, _ = send(p)
        equal(replies, [(451, "4.7.1 Greylisted, please try again in 2 seconds")], m.logged())
        time.sleep(DELAY + 0.2)
        replies, end = send(p)
        equal((replies[0][0], end[0]), (250, 250), m.logged())
        wait_for(lambda: "X-Greylist: delayed" in p.logged(), "the header in Postfix's log")
        equal(send(p)[1][0], 250, "known by now")
        equal(p.logged().count("X-Greylist: delayed"), 1, "no header on mail that was not delayed")


@test
def several_recipients_and_messages(t):
    d, m, p = setup(t)
    three = ["bob@example.net", "carol@example.net", "dave@example.net"]
    equal([code for code, _ in send(p, recipients=three)[0]], [451] * 3)
    time.sleep(DELAY + 0.2)
    with Session(p) as session:
        replies, end = session.attempt("alice@example.org", three)
        equal(([code for code, _ in replies], end[0]), ([250] * 3, 250), m.logged())
        replies, _ = session.attempt("alice@example.com", three)
        equal([code for code, _ in replies], [250] * 3, "the client is known")
    wait_for(lambda: "X-Greylist: delayed" in p.logged(), "the header")
    equal(p.logged().count("X-Greylist: delayed"), 1, "one header for three recipients, none for the next message")


@test
def null_sender_is_judged_with_the_message(t):
    d, m, p = setup(t, options=("-r", "1"))
    replies, end = send(p, sender="")
    equal(replies[0][0], 250, "probes of the recipient pass")
    equal(end, (451, "4.7.1 Greylisted, please try again in 2 seconds"), m.logged())
    time.sleep(DELAY + 0.2)
    replies, end = send(p, sender="")
    equal((replies[0][0], end[0]), (250, 250), m.logged())
    wait_for(lambda: "X-Greylist: delayed" in p.logged(), "the header")


@test
def what_greylagd_is_told(t):
    d, m, p = setup(t)
    equal(send(p, sender="a@example.org", login="alice")[0][0][0], 250, f"who logged in passes {d.logged()}")
    send(p, address="192.0.2.9", name="mx.sender.example")
    wait_for(lambda: "identity=sender.example" in d.logged(), "a confirmed name")
    send(p, address="198.51.100.9")
    wait_for(lambda: "identity=198.51.100.0/24" in d.logged(), "none")
    send(p, address="IPv6:2001:db8::9")
    wait_for(lambda: "2001:db8::9" in d.logged(), "an IPv6 client")
    for odd in ('"a b"@example.org', '"x\\"y"@example.org', "a%0Ab@example.org"):
        equal(send(p, sender=f"<{odd}>", address="203.0.113.9")[0][0][0], 451, odd)
    check("a b@example.org" in d.logged(), "unquoted")


@test
def rules_reject(t):
    d, m, p = setup(t, config="block sender bad@example.org text \"No, 100% not\"\n")
    equal(send(p, sender="bad@example.org")[0], [(554, "5.7.1 No, 100% not")])


@test
def daemon_away(t):
    for choice, code in (("pass", 250), ("defer", 451)):
        d, m, p = setup(t, on_failure=choice, folder=choice)
        d.stop()
        replies, end = send(p)
        equal(replies[0][0], code, m.logged())
        if code == 451:
            equal(replies[0][1], "4.7.1 Service is unavailable, please try again later")
        else:
            equal(end[0], 250, "the whole message")
        d.start()
        equal(send(p)[0][0][0], 451, "asked again")


@test
def daemon_hangs(t):
    d, m, p = setup(t, deadline="0.5")
    equal(send(p)[0][0][0], 451, "asked before, on a connection that is kept")
    d.send_signal(signal.SIGSTOP)
    started = time.monotonic()
    equal(send(p)[1][0], 250)
    check(0.45 < time.monotonic() - started < 5, "at the deadline")
    d.send_signal(signal.SIGCONT)
    equal(send(p, address="198.51.100.9")[0][0][0], 451, "asked again")


@test
def restart_is_not_seen(t):
    d, m, p = setup(t)
    equal(send(p)[0][0][0], 451)
    d.stop()
    d.start(wait=False)
    equal(send(p)[0][0][0], 451, f"it waited for the daemon {m.logged()}")


if __name__ == "__main__":
    test.main()
