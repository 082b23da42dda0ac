"""A real Sendmail for the tests: Debian's package, unpacked into the cache, run in
a namespace of its own (it sleeps a minute where the host's name has no dot). However busy
the machine is, mail is taken and delivered."""
import os
import pathlib
import shutil
import signal
import subprocess

from harness import LIMIT, Failure, Skip, free_port, wait_for
from mta import unpack

PACKAGES = ["sendmail-bin", "sendmail-base", "sendmail-cf", "liblockfile-bin", "liblockfile1", "lockfile-progs", "libwrap0"]

MC = """divert(0)dnl
OSTYPE(`linux')dnl
define(`confPID_FILE', `{folder}/pid')dnl
define(`QUEUE_DIR', `{folder}/q')dnl
define(`STATUS_FILE', `{folder}/st')dnl
define(`ALIAS_FILE', `{folder}/aliases')dnl
define(`HELP_FILE', `{folder}/help')dnl
define(`confDONT_BLAME_SENDMAIL', `GroupWritableDirPathSafe')dnl
define(`confCF_VERSION', `test')dnl
define(`confDOMAIN_NAME', `mx.test')dnl
define(`confDEF_USER_ID', `mail:mail')dnl
define(`confTO_IDENT', `0')dnl
define(`confQUEUE_LA', `1000')dnl
define(`confREFUSE_LA', `1000')dnl
define(`confDELIVERY_MODE', `q')dnl
define(`confBIND_OPTS', `-DNSRCH -DEFNAMES')dnl
define(`confSERVICE_SWITCH_FILE', `{folder}/switch')dnl
INPUT_MAIL_FILTER(`greylag', `S={milter}, {flags}T=C:1m;S:10s;R:20s;E:1m')dnl
{more}
FEATURE(`no_default_msa')dnl
FEATURE(`nocanonify')dnl
FEATURE(`accept_unresolvable_domains')dnl
FEATURE(`accept_unqualified_senders')dnl
DAEMON_OPTIONS(`Name=MTA, Port={port}, Addr=127.0.0.1')dnl
LOCAL_CONFIG
Cwexample.net
MAILER(`local')dnl
MAILER(`smtp')dnl
"""


class Sendmail:
    """milter: the S= part of INPUT_MAIL_FILTER; flags: "F=T, " and the like. The folder must
    not lie below one that everybody may write to: Sendmail refuses a milter's socket there.
    more: lines for the configuration; syslog: where its log goes (syslogd.Syslog)."""

    def __init__(self, folder, milter, flags="", more="", syslog=None):
        if os.geteuid() != 0:
            raise Skip("Sendmail as a daemon needs root")
        for tool in ("m4", "unshare"):
            if not shutil.which(tool):
                raise Skip(f"{tool} is not there")
        self.root = unpack("sendmail", PACKAGES)
        self.folder = pathlib.Path(folder)
        self.folder.mkdir()
        self.port = free_port()
        self.process, self.syslog = None, syslog
        (self.folder / "q").mkdir(mode=0o700)
        (self.folder / "aliases").touch()
        (self.folder / "switch").write_text("hosts files\naliases files\npasswd files\n")
        (self.folder / "hosts").write_text("127.0.0.1 localhost\n127.0.0.1 mx.test mx\n")
        # The packaged program is setgid; a copy keeps LD_LIBRARY_PATH.
        shutil.copyfile(self.root / "usr/libexec/sendmail/sendmail", self.folder / "sendmail")
        (self.folder / "sendmail").chmod(0o755)
        (self.folder / "sm.mc").write_text(MC.format(folder=self.folder, milter=milter, flags=flags, more=more, port=self.port))
        cf = self.root / "usr/share/sendmail/cf"
        made = subprocess.run(["m4", f"-D_CF_DIR_={cf}/", cf / "m4/cf.m4", self.folder / "sm.mc"],
                              capture_output=True, text=True, check=True, timeout=LIMIT)
        (self.folder / "sm.cf").write_text(made.stdout)

    def start(self):
        libraries = f"{self.root}/usr/lib/x86_64-linux-gnu:{self.root}/lib/x86_64-linux-gnu"
        device = f"mount --bind {self.syslog.device} /dev; " if self.syslog else ""
        script = (f"hostname mx.test; mount --bind {self.folder}/hosts /etc/hosts; {device}"
                  f"exec {self.folder}/sendmail -C {self.folder}/sm.cf -bD")
        self.process = subprocess.Popen(
            ["unshare", "-um", "sh", "-c", script], stdin=subprocess.DEVNULL, start_new_session=True,
            stdout=open(self.folder / "out", "wb"), stderr=subprocess.STDOUT,
            env={**os.environ, "LD_LIBRARY_PATH": libraries})
        needle = f"0100007F:{self.port:04X} 00000000:0000 0A"

        def listens():
            if self.process.poll() is not None:
                raise Failure(f"sendmail ended: {self.logged()}")
            return needle in pathlib.Path("/proc/net/tcp").read_text()
        wait_for(listens, "sendmail to listen")
        return self

    def queued(self):
        """The texts of the queue's qf files, where a message's header is."""
        return [f.read_text(errors="replace") for f in sorted((self.folder / "q").glob("qf*"))]

    def logged(self):
        return (self.folder / "out").read_text(errors="replace")

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
