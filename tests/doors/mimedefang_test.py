#!/usr/bin/env python3
"""Greylag::Client: alone, against a greylagd and against a server that misbehaves,
and in a real MIMEDefang behind a real Postfix."""
import json
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from harness import LIMIT, Tests, check, equal, free_port, wait_for
from mimedefang import PERL, MIMEDefang
from mta import Client
from postfix import Postfix

test = Tests(__doc__)
DELAY = 2
SAMPLE = (PERL / "mimedefang-filter.sample").read_text()
SOCKET = "unix:/run/greylag/policy"


# --- the module alone -----------------------------------------------------------------

# Calls come as lines of JSON: name, arguments, variables of mimedefang.pl. What
# mimedefang.pl would have been told stands in "told".
DRIVER = r"""
use strict; use warnings; use JSON::PP; use Greylag::Client;
$| = 1;
our (@told, $QueueID, $CWD, $Sender, $RelayAddr, $RelayHostname, $Helo, %SendmailMacros);
for my $name (qw(md_syslog action_tempfail action_bounce action_insert_header)) {
    no strict 'refs';
    *{"main::$name"} = sub { push @told, [$name, @_]; return 1 };
}
sub read_commands_file { push @told, ['read_commands_file']; $SendmailMacros{auth_authen} = 'alice' }
$SIG{__DIE__} = sub { push @told, ['died', "$_[0]"] };
$SIG{__WARN__} = sub { push @told, ['warned', "$_[0]"] };
$SIG{ALRM} = sub { push @told, ['alarm'] };
my $json = JSON::PP->new->ascii->allow_nonref;
my $client;
while (my $line = <STDIN>) {
    my ($call, $arguments, $variables) = @{ $json->decode($line) };
    @told = ();
    { no strict 'refs'; ${"main::$_"} = $variables->{$_} for keys %$variables; }
    if ($call eq 'new') {
        $client = eval { local $SIG{__DIE__}; Greylag::Client->new(@$arguments) };
        print $json->encode({ result => [$client ? 'made' : "$@"], told => \@told }), "\n";
        next;
    }
    if ($call eq 'alarms') { require Time::HiRes; Time::HiRes::setitimer(0, 0.02, 0.02) }
    my @result = $call eq 'alarms' ? () : $client->$call(@$arguments);
    print $json->encode({ result => \@result, told => \@told }), "\n";
}
"""


class Perl:
    """A Perl process with a Greylag::Client of its own."""

    def __init__(self, t, where="/nowhere", **options):
        self.process = subprocess.Popen(
            ["perl", "-w", f"-I{PERL}", "-e", DRIVER], cwd=t.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)
        self.told = []
        t.at_end(self.stop)
        equal(self.new(socket=str(where), **options), "made")

    def call(self, name, arguments=(), variables=None):
        self.process.stdin.write(json.dumps([name, list(arguments), variables or {}]) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        check(line, f"perl ended: {self.process.stderr.read() if not line else ''}")
        answer = json.loads(line)
        self.told = answer["told"]
        check(not any(what[0] in ("died", "warned") for what in self.told), f"{self.told}")
        return answer["result"]

    def new(self, **options):
        return self.call("new", [word for pair in options.items() for word in pair])[0]

    def ask(self, **about):
        about = {"client_address": "192.0.2.1", "helo_name": "mx.example.org", "sender": "<alice@example.org>",
                 "recipient": "<bob@example.net>", "stage": "RCPT", "instance": "1", **about}
        result = self.call("ask", [word for pair in about.items() for word in pair])
        equal(len(result), 1)
        return result[0]

    def stop(self):
        self.process.communicate(timeout=LIMIT)


class Server:
    """Answers as told: every connection takes the next list; in it, an answer a
    question, bytes or a tuple of bytes, pauses and events to wait for. After its list it closes."""

    def __init__(self, t, *connections, where=None):
        self.where = where or f"unix:{t.folder}/s{len(t.closers)}"
        self.asked, self.connections = [], list(connections)
        self.s = self.listen()
        t.at_end(self.s.close)
        threading.Thread(target=self.serve, daemon=True).start()

    def listen(self):
        family, _, path = self.where.partition(":")
        s = socket.socket(socket.AF_UNIX if family == "unix" else socket.AF_INET)
        s.bind(path if family == "unix" else (path.split(":")[0], int(path.split(":")[1])))
        s.listen()
        return s

    def serve(self):
        for answers in self.connections:
            try:
                c, _ = self.s.accept()
            except OSError:
                return
            with c:
                for answer in answers:
                    self.answer(c, answer)

    def answer(self, c, answer):
        question = b""
        while not question.endswith(b"\n\n"):
            data = c.recv(65536)
            if not data:
                return
            question += data
        self.asked.append(question)
        for part in answer if isinstance(answer, tuple) else (answer,):
            try:
                if isinstance(part, threading.Event):
                    part.wait()
                else:
                    time.sleep(part) if isinstance(part, float) else c.sendall(part)
            except OSError:
                return


@test
def answers(t):
    """The same answers as in the unit test of the C clients."""
    table = {
        b"action=DUNNO\n\n": {"verdict": "pass", "text": ""},
        b"action=OK\n\n": {"verdict": "pass", "text": ""},
        b"action=HOLD why\n\n": {"verdict": "pass"},
        b"action=FILTER smtp:x\n\n": {"verdict": "pass"},
        b"action=\n\n": {"verdict": "pass"},
        b"action=2.0.0 x\n\n": {"verdict": "pass"},
        b"action=499x y\n\n": {"verdict": "pass"},
        b"action=DEFER_IF_REJECT x\n\n": {"verdict": "pass"},
        b"action=DEFER\n\n": {"verdict": "defer", "text": ""},
        b"action=defer_if_permit 4.2.0 later\n\n": {"verdict": "defer", "enhanced": "4.2.0", "text": "later"},
        b"action=DEFER_IF_PERMIT Greylisted, wait\n\n": {"verdict": "defer", "text": "Greylisted, wait"},
        b"action=450 4.7.1 later\n\n": {"verdict": "defer", "code": "450", "enhanced": "4.7.1", "text": "later"},
        b"action=550 No\n\n": {"verdict": "reject", "code": "550", "text": "No"},
        b"action=521\n\n": {"verdict": "reject", "code": "521", "text": ""},
        b"action=REJECT 5.7.1\n\n": {"verdict": "reject", "enhanced": "5.7.1", "text": ""},
        b"action=REJECT 5.7.1.1 x\n\n": {"verdict": "reject", "text": "5.7.1.1 x"},
        b"action=PREPEND X-Greylist: delayed\n\n": {"verdict": "pass", "header": "X-Greylist: delayed"},
        b"action=PREPEND\n\n": {"verdict": "pass"},
        b"ACTION =x\nx=y\nAction=  DEFER \t \r\naction=DUNNO\n\n": {"verdict": "defer", "text": ""},
        b"action=DEFER a\0b\x7f\xff\r\tc\n\n": {"verdict": "defer", "text": "a?b????c"},
        b"action=DEFER " + b"x" * 3000 + b"\n\n": {"verdict": "defer", "text": "x" * 479},
        b"action=DUNNO\n\naction=REJECT\n\n": {"verdict": "pass"},
    }
    server = Server(t, *([a] for a in table))
    for answer, wanted in table.items():
        got = Perl(t, server.where).ask()
        equal({"failed": 0, **got}, {"failed": 0, **got, **wanted}, str(answer))
        equal(got["failed"], 0, str(answer))
        equal(set(got) - {"text", "failed"}, set(wanted) - {"text", "failed"}, str(answer))


@test
def no_answers(t):
    """Whatever is no answer is the door's own choice."""
    bad = {b"": "closed", b"action=DEFER": "closed", b"action=DEFER\n": "closed", b"\n\n": "without action",
           b"foo\n\n": "without action", b"action DEFER\n\n": "without action", b"x\n\naction=DEFER\n\n": "without action",
           b"\xff\0" * 5000: "without end", b"action=DEFER" + b"x" * 5000 + b"\n\n": "without end"}
    for choice in ("pass", "defer"):
        server = Server(t, *([a] for a in bad))
        for answer, why in bad.items():
            got = Perl(t, server.where, on_failure=choice).ask()
            equal((got["verdict"], got["failed"]), (choice, 1), str(answer))
            check(why in got["why"], f"{answer[:20]!r}: {got}")


@test
def answers_in_pieces(t):
    server = Server(t, [tuple(p for b in b"action=DEFER x\n\n" for p in (bytes([b]), 0.01))] * 2,
                    [(b"action=DEFER", 60.0)])
    perl = Perl(t, server.where, deadline=7)
    perl.call("alarms")
    for _ in range(2):
        equal(perl.ask()["text"], "x", "the filter's own alarms do no harm")
        check(["alarm"] in perl.told, "the filter had its alarms")
    started = time.monotonic()
    check("in time" in perl.ask()["why"], "half an answer")
    check(6.9 < time.monotonic() - started < 30, "at the deadline")


@test
def kept_connections(t):
    given_up = threading.Event()
    t.at_end(given_up.set)
    server = Server(t, [b"action=DEFER 1\n\n", b"action=DEFER 2\n\n"],
                    [b"action=DEFER 3\n\n", (b"action=", given_up, b"DEFER late\n\n")], [b"action=DEFER 4\n\n"])
    perl = Perl(t, server.where, deadline=3)
    equal([perl.ask().get("text") for _ in range(3)], ["1", "2", "3"], "on a new one when the old one is gone")
    check("in time" in perl.ask()["why"], "late")
    given_up.set()
    equal(perl.ask()["text"], "4", "not the late answer to the question before")
    check("in time" in perl.ask()["why"], "a server that does not accept")


@test
def endpoints(t):
    port = free_port()
    server = Server(t, [b"action=DEFER 1\n\n"], [b"action=DEFER 2\n\n"], where=f"inet:127.0.0.1:{port}")
    equal(Perl(t, f"inet:127.0.0.1:{port}").ask()["text"], "1")
    equal(Perl(t, f"127.0.0.1:{port}").ask()["text"], "2")
    server.s.close()
    for nobody in (f"inet:127.0.0.1:{free_port()}", f"unix:{t.folder}/nobody", f"{t.folder}", "inet:::1:9", "inet:[::1]:9"):
        started = time.monotonic()
        check("connect" in Perl(t, nobody, deadline=60).ask()["why"], nobody)
        check(time.monotonic() - started < 30, "not until the deadline")
    perl = Perl(t)
    for name, bad in (("socket", ["", "unix:", "x", "inet:localhost:25", "inet:127.0.0.1", "inet:127.0.0.1:0",
                                  "inet:127.0.0.1:65536", "unix:/" + "x" * 107, "inet:1:2:3", "inet:[::1:9"]),
                      ("deadline", ["", "0", "soon", "5s", "-1", "241", "nan"]),
                      ("on_failure", ["", "tempfail", "PASS"]), ("colour", ["red"]),
                      ("reply", ["", "451 5.7.1", "550", "451  4.7.1", "451 4.7.1 text", "451\n"])):
        for value in bad:
            check(perl.new(**{name: value}).startswith("Greylag::Client: "), f"{name} {value}")
    for good in ({"deadline": ".5"}, {"deadline": 240}, {"reply": "450"}, {"reply": "421 4.3.2"}, {"socket": "/x"}, {"socket": "[::1]:10023"}):
        equal(perl.new(**good), "made", str(good))


@test
def questions(t):
    server = Server(t, [b"action=DUNNO\n\n"] * 100)
    perl = Perl(t, server.where)

    def attributes(**about):
        perl.ask(**about)
        lines = server.asked[-1].decode().split("\n")
        equal(lines[-2:], ["", ""])
        return dict(line.split("=", 1) for line in lines[:-2])

    equal(attributes(), {
        "request": "smtpd_access_policy", "protocol_state": "RCPT", "protocol_name": "ESMTP", "instance": "1",
        "client_address": "192.0.2.1", "helo_name": "mx.example.org", "sender": "alice@example.org",
        "recipient": "bob@example.net"})
    for sent, wanted in {
            "<>": "", "": "", "a@b": "a@b", "<a@b>": "a@b", '<"a b"@c>': "a b@c", r'<"a\"\\b"@c>': r'a"\b@c',
            '<"@"@c>': "@@c", '<"a@b>': '"a@b', "<a\nb=c\n\n@d>": "a?b=c??@d", "<a\0b@c>": "a?b@c", '"x"': "x",
            "<<a>>": "<a>", "<": "<", '"': '"', "\u20ac@x": "\u20ac@x"}.items():
        equal(attributes(sender=sent)["sender"], wanted, repr(sent))
    equal(attributes(sender=None)["sender"], "", "not given")
    got = attributes(recipient="", helo_name="", client_name=None, stage="DATA\nx=y", sasl_username="a\n\nb", size=0)
    equal((got["protocol_state"], got["sasl_username"], got["size"]), ("DATA?x=y", "a??b", "0"))
    check(not {"recipient", "helo_name", "client_name", "x"} & set(got), str(got))
    asked = len(server.asked)
    equal(perl.ask(helo_name="x" * 70000)["why"], "the question is too long")
    equal(perl.call("ask", ["sender"])[0]["failed"], 1, "half a pair")
    equal(len(server.asked), asked)


def recipient_arguments(**changes):
    names = ("recipient", "sender", "ip", "hostname", "first", "helo", "mailer", "host", "address")
    values = dict(zip(names, ("<bob@example.net>", "<alice@example.org>", "192.0.2.1", "[192.0.2.1]",
                              "<bob@example.net>", "mx.example.org", "local", "?", "bob")))
    return [{**values, **changes}[name] for name in names]


@test
def what_mimedefang_is_told(t):
    server = Server(t, [b"action=DUNNO\n\n", b"action=DEFER_IF_PERMIT wait\n\n", b"action=450 4.2.0 wait\n\n",
                        b"action=DEFER 5.7.1 wait\n\n", b"action=REJECT no\n\n", b"action=550 5.1.1\n\n",
                        b"action=PREPEND X-Greylist: late\n\n"])
    perl = Perl(t, server.where, reply="452 4.3.1")
    for wanted in (["CONTINUE", "ok"], ["TEMPFAIL", "wait", "452", "4.3.1"], ["TEMPFAIL", "wait", "450", "4.2.0"],
                   ["TEMPFAIL", "wait", "452", "4.3.1"], ["REJECT", "no", "554", "5.7.1"],
                   ["REJECT", "Please try again later", "550", "5.1.1"], ["CONTINUE", "ok"]):
        equal(perl.call("filter_recipient", recipient_arguments()), wanted)
    equal(perl.call("filter_recipient", recipient_arguments(mailer="error")), ["CONTINUE", "ok"])
    equal(len(server.asked), 7, "the MTA refuses that recipient itself")
    for choice, wanted in (("pass", ["CONTINUE", "ok"]),
                           ("defer", ["TEMPFAIL", "Service is unavailable, please try again later", "451", "4.7.1"])):
        perl = Perl(t, t.folder / "nobody", on_failure=choice, deadline=0.05)
        equal(perl.call("filter_recipient", recipient_arguments()), wanted)
        check(perl.told[0][:2] == ["md_syslog", "warning"] and "cannot connect" in perl.told[0][2], f"{perl.told}")
        equal(perl.call("filter_recipient", [None] * 9), wanted, "no arguments")
        equal(perl.call("filter_recipient"), wanted, "none at all")


@test
def what_greylagd_is_asked(t):
    server = Server(t, [b"action=DUNNO\n\n"] * 100)
    perl = Perl(t, server.where)
    folder = t.folder / "mdefang-1"
    folder.mkdir()

    def line(name, variables=None, **changes):
        perl.call("filter_recipient", recipient_arguments(**changes), variables)
        found = re.search(rb"\n" + name.encode() + rb"=(.*)\n", server.asked[-1])
        return found and found[1].decode()

    for unconfirmed in ("[192.0.2.1]", "192.0.2.1", "unknown", "", None, "[IPv6:2001:db8::1]"):
        equal(line("client_name", hostname=unconfirmed), None, str(unconfirmed))
    equal(line("client_name", hostname="mx.example.org"), "mx.example.org")
    equal(line("sasl_username"), None)
    equal(line("instance", {"QueueID": "Q1"}), "Q1.192.0.2.1")
    own = line("instance", {"QueueID": "NOQUEUE", "CWD": "/var/spool/MIMEDefang"})
    equal(own, f"{perl.process.pid}.192.0.2.1.<alice@example.org>")
    equal(line("instance", {"CWD": str(folder), "QueueID": "Q1"}), "mdefang-1.192.0.2.1", "the message's folder")
    equal(perl.told, [], "no COMMANDS there")
    (t.folder / "COMMANDS").touch()
    equal(line("sasl_username"), "alice")
    equal(perl.told, [["read_commands_file"]])
    line("sasl_username")
    equal(perl.told, [], "the filter has read it already")


@test
def headers_and_messages(t):
    server = Server(t, [b"action=PREPEND X-Greylist: first\n\n", b"action=PREPEND X-Greylist: second\n\n",
                        b"action=DEFER wait\n\n", b"action=REJECT\n\n", b"action=DUNNO\n\n", b"garbage\n\n"])
    perl = Perl(t, server.where)
    folder = t.folder / "mdefang-1"
    folder.mkdir()
    message = {"CWD": str(folder), "Sender": "<alice@example.org>", "RelayAddr": "192.0.2.1",
               "RelayHostname": "mx.example.org", "Helo": "mx.example.org"}
    for _ in range(2):
        equal(perl.call("filter_recipient", recipient_arguments(), message), ["CONTINUE", "ok"])
    equal(perl.call("header"), ["X-Greylist", "first"])
    equal(perl.call("filter_message"), [0])
    equal(perl.told, [["action_insert_header", "X-Greylist", "first"]])
    equal(len(server.asked), 2, "only the null sender is asked about")
    equal(perl.call("header", variables={"CWD": str(t.folder)}), [], "not a message's folder")
    null = {**message, "Sender": "<>"}
    equal(perl.call("filter_message", variables=null), [1])
    equal(perl.told, [["action_tempfail", "wait", "451", "4.7.1"]])
    check(b"protocol_state=DATA\n" in server.asked[-1] and b"\nrecipient=" not in server.asked[-1] and
          b"\nsender=\n" in server.asked[-1] and b"\nclient_name=mx.example.org\n" in server.asked[-1], "a DATA question")
    equal(perl.call("filter_message"), [1])
    equal(perl.told[0][0], "action_bounce")
    (folder / "GREYLAG").unlink()
    for _ in range(2):
        equal(perl.call("filter_message"), [0])
    equal([what[0] for what in perl.told], ["md_syslog"], "passed, and logged")
    for junk in (b"", b"junk", b"\xff: x\n\n", b": x", b"x" * 10000):
        (folder / "GREYLAG").write_bytes(junk)
        equal(perl.call("header"), [], str(junk[:20]))


@test
def real_daemon(t):
    d = t.daemon("greylist delay 1s\n")
    perl = Perl(t, d.socket)
    equal(perl.ask()["text"], "Greylisted, please try again in 1 seconds")
    time.sleep(1.2)
    check(perl.ask(instance="2")["header"].startswith("X-Greylist: delayed "), "the header")
    d.stop()
    d.start(wait=False)
    equal(perl.ask(client_address="198.51.100.1")["verdict"], "defer", "a restart is not seen")
    for odd in ({"sender": "x" * 5000}, {"helo_name": "\u00ff" * 500}, {"client_address": "junk"}, {"client_address": ""},
                {"recipient": "a\nb@c"}, {"instance": "\0" * 300}, {"stage": "HELO"}):
        equal(perl.ask(**odd)["failed"], 0, str(odd))
    check(d.alive(), "the daemon lives")


@test
def perl_has_no_complaints(t):
    r = subprocess.run(["perl", "-wTc", PERL / "Greylag/Client.pm"], capture_output=True, text=True, timeout=LIMIT)
    check(r.returncode == 0 and r.stderr.count("\n") == 1, r.stderr)


# --- behind Postfix -----------------------------------------------------------------

class Session(Client):
    """An SMTP session that claims, by XCLIENT, to come from somewhere else."""

    def __init__(self, postfix, address="192.0.2.77", name="[UNAVAILABLE]", helo="mx.example.org", login=None):
        super().__init__(postfix.port, helo)
        words = f"ADDR={address} NAME={name} REVERSE_NAME={name} HELO={helo}" + (f" LOGIN={login}" if login else "")
        code, text = self.docmd("XCLIENT", words)
        equal(code, 220, f"XCLIENT {text}")
        self.ehlo(helo)


def setup(t, config="", options=(), folder="postfix", **client):
    """The sample filter, with other arguments for Greylag::Client->new."""
    d = t.daemon(f"greylist delay {DELAY}s\n{config}")
    t.folder.chmod(0o755)
    d.folder.chmod(0o755)
    filter = SAMPLE.replace(SOCKET, f"unix:{d.socket}")
    for name, value in client.items():
        filter = re.sub(rf"(?m)^(    {name} +=>) [^ ]+,", rf"\1 '{value}',", filter)
    m = MIMEDefang(filter, options)
    t.at_end(m.stop)
    m.start()
    p = Postfix(t.folder / folder, "static:dunno",
                "smtpd_recipient_restrictions = reject_unauth_destination\n"
                # Postfix logs the headers that a milter adds.
                "milter_header_checks = regexp:{ { /^X-Greylist:/ WARN } }\n"
                f"smtpd_milters = unix:{m.socket}\n")
    t.at_end(p.stop)
    return d, m, p.start()


def send(postfix, sender="alice@example.org", recipients=("bob@example.net",), **how):
    with Session(postfix, **how) as session:
        return session.attempt(sender, list(recipients))


@test
def filter_check(t):
    m = MIMEDefang(SAMPLE)
    t.at_end(m.stop)
    m.check_filter()


@test
def deferred_then_accepted_with_header(t):
    # -r 1: every question finds another worker, which knows nothing of the others.
    for options in ((), ("-r", "1")):
        d, m, p = setup(t, options=options, folder=f"postfix{len(options)}")
        replies, _ = send(p)
        equal(replies, [(451, "4.7.1 Greylisted, please try again in 2 seconds")], m.logged())
        time.sleep(DELAY + 0.2)
        replies, end = send(p)
        equal((replies[0][0], end[0]), (250, 250), m.logged())
        wait_for(lambda: "X-Greylist: delayed" in p.logged(), "the header in Postfix's log")
        equal(send(p)[1][0], 250, "known by now")
        equal(p.logged().count("X-Greylist: delayed"), 1, "no header on mail that was not delayed")


@test
def several_recipients_and_messages(t):
    d, m, p = setup(t)
    three = ["bob@example.net", "carol@example.net", "dave@example.net"]
    equal([code for code, _ in send(p, recipients=three)[0]], [451] * 3)
    time.sleep(DELAY + 0.2)
    with Session(p) as session:
        replies, end = session.attempt("alice@example.org", three)
        equal(([code for code, _ in replies], end[0]), ([250] * 3, 250), m.logged())
        replies, _ = session.attempt("alice@example.com", three)
        equal([code for code, _ in replies], [250] * 3, "the client is known")
    wait_for(lambda: "X-Greylist: delayed" in p.logged(), "the header")
    equal(p.logged().count("X-Greylist: delayed"), 1, "one header for three recipients, none for the next message")


@test
def null_sender_is_judged_with_the_message(t):
    d, m, p = setup(t, options=("-r", "1"))
    replies, end = send(p, sender="")
    equal(replies[0][0], 250, "probes of the recipient pass")
    equal(end, (451, "4.7.1 Greylisted, please try again in 2 seconds"), m.logged())
    time.sleep(DELAY + 0.2)
    replies, end = send(p, sender="")
    equal((replies[0][0], end[0]), (250, 250), m.logged())
    wait_for(lambda: "X-Greylist: delayed" in p.logged(), "the header")


@test
def what_greylagd_is_told(t):
    d, m, p = setup(t)
    equal(send(p, sender="a@example.org", login="alice")[0][0][0], 250, f"who logged in passes {d.logged()}")
    equal(send(p, sender="a@example.org")[0][0][0], 451, "nobody else does, though the worker is the same")
    send(p, address="192.0.2.9", name="mx.sender.example")
    wait_for(lambda: "identity=sender.example" in d.logged(), "a confirmed name")
    send(p, address="198.51.100.9")
    wait_for(lambda: "identity=198.51.100.0/24" in d.logged(), "none")
    send(p, address="IPv6:2001:db8::9")
    wait_for(lambda: "2001:db8::9" in d.logged(), "an IPv6 client")
    for odd in ('"a b"@example.org', '"x\\"y"@example.org', "a%0Ab@example.org"):
        equal(send(p, sender=f"<{odd}>", address="203.0.113.9")[0][0][0], 451, odd)
    wait_for(lambda: "a b@example.org" in d.logged(), "unquoted")


@test
def rules_reject(t):
    d, m, p = setup(t, config="block sender bad@example.org text \"No, 100%% not\"\n")
    equal(send(p, sender="bad@example.org")[0], [(554, "5.7.1 No, 100% not")])


@test
def daemon_away(t):
    for choice, code in (("pass", 250), ("defer", 451)):
        d, m, p = setup(t, on_failure=choice, folder=choice)
        d.stop()
        replies, end = send(p)
        equal(replies[0][0], code, m.logged())
        if code == 451:
            equal(replies[0][1], "4.7.1 Service is unavailable, please try again later")
        else:
            equal(end[0], 250, "the whole message")
        d.start()
        equal(send(p)[0][0][0], 451, "asked again")


@test
def daemon_hangs(t):
    d, m, p = setup(t, deadline="7")
    equal(send(p)[0][0][0], 451, "asked before, on a connection that is kept")
    d.send_signal(signal.SIGSTOP)
    started = time.monotonic()
    equal(send(p)[1][0], 250)
    check(6.9 < time.monotonic() - started < 20, "at the deadline")
    d.send_signal(signal.SIGCONT)
    equal(send(p, address="198.51.100.9")[0][0][0], 451, "asked again")


@test
def restart_is_not_seen(t):
    d, m, p = setup(t)
    equal(send(p)[0][0][0], 451)
    d.stop()
    d.start(wait=False)
    equal(send(p)[0][0][0], 451, f"it waited for the daemon {m.logged()}")


if __name__ == "__main__":
    test.main()
