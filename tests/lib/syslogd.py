"""The place of syslogd, for mail servers that run in a mount namespace of their own:
a folder to mount over /dev, and the lines as they would be in /var/log/mail.log."""
import os
import pathlib
import re
import socket
import stat
import threading

DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9)}


class Syslog:
    def __init__(self, folder, host="mx"):
        self.device, self.host, self.got = pathlib.Path(folder), host, []
        self.device.mkdir()
        self.device.chmod(0o755)
        for name, number in DEVICES.items():
            os.mknod(self.device / name, 0o666 | stat.S_IFCHR, os.makedev(*number))
            (self.device / name).chmod(0o666)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.device / "log"))
        (self.device / "log").chmod(0o666)
        threading.Thread(target=self.receive, daemon=True).start()

    def receive(self):
        while True:
            try:
                data = self.socket.recv(65536)
            except OSError:
                return
            if not data:
                return
            self.got.append(data)

    def lines(self):
        """"<22>Nov 21 10:00:00 sendmail[1]: text" with the host in the priority's place."""
        texts = [d.decode(errors="replace").rstrip("\0\n") for d in list(self.got)]
        return [re.sub(r"^<\d+>(.{15}) ", rf"\1 {self.host} ", text) for text in texts]

    def close(self):
        """Wakes the reader, too: closing alone does not."""
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
