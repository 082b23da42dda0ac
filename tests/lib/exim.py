"""A real Exim for the tests: Debian's package, unpacked into a cache folder beside
the tree (nothing is installed), run from there on 127.0.0.1.

The account Debian-exim is compiled in; where it does not exist, Exim gets a view of
/etc of its own, in a mount namespace, that has it. There the resolver asks nobody."""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

from harness import LIMIT, Failure, Skip, check, free_port, wait_for
from mta import Client, unpack

PACKAGES = ("exim4-daemon-heavy exim4-base exim4-config libidn12 libspf2-2 libmariadb3 libpq5 libsasl2-2 "
            "libldap-2.5-0 libopendmarc2 libnsl2 libperl5.36").split()
LIBRARIES = "usr/lib/x86_64-linux-gnu", "usr/lib"

MAIN = """
exim_user = mail
exim_group = mail
exim_path = {root}/usr/sbin/exim4
spool_directory = {spool}
log_file_path = {log}/%slog
pid_file_path = {spool}/exim.pid
primary_hostname = mx.test
local_interfaces = <; 127.0.0.1
daemon_smtp_ports = {port}
hosts_proxy = 127.0.0.1
host_lookup =
host_lookup_order = bydns
dns_retrans = 1s
dns_retry = 1
tls_advertise_hosts =
smtputf8_advertise_hosts = *
auth_advertise_hosts = *
rfc1413_query_timeout = 0s
keep_environment = LD_LIBRARY_PATH
queue_only = true
smtp_accept_max = 0
domainlist local_domains = example.net
hostlist relay_from_hosts = 198.51.100.0/24
acl_smtp_rcpt = acl_rcpt
{acls}
{settings}
.include {macros}

begin acl

acl_rcpt:
  {rcpt}
  require
    domains = +local_domains
    verify = recipient
  .include {statements}
  accept

acl_data:
  .include {statements}
  accept

begin routers

all:
  driver = redirect
  local_part_suffix = +*
  local_part_suffix_optional
  data = :blackhole:

begin authenticators

plain:
  driver = plaintext
  public_name = PLAIN
  server_condition = ${{if and{{{{eq{{$auth2}}{{tester}}}}{{eq{{$auth3}}{{secret}}}}}}}}
  server_set_id = $auth2
"""


class Exim:
    """settings: macros and options ahead of the shipped macros; rcpt: statements
    ahead of the shipped ones; data: the option that names the ACL at DATA."""

    def __init__(self, folder, macros, statements, settings="", rcpt="", data="acl_smtp_data"):
        if os.geteuid() != 0:
            raise Skip("Exim's daemon needs root")
        self.root = unpack("exim", PACKAGES)
        self.folder = pathlib.Path(folder)
        self.spool, self.logs, self.etc = (self.folder / n for n in ("spool", "log", "etc"))
        for path in (self.folder, self.spool, self.logs, self.etc):
            path.mkdir(exist_ok=True)
        self.port, self.process = free_port(), None
        self.env = {**os.environ, "LD_LIBRARY_PATH": ":".join(str(self.root / part) for part in LIBRARIES)}
        self.conf = self.folder / "exim.conf"
        self.conf.write_text(MAIN.format(
            root=self.root, spool=self.spool, log=self.logs, port=self.port, macros=macros, statements=statements,
            settings=settings, rcpt=rcpt, acls=f"{data} = acl_data"))
        self.write_etc()

    def write_etc(self):
        """Copies of files in /etc with what Exim wants to find there."""
        (self.etc / "resolv.conf").write_text("nameserver 127.0.0.1\noptions attempts:1 timeout:1\n")
        for name, line in ("passwd", "Debian-exim:x:6903:6903::/nonexistent:/usr/sbin/nologin"), ("group", "Debian-exim:x:6903:"):
            text = pathlib.Path("/etc", name).read_text()
            (self.etc / name).write_text(text if "Debian-exim:" in text else f"{text.rstrip()}\n{line}\n")
        for path in self.etc.iterdir():
            path.chmod(0o644)

    def command(self, *words):
        """The command line that runs Exim in its own view of /etc."""
        mounts = "".join(f"mount --bind {self.etc}/{n} $(readlink -f /etc/{n}) && " for n in ("passwd", "group", "resolv.conf"))
        return ["unshare", "-m", "sh", "-c", f'{mounts} exec "$@"', "sh", str(self.root / "usr/sbin/exim4"), *words]

    def run(self, *words, conf=None, **more):
        """One run of Exim in the foreground."""
        return subprocess.run(self.command("-C", str(conf or self.conf), *words), env=self.env, capture_output=True,
                              text=True, timeout=LIMIT, **more)

    def start(self):
        for path in (self.folder, *self.folder.parents):
            if path.name.startswith("greylag-test-") or path == self.folder:
                path.chmod(0o755)
        for path in (self.spool, self.logs):
            shutil.chown(path, "mail", "mail")
        self.process = subprocess.Popen(self.command("-C", str(self.conf), "-bdf"), env=self.env, stdin=subprocess.DEVNULL,
                                        stdout=open(self.folder / "stdout", "ab"), stderr=subprocess.STDOUT,
                                        start_new_session=True)
        # Listening shows in the socket table; connecting to look would be a session.
        needle = f"0100007F:{self.port:04X} 00000000:0000 0A"
        wait_for(lambda: self.alive() and needle in pathlib.Path("/proc/net/tcp").read_text(), "exim to listen")
        return self

    def alive(self):
        if self.process.poll() is not None:
            raise Failure(f"exim ended: {(self.folder / 'stdout').read_text()} {self.logged()}")
        return True

    def logged(self, which="main"):
        path = self.logs / f"{which}log"
        return path.read_text(errors="replace") if path.exists() else ""

    def queued(self):
        """The header parts of the queue files of the messages that were accepted, oldest first."""
        files = sorted((self.spool / "input").glob("**/*-H"), key=lambda p: p.stat().st_mtime_ns)
        return [p.read_text(errors="replace") for p in files]

    def stop(self):
        """Stops the daemon and the sessions that it still holds: all are of one process session."""
        if self.process is None:
            return
        process, self.process = self.process, None
        for number in signal.SIGTERM, signal.SIGKILL:
            try:
                os.killpg(process.pid, number)
            except ProcessLookupError:
                pass
            if number == signal.SIGTERM:
                time.sleep(0.1)
        process.wait(LIMIT)


class Session(Client):
    """An SMTP session that, by the PROXY protocol, comes from an address of one's choice."""

    def __init__(self, exim, address="192.0.2.1", helo="mx.example.org"):
        self.claimed = address
        super().__init__(exim.port, helo)

    def _get_socket(self, host, port, timeout):
        s = socket.create_connection((host, port), timeout)
        family = "TCP6" if ":" in self.claimed else "TCP4"
        s.sendall(f"PROXY {family} {self.claimed} {'::1' if ':' in self.claimed else '127.0.0.1'} 4242 {port}\r\n".encode())
        return s
