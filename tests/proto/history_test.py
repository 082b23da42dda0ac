#!/usr/bin/env python3
"""The history: counted exactly, kept in the store, summed over mail exchangers."""
import json
import pathlib
import signal
import socket
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import mariadb
import mariadb_test
from harness import LIMIT, Asker, Tests, check, equal, wait_for
from valkey import Server

test = Tests(__doc__)
CONFIG = "greylist delay 0\nstore deadline 20s\ntrap recipient honey@example.net\nallow client 203.0.113.0/24"


def command(d, **arguments):
    """What the control socket answers: rows, and "end" or the error's text."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(LIMIT)
        s.connect(str(d.control))
        s.sendall(json.dumps(arguments).encode() + b"\n")
        rows = []
        for line in s.makefile():
            row = json.loads(line)
            if row.get("end") or "error" in row:
                return rows, row.get("error", "end")
            rows.append(row)
    raise AssertionError("no end")


def history(d, **arguments):
    rows, end = command(d, cmd="history", **arguments)
    equal(end, "end")
    return rows


def total(rows):
    """Verdict and reason -> count, and the delays', of all rows together."""
    sums = {}
    for row in rows:
        for verdict, reasons in row["verdicts"].items():
            for reason, n in reasons.items():
                sums[verdict, reason] = sums.get((verdict, reason), 0) + n
        for d in row["delays"]:
            sums["under", d["under"]] = sums.get(("under", d["under"]), 0) + d["count"]
    return sums


def mail(d, strangers=5, retries=3):
    """Deferrals, good retries, a trap, allowed clients."""
    with Asker(d.socket) as a:
        for i in range(strangers):
            a.ask(client_address=f"10.1.{i}.1")
        for i in range(retries):
            a.ask(client_address=f"10.1.{i}.1")
        a.ask(client_address="10.2.0.1", recipient="honey@example.net")
        for _ in range(7):
            a.ask(client_address="203.0.113.9")


WANTED = {("defer", "new"): 5, ("pass", "retried"): 3, ("defer", "trap"): 1, ("pass", "allow-rule"): 7, ("under", 60): 3}


@test
def counts_exactly(t):
    d = t.daemon(CONFIG)
    equal(history(d), [])
    mail(d)
    rows = history(d)
    equal(total(rows), WANTED)
    equal(total(history(d)), WANTED, "asking again changes nothing")
    check(len(rows) in (1, 2), "one hour, or the change of one")
    for row in rows:
        equal(row["time"] % 3600, 0)
        check(abs(row["time"] - time.time()) < 7200, "this hour's")
    equal(sum(r["delayed"] for r in rows), 3)
    check(all(0 <= r["delayed_s"] < 60 for r in rows), "seconds")
    now = int(time.time())
    equal(total(history(d, step="day", since=now - 86400 * 2)), WANTED)
    check(all(r["time"] % 86400 == 0 for r in history(d, step="day")), "days")
    equal(history(d, until=now - 7200), [], "nothing before")
    equal(history(d, since=now + 7200), [], "nothing after")
    with Asker(d.socket) as a:
        a.ask(client_address="203.0.113.9")
    equal(total(history(d))["pass", "allow-rule"], 8, "what comes later adds up")


@test
def bad_questions(t):
    d = t.daemon(CONFIG)
    mail(d)
    equal(command(d, cmd="history", step="week")[1], "a step is hour or day")
    for value in ("x", None, [], -1, 2**62, -2**62, 1.5):
        for name in ("since", "until"):
            equal(command(d, cmd="history", **{name: value})[1], "end", f"{name} {value}")
    equal(total(history(d, since=-2**62, until=2**62)), WANTED)


@test
def outlives_restarts_and_kills(t):
    d = t.daemon(CONFIG, store="rocksdb")
    mail(d)
    equal(d.stop(), 0)
    d.start()
    equal(total(history(d)), WANTED, "a clean stop loses nothing")
    mail(d, strangers=0, retries=0)
    history(d)
    d.stop(signal.SIGKILL)
    d.start()
    equal(total(history(d))["pass", "allow-rule"], 14, "what had been written survives a kill")


@test
def is_none_of_the_records(t):
    d = t.daemon(CONFIG + f"\nlisten greylistd unix {t.folder}/greylistd")
    mail(d, strangers=2, retries=0)
    history(d)
    dumped = [json.loads(line) for line in t.greylag(d, "--json", "dump").splitlines()]
    equal({r["kind"] for r in dumped}, {"triplet", "allowed"})
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(LIMIT)
        s.connect(f"{t.folder}/greylistd")
        s.sendall(b"list\n")
        listed = s.makefile().read()
        check("10.1.0.0/24" in listed, listed)
        check("allow-rule" not in listed and "alive" not in listed, listed)
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(LIMIT)
        s.connect(f"{t.folder}/greylistd")
        s.sendall(b"clear --white --grey\n")
        s.makefile().read()
    t.greylag(d, "forget", "client", "0.0.0.0/0", "--all", status=None)
    check(total(history(d)).get(("defer", "new")) == 2, "neither clear nor forget takes the history")
    equal([json.loads(line) for line in t.greylag(d, "--json", "dump", status=None).splitlines()], [], "all else is gone")


@test
def moves_with_the_store(t):
    """Copied once, however often."""
    d = t.daemon(CONFIG, store="rocksdb")
    mail(d)
    equal(d.stop(), 0)
    other = t.daemon(CONFIG, store="rocksdb", start=False)
    other.store_folder.mkdir()
    for _ in range(2):
        t.greylag(d, "store", "copy", f"rocksdb:{d.store_folder}", f"rocksdb:{other.store_folder}")
    other.start()
    equal(total(history(other)), WANTED)


@test
def observed_mail_is_counted_as_such(t):
    d = t.daemon(CONFIG + "\nmode observe")
    mail(d)
    sums = total(history(d))
    equal((sums["observe", "new"], sums["observe", "trap"], sums["pass", "allow-rule"]), (5, 1, 7))
    report = json.loads(t.greylag(d, "report", "--json"))
    equal(report["begun"], 5)


@test
def keep_zero_counts_nothing(t):
    d = t.daemon(CONFIG + "\nhistory keep 0")
    mail(d)
    equal(history(d), [])


def two_exchangers(t, store):
    one, two = (t.daemon(CONFIG, store=store) for _ in range(2))
    mail(one)
    mail(two, strangers=4, retries=0)
    with Asker(two.socket) as a:
        for i in range(4, 9):
            a.ask(client_address=f"10.77.{i}.1")
    history(one), history(two)
    sums = {}
    for d in (one, two):
        sums = total(history(d))
        equal(sums["pass", "allow-rule"], 14)
        equal(sums["under", 60], sums["pass", "retried"], "delays")
        # Of the four strangers of the second, three are known since their retry at the first.
        equal(sums["defer", "new"], 10)
        equal(sum(n for (v, _), n in sums.items() if v in ("pass", "defer", "reject")), 16 + 12 + 5)
    two.stop()
    equal(total(history(one)), sums, "and stays when one goes")


@test
def two_exchangers_one_history(t):
    two_exchangers(t, f"valkey unix:{Server(t).socket}")


@test
def two_exchangers_one_database(t):
    two_exchangers(t, mariadb_test.database(t, mariadb.alone(t)) + "\nstore user root")


@test
def a_store_that_is_away_costs_nothing(t):
    server = Server(t)
    d = t.daemon(CONFIG, store=f"valkey unix:{server.socket}")
    mail(d)
    equal(total(history(d)), WANTED)
    server.stop()
    with Asker(d.socket) as a:
        for _ in range(4):
            equal(a.ask(client_address="203.0.113.9"), "DUNNO")
    check(command(d, cmd="history")[1] != "end", "says that it cannot read")
    server.start()
    # The server of this test keeps nothing: what comes back was kept here meanwhile.
    wait_for(lambda: command(d, cmd="history")[1] == "end" and
             total(history(d)).get(("pass", "allow-rule"), 0) in (4, 11), "the counts of the meantime")


if __name__ == "__main__":
    test.main()
