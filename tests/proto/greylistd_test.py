#!/usr/bin/env python3
"""The socket of greylistd's protocol in the real greylagd: what Exim's ACLs ask,
greylist(1)'s commands, and every kind of bad input."""
import contextlib
import pathlib
import re
import signal
import socket
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from harness import LIMIT, Tests, ask_once, check, equal, listens_at, wait_for

test = Tests(__doc__)
TRIPLET = "192.0.2.1 alice@example.org bob@example.net"


def start(t, config="", **more):
    """A daemon with a socket of greylistd; d.greylistd is its path."""
    d = t.daemon(start=False, **more)
    d.greylistd = d.folder / "greylistd"
    reconfigure(d, config)
    return d.start()


def reconfigure(d, config):
    d.configure(f"listen greylistd unix {d.greylistd}\n{config}")


def connect(d, limit=LIMIT):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(limit)

    def connected():
        try:
            s.connect(str(d.greylistd))
            return True
        except BlockingIOError:
            return False
    wait_for(connected, "room in the accept queue", limit)
    return s


def answer(s):
    """All until end of file."""
    out = b""
    while True:
        try:
            data = s.recv(65536)
        except ConnectionResetError:
            return out
        if not data:
            return out
        out += data


def ask(d, command, close=True):
    """What Exim does: send, close the sending side, read until end of file."""
    with connect(d) as s:
        s.sendall(command if isinstance(command, bytes) else command.encode())
        if close:
            s.shutdown(socket.SHUT_WR)
        return answer(s).decode()


# --- What MTAs ask ------------------------------------------------------------------

@test
def first_attempt_early_and_good_retry(t):
    # Time is counted in whole seconds: the early retry may come four of them later.
    d = start(t, "greylist delay 5s")
    equal(ask(d, f"--grey {TRIPLET}"), "true", "first attempt")
    equal(ask(d, f"--grey {TRIPLET}"), "true", "early retry")
    time.sleep(5.1)
    equal(ask(d, f"--grey {TRIPLET}"), "false", "good retry")
    equal(ask(d, f"--grey {TRIPLET}"), "false", "known")
    wait_for(lambda: "reason=allowed" in d.logged() or "reason=known" in d.logged(), "the last verdict")
    for reason in ("reason=new", "reason=early", "reason=retried"):
        wait_for(lambda: reason in d.logged(), reason)
    wait_for(lambda: "from=<alice@example.org>" in d.logged(), d.logged())


@test
def words_instead_of_truth(t):
    d = start(t, "greylist delay 0s\nblock client 203.0.113.0/24")
    equal(ask(d, f"update {TRIPLET}"), "grey")
    equal(ask(d, TRIPLET), "white", "update is what is done without a command")
    equal(ask(d, f"check {TRIPLET}"), "white")
    equal(ask(d, "203.0.113.9 alice@example.org bob@example.net"), "black")
    for option, wanted in (("--white", "false"), ("--grey", "false"), ("--black", "true")):
        equal(ask(d, f"update {option} 203.0.113.9 alice@example.org bob@example.net"), wanted, option)
    for option, wanted in (("--white", "true"), ("--grey", "false"), ("--black", "false")):
        equal(ask(d, f"CHECK {option} {TRIPLET}"), wanted, option)


@test
def check_changes_nothing(t):
    d = start(t)
    for _ in range(3):
        equal(ask(d, f"check {TRIPLET}"), "grey")
        equal(ask(d, f"check --grey {TRIPLET}"), "true")
        # Nor does the question that greylistd-setup-exim4 asks next.
        equal(ask(d, f"--black {TRIPLET}"), "false")
    equal(ask(d, "list"), "", "records")
    check("reason=" not in d.logged(), "no verdict lines")
    equal(ask(d, TRIPLET), "grey")
    wait_for(lambda: "reason=new" in d.logged(), "a first attempt only now")


@test
def ends_of_a_command(t):
    d = start(t)
    for command, close in ((TRIPLET, True), (TRIPLET + "\n", True), (TRIPLET + "\n", False), (TRIPLET + "\r\n", False),
                           (TRIPLET + "\nsecond line is not read", False), ("  " + TRIPLET + "  ", True)):
        equal(ask(d, command, close), "grey", repr(command))
    started = time.monotonic()
    equal(ask(d, TRIPLET, close=False), "grey", "neither line feed nor end of file")
    check(time.monotonic() - started < 20, "and soon, not when requests take too long")
    wait_for(lambda: d.logged().count("reason=early") == 6, "it was the same triplet")


@test
def null_sender(t):
    d = start(t, "greylist delay 1s")
    for command in ("--grey 192.0.2.1  bob@example.net", "--grey 192.0.2.1 <> bob@example.net"):
        equal(ask(d, command), "false", f"{command}: callouts pass at RCPT")
    wait_for(lambda: d.logged().count("reason=null-sender") == 2, "the reason")
    # After DATA, as greylistd-setup-exim4 asks.
    equal(ask(d, "--grey 192.0.2.1 bob@example.net"), "true", "a bounce")
    time.sleep(1.1)
    equal(ask(d, "--grey 192.0.2.1 bob@example.net"), "false", "and its retry")
    equal(ask(d, "--grey 198.51.100.1 bob@example.net, eve@example.net"), "true", "two recipients")
    wait_for(lambda: "reason=retried" in d.logged() and d.logged().count("reason=new") == 2, "as a triplet")
    wait_for(lambda: "from=<> to=<bob@example.net> stage=DATA" in d.logged() and "bob@example.net," not in d.logged(), d.logged())


@test
def networks_and_odd_data(t):
    d = start(t)
    for client in ("192.0.2.0/24", "192.0.2.77", "192.0.2.64/26"):
        ask(d, f"{client} alice@example.org bob@example.net")
    wait_for(lambda: d.logged().count("reason=early") == 2, "one network, one triplet")
    for client in ("2001:db8::1", "2001:db8::/64", "2001.0db8.0000.0000.0000.0000.0000.0000/64"):
        ask(d, f"{client} alice@example.org bob@example.net")
    wait_for(lambda: d.logged().count("reason=early") == 4, "the same with IPv6")
    equal(ask(d, "198.51.100.7"), "grey", "the client alone")
    equal(ask(d, "alice@example.org bob@example.net 198.51.100.8"), "grey", "another order")
    equal(ask(d, "198.51.100.9 \"a b\"@example.org bob@example.net extra words"), "grey", "a quoted sender")
    wait_for(lambda: "b\\x22@example.org> to=<bob@example.net>" in d.logged(), "the right recipient")
    # Local mail has no address: nothing to judge, and the mail flows.
    equal(ask(d, "--grey  alice@example.org bob@example.net"), "false", "no client")
    wait_for(lambda: "reason=malformed" in d.logged(), "logged")


@test
def what_exim_asks_about_mail_that_passed(t):
    """`deny ... --black $sender_host_address $recipients` in the ACL for DATA."""
    d = start(t, "allow recipient bob@")
    equal(ask(d, f"--grey {TRIPLET}"), "false", "allowed")
    equal(ask(d, f"--black {TRIPLET}"), "false")
    equal(ask(d, "--black 192.0.2.1 eve@example.net"), "false")
    check("reason=new" not in d.logged(), "is not greylisted by that")


@test
def same_records_as_the_policy_socket(t):
    d = start(t, "greylist delay 0s")
    check(ask_once(d.socket).startswith("DEFER_IF_PERMIT"), "asked there")
    equal(ask(d, f"--grey {TRIPLET}"), "false", "passes here")


# --- greylist(1) ----------------------------------------------------------------------

@test
def add_and_delete(t):
    d = start(t)
    equal(ask(d, f"delete {TRIPLET}"), "error: Not found")
    equal(ask(d, f"add --white {TRIPLET}"), "Added to whitelist")
    equal(ask(d, f"check {TRIPLET}"), "white")
    equal(ask(d, TRIPLET), "white")
    wait_for(lambda: "reason=known" in d.logged(), "known")
    equal(ask(d, "check 192.0.2.1 other@example.org bob@example.net"), "grey", "not the whole client")
    equal(ask(d, f"add --grey {TRIPLET}"), "Added to greylist")
    equal(ask(d, TRIPLET), "grey")
    equal(ask(d, f"add {TRIPLET}"), "Added to whitelist", "white without an option")
    equal(ask(d, f"delete {TRIPLET}"), "Removed from whitelist")
    equal(ask(d, f"check {TRIPLET}"), "grey")
    equal(ask(d, TRIPLET), "grey")
    equal(ask(d, f"delete {TRIPLET}"), "Removed from greylist")
    check(ask(d, f"add --black {TRIPLET}").startswith("error: rules do that"), "black")
    check(ask(d, "add alice@example.org").startswith("error: no client"), "no client")


@test
def added_records_outlive_a_restart(t):
    d = start(t, store="rocksdb")
    equal(ask(d, f"add {TRIPLET}"), "Added to whitelist")
    d.stop(signal.SIGKILL)
    d.start()
    equal(ask(d, TRIPLET), "white")
    equal(ask(d, f"delete {TRIPLET}"), "Removed from whitelist")
    d.stop(signal.SIGKILL)
    d.start()
    equal(ask(d, TRIPLET), "grey")


@test
def list_and_clear(t):
    for store in ("memory", "rocksdb"):
        d = start(t, store=store)
        equal(ask(d, "list"), "", "empty")
        ask(d, TRIPLET)
        ask(d, f"add {TRIPLET.replace('alice', 'carol')}")
        row = r"\n  {}\n={{14,15}}\n  Last Seen +Count  Data\n".replace("\\n  {}", "\\n{}", 1)
        white = ask(d, "list --white")
        check(re.fullmatch(row.format("Whitelist data:") + r"  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d +0  "
                           r"192\.0\.2\.0/24 carol@example\.org bob@example\.net\n", white), white)
        grey = ask(d, "list --grey")
        check(re.fullmatch(row.format("Greylist data:") + r"  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d +1  "
                           r"192\.0\.2\.0/24 alice@example\.org bob@example\.net\n", grey), grey)
        equal(ask(d, "list"), white + grey, "both")
        equal(ask(d, "list --white --grey"), white + grey, "both")
        equal(ask(d, "list --black"), "", "there is no such list")
        check(ask(d, "clear --black").startswith("error: "), "clear --black")
        equal(ask(d, "clear --grey"), "data cleared")
        equal(ask(d, "list"), white, "grey is gone")
        equal(ask(d, "clear"), "data cleared")
        equal(ask(d, "list"), "", "all is gone")
        d.stop()


@test
def list_has_an_end(t):
    d = start(t)
    for i in range(1300):
        ask(d, f"192.0.2.1 alice{'x' * (i % 7)}@s{i}.example bob@example.net")
    equal(ask(d, "list").count("bob@example.net"), 1000, "rows")
    equal(ask(d, "clear"), "data cleared")
    equal(ask(d, "list"), "", "all is gone")


@test
def stats_and_others(t):
    d = start(t, "greylist delay 0s\nblock client 203.0.113.0/24")
    for command in (TRIPLET, TRIPLET, "192.0.2.1 x@y.example bob@example.net", "203.0.113.1 a@b.example c@d.example",
                    "198.51.100.1 x@y.example bob@example.net"):
        ask(d, command)
    for word in ("stats", "status"):
        stats = ask(d, word)
        check(re.match(r"Statistics since \w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4} \(\d+s ago\)\n-+\n", stats), stats)
        check(re.search(r"\n +\d+ items, matching +2 requests, are currently whitelisted\n", stats), stats)
        check(re.search(r"\n +1 items, matching +2 requests, are currently greylisted\n", stats), stats)
        check(re.search(r"\n +0 items, matching +1 requests, are currently blacklisted\n", stats), stats)
        check("\nOf 2 items that were initially greylisted:\n" in stats and "( 50.0%) became whitelisted" in stats, stats)
    check(re.fullmatch(r"2\n1\n\d+s\nmx\.test\n", ask(d, "mrtg")), ask(d, "mrtg"))
    check(ask(d, "save").startswith("nothing to save"), "save")
    reconfigure(d, "allow client 192.0.2.0/24")
    equal(ask(d, "reload"), "configuration reloaded")
    equal(ask(d, "192.0.2.1 new@y.example bob@example.net"), "white")
    reconfigure(d, "nonsense")
    check(ask(d, "reload").startswith("error: "), "reload of a broken configuration")
    equal(ask(d, "192.0.2.1 new@z.example bob@example.net"), "white", "the old one stays")


# --- Bad input ------------------------------------------------------------------------

@test
def junk_is_answered(t):
    d = start(t)
    for command, text in (("frobnicate", "unknown command"), ("help me", "unknown command"), (" \t ", "no data received"),
                          ("\n", "no data received"), ("--blue " + TRIPLET, "no such list"), ("-", "no such list"),
                          ("update", "missing argument"), ("check --grey", "missing argument"), ("--grey", "missing"),
                          ("stats now", "too many arguments"), ("list --white x", "too many arguments"),
                          ("GET / HTTP/1.0\r\n\r\n", "unknown command"), ("add frob", "no client")):
        reply = ask(d, command)
        check(reply.startswith("error: ") and text in reply and "\n" not in reply, f"{command!r}: {reply!r}")
    wait_for(lambda: d.logged().count("command refused") == 12, "log lines")
    with connect(d) as s:
        s.shutdown(socket.SHUT_WR)
        equal(answer(s), b"", "nothing is answered with nothing")
    equal(ask(d, TRIPLET), "grey", "the daemon lives")


@test
def control_and_high_bytes(t):
    d = start(t)
    for word in (b"a\0b@x.example", b"a\x07@x.example", b"a\x7f@x.example", b"a\r@x.example"):
        equal(ask(d, b"--grey 192.0.2.1 " + word + b" bob@example.net"), "true", repr(word))
    equal(ask(d, b"\0\0\0\x1b[2J"), "error: unknown command")
    equal(ask(d, b"192.0.2.1 \xff\xfe@x.example bob@example.net"), "grey")
    equal(ask(d, "192.0.2.1 j\u00f6rg@ex\u00e4mple.com bob@example.net"), "grey")
    text = ask(d, "list")
    check("j\u00f6rg@" in text and "\x1b" not in text and "\x07" not in text, f"a list for a terminal: {text!r}")
    text = d.log.read_bytes()
    check(b"\xff" not in text and b"\x07" not in text and b"\x1b" not in text, "raw bytes in the log")


@test
def long_commands(t):
    d = start(t)
    equal(ask(d, f"--grey 192.0.2.1 {'a' * 1000}@x.example bob@example.net"), "true", "1,010 bytes are judged")
    equal(ask(d, f"--grey 192.0.2.1 {'a' * 2000}@x.example bob@example.net"), "true", "so are 2,010")
    recipients = ", ".join(f"r{i}@example.net" for i in range(1000))
    equal(ask(d, f"--grey 192.0.2.1 {recipients}"), "true", "and a command that is not kept whole")
    equal(ask(d, f"--grey 192.0.2.1 {recipients}\n", close=False), "true", "with a line feed")
    check(ask(d, "x" * 5000).startswith("error: "), "one word")
    with connect(d) as s:
        try:
            s.sendall(b"x" * (1 << 20))
        except OSError:
            pass
        check(answer(s) in (b"error: unknown command", b""), "a megabyte")
    check(max(len(line) for line in d.logged().splitlines()) < 1500, "a log line is short")
    check(d.resident_kb() < 100_000 or "build-asan" in t.args.greylagd, "memory")


def by_bytes(d, pause, close):
    """The answer to bytes that were sent apart, but none so late that the command was taken for complete
    (QUIET_MS): what the machine held up so long says nothing."""
    while True:
        times = [time.monotonic()]
        with connect(d) as s:
            with contextlib.suppress(BrokenPipeError):
                for byte in TRIPLET.encode():
                    s.sendall(bytes([byte]))
                    times.append(time.monotonic())
                    time.sleep(pause)
                if close:
                    s.shutdown(socket.SHUT_WR)
            times.append(time.monotonic())
            got = answer(s)
        if max(b - a for a, b in zip(times, times[1:])) < 0.1:
            return got


@test
def one_byte_at_a_time(t):
    d = start(t)
    equal(by_bytes(d, 0, True), b"grey")
    equal(by_bytes(d, 0.01, False), b"grey")
    wait_for(lambda: "reason=early" in d.logged(), "the same triplet")


@test
def who_never_sends_or_never_reads(t):
    d = start(t, "limit request-time 2s\nlimit in-flight 10000")
    for i in range(900):
        ask(d, f"192.0.2.1 {'x' * 200}@s{i}.example bob@example.net")
    with connect(d) as silent, connect(d) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        deaf.sendall(b"list\n")
        equal(answer(silent), b"", "given up")
        wait_for(lambda: "greylistd connection closed: no command" in d.logged(), "a log line")
        wait_for(lambda: "\"connections\": 0" in t.greylag(d, "status", "--json") or
                 "peer takes no answer" in d.logged(), "the deaf one to go")
        equal(ask(d, "check 192.0.2.1 a@b.example c@d.example"), "grey", "others are served")


@test
def peer_goes_away_before_its_answer(t):
    d = start(t, "store deadline 200ms", store="failing hang")
    for command in (TRIPLET, f"add {TRIPLET}", "list", f"check {TRIPLET}", f"delete {TRIPLET}"):
        for _ in range(20):
            with connect(d) as s:
                s.sendall(command.encode() + b"\n")
    wait_for(lambda: d.logged().count("store-timeout") >= 20, "the deadline")
    check(d.alive(), "it lives")
    equal(ask(d, TRIPLET), "white", "the others are served")
    equal(d.stop(), 0, "it stops")


# --- Trouble --------------------------------------------------------------------------

@test
def a_store_that_hangs_or_fails(t):
    for store in ("failing hang", "failing fail", "failing hang-merge", "failing fail-merge"):
        d = start(t, "store deadline 200ms\nlimit request-time 2s", store=store)
        equal(ask(d, f"--grey {TRIPLET}"), "false", f"{store}: mail flows")
        # What could not be stored is kept for when it can, and counts: this is the next attempt.
        equal(ask(d, TRIPLET), "grey" if store == "failing fail-merge" else "white", store)
        for command in ("list", "clear", f"add {TRIPLET}", f"delete {TRIPLET}"):
            reply = ask(d, command)
            check(reply == "" or reply.startswith("error: ") or "merge" in store, f"{store}: {command}: {reply}")
        reconfigure(d, "store deadline 200ms\non-store-failure defer\nlimit request-time 2s")
        ask(d, "reload")
        equal(ask(d, f"--grey {TRIPLET}"), "true", f"{store}: or is deferred, as configured")
        equal(d.stop(), 0, f"{store}: it stops")


@test
def five_hundred_at_once(t):
    for store in ("memory", "rocksdb"):
        d = start(t, store=store)
        connections = [connect(d) for _ in range(500)]
        for i, s in enumerate(connections):
            s.sendall(f"--grey 192.0.2.1 s@s{i}.example bob@example.net".encode())
        for s in connections[::2]:
            s.shutdown(socket.SHUT_WR)
        for i, s in enumerate(connections):
            equal(answer(s), b"true", f"connection {i}")
            s.close()
        wait_for(lambda: d.logged().count("reason=new") == 500, "each a triplet")
        d.stop()


@test
def at_the_limit_of_connections(t):
    d = start(t, "limit connections 20")
    held = [connect(d) for _ in range(20)]
    wait_for(lambda: ask_refused(d), "one too many")
    for s in held:
        s.close()
    wait_for(lambda: not ask_refused(d), "service afterwards")


def ask_refused(d):
    with connect(d) as s:
        try:
            s.sendall(TRIPLET.encode())
            return answer(s) == b""
        except OSError:
            return True


@test
def stops_while_clients_hang(t):
    d = start(t, store="rocksdb")
    with connect(d), connect(d) as half:
        half.sendall(b"--gr")
        equal(ask(d, TRIPLET), "grey")
        started = time.monotonic()
        equal(d.stop(), 0, "exit status")
        check(time.monotonic() - started < 30, "slow stop")
    check(not d.greylistd.exists(), "the socket is gone")


@test
def reload_opens_and_closes_the_socket(t):
    d = start(t)
    d.configure("")
    d.send_signal(signal.SIGHUP)
    wait_for(lambda: not d.greylistd.exists(), "the socket to go")
    reconfigure(d, "")
    d.send_signal(signal.SIGHUP)
    wait_for(lambda: listens_at(d.greylistd), "the socket")
    equal(ask(d, TRIPLET), "grey")


if __name__ == "__main__":
    test.main()
