#!/usr/bin/env python3
"""The statements for Exim against a real Exim on loopback: real SMTP sessions are
deferred and accepted on their retry."""
import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from exim import Exim, Session
from harness import Tests, check, equal, wait_for

test = Tests(__doc__)
SHIPPED = pathlib.Path(__file__).resolve().parents[2] / "data/exim"
DELAY = 2
FAIL_CLOSED = "GREYLAG_ON_FAILURE = action=DEFER Service is unavailable, please try again later\n"


def setup(t, config="", settings="GREYLAG_CLIENT_NAME =\n", **more):
    d = t.daemon(f"greylist delay {DELAY}s\n{config}")
    t.folder.chmod(0o755)
    d.folder.chmod(0o755)
    macros = pathlib.Path(t.args.greylagd).parents[2] / "data/30_greylag-macros"
    e = Exim(t.folder / "exim", macros, SHIPPED / "greylag.acl", f"GREYLAG_SOCKET = {d.socket}\n{settings}", **more)
    t.at_end(e.stop)
    return d, e.start()


def send(exim, sender, *recipients, address="192.0.2.1", **more):
    with Session(exim, address, **more) as session:
        return session.attempt(sender, recipients)


def deferred(reply, text="4.7.1 Greylisted"):
    code, answer = reply
    check(code == 451 and answer.startswith(text), f"{code} {answer}")


def accepted(exim, replies, end, count=1):
    equal([code for code, _ in replies], [250] * count, f"RCPT {replies}")
    equal(end and end[0], 250, f"the message {end}")


def sound(exim):
    """Exim complained about nothing."""
    equal(exim.logged("panic"), "", "the panic log")
    check("taint" not in exim.logged().lower(), exim.logged())


@test
def deferred_then_accepted_with_header(t):
    d, e = setup(t)
    replies, end = send(e, "alice@example.org", "bob@example.net")
    deferred(replies[0], f"4.7.1 Greylisted, please try again in {DELAY} seconds")
    deferred(send(e, "alice@example.org", "bob@example.net")[0][0])
    equal(e.queued(), [], "nothing was taken")
    time.sleep(DELAY + 0.2)
    accepted(e, *send(e, "alice@example.org", "bob@example.net"))
    headers = e.queued()[-1]
    equal(headers.count("X-Greylist: delayed "), 1, headers)
    accepted(e, *send(e, "alice@example.org", "bob@example.net"))
    check("X-Greylist" not in e.queued()[-1], "a known sender's mail has none")
    sound(e)


if __name__ == "__main__":
    test.main()
