#!/usr/bin/env python3
"""Several mail exchangers, each with a greylagd, and one memory (RFC 6647 section 5.4)."""
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from harness import Tests, ask_once, check, equal, wait_for
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


@test
def believed_for_a_while(t):
    """With `store cache` a hold by the other exchanger counts here a little later, one's own at once."""
    server, cached = Server(t), CONFIG + "\nstore cache 8s\npenalty spare 0"
    one, two = (t.daemon(cached, store=f"valkey unix:{server.socket}", penalties=True) for _ in range(2))
    for client in "192.0.2.1", "198.51.100.1":
        ask_once(one.socket, client_address=client)
        check(ask_once(one.socket, client_address=client).startswith("PREPEND"), "it passes")
        equal(ask_once(one.socket, client_address=client), "DUNNO", "and is known")
    started = time.monotonic()
    ask_once(two.socket, recipient="honey@example.net")
    equal(ask_once(two.socket), f"{DEFERRED} trapped", "who held it knows at once")
    equal(ask_once(one.socket), "DUNNO", "the other does not yet")
    wait_for(lambda: ask_once(one.socket) == f"{DEFERRED} trapped", "the other to know")
    check(time.monotonic() - started < 15, "when the time was over, and not after that time again")
    ask_once(one.socket, client_address="198.51.100.1", recipient="honey@example.net")
    equal(ask_once(one.socket, client_address="198.51.100.1"), f"{DEFERRED} trapped", "its own")


if __name__ == "__main__":
    test.main()
