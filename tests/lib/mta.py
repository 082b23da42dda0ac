"""What the tests with real mail servers share: Debian's packages, unpacked into a
cache folder beside the tree (nothing is installed), and an SMTP client."""
import fcntl
import pathlib
import re
import shutil
import signal
import smtplib
import ssl
import subprocess
import time

from harness import LIMIT, Failure, Skip, equal, wait_for

CACHE = pathlib.Path(__file__).resolve().parents[2] / ".cache" / "mta"


def unpack(name, packages):
    """The packages' files below CACHE/name, fetched once."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)    # tests run beside each other
        return unpack_once(name, packages)


def unpack_once(name, packages):
    root = CACHE / name
    if (root / ".complete").exists():
        return root
    debs = CACHE / "debs" / name
    shutil.rmtree(debs, ignore_errors=True)
    shutil.rmtree(root, ignore_errors=True)
    debs.mkdir(parents=True)
    root.mkdir(parents=True)
    r = subprocess.run(["apt-get", "-qq", "download", *packages], cwd=debs, capture_output=True, text=True)
    if r.returncode:
        subprocess.run(["apt-get", "-qq", "update"], capture_output=True)
        r = subprocess.run(["apt-get", "-qq", "download", *packages], cwd=debs, capture_output=True, text=True)
    if r.returncode:
        raise Failure(f"cannot fetch {packages}: {r.stderr}")
    for deb in debs.glob("*.deb"):
        subprocess.run(["dpkg", "-x", deb, root], check=True)
    (root / ".complete").touch()
    return root


class Client(smtplib.SMTP):
    """A real SMTP client that keeps each reply: client.mail(), .rcpt(), .data()
    of smtplib, and attempt() for a whole message."""

    def __init__(self, port, helo="mx.example.org", host="127.0.0.1"):
        super().__init__(host, port, local_hostname=helo, timeout=LIMIT)
        self.ehlo(helo)

    def attempt(self, sender, recipients, text="Subject: x\r\n\r\nhello\r\n"):
        """(replies to RCPT, reply to DATA or the end of the message, or None): codes and texts."""
        code, answer = self.mail(sender)
        if code != 250:
            return [(code, answer.decode())] * len(recipients), None
        replies = [(code, answer.decode()) for code, answer in (self.rcpt(r) for r in recipients)]
        end = None
        if any(code == 250 for code, _ in replies):
            try:
                code, answer = self.data(text)
            except smtplib.SMTPDataError as error:
                code, answer = error.smtp_code, error.smtp_error
            end = code, answer.decode()
        else:
            self.rset()
        return replies, end


def attempt(port, sender, recipients, **more):
    """One message in a session of its own."""
    with Client(port, **more) as client:
        return client.attempt(sender, recipients)


class Session:
    """An SMTP session that claims, by XCLIENT, to come from somewhere else."""

    def __init__(self, postfix, address="192.0.2.77", name="[UNAVAILABLE]", helo="mx.example.org", login=None):
        self.smtp = smtplib.SMTP("127.0.0.1", postfix.port, local_hostname="localhost", timeout=LIMIT)
        self.smtp.ehlo(helo)
        if ":" in address:
            address = "IPv6:" + address
        attributes = f"ADDR={address} NAME={name} REVERSE_NAME={name} HELO={helo}"
        if login:
            attributes += f" LOGIN={login}"
        code, text = self.smtp.docmd("XCLIENT", attributes)
        equal(code, 220, f"XCLIENT {text}")
        self.smtp.ehlo(helo)

    def mail(self, sender, *recipients):
        """MAIL, the RCPTs, and DATA when one was taken: (replies to RCPT, reply to DATA and the message)."""
        code, text = self.smtp.mail(sender)
        equal(code, 250, f"MAIL {text}")
        replies = [self.smtp.rcpt(r) for r in recipients]
        end = None
        if any(code == 250 for code, _ in replies):
            code, text = self.smtp.docmd("DATA")
            end = (code, text)
            if code == 354:
                self.smtp.send(b"Subject: test\r\n\r\nhello\r\n.\r\n")
                end = self.smtp.getreply()
        else:
            self.smtp.rset()
        return replies, end

    def close(self):
        self.smtp.close()


def send(postfix, sender, *recipients, **how):
    session = Session(postfix, **how)
    try:
        return session.mail(sender, *recipients)
    finally:
        session.close()


def shorten_delay(d, seconds):
    """Sets the configuration's delay and waits for so long: what was too early, however long that took, no more is."""
    d.config_file.write_text(re.sub(r"greylist delay \S+", f"greylist delay {seconds}s", d.config_file.read_text()))
    before = d.logged().count("configuration reloaded")
    d.send_signal(signal.SIGHUP)
    wait_for(lambda: d.logged().count("configuration reloaded") > before, "the reload")
    time.sleep(seconds + 0.2)


def certificate(folder):
    """(certificate, key): files for a server of one test."""
    if not shutil.which("openssl"):
        raise Skip("needs openssl")
    cert, key = folder / "tls.pem", folder / "tls.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=mx.test",
                    "-keyout", key, "-out", cert], check=True, capture_output=True)
    key.chmod(0o600)
    return cert, key


# A door that does not tell whether there is TLS has its mail deferred.
TLS_RULES = "allow tls yes\nblock tls no\n"


def judged_by_tls(connect, recipient="bob@example.net"):
    """Mail that comes by TLS passes, other mail is rejected; connect makes a Client."""
    with connect() as client:
        replies, _ = client.attempt("alice@example.org", [recipient])
        equal(replies[0][0], 550, f"without TLS: {replies}")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with connect() as client:
        equal(client.starttls(context=context)[0], 220, "STARTTLS")
        client.ehlo("mx.example.org")
        replies, end = client.attempt("alice@example.org", [recipient])
        equal((replies[0][0], end and end[0]), (250, 250), f"with TLS: {replies} {end}")
