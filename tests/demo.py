#!/usr/bin/env python3
"""Plays a first attempt, an early retry and a good retry against a greylagd of
its own (delay 3 s instead of 60), and shows questions and answers."""
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
from harness import Asker, Context, Tests

SHOWN = ("client_address", "client_name", "sender", "recipient")


def play(d, title, **changes):
    what = {"client_address": "192.0.2.25", "client_name": "mx1.example.org", "sender": "alice@example.org",
            "recipient": "bob@example.net", **changes}
    with Asker(d.socket) as a:
        answer = a.ask(**what)
    print(f"\n{title}\n   " + "  ".join(f"{k}={what[k]}" for k in SHOWN) + f"\n   -> action={answer}")


def main():
    args = Tests(__doc__).parser.parse_args()
    context = Context(args)
    try:
        d = context.daemon("greylist delay 3s", store="rocksdb")
        play(d, "A stranger writes for the first time:")
        time.sleep(1)
        play(d, "It tries again too early:")
        time.sleep(2.1)
        play(d, "It tries again after the delay, from another machine of the same organisation:",
             client_address="198.51.100.7", client_name="mx7.example.org")
        play(d, "From now on the organisation is known, whoever writes to whom:",
             sender="carol@example.org", recipient="dave@example.net")
        play(d, "A machine without a confirmed name is another matter:",
             client_address="203.0.113.9", client_name="unknown")
        print("\nWhat greylagd knows now (greylag dump):\n")
        subprocess.run([args.greylag, "--socket", str(d.control), "dump"], check=False)
        print("\nWhy the last one was deferred (greylag why):\n")
        subprocess.run([args.greylag, "--socket", str(d.control), "why", "203.0.113.9", "alice@example.org",
                        "bob@example.net"], check=False)
    finally:
        context.close()


if __name__ == "__main__":
    main()
