"""What the tests that run real programs share: temporary folders, a greylagd of
one's own, policy requests, and a small runner. Python 3 standard library only.

Everything listens on UNIX sockets below the folder or on 127.0.0.1, is stopped
by its pid, and waits with a limit.
"""
import argparse
import contextlib
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

LIMIT = 60.0  # seconds that any single wait may take


class Failure(AssertionError):
    pass


def check(condition, text):
    if not condition:
        raise Failure(text)


def equal(got, wanted, text=""):
    if got != wanted:
        raise Failure(f"{text}: got {got!r}, wanted {wanted!r}")


def wait_for(condition, text, limit=LIMIT):
    """Polls condition() until it is true; looks once more when the time is over, which may have been a stall of ours."""
    end, over = time.monotonic() + limit, False
    while True:
        value = condition()
        if value:
            return value
        if over:
            raise Failure(f"waited {limit} s in vain for {text}")
        time.sleep(0.02)
        over = time.monotonic() >= end


def listens_at(where):
    """Whether somebody listens at this UNIX socket (its file is there a moment before) or TCP port."""
    if isinstance(where, int):
        tables = [table for table in map(pathlib.Path, ("/proc/net/tcp", "/proc/net/tcp6")) if table.exists()]  # no IPv6: one
        lines = [line.split() for table in tables for line in table.read_text().splitlines()]
        return any(line[3] == "0A" and line[1].endswith(f":{where:04X}") for line in lines)
    with open("/proc/net/unix", errors="replace") as sockets:  # others' names may be of any bytes
        return any(line[3] == "00010000" and line[-1] == str(where) for line in map(str.split, sockets))


def stop_process(process, name, number=signal.SIGTERM):
    """The signal must be enough; returns the exit status, also of one that has ended."""
    if process.poll() is None:
        process.send_signal(number)
        try:
            process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise Failure(f"{name} did not stop on its signal")
    return process.returncode


def peak_kb(process):
    """The most memory that it had."""
    for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return 0


reservations = []


def free_port():
    """A loopback port, free for TCP and UDP, that no other test takes as long as this process lives (its sign
    is a socket in the abstract namespace), and that the system gives to no connection. As in port.c."""
    for port in random.sample(range(10240, 32000), 2000):
        with contextlib.ExitStack() as tried:
            try:
                sign = tried.enter_context(socket.socket(socket.AF_UNIX))
                sign.bind(f"\0greylag-test-port-{port}")
                for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                    tried.enter_context(socket.socket(socket.AF_INET, kind)).bind(("127.0.0.1", port))
            except OSError:
                continue
            reservations.append(sign.dup())
            return port
    raise Failure("no free port")


def raise_descriptors():
    """For this process and what it starts, up to the hard limit; returns that."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


class Daemon:
    """A greylagd with its own folder. `config` is added after the listen and store lines.
    Tests ask far faster and more alike than mail servers do, which would be penalised;
    with penalties=True, or a `penalty` in `config`, all is as it comes. The test's disk may be slow."""

    def __init__(self, binary, folder, config="", store="memory", wrap=(), env=None, penalties=False):
        self.penalties = penalties
        self.binary, self.folder = binary, pathlib.Path(folder)
        self.socket = self.folder / "policy"
        self.control = self.folder / "control"
        self.store_folder = self.folder / "store"
        self.log = self.folder / "log"
        self.config_file = self.folder / "greylag.conf"
        self.wrap, self.env, self.process = list(wrap), env, None
        self.store = f"rocksdb {self.store_folder}" if store == "rocksdb" else store
        self.configure(config)

    def configure(self, config):
        penalties = "" if self.penalties or "penalty" in config else "penalty hasty 0 hammering 0 hopping 0 unretried 0\n"
        deadline = "store deadline 20s\n" if self.store.startswith("rocksdb") and "deadline" not in config else ""
        self.config_file.write_text(
            f"listen policy unix {self.socket} mode 0666\n"
            f"listen control unix {self.control}\n"
            f"store {self.store}\nlog file {self.log}\nuser root\nhostname mx.test\n{config}\n{penalties}{deadline}")

    def start(self, wait=True):
        if not self.store_folder.exists():
            self.store_folder.mkdir()
        self.process = subprocess.Popen(
            [*self.wrap, str(self.binary), "-f", "-c", str(self.config_file)],
            stdin=subprocess.DEVNULL, stderr=open(self.folder / "stderr", "ab"),
            env={**os.environ, **(self.env or {})})
        if wait:
            wait_for(self.answers, f"greylagd to serve ({self.tail()})")
        return self

    def answers(self):
        if self.process.poll() is not None:
            raise Failure(f"greylagd ended with {self.process.returncode}: {self.tail()}")
        places = re.findall(r"^listen \S+ +(?:unix (\S+)|tcp \S+:(\d+))", self.config_file.read_text(), re.M)
        return all(listens_at(path or int(port)) for path, port in places)

    def tail(self, lines=8):
        text = ""
        for name in ("stderr", "log"):
            with contextlib.suppress(OSError):
                text += (self.folder / name).read_text(errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def logged(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def send_signal(self, number):
        self.process.send_signal(number)

    def stop(self, number=signal.SIGTERM):
        return self.process and stop_process(self.process, "greylagd", number)

    def alive(self):
        return self.process.poll() is None

    def resident_kb(self):
        return peak_kb(self.process)


DEFAULTS = {
    "request": "smtpd_access_policy", "protocol_state": "RCPT", "protocol_name": "ESMTP",
    "client_address": "192.0.2.1", "client_name": "unknown", "reverse_client_name": "unknown",
    "helo_name": "mx.example.org", "sender": "alice@example.org", "recipient": "bob@example.net",
    "recipient_count": "0", "queue_id": "", "instance": "", "size": "0", "etrn_domain": "",
    "sasl_method": "", "sasl_username": "", "sasl_sender": ""}


def request_bytes(**changes):
    """A policy request; an attribute set to None is left out. Values are str or bytes."""
    attributes = {**DEFAULTS, **changes}
    out = b""
    for name, value in attributes.items():
        if value is not None:
            out += name.encode() + b"=" + (value if isinstance(value, bytes) else value.encode()) + b"\n"
    return out + b"\n"


class Asker:
    """A policy connection."""

    def __init__(self, where, limit=LIMIT):
        if isinstance(where, tuple):
            self.s = socket.create_connection(where, timeout=limit)
        else:
            self.s = socket.socket(socket.AF_UNIX)
            self.s.settimeout(limit)
            wait_for(lambda: self.connected(where), "room in the accept queue", limit)
        self.left = b""

    def connected(self, where):
        try:
            self.s.connect(str(where))
            return True
        except BlockingIOError:
            return False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.s.close()

    def send(self, data):
        self.s.sendall(data)

    def reply(self):
        """The action of the next reply, or None when the connection was closed."""
        while b"\n\n" not in self.left:
            try:
                data = self.s.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                return None
            self.left += data
        reply, self.left = self.left.split(b"\n\n", 1)
        check(reply.startswith(b"action="), f"a reply without action: {reply!r}")
        return reply[len(b"action="):].decode()

    def ask(self, **changes):
        self.send(request_bytes(**changes))
        return self.reply()


def ask_once(where, **changes):
    with Asker(where) as a:
        return a.ask(**changes)


# --- the runner -------------------------------------------------------------------

class Tests:
    """Collects functions test(context) and runs each in a folder of its own."""

    def __init__(self, description):
        self.parser = argparse.ArgumentParser(description=description)
        self.parser.add_argument("--greylagd", default="build/src/daemon/greylagd")
        self.parser.add_argument("--greylag", default="build/src/cli/greylag")
        self.parser.add_argument("names", nargs="*", help="run only these")
        self.tests = []

    def __call__(self, function):
        self.tests.append(function)
        return function

    def main(self):
        args = self.parser.parse_args()
        for name in ("greylagd", "greylag", "web"):
            if hasattr(args, name):
                setattr(args, name, str(pathlib.Path(getattr(args, name)).resolve()))
        passed = failed = skipped = 0
        for test in self.tests:
            if args.names and test.__name__ not in args.names:
                continue
            context = Context(args)
            started = time.monotonic()
            try:
                test(context)
                passed += 1
                print(f"ok {test.__name__} ({time.monotonic() - started:.1f} s)", flush=True)
            except Skip as why:
                skipped += 1
                print(f"skip {test.__name__}: {why}", flush=True)
            except BaseException as error:
                failed += 1
                if not isinstance(error, Failure):
                    traceback.print_exc()
                print(f"not ok {test.__name__}: {error}", flush=True)
                print(context.evidence(), flush=True)
                if isinstance(error, KeyboardInterrupt):
                    break
            finally:
                context.close()
        print(f"{passed} passed, {failed} failed, {skipped} skipped")
        sys.exit(1 if failed or not passed else 0)


class Skip(Exception):
    pass


class Context:
    def __init__(self, args):
        self.args = args
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="greylag-test-"))
        self.daemons, self.closers = [], []

    def daemon(self, config="", store="memory", start=True, folder=None, **more):
        folder = self.folder / (folder or f"d{len(self.daemons)}")
        folder.mkdir(exist_ok=True)
        d = Daemon(self.args.greylagd, folder, config, store, **more)
        self.daemons.append(d)
        return d.start() if start else d

    def greylag(self, daemon, *words, status=0, stdin=None):
        """Runs the command line tool; returns its output."""
        r = subprocess.run([self.args.greylag, "--socket", str(daemon.control), *words],
                           capture_output=True, text=True, timeout=LIMIT, input=stdin)
        if status is not None:
            equal(r.returncode, status, f"greylag {' '.join(words)}: {r.stdout}{r.stderr}")
        return r.stdout

    def at_end(self, function):
        self.closers.append(function)

    def evidence(self):
        return "\n".join(f"  | {line}" for d in self.daemons for line in d.tail().splitlines())

    def close(self):
        for d in self.daemons:
            with contextlib.suppress(Exception):
                d.stop(signal.SIGKILL)
        for function in reversed(self.closers):
            with contextlib.suppress(Exception):
                function()
        shutil.rmtree(self.folder, ignore_errors=True)
