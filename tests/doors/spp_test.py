#!/usr/bin/env python3
"""greylag-spp by the contract of qmail-spp: environment in, commands out. qmail
itself is not in Debian 12."""
import os
import pathlib
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from harness import LIMIT, Tests, check, equal, wait_for

test = Tests(__doc__)
SESSION = {
    "PROTO": "TCP", "TCPLOCALIP": "127.0.0.1", "TCPLOCALPORT": "25", "TCPREMOTEIP": "192.0.2.1",
    "TCPREMOTEPORT": "4242", "SMTPHELOHOST": "mx.example.org", "SMTPMAILFROM": "alice@example.org",
    "SMTPRCPTTO": "bob@example.net", "SMTPRCPTCOUNT": "0", "SMTPRCPTCOUNTALL": "1", "SMTPRCPTHOSTSOK": "1"}


def plugin(t, where, section="rcpt", options=(), status=0, **changes):
    """What one run prints, as qmail-spp would read it."""
    environment = {**SESSION, **{k: v for k, v in changes.items() if v is not None}}
    for name, value in changes.items():
        if value is None:
            environment.pop(name, None)
    r = subprocess.run([str(pathlib.Path(t.args.greylagd).parents[1] / "doors/greylag-spp"), "--socket", str(where),
                        *options, section], env=environment, stdin=subprocess.DEVNULL, capture_output=True,
                       text=True, timeout=LIMIT)
    equal(r.returncode, status, r.stderr)
    check(r.stdout == "" or r.stdout.endswith("\n"), "qmail-spp loses the last byte of a line without end")
    check("\nE" not in r.stdout and r.stdout not in ("E\n", "H\n"), r.stdout)
    return r.stdout


@test
def deferred_then_accepted_with_header(t):
    d = t.daemon("greylist delay 1s\n")
    equal(plugin(t, d.socket), "E451 4.7.1 Greylisted, please try again in 1 seconds\n")
    equal(plugin(t, d.socket, options=["--reply", "450 4.2.0"], SMTPMAILFROM="carol@example.org", TCPREMOTEPORT="4245"),
          "E450 4.2.0 Greylisted, please try again in 1 seconds\n")
    time.sleep(1.2)
    check(plugin(t, d.socket, TCPREMOTEPORT="4243").startswith("HX-Greylist: delayed "), "the header")
    equal(plugin(t, d.socket, TCPREMOTEPORT="4244"), "")


@test
def who_is_not_asked_about(t):
    d = t.daemon()
    for exempt in ({"RELAYCLIENT": ""}, {"RELAYCLIENT": "@x"}, {"SMTPAUTHUSER": "me"}, {"GREYLAG": "skip"},
                   {"SMTPRCPTHOSTSOK": "0"}):
        equal(plugin(t, d.socket, **exempt), "", str(exempt))
    equal(d.logged().count("verdict="), 0, "nobody was asked")


@test
def null_sender_is_judged_at_data(t):
    d = t.daemon()
    equal(plugin(t, d.socket, SMTPMAILFROM=""), "")
    check(plugin(t, d.socket, "data", SMTPMAILFROM="").startswith("E451 4.7.1 Greylisted"), "at DATA")
    equal(plugin(t, d.socket, "data", SMTPMAILFROM="", TCPREMOTEPORT="9"), "", "a session without recipient")


@test
def names(t):
    d = t.daemon()
    plugin(t, d.socket, TCPREMOTEHOST="mx.sender.example")
    wait_for(lambda: "identity=192.0.2.0/24" in d.logged(), "an unconfirmed name is none")
    plugin(t, d.socket, options=["--confirmed-names"], TCPREMOTEHOST="mx.sender.example", TCPREMOTEPORT="5")
    wait_for(lambda: "identity=sender.example" in d.logged(), "a confirmed one is")


@test
def odd_environments(t):
    d = t.daemon()
    for odd in ({"SMTPRCPTTO": "a b@example.net"}, {"SMTPMAILFROM": "x\nrecipient=y@z"}, {"SMTPHELOHOST": "\udcff" * 500},
                {"SMTPRCPTTO": "x" * 5000 + "@example.net"}, {"TCPREMOTEIP": None}, {"TCPREMOTEIP": "junk"},
                {"SMTPMAILFROM": None}, {"SMTPHELOHOST": None}, {"SMTPRCPTTO": "x" * 100000}):
        plugin(t, d.socket, **odd)
    plugin(t, d.socket, "helo", status=64)
    plugin(t, d.socket, options=["--deadline", "soon"], status=64)
    plugin(t, d.socket, options=["--no-such"], status=64)
    check(d.alive(), "the daemon lives")


@test
def daemon_away_or_hanging(t):
    d = t.daemon()
    away = t.folder / "nobody"
    equal(plugin(t, away), "", "passes")
    check(plugin(t, away, options=["--on-failure", "defer"]).startswith("E451 4.7.1 Service"), "or defers")
    d.send_signal(signal.SIGSTOP)
    started = time.monotonic()
    equal(plugin(t, d.socket, options=["--deadline", "7s"]), "")
    check(6.9 < time.monotonic() - started < 20, "at the deadline")
    d.send_signal(signal.SIGCONT)


@test
def restart_is_not_seen(t):
    d = t.daemon()
    d.stop()
    d.start(wait=False)
    check(plugin(t, d.socket).startswith("E451"), "it waited for the daemon")


if __name__ == "__main__":
    test.main()
