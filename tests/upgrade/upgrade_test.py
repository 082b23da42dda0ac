#!/usr/bin/env python3
"""Stores that earlier greylagds wrote (make_store): they open, and whom they know passes."""
import os
import pathlib
import sys
import tarfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import Asker, Tests, check, equal, wait_for

test = Tests(__doc__)
HERE = pathlib.Path(__file__).resolve().parent
KEEP = "3650d"  # the records last as long as the test may be run
# Of each kind one: a name, a network, IPv6; and a sender that changes with each mail.
BEFORE = [
    {"client_address": "192.0.2.1", "client_name": "mx1.example.org", "sender": "alice@example.org"},
    {"client_address": "198.51.100.7", "sender": "bounce+4711=bob=example.net@lists.example.com"},
]
AFTER = [
    {"client_address": "2001:db8::25", "sender": "carol@example.com"},
    {"client_address": "203.0.113.9", "client_name": "mail.example.edu", "sender": "dave@example.edu",
     "recipient": "postfach@example.net"},
]
STRANGER = {"client_address": "203.0.113.200", "sender": "mallory@example.com"}


def old_store(t, name):
    d = t.daemon(f"greylist delay 1h keep {KEEP}\nlog passes yes", store="rocksdb", start=False)
    with tarfile.open(HERE / name) as tar:
        tar.extractall(d.folder, filter="data") if hasattr(tarfile, "data_filter") else tar.extractall(d.folder)
    check(d.store_folder.is_dir(), "the archive has a folder `store`")
    return d


def judge(d):
    with Asker(d.socket) as a:
        for r in BEFORE + AFTER:
            answer = a.ask(**r)
            check(not answer.startswith("DEFER"), f"{r}: {answer}")
        check(a.ask(**STRANGER).startswith("DEFER"), "a stranger passes")


def use(t, name):
    d = old_store(t, name)
    d.start()
    judge(d)
    wait_for(lambda: d.logged().count("reason=allowed") == len(BEFORE + AFTER), "those who pass")
    # The triplets are there too, beside what is known of their clients.
    dump = t.greylag(d, "dump")
    for word in ("alice@example.org", "lists.example.com", "carol@example.com", "dave@example.edu"):
        check(word in dump, f"no record of {word}: {dump}")
    # Old records and the new ones merged into them, from the disk again.
    equal(d.stop(), 0, "exit status")
    d.start()
    judge(d)
    check(t.greylag(d, "forget", "client", "192.0.2.1"), "an old record is forgotten")


@test
def store_record_1(t):
    """Records of 37 bytes, before clients could be held."""
    use(t, "store-record-1.tar.xz")


if __name__ == "__main__":
    test.main()
