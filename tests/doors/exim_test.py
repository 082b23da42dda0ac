#!/usr/bin/env python3
"""The statements for Exim against a real Exim on loopback: real SMTP sessions are
deferred and accepted on their retry."""
import contextlib
import pathlib
import shutil
import signal
import socket
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from exim import DebianExim, Exim, Session
from harness import Tests, check, equal, free_port, wait_for
from mta import TLS_RULES, certificate, judged_by_tls, shorten_delay
from nameserver import NameServer, reverse, taken

test = Tests(__doc__)
SHIPPED = pathlib.Path(__file__).resolve().parents[2] / "data/exim"
DELAY = 2
FAIL_CLOSED = "GREYLAG_ON_FAILURE = action=DEFER Service is unavailable, please try again later\nGREYLAG_CLIENT_NAME =\n"


def macros(t):
    return pathlib.Path(t.args.greylagd).parents[2] / "data/30_greylag-macros"


def daemon(t, config="", host="127.0.0.1", delay=f"{DELAY}s"):
    port = free_port()
    return t.daemon(f"listen policy tcp {host}:{port}\ngreylist delay {delay}\n{config}"), port


def setup(t, config="", settings="GREYLAG_CLIENT_NAME =\n", folder="exim", host="127.0.0.1", ask=None, delay=f"{DELAY}s", **more):
    d, port = daemon(t, config, host, delay)
    e = Exim(t.folder / folder, macros(t), SHIPPED / "greylag.acl",
             f"GREYLAG_SOCKET = {ask or f'{host}:{port}'}\n{settings}", **more)
    t.at_end(e.stop)
    return d, e.start()


def stranger(said):
    """Says that to everybody who has finished asking."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        with contextlib.suppress(OSError):
            while True:
                with server.accept()[0] as client:
                    while client.recv(4096):
                        pass
                    client.sendall(said)

    threading.Thread(target=serve, daemon=True).start()
    return server


def send(exim, sender, *recipients, address="192.0.2.1", **more):
    with Session(exim, address, **more) as session:
        return session.attempt(sender, recipients)


def deferred(reply, text="4.7.1 Greylisted"):
    code, answer = reply
    check(code == 451 and answer.startswith(text), f"{code} {answer}")


def accepted(exim, replies, end, count=1):
    equal([code for code, _ in replies], [250] * count, f"RCPT {replies}")
    equal(end and end[0], 250, f"the message {end}")


def sound(exim):
    """Exim complained about nothing."""
    equal(exim.logged("panic"), "", "the panic log")
    check("taint" not in exim.logged().lower(), exim.logged())


@test
def deferred_then_accepted_with_header(t):
    d, e = setup(t, delay="1h")
    replies, end = send(e, "alice@example.org", "bob@example.net")
    deferred(replies[0], "4.7.1 Greylisted, please try again in 3600 seconds")
    deferred(send(e, "alice@example.org", "bob@example.net")[0][0])
    equal(e.queued(), [], "nothing was taken")
    shorten_delay(d, DELAY)
    accepted(e, *send(e, "alice@example.org", "bob@example.net"))
    headers = e.queued()[-1]
    equal(headers.count("X-Greylist: delayed "), 1, headers)
    accepted(e, *send(e, "alice@example.org", "bob@example.net"))
    check("X-Greylist" not in e.queued()[-1], "a known sender's mail has none")
    sound(e)


@test
def tells_of_tls(t):
    cert, key = certificate(t.folder)
    key.chmod(0o644)
    t.folder.chmod(0o755)
    _, e = setup(t, TLS_RULES, f"GREYLAG_CLIENT_NAME =\ntls_certificate = {cert}\ntls_privatekey = {key}\n", tls="*")
    judged_by_tls(lambda: Session(e))


@test
def several_recipients_are_one_verdict(t):
    d, e = setup(t)
    all_three = "bob@example.net", "carol@example.net", "dave@example.net"
    replies, end = send(e, "alice@example.org", *all_three)
    for reply in replies:
        deferred(reply)
    time.sleep(DELAY + 0.2)
    with Session(e) as session:  # two messages in one session are two
        for attempt in range(2):
            accepted(e, *session.attempt("alice@example.org", all_three), count=3)
    equal([headers.count("X-Greylist:") for headers in e.queued()], [1, 0])
    wait_for(lambda: d.logged().count("verdict=pass reason=transaction") == 4, "the second and third to follow the first")
    sound(e)


@test
def null_sender_is_judged_at_data(t):
    for number, where in enumerate(("acl_smtp_data", "acl_smtp_predata")):
        d, e = setup(t, data=where, folder=f"exim{number}")
        replies, end = send(e, "", "bob@example.net")
        equal(replies[0][0], 250, "at RCPT")
        deferred(end)
        time.sleep(DELAY + 0.2)
        accepted(e, *send(e, "", "bob@example.net"))
        equal(e.queued()[-1].count("X-Greylist: delayed "), 1, e.queued()[-1])
        # The first recipient stands for all.
        replies, end = send(e, "", "carol@example.net", '"x, y"@example.net', address="203.0.113.1")
        equal([code for code, _ in replies], [250, 250])
        deferred(end)
        wait_for(lambda: d.logged().count("to=<carol@example.net> stage=DATA") == 1, "the first recipient")
        sound(e)


@test
def who_is_not_asked_about(t):
    d, e = setup(t)
    accepted(e, *send(e, "alice@example.org", "bob@example.net", address="198.51.100.7"))
    accepted(e, *send(e, "", "bob@example.net", address="198.51.100.7"))
    with Session(e) as session:
        equal(session.login("tester", "secret")[0], 235, "AUTH")
        accepted(e, *session.attempt("alice@example.org", ["bob@example.net"]))
        accepted(e, *session.attempt("", ["bob@example.net"]))
    r = e.run("-bs", input="HELO x\r\nMAIL FROM:<alice@example.org>\r\nRCPT TO:<bob@example.net>\r\nQUIT\r\n")
    equal([line[:3] for line in r.stdout.splitlines()], ["220", "250", "250", "250", "221"], r.stdout + r.stderr)
    equal(d.logged().count("verdict="), 0, d.logged())
    deferred(send(e, "alice@example.org", "bob@example.net")[0][0])
    sound(e)


@test
def skipping_is_a_choice(t):
    d, e = setup(t, "log passes yes\n", "GREYLAG_CLIENT_NAME =\nGREYLAG_SKIP_HOSTS =\nGREYLAG_SKIP_AUTHENTICATED =\n")
    deferred(send(e, "alice@example.org", "bob@example.net", address="198.51.100.7")[0][0])
    with Session(e, "192.0.2.9") as session:
        equal(session.login("tester", "secret")[0], 235, "AUTH")
        accepted(e, *session.attempt("alice@example.org", ["bob@example.net"]))
    wait_for(lambda: "reason=authenticated" in d.logged(), "greylagd to see the login")
    sound(e)


@test
def addresses(t):
    """What stands in the log is what greylagd understood."""
    d, e = setup(t)

    def asked(sender, recipient, *options, address="192.0.2.1", helo="mx.example.org"):
        before = d.logged().count("verdict=defer")
        with Session(e, address, helo) as session:
            session.command_encoding = "utf-8"
            equal(session.docmd("MAIL", f"FROM:<{sender}>{' SMTPUTF8' if options else ''}")[0], 250, sender)
            deferred((lambda code, text: (code, text.decode()))(*session.docmd("RCPT", f"TO:<{recipient}>")))
        wait_for(lambda: d.logged().count("verdict=defer") == before + 1, "its line in the log")
        return d.logged().splitlines()[-1]

    def says(line, text):
        check(text in line, f"{text} in {line}")

    says(asked("alice@example.org", '"bob smith"@example.net'), "to=<bob smith@example.net>")
    says(asked('"a b"@example.org', "bob@example.net"), "@example.org> to=<bob@example.net>")
    says(asked("alice@example.org", "Bob+list@EXAMPLE.net"), "to=<bob+list@example.net>")
    says(asked("alice@example.org", "{$pid}%d@example.net"), "to=<{$pid}%d@example.net>")
    says(asked("alice@example.org", "bob@example.net", address="2001:db8::25"), "client=2001:db8::25 ")
    wait_for(lambda: d.logged().count("verdict=defer") == 5, "five")
    asked("ælice@exämple.org", "bøb@example.net", "SMTPUTF8")
    asked("alice@example.org", "j\u00fcrgen@example.net")
    wait_for(lambda: d.logged().count("verdict=defer reason=new") == 7 and "malformed" not in d.logged(), d.logged())
    sound(e)


@test
def replies(t):
    """Codes and texts of the configuration, and its rules."""
    d, e = setup(t, "reply defer 450\nreply text \"Come back in %s s: {$pid} 100%%\"\n")
    equal(send(e, "alice@example.org", "bob@example.net")[0][0], (450, f"4.7.1 Come back in {DELAY} s: {{$pid}} 100%"))
    d, e = setup(t, 'block sender spam@example.org\n', folder="second")
    equal(send(e, "spam@example.org", "bob@example.net")[0][0], (550, "5.7.1 Access denied"))
    sound(e)


@test
def daemon_away(t):
    d, e = setup(t)
    d.stop()
    accepted(e, *send(e, "alice@example.org", "bob@example.net"))
    accepted(e, *send(e, "", "bob@example.net"))
    wait_for(lambda: "greylag: no answer from 127.0.0.1:" in e.logged() and "used action=DUNNO" in e.logged(), e.logged())
    with Session(e) as session:
        for _ in range(3):
            accepted(e, *session.attempt("alice@example.org", ["bob@example.net", "carol@example.net"]), count=2)
    check(all(p.read_text().endswith("-D\nhello\n") for p in (e.spool / "input").glob("**/*-D")), "sound bodies")
    d, e = setup(t, settings=FAIL_CLOSED, folder="second")
    d.stop()
    deferred(send(e, "alice@example.org", "bob@example.net")[0][0], "4.7.1 Service is unavailable, please try again later")
    replies, end = send(e, "", "bob@example.net")
    deferred(replies[0], "4.7.1 Service is unavailable")
    sound(e)


@test
def daemon_hanging(t):
    for settings, code in ("GREYLAG_CLIENT_NAME =\n", 250), (FAIL_CLOSED, 451):
        d, e = setup(t, settings=settings + "GREYLAG_TIMEOUT = 7s\n", folder=f"exim{code}")
        d.send_signal(signal.SIGSTOP)
        started = time.monotonic()
        with Session(e) as session:
            session.mail("alice@example.org")
            for name in "bob", "carol", "dave", "erin":
                equal(session.rcpt(f"{name}@example.net")[0], code)
        check(6.9 < time.monotonic() - started < 20, "at the time-out")
        equal(e.logged().count("no answer"), 1, "once a message")
        d.send_signal(signal.SIGCONT)
        sound(e)


@test
def restart_between_recipients(t):
    d, e = setup(t)
    with Session(e) as session:
        session.mail("alice@example.org")
        equal(session.rcpt("bob@example.net")[0], 451)
        d.stop()
        d.start()
        equal(session.rcpt("carol@example.net")[0], 451)
    check("no answer" not in e.logged(), e.logged())
    # One that was away at the first recipient is asked again at the next message.
    d.stop()
    with Session(e) as session:
        session.mail("alice@example.org")
        equal(session.rcpt("bob@example.net")[0], 250)
        d.start()
        equal(session.rcpt("carol@example.net")[0], 250)
        session.rset()
        session.mail("alice@example.org")
        equal(session.rcpt("carol@example.net")[0], 451)
    equal(e.logged().count("no answer"), 1)
    sound(e)


@test
def answers_that_are_none(t):
    """Connections that end without an answer, or with another protocol's."""
    for number, said in enumerate((b"", b"220 hello\r\n", b"action=\n\n", b"\n\naction=DUNNO\n\n", b"\0" * 5000)):
        server = stranger(said)
        t.at_end(server.close)
        d, e = setup(t, settings=FAIL_CLOSED, folder=f"exim{number}", ask=f"127.0.0.1:{server.getsockname()[1]}")
        deferred(send(e, "alice@example.org", "bob@example.net")[0][0], "4.7.1 Service is unavailable")
        sound(e)


@test
def over_ipv6(t):
    d, e = setup(t, host="[::1]")
    deferred(send(e, "alice@example.org", "bob@example.net", "carol@example.net")[0][1])
    sound(e)


@test
def a_path_is_no_address(t):
    """Exim's client for UNIX sockets is unsound (see the comment at GREYLAG_SOCKET); it is never used."""
    d, e = setup(t, settings=FAIL_CLOSED, ask="/run/greylag/policy")
    with Session(e) as session:
        for _ in range(2):
            deferred(session.attempt("alice@example.org", ["bob@example.net"])[0][0], "4.7.1 Service is unavailable")
    sound(e)


GREYLISTD_RCPT = """
  defer
    message = $sender_host_address is not yet authorized to deliver mail from <$sender_address> to <$local_part@$domain>.
    !senders = :
    !hosts = : +relay_from_hosts
    !authenticated = *
    condition = ${{readsocket{{{socket}}}{{--grey $sender_host_address $sender_address $local_part@$domain}}{{5s}}{{}}{{false}}}}
"""
GREYLISTD_DATA = """
  defer
    message = $sender_host_address is not yet authorized to send bounces.
    senders = :
    condition = ${{readsocket{{{socket}}}{{--grey $sender_host_address $recipients}}{{5s}}{{}}{{false}}}}
"""


@test
def with_statements_for_greylistd(t):
    """ACLs as greylistd-setup-exim4 makes them, against `listen greylistd`."""
    where = t.folder / "greylistd"
    d = t.daemon(f"listen greylistd unix {where} mode 0666\ngreylist delay {DELAY}s\n")
    t.folder.chmod(0o755)
    for name, text in (("rcpt", GREYLISTD_RCPT), ("data", GREYLISTD_DATA), ("none", "")):
        (t.folder / name).write_text(text.format(socket=where))
    e = Exim(t.folder / "exim", t.folder / "none", t.folder / "rcpt")
    t.at_end(e.stop)
    head, data = e.conf.read_text().split("acl_data:")
    e.conf.write_text(head + "acl_data:" + data.replace(str(t.folder / "rcpt"), str(t.folder / "data")))
    e.start()
    replies, end = send(e, "alice@example.org", "bob@example.net", "carol@example.net")
    for reply in replies:
        deferred(reply, "192.0.2.1 is not yet authorized")
    replies, end = send(e, "", "bob@example.net")
    equal((replies[0][0], end[0]), (250, 451), str((replies, end)))
    time.sleep(DELAY + 0.2)
    accepted(e, *send(e, "alice@example.org", "bob@example.net", "carol@example.net"), count=2)
    accepted(e, *send(e, "", "bob@example.net"))
    accepted(e, *send(e, "new@example.org", "bob@example.net", address="198.51.100.7"))
    d.stop()
    accepted(e, *send(e, "new@example.org", "bob@example.net", address="203.0.113.7"))


@test
def strict_variables(t):
    """With strict_acl_vars the manual's statements must come first."""
    settings = ("GREYLAG_CLIENT_NAME =\nstrict_acl_vars = true\nacl_smtp_mail = acl_mail\n")
    d, e = setup(t, settings=settings, acl="acl_mail:\n  warn\n    set acl_m_greylag_instance =\n"
                 "    set acl_m_greylag_header =\n    set acl_m_greylag_failed =\n    set acl_c_greylag_name =\n  accept\n")
    deferred(send(e, "alice@example.org", "bob@example.net")[0][0])
    time.sleep(DELAY + 0.2)
    accepted(e, *send(e, "alice@example.org", "bob@example.net", "carol@example.net"), count=2)
    sound(e)


@test
def names(t):
    """Only a name that leads back to the address is told to greylagd."""
    server = NameServer({
        (reverse("192.0.2.1"), "PTR"): "mx.sender.example", ("mx.sender.example", "A"): "192.0.2.1",
        (reverse("203.0.113.1"), "PTR"): "mx.liar.example", ("mx.liar.example", "A"): "192.0.2.1"})
    t.at_end(server.close)
    d, e = setup(t, settings="", nameserver=server.address, patience=20)
    deferred(send(e, "alice@example.org", "bob@example.net", "carol@example.net")[0][0])
    wait_for(lambda: d.logged().count("name=mx.sender.example identity=sender.example") == 2, "the sound name")
    deferred(send(e, "alice@example.org", "bob@example.net", address="203.0.113.1")[0][0])
    wait_for(lambda: "client=203.0.113.1 identity=203.0.113.0/24" in d.logged(), d.logged())
    sound(e)
    # Behind a proxy Exim looks names up by itself, so this client comes directly.
    for settings, queries in ("", True), ("GREYLAG_CLIENT_NAME =\n", False):
        server.asked.clear()
        d, e = setup(t, settings=settings, folder=f"exim{queries}", nameserver=server.address, patience=20)
        deferred(send(e, "alice@example.org", "bob@example.net", address="127.0.0.7")[0][0])
        equal(reverse("127.0.0.7") in server.asked, queries, f"{server.asked}")


def heard(s):
    with contextlib.suppress(BlockingIOError):
        return s.recv(4096, socket.MSG_DONTWAIT)


@test
def name_server_away(t):
    """A name server that does not answer is waited for once a session."""
    silent = taken("127.9.9.54")
    t.at_end(silent.close)

    def asked():
        """How often since the last look."""
        return sum(1 for _ in iter(lambda: heard(silent), None))
    d, e = setup(t, settings="", nameserver="127.9.9.54")
    with Session(e) as session:
        session.mail("alice@example.org")
        equal(session.rcpt("bob@example.net")[0], 451)
        check(asked() > 0, "it was asked")
        for _ in range(5):
            equal(session.rcpt("bob@example.net")[0], 451)
        equal(asked(), 0, "once")


@test
def debian_configuration(t):
    for split in True, False:
        d, port = daemon(t)
        settings = f"GREYLAG_SOCKET = 127.0.0.1:{port}\nGREYLAG_STATEMENTS = {SHIPPED}/greylag.acl\n"
        if not split:
            settings += f".include {macros(t)}\n"
        e = DebianExim(t.folder / f"exim{split}", split, settings=settings)
        if split:
            shutil.copy(macros(t), e.etc / "exim4/conf.d/main")
        t.at_end(e.stop)
        e.update().start()
        deferred(send(e, "alice@example.org", "bob@example.net")[0][0])
        replies, end = send(e, "", "bob@example.net")
        equal(replies[0][0], 250, "the null sender at RCPT")
        deferred(end)
        equal(send(e, "alice@example.org", "nobody-here@example.net")[0][0][0], 550, "no such user")
        equal(send(e, "alice@example.org", "bob@example.com")[0][0][0], 550, "no relay")
        accepted(e, *send(e, "alice@example.org", "bob@example.net", address="198.51.100.7"))
        time.sleep(DELAY + 0.2)
        accepted(e, *send(e, "alice@example.org", "bob@example.net"))
        equal([headers.count("X-Greylist:") for headers in e.queued()], [0, 1])
        wait_for(lambda: d.logged().count("verdict=") == 4, "four questions")
        sound(e)


if __name__ == "__main__":
    test.main()
