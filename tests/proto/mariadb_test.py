#!/usr/bin/env python3
"""greylagd on MariaDB and on a Galera cluster; greylag store init and copy."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import mariadb
from harness import LIMIT, Asker, Skip, Tests, ask_once, check, equal, free_port, listens_at, wait_for

test = Tests(__doc__)
NEW = 'reply text "Greylisted %w"'
FIRST, EARLY = "DEFER_IF_PERMIT 4.2.0 Greylisted new", "DEFER_IF_PERMIT 4.2.0 Greylisted early"
DEADLINE = 5  # seconds; longer than a busy machine needs for an answer
LONG = f"{NEW}\ngreylist delay 1h"  # longer than the test may take
SETTINGS = f"store user root deadline {DEADLINE}s\n{LONG}"


def greylag(t, *words, status=0):
    r = subprocess.run([t.args.greylag, *words], capture_output=True, text=True, timeout=120)
    equal(r.returncode, status, f"greylag {' '.join(words)}: {r.stdout}{r.stderr}")
    return r.stdout + r.stderr


def config(t, name, store, more="store user root"):
    """A configuration for `config:FILE`."""
    path = t.folder / name
    path.write_text(f"listen policy unix {t.folder}/unused\nstore {store}\n{more}\n")
    return f"config:{path}"


def database(t, server, name="greylag", prepare=True):
    server.query(f"CREATE DATABASE {name}")
    target = f"mariadb unix:{server.socket}/{name}"
    if prepare:
        greylag(t, "store", "init", config(t, f"{name}.conf", target))
    return target


def waiting(t, d):
    return json.loads(t.greylag(d, "--json", "status"))["store"]["journal_waiting"]


def records(t, d):
    """Key parts -> (blocked, passed) of all records."""
    rows = [json.loads(line) for line in t.greylag(d, "--json", "dump").splitlines()]
    return {(r["identity"], r.get("sender"), r.get("recipient")): (r["blocked"], r["passed"]) for r in rows if "identity" in r}


@test
def serves_and_survives(t):
    """Killed, paused, back: mail flows, and the daemon lives."""
    server = mariadb.alone(t)
    d = t.daemon(SETTINGS, store=database(t, server))
    with Asker(d.socket) as a:
        equal(a.ask(), FIRST)
        equal(a.ask(), EARLY)
        server.kill()
        equal(a.ask(), "DUNNO", "killed: mail flows")
        started = time.monotonic()
        for _ in range(200):
            equal(a.ask(), "DUNNO")
        check(time.monotonic() - started < 4 * DEADLINE, "without waiting for each")
        wait_for(lambda: "cannot be reached" in t.greylag(d, "status"), "status to say so")
        server.start()
        wait_for(lambda: a.ask(client_address="10.1.1.1") != "DUNNO", "the server to be used again")
        equal(a.ask(), EARLY, "what was known is known")
        server.send_signal(signal.SIGSTOP)
        started = time.monotonic()
        equal(a.ask(), "DUNNO", "paused: mail flows")
        check(DEADLINE - 0.1 < time.monotonic() - started < 1.9 * DEADLINE, "after the deadline")
        started = time.monotonic()
        equal(a.ask(), "DUNNO")
        check(time.monotonic() - started < DEADLINE, "and then without one")
        server.send_signal(signal.SIGCONT)
        wait_for(lambda: a.ask(client_address="10.1.1.2") != "DUNNO", "the server to answer again")
        equal(a.ask(), EARLY, "what was known is known")
    server.send_signal(signal.SIGSTOP)
    equal(d.stop(), 0, "it stops while the server hangs")


@test
def journal(t):
    """Our people's mail while the database is away is remembered, also over a restart, and each mail once."""
    server = mariadb.alone(t)
    journal = t.folder / "journal"
    d = t.daemon(SETTINGS + f"\nstore journal {journal}", store=database(t, server))
    own = dict(client_address="203.0.113.1", sasl_username="carol", sasl_method="PLAIN", sender="carol@example.net")
    server.kill()
    wait_for(lambda: "cannot be reached" in t.greylag(d, "status"), "the daemon to notice")
    for i in range(6):
        equal(ask_once(d.socket, recipient=f"friend{i % 3}@example.org", **own), "DUNNO")
    wait_for(lambda: waiting(t, d) >= 3, "the journal")
    d.stop(signal.SIGKILL)
    check(b"friend2" in journal.read_bytes(), "it is in the file")
    d.start()
    check(waiting(t, d) >= 3, "and read again")
    server.start()
    wait_for(lambda: waiting(t, d) == 0, "the journal to be merged")
    equal(ask_once(d.socket, client_address="10.0.0.9", sender="friend1@example.org", recipient="carol@example.net"),
          "DUNNO", "the answer passes at once")
    check("Greylisted" in ask_once(d.socket, client_address="10.0.0.9", sender="other@example.biz",
                                   recipient="dave@example.net"), "a stranger's does not")
    count = "SELECT SUM(passed) FROM greylag.greylag_records WHERE k LIKE '%friend2%'"
    equal(server.query(count), "2", "each mail once")


@test
def starts_without_tables(t):
    server = mariadb.alone(t)
    store = database(t, server, prepare=False)
    d = t.daemon(SETTINGS, store=store)
    equal(ask_once(d.socket), "DUNNO", "mail flows")
    wait_for(lambda: "greylag store init" in t.greylag(d, "status"), "status to say what to do")
    equal(greylag(t, "store", "init", config(t, "c", store)), f"{store} is ready\n")
    wait_for(lambda: ask_once(d.socket, client_address="10.1.1.1") != "DUNNO", "the tables to be found")
    check("Unknown database" in greylag(t, "store", "init", config(t, "x", f"mariadb unix:{server.socket}/nobody"), status=69),
          "a missing database")


@test
def tls(t):
    if not shutil.which("openssl"):
        raise Skip("needs openssl")
    mariadb.need()
    folder = t.folder

    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test ca", "-keyout", "ca.key", "-out", "ca.pem")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout", "key.pem", "-out", "req.pem")
    openssl("x509", "-req", "-in", "req.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-out", "cert.pem")
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=other ca", "-keyout", "o.key", "-out", "other.pem")
    mariadb.install(folder / "fresh")
    port = free_port()
    server = mariadb.Server(folder / "db", folder / "fresh", "--bind-address=127.0.0.1", f"--port={port}", f"--ssl-cert={folder}/cert.pem",
                            f"--ssl-key={folder}/key.pem")
    t.at_end(server.kill)
    server.start()
    server.query("CREATE DATABASE greylag; CREATE USER lag@localhost IDENTIFIED BY 'x' REQUIRE SSL; "
                 "GRANT ALL ON greylag.* TO lag@localhost")
    (folder / "password").write_text("x\n")
    store, user = f"mariadb localhost:{port}/greylag", f"store user lag password-file {folder}/password deadline {DEADLINE}s"
    check("Access denied" in greylag(t, "store", "init", config(t, "plain", store, user), status=69), "without TLS")
    greylag(t, "store", "init", config(t, "good", store, user + f" tls-ca {folder}/ca.pem"))
    greylag(t, "store", "init", config(t, "bad", store, user + f" tls-ca {folder}/other.pem"), status=69)
    d = t.daemon(f"{user} tls-ca {folder}/ca.pem\n{NEW}", store=store)
    equal(ask_once(d.socket), FIRST)


# --- store copy -------------------------------------------------------------------

def redis(t):
    if not shutil.which("redis-server"):
        raise Skip("needs redis-server")
    where = t.folder / "redis"
    p = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", str(where), "--save", "", "--dir", str(t.folder)],
                         stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    t.at_end(lambda: (p.kill(), p.wait()))
    wait_for(lambda: listens_at(where), "redis")
    return f"valkey:unix:{where}"


def copied(t, *words):
    """How many records were read and written."""
    row = json.loads(greylag(t, "--json", "store", "copy", *words))
    return row["read"], row["written"]


@test
def copies_between_all_stores(t):
    server = mariadb.alone(t)
    d = t.daemon(NEW + "\ngreylist delay 0s", store="rocksdb")
    with Asker(d.socket) as a:
        for i in range(1500):
            a.ask(client_address=f"10.{i >> 8}.{i & 255}.1", sender=f"s{i}@example.org")
        for i in range(0, 1500, 3):
            a.ask(client_address=f"10.{i >> 8}.{i & 255}.1", sender=f"s{i}@example.org")
    wanted = records(t, d)
    check(len(wanted) >= 1500, "records to copy")
    embedded = f"rocksdb:{d.store_folder}"
    target = database(t, server)
    shared = config(t, "shared", target)
    check("another greylagd" in greylag(t, "store", "copy", embedded, shared, status=69), "the daemon holds it")
    equal(d.stop(), 0)
    # What waits to be written when the daemon stops is written then.
    total, written = copied(t, embedded, shared)
    # There are records that a dump does not show.
    check(total >= len(wanted), f"{total} records of {len(wanted)}")
    equal(written, total)
    for _ in range(2):
        equal(copied(t, embedded, shared), (total, 0), "nothing twice")
    equal(greylag(t, "store", "copy", embedded, shared), f"{total} records, 0 written\n", "in words")
    cache = redis(t)
    equal(copied(t, shared, cache), (total, total))
    back = t.folder / "back"
    back.mkdir()
    greylag(t, "store", "copy", cache, f"rocksdb:{back}")
    d2 = t.daemon(NEW, store=f"rocksdb {back}")
    d3 = t.daemon(SETTINGS, store=target)
    for other in d2, d3:
        got = records(t, other)
        equal(sorted(got), sorted(wanted), "the keys")
        equal([k for k in got if got[k][0] != wanted[k][0]], [], "counts")
    # A quiet source that has grown meanwhile adds what is new.
    equal(d2.stop(), 0)
    d.start()
    ask_once(d.socket, sender="late@example.org")
    equal(d.stop(), 0)
    equal(copied(t, embedded, shared)[1] in range(1, 10), True, "only what is new")


@test
def copy_that_cannot(t):
    check("there is no store" in greylag(t, "store", "copy", f"rocksdb:{t.folder}/no", "memory:x", status=69), "no source")
    check(not (t.folder / "no").exists(), "none was made")
    for words in ([], ["x"], ["copy"], ["copy", "rocksdb:/x"], ["copy", "rocksdb", "valkey"], ["copy", "nix:x", "rocksdb:/x"],
                  ["init", "mariadb:x"], ["init", "a", "b"], ["copy", "config:/nonexistent", "rocksdb:/x"]):
        greylag(t, "store", *words, status=64)
    d = t.daemon(NEW, store="rocksdb")
    ask_once(d.socket)
    d.stop()
    check("cannot be reached" in greylag(t, "store", "copy", f"rocksdb:{d.store_folder}", "mariadb:127.0.0.1:1/x", status=69), "away")


@test
def copy_as_the_owner(t):
    """Root leaves no files that the daemon's user could not open."""
    if os.geteuid() != 0:
        raise Skip("needs root")
    d = t.daemon(NEW, store="rocksdb")
    ask_once(d.socket)
    d.stop()
    target = t.folder / "target"
    target.mkdir()
    t.folder.chmod(0o755)
    subprocess.run(["chown", "-R", "nobody", target, d.store_folder], check=True)
    wanted = target.stat().st_uid
    check(copied(t, f"rocksdb:{d.store_folder}", f"rocksdb:{target}")[1] >= 1, "it is copied")
    equal({f.stat().st_uid for folder in (target, d.store_folder) for f in folder.iterdir()}, {wanted}, "the owner")


# --- Galera -----------------------------------------------------------------------

@test
def galera(t):
    """Two daemons, each on a node of its own, count together exactly; a node goes, and mail is judged on."""
    nodes = mariadb.cluster(t)
    names = [f"127.0.0.1:{n.port}" for n in nodes]
    nodes[0].query("CREATE DATABASE greylag; CREATE USER lag@localhost IDENTIFIED BY 'x'; GRANT ALL ON greylag.* TO lag@localhost")
    (t.folder / "password").write_text("x\n")
    user = f"store user lag password-file {t.folder}/password deadline {DEADLINE}s"
    stores = [f"mariadb {','.join(order)}/greylag" for order in (names, names[::-1])]
    greylag(t, "store", "init", config(t, "c", stores[0], user))
    greylag(t, "store", "init", config(t, "c", stores[1], user))
    both = [t.daemon(f"{user}\n{LONG}", store=s) for s in stores]
    each, failures = 300, []

    def send(d, many):
        with Asker(d.socket) as a:
            for i in range(many):
                if not a.ask(sender=f"s{i % 5}@example.org").startswith("DEFER"):
                    failures.append(i)
    threads = [threading.Thread(target=send, args=(d, each)) for d in both for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(failures, [], "each attempt was counted")
    total = "SELECT COALESCE(SUM(blocked), 0) FROM greylag.greylag_records"
    for node in nodes:
        wait_for(lambda: int(node.query(total)) == 4 * each, f"an exact count, not {node.query(total)}")
    check(nodes[0].status("wsrep_cluster_size") == "2", "they are still a cluster")
    # The second node dies: its daemon goes over to the first.
    nodes[1].kill()
    wait_for(lambda: ask_once(both[1].socket, client_address="10.1.1.1").startswith("DEFER"), "the other node to be used", 60)
    equal(ask_once(both[0].socket, client_address="10.1.1.1"), EARLY, "both on one node")
    # The first hangs as well: mail flows.
    nodes[0].send_signal(signal.SIGSTOP)
    for d in both:
        equal(ask_once(d.socket), "DUNNO")
        check(d.alive(), "it lives")
    nodes[0].send_signal(signal.SIGCONT)
    for d in both:
        wait_for(lambda: ask_once(d.socket) == EARLY, "the node that is back", 60)


@test
def galera_any_order(t):
    """Random deltas from writers on both nodes, in any order, give what merging them one by one gives."""
    program = pathlib.Path(t.args.greylagd).parents[2] / "tests" / "test_store_writers"
    if not program.exists():
        raise Skip("needs the tests of the store, built")
    nodes = mariadb.cluster(t)
    nodes[0].query("CREATE DATABASE greylag; CREATE USER lag@localhost IDENTIFIED BY 'x'; GRANT ALL ON greylag.* TO lag@localhost")
    (t.folder / "password").write_text("x\n")
    targets = [f"127.0.0.1:{n.port}/greylag" for n in nodes]
    greylag(t, "store", "init", config(t, "c", f"mariadb {targets[0]}", f"store user lag password-file {t.folder}/password"))
    r = subprocess.run([program, "lag", t.folder / "password", *targets], capture_output=True, text=True, timeout=240)
    equal(r.returncode, 0, r.stdout[-1500:] + r.stderr[-1500:])
    for node in nodes:
        wait_for(lambda: node.query("SELECT COUNT(*) FROM greylag.greylag_records") == "200", "the same records on each")


@test
def galera_without_quorum(t):
    """A node that has lost its cluster refuses; mail flows, and the daemon waits."""
    nodes = mariadb.cluster(t)
    nodes[0].query("CREATE DATABASE greylag; CREATE USER lag@localhost IDENTIFIED BY 'x'; GRANT ALL ON greylag.* TO lag@localhost")
    (t.folder / "password").write_text("x\n")
    user = f"store user lag password-file {t.folder}/password deadline {DEADLINE}s consistent-reads yes"
    store = f"mariadb 127.0.0.1:{nodes[1].port}/greylag"
    greylag(t, "store", "init", config(t, "c", store, user))
    d = t.daemon(f"{user}\n{LONG}", store=store)
    equal(ask_once(d.socket), FIRST)
    nodes[0].kill()
    wait_for(lambda: ask_once(d.socket, client_address="10.1.1.1") == "DUNNO", "the node to notice")
    wait_for(lambda: "WSREP" in t.greylag(d, "status"), "status to say why")
    nodes[1].query("SET GLOBAL wsrep_provider_options = 'pc.bootstrap=YES'")
    wait_for(lambda: ask_once(d.socket) == EARLY, "the node that serves again", 60)


if __name__ == "__main__":
    test.main()
