"""A greylag-web of one's own, and plain HTTP to it."""
import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess

from harness import LIMIT, Failure, free_port, peak_kb, stop_process, wait_for

TOKEN = "a-token-for-tests-0123456789"


class Answer:
    def __init__(self, response):
        self.status, self.headers, self.body = response.status, response.headers, response.read()
        self.text = self.body.decode(errors="replace")

    def json(self):
        return json.loads(self.body)


class Web:
    def __init__(self, binary, folder, control, *options, token=None, port=None):
        self.folder, self.port = pathlib.Path(folder), port or free_port()
        self.log = self.folder / f"web-{self.port}"
        words = [str(binary), "--listen", f"127.0.0.1:{self.port}", "--control", str(control), *options]
        if token:
            file = self.folder / f"token-{self.port}"
            file.write_text(token + "\n")
            os.chmod(file, 0o600)
            words += ["--token-file", str(file)]
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=open(self.log, "ab"))
        self.url = f"http://127.0.0.1:{self.port}/"
        wait_for(self.listens, f"greylag-web ({self.tail()})")

    def listens(self):
        if self.process.poll() is not None:
            raise Failure(f"greylag-web ended with {self.process.returncode}: {self.tail()}")
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        except OSError:
            return False

    def tail(self):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:]) if self.log.exists() else ""

    def ask(self, path="/", method="GET", body=None, limit=LIMIT, **headers):
        """headers: X_Y for X-Y; None leaves Host out."""
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=limit)
        try:
            names = {name.replace("_", "-"): value for name, value in headers.items()}
            host = names.pop("Host", f"127.0.0.1:{self.port}")
            c.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            if host is not None:
                c.putheader("Host", host)
            if isinstance(body, dict):
                body = json.dumps(body)
                names.setdefault("Content-Type", "application/json")
            if body is not None:
                body = body.encode() if isinstance(body, str) else body
                names.setdefault("Content-Length", str(len(body)))
            for name, value in names.items():
                if value is not None:
                    c.putheader(name, value)
            c.endheaders(body)
            return Answer(c.getresponse())
        finally:
            c.close()

    def login(self, token=TOKEN):
        """The cookie and the CSRF token of a new session."""
        r = self.ask("/login", "POST", f"token={token}", Content_Type="application/x-www-form-urlencoded")
        if r.status != 303:
            raise Failure(f"no login: {r.status} {r.text}")
        cookie = r.headers["Set-Cookie"].split(";")[0]
        return cookie, self.ask("/api/state", Cookie=cookie).json()["csrf"]

    def send_raw(self, data, limit=LIMIT):
        """All that comes back for these bytes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=limit) as s:
            out = b""
            try:
                s.sendall(data)
                s.shutdown(socket.SHUT_WR)
                while chunk := s.recv(65536):
                    out += chunk
            except (ConnectionError, OSError):
                pass
            return out

    def resident_kb(self):
        return peak_kb(self.process)

    def stop(self, number=signal.SIGTERM):
        return stop_process(self.process, "greylag-web", number)
