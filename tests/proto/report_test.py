#!/usr/bin/env python3
"""greylag report and greylag top: what they say of real mail, in every format."""
import codecs
import csv
import fcntl
import gzip
import html.parser
import io
import json
import os
import pathlib
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from harness import LIMIT, Asker, Tests, ask_once, check, equal, wait_for

test = Tests(__doc__)
CONFIG = "greylist delay 0\ntrap recipient honey@example.net\nallow client 203.0.113.0/24"
HOSTILE = ["<script>alert(1)</script>@evil.example", "=cmd|'/C calc'!A0@evil.example", "+1+1@evil.example", "-2@evil.example",
           "@sum@evil.example", '"><img src=http://evil.example/x>@evil.example', "a,b\";c@evil.example", "&amp;'@evil.example",
           b"\xff\xfe\x80@evil.example", "ünïcode@evil.example", "x" * 700 + "@evil.example"]


def filled(t, **more):
    """Six strangers of whom three come back, a trap, allowed clients, hostile senders."""
    d = t.daemon(CONFIG, **more)
    with Asker(d.socket) as a:
        for i in range(6):
            a.ask(client_address=f"10.1.{i}.1", recipient=f"user{i % 2}@example.net")
        for i in range(3):
            a.ask(client_address=f"10.1.{i}.1", recipient=f"user{i % 2}@example.net")
        a.ask(client_address="10.2.0.1", recipient="honey@example.net")
        for _ in range(7):
            a.ask(client_address="203.0.113.9")
        # One that looks like a real server: a name, two recipients.
        for who in ("carol", "dave"):
            a.ask(client_address="198.51.100.7", client_name="mail.lost.example", sender="boss@lost.example",
                  recipient=f"{who}@example.net")
        for i, sender in enumerate(HOSTILE):
            a.ask(client_address=f"10.66.{i}.1", sender=sender)
    time.sleep(1.1)
    return d


def report(t, d, *words, **more):
    return t.greylag(d, "report", "--after", "1s", *words, **more)


@test
def json_says_what_happened(t):
    d = filled(t)
    r = json.loads(report(t, d, "--format", "json", "--top", "100"))
    counts = {(v["verdict"], v["reason"]): v["count"] for v in r["verdicts"]}
    strangers = 6 + 2 + len(HOSTILE)
    equal(counts, {("defer", "new"): strangers, ("pass", "retried"): 3, ("defer", "trap"): 1, ("pass", "allow-rule"): 7})
    equal(r["begun"], strangers)
    equal(r["delays"]["count"], 3)
    equal(sum(b["count"] for b in r["delays"]["histogram"]), 3)
    check(0 <= r["delays"]["median_s"] <= r["delays"]["p95_s"] <= 60, r["delays"])
    equal(sum(row["defer"] for row in r["times"]), strangers + 1)
    equal(r["systems_retried"], 3)
    equal(r["never_came_back"], strangers - 3 + 1, "the trap's too")
    equal(r["waiting"], 0)
    equal(r["bytes_saved"], (strangers - 3) * 30 * 1024)
    best = r["lost"][0]
    equal((best["source"], best["sender"]), ("lost.example", "boss@lost.example"), "the real server stands out")
    check(best["score"] > max(row["score"] for row in r["lost"] if row["source"] != "lost.example"), "by its score")
    sources = {row["name"]: row for row in r["sources"]}
    equal((sources["10.1.0.0/24"]["deferred"], sources["10.1.0.0/24"]["passed"] > 0), (1, True))
    check("user0@example.net" in {row["name"] for row in r["recipients"]}, r["recipients"])
    check(any("\\xff" in row["name"] for row in r["senders"]), "bytes that are no UTF-8 are escaped")
    again = json.loads(report(t, d, "--json", "--top", "100"))
    equal({**again, "since": 0, "until": 0}, {**r, "since": 0, "until": 0}, "--json is the same")


@test
def filters(t):
    d = filled(t)

    def lost(*words):
        return {row["source"] for row in json.loads(report(t, d, "--json", "--top", "100", *words))["lost"]}
    equal(lost("--skip-dynamic"), {"lost.example"})
    equal(lost("--match", "10.66.0.*"), {"10.66.0.0/24"})
    check("lost.example" not in lost("--skip", "*.example") and lost("--skip", "*.example"), "skipped")
    equal(lost("--tries", "2"), set())
    equal(json.loads(t.greylag(d, "report", "--json"))["lost"], [], "nobody is lost after a second")
    equal(json.loads(t.greylag(d, "report", "--json"))["waiting"], 6 + len(HOSTILE))
    for wrong in (["--since", "x"], ["--since", "0"], ["--after", "7"], ["--tries", "-1"], ["--top", "1001"], ["--format", "pdf"],
                  ["--mail-size", "1 2"], ["file"], ["--from-log"]):
        t.greylag(d, "report", *wrong, status=64)


class Page(html.parser.HTMLParser):
    """Counts elements, and finds what would be fetched from elsewhere."""
    def __init__(self):
        super().__init__()
        self.open, self.elements, self.text, self.faults = [], {}, "", []

    def handle_starttag(self, tag, attributes):
        self.elements[tag] = self.elements.get(tag, 0) + 1
        if tag not in ("meta", "rect", "img", "link", "br"):
            self.open.append(tag)
        for name, value in attributes:
            if name in ("src", "href", "style", "data", "action") or name.startswith("on") or "url(" in (value or ""):
                self.faults.append((tag, name, value))

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(("end", tag))

    def handle_data(self, data):
        self.text += data


@test
def html_is_one_safe_file(t):
    d = filled(t)
    text = report(t, d, "--format", "html", "--top", "100")
    page = Page()
    page.feed(text)
    equal(page.faults, [])
    equal(page.open, [])
    for tag in ("script", "img", "link", "iframe", "object"):
        check(tag not in page.elements, tag)
    equal(page.elements["svg"], 2, "plots")
    check(page.elements["rect"] >= 12 and page.elements["table"] == 5, page.elements)
    check("url(" not in text and "@import" not in text, "nothing is fetched")
    for part in ("<script>alert(#)</script>@evil.example", "=cmd|'/c calc'!a0@evil.example", "<img src=http://evil.example/x>",
                 "&amp;'@evil.example"):
        check(part in page.text.lower(), f"{part} as text")
    check("lost.example" in page.text and "mail.lost" not in page.text, "names")


@test
def csv_is_one_safe_table(t):
    d = filled(t)
    text = report(t, d, "--format", "csv", "--top", "100")
    rows = list(csv.reader(io.StringIO(text, newline="")))
    equal(rows[0], "section,time,verdict,reason,source,sender,recipient,count,deferred,passed,seconds,score".split(","))
    equal({len(r) for r in rows}, {12})
    for row in rows:
        for field in row:
            check(not field or field[0] not in "=+-@\t\r", f"a formula: {row}")
    table = [dict(zip(rows[0], r)) for r in rows[1:]]
    equal([int(r["count"]) for r in table if r["section"] == "reason" and r["reason"] == "retried"], [3])
    equal(sum(int(r["count"]) for r in table if r["section"].startswith("delay-") and r["seconds"] and r["section"] == "delay-under"), 3)
    lost = [r for r in table if r["section"] == "lost"]
    equal(len(lost), 6 + len(HOSTILE))
    equal(lost[0]["source"], "lost.example")
    check(any(r["sender"].startswith("'=cmd") for r in lost), "quoted")


def log_report(t, text, *words, status=0):
    path = t.folder / "maillog"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    r = subprocess.run([t.args.greylag, "report", "--from-log", str(path), *words], capture_output=True, text=True, timeout=LIMIT,
                       env={**os.environ, "TZ": "UTC"})
    equal(r.returncode, status, r.stderr)
    return r.stdout


def postfix_log(minutes):
    """A day on which postgrey's Postfix deferred: minutes is when whose mail came, and whether it was taken."""
    lines, at = [], time.time() - 86400
    for i, (minute, name, address, sender, recipient, taken) in enumerate(minutes):
        stamp = time.strftime("%b %e %H:%M:%S", time.gmtime(at + minute * 60)) + " mx postfix/"
        if taken:
            lines += [f"{stamp}smtpd[1]: {i:010X}: client={name}[{address}]", f"{stamp}qmgr[2]: {i:010X}: from=<{sender}>, size=9, nrcpt=1",
                      f"{stamp}local[3]: {i:010X}: to=<{recipient}>, relay=local, delay=1, dsn=2.0.0, status=sent (delivered)"]
        else:
            lines.append(f"{stamp}smtpd[1]: NOQUEUE: reject: RCPT from {name}[{address}]: 450 4.2.0 <{recipient}>: Recipient address rejected: "
                         f"Greylisted, see http://postgrey.example/help; from=<{sender}> to=<{recipient}> proto=ESMTP helo=<{name}>")
    return "\n".join(lines) + "\n"


@test
def from_a_log_of_another_greylister(t):
    text = postfix_log([
        (0, "mx1.good.example", "192.0.2.1", "a@good.example", "b@here.example", False),
        (3, "mx1.good.example", "192.0.2.1", "a@good.example", "b@here.example", False),
        # Its retry comes from another address of the same organisation.
        (7, "mx2.good.example", "198.51.100.1", "a@good.example", "b@here.example", True),
        (9, "mx2.good.example", "198.51.100.1", "a@good.example", "b@here.example", True),
        (10, "mail.lost.example", "203.0.113.1", "boss@lost.example", "b@here.example", False),
        (30, "mail.lost.example", "203.0.113.1", "boss@lost.example", "b@here.example", False),
        (11, "unknown", "10.9.8.7", "spam@spam.example", "b@here.example", False),
        (12, "dsl-10-9-7-7.dyn.example", "10.9.7.7", "spam@spam.example", "b@here.example", False),
    ])
    r = json.loads(log_report(t, text, "--json"))
    counts = {(v["verdict"], v["reason"]): v["count"] for v in r["verdicts"]}
    equal(counts, {("defer", "new"): 4, ("defer", "early"): 2, ("pass", "retried"): 1, ("pass", "known"): 1})
    equal((r["from"], r["delays"]["count"], r["delays"]["total_s"]), ("log", 1, 420))
    equal([row["source"] for row in r["lost"]], ["lost.example", "10.9.8.0/24", "10.9.7.0/24"] if r["lost"][1]["source"] == "10.9.8.0/24"
          else ["lost.example", "10.9.7.0/24", "10.9.8.0/24"])
    equal((r["lost"][0]["tries"], r["lost"][0]["score"]), (2, 7))
    equal((r["systems_retried"], r["systems_silent"]), (1, 3))
    equal([row["source"] for row in json.loads(log_report(t, text, "--json", "--skip-dynamic"))["lost"]], ["lost.example"])
    for format in ("text", "csv", "html"):
        check("lost.example" in log_report(t, text, "--format", format), format)


@test
def from_the_log_of_greylagd(t):
    d = filled(t)
    equal(d.stop(), 0)
    r = json.loads(log_report(t, d.log.read_bytes(), "--json", "--after", "1s", "--top", "100"))
    counts = {(v["verdict"], v["reason"]): v["count"] for v in r["verdicts"]}
    strangers = 6 + 2 + len(HOSTILE)
    equal(counts["defer", "new"], strangers + 1, "the trap's too")
    equal(counts["pass", "retried"], 3)
    equal(r["lost"][0]["source"], "lost.example")


@test
def logs_that_are_broken(t):
    for text in (b"", b"\n\n", b"\0\xff" * 5000, b"Nov 21 09:00:05 mx postfix/smtpd[1]: NOQUEUE: reject: RCPT from", b"x" * 100000):
        r = json.loads(log_report(t, text, "--json"))
        equal(r["verdicts"], [])
    hostile = postfix_log([(0, "unknown", "192.0.2.1", sender, "b@here.example", False)
                           for sender in HOSTILE if isinstance(sender, str) and ">" not in sender])
    for row in csv.reader(io.StringIO(log_report(t, hostile, "--format", "csv", "--top", "100"), newline="")):
        check(all(not field or field[0] not in "=+-@" for field in row), row)
    equal(subprocess.run([t.args.greylag, "report", "--from-log", str(t.folder / "none")], capture_output=True).returncode, 1)
    gone = t.folder / "cut.gz"
    gone.write_bytes(gzip.compress(hostile.encode() * 50)[:200])
    plain = t.folder / "maillog"
    r = subprocess.run([t.args.greylag, "--json", "report", "--from-log", str(gone), str(plain)], capture_output=True, timeout=LIMIT)
    equal(r.returncode, 1, r.stderr)
    check(json.loads(r.stdout)["verdicts"], "what could be read is told")


@test
def logs_in_any_order(t):
    rows = [(0, "mx.good.example", "192.0.2.1", "a@good.example", "b@here.example", False),
            (200, "mx.good.example", "192.0.2.1", "a@good.example", "b@here.example", True)]
    lines = postfix_log(rows).splitlines(keepends=True)
    old, new = t.folder / "mail.log.1.gz", t.folder / "mail.log"
    old.write_bytes(gzip.compress(lines[0].encode()))
    new.write_text("".join(lines[1:]))

    def run(*files, data=None):
        r = subprocess.run([t.args.greylag, "--json", "report", "--from-log", *map(str, files)], capture_output=True, timeout=LIMIT,
                           input=data, env={**os.environ, "TZ": "UTC"})
        equal(r.returncode, 0, r.stderr)
        return json.loads(r.stdout)["delays"], r.stderr.decode()

    equal(run(new, old), run(old, new))
    equal(run(new, old)[0]["total_s"], 12000)
    equal(run(new, old)[1], "")
    check("not oldest first" in run("-", data="".join(lines[1:] + lines[:1]).encode())[1], "says so")


class Reader(threading.Thread):
    """Takes what a terminal gets, until its other side is closed."""

    def __init__(self, master):
        super().__init__(daemon=True)
        self.master, self.text = master, ""
        self.start()

    def run(self):
        decode = codecs.getincrementaldecoder("utf-8")()
        while True:
            try:
                data = os.read(self.master, 65536)
            except OSError:
                break
            if not data:
                break
            self.text += decode.decode(data)
        os.close(self.master)


def on_terminal(t, d, words, **environment):
    """What the command writes to a terminal."""
    master, slave = pty.openpty()
    env = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "LC_ALL", "LANG", "LC_CTYPE")}
    process = subprocess.Popen([t.args.greylag, "--socket", str(d.control), *words], stdin=subprocess.DEVNULL, stdout=slave,
                               stderr=slave, env={**env, "TERM": "xterm", **environment})
    os.close(slave)
    out = b""
    while True:
        try:
            data = os.read(master, 65536)
        except OSError:
            break
        if not data:
            break
        out += data
    os.close(master)
    equal(process.wait(LIMIT), 0)
    return out.decode()


@test
def text_for_people(t):
    d = filled(t)
    plain = report(t, d)
    for word in ("defer", "retried", "never back", "lost.example", "most deferred sources", "they waited", "bandwidth"):
        check(word in plain, f"{word} in {plain}")
    check("\033" not in plain, "no colours in a pipe")
    words = ("report", "--after", "1s")
    utf8 = on_terminal(t, d, words, LC_ALL="C.UTF-8")
    check("\033[33m" in utf8 and "█" in utf8, "colours and blocks on a terminal")
    check("\033" not in on_terminal(t, d, words, NO_COLOR="1", LC_ALL="C.UTF-8"), "NO_COLOR")
    check("\033[33m" in on_terminal(t, d, words, NO_COLOR="", LC_ALL="C.UTF-8"), "an empty NO_COLOR says nothing")
    ascii_only = on_terminal(t, d, words, LC_ALL="C")
    check("#" in ascii_only and "█" not in ascii_only, "ASCII where there is no UTF-8")


@test
def top_once(t):
    """Where there is no terminal."""
    d = filled(t)
    text = t.greylag(d, "top")
    for word in ("requests", "pass ", "defer ", "in 24 h", "allow-rule", "boss@lost.example -> carol@example.net"):
        check(word in text, f"{word} in {text}")
    check("\033" not in text and "\xff" not in text, "nothing but text")
    row, = [json.loads(line) for line in t.greylag(d, "--json", "top").splitlines()]
    equal(row["requests"], 30)
    for wrong in ("0", "x", "3601", "-1"):
        t.greylag(d, "top", "--", wrong, status=64)
    d.stop()
    t.greylag(d, "top", status=69)


@test
def top_live(t):
    """Draws anew, outlives the daemon, ends on q and on a signal, and puts the terminal back."""
    d = filled(t)
    for end in (lambda p, m: os.write(m, b"q"), lambda p, m: p.send_signal(signal.SIGINT), lambda p, m: p.terminate(),
                lambda p, m: os.write(m, b"xx\x1aq"), lambda p, m: p.send_signal(signal.SIGQUIT)):
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 200, 0, 0))
        before = termios.tcgetattr(slave)
        process = subprocess.Popen([t.args.greylag, "--socket", str(d.control), "top", "1"], stdin=slave, stdout=slave, stderr=slave,
                                   env={**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8", "NO_COLOR": ""})
        seen = Reader(master)
        wait_for(lambda: "lost.example" in seen.text, "the first picture")
        ask_once(d.socket, client_address="203.0.113.9", sender="new@comer.example")
        wait_for(lambda: "new@comer.example" in seen.text, "the next one")
        d.stop()
        wait_for(lambda: "is greylagd running?" in seen.text, "what is wrong")
        d.start()
        wait_for(lambda: "up 0s" in seen.text[seen.text.rindex("is greylagd running?"):] or
                 re.search(r"up \d+s", seen.text[seen.text.rindex("is greylagd running?"):]), "the daemon to be back")
        end(process, master)
        equal(process.wait(LIMIT), 0)
        equal(termios.tcgetattr(slave), before, "the terminal's settings")
        os.close(slave)
        seen.join(LIMIT)
        check(seen.text.count("\033[?1049h") == seen.text.count("\033[?1049l") == 1, "the other screen, and back")
        with Asker(d.socket) as a:
            a.ask(client_address="198.51.100.7", client_name="mail.lost.example", sender="boss@lost.example")


@test
def an_empty_store(t):
    d = t.daemon(CONFIG)
    for words in ([], ["--format", "json"], ["--format", "csv"], ["--format", "html"], ["--since", "3650d", "--format", "html"],
                  ["--since", "1s"]):
        check(t.greylag(d, "report", *words), str(words))


if __name__ == "__main__":
    test.main()
