#!/usr/bin/env python3
"""kill -9 at random moments under load: every triplet whose deferral was
answered is there afterwards, every first pass that was answered too.

    crash_test.py [--kills N]    default 200
"""
import pathlib
import random
import signal
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from harness import Asker, Tests, check, equal, wait_for

test = Tests(__doc__)
test.parser.add_argument("--kills", type=int, default=200)
WRITERS = 8
CONFIG = 'reply text "Greylisted %w"\n'


def triplet(number):
    return dict(client_address=f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
                sender=f"s{chr(97 + number % 26)}x@d{number}.example", recipient="bob@example.net")


class Load:
    """Connections that ask for new triplets until the daemon is gone."""

    def __init__(self, daemon, first):
        self.daemon, self.acknowledged, self.lock = daemon, [], threading.Lock()
        self.number = first
        self.threads = [threading.Thread(target=self.run) for _ in range(WRITERS)]
        for thread in self.threads:
            thread.start()

    def next(self):
        with self.lock:
            self.number += 1
            return self.number

    def run(self):
        try:
            with Asker(self.daemon.socket) as asker:
                while True:
                    n = self.next()
                    reply = asker.ask(**triplet(n))
                    if reply is None:
                        return
                    check("Greylisted new" in reply, reply)
                    with self.lock:
                        self.acknowledged.append(n)
        except OSError:
            pass

    def join(self):
        for thread in self.threads:
            thread.join()
        return self.acknowledged


def verify(daemon, numbers, wanted):
    with Asker(daemon.socket) as asker:
        for n in numbers:
            reply = asker.ask(**triplet(n))
            check(reply and wanted in reply, f"triplet {n} was acknowledged and is lost: {reply}")


@test
def acknowledged_deferrals_survive_kills(t):
    r = random.Random(7)
    # What was deferred stays early, however long the test takes.
    d = t.daemon(CONFIG + "greylist delay 1d\nlog passes no\nlog level warning", store="rocksdb")
    everything, last = [], 0
    for kill in range(t.args.kills):
        load = Load(d, last)
        if kill % 2:
            wait_for(lambda: len(load.acknowledged) > 2, "mail to be deferred")
        time.sleep(r.uniform(0.0, 0.12))
        d.process.send_signal(signal.SIGKILL)
        acknowledged = load.join()
        d.process.wait()
        last = load.number
        everything += acknowledged
        d.start()
        verify(d, acknowledged, "Greylisted early")
    check(len(everything) > t.args.kills, f"only {len(everything)} acknowledged")
    verify(d, r.sample(everything, min(len(everything), 3000)), "Greylisted early")
    print(f"# {t.args.kills} kills, {len(everything)} acknowledged triplets, none lost", flush=True)


@test
def acknowledged_first_passes_survive_kills(t):
    d = t.daemon(CONFIG + "greylist delay 1s", store="rocksdb")
    for kill in range(10):
        numbers = range(kill * 20, kill * 20 + 20)
        with Asker(d.socket) as asker:
            for n in numbers:
                asker.ask(**triplet(n))
            time.sleep(1.1)
            for n in numbers:
                reply = asker.ask(**triplet(n))
                check(reply.startswith("PREPEND X-Greylist"), reply)
        d.process.send_signal(signal.SIGKILL)
        d.process.wait()
        d.start()
        with Asker(d.socket) as asker:
            for n in numbers:
                equal(asker.ask(**triplet(n)), "DUNNO", f"triplet {n}")


@test
def a_kill_during_a_clean_stop(t):
    d = t.daemon(CONFIG, store="rocksdb")
    for kill in range(5):
        load = Load(d, kill * 1_000_000)
        time.sleep(0.2)
        d.process.send_signal(signal.SIGTERM)
        time.sleep(0.005 * kill)
        d.process.send_signal(signal.SIGKILL)
        acknowledged = load.join()
        d.process.wait()
        d.start()
        verify(d, acknowledged, "Greylisted early")


if __name__ == "__main__":
    test.main()
