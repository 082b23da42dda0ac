"""Mail that keeps coming while a store's server is in trouble, and a connection to that
server that misbehaves as networks do."""
import selectors
import socket
import threading
import time

from harness import LIMIT, Failure, check, request_bytes, wait_for

CONNECTIONS, RATE = 40, 400  # requests a second
ACKNOWLEDGED, PASSED = b"Greylisted new", b"action=DUNNO"


class Mail:
    """First attempts of ever new triplets. What was answered with `new` is in the store."""

    def __init__(self, where):
        self.where, self.acknowledged, self.passed, self.sent, self.slowest = where, [], 0, 0, 0.0
        self.ending, self.trouble = False, None
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            self.play()
        except Exception as why:
            self.trouble = repr(why)

    def play(self):
        selector, idle = selectors.DefaultSelector(), []
        for _ in range(CONNECTIONS):
            s = socket.socket(socket.AF_UNIX)
            s.connect(str(self.where))
            idle.append(s)
        began, asked = time.monotonic(), {}
        while asked or not self.ending:
            due = int((time.monotonic() - began) * RATE)
            while idle and not self.ending and self.sent < due:
                self.send(idle.pop(), selector, asked)
            for key, _ in selector.select(0.002):
                self.answer(key.fileobj, asked)
                selector.unregister(key.fileobj)
                idle.append(key.fileobj)
        for s in idle:
            s.close()

    def send(self, s, selector, asked):
        n = self.sent
        self.sent += 1
        asked[s] = n, time.monotonic()
        s.sendall(request_bytes(client_address=f"10.{n >> 8 & 255}.{n & 255}.1", sender=f"s{n}@example.org"))
        selector.register(s, selectors.EVENT_READ)

    def answer(self, s, asked):
        answer, (n, since) = s.recv(4096), asked.pop(s)
        self.slowest = max(self.slowest, time.monotonic() - since)
        if ACKNOWLEDGED in answer:
            self.acknowledged.append(n)
        elif answer.startswith(PASSED):
            self.passed += 1
        else:
            raise Failure(f"an odd answer: {answer!r}")

    def wait(self, count, what):
        """Until so many more were acknowledged."""
        wanted = len(self.acknowledged) + count
        wait_for(lambda: self.trouble or len(self.acknowledged) >= wanted, what)
        check(not self.trouble, f"{what}: {self.trouble}")

    def end(self):
        self.ending = True
        self.thread.join(LIMIT)
        check(not self.trouble and not self.thread.is_alive(), f"the mail: {self.trouble}")


class Proxy:
    """Between a client and a server's UNIX socket. `delay`: seconds before each piece of an answer is handed on;
    `cut_after`: bytes of answers, at which the connection ends."""

    def __init__(self, t, server):
        self.server, self.delay, self.cut_after = server, 0.0, 0
        self.socket = t.folder / "proxy"
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.socket))
        self.listener.listen(16)
        t.at_end(self.listener.close)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
                server = socket.socket(socket.AF_UNIX)
                server.connect(str(self.server))
            except OSError:
                return
            threading.Thread(target=self.pump, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self.pump, args=(server, client, True), daemon=True).start()

    def pump(self, source, target, answers):
        try:
            while data := source.recv(65536):
                if answers and self.delay:
                    time.sleep(self.delay)
                if answers and self.cut_after:
                    target.sendall(data[:self.cut_after])
                    break
                target.sendall(data)
        except OSError:
            pass
        for s in source, target:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
