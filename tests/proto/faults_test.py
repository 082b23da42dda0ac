#!/usr/bin/env python3
"""A store's server in trouble while mail comes: no request waits beyond its deadline, the daemon lives, and
afterwards nothing is missing that was acknowledged."""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import mariadb
from harness import LIMIT, Failure, Skip, Tests, check, equal, wait_for
from steady import Mail, Proxy
from valkey import stand

test = Tests(__doc__)
DEADLINE, SLACK, LASTS = 0.3, 3.5, 4.5  # seconds; the machine may be busy, but trouble lasts longer
CONFIG = f'reply text "Greylisted %w"\nidentity network\nstore deadline {int(DEADLINE * 1000)}ms\ncap identity 0\nlog passes no\n'


def recorded(t, d):
    """Number of the triplet, which its network tells -> attempts counted."""
    rows = [json.loads(line) for line in t.greylag(d, "--json", "dump").splitlines()]
    networks = {tuple(r["identity"].split(".")): r["blocked"] for r in rows if r["kind"] == "triplet"}
    return {int(high) << 8 | int(low): count for (_, high, low, _), count in networks.items()}


def survives(t, d, trouble, recovery, refuses=True, lasts=LASTS):
    """Plays the trouble under load, and checks all that is promised."""
    mail = Mail(d.socket)
    mail.wait(100, "mail before the trouble")
    trouble()
    began, sent = time.monotonic(), mail.sent
    if refuses:
        passed = mail.passed
        wait_for(lambda: mail.passed > passed + 50 or mail.trouble, "mail to pass meanwhile")
    time.sleep(max(0, lasts - (time.monotonic() - began)))
    wait_for(lambda: mail.sent > sent + 100 or mail.trouble, "mail to flow meanwhile")
    recovery()
    mail.wait(200, "mail afterwards")
    mail.end()
    check(mail.slowest < DEADLINE + SLACK, f"the slowest answer took {mail.slowest:.2f} s")
    check(d.alive(), "the daemon lives")
    wait_for(lambda: json.loads(t.greylag(d, "--json", "status"))["store"]["journal_waiting"] == 0, "the journal to be merged")
    time.sleep(1.2)
    there = recorded(t, d)
    equal([n for n in mail.acknowledged if n not in there], [], "acknowledged and missing")
    equal([n for n in there if there[n] > 1], [], "counted twice")
    print(f"# {mail.sent} requests, {len(mail.acknowledged)} acknowledged, {mail.passed} passed, slowest {mail.slowest * 1000:.0f} ms")
    equal(d.stop(), 0, "it stops")


# --- Valkey -----------------------------------------------------------------------

class Valkey:
    """Keeps what it acknowledged over a kill, in its log. disk: on a small disk of its own."""

    def __init__(self, t, sync="always", disk=False):
        self.program = shutil.which("valkey-server") or shutil.which("redis-server")
        if not self.program:
            raise Skip("needs redis-server or valkey-server")
        self.folder, self.sync, self.disk = t.folder / "server", sync, disk
        self.folder.mkdir()
        self.socket = t.folder / "valkey"
        t.at_end(self.kill)
        self.start()

    def start(self):
        command = [self.program, "--port", "0", "--unixsocket", str(self.socket), "--dir", str(self.folder), "--save", "",
                   "--appendonly", "yes", "--appendfsync", self.sync]
        if self.disk:
            command = in_a_namespace(f"mount -t tmpfs -o size=4m tmpfs {self.folder}", command)
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: self.ask("PING") == "PONG", "the server")

    def ask(self, *words):
        client = pathlib.Path(self.program).with_name("valkey-cli" if "valkey" in self.program else "redis-cli")
        r = subprocess.run([client, "-s", self.socket, *words], capture_output=True, text=True, timeout=LIMIT)
        return r.stdout.strip()

    def kill(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()


def in_a_namespace(prepare, command):
    """What the server mounts only it sees, and it goes with it."""
    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode:
        raise Skip("needs root, and mounts")
    return ["unshare", "-m", "sh", "-c", f'{prepare} && exec "$0" "$@"', *command]


def on_valkey(t, where):
    return t.daemon(CONFIG, store=f"valkey unix:{where}")


def fill(folder):
    """All of a disk; returns what frees it."""
    ballast = folder / "ballast"
    with open(ballast, "wb", buffering=0) as f:
        try:
            for size in (1 << 16, 1):
                while True:
                    f.write(b"x" * size)
        except OSError:
            pass
    return ballast.unlink


@test
def valkey_killed(t):
    server = Valkey(t)
    survives(t, on_valkey(t, server.socket), server.kill, server.start)


@test
def valkey_paused(t):
    server = Valkey(t)
    survives(t, on_valkey(t, server.socket), lambda: stand(server.process),
             lambda: server.process.send_signal(signal.SIGCONT))


def through_proxy(t, open_daemon, server, trouble, refuses):
    proxy = Proxy(t, server)
    d = open_daemon(proxy.socket)

    def mood(delay=0.0, cut_after=0):
        proxy.delay, proxy.cut_after = delay, cut_after
    survives(t, d, lambda: mood(**trouble), mood, refuses)


@test
def valkey_reset_mid_reply(t):
    through_proxy(t, lambda s: on_valkey(t, s), Valkey(t).socket, {"cut_after": 3}, True)


@test
def valkey_slow_replies(t):
    through_proxy(t, lambda s: on_valkey(t, s), Valkey(t).socket, {"delay": DEADLINE * 2}, True)


@test
def valkey_slow_in_time(t):
    through_proxy(t, lambda s: on_valkey(t, s), Valkey(t).socket, {"delay": DEADLINE / 20}, False)


@test
def valkey_out_of_memory(t):
    server = Valkey(t)
    survives(t, on_valkey(t, server.socket), lambda: server.ask("CONFIG", "SET", "maxmemory", "1"),
             lambda: server.ask("CONFIG", "SET", "maxmemory", "0"))


@test
def valkey_disk_full(t):
    server, free = Valkey(t, "everysec", disk=True), []
    d = on_valkey(t, server.socket)
    inside = pathlib.Path(f"/proc/{server.process.pid}/root{server.folder}")
    survives(t, d, lambda: free.append(fill(inside)), lambda: free[0]())


@test
def valkey_wrong_password(t):
    server = Valkey(t)

    def change():
        server.ask("CONFIG", "SET", "requirepass", "other")
        server.ask("-a", "other", "CLIENT", "KILL", "TYPE", "normal")
    survives(t, on_valkey(t, server.socket), change, lambda: server.ask("-a", "other", "CONFIG", "SET", "requirepass", ""))


# --- MariaDB ----------------------------------------------------------------------

def prepared(t, server):
    """A user with a password, and the tables."""
    server.query("CREATE DATABASE IF NOT EXISTS greylag; CREATE USER lag@localhost IDENTIFIED BY 'x'; GRANT ALL ON greylag.* TO lag@localhost")
    (t.folder / "password").write_text("x\n")


def on_mariadb(t, where, config=CONFIG):
    user, store = f"store user lag password-file {t.folder}/password", f"mariadb {where}/greylag"
    init = t.folder / "init.conf"
    init.write_text(f"listen policy unix {t.folder}/unused\nstore {store}\n{user}\n")
    r = subprocess.run([t.args.greylag, "store", "init", f"config:{init}"], capture_output=True, text=True, timeout=LIMIT)
    equal(r.returncode, 0, r.stderr)
    return t.daemon(config + user, store=store)


def alone(t):
    server = mariadb.alone(t)
    prepared(t, server)
    return server, on_mariadb(t, f"unix:{server.socket}")


@test
def mariadb_killed(t):
    server, d = alone(t)
    survives(t, d, server.kill, server.start)


@test
def mariadb_paused(t):
    server, d = alone(t)
    survives(t, d, lambda: server.send_signal(signal.SIGSTOP), lambda: server.send_signal(signal.SIGCONT))


def mariadb_proxied(t, trouble, refuses):
    server = mariadb.alone(t)
    prepared(t, server)
    through_proxy(t, lambda s: on_mariadb(t, f"unix:{s}"), server.socket, trouble, refuses)


@test
def mariadb_reset_mid_reply(t):
    mariadb_proxied(t, {"cut_after": 5}, True)


@test
def mariadb_slow_replies(t):
    mariadb_proxied(t, {"delay": DEADLINE * 2}, True)


@test
def mariadb_slow_in_time(t):
    mariadb_proxied(t, {"delay": DEADLINE / 20}, False)


@test
def lists_change_while_others_changes_are_looked_for(t):
    """The counter of changes is asked while entries come in by several ways at once."""
    server = mariadb.alone(t)
    prepared(t, server)
    proxy = Proxy(t, server.socket)
    d = on_mariadb(t, f"unix:{proxy.socket}", "store deadline 20s\n")
    proxy.delay = DEADLINE / 10
    now, failed = int(time.time()), []

    def add(way):
        for i in range(40):
            row = {"what": "record", "key": f"l allow client 10.{way}.{i}.1", "generation": 0, "first_seen": now,
                   "last_seen": now, "passed_at": now, "expires": now + 86400, "blocked": 0, "passed": 0}
            try:
                with socket.socket(socket.AF_UNIX) as s:
                    s.settimeout(LIMIT)
                    s.connect(str(d.control))
                    s.sendall(json.dumps({"cmd": "import", "rows": [row]}).encode() + b"\n")
                    with s.makefile() as answers:
                        check('"added":1' in answers.readline(), "the entry is new")
            except (OSError, Failure) as e:
                failed.append(str(e))
                return
    ways = [threading.Thread(target=add, args=(n,)) for n in range(8)]
    for w in ways:
        w.start()
    for w in ways:
        w.join(LIMIT)
    equal(failed, [], "the daemon lives")
    wait_for(lambda: len(t.greylag(d, "--json", "lists", "allow").splitlines()) == 320, "all entries")


@test
def mariadb_wrong_password(t):
    server, d = alone(t)

    def change():
        server.query("ALTER USER lag@localhost IDENTIFIED BY 'other'")
        server.query("KILL USER lag@localhost")
    survives(t, d, change, lambda: server.query("ALTER USER lag@localhost IDENTIFIED BY 'x'"))


@test
def mariadb_disk_full(t):
    """The disk of the database; the server's own files are on another."""
    mariadb.need()
    mariadb.install(t.folder / "fresh")
    server, free = mariadb.Server(t.folder / "db", t.folder / "fresh", "--skip-networking"), []
    database = server.folder / "data" / "greylag"
    database.mkdir()
    server.wrap = in_a_namespace(f"mount -t tmpfs -o size=3m,mode=0777 tmpfs {database}", [])
    t.at_end(server.kill)
    server.start()
    prepared(t, server)
    d = on_mariadb(t, f"unix:{server.socket}")
    inside = pathlib.Path(f"/proc/{server.process.pid}/root{database}")
    survives(t, d, lambda: free.append(fill(inside)), lambda: free[0]())


@test
def galera_node_cut_off(t):
    """The daemon's node loses the others: it goes over to one that has them, which has all that was acknowledged."""
    nodes = mariadb.cluster(t)
    prepared(t, nodes[0])
    d = on_mariadb(t, f"127.0.0.1:{nodes[1].port},127.0.0.1:{nodes[0].port}")

    def isolate(value):
        nodes[1].query(f"SET GLOBAL wsrep_provider_options = 'gmcast.isolate={value}'")
    survives(t, d, lambda: isolate(1), lambda: isolate(0), refuses=False, lasts=6)


if __name__ == "__main__":
    test.main()
