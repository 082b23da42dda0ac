"""Valkey or Redis servers that several greylagds share."""
import os
import pathlib
import shutil
import signal
import subprocess

from harness import LIMIT, Skip, free_port, listens_at, wait_for


def program():
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if not found:
        raise Skip("no valkey-server or redis-server here")
    return found


def processor_seconds(pid):
    """What the process has used."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def stand(process):
    """SIGSTOP, and returns when it stands."""
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)


class Server:
    """A Redis or Valkey server on a socket of its own, and on a port with `options`."""

    def __init__(self, t, folder=None, port=0, options=()):
        self.program, self.folder, self.port = program(), folder or t.folder, port
        self.socket, self.options = self.folder / "server", list(options)
        t.at_end(self.stop)
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [self.program, "--port", str(self.port), "--unixsocket", str(self.socket), "--dir", str(self.folder), "--save", "",
             "--appendonly", "no", *self.options], stdout=subprocess.DEVNULL)
        wait_for(lambda: listens_at(self.socket), "the server")

    def ask(self, *words):
        client = pathlib.Path(self.program).with_name("valkey-cli" if "valkey" in self.program else "redis-cli")
        r = subprocess.run([client, "-s", self.socket, *map(str, words)], capture_output=True, text=True, timeout=LIMIT)
        return r.stdout.strip()

    def spent(self):
        """Commands that records cost so far (what scripts call is in their own), bytes to and fro,
        and processor seconds."""
        calls = 0
        for line in self.ask("INFO", "commandstats").splitlines():
            name, _, rest = line.partition(":")
            if name in ("cmdstat_mget", "cmdstat_evalsha"):
                calls += int(rest.split(",")[0].split("=")[1])
        moved = self.figure("stats", "total_net_input_bytes") + self.figure("stats", "total_net_output_bytes")
        return calls, moved, processor_seconds(self.process.pid)

    def figure(self, section, name):
        return next(int(line.split(":")[1]) for line in self.ask("INFO", section).splitlines() if line.startswith(name + ":"))

    def memory_per_record(self):
        return self.figure("memory", "used_memory") / int(self.ask("DBSIZE"))

    def stop(self):
        self.process.kill()
        self.process.wait()


def cluster(t, count):
    """So many primaries without replicas, which share the slots evenly."""
    servers = []
    for i in range(count):
        folder = t.folder / f"cluster{count}-{i}"
        folder.mkdir()
        options = ("--bind", "127.0.0.1", "--cluster-enabled", "yes", "--cluster-port", str(bus := free_port()),
                   "--cluster-node-timeout", "2000")
        servers.append(Server(t, folder, free_port(), options))
        servers[-1].bus = bus
    bounds = [16384 * i // count for i in range(count + 1)]
    for i, s in enumerate(servers):
        s.ask("CLUSTER", "ADDSLOTSRANGE", bounds[i], bounds[i + 1] - 1)
        for other in servers[:i]:
            s.ask("CLUSTER", "MEET", "127.0.0.1", other.port, other.bus)
    for s in servers:
        wait_for(lambda: "cluster_state:ok" in s.ask("CLUSTER", "INFO") and
                 f"cluster_known_nodes:{count}" in s.ask("CLUSTER", "INFO"), "the cluster")
    return servers
