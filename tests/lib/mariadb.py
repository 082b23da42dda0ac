"""Real MariaDB servers, alone or as the nodes of a Galera cluster, in folders of the
test. Debian's package mariadb-server would start a service, so it is not installed:
the server itself is in mariadb-server-core, and the scripts are unpacked."""
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import time

from harness import LIMIT, Failure, Skip, free_port, wait_for
from mta import unpack

INSTALL, DAEMON, CLIENT = "/usr/bin/mariadb-install-db", "/usr/sbin/mariadbd", "/usr/bin/mariadb"
GALERA = "/usr/lib/libgalera_smm.so", "/usr/lib/galera/libgalera_smm.so"
START = 180.0


def need(galera=False):
    for program in (INSTALL, DAEMON, CLIENT):
        if not os.access(program, os.X_OK):
            raise Skip("needs mariadb-server-core and mariadb-client-core")
    if galera and (not any(map(os.path.exists, GALERA)) or not shutil.which("rsync")):
        raise Skip("needs galera-4 and rsync")


def install(folder):
    """A fresh data folder."""
    # Servers at work at the same time get into each other's way in a common folder for temporary tables.
    r = subprocess.run([INSTALL, "--no-defaults", f"--datadir={folder}", f"--user={whoami()}", "--skip-test-db",
                        "--auth-root-authentication-method=normal"], capture_output=True, text=True, timeout=START,
                       env={**os.environ, "TMPDIR": str(pathlib.Path(folder).parent)})
    if r.returncode:
        raise Failure("mariadb-install-db: " + r.stdout[-1000:] + r.stderr[-1000:])


def whoami():
    return pwd.getpwuid(os.geteuid()).pw_name


class Server:
    """One server; `data` is copied, not used in place."""

    def __init__(self, folder, data, *options, user=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir()
        self.socket = self.folder / "socket"
        self.options, self.process, self.user, self.wrap = list(options), None, user or whoami(), []
        self.path = os.environ.get("PATH", "/usr/bin:/bin")
        shutil.copytree(data, self.folder / "data")
        if user:
            subprocess.run(["chown", "-R", user, self.folder], check=True)

    def start(self, *more):
        # What is committed outlives a kill; for that no disk has to be waited for.
        self.process = subprocess.Popen(
            [*self.wrap, DAEMON, "--no-defaults", f"--datadir={self.folder}/data", f"--socket={self.socket}",
             f"--pid-file={self.folder}/pid", f"--user={self.user}", "--innodb-buffer-pool-size=48M",
             "--performance-schema=OFF", "--innodb-flush-log-at-trx-commit=2", *self.options, *more],
            stdin=subprocess.DEVNULL, stdout=open(self.folder / "log", "ab"), stderr=subprocess.STDOUT,
            start_new_session=True, env={**os.environ, "PATH": self.path, "TMPDIR": str(self.folder)})
        end = time.monotonic() + START
        while not self.works("SELECT 1"):
            if time.monotonic() > end or self.process.poll() is not None:
                log = (self.folder / "log").read_text(errors="replace")
                raise Failure("mariadbd does not start: " + log[-3000:])
            time.sleep(0.05)
        return self

    def ask(self, sql, limit=LIMIT):
        return subprocess.run([CLIENT, "--no-defaults", f"--socket={self.socket}", "--user=root", "-BN", "-e", sql],
                              capture_output=True, text=True, timeout=limit)

    def works(self, sql):
        return self.ask(sql).returncode == 0

    def query(self, sql):
        done = self.ask(sql)
        if done.returncode:
            raise Failure(f"{sql}: {done.stderr}")
        return done.stdout.strip()

    def status(self, name):
        return self.query(f"SHOW STATUS LIKE '{name}'").split()[-1]

    def send_signal(self, number):
        """SIGSTOP returns when it stands."""
        self.process.send_signal(number)
        stat = pathlib.Path(f"/proc/{self.process.pid}/stat")
        if number == signal.SIGSTOP:
            wait_for(lambda: stat.read_text().rsplit(")", 1)[1].split()[0] == "T", "the server to stop")

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()


def alone(t):
    """A server for the test, on a UNIX socket only."""
    need()
    install(t.folder / "fresh")
    server = Server(t.folder / "db", t.folder / "fresh", "--skip-networking")
    t.at_end(server.kill)
    return server.start()


def scripts():
    """The folder of the tool that a node which joins gets its data with."""
    found = shutil.which("wsrep_sst_rsync")
    return pathlib.Path(found).parent if found else unpack("mariadb", ["mariadb-server"]) / "usr" / "bin"


def node_options(provider, address, port, gossip, changes, data, weight):
    return [
        "--bind-address=127.0.0.1", f"--port={port}", "--wsrep-on=ON", f"--wsrep-provider={provider}",
        f"--wsrep-cluster-address={address}", "--wsrep-node-address=127.0.0.1", "--wsrep-sst-method=rsync",
        f"--wsrep-sst-receive-address=127.0.0.1:{data}", "--binlog-format=ROW",
        "--innodb-autoinc-lock-mode=2", "--wsrep-provider-options=gcache.size=16M;"
        f"gmcast.listen_addr=tcp://127.0.0.1:{gossip};ist.recv_addr=127.0.0.1:{changes};pc.weight={weight};"
        "evs.keepalive_period=PT0.3S;evs.inactive_check_period=PT0.3S;evs.suspect_timeout=PT1S;evs.inactive_timeout=PT2S"]


def cluster(t, nodes=2):
    """Nodes that have found each other. The first outweighs the others: it goes on without them, and they do
    not without it."""
    need(galera=True)
    provider = next(p for p in GALERA if os.path.exists(p))
    ports = [tuple(free_port() for _ in range(4)) for _ in range(nodes)]
    address = "gcomm://" + ",".join(f"127.0.0.1:{row[1]}" for row in ports)
    install(t.folder / "fresh")
    # The tool that copies the data to a node that joins gives up root's rights.
    if os.geteuid() == 0:
        t.folder.chmod(0o755)
    servers = []
    for i, row in enumerate(ports):
        options = node_options(provider, address, *row, nodes if i == 0 else 1)
        node = Server(t.folder / f"node{i}", t.folder / "fresh", *options, user="nobody" if os.geteuid() == 0 else None)
        node.port = row[0]
        node.path = f"{scripts()}:/usr/bin:/bin:/usr/sbin:/sbin"
        t.at_end(node.kill)
        node.start(*(["--wsrep-new-cluster"] if i == 0 else []))
        servers.append(node)
    for node in servers:
        wait_for(lambda: node.status("wsrep_cluster_size") == str(nodes) and node.status("wsrep_ready") == "ON",
                 "the nodes to find each other", START)
    return servers
