#!/usr/bin/env python3
"""greylag-milter behind a real Postfix and a real Sendmail, and alone against
whatever else may come over its socket."""
import contextlib
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import types

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from harness import LIMIT, Failure, Skip, Tests, ask_once, check, equal, listens_at, raise_descriptors, wait_for
from mta import TLS_RULES, Client, Session, attempt, certificate, judged_by_tls, send
from postfix import Postfix
from sendmail import Sendmail

test = Tests(__doc__)
DELAY = 2
HEADERS = "milter_header_checks = regexp:{ { /^X-Greylist:/ WARN } }\n"


class Milter:
    """greylag-milter in a folder of its own below /run: Sendmail takes no socket below /tmp."""

    def __init__(self, t, where, *options):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="greylag-milter-", dir="/run"))
        self.folder.chmod(0o755)
        t.at_end(lambda: shutil.rmtree(self.folder, ignore_errors=True))
        t.at_end(self.stop)
        self.socket, self.process = self.folder / "milter", None
        self.command = [str(pathlib.Path(t.args.greylagd).parents[1] / "doors/greylag-milter"), "--socket", str(where),
                        "--listen", f"unix:{self.socket}", "--mode", "0666", *options]
        self.start()

    def start(self):
        before = self.logged().count("serves on")
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stderr=open(self.folder / "log", "ab"))
        wait_for(lambda: self.logged().count("serves on") > before and self.alive(), "the milter")

    def alive(self):
        if self.process.poll() is not None:
            raise Failure(f"greylag-milter ended with {self.process.returncode}: {self.logged()}")
        return True

    def logged(self):
        log = self.folder / "log"
        return log.read_text(errors="replace") if log.exists() else ""

    def stop(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(LIMIT)
        return self.process.returncode


def behind_postfix(t, config="", main="", options=()):
    d = t.daemon(f"greylist delay {DELAY}s\n{config}", store="rocksdb")
    m = Milter(t, d.socket, *options)
    t.folder.chmod(0o755)
    p = Postfix(t.folder / "postfix", None, f"smtpd_milters = unix:{m.socket}\n{HEADERS}{main}")
    t.at_end(p.stop)
    return d, m, p.start()


def behind_sendmail(t, config="", flags="", options=(), tls=False):
    d = t.daemon(f"greylist delay {DELAY}s\n{config}", store="rocksdb")
    m = Milter(t, d.socket, *options)
    more = ""
    if tls:		# not below /tmp, which everybody may write to
        cert, key = certificate(m.folder)
        more = (f"define(`confSERVER_CERT', `{cert}')dnl\ndefine(`confSERVER_KEY', `{key}')dnl\n"
                f"define(`confCACERT', `{cert}')dnl\ndefine(`confCACERT_PATH', `{m.folder}')dnl\n")
    s = Sendmail(m.folder / "sendmail", f"unix:{m.socket}", flags, more)
    t.at_end(s.stop)
    return d, m, s.start()


def deferred(reply, text=b"Greylisted"):
    check(reply[0] == 451 and reply[1].startswith(b"4.7.1 ") and text in reply[1], str(reply))


# --- Postfix ----------------------------------------------------------------------------

@test
def postfix_deferred_then_accepted_with_header(t):
    d, m, p = behind_postfix(t)
    (reply,), _ = send(p, "alice@example.org", "bob@example.net")
    deferred(reply)
    time.sleep(DELAY + 0.2)
    (reply,), end = send(p, "alice@example.org", "bob@example.net", address="192.0.2.78")
    equal((reply[0], end[0]), (250, 250))
    wait_for(lambda: p.logged().count("X-Greylist: delayed") == 1, "one header")
    (reply,), end = send(p, "carol@example.org", "dave@example.net", address="192.0.2.78")
    equal((reply[0], end[0]), (250, 250), "the address is known")
    equal(p.logged().count("X-Greylist: delayed"), 1)
    wait_for(lambda: "sends all macros" in m.logged(), m.logged())


@test
def postfix_tells_of_tls(t):
    cert, key = certificate(t.folder)
    _, _, p = behind_postfix(t, TLS_RULES, "smtpd_tls_security_level = may\n"
                             f"smtpd_tls_cert_file = {cert}\nsmtpd_tls_key_file = {key}\n")
    judged_by_tls(lambda: Client(p.port))


@test
def sendmail_tells_of_tls(t):
    _, _, s = behind_sendmail(t, TLS_RULES, tls=True)
    judged_by_tls(lambda: Client(s.port), "root@example.net")


@test
def postfix_several_recipients(t):
    d, m, p = behind_postfix(t, "allow recipient postmaster@\n")
    replies, end = send(p, "alice@example.org", "bob@example.net", "postmaster@example.net", "carol@example.net")
    equal([r[0] for r in replies], [451, 250, 451], "beside refused ones others pass")
    equal(end[0], 250)
    time.sleep(DELAY + 0.2)
    replies, end = send(p, "alice@example.org", "bob@example.net", "carol@example.net")
    equal([r[0] for r in replies] + [end[0]], [250, 250, 250])
    wait_for(lambda: p.logged().count("X-Greylist: delayed") == 1, "one header a message")


@test
def postfix_names_and_ipv6(t):
    d, m, p = behind_postfix(t)
    send(p, "a@example.org", "bob@example.net", name="mx1.sender.example")
    wait_for(lambda: "identity=sender.example" in d.logged(), "the confirmed name")
    send(p, "a@example.org", "bob@example.net", address="2001:db8::7")
    wait_for(lambda: "identity=2001:db8::/64" in d.logged(), "the network")
    send(p, "\"a b\"@example.org", "bob@example.net")
    wait_for(lambda: "from=<a b@example.org>" in d.logged(), "unquoted as in the policy protocol")


@test
def postfix_null_sender(t):
    d, m, p = behind_postfix(t)
    (reply,), end = send(p, "", "bob@example.net")
    equal(reply[0], 250, "callouts work")
    deferred(end)
    time.sleep(DELAY + 0.2)
    (reply,), end = send(p, "", "bob@example.net")
    equal((reply[0], end[0]), (250, 250))


@test
def postfix_authenticated(t):
    d, m, p = behind_postfix(t)
    (reply,), end = send(p, "alice@example.net", "bob@example.net", login="alice")
    equal((reply[0], end[0]), (250, 250))
    wait_for(lambda: "reason=authenticated" in d.logged(), "because of that")
    (reply,), end = send(p, "bob@example.net", "alice@example.net", address="203.0.113.77")
    equal((reply[0], end[0]), (250, 250), "the answer is not delayed")
    wait_for(lambda: "reason=correspondent" in d.logged(), "since they write to each other")


@test
def postfix_two_messages_in_a_session(t):
    d, m, p = behind_postfix(t)
    s = Session(p)
    deferred(s.mail("alice@example.org", "bob@example.net")[0][0])
    deferred(s.mail("carol@example.org", "bob@example.net")[0][0])
    time.sleep(DELAY + 0.2)
    replies, end = s.mail("alice@example.org", "bob@example.net")
    equal((replies[0][0], end[0]), (250, 250))
    replies, end = s.mail("carol@example.org", "bob@example.net")
    equal((replies[0][0], end[0]), (250, 250))
    s.close()


@test
def postfix_reply_texts(t):
    d, m, p = behind_postfix(t, 'reply text "wait 100%% of %s s"\nblock sender evil@example.org text "5.7.1 no"\n',
                             options=["--reply", "450 4.2.0"])
    (reply,), _ = send(p, "alice@example.org", "bob@example.net")
    equal((reply[0], b"100% of" in reply[1], reply[1].startswith(b"4.2.0 ")), (450, True, True), str(reply))
    (reply,), _ = send(p, "evil@example.org", "bob@example.net")
    equal(reply[0], 550, str(reply))


@test
def postfix_with_greylagd_away(t):
    d, m, p = behind_postfix(t)
    d.stop()
    (reply,), end = send(p, "alice@example.org", "bob@example.net")
    equal((reply[0], end[0]), (250, 250), "mail flows")
    wait_for(lambda: "mail is passed" in m.logged(), m.logged())
    d.start()
    (reply,), _ = send(p, "alice@example.org", "bob@example.net")
    deferred(reply)
    wait_for(lambda: "answers again" in m.logged(), "it says so")


@test
def postfix_with_greylagd_away_deferred(t):
    d, m, p = behind_postfix(t, options=["--on-failure", "defer"])
    d.stop()
    (reply,), _ = send(p, "alice@example.org", "bob@example.net")
    deferred(reply, b"unavailable")


@test
def postfix_with_greylagd_hanging(t):
    d, m, p = behind_postfix(t, options=["--deadline", "7s"])
    d.send_signal(signal.SIGSTOP)
    started = time.monotonic()
    (reply,), end = send(p, "alice@example.org", "bob@example.net")
    equal(reply[0], 250)
    check(6.9 < time.monotonic() - started < 20, "at the deadline")
    d.send_signal(signal.SIGCONT)


@test
def postfix_while_parts_restart(t):
    d, m, p = behind_postfix(t)
    s = Session(p)
    s.smtp.mail("alice@example.org")
    deferred(s.smtp.rcpt("bob@example.net"))
    d.stop()
    d.start()
    deferred(s.smtp.rcpt("carol@example.net"))
    s.close()
    m.stop(signal.SIGKILL)
    check(m.socket.exists(), "a stale socket stays")
    m.start()
    (reply,), _ = send(p, "erin@example.org", "bob@example.net")
    deferred(reply)
    p.stop()
    p.start()
    (reply,), _ = send(p, "dave@example.org", "bob@example.net")
    deferred(reply)


# --- Sendmail ---------------------------------------------------------------------------

@test
def sendmail_deferred_then_accepted_with_header(t):
    d, m, s = behind_sendmail(t)
    (reply,), _ = attempt(s.port, "alice@example.org", ["root@example.net"])
    equal(reply[0], 451, str(reply))
    check(reply[1].startswith("4.7.1 Greylisted"), str(reply))
    time.sleep(DELAY + 0.2)
    replies, end = attempt(s.port, "alice@example.org", ["root@example.net", "mail@example.net"])
    equal([r[0] for r in replies] + [end[0]], [250, 250, 250], str((replies, end)))
    message, = s.queued()
    equal(message.count("X-Greylist: delayed"), 1, message)
    wait_for(lambda: "sends all macros" in m.logged(), m.logged())


@test
def sendmail_null_sender_and_texts(t):
    d, m, s = behind_sendmail(t, 'reply text "wait 100%% of it"\n')
    with Client(s.port) as c:
        equal(c.mail("")[0], 250)
        equal(c.rcpt("root@example.net")[0], 250, "callouts work")
        code, text = c.docmd("DATA")
        equal((code, text), (451, b"4.7.1 wait 100% of it"))
    replies, end = attempt(s.port, "alice@example.org", ["root@example.net"])
    equal(replies, [(451, "4.7.1 wait 100% of it")])


@test
def sendmail_with_greylagd_away(t):
    d, m, s = behind_sendmail(t, options=["--deadline", "1s"])
    d.send_signal(signal.SIGSTOP)
    replies, end = attempt(s.port, "alice@example.org", ["root@example.net"])
    equal((replies[0][0], end[0]), (250, 250), "hangs: mail flows after the deadline")
    d.send_signal(signal.SIGCONT)
    d.stop()
    replies, end = attempt(s.port, "alice@example.org", ["root@example.net"])
    equal((replies[0][0], end[0]), (250, 250), "away: mail flows")
    m.stop()
    replies, end = attempt(s.port, "alice@example.org", ["root@example.net"])
    equal((replies[0][0], end[0]), (250, 250), "without F= Sendmail does without the milter")


@test
def sendmail_with_flag_t(t):
    d, m, s = behind_sendmail(t, flags="F=T, ")
    m.stop()
    with Client(s.port) as c:
        equal(c.mail("alice@example.org")[0], 451, "with F=T it defers")
    m.start()
    replies, _ = attempt(s.port, "alice@example.org", ["root@example.net"])
    equal(replies[0][0], 451)


# --- The protocol alone --------------------------------------------------------------------

class Wire:
    """The MTA's side of the protocol, byte by byte."""

    def __init__(self, milter, version=6, actions=0x1ff, steps=0x1fffff):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.settimeout(LIMIT)
        self.s.connect(str(milter.socket))
        self.chosen = None
        if version:
            self.send("O", struct.pack(">III", version, actions, steps))
            command, data = self.reply()
            equal(command, "O")
            self.chosen = struct.unpack(">III", data[:12])
            self.symbols = data[12:]

    def send(self, command, data=b""):
        self.s.sendall(struct.pack(">I", len(data) + 1) + command.encode() + data)

    def reply(self):
        head = self.take(4)
        if head is None:
            return None
        data = self.take(struct.unpack(">I", head)[0])
        return chr(data[0]), data[1:]

    def take(self, n):
        out = b""
        while len(out) < n:
            try:
                part = self.s.recv(n - len(out))
            except ConnectionResetError:
                part = b""
            if not part:
                return None
            out += part
        return out

    def envelope(self, recipient="bob@example.net", sender="alice@example.org", address="192.0.2.1"):
        """From CONNECT to RCPT, as an MTA that wants replies to RCPT only."""
        self.send("C", b"mx.example.org\x004\x00\x19" + address.encode() + b"\0")
        self.send("H", b"mx.example.org\0")
        self.send("M", f"<{sender}>".encode() + b"\0SIZE=100\0")
        self.send("R", f"<{recipient}>".encode() + b"\0")


def alone(t, config="", options=()):
    d = t.daemon(config)
    return d, Milter(t, d.socket, *options)


@test
def negotiation(t):
    d, m = alone(t)
    w = Wire(m)
    equal(w.chosen, (6, 0x101, 0x7170))
    check(b"{client_resolve}" in w.symbols, "asks for macros")
    equal(Wire(m, version=99).chosen[0], 6)
    w = Wire(m, version=2, actions=0x3f, steps=0x7f)
    equal(w.chosen, (2, 0x1, 0x70), "never more than is offered")
    equal(w.symbols, b"")
    equal(Wire(m, actions=0, steps=0).chosen, (6, 0, 0))
    w = Wire(m, version=0)
    w.send("O", struct.pack(">III", 1, 0, 0))
    equal(w.reply(), None, "version 1 is not spoken")
    w = Wire(m, version=0)
    w.send("O", b"short")
    equal(w.reply(), None)


@test
def version_two(t):
    """Every step is answered, and the null sender is judged at the end of the message."""
    d, m = alone(t)
    w = Wire(m, version=2, actions=0x3f, steps=0)
    for command, data in (("C", b"[192.0.2.1]\x004\x00\x19192.0.2.1\0"), ("H", b"x\0"), ("M", b"<>\0"),
                          ("R", b"<bob@example.net>\0"), ("L", b"Subject\0x\0"), ("N", b""), ("B", b"hello")):
        w.send(command, data)
        equal(w.reply(), ("c", b""), command)
    w.send("E")
    command, data = w.reply()
    equal((command, data[:10]), ("y", b"451 4.7.1 "))
    w.send("M", b"<alice@example.org>\0")
    equal(w.reply(), ("c", b""))
    w.send("R", b"<bob@example.net>\0")
    equal(w.reply()[0], "y")


@test
def macros_decide_who_is_asked(t):
    d, m = alone(t)
    for macros, address, wanted in ((b"{greylist}\0WHITE\0", b"4\x00\x19192.0.2.1\0", "c"),
                                    (b"j\0x\0", b"L\x00\x00/run/x\0", "c"), (b"j\0x\0", b"U", "c"),
                                    (b"j\0x\0", b"4\x00\x19192.0.2.1\0", "y"),
                                    (b"j\0x\0", b"6\x00\x19IPv6:2001:db8::1\0", "y")):
        w = Wire(m)
        w.send("D", b"C" + macros)
        w.send("C", b"mx.example.org\0" + address)
        w.send("M", b"<alice@example.org>\0")
        w.send("R", b"<bob@example.net>\0")
        equal(w.reply()[0], wanted, f"{macros} {address}")
    w = Wire(m)
    w.envelope()
    equal(w.reply()[0], "y")
    w.send("D", b"R{rcpt_mailer}\0error\0")
    w.send("R", b"<nobody@example.net>\0")
    equal(w.reply()[0], "c", "will be refused anyway")
    w.send("D", b"M{auth_authen}\0alice\0")
    w.send("M", b"<alice@example.org>\0")
    w.send("R", b"<bob@example.net>\0")
    equal(w.reply()[0], "c", "authenticated")
    w.send("A")
    w.send("M", b"<alice@example.org>\0")
    w.send("R", b"<bob@example.net>\0")
    equal(w.reply()[0], "y", "and not for the next message")
    check("identity=192.0.2.0/24" not in d.logged() or "identity=example.org" in d.logged(), "names count")


@test
def the_end_of_mail_is_reported(t):
    d, m = alone(t, "greylist delay 1s trust delivery\n")
    w = Wire(m)
    w.envelope()
    equal(w.reply()[0], "y")
    w.send("A")
    time.sleep(1.1)

    def message(*last):
        w.send("M", b"<alice@example.org>\0")
        w.send("R", b"<bob@example.net>\0")
        equal(w.reply()[0], "c")
        for command in last:
            w.send(command)

    def count(reason):
        return d.logged().count(f"reason={reason} ")
    message("A")
    wait_for(lambda: count("aborted") == 1, "given up")
    w.send("M", b"<alice@example.org>\0")
    w.send("R", b"<carol@example.net>\0")
    equal(w.reply()[0], "y", "so the client is not trusted")
    equal(count("aborted"), 1, "nothing passed, nothing is told")
    message("E")
    equal(w.reply(), ("c", b""))
    wait_for(lambda: count("delivered") == 1, "kept")
    w.send("M", b"<alice@example.org>\0")
    w.send("R", b"<dave@example.net>\0")
    equal(w.reply()[0], "c", "now it is")
    w.send("E")
    equal(w.reply(), ("c", b""))
    w.send("Q")


@test
def unconfirmed_names(t):
    d, m = alone(t)
    for number, (resolve, host, underscore, identity) in enumerate((
            (b"OK", b"mx.sender.example", b"", "sender.example"), (b"FORGED", b"mx.sender.example", b"", "192.0.2.0/24"),
            (None, b"mx.sender.example", b"mx.sender.example [192.0.2.1]", "sender.example"),
            (None, b"mx.sender.example", b"mx.sender.example [192.0.2.1] (may be forged)", "192.0.2.0/24"),
            (b"FAIL", b"[192.0.2.1]", b"", "192.0.2.0/24"), (None, b"unknown", b"", "192.0.2.0/24"))):
        w = Wire(m)
        macros = b"C_\0" + underscore + b"\0" + (b"{client_resolve}\0" + resolve + b"\0" if resolve else b"")
        w.send("D", macros)
        w.send("C", host + b"\x004\x00\x19192.0.2.1\0")
        w.send("M", b"<alice@example.org>\0")
        w.send("R", b"<bob@example.net>\0")
        equal(w.reply()[0], "y")
        wait_for(lambda: d.logged().count("verdict=") == number + 1, "its line in the log")
        check(f"identity={identity} " in d.logged().splitlines()[-1] + " ", f"{resolve} {host} {underscore}")


@test
def broken_packets(t):
    d, m = alone(t)
    for bad in (b"\0\0\0\0", b"\xff\xff\xff\xff", struct.pack(">I", 300000) + b"X", struct.pack(">I", 1) + b"?",
                struct.pack(">I", 1) + b"C", struct.pack(">I", 3) + b"Cab", b"GET / HTTP/1.0\r\n\r\n"):
        w = Wire(m)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            w.s.sendall(bad)
            w.s.shutdown(socket.SHUT_WR)
        equal(w.reply(), None, repr(bad))
    w = Wire(m)
    w.send("D", b"")
    w.send("D", b"C")
    w.send("D", b"C{x}")
    w.send("D", b"C{client_name}\0" + b"x" * 100000)
    w.send("C", b"x" * 5000 + b"\x004\x00\x19" + b"9" * 5000 + b"\0")
    w.send("H", b"\xff" * 5000)
    w.send("M", b"<" + b"x" * 5000 + b">")
    w.send("R", b"<" + b"y" * 100000 + b">")
    check(w.reply()[0] in "cy", "an answer all the same")
    w.send("R", b"")
    equal(w.reply()[0], "c")
    w = Wire(m)
    w.send("M")
    w.send("R", b"<a\nb@example.net>\0")
    equal(w.reply()[0], "c", "nobody has connected")
    for byte in b"".join(struct.pack(">I", len(x)) + x for x in (b"Cmx\x004\x00\x19192.0.2.9\0", b"M<a@b.example>\0",
                                                              b"R<c@d.example>\0")):
        w.s.sendall(bytes([byte]))
    equal(w.reply()[0], "y", "byte by byte")
    check(m.alive(), "it lives")


@test
def as_libmilter_does(t):
    """The same packets to libmilter and to greylag-milter give the same packets back."""
    source = pathlib.Path(__file__).with_name("libmilter_reference.c")
    program, place = t.folder / "reference", t.folder / "reference.socket"
    built = subprocess.run(["cc", "-o", program, source, "-lmilter", "-lpthread"], capture_output=True, text=True)
    if built.returncode:
        raise Skip(f"libmilter-dev is not there: {built.stderr[:200]}")
    process = subprocess.Popen([program, str(place)], stdin=subprocess.DEVNULL)
    t.at_end(process.kill)
    wait_for(lambda: listens_at(place), "the reference")
    d, m = alone(t, 'greylist delay 1s\nreply text "Greylisted, 100%% sure"\n')

    def conversation(where, version, steps):
        """All replies, as (command, data); the header's value and the macros asked for are left out."""
        w, out = Wire(types.SimpleNamespace(socket=where), version=version, actions=0x1ff if version > 3 else 0x3f, steps=steps), []
        out.append((w.chosen[0], w.chosen[1] & 1, w.chosen[2]))
        for command, data in (("C", b"mx.example.org\x004\x00\x19192.0.2.1\0"), ("H", b"mx.example.org\0"),
                              ("M", b"<alice@example.org>\0SIZE=1\0"), ("R", b"<bob@example.net>\0"),
                              ("R", b"<carol@example.net>\0"), ("A", b""), ("D", b"Mi\0abc\0"),
                              ("M", b"<bob@example.org>\0"), ("R", b"<bob@example.net>\0"), ("T", b""), ("E", b"")):
            if command == "T" and version < 4:
                continue
            w.send(command, data)
            silent = {"A": 1, "D": 1, "C": w.chosen[2] & 0x1000, "H": w.chosen[2] & 0x2000, "M": w.chosen[2] & 0x4000}
            while not silent.get(command):
                got = w.reply()
                out.append((command, got[0], got[1] if got[0] != "i" else got[1].split(b"\0X-Greylist\0")[0]))
                if got[0] not in "ih":
                    break
        w.send("Q")
        return out
    for version, steps in ((6, 0x1fffff), (6, 0x7f), (4, 0x3ff), (6, 0x30)):
        ask_once(d.socket, client_address="192.0.2.1", client_name="mx.example.org", sender="bob@example.org", recipient="bob@example.net")
        time.sleep(1.1)
        equal(conversation(m.socket, version, steps), conversation(place, version, steps), f"version {version}, {steps:#x}")
        subprocess.run([t.args.greylag, "--socket", str(d.control), "forget", "client", "*", "--all"], check=True,
                       capture_output=True)


@test
def a_thousand_sessions_while_greylagd_hangs(t):
    d, m = alone(t, options=["--deadline", "8s"])
    raise_descriptors()
    d.send_signal(signal.SIGSTOP)
    wires = [Wire(m) for _ in range(1000)]
    started = time.monotonic()
    for i, w in enumerate(wires):
        w.envelope(sender=f"s{i}@example.org")
    replies = [w.reply()[0] for w in wires]
    took = time.monotonic() - started
    equal(replies.count("c"), 1000, "each gets its answer")
    check(7.8 < took < 20, f"within the deadline: {took:.1f} s")
    d.send_signal(signal.SIGCONT)
    for i, w in enumerate(wires):
        w.send("A")
        w.send("M", f"<t{i}@example.org>".encode() + b"\0")
        w.send("R", b"<bob@example.net>\0")
    equal([w.reply()[0] for w in wires].count("y"), 1000, "and greylagd is back")


@test
def sessions_that_vanish(t):
    d, m = alone(t, options=["--deadline", "5s"])
    d.send_signal(signal.SIGSTOP)
    for _ in range(200):
        w = Wire(m)
        w.envelope()
        w.s.close()
    time.sleep(5.5)
    d.send_signal(signal.SIGCONT)
    w = Wire(m)
    w.envelope()
    equal(w.reply()[0], "y")
    check(m.alive(), "it lives")
    equal(m.stop(), 0)


if __name__ == "__main__":
    test.main()
