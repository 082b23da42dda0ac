#!/usr/bin/env python3
"""Several mail exchangers, each with a greylagd, and one memory (RFC 6647 section 5.4)."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from harness import Tests, ask_once, check, equal
from valkey import Server

test = Tests(__doc__)
CONFIG = "reply text \"Greylisted %w\"\ngreylist delay 0\ntrap recipient honey@example.net"
DEFERRED = "DEFER_IF_PERMIT 4.2.0 Greylisted"


def exchangers(t):
    server = Server(t)
    return [t.daemon(CONFIG, store=f"valkey unix:{server.socket}") for _ in range(2)]


@test
def a_retry_at_the_other_exchanger(t):
    one, two = exchangers(t)
    equal(ask_once(one.socket), f"{DEFERRED} new")
    check(ask_once(two.socket).startswith("PREPEND X-Greylist: delayed "), "the retry comes to the other and passes")
    equal(ask_once(one.socket, sender="next@example.org"), "DUNNO", "the client is trusted by both")
    two.stop()
    equal(ask_once(one.socket, recipient="carol@example.net"), "DUNNO", "one alone goes on")


@test
def holds_are_shared(t):
    one, two = exchangers(t)
    equal(ask_once(one.socket, recipient="honey@example.net"), f"{DEFERRED} trap")
    equal(ask_once(two.socket), f"{DEFERRED} trapped")


if __name__ == "__main__":
    test.main()
