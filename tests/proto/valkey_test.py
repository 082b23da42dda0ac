#!/usr/bin/env python3
"""The store valkey under a real greylagd: the server goes, mail flows, what was decided comes to it later."""
import json
import pathlib
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from harness import LIMIT, Asker, Skip, Tests, ask_once, check, equal, wait_for

test = Tests(__doc__)
CONFIG = 'reply text "Greylisted %w"\nstore deadline 300ms\n'


class Server:
    """A redis-server or valkey-server of the test's, on a UNIX socket; keeps its data over kills."""

    def __init__(self, t):
        self.program = shutil.which("valkey-server") or shutil.which("redis-server")
        if not self.program:
            raise Skip("needs redis-server or valkey-server")
        self.folder = t.folder / "server"
        self.folder.mkdir()
        self.socket = self.folder / "socket"
        self.process = None
        t.at_end(self.stop)
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [self.program, "--port", "0", "--unixsocket", self.socket, "--dir", self.folder, "--save", "",
             "--appendonly", "yes", "--appendfsync", "always"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        wait_for(lambda: self.socket.exists() and self.ask("PING") == "PONG", "the server")

    def ask(self, *words):
        r = subprocess.run([pathlib.Path(self.program).with_name(
            "valkey-cli" if "valkey" in self.program else "redis-cli"), "-s", self.socket, *words],
            capture_output=True, text=True, timeout=LIMIT)
        return r.stdout.strip()

    def stop(self):
        self.process.kill()
        self.process.wait()


def store(t, d):
    return json.loads(t.greylag(d, "status", "--json"))["store"]


def wait_health(t, d, word):
    wait_for(lambda: word in store(t, d)["health"], f"the health to say {word}", 20)


@test
def goes_and_comes(t):
    """Nobody waits for a server that is away, and nobody restarts anything."""
    server = Server(t)
    d = t.daemon(CONFIG, store=f"valkey unix:{server.socket}")
    with Asker(d.socket) as a:
        check("Greylisted new" in a.ask(client_address="10.0.0.1"), "it is remembered")
        server.stop()
        wait_health(t, d, "away for")
        started = time.monotonic()
        for i in range(200):
            equal(a.ask(client_address=f"10.0.1.{i}"), "DUNNO", "mail flows")
        check(time.monotonic() - started < 2, "and none waits its deadline")
        wait_health(t, d, "cannot be reached")
        server.start()
        wait_health(t, d, "good")
        check("Greylisted early" in a.ask(client_address="10.0.0.1"), "it has not forgotten")


@test
def whom_we_wrote_to(t):
    """Our people's mail is remembered though the server is away, also over a restart."""
    server = Server(t)
    journal = t.folder / "journal"
    d = t.daemon(CONFIG + f"store journal {journal}", store=f"valkey unix:{server.socket}")
    server.stop()
    wait_health(t, d, "away")
    for i in range(3):
        equal(ask_once(d.socket, client_address="203.0.113.1", sasl_username="carol", sasl_method="PLAIN",
                       sender="carol@example.net", recipient=f"friend{i}@example.org"), "DUNNO")
    wait_for(lambda: store(t, d)["journal_waiting"] >= 3, "the journal")
    check("wait for the store" in t.greylag(d, "status"), "status says so")
    d.stop(signal.SIGKILL)
    check(b"friend2" in journal.read_bytes(), "it is in the file")
    d.start()
    check(store(t, d)["journal_waiting"] >= 3, "and read again")
    server.start()
    wait_health(t, d, "good")
    wait_for(lambda: store(t, d)["journal_waiting"] == 0, "the journal to be merged")
    equal(ask_once(d.socket, client_address="10.0.0.9", sender="friend1@example.org", recipient="carol@example.net"),
          "DUNNO", "the answer passes at once")
    check("Greylisted" in ask_once(d.socket, client_address="10.0.0.9", sender="other@example.biz",
                                   recipient="dave@example.net"), "a stranger's does not")


@test
def hangs_in_between(t):
    """The server stops between reading and writing: the attempt is remembered once it goes on."""
    server = Server(t)
    d = t.daemon(CONFIG, store=f"valkey unix:{server.socket}")
    with Asker(d.socket) as a:
        check("Greylisted new" in a.ask(client_address="10.1.0.1"), "it works")
        server.process.send_signal(signal.SIGSTOP)
        started = time.monotonic()
        equal(a.ask(client_address="10.0.0.1"), "DUNNO", "after the deadline")
        first = time.monotonic() - started
        check(0.2 < first < 2, f"once: {first}")
        started = time.monotonic()
        equal(a.ask(client_address="10.2.0.1"), "DUNNO")
        check(time.monotonic() - started < 0.2, "and at once from then on")
        server.process.send_signal(signal.SIGCONT)
        wait_health(t, d, "good")
        check("Greylisted new" in a.ask(client_address="10.3.0.1"), "it works again")
    equal(d.stop(), 0)


@test
def journal_cannot_be_opened(t):
    server = Server(t)
    d = t.daemon(CONFIG + f"store journal {t.folder}/no/such/journal", store=f"valkey unix:{server.socket}", start=False)
    d.start(wait=False)
    equal(d.process.wait(LIMIT), 69, "exit status")
    check("/no/such/journal" in d.tail(), d.tail())


if __name__ == "__main__":
    test.main()
