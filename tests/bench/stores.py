"""./dev bench --stores: what each store costs beside the embedded one, in one run.

Known traffic and new triplets, by turns on all stores, the middle one of three rounds.
What a verdict costs the server is counted there: commands or statements, bytes to and fro,
and processor time. Of a cluster the busiest primary's share matters: it is what more primaries
take off it. On a machine with few cores that says more than the total rate does.
"""
import subprocess
import sys
import time

import mariadb
import valkey
from harness import LIMIT

PLAIN = "cap total 0\ncap identity 0\nidentity network\ngreylist delay 1s\n"
POOL, ROUNDS = 20000, 3


class Embedded:
    def __init__(self, t, name):
        self.name, self.store, self.settings = name, name, ""

    def spent(self):
        return 0, 0, 0.0


class Servers:
    """One server, or the primaries of a cluster."""

    def __init__(self, name, target, servers):
        self.name, self.store, self.settings, self.servers = name, target, "", servers
        self.before = None

    def spent(self):
        """Commands, bytes, and the processor seconds of the busiest, since the last call."""
        now = [s.spent() for s in self.servers]
        before, self.before = self.before or [(0, 0, 0.0)] * len(now), now
        commands, moved, seconds = zip(*([n - b for n, b in zip(new, old)] for new, old in zip(now, before)))
        return sum(commands), sum(moved), max(seconds)


class Database:
    def __init__(self, t):
        self.name, self.server, self.before = "mariadb", mariadb.alone(t), (0, 0, 0.0)
        self.server.query("CREATE DATABASE greylag")
        self.store, self.settings = f"mariadb unix:{self.server.socket}/greylag", "store user root\n"
        config = t.folder / "init.conf"
        config.write_text(f"listen policy unix {t.folder}/unused\nstore {self.store}\n{self.settings}")
        subprocess.run([t.args.greylag, "store", "init", f"config:{config}"], check=True, stdout=subprocess.DEVNULL, timeout=LIMIT)

    def spent(self):
        status = dict(line.split() for line in self.server.query("SHOW GLOBAL STATUS").splitlines() if len(line.split()) == 2)
        now = int(status["Com_stmt_execute"]), int(status["Bytes_received"]) + int(status["Bytes_sent"]), \
            valkey.processor_seconds(self.server.process.pid)
        before, self.before = self.before, now
        return tuple(n - b for n, b in zip(now, before))


def stores(t):
    yield Embedded(t, "memory")
    yield Embedded(t, "rocksdb")
    server = valkey.Server(t)
    yield Servers("valkey", f"valkey unix:{server.socket}", [server])
    for count in 1, 2, 3:
        primaries = valkey.cluster(t, count)
        yield Servers(f"valkey cluster of {count}", "valkey cluster:" + ",".join(f"127.0.0.1:{p.port}" for p in primaries), primaries)
    yield Database(t)


def middle(rows, column):
    return sorted(row[column] for row in rows)[len(rows) // 2]


class Row:
    def __init__(self, b, t, store, number):
        self.b, self.store, self.first = b, store, (number + 1) << 41
        self.known, self.new = [], []
        self.daemon = t.daemon(PLAIN + store.settings, store=store.store, penalties=True)

    def attempts(self, label):
        self.b.run(f"  ({label}, {self.store.name})", self.daemon.socket, 32, POOL, "-k", POOL, "-f", 0, "-w", "-o", self.first)

    def measure(self, kept, kind, connections, n, *options):
        self.store.spent()
        rate = self.b.run(f"{self.store.name}, {kind}", self.daemon.socket, connections, n, *options)
        time.sleep(1.2)  # what nobody waits for is written then
        commands, moved, seconds = self.store.spent()
        kept.append((rate, self.b.p99, commands / n, moved / n, seconds / n * 1e6))

    def known_round(self, n):
        self.measure(self.known, "known", 32, n, "-k", POOL, "-f", 0, "-o", self.first)

    def new_round(self, n):
        self.measure(self.new, "new", 128, n, "-o", self.first + (1 << 40) + len(self.new) * n)


def show(rows, kind, base):
    print(f"\n{kind + ':':22s} {'rate':>9s} {'of rocksdb':>11s} {'p99 ms':>7s} {'commands':>9s} {'bytes':>6s} {'server us':>10s}   a verdict, the busiest server's")
    for row in rows:
        figures = row.known if kind == "known" else row.new
        rate = middle(figures, 0)
        print(f"{row.store.name:22s} {rate:8d}/s {rate / base:11.2f} {middle(figures, 1) / 1000:7.2f} "
              f"{middle(figures, 2):9.2f} {middle(figures, 3):6.0f} {middle(figures, 4):10.2f}")


def run(b, t, n):
    sys.stdout.flush()
    rows = [Row(b, t, store, i) for i, store in enumerate(stores(t))]
    for label in "first attempts", "first retries":
        for row in rows:
            row.attempts(label)
        time.sleep(1.2)
    for _ in range(ROUNDS):
        for row in rows:
            row.known_round(n // 4)
    for _ in range(ROUNDS):
        for row in rows:
            row.new_round(n // 8)
    embedded = rows[1]
    show(rows, "known", middle(embedded.known, 0))
    show(rows, "new", middle(embedded.new, 0))
    ratio = middle(rows[2].known, 0) / middle(embedded.known, 0)
    print(f"\nknown traffic, valkey on loopback, of the embedded store {ratio:5.2f}   (aim 0.4)")
    print(f"a record in valkey's memory, bytes                        {rows[2].store.servers[0].memory_per_record():5.0f}")
    alone = middle(rows[3].new, 4)
    shares = ", ".join(f"{count} primaries {alone / middle(row.new, 4):.2f}" for count, row in ((2, rows[4]), (3, rows[5])))
    print(f"new triplets that the busiest primary could take, times one primary's: {shares}")
