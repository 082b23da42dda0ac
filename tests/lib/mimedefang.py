"""A real MIMEDefang for the tests: Debian's packages, unpacked into a cache folder
beside the tree (nothing is installed), with a filter of the test's own."""
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

from harness import LIMIT, Skip, equal, listens_at, wait_for
from mta import unpack

PACKAGES = ("mimedefang libconvert-binhex-perl libio-stringy-perl libtimedate-perl libmailtools-perl "
            "libmime-tools-perl libunix-syslog-perl libnet-smtp-ssl-perl libmilter1.0.1").split()
PERL = pathlib.Path(__file__).resolve().parents[2] / "perl"
USER = "mail"  # Postfix's mail_owner in these tests: the milter socket is for its owner alone


def root():
    return unpack("mimedefang", PACKAGES)


class MIMEDefang:
    """filter: the text of mimedefang-filter; options: more words for the multiplexor,
    such as "-r 1", a process for every question."""

    def __init__(self, filter, options=()):
        if os.geteuid() != 0:
            raise Skip("MIMEDefang changes its user, which needs root")
        self.root = root()
        self.options = list(options)
        self.processes = []
        # Postfix could not use a milter socket below /tmp.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="greylag-test-", dir="/run"))
        self.folder.chmod(0o755)
        self.spool, self.run = self.folder / "spool", self.folder / "run"
        for path, mode in ((self.spool, 0o750), (self.run, 0o755)):
            path.mkdir(mode)
            shutil.chown(path, USER)
        self.socket, self.multiplexor = self.run / "milter", self.run / "multiplexor"
        self.log = self.folder / "log"
        self.write_files(filter)

    def write_files(self, filter):
        script = (self.root / "usr/bin/mimedefang.pl").read_text()
        configuration = str(self.root / "etc/mail/mimedefang.pl.conf")
        script = script.replace("/etc/mail/mimedefang.pl.conf", configuration)
        (self.folder / "mimedefang.pl").write_text(script)
        (self.folder / "mimedefang.pl").chmod(0o755)
        (self.folder / "filter").write_text(filter)
        # The tree may lie where MIMEDefang's user cannot look.
        shutil.copytree(PERL / "Greylag", self.folder / "Greylag")

    def environment(self):
        libraries = next(self.root.glob("usr/lib/*/libmilter.so.*")).parent
        modules = [self.folder, self.root / "usr/share/perl5", *libraries.glob("perl5/*")]
        return {**os.environ, "PERL5LIB": ":".join(map(str, modules)), "LD_LIBRARY_PATH": str(libraries)}

    def launch(self, program, *words):
        self.processes.append(subprocess.Popen(
            [self.root / "usr/bin" / program, "-D", "-U", USER, "-z", self.spool, *words], env=self.environment(),
            stdin=subprocess.DEVNULL, stdout=open(self.log, "ab"), stderr=subprocess.STDOUT, start_new_session=True))

    def start(self):
        self.launch("mimedefang-multiplexor", "-s", self.multiplexor, "-m", "1", "-x", "4", "-l",
                    "-f", self.folder / "mimedefang.pl", "-F", self.folder / "filter", *self.options)
        wait_for(lambda: listens_at(self.multiplexor), "the multiplexor to listen")
        self.launch("mimedefang", "-m", self.multiplexor, "-p", self.socket, "-t")
        wait_for(lambda: listens_at(self.socket), f"mimedefang to listen {self.logged()}")
        return self

    def check_filter(self):
        """MIMEDefang's own view of the filter."""
        r = subprocess.run([self.folder / "mimedefang.pl", "-f", self.folder / "filter", "-test"],
                           env=self.environment(), capture_output=True, text=True, timeout=LIMIT)
        equal((r.stdout, r.stderr), (f"Filter {self.folder / 'filter'} seems syntactically correct.\n", ""))

    def logged(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def stop(self):
        for process in reversed(self.processes):
            # libmilter takes five seconds to end on SIGTERM.
            process.send_signal(signal.SIGKILL if process is self.processes[-1] else signal.SIGTERM)
            try:
                process.wait(LIMIT)
            except subprocess.TimeoutExpired:
                # The workers are in the multiplexor's session, which the test made.
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self.processes = []
        shutil.rmtree(self.folder, ignore_errors=True)
