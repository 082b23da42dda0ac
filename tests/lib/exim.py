"""A real Exim for the tests: Debian's package, unpacked into a cache folder beside
the tree (nothing is installed), run from there on 127.0.0.1.

The account Debian-exim and Debian's paths are compiled in. So Exim gets, in a mount
namespace, an /etc and a /var of its own."""
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
dns_retrans = {patience}s
dns_retry = 1
tls_advertise_hosts = {tls}
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

{acl}
acl_rcpt:
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

DEBCONF = """
dc_eximconfig_configtype='internet'
dc_other_hostnames='example.net'
dc_local_interfaces='127.0.0.1'
dc_readhost=''
dc_relay_domains=''
dc_minimaldns='false'
dc_relay_nets='198.51.100.0/24'
dc_smarthost=''
CFILEMODE='644'
dc_use_split_config='{split}'
dc_hide_mailname=''
dc_mailname_in_oh='true'
dc_localdelivery='mail_spool'
"""

DEBIAN_SETTINGS = """
MAIN_HARDCODE_PRIMARY_HOSTNAME = mx.test
hosts_proxy = 127.0.0.1
MAIN_KEEP_ENVIRONMENT = LD_LIBRARY_PATH
queue_only = true
dns_retrans = 1s
dns_retry = 1
"""


class Exim:
    """settings: macros and options ahead of the shipped macros; acl: more ACLs;
    data: the option that names the ACL at DATA; nameserver: its address;
    patience: seconds that it has; tls: to whom TLS is offered."""

    owner = "mail"

    def __init__(self, folder, macros, statements, settings="", acl="", data="acl_smtp_data", nameserver="127.0.0.1",
                 tls="", patience=1):
        if os.geteuid() != 0:
            raise Skip("Exim's daemon needs root")
        self.root = unpack("exim", PACKAGES)
        self.folder, self.nameserver, self.patience = pathlib.Path(folder), nameserver, patience
        self.etc, self.var = self.folder / "etc", self.folder / "var"
        self.spool, self.logs, self.conf = self.var / "spool/exim4", self.var / "log/exim4", self.folder / "exim.conf"
        for path in (self.etc, self.spool, self.logs, self.var / "lib/exim4", self.var / "mail"):
            path.mkdir(parents=True)
        self.port, self.process = free_port(), None
        self.env = {**os.environ, "LD_LIBRARY_PATH": ":".join(str(self.root / part) for part in LIBRARIES)}
        self.write_etc()
        self.write_configuration(macros, statements, settings, acl, data, tls)

    def write_etc(self):
        for name in "nsswitch.conf", "hosts", "services", "protocols":
            if pathlib.Path("/etc", name).exists():
                shutil.copy(pathlib.Path("/etc", name), self.etc)
        (self.etc / "passwd").write_text(pathlib.Path("/etc/passwd").read_text() +
                                         "Debian-exim:x:6903:6903::/:/bin/false\nbob:x:6904:8::/:/bin/false\n")
        (self.etc / "group").write_text(pathlib.Path("/etc/group").read_text() + "Debian-exim:x:6903:\n")
        (self.etc / "alternatives").symlink_to(self.folder / "alternatives")
        shutil.copytree("/etc/alternatives", self.folder / "alternatives", symlinks=True)
        (self.etc / "resolv.conf").write_text(f"nameserver {self.nameserver}\noptions attempts:1 timeout:{self.patience}\n")

    def write_configuration(self, macros, statements, settings, acl, data, tls):
        self.conf.write_text(MAIN.format(
            root=self.root, spool=self.spool, log=self.logs, port=self.port, macros=macros, statements=statements,
            settings=settings, acl=acl, tls=tls, patience=self.patience, acls=f"{data} = acl_data"))

    def inside(self, *words):
        """The command line that runs a program in this Exim's view of /etc and /var."""
        return ["unshare", "-m", "sh", "-c", f'mount --bind {self.var} /var && mount --bind {self.etc} /etc && exec "$@"',
                "sh", *map(str, words)]

    def command(self, *words):
        return self.inside(self.root / "usr/sbin/exim4", "-C", self.conf, *words)

    def run(self, *words, **more):
        """One run of Exim in the foreground."""
        return subprocess.run(self.command(*words), env=self.env, capture_output=True, text=True, timeout=LIMIT, **more)

    def start(self):
        for path in (self.folder, *self.folder.parents):
            if path.name.startswith("greylag-test-") or path == self.folder:
                path.chmod(0o755)
        for path in (self.spool, self.logs):
            shutil.chown(path, self.owner, self.owner)
        self.process = subprocess.Popen(self.command("-bdf", "-oX", str(self.port)), env=self.env, stdin=subprocess.DEVNULL,
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
        """The header lines of the messages that were accepted, oldest first. In a queue file
        they follow the envelope and an empty line. Files of the same tick are told apart by their names."""
        files = sorted((self.spool / "input").glob("**/*-H"), key=lambda p: (p.stat().st_mtime_ns, p.name))
        return [p.read_text(errors="replace").split("\n\n", 1)[1] for p in files]

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


class DebianExim(Exim):
    """With the configuration that Debian's update-exim4.conf makes, split or not."""

    owner = 6903

    def __init__(self, folder, split, **more):
        self.split = split
        super().__init__(folder, None, None, **more)

    def write_configuration(self, macros, statements, settings, acl, data, tls):
        """settings: what an administrator would add to conf.d/main or to exim4.conf.localmacros."""
        shutil.copytree(self.root / "etc/exim4", self.etc / "exim4")
        (self.etc / "mailname").write_text("example.net\n")
        (self.etc / "aliases").touch()
        (self.etc / "exim4/update-exim4.conf.conf").write_text(DEBCONF.format(split=str(self.split).lower()))
        where = "conf.d/main/000_localmacros" if self.split else "exim4.conf.localmacros"
        (self.etc / "exim4" / where).write_text(f"{DEBIAN_SETTINGS}{settings}\n")

    def update(self):
        """Debian's own script makes the configuration, and Exim reads it."""
        self.conf = pathlib.Path("/var/lib/exim4/config.autogenerated")
        r = subprocess.run(self.inside("sh", self.root / "usr/sbin/update-exim4.conf"), env=self.env,
                           capture_output=True, text=True, timeout=LIMIT)
        check(r.returncode == 0, f"update-exim4.conf: {r.stdout}{r.stderr}")
        r = self.run("-bV")
        check(r.returncode == 0 and f"Configuration file is {self.conf}" in r.stdout, f"exim -bV: {r.stdout}{r.stderr}")
        return self


class Session(Client):
    """An SMTP session that, by the PROXY protocol, comes from an address of one's choice,
    or really from one in 127.0.0.0/8 other than 127.0.0.1."""

    def __init__(self, exim, address="192.0.2.1", helo="mx.example.org"):
        self.claimed = address
        super().__init__(exim.port, helo)

    def _get_socket(self, host, port, timeout):
        if self.claimed.startswith("127."):
            return socket.create_connection((host, port), timeout, (self.claimed, 0))
        s = socket.create_connection((host, port), timeout)
        family = "TCP6" if ":" in self.claimed else "TCP4"
        s.sendall(f"PROXY {family} {self.claimed} {'::1' if ':' in self.claimed else '127.0.0.1'} 4242 {port}\r\n".encode())
        return s
