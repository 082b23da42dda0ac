#!/usr/bin/env python3
"""The store valkey under a real greylagd: the server goes, mail flows, what was decided comes to it later."""
import json
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from harness import LIMIT, Asker, Skip, Tests, ask_once, check, equal, wait_for
from valkey import stand

test = Tests(__doc__)
DEADLINE = 5  # seconds; longer than a busy machine needs for an answer
CONFIG = f'reply text "Greylisted %w"\ngreylist delay 1h\nstore deadline {DEADLINE}s\n'
HASTY = CONFIG.replace(f"{DEADLINE}s", "300ms")  # where no answer is any good


class Server:
    """A redis-server or valkey-server of the test's, on a UNIX socket; keeps its data over kills, for which no
    disk has to be waited for."""

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
             "--appendonly", "yes", "--appendfsync", "no"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
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


class Fake:
    """Answers a command's words with whatever `answer` gives; greetings as a server would."""

    def __init__(self, t, answer):
        self.answer, self.listener = answer, socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        t.at_end(self.listener.close)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection, connection.makefile("rb") as f:
            try:
                while line := f.readline():
                    words = []
                    for _ in range(int(line[1:])):
                        words.append(f.read(int(f.readline()[1:]) + 2)[:-2])
                    connection.sendall(self.greeting(words) or self.answer(words))
            except (OSError, ValueError):
                pass

    @staticmethod
    def greeting(words):
        return {b"SELECT": b"+OK\r\n", b"SCRIPT": b"$40\r\n" + b"0" * 40 + b"\r\n", b"PING": b"+PONG\r\n",
                b"INFO": b"$0\r\n\r\n", b"DBSIZE": b":0\r\n"}.get(words[0])


def store(t, d):
    return json.loads(t.greylag(d, "status", "--json"))["store"]


def wait_health(t, d, word):
    wait_for(lambda: word in store(t, d)["health"], f"the health to say {word}")


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
        check(time.monotonic() - started < DEADLINE, "and none waits its deadline")
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
        stand(server.process)
        started = time.monotonic()
        equal(a.ask(client_address="10.0.0.1"), "DUNNO", "after the deadline")
        first = time.monotonic() - started
        check(DEADLINE - 0.1 < first < 1.9 * DEADLINE, f"once: {first}")
        started = time.monotonic()
        equal(a.ask(client_address="10.2.0.1"), "DUNNO")
        check(time.monotonic() - started < DEADLINE, "and at once from then on")
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


REDIRECTS = [
    b"-MOVED\r\n", b"-MOVED \r\n", b"-MOVED 1\r\n", b"-MOVED 99999 127.0.0.1:1\r\n", b"-MOVED -1 127.0.0.1:1\r\n",
    b"-MOVED 1 localhost:6379\r\n", b"-MOVED 1 /etc/passwd:1\r\n", b"-MOVED 1 unix:/x:1\r\n", b"-MOVED 1 127.0.0.1:99999\r\n",
    b"-MOVED 1 127.0.0.1:1\r\n", b"-ASK 1 127.0.0.1:1\r\n", b"-ASK 1 :1\r\n", b"-MOVED 1 " + b"x" * 5000 + b":1\r\n",
    b"-MOVED 1 \xff\0:1\r\n", b"-NOSCRIPT x\r\n", b"-CLUSTERDOWN x\r\n", b"-READONLY x\r\n", b"*0\r\n", b"$-1\r\n", b":7\r\n",
    b"*1\r\n*1\r\n$1\r\nx\r\n", b"!garbage\r\n", b"\0\0\0\r\n", b"*999999999999\r\n", b"$5\r\nab"]


def slots(*ranges):
    return b"*%d\r\n" % len(ranges) + b"".join(ranges)


def slot_range(first, last, address, port):
    return b"*3\r\n:%d\r\n:%d\r\n*3\r\n$%d\r\n%s\r\n:%d\r\n$2\r\nid\r\n" % (first, last, len(address), address, port)


@test
def cluster_talks_nonsense(t):
    """Redirections that lead nowhere, in circles, or that are none: mail flows, nobody crashes."""
    turn = [0]

    def answer(words):
        if words[0] == b"CLUSTER":
            return slots(slot_range(0, 16383, b"", fake.port))
        turn[0] += 1
        return REDIRECTS[turn[0] % len(REDIRECTS)]
    fake = Fake(t, answer)
    d = t.daemon(HASTY, store=f"valkey cluster:127.0.0.1:{fake.port}")
    until = time.monotonic() + LIMIT
    with Asker(d.socket) as a:
        while turn[0] < 2 * len(REDIRECTS) and time.monotonic() < until:
            equal(a.ask(client_address=f"10.{turn[0] % 250}.0.1"), "DUNNO", "mail flows")
            time.sleep(0.005)
    check(turn[0] > len(REDIRECTS), "each was said")
    check(d.alive(), "it lives")
    equal(d.stop(), 0)


@test
def cluster_map_is_nonsense(t):
    maps = [
        b"*1\r\n:1\r\n", slots(slot_range(-5, 99999, b"127.0.0.1", 1)), slots(slot_range(9, 1, b"127.0.0.1", 1)),
        slots(slot_range(0, 16383, b"no.such.name", 1)), slots(slot_range(0, 16383, b"127.0.0.1", 0)),
        slots(slot_range(0, 16383, b"127.0.0.1", 99999)), slots(slot_range(0, 16383, b"x" * 300, 1)), b"*1\r\n*3\r\n:0\r\n:1\r\n*0\r\n",
        b"*1\r\n*3\r\n:0\r\n:1\r\n*1\r\n$1\r\nx\r\n", b"*0\r\n", b"$1\r\nx\r\n", b"-ERR no\r\n",
        slots(*(slot_range(i, i, b"127.0.%d.%d" % (i >> 8, i & 255), 1) for i in range(600)))]
    said = [0]

    def answer(words):
        if words[0] != b"CLUSTER":
            return b"-ERR\r\n"
        said[0] += 1
        return maps[(said[0] - 1) % len(maps)]
    fake = Fake(t, answer)
    d = t.daemon(HASTY, store=f"valkey cluster:127.0.0.1:{fake.port}")
    wait_for(lambda: said[0] > len(maps), "all maps to be read")
    equal(ask_once(d.socket), "DUNNO", "mail flows")
    check("store valkey" in store(t, d)["health"], "and status says why nothing is remembered")
    equal(d.stop(), 0)


@test
def sentinel_talks_nonsense(t):
    def master(**fields):
        words = [w for pair in fields.items() for w in pair]
        return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in
                                                 (w if isinstance(w, bytes) else w.replace("_", "-").encode() for w in words))
    answers = [
        b"*0\r\n", b"*1\r\n$2\r\nip\r\n", b"*2\r\n:1\r\n:2\r\n", b"$-1\r\n", b"-ERR \xff\0\r\n", b"-IDONTKNOW\r\n",
        master(ip="127.0.0.1", port="x", config_epoch="1"), master(ip="a name", port="1", config_epoch="1"),
        master(ip="127.0.0.1", port="1"), master(ip="127.0.0.1", port="0", config_epoch="1"),
        master(ip="127.0.0.1", port="1", config_epoch="-1"), master(ip="127.0.0.1", port="1", config_epoch="18446744073709551616"),
        master(ip="/etc/passwd", port="1", config_epoch="9"), master(ip=b"x" * 1000, port="1", config_epoch="9")]
    said = [0]

    def answer(words):
        said[0] += 1
        return answers[said[0] % len(answers)]
    fakes = [Fake(t, answer) for _ in range(8)]
    d = t.daemon(HASTY, store="valkey sentinel:mx@" + ",".join(f"127.0.0.1:{f.port}" for f in fakes))
    wait_for(lambda: said[0] > 2 * len(answers), "all answers to be read")
    equal(ask_once(d.socket), "DUNNO", "mail flows")
    check("sentinel" in store(t, d)["health"], store(t, d)["health"])
    equal(d.stop(), 0)


if __name__ == "__main__":
    test.main()
