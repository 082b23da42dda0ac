"""A real Postfix for the tests: Debian's package, unpacked into a cache folder
beside the tree (nothing is installed), run from there on 127.0.0.1."""
import os
import pathlib
import shutil
import signal
import subprocess
import time

from harness import LIMIT, Failure, Skip, free_port, wait_for
from mta import unpack

QUEUES = "incoming active deferred defer bounce hold corrupt flush saved trace private maildrop public pid".split()

MAIN = """
compatibility_level = 3.6
queue_directory = {spool}
data_directory = {data}
command_directory = {root}/usr/sbin
daemon_directory = {root}/usr/lib/postfix/sbin
shlib_directory = {root}/usr/lib/postfix
meta_directory = {conf}
sendmail_path = {root}/usr/sbin/sendmail
newaliases_path = {root}/usr/bin/newaliases
mailq_path = {root}/usr/bin/mailq
mail_owner = mail
setgid_group = games
# master wipes the environment; without this its programs miss their libraries
import_environment = MAIL_CONFIG MAIL_LOGTAG TZ LANG=C POSTLOG_SERVICE POSTLOG_HOSTNAME LD_LIBRARY_PATH
maillog_file = {log}
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = all
myhostname = mx.test
mynetworks =
alias_maps =
alias_database =
local_recipient_maps =
mydestination =
relay_domains = example.net
relay_recipient_maps =
default_transport = discard:
relay_transport = discard:
local_transport = discard:
smtpd_authorized_xclient_hosts = 127.0.0.1
smtpd_client_connection_rate_limit = 0
smtpd_client_connection_count_limit = 0
smtpd_peername_lookup = no
"""

MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
anvil     unix  - - n - 1 anvil
discard   unix  - - n - - discard
hold      unix  - - n - - discard
proxymap  unix  - - n - - proxymap
tlsmgr    unix  - - n 1000? 1 tlsmgr
postlog   unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """main: more lines for main.cf; policy: the check_policy_service argument."""

    def __init__(self, folder, policy, main="", after="", sasl=None):
        if os.geteuid() != 0:
            raise Skip("Postfix's master needs root")
        self.root = unpack("postfix", ["postfix"])
        self.folder = pathlib.Path(folder)
        self.folder.mkdir()
        self.port = free_port()
        self.log = self.folder / "mail.log"
        self.conf, self.spool, self.data = (self.folder / n for n in ("conf", "spool", "data"))
        self.env = {**os.environ, "LD_LIBRARY_PATH": str(self.root / "usr/lib/postfix")}
        self.sasl = sasl
        self.pid = None
        self.write_configuration(policy, main, after)

    def write_configuration(self, policy, main, after):
        for path in (self.conf, self.spool, self.data):
            path.mkdir(exist_ok=True)
        names = dict(root=self.root, conf=self.conf, spool=self.spool, data=self.data, log=self.log,
                     folder=self.folder, port=self.port)
        check = f", check_policy_service {policy}" if policy else ""
        restrictions = (f"smtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination"
                        f"{check}{', ' + after if after else ''}\n")
        (self.conf / "main.cf").write_text(MAIN.format(**names) + restrictions + main + "\n")
        (self.conf / "master.cf").write_text(MASTER.format(**names))
        (self.conf / "dynamicmaps.cf").write_text("")
        for name in ("postfix-files", "post-install", "postfix-script"):
            shutil.copy(self.root / "etc/postfix" / name, self.conf)

    def start(self):
        self.folder.chmod(0o755)
        for part in self.folder.parents:
            if part.owner() == "root" and part != pathlib.Path("/") and part.name.startswith("greylag-test-"):
                part.chmod(0o755)
        shutil.chown(self.data, "mail")
        for name in QUEUES:
            path = self.spool / name
            path.mkdir(exist_ok=True)
            shutil.chown(path, "root" if name == "pid" else "mail")
        for name, mode in (("public", 0o710), ("private", 0o700), ("maildrop", 0o730)):
            (self.spool / name).chmod(mode)
        for name in ("public", "maildrop"):
            shutil.chown(self.spool / name, group="games")
        r = subprocess.run([self.root / "usr/lib/postfix/sbin/master", "-c", self.conf, "-w"], env=self.env,
                           stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT)
        if r.returncode:
            raise Failure(f"postfix: {r.stderr} {self.logged()}")
        self.pid = int((self.spool / "pid/master.pid").read_text())
        # Listening shows in the socket table; connecting to look would be an attempt.
        needle = f"0100007F:{self.port:04X} 00000000:0000 0A"
        wait_for(lambda: needle in pathlib.Path("/proc/net/tcp").read_text(), "postfix to listen")
        return self

    def logged(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def stop(self):
        if self.pid is None:
            return
        pid, self.pid = self.pid, None
        try:
            os.kill(pid, signal.SIGTERM)
            for _ in range(100):
                os.kill(pid, 0)
                time.sleep(0.05)
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
