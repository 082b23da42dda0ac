#!/usr/bin/env python3
"""greylag report --from-log on what real mail servers log of their greylisting, against
what greylagd's own history says of the same mail."""
import json
import pathlib
import re
import subprocess
import sys
import time

LIB = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(LIB / "lib"), str(LIB / "doors")]
import exim_test
import milter_test
import mta
from harness import LIMIT, Tests, check, equal, wait_for
from postfix import Postfix
from sendmail import Sendmail
from syslogd import Syslog

test = Tests(__doc__)
DELAY = 2


def from_log(t, text):
    path = t.folder / "maillog"
    path.write_text(text)
    r = subprocess.run([t.args.greylag, "report", "--json", "--after", "1s", "--from-log", str(path)], capture_output=True, text=True,
                       timeout=LIMIT, check=True)
    return json.loads(r.stdout)


def counts(report):
    return {v["reason"]: v["count"] for v in report["verdicts"]}


def mail_flows(t, send):
    """One who comes too early, waits and passes; one who never comes back. send(sender, wanted code)."""
    started = time.monotonic()
    send("alice@example.org", 4)
    send("lost@example.com", 4)
    t.sending = time.monotonic() - started
    time.sleep(DELAY + 5.1)
    started = time.monotonic()
    send("alice@example.org", 2)
    t.sending += time.monotonic() - started


def judge(t, d, text):
    """The log and the history agree."""
    log, own = from_log(t, text), json.loads(t.greylag(d, "report", "--json", "--after", "1s"))
    equal((counts(log), log["delays"]["count"]), ({"new": 2, "retried": 1}, 1), text)
    equal((counts(own), own["delays"]["count"]), ({"new": 2, "retried": 1}, 1))
    # Whole seconds, and what passes in a session between greylagd's look at the clock and the server's.
    check(abs(log["delays"]["total_s"] - own["delays"]["total_s"]) <= 2 + t.sending, f"{log['delays']} {own['delays']}")
    equal([(row["sender"], row["recipient"]) for row in log["lost"]], [(row["sender"], row["recipient"]) for row in own["lost"]])
    equal([row["sender"] for row in log["lost"]], ["lost@example.com"])
    return log


def behind_postfix(t):
    """greylagd and Postfix, when the mail has flown."""
    d = t.daemon(f"greylist delay {DELAY}s", store="rocksdb")
    t.folder.chmod(0o755)
    d.folder.chmod(0o755)
    p = Postfix(t.folder / "postfix", f"{{ unix:{d.socket}, timeout=10s, default_action=DUNNO }}")
    t.at_end(p.stop)
    p.start()

    def send(sender, wanted):
        replies, _ = mta.send(p, sender, "bob@example.net", address="192.0.2.77", name="mx.sender.example")
        equal(replies[0][0] // 100, wanted, f"{sender} {replies}")
    mail_flows(t, send)
    wait_for(lambda: ": removed" in p.logged(), f"Postfix's log {p.logged()}")
    return d, p


@test
def real_postfix(t):
    d, p = behind_postfix(t)
    equal(judge(t, d, p.logged())["lost"][0]["source"], "sender.example")


@test
def real_exim(t):
    d, e = exim_test.setup(t)

    def send(sender, wanted):
        replies, _ = exim_test.send(e, sender, "bob@example.net")
        equal(replies[0][0] // 100, wanted, f"{sender} {replies}")
    mail_flows(t, send)
    # It queues only: what became of the mail is not logged before the queue is run.
    equal(counts(from_log(t, e.logged())), {"new": 2})
    e.run("-qff")
    wait_for(lambda: " Completed" in e.logged(), f"Exim's log {e.logged()}")
    judge(t, d, e.logged())


@test
def real_sendmail(t):
    d = t.daemon(f"greylist delay {DELAY}s", store="rocksdb")
    m = milter_test.Milter(t, d.socket)
    log = Syslog(m.folder / "dev")
    t.at_end(log.close)
    keeper = m.folder / "keeper"
    keeper.write_text("#!/bin/sh\nexec cat >/dev/null\n")
    keeper.chmod(0o755)
    s = Sendmail(m.folder / "sendmail", f"unix:{m.socket}", syslog=log, more=(
        f"define(`confDELIVERY_MODE', `i')dnl\ndefine(`LOCAL_MAILER_PATH', `{keeper}')dnl\n"
        "define(`LOCAL_MAILER_ARGS', `keeper $u')dnl"))
    t.at_end(s.stop)
    s.start()

    def send(sender, wanted):
        replies, _ = mta.attempt(s.port, sender, ["root@example.net"])
        equal(replies[0][0] // 100, wanted, f"{sender} {replies}")
    mail_flows(t, send)
    wait_for(lambda: any("stat=Sent" in line for line in log.lines()), f"delivery {log.lines()}")
    judge(t, d, "\n".join(log.lines()) + "\n")


def clock(line):
    """The second of the day at which it was logged."""
    hours, minutes, seconds = map(int, re.search(r"(\d\d):(\d\d):(\d\d)", line).groups())
    return hours * 3600 + minutes * 60 + seconds


@test
def greylag_and_its_mail_server_in_one_log(t):
    """Two lines on each attempt are one."""
    d, p = behind_postfix(t)
    began = clock(d.logged())
    lines = sorted((p.logged() + d.logged()).splitlines(), key=lambda line: (clock(line) - began) % 86400)
    judge(t, d, "\n".join(lines) + "\n")


if __name__ == "__main__":
    test.main()
