#!/usr/bin/env python3
"""Three mail exchangers on one store: many requests at once are counted exactly, and clocks
that are half a minute apart do no harm. Needs a greylagd without sanitizers."""
import calendar
import ipaddress
import json
import pathlib
import re
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import load
import mariadb
import valkey
from harness import LIMIT, Tests, ask_once, check, equal, wait_for

test = Tests(__doc__)
APART = 30  # seconds between the first and the last clock
POOL, EACH = 3000, 17000  # triplets; requests to each exchanger
HOUR = 3600


def on_valkey(t):
    return f"valkey unix:{valkey.Server(t).socket}", "store deadline 20s"


def on_mariadb(t):
    server = mariadb.alone(t)
    server.query("CREATE DATABASE greylag")
    target, user = f"mariadb unix:{server.socket}/greylag", "store user root deadline 20s"
    config = t.folder / "init.conf"
    config.write_text(f"listen policy unix {t.folder}/unused\nstore {target}\n{user}\n")
    subprocess.run([t.args.greylag, "store", "init", f"config:{config}"], check=True, capture_output=True, timeout=LIMIT)
    return target, user


def exchangers(t, store, settings, config, **more):
    clocks = [load.Clock(i * APART // 2) for i in range(3)]
    return clocks, [load.daemon(t, c, f"{settings}\n{config}", store, **more) for c in clocks]


def status(t, d):
    return json.loads(t.greylag(d, "--json", "status"))


def reasons(t, daemons):
    """How often each reason decided, at all of them."""
    total = {}
    for d in daemons:
        for row in status(t, d)["verdicts"]:
            total[row["reason"]] = total.get(row["reason"], 0) + row["count"]
    return total


def records(t, d):
    return [json.loads(line) for line in t.greylag(d, "--json", "dump").splitlines()]


def network(address):
    return str(ipaddress.ip_network(f"{address}/24", strict=False))


def sums(t, d):
    """What the records say: deferred attempts and passes of triplets, passes of clients."""
    rows = records(t, d)
    triplets = [r for r in rows if r["kind"] == "triplet"]
    others = [r for r in rows if r["kind"] == "allowed"]
    return (sum(r["blocked"] for r in triplets), sum(r["passed"] for r in triplets), sum(r["passed"] for r in others))


def wait_sums(t, d, wanted, what):
    """No less, and not more either when all has been written."""
    wait_for(lambda: all(map(int.__ge__, sums(t, d), wanted)), f"{what}: {wanted} counted")
    time.sleep(2)
    equal(sums(t, d), wanted, what)


def counts_exactly(t, place):
    program = load.generator(t.folder)
    store, settings = place(t)
    clocks, daemons = exchangers(t, store, settings, "identity network\ngreylist delay 1h\nlog passes no")
    sockets = [d.socket for d in daemons]
    actions = load.storm(program, sockets, EACH, POOL)
    equal(set(actions), {"DEFER_IF_PERMIT"}, "all attempts are deferred")
    wait_sums(t, daemons[1], (3 * EACH, 0, 0), "attempts")
    for c in clocks:
        c.move(HOUR + APART)
    actions = load.storm(program, sockets, EACH // 4, POOL)
    equal(set(actions), {"DUNNO", "PREPEND"}, "an hour later all pass")
    counted = reasons(t, daemons)
    print("#", counted)
    passes = counted.get("retried", 0) + counted.get("known", 0)
    wait_sums(t, daemons[2], (3 * EACH, passes, counted["retried"] + counted["allowed"]), "passes")
    # Which attempt is the first of a client, and at how many exchangers at once, is chance.
    rows = records(t, daemons[2])
    retried = {r["identity"] for r in rows if r["kind"] == "triplet" and r["passed"]}
    allowed = {network(r["identity"]) for r in rows if r["kind"] == "allowed"}
    equal(allowed ^ retried, set(), "the clients that retried are allowed, no others")
    check(POOL / 2 < len(retried) <= counted["retried"], f"by their first retry: {len(retried)} networks, {counted}")
    for d in daemons:
        s = status(t, d)["store"]
        equal((s["failures"], s["journal_waiting"], s["journal_dropped"], s["health"]), (0, 0, 0, "good"), "the store")
    equal(sum(counted.values()), 3 * (EACH + EACH // 4), "a verdict for each")
    check("store-failure" not in counted, f"none for want of the store: {counted}")


# --- Clocks that are apart ---------------------------------------------------------

DELAY, SLACK = 600, 20  # seconds; what the test itself may take, less than APART


def move(clocks, seconds):
    for c in clocks:
        c.move(seconds)


def seconds_of(text):
    """2026-11-21T13:56:24Z -> seconds since 1970."""
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))


def waits(answer):
    """The seconds that a deferred sender is told to wait."""
    found = re.fullmatch(r"DEFER_IF_PERMIT 4\.2\.0 Greylisted (\d+)", answer)
    check(found, f"deferred: {answer}")
    return int(found.group(1))


def retry_elsewhere(clocks, here, there, apart, number):
    """First attempt at one exchanger, the others at another whose clock is `apart` ahead of its own. It passes
    when that clock says that the delay is over, neither APART seconds earlier than it is nor later."""
    client = dict(client_address=f"10.9.{number}.1", sender=f"s{number}@example.org")
    due = DELAY - apart
    check(0 < waits(ask_once(here.socket, **client)) <= DELAY, "the first attempt")
    move(clocks, due - SLACK)
    check(0 < waits(ask_once(there.socket, **client)) <= DELAY, "not before")
    move(clocks, SLACK + 1)
    answer = ask_once(there.socket, **client)
    delayed = re.fullmatch(r"PREPEND X-Greylist: delayed (\d+) seconds.*", answer)
    check(delayed and DELAY <= int(delayed.group(1)) <= DELAY + SLACK, f"passes: {answer}")
    for d in here, there:
        equal(ask_once(d.socket, **client), "DUNNO", "known from now on at both")


def the_clock_that_is_behind(t, daemons):
    """The exchangers whose clocks are behind see it by the records, and doctor tells. What passed between
    the others' mail and theirs is taken off."""
    found = [status(t, d)["clock_behind_s"] for d in daemons]
    check(APART - SLACK <= found[0] <= APART and found[1] <= APART // 2, f"behind the others: {found}")
    equal(found[-1], 0, "the one that is ahead of all")
    for d in daemons[0], daemons[-1]:
        rows = [json.loads(line) for line in t.greylag(d, "--json", "doctor", status=None).splitlines()]
        told = [r for r in rows if r["check"] == "clock" and "the clock is behind" in r["text"]]
        equal([r["finding"] for r in told], [] if d is daemons[-1] else ["warn"], f"doctor: {rows}")
        equal("\nclock " in t.greylag(d, "status"), d is not daemons[-1], "status")


def clocks_apart(t, place):
    store, settings = place(t)
    config = f'identity network\ngreylist delay {DELAY}s\nreply text "Greylisted %s"\npenalty spare 0'
    clocks, daemons = exchangers(t, store, settings, config, penalties=True)
    slow, fast = daemons[0], daemons[2]
    # The same mail at all of them, the one that is ahead first.
    for d in reversed(daemons):
        check(0 < waits(ask_once(d.socket)) <= DELAY, "nobody waits longer than the delay")
    now = int(time.time())
    wait_sums(t, slow, (3, 0, 0), "attempts")
    the_clock_that_is_behind(t, daemons)
    row = next(r for r in records(t, fast) if r["kind"] == "triplet")
    check(now - SLACK <= seconds_of(row["first_seen"]) <= now, f"the earliest: {row}")
    check(now + APART - SLACK <= seconds_of(row["last_seen"]) <= now + APART, f"the latest: {row}")
    for d in daemons:
        equal([line for line in d.logged().splitlines() if " verdict=" not in line and " serves;" not in line], [], "nothing odd")
    retry_elsewhere(clocks, slow, fast, APART, 1)
    retry_elsewhere(clocks, fast, slow, -APART, 2)
    counted = reasons(t, daemons)
    equal(set(counted), {"new", "early", "retried", "allowed"}, "no penalty")
    for d in daemons:
        equal(t.greylag(d, "lists", status=1), "", "nobody is held")
        text = t.greylag(d, "dump") + t.greylag(d, "status") + t.greylag(d, "why", "10.9.1.1", status=None)
        check(not re.search(r"(?<![\w.:-])-\d", text), f"nothing is negative: {text}")
        check(not re.search(r"=-\d", d.logged()), "nothing negative in the log")


@test
def clocks_apart_on_valkey(t):
    clocks_apart(t, on_valkey)


@test
def clocks_apart_on_mariadb(t):
    clocks_apart(t, on_mariadb)


@test
def counts_exactly_on_valkey(t):
    counts_exactly(t, on_valkey)


@test
def counts_exactly_on_mariadb(t):
    counts_exactly(t, on_mariadb)


if __name__ == "__main__":
    test.main()
