"""tcpserver (ucspi-tcp) with mailfront in qmail-smtpd's place: qmail itself is not in
Debian 12, mailfront speaks SMTP on standard input and output as it does."""
import contextlib
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time

from harness import LIMIT, free_port, wait_for
from mta import unpack

UCSPI = ["ucspi-tcp"]
MAILFRONT = ["mailfront", "libbg2", "libcvm1", "liblua5.1-0"]


def server_environment():
    """Environment, and command of an SMTP server that takes everything."""
    root = unpack("mailfront", MAILFRONT)
    environment = {"LD_LIBRARY_PATH": f"{root}/usr/lib:{root}/usr/lib/x86_64-linux-gnu",
                   "MODULE_PATH": f"{root}/usr/lib/mailfront", "SMTPGREETING": "mx.test"}
    return environment, [f"{root}/usr/sbin/mailfront", "smtp", "echo", "accept"]


def recorder(file):
    """The command of an SMTP server that writes what it reads to the file."""
    return [sys.executable, str(pathlib.Path(__file__).resolve().parent / "smtprecorder.py"), str(file)]


class Tcpserver:
    """One tcpserver; `wrapper` stands before the server. Ended with close()."""

    def __init__(self, folder, wrapper=(), server=None, **environment):
        self.port, self.log = free_port(), pathlib.Path(folder) / f"tcpserver{time.monotonic_ns()}"
        more, mailfront = server_environment()
        program = unpack("ucspi", UCSPI) / "usr/bin/tcpserver"
        self.process = subprocess.Popen(
            [str(program), "-v", "-H", "-R", "-l", "mx.test", "127.0.0.1", str(self.port), *wrapper,
             *(server or mailfront)],
            env={**os.environ, **more, **environment}, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=open(self.log, "wb"))
        wait_for(lambda: b"status: 0" in self.log.read_bytes(), "tcpserver to listen")

    def said(self):
        return self.log.read_text(errors="replace")

    def children(self):
        """Names, states and ids of the processes below tcpserver, at any depth."""
        found, parents = [], {self.process.pid}
        for status in sorted(pathlib.Path("/proc").glob("[0-9]*/stat"), key=lambda p: int(p.parent.name)):
            try:
                pid, rest = status.read_text().split(" (", 1)
                name, fields = rest.rsplit(") ", 1)
            except OSError:
                continue
            if int(fields.split()[1]) in parents:
                parents.add(int(pid))
                found.append((name, fields.split()[0], int(pid)))
        return found

    def quiet(self):
        """Waits until no session is left and tcpserver has said so; none may have become a zombie."""
        wait_for(lambda: not self.children() and re.findall(r"status: (\d+)/", self.said())[-1] == "0", "the sessions to end")

    def statuses(self):
        """Wait statuses of the ended sessions, as tcpserver logs them."""
        return [int(line.rsplit(" ", 1)[1]) for line in self.said().splitlines() if ": end " in line]

    def close(self):
        """A session that hangs is not left behind."""
        for _, _, pid in self.children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(LIMIT)


def talk(port, *parts, close="read", timeout=LIMIT):
    """Sends the parts, one after the other, and returns all that came back. A part may
    be a number: seconds to wait; or None: to wait for a whole reply. close: "read" reads
    to the end, "half" ends our side first, "reset" and "now" go without reading."""
    got = b""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as s:
        for part in parts:
            if part is None:
                got += reply(s)
            elif isinstance(part, (int, float)):
                time.sleep(part)
            else:
                got += send(s, part)
        if close == "reset":
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            return got
        if close == "now":
            return got
        if close == "half":
            s.shutdown(socket.SHUT_WR)
        while True:
            try:
                data = s.recv(65536)
            except ConnectionResetError:
                break
            if not data:
                break
            got += data
    return got


def send(s, data):
    """A server that has gone is noticed when we read."""
    try:
        s.sendall(data)
    except (BrokenPipeError, ConnectionResetError):
        pass
    return b""


def reply(s):
    got = b""
    while not (got.endswith(b"\n") and got.splitlines()[-1][3:4] != b"-"):
        data = s.recv(65536)
        if not data:
            break
        got += data
    return got
