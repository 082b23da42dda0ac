"""A real OpenSMTPD for the tests: Debian's package, unpacked into a cache folder
beside the tree (nothing is installed). Its paths and accounts are compiled in, so
it runs in a mount namespace of its own, in which /usr, /var, /run and the accounts
look as if it were installed; on 127.0.0.1, at a free port."""
import contextlib
import os
import pathlib
import re
import signal
import subprocess

from harness import LIMIT, Failure, Skip, free_port, wait_for
from mta import unpack

ACCOUNTS = {"opensmtpd": 6901, "opensmtpq": 6902}

CONFIG = """
filter "greylag" proc-exec "{filter}"
listen on 127.0.0.1 port {port} filter "greylag" hostname mx.test {listen}
action "keep" mda "cat >>{folder}/mail/box" virtual {{ "@" = nobody }}
match from any for domain "example.net" action "keep"
{more}
"""

# $1 package, $2 our folder, $3 configuration, $4 a /dev with a syslog or nothing. An overlay's upper layer must lie on
# another file system than an overlay, which /tmp may be part of: hence the tmpfs.
INNER = """set -eu
mount --make-rprivate /
mount -t tmpfs tmpfs "$2/layers"
mkdir "$2/layers/var" "$2/layers/work"
mount -t overlay overlay -o "lowerdir=$1/usr:/usr" /usr
mount -t overlay overlay -o "lowerdir=/var,upperdir=$2/layers/var,workdir=$2/layers/work" /var
mount -t tmpfs -o mode=755 tmpfs /run
mount --bind "$2/passwd" /etc/passwd
mount --bind "$2/group" /etc/group
mount --bind "$2/resolv.conf" /etc/resolv.conf
mkdir -p /var/lib/opensmtpd/empty /var/spool/smtpd
chmod 711 /var/lib/opensmtpd/empty /var/spool/smtpd
if [ -n "$4" ]; then
	mount --bind "$4" /dev
	exec /usr/sbin/smtpd -F -f "$3"
fi
exec /usr/sbin/smtpd -d -f "$3"
"""


class OpenSMTPD:
    """filter: the command line of the filter; listen: more words for the listen line; more: more lines;
    syslog: where its log goes (syslogd.Syslog) instead of to a file."""

    def __init__(self, folder, filter, listen="", more="", syslog=None):
        if os.geteuid() != 0:
            raise Skip("OpenSMTPD in a mount namespace needs root")
        self.root = unpack("opensmtpd", ["opensmtpd"])
        self.folder = pathlib.Path(folder)
        self.port = free_port()
        self.log = self.folder / "smtpd.log"
        self.process, self.syslog = None, syslog
        for name in ("", "layers", "mail"):
            (self.folder / name).mkdir()
        (self.folder / "mail").chmod(0o777)
        for name, line in (("passwd", "{0}:x:{1}:{1}::/var/lib/opensmtpd/empty:/usr/sbin/nologin\n"),
                           ("group", "{0}:x:{1}:\n")):
            ours = "".join(line.format(*account) for account in ACCOUNTS.items())
            (self.folder / name).write_text(pathlib.Path("/etc", name).read_text() + ours)
        # The names of its clients from /etc/hosts alone: a name server may take its time.
        (self.folder / "resolv.conf").write_text("lookup file\n")
        self.config = self.folder / "smtpd.conf"
        self.config.write_text(CONFIG.format(filter=filter, port=self.port, listen=listen, more=more,
                                             folder=self.folder))
        self.config.chmod(0o600)

    def start(self):
        # smtpd and the filter are users of their own.
        for part in (self.folder, *self.folder.parents):
            if "greylag-test-" in str(part):
                part.chmod(0o755)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                ["unshare", "-m", "sh", "-c", INNER, "sh", self.root, self.folder, self.config,
                 self.syslog.device if self.syslog else ""],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        # Listening shows in the socket table; connecting to look would be an attempt.
        needle = f"0100007F:{self.port:04X} 00000000:0000 0A"
        wait_for(lambda: needle in pathlib.Path("/proc/net/tcp").read_text() or self.check_alive(), "smtpd to listen")
        return self

    def check_alive(self):
        if self.process.poll() is not None:
            raise Failure(f"smtpd ended with {self.process.returncode}: {self.logged()}")

    def alive(self):
        return self.process.poll() is None

    def filter_pid(self):
        """Of the filter's process, a descendant of smtpd."""
        family = [self.process.pid]
        for pid in family:
            with contextlib.suppress(OSError):  # what delivers a mail comes and goes
                if "greylag" in pathlib.Path(f"/proc/{pid}/comm").read_text():
                    return pid
                for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
                    family += [int(child) for child in task.read_text().split()]
        raise Failure(f"no filter below smtpd: {self.logged()}")

    def logged(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def delivered(self):
        """What was delivered so far, as text."""
        box = self.folder / "mail/box"
        return box.read_text(errors="replace") if box.exists() else ""

    def wait_delivered(self, word):
        """The headers that the delivered message with this word in it has above its own."""
        wait_for(lambda: word in self.delivered(), f"delivery of {word} ({self.logged()[-600:]})")
        return re.findall(r"^X-Greylist: .*$", self.delivered(), re.M)

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            raise Failure("smtpd did not stop on its signal")
