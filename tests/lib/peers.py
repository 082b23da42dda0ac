"""Real greylisting systems for the tests: Debian's packages, unpacked into the cache
folder beside the tree (nothing is installed), run from there on loopback."""
import os
import pathlib
import signal
import socket
import subprocess
import time

from harness import LIMIT, Asker, Failure, Skip, check, free_port, listens_at, wait_for
from mta import unpack

POSTGREY = "postgrey libberkeleydb-perl libnet-server-perl libnetaddr-ip-perl libnet-dns-perl".split()
SQLGREY = ("sqlgrey libnet-server-perl libdate-calc-perl libbit-vector-perl libcarp-clan-perl libdbi-perl "
           "libdbd-sqlite3-perl").split()


class Peer:
    """A program of the package, stopped by its pid."""

    def __init__(self, root, command, folder, ready):
        perl = [root / "usr/share/perl5", *root.glob("usr/lib/*/perl5/*"), root / "usr/lib/x86_64-linux-gnu/perl-base"]
        self.log = folder / "peer.log"
        self.process = subprocess.Popen(
            [str(w) for w in command], stdin=subprocess.DEVNULL, stdout=open(self.log, "ab"), stderr=subprocess.STDOUT,
            cwd=folder, env={**os.environ, "PERL5LIB": ":".join(map(str, perl))}, start_new_session=True)
        wait_for(lambda: self.runs() and ready(), f"{command[0]} to serve")

    def runs(self):
        if self.process.poll() is not None:
            raise Failure(f"the peer ended: {self.log.read_text(errors='replace')[-600:]}")
        return True

    def stop(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:  # Net::Server misses a signal now and then
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(LIMIT)


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


class Postgrey(Peer):
    """Takes the time of a request from the attribute policy_test_time."""

    def __init__(self, folder, *options):
        root = unpack("postgrey", POSTGREY)
        self.database, self.port = folder / "postgrey", free_port()
        self.database.mkdir()
        empty = folder / "empty"
        empty.write_text("")
        super().__init__(root, [
            "perl", "-T", *(f"-I{p}" for p in [root / "usr/share/perl5", *root.glob("usr/lib/*/perl5/*")]),
            root / "usr/sbin/postgrey", f"--inet=127.0.0.1:{self.port}", f"--dbdir={self.database}", "--user=root",
            "--group=root", f"--whitelist-clients={empty}", f"--whitelist-recipients={empty}", *options],
            folder, lambda: listens(self.port))

    def ask(self, at, **changes):
        with Asker(("127.0.0.1", self.port)) as a:
            return a.ask(policy_test_time=str(int(at)), **changes)


class Sqlgrey(Peer):
    """On an SQLite file."""

    def __init__(self, folder):
        root = unpack("sqlgrey", SQLGREY)
        self.database, self.port, conf = folder / "sqlgrey.db", free_port(), folder / "sqlgrey"
        conf.mkdir()
        for name in (root / "etc/sqlgrey").iterdir():
            if name.is_file():
                (conf / name.name).write_bytes(name.read_bytes())
        (conf / "sqlgrey.conf").write_text(
            f"conf_dir = {conf}\ninet = 127.0.0.1:{self.port}\npidfile = {folder}/sqlgrey.pid\nuser = root\ngroup = root\n"
            f"db_type = SQLite\ndb_name = {self.database}\nreconnect_delay = 5\nlog_override =\nloglevel = 2\n"
            "reject_first_attempt = immed\nreject_early_reconnect = immed\n")
        super().__init__(root, ["perl", *(f"-I{p}" for p in [root / "usr/share/perl5", *root.glob("usr/lib/*/perl5/*")]),
                                root / "usr/sbin/sqlgrey", "-f", conf / "sqlgrey.conf"],
                         folder, lambda: listens(self.port))

    def ask(self, **changes):
        with Asker(("127.0.0.1", self.port)) as a:
            return a.ask(**changes)


class Greylistd(Peer):
    def __init__(self, folder, retry_min=0):
        root = unpack("greylistd", ["greylistd"])
        self.database, self.socket = folder / "greylistd", folder / "greylistd.socket"
        self.database.mkdir()
        conf = folder / "greylistd.conf"
        conf.write_text(
            f"[timeouts]\nretryMin = {retry_min}\nretryMax = 28800\nexpire = 5184000\n"
            f"[socket]\npath = {self.socket}\nowner = root:root\nmode = 0600\n"
            f"[data]\nupdate = 300\nstatefile = {self.database}/states\ntripletfile = {self.database}/triplets\n"
            "savetriplets = true\nsinglecheck = false\nsingleupdate = false\n")
        super().__init__(root, ["/usr/bin/python3", root / "usr/sbin/greylistd", conf], folder, lambda: listens_at(self.socket))

    def ask(self, words):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(LIMIT)
            s.connect(str(self.socket))
            s.sendall(words.encode())
            return s.recv(65536).decode()
