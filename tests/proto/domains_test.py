#!/usr/bin/env python3
"""Domains on the living lists: greylag allow domain, with a real greylagd and a real name server (nsd)."""
import calendar
import json
import pathlib
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from harness import LIMIT, Skip, Tests, ask_once, check, equal, listens_at, wait_for
from nsd import Nsd

test = Tests(__doc__)

ZONE = """
good TXT "v=spf1 ip4:198.51.100.0/24 ip6:2001:db8:5::/48 include:more.test exists:%{i}.x.test -all"
good MX 5 mx
more TXT "v=spf1 ip4:203.0.113.64/26 ip4:10.0.0.0/8 ~all"
mx A 192.0.2.25
mx AAAA 2001:db8::25
mail MX 5 mx
also TXT "v=spf1 ip4:198.51.100.0/24 ip4:192.0.2.200 -all"
odd TXT "v=spf1 exists:%{i}.x.test ip4:10.0.0.0/8 -all"
text TXT "hello"
broken TXT "v=spf1 ip4:nonsense -all"
"""
GOOD = ["192.0.2.25", "198.51.100.0/24", "2001:db8:5::/48", "2001:db8::25", "203.0.113.64/26"]


def rows(text):
    return [json.loads(line) for line in text.splitlines()]


def run(t, d, *words, **more):
    return subprocess.run([t.args.greylag, "--socket", str(d.control), *words], capture_output=True, text=True,
                          timeout=2 * LIMIT, **more)


def clients(t, d, name="allow"):
    return sorted(r["value"] for r in rows(t.greylag(d, "lists", name, "client", "--json", status=None)))


def reason(d, client):
    before = d.logged().count("verdict=")
    ask_once(d.socket, client_address=client, sender=f"a@{client.replace(':', '.')}.example")
    wait_for(lambda: d.logged().count("verdict=") > before, "the line in the log")
    return [l for l in d.logged().splitlines() if "verdict=" in l][-1].split("reason=")[1].split()[0]


def daemon(t, n, config="", **more):
    return t.daemon(f"dns servers {n.address}\n{config}", **more)


@test
def allow_and_unlist(t):
    d = daemon(t, Nsd(t, ZONE), store="rocksdb")
    equal(reason(d, "198.51.100.9"), "new")
    text = t.greylag(d, "allow", "domain", "Good.Test.", "--comment", "our partner")
    check(text.startswith("allow domain good.test: added, without end\n    5 networks listed\n    skipped: "), text)
    for word in ("exists:%{i}.x.test (depends on the message)", "ip4:10.0.0.0/8 (too large a network)"):
        check(word in text, text)
    equal(clients(t, d), GOOD)
    for client in ("198.51.100.9", "203.0.113.65", "2001:db8:5::77", "192.0.2.25"):
        equal(reason(d, client), "allow-list", client)
    equal(reason(d, "192.0.2.26"), "new", "beside it")
    row, = rows(t.greylag(d, "lists", "allow", "domain", "--json"))
    equal((row["value"], row["until"][:5], row["comment"]), ("good.test", "9999-", "our partner"))
    for row in rows(t.greylag(d, "lists", "allow", "client", "--json")):
        equal((row["author"], row["comment"]), ("greylag", "from domain good.test"))
        left = calendar.timegm(time.strptime(row["until"], "%Y-%m-%dT%H:%M:%SZ")) - time.time()
        check(3 * 86400 - 60 < left <= 3 * 86400, row["until"])
    check("from domain good.test" in t.greylag(d, "lists", "allow"), "for people too")
    check("domain good.test: 5 networks; skipped" in d.logged(), "in the log")
    d.stop()
    d.start()
    wait_for(lambda: "lists: 6 entries read" in d.logged(), "the lists after a restart")
    time.sleep(2.2)
    equal(d.logged().count("domain good.test: 5 networks"), 1, "it is fresh: not asked again")
    equal(reason(d, "198.51.100.10"), "allow-list")
    text = t.greylag(d, "unlist", "allow", "domain", "good.test")
    equal(text, "allow domain good.test: removed\n    5 networks removed\n")
    equal(clients(t, d), [])
    equal(reason(d, "198.51.100.11"), "new", "at once")
    t.greylag(d, "unlist", "allow", "domain", "good.test", status=1)


@test
def nothing_to_list(t):
    d = daemon(t, Nsd(t, ZONE))
    for domain, why in (("text.test", "neither an SPF record nor"), ("no-such.test", "neither an SPF record nor"),
                        ("odd.test", "none of the domain's networks"), ("broken.test", "syntax error in its SPF record"),
                        ("x" * 64 + ".test", "neither")):
        r = run(t, d, "allow", "domain", domain)
        equal((r.returncode, r.stdout), (1, ""), domain)
        check(domain in r.stderr and why in r.stderr, r.stderr)
    for value in ("", ".", ".good.test", "*.good.test", "=good.test", "@good.test", "a@good.test", "gööd.test", "a b", "192.0.2.1",
                  "2001:db8::1", "good..test", "x" * 254, "\udcff.test"):
        r = run(t, d, "allow", "domain", value)
        equal((r.returncode, r.stdout), (1, ""), value)
        check("is no domain" in r.stderr or "too long" in r.stderr, r.stderr)
    equal(t.greylag(d, "lists", "--json"), "")
    # What was there stays, when the domain has nothing any more.
    r = run(t, d, "block", "domain", "good.test", "text.test", "mail.test")
    equal(r.returncode, 1)
    check("good.test: added" in r.stdout and "mail.test: added" in r.stdout and "text.test" in r.stderr, str(r))
    r = rows(run(t, d, "block", "domain", "text.test", "good.test", "--json").stdout)
    equal([(x["outcome"], x["networks"], x["complete"]) for x in r[:-1]], [("refused", 0, True), ("present", 5, True)])
    equal((r[-1]["present"], r[-1]["refused"]), (1, 1))
    equal(reason(d, "198.51.100.1"), "block-list")


@test
def ends_and_neighbours(t):
    n = Nsd(t, ZONE)
    d = daemon(t, n, "defer listed slow delay 2h")
    t.greylag(d, "enlist", "slow", "domain", "good.test", "--for", "1d")
    ends = {r["until"] for r in rows(t.greylag(d, "lists", "slow", "--json"))}
    equal(len(ends), 1, "the networks end with the domain")
    text = t.greylag(d, "enlist", "slow", "domain", "good.test", "--for", "30d")
    check("extended until" in text and "5 networks" in text, text)
    far = rows(t.greylag(d, "lists", "slow", "client", "--json"))[0]["until"]
    check(far not in ends, "and later with it")
    t.greylag(d, "enlist", "slow", "client", "203.0.113.64/26")
    text = t.greylag(d, "enlist", "slow", "domain", "good.test", "--for", "1h", "--shorten")
    check("shortened until" in text, text)
    found = {r["value"]: r["until"] for r in rows(t.greylag(d, "lists", "slow", "--json"))}
    equal(found.pop("203.0.113.64/26")[:5], "9999-", "what a person listed does not end")
    check(len(set(found.values())) == 1 and far not in found.values(), str(found))
    # A network of two domains stays with the other, one that a person listed stays.
    t.greylag(d, "enlist", "slow", "domain", "also.test")
    time.sleep(1.1)
    t.greylag(d, "enlist", "slow", "domain", "good.test", "--for", "20d")
    equal(sorted(clients(t, d, "slow")), sorted(GOOD + ["192.0.2.200"]))
    t.greylag(d, "unlist", "slow", "domain", "good.test")
    wait_for(lambda: sorted(clients(t, d, "slow")) == ["192.0.2.200", "198.51.100.0/24", "203.0.113.64/26"], "the rest")
    row = rows(t.greylag(d, "lists", "slow", "client", "198.51.100.0/24", "--json"))[0]
    equal(row["comment"], "from domain also.test")


@test
def in_bulk(t):
    d = daemon(t, Nsd(t, ZONE + "".join(f"d{i} TXT \"v=spf1 ip4:100.{64 + (i >> 8)}.{i & 255}.0/24 -all\"\n" for i in range(300))))
    names = "".join(f"d{i}.test # number {i}\n" for i in range(300)) + "text.test\nnot a domain\n"
    r = run(t, d, "allow", "domain", "--file", "-", input=names)
    equal((r.returncode, r.stdout), (1, "allow: 301 added, 1 refused\n"), r.stderr)
    wait_for(lambda: len(clients(t, d)) == 300, "their networks")
    wait_for(lambda: "text.test: 0 networks" in d.logged(), "what nobody waited for")
    r = run(t, d, "unlist", "allow", "domain", "--file", "-", input=names)
    check("301 removed" in r.stdout, r.stdout)
    wait_for(lambda: clients(t, d) == [], "all gone")
    r = run(t, d, "allow", "domain", "d1.test", "--dry-run")
    check("added" in r.stdout, r.stdout)
    equal(clients(t, d), [])


@test
def a_dead_name_server(t):
    n = Nsd(t, ZONE)
    d = daemon(t, n)
    n.signal(signal.SIGSTOP)
    before = time.monotonic()
    r = run(t, d, "allow", "domain", "good.test")
    took = time.monotonic() - before
    equal(r.returncode, 0, r.stderr)
    check("added, without end" in r.stdout and "greylagd asks again" in r.stdout, r.stdout)
    check(took < 12, f"{took:.1f} s")
    equal(reason(d, "198.51.100.9"), "new", "mail goes on")
    before = time.monotonic()
    d.stop()
    check(time.monotonic() - before < 5, "it ends in time")
    n.signal(signal.SIGCONT)
    d.start()
    # The store was in memory: listed anew, and given up on while it is asked for.
    n.signal(signal.SIGSTOP)
    p = subprocess.Popen([t.args.greylag, "--socket", str(d.control), "allow", "domain", "good.test"], stdout=subprocess.PIPE, text=True)
    wait_for(lambda: "good.test" in t.greylag(d, "lists", "--json", status=None), "its entry")
    text = t.greylag(d, "unlist", "allow", "domain", "good.test")
    check("removed\n    0 networks" in text, text)
    check("asks again" in p.communicate(timeout=LIMIT)[0], "the other is told at once")
    n.signal(signal.SIGCONT)
    wait_for(lambda: "5 networks" in t.greylag(d, "allow", "domain", "good.test"), "all as it should be", 40)
    equal(clients(t, d), GOOD)
    # The daemon ends while somebody waits.
    n.signal(signal.SIGSTOP)
    p = subprocess.Popen([t.args.greylag, "--socket", str(d.control), "allow", "domain", "other.test"], stdout=subprocess.PIPE, text=True)
    wait_for(lambda: "other.test" in t.greylag(d, "lists", "allow", "domain", "--json"), "its entry")
    before = time.monotonic()
    equal(d.stop(), 0)
    check(time.monotonic() - before < 3, "at once")
    p.communicate(timeout=LIMIT)


@test
def two_daemons_on_one_store(t):
    program = shutil.which("valkey-server") or shutil.which("redis-server")
    if not program:
        raise Skip("no valkey-server or redis-server here")
    sock = t.folder / "server"
    server = subprocess.Popen([program, "--port", "0", "--unixsocket", str(sock), "--dir", str(t.folder), "--save", "",
                               "--appendonly", "no"], stdout=subprocess.DEVNULL)
    t.at_end(lambda: (server.kill(), server.wait()))
    wait_for(lambda: listens_at(sock), "the server")
    n = Nsd(t, ZONE)
    one, two = (daemon(t, n, store=f"valkey unix:{sock}") for _ in range(2))
    check("5 networks" in t.greylag(one, "allow", "domain", "good.test"), "by one")
    wait_for(lambda: reason(two, "198.51.100.77") == "allow-list", "two to see it")
    time.sleep(3)
    check("domain good.test" not in two.logged(), "two does not ask as well")
    check("5 networks removed" in t.greylag(two, "unlist", "allow", "domain", "good.test"), "by two")
    equal(clients(t, one), [])
    wait_for(lambda: reason(one, "198.51.100.78") != "allow-list", "one to see it")


if __name__ == "__main__":
    test.main()
