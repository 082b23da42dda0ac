#!/usr/bin/env python3
"""The policy socket of the real greylagd: the protocol, and every kind of bad
input, each with a clear, logged answer."""
import os
import pathlib
import re
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from harness import (LIMIT, Asker, Failure, Tests, ask_once, check, equal, free_port, listens_at, raise_descriptors, request_bytes,
                     wait_for)

test = Tests(__doc__)
GREYLISTED = "DEFER_IF_PERMIT 4.2.0 Greylisted, "


@test
def peer_goes_away_before_its_answer(t):
    d = t.daemon("store deadline 200ms\n", store="failing hang")
    for pipelined in (1, 3):
        for _ in range(20):
            a = Asker(d.socket)
            a.send(request_bytes() * pipelined)
            a.s.close()
    wait_for(lambda: d.logged().count("store-timeout") >= 40, "the deadline")
    check(d.alive() and ask_once(d.socket) == "DUNNO", "the others are served")


@test
def first_attempt_is_deferred(t):
    d = t.daemon()
    reply = ask_once(d.socket)
    check(reply.startswith(GREYLISTED), reply)
    wait_for(lambda: "verdict=defer reason=new wait=60 client=192.0.2.1" in d.logged(), "the verdict line")
    check(ask_once(d.socket).startswith(GREYLISTED), "early retry")
    wait_for(lambda: "reason=early" in d.logged(), "the verdict line")


@test
def rules_by_listener(t):
    port = free_port()
    d = t.daemon(f"listen policy tcp 127.0.0.1:{port}\nblock listener 127.0.0.1:{port}\nblock listener /other/ authenticated no\n"
                 "test \"from 192.0.2.1 listener /run/other\" expect block")
    check(ask_once(d.socket).startswith(GREYLISTED), "the UNIX socket")
    check(ask_once(("127.0.0.1", port)).startswith("REJECT"), "the TCP socket")


@test
def retry_passes_with_header_once(t):
    d = t.daemon("greylist delay 1s")
    began = int(time.time()) - 1  # the clock of whole seconds runs a few milliseconds behind this one
    ask_once(d.socket)
    time.sleep(1.1)
    with Asker(d.socket) as a:
        header = a.ask(instance="i.1")
        found = re.fullmatch(r"PREPEND X-Greylist: delayed (\d+) seconds? by greylag-\S+ at mx\.test; "
                             r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}", header)
        check(found and 1 <= int(found[1]) <= int(time.time()) - began, header)
        equal(a.ask(instance="i.1", recipient="second@example.net"), "DUNNO", "later recipient")
        equal(a.ask(instance="i.2"), "DUNNO", "next message")


@test
def no_header_when_switched_off(t):
    d = t.daemon("greylist delay 0s\nreply header no")
    ask_once(d.socket)
    equal(ask_once(d.socket), "DUNNO")


@test
def reply_is_configurable(t):
    d = t.daemon('reply defer 451 enhanced-code 4.7.1 help-url https://help.example/ '
                 'text "Greylisted %r for %s seconds (%w), 100%%, see %u"\n'
                 'block client 203.0.113.0/24\nreply block 554 block-text "5.7.1 no"')
    equal(ask_once(d.socket), "451 4.7.1 Greylisted example.net for 60 seconds (new), 100%, see https://help.example/")
    equal(ask_once(d.socket, client_address="203.0.113.4"), "554 5.7.1 no")
    # Without etrn_domain (Exim, qmail) no enhanced code.
    check(ask_once(d.socket, etrn_domain=None).startswith("451 Greylisted"), "enhanced code")


@test
def rules_have_codes_of_their_own(t):
    d = t.daemon('defer recipient a@example.net code 421\nblock recipient b@example.net code 550 text "5.1.1 no such user"\n'
                 'trap recipient c@example.net code 550')
    check(ask_once(d.socket, recipient="a@example.net").startswith("421 4.2.0 Greylisted"), "defer")
    equal(ask_once(d.socket, recipient="b@example.net"), "550 5.1.1 no such user")
    check(ask_once(d.socket, recipient="c@example.net").startswith(GREYLISTED), "a trap that defers goes on deferring")


@test
def log_is_as_chatty_as_asked(t):
    d = t.daemon("log passes no\nallow recipient ok@example.net\ngreylist delay 0")
    ask_once(d.socket, recipient="ok@example.net")
    ask_once(d.socket)
    wait_for(lambda: "reason=new" in d.logged(), "the deferral")
    ask_once(d.socket)
    wait_for(lambda: "reason=retried" in d.logged(), "a first pass says how long it took")
    check("reason=allow-rule" not in d.logged(), "other passes are left out")
    d.configure("log level warning")
    d.send_signal(1)
    stranger = {"client_address": "203.0.113.1"}
    wait_for(lambda: ask_once(d.socket, recipient="ok@example.net", **stranger).startswith(GREYLISTED), "the other configuration")
    before = d.logged()
    check(ask_once(d.socket, sender="x@y.example", **stranger).startswith(GREYLISTED), "deferred")
    equal(ask_once(d.socket, client_address="999.1.1.1"), "DUNNO")
    wait_for(lambda: "reason=malformed" in d.logged(), "a warning")
    check("x@y.example" not in d.logged()[len(before):], "verdicts are info")


@test
def recipient_domain_cannot_forge_a_reply(t):
    d = t.daemon('reply text "Greylisted %r"')
    reply = ask_once(d.socket, recipient=b"x@\xc3\xa4 \xff.example")
    check(reply.isascii() and reply.isprintable(), repr(reply))


@test
def pipelined_requests_keep_their_order(t):
    d = t.daemon("allow recipient yes@")
    with Asker(d.socket) as a:
        n = 300
        a.send(b"".join(request_bytes(recipient=f"{'yes' if i % 3 else 'no'}@r{i}.example") for i in range(n)))
        for i in range(n):
            reply = a.reply()
            check((reply == "DUNNO") == bool(i % 3), f"reply {i}: {reply}")


@test
def tcp_and_several_listeners(t):
    port = free_port()
    extra = t.folder / "second"
    d = t.daemon(f"listen policy tcp 127.0.0.1:{port}\nlisten policy unix {extra} mode 0600")
    check(ask_once(("127.0.0.1", port)).startswith(GREYLISTED), "tcp")
    check(ask_once(extra).startswith(GREYLISTED), "second unix socket")
    equal(os.stat(extra).st_mode & 0o777, 0o600, "mode")


@test
def half_close_is_answered(t):
    d = t.daemon()
    with Asker(d.socket) as a:
        a.send(request_bytes())
        a.s.shutdown(socket.SHUT_WR)
        check(a.reply().startswith(GREYLISTED), "answer before end of file")
        equal(a.reply(), None, "then closed")


@test
def once_closes_after_the_answer(t):
    d = t.daemon()
    with Asker(d.socket) as a:
        check(a.ask(greylag_once="1").startswith(GREYLISTED), "answer")
        equal(a.reply(), None, "closed")


@test
def odd_client_addresses(t):
    d = t.daemon()
    for bad in ("unknown", "", "999.1.1.1", "1.2.3", "fe80::1%", "IPv6:", None):
        equal(ask_once(d.socket, client_address=bad), "DUNNO", f"client_address={bad}")
    for good in ("IPv6:2001:db8::1", "fe80::1%eth0", "::ffff:192.0.2.1", "[2001:db8::2]"):
        check(ask_once(d.socket, client_address=good, sender=f"{good[1:4]}@x.example").startswith(GREYLISTED), good)
    wait_for(lambda: d.logged().count("reason=malformed") == 7, "seven malformed")


@test
def missing_attributes(t):
    d = t.daemon()
    for name in ("sender", "client_name", "helo_name", "instance", "protocol_state", "reverse_client_name"):
        ask = ask_once(d.socket, **{name: None})
        check(ask.startswith(GREYLISTED) or (name == "sender" and ask == "DUNNO"), f"{name}: {ask}")
    equal(ask_once(d.socket, recipient=None), "DUNNO", "no recipient")
    equal(ask_once(d.socket, recipient=""), "DUNNO", "empty recipient")


@test
def what_is_no_policy_request_is_disconnected(t):
    d = t.daemon()
    for data in (request_bytes(request="junk"), request_bytes(request=None), b"\n", b"\r\n", b"GET / HTTP/1.0\r\n\r\n",
                 b"\0" * 100 + b"\n\n"):
        with Asker(d.socket) as a:
            a.send(data)
            equal(a.reply(), None, repr(data[:40]))
    wait_for(lambda: d.logged().count("policy connection closed") == 6, "six log lines")
    check(ask_once(d.socket).startswith(GREYLISTED), "the daemon lives")


@test
def junk_lines_and_test_words_are_ignored(t):
    d = t.daemon()
    with Asker(d.socket) as a:
        a.send(b"nonsense\n===\npolicy_test_time=1\nfuture_attribute=x=y=z\n" + request_bytes())
        check(a.reply().startswith(GREYLISTED), "judged all the same")
        # policy_test_time must not move the clock.
        a.send(b"policy_test_time=9999999999\n" + request_bytes())
        check(a.reply().startswith(GREYLISTED), "early")
    wait_for(lambda: "without '='" in d.logged(), "a warning")


@test
def crlf_is_understood(t):
    d = t.daemon()
    with Asker(d.socket) as a:
        a.send(request_bytes().replace(b"\n", b"\r\n"))
        check(a.reply().startswith(GREYLISTED), "CRLF")
        check(a.ask(sender="alice@example.org").startswith(GREYLISTED), "and LF after it")
    wait_for(lambda: "reason=early" in d.logged(), "both were the same triplet")


@test
def control_and_high_bytes(t):
    d = t.daemon()
    for value in (b"a\0b@x.example", b"a\x07@x.example", b"a\x7f@x.example", b"a\tb@x.example", b"\xff\xfe@x.example", b"j\xc3\xb6rg@ex\xc3\xa4mple.com", b"a b=c\"d@x.example", b"\"a@b\"@x.example"):
        check(ask_once(d.socket, sender=value).startswith(GREYLISTED), repr(value))
    wait_for(lambda: d.logged().count("verdict=") == 8, "all lines")
    text = d.log.read_bytes()
    check(b"\xff" not in text and b"\x07" not in text, "raw bytes in the log")


@test
def long_values(t):
    d = t.daemon()
    check(ask_once(d.socket, sender="a" * 1000 + "@x.example").startswith(GREYLISTED), "1,010 bytes are judged")
    check(ask_once(d.socket, sender="a" * 5000 + "@x.example").startswith(GREYLISTED), "so are 5,010")
    check(ask_once(d.socket, sender="a" * 5000 + "@x.example").startswith(GREYLISTED), "again")
    wait_for(lambda: "reason=early" in d.logged(), "as one triplet")
    check(ask_once(d.socket, sender=b"\x01" * 2000 + b"@x.example").startswith(GREYLISTED), "the longest in a key")
    check(ask_once(d.socket, helo_name="h" * 2000, sender="b@x.example").startswith(GREYLISTED), "a HELO is no way round")
    wait_for(lambda: d.logged().count("verdict=") == 5, "all lines")
    check(max(len(line) for line in d.logged().splitlines()) < 1500, "a log line is short")


@test
def a_megabyte_without_an_empty_line(t):
    d = t.daemon()
    with Asker(d.socket) as a:
        try:
            a.send(b"request=smtpd_access_policy\n" + b"x" * (1 << 20))
        except OSError:
            pass
        equal(a.reply(), None, "closed")
    wait_for(lambda: "without the empty line" in d.logged(), "a log line")
    check(d.resident_kb() < 100_000, "memory")


@test
def one_byte_at_a_time(t):
    d, hurried = t.daemon(), t.daemon("limit request-time 2s")
    with Asker(d.socket) as a:
        for byte in request_bytes():
            a.send(bytes([byte]))
        check(a.reply().startswith(GREYLISTED), "slow, but within the time")
    with Asker(hurried.socket) as a:
        a.send(b"request=smtp")
        equal(a.reply(), None, "given up")
    wait_for(lambda: "request not complete" in hurried.logged(), "a log line")


@test
def a_client_that_never_reads(t):
    d = t.daemon("limit request-time 2s")
    with Asker(d.socket) as a:
        # Until nothing more is taken for a while: replies fill the socket, then
        # greylagd stops reading, then requests do.
        a.s.settimeout(1)
        sent = 0
        try:
            while sent < 100_000_000:
                sent += a.s.send(request_bytes() * 50)
        except OSError:  # in time, or it was closed before we came to see that
            pass
        check(sent < 100_000_000, "it reads for ever")
        check(ask_once(d.socket, sender="other@x.example").startswith(GREYLISTED), "others are served")
        wait_for(lambda: "peer takes no replies" in d.logged(), "the connection to be closed")
    check(d.resident_kb() < 100_000, "memory")


@test
def five_thousand_connections(t):
    most = raise_descriptors()
    check(most > 11000, f"only {most} descriptors")
    d = t.daemon()
    connections = [Asker(d.socket) for _ in range(5000)]
    try:
        for i in (0, 1, 2500, 4999):
            check(connections[i].ask(sender=f"s{i}@x.example").startswith(GREYLISTED), f"connection {i}")
        check(d.resident_kb() < 100_000, f"{d.resident_kb()} kB")
    finally:
        for c in connections:
            c.s.close()
    check(ask_once(d.socket).startswith(GREYLISTED), "afterwards")


@test
def at_the_limit_idle_connections_make_room(t):
    d = t.daemon("limit connections 20")
    connections = [Asker(d.socket) for _ in range(20)]
    for i, c in enumerate(connections):
        check(c.ask(sender=f"s{i}@x.example").startswith(GREYLISTED), f"connection {i}")
    for i in range(10):
        check(ask_once(d.socket, sender=f"n{i}@x.example").startswith(GREYLISTED), f"newcomer {i}")
    check(connections[19].ask(sender="s19@x.example").startswith(GREYLISTED), "the busiest stayed")
    equal(connections[0].reply(), None, "the idlest went")


@test
def descriptors_exhausted(t):
    d = t.daemon("limit connections 10000", wrap=["prlimit", "--nofile=120:120"])
    connections = []
    for _ in range(300):
        try:
            connections.append(Asker(d.socket, 2))
        except (OSError, Failure):
            break
    served = 0
    for c in connections[-20:]:
        try:
            c.send(request_bytes(sender=f"c{served}@x.example"))
            served += (c.reply() or "").startswith(GREYLISTED)
        except OSError:
            pass
    for c in connections:
        c.s.close()
    check(d.alive(), "it lives")
    wait_for(lambda: (ask_once(d.socket) or "").startswith(GREYLISTED), "service afterwards")


@test
def unix_socket_is_not_stolen(t):
    d = t.daemon()
    other = t.daemon(start=False)
    other.config_file.write_text(d.config_file.read_text().replace(str(d.log), str(other.log)))
    other.start(wait=False)
    equal(other.process.wait(LIMIT), 69, "exit status")
    check("another process listens there" in other.tail(), other.tail())
    check(ask_once(d.socket).startswith(GREYLISTED), "the first still serves")


@test
def stale_socket_is_replaced(t):
    d = t.daemon()
    d.stop(9)
    check(d.socket.exists(), "the file is left behind")
    d.start()
    check(ask_once(d.socket).startswith(GREYLISTED), "serves again")
    d.stop()
    check(not d.socket.exists(), "removed at a clean stop")


@test
def reload_keeps_the_running_configuration_when_broken(t):
    d = t.daemon("allow recipient ok@")
    equal(ask_once(d.socket, recipient="ok@example.net"), "DUNNO")
    with Asker(d.socket) as a:
        d.configure("allow recipient ok@\nallow nonsense here\n")
        d.send_signal(1)
        wait_for(lambda: "the running one stays" in d.logged(), "the refusal")
        check(re.search(r"greylag\.conf:8:\d+: error", d.logged()), d.logged())
        equal(a.ask(recipient="ok@example.net"), "DUNNO", "old rules")
        d.configure("block recipient ok@")
        d.send_signal(1)
        wait_for(lambda: "configuration reloaded" in d.logged(), "the reload")
        check(a.ask(recipient="ok@example.net").startswith("REJECT"), "new rules, same connection")


@test
def reload_opens_and_closes_listeners(t):
    d = t.daemon()
    second = d.folder / "second"
    d.configure(f"listen policy unix {second}")
    d.send_signal(1)
    wait_for(lambda: listens_at(second), "the new socket")
    check(ask_once(second).startswith(GREYLISTED), "it serves")
    d.configure("")
    d.send_signal(1)
    wait_for(lambda: not second.exists(), "the socket to go")


@test
def a_reload_while_it_starts(t):
    d = t.daemon(start=False, store="rocksdb")
    for _ in range(5):
        d.start(wait=False)
        end = time.monotonic() + LIMIT
        while not d.socket.exists() and time.monotonic() < end:
            pass
        d.send_signal(1)
        wait_for(d.answers, "greylagd to serve all the same")
        wait_for(lambda: "configuration reloaded" in d.logged(), "the reload")
        equal(d.stop(), 0)
        d.log.unlink()


@test
def log_is_reopened(t):
    d = t.daemon()
    ask_once(d.socket)
    old = d.folder / "log.1"
    d.log.rename(old)
    d.send_signal(1)
    wait_for(d.log.exists, "the new log")
    ask_once(d.socket)
    wait_for(lambda: "reason=early" in d.logged(), "the verdict in the new file")
    check("reason=early" not in old.read_text(), "not in the old one")
    # A rotation does not ask whether the configuration can be read just now.
    d.configure("greylist delay sixty\n")
    d.log.rename(d.folder / "log.2")
    d.send_signal(1)
    wait_for(lambda: d.log.exists() and "the running one stays" in d.logged(), "the new log")


@test
def configuration_check(t):
    d = t.daemon(start=False)
    run = lambda: subprocess.run([t.args.greylagd, "-t", "-c", str(d.config_file)], capture_output=True, text=True)
    r = run()
    equal(r.returncode, 0, r.stderr)
    d.configure("greylist delay sixty")
    r = run()
    equal(r.returncode, 78, "exit status")
    check(re.search(r"greylag\.conf:7:\d+: error: ", r.stderr), r.stderr)


@test
def a_listener_that_answers_once(t):
    where = t.folder / "once"
    d = t.daemon(f"listen policy unix {where} once\n")
    with Asker(where) as a:
        a.send(request_bytes() * 2)
        check(a.reply().startswith(GREYLISTED), "the first answer")
        equal(a.reply(), None, "and no second")
    with Asker(d.socket) as a:
        check(a.ask().startswith(GREYLISTED) and a.ask().startswith(GREYLISTED), "others go on")


@test
def privileges_are_dropped(t):
    if os.geteuid() != 0:
        return
    d = t.daemon("", store="rocksdb", start=False)
    os.chmod(t.folder, 0o755)
    d.store_folder.mkdir()
    for path in (d.folder, d.store_folder):
        os.chown(path, 65534, 65534)
    d.config_file.write_text(d.config_file.read_text().replace("user root", "user nobody"))
    d.start()
    # Its sockets are open before that; it answers afterwards.
    check(ask_once(d.socket).startswith(GREYLISTED), "serves")
    status = pathlib.Path(f"/proc/{d.process.pid}/status").read_text()
    check(re.search(r"^Uid:\t65534\t65534\t65534\t65534$", status, re.M), status)
    check(re.search(r"^NoNewPrivs:\t1$", status, re.M), "no new privileges")


@test
def stops_within_a_second_while_clients_hang(t):
    d = t.daemon(store="rocksdb")
    with Asker(d.socket) as idle, Asker(d.socket) as half:
        half.send(b"request=smtpd")
        check(idle.ask().startswith(GREYLISTED), "serves")
        started = time.monotonic()
        equal(d.stop(), 0, "exit status")
        check(time.monotonic() - started < 8, "slow stop")


if __name__ == "__main__":
    test.main()
