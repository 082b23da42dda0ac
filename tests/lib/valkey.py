"""A Valkey or Redis server that several greylagds share."""
import shutil
import subprocess

from harness import Skip, wait_for


class Server:
    """A Redis or Valkey server on a socket of its own."""

    def __init__(self, t):
        program = shutil.which("valkey-server") or shutil.which("redis-server")
        if not program:
            raise Skip("no valkey-server or redis-server here")
        self.program, self.folder, self.socket = program, t.folder, t.folder / "server"
        t.at_end(self.stop)
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [self.program, "--port", "0", "--unixsocket", str(self.socket), "--dir", str(self.folder), "--save", "",
             "--appendonly", "no"], stdout=subprocess.DEVNULL)
        wait_for(self.socket.exists, "the server")

    def stop(self):
        self.process.kill()
        self.process.wait()
