"""A real name server (nsd) on a loopback port of its own, with a zone that the test writes."""
import contextlib
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess

from harness import Failure, Skip, free_port, wait_for

QUESTION = struct.pack("!HHHHHH", 1, 0, 1, 0, 0, 0) + b"\x02ns\x04test\0" + struct.pack("!HH", 1, 1)


class Nsd:
    """Serves the zone `test.`, whose records are the given lines of a zone file."""

    def __init__(self, test, records, ttl=5):
        self.program = shutil.which("nsd") or shutil.which("/usr/sbin/nsd")
        if not self.program:
            raise Skip("nsd is not installed")
        self.folder, self.ttl, self.process = test.folder / "nsd", ttl, None
        self.folder.mkdir(exist_ok=True)
        self.port = free_port()
        self.zone = self.folder / "test.zone"
        self.write(records)
        (self.folder / "nsd.conf").write_text(
            f"server:\n ip-address: 127.0.0.1@{self.port}\n username: root\n chroot: \"\"\n zonesdir: {self.folder}\n"
            f" pidfile: {self.folder}/pid\n xfrdfile: {self.folder}/xfrd\n zonelistfile: {self.folder}/zones\n"
            f" database: \"\"\n logfile: {self.folder}/log\n server-count: 1\n hide-version: yes\n"
            "remote-control:\n control-enable: no\n"
            f"zone:\n name: test\n zonefile: {self.zone}\n")
        test.at_end(self.stop)
        self.start()

    def write(self, records):
        self.zone.write_text(f"$ORIGIN test.\n$TTL {self.ttl}\n@ SOA ns post 1 3600 600 86400 {self.ttl}\n NS ns\nns A 127.0.0.1\n"
                             + records)

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def answers(self):
        if self.process.poll() is not None:
            raise Failure(f"nsd has ended: {(self.folder / 'stderr').read_text()}")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.3)
            s.sendto(QUESTION, ("127.0.0.1", self.port))
            try:
                return len(s.recv(512)) > 12
            except OSError:
                return False

    def start(self):
        self.process = subprocess.Popen([self.program, "-d", "-c", str(self.folder / "nsd.conf")],
                                        start_new_session=True, stdin=subprocess.DEVNULL, stderr=open(self.folder / "stderr", "ab"))
        wait_for(self.answers, "nsd to answer")

    def signal(self, number):
        """To the server and its children, which do the answering. SIGSTOP returns when all stand."""
        os.killpg(self.process.pid, number)
        if number == signal.SIGSTOP:
            wait_for(lambda: self.states() <= {"T", "Z"}, "nsd to stop")

    def states(self):
        """Those of all its processes."""
        found = set()
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):  # it has ended
                state, _, group = stat.read_text().rsplit(")", 1)[1].split()[:3]
                found |= {state} if int(group) == self.process.pid else set()
        return found

    def stop(self):
        if self.process and self.process.poll() is None:
            self.signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process = None
