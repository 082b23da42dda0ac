#!/usr/bin/env python3
"""greylag-qmail under the real tcpserver, with mailfront as the SMTP server behind it."""
import pathlib
import random
import re
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from harness import LIMIT, Skip, Tests, check, equal, wait_for
from mta import Client, attempt, shorten_delay
from ucspi import Tcpserver, recorder, talk

test = Tests(__doc__)
ALICE, BOB, CAROL = "alice@example.org", "bob@example.net", "carol@example.net"


def door(t):
    return str(pathlib.Path(t.args.greylagd).parents[1] / "doors/greylag-qmail")


def serve(t, where, *options, server=None, **environment):
    s = Tcpserver(t.folder, [door(t), "--socket", str(where), *options], server, **environment)
    t.at_end(s.close)
    return s


def greylisted(reply):
    return reply[0] == 451 and reply[1].startswith("4.7.1 Greylisted")


@test
def deferred_then_accepted_with_header(t):
    d = t.daemon("greylist delay 1s\n")
    s = serve(t, d.socket)
    replies, end = attempt(s.port, ALICE, [BOB])
    check(greylisted(replies[0]) and end is None, str(replies))
    time.sleep(1.2)
    replies, end = attempt(s.port, ALICE, [BOB])
    equal((replies[0][0], end[0]), (250, 250))
    wait_for(lambda: "X-Greylist: delayed" in s.said(), s.said())
    length = int(re.search(r"Received (\d+) bytes", end[1]).group(1))
    replies, end = attempt(s.port, ALICE, [BOB])
    equal(replies[0][0], 250)
    check(int(re.search(r"Received (\d+) bytes", end[1]).group(1)) < length, "the header is in the first only")
    s.quiet()
    equal(s.statuses(), [0, 0, 0])


@test
def header_can_be_left_out(t):
    d = t.daemon("greylist delay 1s\n")
    s = serve(t, d.socket, "--no-header", "--reply", "450 4.2.0")
    equal(attempt(s.port, ALICE, [BOB])[0][0][0], 450)
    time.sleep(1.2)
    equal(attempt(s.port, ALICE, [BOB])[1][0], 250)
    check("X-Greylist" not in s.said(), s.said())


@test
def recipients_are_judged_one_by_one(t):
    d = t.daemon(f"allow recipient {CAROL}\n")
    s = serve(t, d.socket)
    replies, end = attempt(s.port, ALICE, [BOB, CAROL, BOB])
    equal([r[0] for r in replies], [451, 250, 451])
    equal(end[0], 250)
    check(f"RCPT TO:<{BOB}>" not in s.said(), "the server never hears of the deferred")
    wanted = [b"220", b"250", b"250", b"451", b"250", b"451", b"354", b"250", b"250", b"451", b"503", b"221"]
    dialogue = (f"HELO x\r\nMAIL FROM:<{ALICE}>\r\nRCPT TO:<{BOB}>\r\nRCPT TO:<{CAROL}>\r\nrcpt to:<{BOB}>\r\n"
                f"DATA\r\nRCPT TO:<{BOB}>\r\n.\r\nMAIL FROM:<{ALICE}>\r\nRCPT TO:<{BOB}>\r\nDATA\r\nQUIT\r\n")
    got = talk(s.port, dialogue.encode())
    # mailfront takes DATA without a recipient; then QUIT is the message's first line.
    codes = [line[:3] for line in got.splitlines()]
    equal(codes[:10], wanted[:10], "in their order")


@test
def what_the_server_refuses_is_not_asked(t):
    d = t.daemon()
    s = serve(t, d.socket)
    got = talk(s.port, b"HELO x\r\nRCPT TO:<bob@example.net>\r\nMAIL bad\r\nRCPT TO:<bob@example.net>\r\nQUIT\r\n")
    equal([line[:3] for line in got.splitlines()], [b"220", b"250", b"503", b"501", b"503", b"221"])
    equal(d.logged().count("verdict="), 0, "nobody was asked")


@test
def null_sender_is_judged_at_data(t):
    d = t.daemon("greylist delay 1s\n")
    s = serve(t, d.socket)
    replies, end = attempt(s.port, "", [BOB])
    equal(replies[0][0], 250)
    check(greylisted(end), str(end))
    time.sleep(1.2)
    replies, end = attempt(s.port, "", [BOB])
    equal((replies[0][0], end[0]), (250, 250))
    wait_for(lambda: "X-Greylist: delayed" in s.said(), s.said())


@test
def forms_of_addresses(t):
    d = t.daemon()
    s = serve(t, d.socket)
    for form in ("TO:<BOB@example.net>", "TO:bob@example.net", "TO: <bob@example.net>",
                 "TO:<@relay.example:bob@example.net>", 'TO:<"bob"@example.net>', "TO:<bob@example.net> NOTIFY=NEVER",
                 "TO:<bob@example.net>" + " " * 6000, "\tTO:<bob@example.net>"):
        got = talk(s.port, f"EHLO mx.example.org\r\nMAIL FROM:<{ALICE}> SIZE=5\r\nRCPT {form}\r\nQUIT\r\n".encode())
        check(b"\r\n451 4.7.1 Greylisted" in got and got.endswith(b"221 2.0.0 Good bye.\r\n"), f"{form}: {got}")
    wait_for(lambda: d.logged().lower().count("to=<bob@example.net>") == 8, "all meant the same: " + d.logged())


@test
def who_is_not_asked_about(t):
    d = t.daemon()
    for exempt in ({"RELAYCLIENT": ""}, {"RELAYCLIENT": "@x"}, {"GREYLAG": "skip"}):
        s = serve(t, d.socket, **exempt)
        equal(attempt(s.port, ALICE, [BOB])[1][0], 250, str(exempt))
        s.quiet()
        with Client(s.port):
            equal([child[0] for child in s.children()], ["mailfront"], "no process of ours is left")
    equal(d.logged().count("verdict="), 0, "nobody was asked")


@test
def daemon_away(t):
    away = t.folder / "nobody"
    s = serve(t, away)
    equal(attempt(s.port, ALICE, [BOB])[1][0], 250, "passes")
    wait_for(lambda: "mail is passed: cannot connect" in s.said(), s.said())
    s = serve(t, away, "--on-failure", "defer")
    equal(attempt(s.port, ALICE, [BOB])[0][0][0], 451, "or defers")
    s = serve(t, away, "--on-failure", "defer", "--by-client")
    equal(attempt(s.port, ALICE, [BOB])[0][0][0], 451, "by client, too")


@test
def daemon_hangs(t):
    d = t.daemon()
    s = serve(t, d.socket, "--deadline", "7s")
    d.send_signal(signal.SIGSTOP)
    started = time.monotonic()
    equal(attempt(s.port, ALICE, [BOB])[1][0], 250)
    check(6.9 < time.monotonic() - started < 20, "at the deadline")
    d.send_signal(signal.SIGCONT)


@test
def daemon_restarted_between_recipients(t):
    d = t.daemon()
    s = serve(t, d.socket, "--on-failure", "pass")
    with Client(s.port) as client:
        client.mail(ALICE)
        equal(client.rcpt(BOB)[0], 451)
        d.stop()
        d.start(wait=False)
        equal(client.rcpt(CAROL)[0], 451, "it waited for the daemon")


@test
def by_client(t):
    d = t.daemon("greylist delay 1h\n")
    s = serve(t, d.socket, "--by-client")
    got = talk(s.port, b"EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nRSET\r\nVRFY x\r\nQUIT\r\n")
    equal([line[:3] for line in got.splitlines()], [b"220", b"250", b"250", b"451", b"451", b"250", b"502", b"221"])
    got = talk(s.port, b"NOOP\r\n" * 30)
    equal((got.count(b"250 ok"), got.splitlines()[-1][:3]), (20, b"421"), "it is bounded")
    talk(s.port, b"", close="now")
    s.quiet()
    check("MAIL FROM" not in s.said(), "no server was started")
    shorten_delay(d, 1)
    equal(attempt(s.port, "anybody@example.com", ["else@example.net"])[1][0], 250, "the client is known")
    s.quiet()
    equal(set(s.statuses()), {0})


@test
def greet_delay(t):
    d = t.daemon(f"allow recipient {BOB}\n")
    s = serve(t, d.socket, "--greet-delay", "3")
    wait_for(lambda: "distrusted" not in d.logged(), "nobody has misbehaved")
    started = time.monotonic()
    equal(attempt(s.port, ALICE, [BOB])[1][0], 250)
    check(time.monotonic() - started >= 3, "it waited")
    s = serve(t, d.socket, "--greet-delay", "30")
    got = talk(s.port, b"EHLO x\r\n")
    check(got.startswith(b"554 5.7.1 ") and got.count(b"\n") == 1, str(got))
    wait_for(lambda: "early talker refused: 127.0.0.1" in s.said(), s.said())
    started = time.monotonic()
    talk(s.port, close="now")
    wait_for(lambda: len(s.statuses()) == 2, "the end of both")
    check(time.monotonic() - started < 25, "a hang-up ends the wait")
    wait_for(lambda: d.logged().count("reason=distrusted") == 2, "both were reported")
    s = serve(t, d.socket, "--greet-delay", "1s", "--early-talker", "pass")
    check(talk(s.port, b"QUIT\r\n").startswith(b"220 mx.test"), "passed")
    wait_for(lambda: "early talker passed" in s.said(), s.said())


@test
def how_it_ends(t):
    d = t.daemon()
    for command, status in ((["/nonexistent"], 111 << 8), (["/bin/sh", "-c", "exit 42"], 42 << 8),
                            (["/bin/sh", "-c", "kill -TERM $$"], 15), (["/bin/true"], 0)):
        for more in ({}, {"RELAYCLIENT": ""}):
            s = serve(t, d.socket, server=command, **more)
            equal(talk(s.port), b"", str(command))
            s.quiet()
            equal(s.statuses(), [status], str(command))
    # Something that the server left behind holds its output open.
    s = serve(t, d.socket, server=["/bin/sh", "-c", "echo 220 hello; sleep 20 & exit 3"])
    started = time.monotonic()
    equal(talk(s.port), b"220 hello\n")
    check(time.monotonic() - started < 12, "it ends with the server")
    wait_for(lambda: s.statuses() == [3 << 8], "its status")
    for odd in (["--no-such"], ["--greet-delay", "soon"], ["--early-talker", "x"]):
        r = subprocess.run([door(t), *odd, "/bin/true"], capture_output=True, timeout=LIMIT)
        equal(r.returncode, 64, str(odd))
    equal(subprocess.run([door(t)], capture_output=True, timeout=LIMIT).returncode, 64, "no server")


@test
def server_finds_what_it_would_without(t):
    """Signals, descriptors and environment."""
    d = t.daemon()
    for script in ("grep ^Sig[PBIC] /proc/self/status", "ls /proc/self/fd", "env | grep -v ^_ | grep -v PORT=", "echo $0 $*"):
        command = ["/bin/sh", "-c", script, "a", "b c", "--socket"]
        plain, wrapped = Tcpserver(t.folder, server=command), serve(t, d.socket, server=command)
        t.at_end(plain.close)
        equal(talk(wrapped.port), talk(plain.port), script)


@test
def under_inetd(t):
    """Standard error is the client's."""
    script = "echo 220 x; read x; echo 250 x; read x; echo 250 x; read x; echo 250 x"
    for command in (["/nonexistent"], ["/bin/sh", "-c", script]):
        for more in ([], ["--by-client"]):
            ours, its = socket.socketpair()
            with ours, its:
                p = subprocess.Popen([door(t), "--socket", str(t.folder / "nobody"), *more, *command],
                                     stdin=its, stdout=its, stderr=its, env={"TCPREMOTEIP": "192.0.2.1"})
                its.close()
                ours.sendall(b"HELO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n")
                got = b""
                while data := receive(ours):
                    got += data
                p.wait(LIMIT)
                check(b"greylag" not in got, str(got))
                equal(p.returncode, 111 if len(command) == 1 else 0, str(got))


def receive(s):
    s.settimeout(LIMIT)
    try:
        return s.recv(65536)
    except ConnectionResetError:
        return b""


# --- transparency -----------------------------------------------------------------

START = b"EHLO mx.example.org\r\n"
MAIL = b"MAIL FROM:<alice@example.org>\r\nRCPT TO:<bob@example.net>\r\n"


def corpus():
    """Dialogues: name, parts, how they end."""
    binary = noise_of(300000).replace(b".", b"x")
    many = b"".join(b"RCPT TO:<user%d@example.net>\r\n" % i for i in range(50))
    big = b"".join(b"%07d %s\r\n" % (i, b"x" * 90) for i in range(104858))
    whole = START + MAIL + b"DATA\r\n" + b"Subject: x\r\n\r\n..stuffed\r\n.x\r\n. \r\n..\r\n.\r\n"
    yield "step by step", [None, START, None, MAIL[:31], None, MAIL[31:], None, b"DATA\r\n", None, b"x\r\n.\r\n",
                           None, b"QUIT\r\n"], "read"
    yield "pipelined", [whole + MAIL + b"RSET\r\n" + MAIL + b"DATA\r\nx\r\n.\r\nNOOP\r\nQUIT\r\n"], "read"
    yield "byte by byte", [*(part for i in range(len(whole)) for part in (whole[i:i + 1], 0.0005)), b"QUIT\r\n"], "read"
    yield "50 recipients", [START + MAIL + many + b"DATA\r\nx\r\n.\r\nQUIT\r\n"], "read"
    yield "10 MB", [START + MAIL + b"DATA\r\n" + big + b".\r\nQUIT\r\n"], "read"
    yield "binary", [START + MAIL + b"DATA\r\n" + binary + b"\r\n.\r\nQUIT\r\n"], "read"
    yield "binary commands", [binary[:20000] + b"\r\nQUIT\r\n"], "read"
    yield "long lines", [START + b"NOOP " + b"y" * 4091 + b"\r\nNOOP " + b"y" * 4089 + b"\r\n" +
                         b"Z" * 100000 + b"\r\n" + MAIL + b"RCPT TO:<" + b"l" * 20000 +
                         b"@example.net>\r\nDATA\r\n" + b"d" * 4000 +
                         b"\r\n.\r\nQUIT\r\n"], "read"
    yield "bare LF commands", [START.replace(b"\r", b"") + MAIL.replace(b"\r", b"") + b"QUIT\n"], "read"
    yield "bare LF content", [START + MAIL, b"DATA\r\n", b"a\nb\n.\n", 0.3, MAIL + b"QUIT\r\n"], "read"
    yield "bare CR", [START + b"NOOP\rNOOP\r\n" + MAIL + b"DATA\r\na\r\r\n.\r\r\n.\rx\r\n\r.\r\n.\r\n" +
                      b"QUIT\r\n"], "read"
    yield "empty lines", [b"\r\n\n\r\n" + START + b" RCPT TO:<x>\r\n\r\nQUIT\r\n"], "read"
    yield "unknown commands", [START + b"BDAT 4 LAST\r\nTURN\r\nSTARTTLS\r\nAUTH LOGIN\r\nAUTH PLAIN eA==\r\n" +
                               MAIL + b"VRFY x\r\nHELP\r\nQUIT\r\nNOOP\r\n"], "read"
    yield "out of order", [b"DATA\r\nx\r\n.\r\nRCPT TO:<x@y>\r\n" + MAIL + START + MAIL + MAIL +
                           b"DATA\r\nx\r\n.\r\nQUIT\r\n"], "read"
    yield "nothing", [], "half"
    yield "half a command", [START + b"MAIL FRO"], "half"
    yield "half a message", [START + MAIL + b"DATA\r\nhello\r\n."], "half"
    yield "no QUIT", [whole], "half"
    yield "ended within a long line", [b"RCPT " + b"x" * 10000], "half"


def noise_of(size):
    return random.Random(size).randbytes(size)


def messages(server):
    """What the server saw, without what differs between sessions."""
    # It also counts what it read behind QUIT.
    return re.sub(r"\[\d+\]|^tcpserver.*\n|bytes in: \d+", "", server.said(), flags=re.M)


@test
def transparent(t):
    d = t.daemon("allow client 127.0.0.0/8\n")
    for name, parts, close in corpus():
        plain, wrapped = Tcpserver(t.folder), serve(t, d.socket)
        t.at_end(plain.close)
        wanted, got = talk(plain.port, *parts, close=close), talk(wrapped.port, *parts, close=close)
        check(wanted == got, f"{name}: {len(wanted)} and {len(got)} bytes: {wanted[-300:]!r}, got {got[-300:]!r}")
        plain.quiet()
        wrapped.quiet()
        equal(messages(wrapped), messages(plain), name)
        equal(wrapped.statuses(), plain.statuses(), name)
        plain.close()
        wrapped.close()


def recorded(t, socket, *parts, close="half", **environment):
    """(What the client got, what the server read) through the wrapper."""
    file = t.folder / f"record{time.monotonic_ns()}"
    s = serve(t, socket, server=recorder(file), **environment)
    got = talk(s.port, *parts, close=close)
    s.quiet()
    s.close()
    return got, file.read_bytes() if file.exists() else b""


@test
def server_reads_what_was_sent(t):
    d = t.daemon("allow client 127.0.0.0/8\n")
    for name, parts, _ in corpus():
        sent = b"".join(part for part in parts if isinstance(part, bytes))
        end = sent.upper().find(b"QUIT\r\n") + 6
        got, read = recorded(t, d.socket, *parts)
        wanted = sent[:end] if end > 5 and b"221 bye" in got else sent
        check(read == wanted, f"{name}: {len(wanted)} and {len(read)} bytes, {read[-200:]!r}")
    for size in (1, 7, 4095, 4096, 4097, 8191, 8192, 8193, 16384, 300000):
        sent = START + MAIL + b"DATA\r\n" + noise_of(size) + b"\r\n.\r\nNOOP " + b"n" * size + b"\r\nRSET\r\n"
        equal(recorded(t, d.socket, sent)[1] == sent, True, f"{size} bytes")


@test
def steps_aside(t):
    """After STARTTLS and AUTH nothing is looked at any more."""
    d = t.daemon()
    tail = MAIL + noise_of(100000) + b"\r\n" + b"e" * 9000 + b"\r\n"
    for opening in ([b"STARTTLS\r\n", None], [b"AUTH PLAIN eA==\r\n", None],
                    [b"AUTH LOGIN\r\n", None, b"eA==\r\n", None, b"RCPT\r\n", None],
                    [b"AUTH LOGIN\r\nwrong\r\nwrong\r\nAUTH LOGIN\r\nx\r\ny\r\n"], [b"TURN\r\n"]):
        got, read = recorded(t, d.socket, START, *opening, tail)
        equal(read == START + b"".join(o for o in opening if o) + tail, True, f"{opening}: {read[:300]!r}")
        check(opening == [b"TURN\r\n"] or got.endswith(tail.swapcase()), f"{opening}: {got[:300]!r}")
    equal(d.logged().count("verdict="), 0, "nobody was asked")
    got, read = recorded(t, d.socket, START + b"AUTH PLAIN wrong\r\n" + MAIL)
    check(b"535 no\r\n250 ok\r\n451 4.7.1" in got, "not after an AUTH that failed")


@test
def sslserver_reads_for_itself(t):
    """UCSPI-TLS: after STARTTLS the socket is not ours to read."""
    d = t.daemon()
    _, read = recorded(t, d.socket, None, START, None, b"STARTTLS\r\n", None, 0.3, b"hello\r\n", close="read",
                       SSLCTLFD="9")
    equal(read, START + b"STARTTLS\r\n")


@test
def chunks(t):
    d = t.daemon(f"allow recipient {CAROL}\n")
    chunk = b"RCPT TO:<bob@example.net>\r\nDATA\r\n"
    sent = START + MAIL.replace(b"bob", b"carol") + b"BDAT %d\r\n" % len(chunk) + chunk + b"BDAT 0 LAST\r\nQUIT\r\n"
    got, read = recorded(t, d.socket, sent)
    equal(read, sent)
    equal([line[:3] for line in got.splitlines()][-5:], [b"250", b"250", b"250", b"250", b"221"])
    head = START + MAIL.replace(b"alice@example.org", b"")
    got, read = recorded(t, d.socket, head + b"BDAT %d LAST\r\n" % len(chunk) + chunk + b"NOOP\r\nQUIT\r\n")
    equal([line[:3] for line in got.splitlines()][-5:], [b"250", b"250", b"451", b"250", b"221"])
    equal(read, head + b"NOOP\r\nQUIT\r\n", "the null sender's chunk goes with its command")


@test
def abrupt_closes(t):
    d = t.daemon()
    s = serve(t, d.socket)
    big = START + MAIL + b"DATA\r\n" + b"x" * 3000000
    for close in ("now", "reset"):
        for parts in ([], [None], [START], [None, START + MAIL[:40]], [START + MAIL], [b"NOOP\r\n" * 20000],
                      [START + MAIL.replace(b"alice@example.org", b"") + b"DATA\r\n", 0.2, b"x" * 100000], [big]):
            talk(s.port, *parts, close=close)
    equal(attempt(s.port, ALICE, [BOB])[0][0][0], 451, "it still serves")
    s.quiet()
    # Some were gone before tcpserver took them.
    check(len(s.statuses()) >= 11, s.said())


@test
def fits_into_little_memory(t):
    """As under softlimit -m: hardly more than the C library needs."""
    if b"__asan_init" in pathlib.Path(door(t)).read_bytes():
        raise Skip("not with a sanitizer")
    d = t.daemon()
    limit = "4000000"
    s = Tcpserver(t.folder, ["prlimit", f"--as={limit}", f"--data={limit}", f"--stack={limit}", door(t), "--socket",
                             str(d.socket)])
    t.at_end(s.close)
    replies, _ = attempt(s.port, ALICE, [f"{i}@example.net" for i in range(50)])
    equal({r[0] for r in replies}, {451})


@test
def client_that_does_not_read(t):
    """Bounded: what the server says to a client that does not take it waits in the server."""
    d = t.daemon()
    s = serve(t, d.socket)
    with socket.create_connection(("127.0.0.1", s.port), timeout=1) as c:
        c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sent = 0
        try:
            while sent < 200_000_000:
                sent += c.send(b"HELP\r\n" * 10000)
        except TimeoutError:
            pass
        check(sent < 200_000_000, "it is held back")
    s.quiet()


if __name__ == "__main__":
    test.main()
