"""A quick client, the generator of tests/bench, and clocks that are off."""
import pathlib
import re
import shutil
import subprocess

from harness import Failure, Skip, equal

LIMIT = 600
LIBRARY = "/usr/lib/*/faketime/libfaketimeMT.so.1"


class Clock:
    """The wall clock of one daemon; its monotonic clock is the machine's. It does not
    go together with sanitizers."""

    def __init__(self, ahead=0):
        found = list(pathlib.Path("/").glob(LIBRARY[1:]))
        if not found:
            raise Skip("needs libfaketime")
        self.library, self.ahead, self.file = found[0], ahead, None

    def env(self, folder):
        """For a daemon with this folder, from where it may still read when it has confined itself."""
        self.file = folder / "clock"
        self.move(0)
        return {"LD_PRELOAD": str(self.library), "FAKETIME_TIMESTAMP_FILE": str(self.file), "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_FORCE_MONOTONIC_FIX": "0"}

    def move(self, seconds):
        self.ahead += seconds
        new = self.file.with_suffix(".new")
        new.write_text(f"{self.ahead:+d}\n")
        new.rename(self.file)


def daemon(t, clock, config, store, **more):
    """A greylagd with that clock."""
    folder = t.folder / f"d{len(t.daemons)}"
    folder.mkdir()
    return t.daemon(config, store, folder=folder.name, env=clock.env(folder), **more)


def generator(folder):
    program, source = folder / "policybench", pathlib.Path(__file__).resolve().parents[1] / "bench" / "policybench.c"
    if not shutil.which("cc"):
        raise Skip("needs a C compiler")
    subprocess.run(["cc", "-O2", "-o", program, source], check=True)
    return program


def storm(program, sockets, requests, pool, connections=100, first=1 << 40):
    """Sends so many requests to each socket, to all at once and about the same triplets. Each
    must be answered. Returns how often each action was answered."""
    running = [subprocess.Popen([program, "-s", f"unix:{s}", "-c", str(connections), "-n", str(requests), "-k", str(pool),
                                 "-f", "0", "-o", str(first)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
               for s in sockets]
    actions = {}
    try:
        for p in running:
            out, complaint = p.communicate(timeout=LIMIT)
            if p.returncode:
                raise Failure(f"the generator: {complaint}")
            for name, count in re.findall(r" ([A-Z_?]+)=(\d+)", out):
                actions[name] = actions.get(name, 0) + int(count)
    finally:
        for p in running:
            p.kill()
            p.wait()
    equal(sum(actions.values()), requests * len(running), "an answer to each request")
    return actions
