#!/usr/bin/env python3
"""Traps, penalties, expected mail and amnesty, with a real greylagd and its command."""
import itertools
import json
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from harness import Asker, Tests, ask_once, check, equal, request_bytes, wait_for

test = Tests(__doc__)
DEFERRED = "DEFER_IF_PERMIT 4.2.0 Greylisted"


def rows(text):
    return [json.loads(line) for line in text.splitlines()]


def why(t, d, client, sender="alice@example.org", recipient="bob@example.net", *more):
    row, = rows(t.greylag(d, "why", client, sender, recipient, *more, "--json"))
    return row


@test
def a_trap_and_its_hold(t):
    d = t.daemon("reply text \"Greylisted %w\"\ntrap recipient honey@example.net for 2h", store="rocksdb")
    equal(ask_once(d.socket, recipient="honey@example.net"), f"{DEFERRED} trap")
    equal(ask_once(d.socket, recipient="bob@example.net"), f"{DEFERRED} trapped")
    held, = rows(t.greylag(d, "lists", "held", "--json"))
    equal((held["value"], held["cause"], held["strikes"]), ("192.0.2.1", "trap", 1))
    row = why(t, d, "192.0.2.1")
    equal((row["verdict"], row["reason"]), ("defer", "trapped"))
    check(7000 < row["wait_s"] <= 7200, row["wait_s"])
    check("held until" in t.greylag(d, "why", "192.0.2.1", "alice@example.org", "bob@example.net"), "why says so")
    equal(why(t, d, "192.0.2.2")["reason"], "new", "its neighbour")
    # It survives a kill: who is held is promised like a deferral.
    d.stop(9)
    d.start()
    equal(ask_once(d.socket, recipient="bob@example.net"), f"{DEFERRED} trapped")
    # To let it go forgets its own record, not the networks around it.
    equal(ask_once(d.socket, client_address="192.0.2.10", recipient="bob@example.net"), f"{DEFERRED} new")
    equal(ask_once(d.socket, client_address="192.0.2.10", recipient="honey@example.net"), f"{DEFERRED} trap")
    # What is written some seconds later is in the store by then.
    d.stop()
    d.start()
    before = rows(t.greylag(d, "dump", "--json"))
    t.greylag(d, "unlist", "held", "client", "192.0.2.99", "192.0.2.0/24", status=1)
    t.greylag(d, "unlist", "held", "sender", "alice@example.org", status=1)
    t.greylag(d, "unlist", "held", "192.0.2.1", "--dry-run")
    equal(rows(t.greylag(d, "dump", "--json")), before, "nothing has changed")
    check("removed" in t.greylag(d, "unlist", "held", "client", "192.0.2.1"), "let go")
    after = rows(t.greylag(d, "dump", "--json"))
    equal([r["identity"] for r in before if r not in after], ["192.0.2.1"], "one record")
    equal(ask_once(d.socket, recipient="carol@example.net"), f"{DEFERRED} new")


@test
def living_traps_and_blocks(t):
    d = t.daemon("reply text \"Greylisted %w\"\non-trap block", store="rocksdb")
    t.greylag(d, "trap", "recipient", "former@example.net")
    equal(ask_once(d.socket, client_address="192.0.2.9", recipient="former@example.net"), "REJECT 5.7.1 Access denied")
    equal(ask_once(d.socket, client_address="192.0.2.9", recipient="bob@example.net"), "REJECT 5.7.1 Access denied")
    equal(why(t, d, "192.0.2.9")["reason"], "trapped")


@test
def hopping_by_default(t):
    """As it comes: no penalty is switched off."""
    d = t.daemon("reply text \"Greylisted %w\"", penalties=True)
    with Asker(d.socket) as a:
        seen = [a.ask(client_address=c, helo_name=c).rsplit(" ", 1)[1] for c in ("192.0.2.1", "198.51.100.1", "203.0.113.1", "192.0.2.1")]
    equal(seen, ["new", "new", "hopping", "hopping"])
    check("hopping" in t.greylag(d, "status"), "counted")


@test
def hasty(t):
    d = t.daemon("reply text \"Greylisted %w\"\npenalty hasty 2")
    with Asker(d.socket) as a:
        # Several mails at once are one attempt.
        a.send(request_bytes() * 8)
        for wanted in ["new"] + ["early"] * 7:
            equal(a.reply(), f"{DEFERRED} {wanted}")
        time.sleep(5.1)
        equal(a.ask(), f"{DEFERRED} early")
        equal(why(t, d, "192.0.2.1")["reason"], "early")
        time.sleep(5.1)
        equal(why(t, d, "192.0.2.1")["reason"], "hasty", "as it would be judged")
        equal(a.ask(), f"{DEFERRED} hasty")
        equal(a.ask(client_address="192.0.2.2"), f"{DEFERRED} early", "its neighbour, about the same mail")
    check("hasty" in t.greylag(d, "status"), "counted")


@test
def expected_mail(t):
    d = t.daemon("reply text \"Greylisted %w\"\ngreylist delay 1h", store="rocksdb")
    code = {"client_address": "198.51.100.5", "sender": "no-reply@mail.codes.example", "recipient": "bob@example.net"}
    equal(ask_once(d.socket, **code), f"{DEFERRED} new")
    t.greylag(d, "expect", "bob@example.net", "15m", "from", "codes.example")
    equal(ask_once(d.socket, **code), "DUNNO")
    equal(ask_once(d.socket, **{**code, "sender": "x@else.example"}), f"{DEFERRED} new", "not from others")
    equal(ask_once(d.socket, **{**code, "sender": "x@else.example", "client_name": "mx1.codes.example"}), "DUNNO", "by the client's name")
    equal(ask_once(d.socket, **{**code, "recipient": "carol@example.net"}), f"{DEFERRED} new")
    t.greylag(d, "expect", "carol@example.net", "8s")
    equal(ask_once(d.socket, client_address="203.0.113.1", sender="a@any.example", recipient="Carol+code@example.net"), "DUNNO")
    check("expect" in t.greylag(d, "lists"), "lists shows it")
    wait_for(lambda: why(t, d, "203.0.113.1", "b@any.example", "carol@example.net")["reason"] == "new", "its end")
    equal(ask_once(d.socket, client_address="203.0.113.1", sender="b@any.example", recipient="carol@example.net"), f"{DEFERRED} new")
    t.greylag(d, "expect", "bob@example.net", "soon", status=64)
    t.greylag(d, "expect", "bob@example.net", "15m", "codes.example", status=64)


@test
def people_we_write_to(t):
    d = t.daemon("reply text \"Greylisted %w\"\noutgoing client 192.0.2.0/24", store="rocksdb")
    equal(ask_once(d.socket, client_address="192.0.2.77", sender="bob@example.net", recipient="friend@far.example"), "DUNNO")
    equal(ask_once(d.socket, client_address="203.0.113.1", sasl_username="carol", sasl_method="PLAIN", sender="carol@example.net",
                   recipient="other@far.example"), "DUNNO")
    answer = {"client_address": "198.51.100.1", "sender": "friend@far.example", "recipient": "bob@example.net"}
    wait_for(lambda: ask_once(d.socket, **answer) == "DUNNO", "the answer to pass, soon after the question", 20)
    d.stop()
    d.start()
    equal(ask_once(d.socket, **answer), "DUNNO", "after a restart")
    equal(ask_once(d.socket, client_address="198.51.100.1", sender="other@far.example", recipient="carol@example.net"), "DUNNO")
    equal(ask_once(d.socket, client_address="198.51.100.1", sender="other@far.example", recipient="bob@example.net"), f"{DEFERRED} new")
    check(any(r["kind"] == "correspondent" and r["state"] == "awaited" for r in rows(t.greylag(d, "show", "sender", "far.example", "--json"))),
          "show shows them")


@test
def amnesty(t):
    d = t.daemon("reply text \"Greylisted %w\"\namnesty 12h", store="rocksdb")
    equal(ask_once(d.socket), "DUNNO")
    wait_for(lambda: "reason=amnesty" in d.logged(), "the reason")
    check("amnesty: the store is new" in d.logged(), "announced")
    check("nothing is delayed until" in t.greylag(d, "status"), "status says so")
    d.stop()
    d.start()
    equal(ask_once(d.socket, client_address="203.0.113.1", sender="x@y.example"), "DUNNO", "a restart does not end it")
    wait_for(lambda: "amnesty: goes on" in d.logged(), "the log to say so")
    # An old store that was in use all the time needs none.
    e = t.daemon("reply text \"Greylisted %w\"", store="rocksdb", folder="old")
    equal(ask_once(e.socket), f"{DEFERRED} new")
    e.stop()
    e.configure("reply text \"Greylisted %w\"\namnesty 12h")
    e.start()
    strangers = map("".join, itertools.product("abcdefghijklmnopqrstuvwxyz", repeat=3))
    wait_for(lambda: ask_once(e.socket, client_address="203.0.113.1", sender=f"{next(strangers)}@y.example") == f"{DEFERRED} new",
             "the store to say that it is not new", 20)


@test
def reports_move_a_reputation(t):
    """RFC 6647 section 4.3 (C22): steady spammers that greylisting lets through."""
    d = t.daemon("reply text \"Greylisted %w\"\ngreylist delay 0", store="rocksdb")
    with Asker(d.socket) as a:
        a.ask()
        equal(a.ask().split()[0], "PREPEND", "it retried, so it is trusted")
        equal(a.ask(sender="next@example.org"), "DUNNO")
        a.ask(greylag_report="spam", sender="", recipient="")
        equal(a.ask(sender="again@example.org"), f"{DEFERRED} spam")
        a.ask(greylag_report="ham", sender="", recipient="")
        equal(a.ask(sender="again@example.org"), "DUNNO", "good mail ends that hold")
        a.ask(greylag_report="known", client_address="203.0.113.5", client_name="mx.friend.example", sender="", recipient="")
        equal(a.ask(client_address="203.0.113.77", client_name="mx2.friend.example", sender="x@friend.example"), "DUNNO", "learned from a log")
        equal(a.ask(client_address="203.0.113.5", sender="y@friend.example"), "DUNNO", "and by its address")


@test
def forwarders_are_proposed(t):
    d = t.daemon("greylist delay 0", store="rocksdb")
    with Asker(d.socket) as a:
        for i in [0, *range(80)]:
            a.ask(client_address="192.0.2.25", client_name="mx2.ours.example", sender=f"user@domain{i}.example")
            a.ask(client_address="192.0.2.26", client_name="mail.shop.example", sender=f"{chr(97 + i % 26)}@shop.example")
    row, = rows(t.greylag(d, "lists", "proposed", "--json"))
    equal((row["value"], row["name"]), ("192.0.2.25", "mx2.ours.example"))
    check("greylag allow client 192.0.2.25" in d.logged(), "and told once")
    check("forwards for about" in t.greylag(d, "lists", "proposed"), "for people")
    t.greylag(d, "enlist", "proposed", "client", "192.0.2.1", status=75)


@test
def why_takes_any_attribute(t):
    d = t.daemon("block policy-context quarantine\nblock tls no\nblock dnsbl bl.invalid\nblock rate 5/1m\ndns servers 127.0.0.1:1 budget 100ms")
    equal(why(t, d, "192.0.2.1", "a@b.example", "c@d.example", "--with", "policy_context=quarantine")["reason"], "block-rule")
    equal(why(t, d, "192.0.2.1", "a@b.example", "c@d.example", "--with", "encryption_protocol=")["reason"], "block-rule")
    row = why(t, d, "192.0.2.1", "a@b.example", "c@d.example", "--with", "greylag_report=spam")
    equal(row["reason"], "new", "a report is none of its matters")
    equal([(l["kind"], l["answer"]) for l in row["lookups"]], [("dnsbl", "no answer"), ("rate", "not exceeded")])
    text = t.greylag(d, "why", "192.0.2.1", "a@b.example", "c@d.example")
    check("dnsbl bl.invalid: no answer" in text, text)


if __name__ == "__main__":
    test.main()
