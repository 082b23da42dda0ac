#!/usr/bin/env python3
"""greylagd and greylag-milter started as systemd starts them: what they say to
NOTIFY_SOCKET, the watchdog, sockets that are handed over (sd_notify(3),
sd_listen_fds(3)). And what goes with the service: log rotation, completion."""
import contextlib
import ctypes
import fcntl
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import Asker, LIMIT, Skip, Tests, check, equal, free_port, wait_for

test = Tests(__doc__)
ROOT = pathlib.Path(__file__).resolve().parents[2]
# Descriptors 3, 4, ... and the owner are set where systemd sets them: between fork and exec.
HAND_OVER = 'n=3; for fd in $FDS; do eval "exec $n<&$fd $fd<&-"; n=$((n + 1)); done; ' \
            'export LISTEN_FDS=$((n - 3)) LISTEN_PID=$$; exec "$@"'


class Manager:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, context):
        self.path = context.folder / "notify"
        self.s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.s.bind(str(self.path))
        self.s.settimeout(LIMIT)
        context.at_end(self.s.close)
        self.env = {"NOTIFY_SOCKET": str(self.path)}

    def hears(self, word, limit=LIMIT):
        """The next message that has the word; others are passed over."""
        end = time.monotonic() + limit
        while (left := end - time.monotonic()) > 0:
            self.s.settimeout(left)
            try:
                message = self.s.recv(4096).decode()
            except TimeoutError:
                break
            if word in message.split("\n"):
                return message
        return None

    def forget(self):
        self.s.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                self.s.recv(4096)


def listening(where):
    """A listening socket with a number that no handing over uses."""
    s = socket.socket(socket.AF_UNIX if isinstance(where, str) else socket.AF_INET)
    if not isinstance(where, str):
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(where)
    s.listen(16)
    return socket.socket(fileno=fcntl.fcntl(s.detach(), fcntl.F_DUPFD, 60))


def spawn(command, sockets, env, stderr):
    return subprocess.Popen(["bash", "-c", HAND_OVER, "bash", *map(str, command)], stdin=subprocess.DEVNULL, stderr=stderr,
                            pass_fds=[s.fileno() for s in sockets],
                            env={**os.environ, **env, "FDS": " ".join(str(s.fileno()) for s in sockets)})


def activate(d, sockets, env=None):
    """The daemon d, with these sockets handed over."""
    d.process = spawn([d.binary, "-f", "-c", d.config_file], sockets, env or {}, open(d.folder / "stderr", "ab"))
    wait_for(d.answers, f"greylagd to serve ({d.tail()})")


def turned_away(where):
    """Who connects there is not left to wait."""
    with socket.socket(socket.AF_UNIX if isinstance(where, str) else socket.AF_INET) as s:
        s.settimeout(LIMIT)
        s.connect(where)
        with contextlib.suppress(ConnectionResetError):
            equal(s.recv(100), b"", "an answer from a socket that no line names")


@test
def says_how_it_is(t):
    manager = Manager(t)
    d = t.daemon(env=manager.env)
    check(manager.hears("READY=1"), "no READY")
    d.send_signal(signal.SIGHUP)
    check(manager.hears("RELOADING=1"), "no RELOADING")
    check("STATUS=running" in (manager.hears("READY=1") or ""), "no READY after a reload")
    d.configure("greylist delay never")
    d.send_signal(signal.SIGHUP)
    check(manager.hears("RELOADING=1"), "no RELOADING")
    check("reload failed" in (manager.hears("READY=1") or ""), "a failed reload is not told")
    check(manager.hears("WATCHDOG=1", 2) is None, "pings nobody asked for")
    equal(d.stop(), 0, "exit status")
    check(manager.hears("STOPPING=1"), "no STOPPING")


@test
def pings_while_the_loop_turns(t):
    """Only the loop's thread is held; the store's go on."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    manager = Manager(t)
    d = t.daemon(store="rocksdb", env={**manager.env, "WATCHDOG_USEC": "1000000"})
    check(manager.hears("WATCHDOG=1"), "no ping")
    check(manager.hears("WATCHDOG=1"), "no second ping")
    if libc.ptrace(16, d.process.pid, None, None) != 0:  # PTRACE_ATTACH
        raise Skip("may not hold a thread of another process")
    os.waitpid(d.process.pid, os.WUNTRACED | 0x40000000)  # __WALL
    manager.forget()
    check(manager.hears("WATCHDOG=1", 3) is None, "pings although the loop stands still")
    equal(libc.ptrace(17, d.process.pid, None, None), 0, "PTRACE_DETACH")
    check(manager.hears("WATCHDOG=1"), "no ping after it went on")
    d.stop()


@test
def watchdog_of_another(t):
    manager = Manager(t)
    t.daemon(env={**manager.env, "WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"})
    check(manager.hears("READY=1"), "no READY")
    check(manager.hears("WATCHDOG=1", 3) is None, "pings for another process")


@test
def takes_sockets(t):
    """No question is lost while it is away, and the files of the sockets are not its own."""
    d = t.daemon(start=False)
    port, extra = free_port(), free_port()
    d.configure(f"listen policy tcp 127.0.0.1:{port}\nlog passes yes")
    sockets = [listening(("127.0.0.1", port)), listening(str(d.socket)), listening(("127.0.0.1", extra)),
               listening(str(t.folder / "extra"))]
    with Asker(("127.0.0.1", port)) as early:
        early.send(b"request=smtpd_access_policy\nprotocol_state=RCPT\nclient_address=192.0.2.1\n"
                   b"sender=a@example.org\nrecipient=b@example.net\n\n")
        activate(d, sockets)
        check(early.reply().startswith("DEFER_IF_PERMIT"), "the early question")
    wait_for(lambda: f"inet:127.0.0.1:{extra}" in d.logged(), "a warning of the socket that no line names")
    turned_away(("127.0.0.1", extra))
    turned_away(str(t.folder / "extra"))
    check(f"inet:127.0.0.1:{port}," not in d.logged(), "a warning of one that is used")
    inode = d.socket.stat().st_ino
    equal(d.stop(), 0, "exit status")
    equal(d.socket.stat().st_ino, inode, "the socket's file")
    with Asker(d.socket) as meanwhile:
        meanwhile.send(b"request=smtpd_access_policy\nprotocol_state=RCPT\nclient_address=192.0.2.1\n"
                       b"sender=a@example.org\nrecipient=b@example.net\n\n")
        activate(d, sockets)
        check(meanwhile.reply(), "the question from between")


@test
def takes_sockets_again_after_reload(t):
    d = t.daemon(start=False)
    port = free_port()
    d.configure(f"listen policy tcp 127.0.0.1:{port}")
    activate(d, [listening(("127.0.0.1", port))])
    for warnings in 1, 2:
        d.configure("")
        t.greylag(d, "reload")
        turned_away(("127.0.0.1", port))
        equal(d.logged().count(f"no `listen` line names inet:127.0.0.1:{port}"), warnings, "a warning after each reload")
        d.configure(f"listen policy tcp 127.0.0.1:{port}")
        t.greylag(d, "reload")
        with Asker(("127.0.0.1", port)) as again:
            check(again.ask(), "the socket of a line that came back")
    equal(d.stop(), 0, "exit status")


@test
def milter_as_a_service(t):
    manager = Manager(t)
    d = t.daemon()
    path = t.folder / "milter"
    s = listening(str(path))
    milter = spawn([pathlib.Path(t.args.greylagd).parents[1] / "doors/greylag-milter", "--listen", f"unix:{path}",
                    "--socket", f"unix:{d.socket}"],
                   [s], {**manager.env, "WATCHDOG_USEC": "2000000"}, subprocess.DEVNULL)
    t.at_end(milter.kill)
    check(manager.hears("READY=1"), "no READY")
    check(manager.hears("WATCHDOG=1") and manager.hears("WATCHDOG=1"), "no pings")
    with socket.socket(socket.AF_UNIX) as c:
        c.settimeout(LIMIT)
        c.connect(str(path))
        # SMFIC_OPTNEG of version 6: actions 0x1ff, steps 0x1fffff.
        c.sendall(b"\0\0\0\x0dO" + b"\0\0\0\6" + b"\0\0\1\xff" + b"\0\x1f\xff\xff")
        equal(c.recv(100)[4:5], b"O", "the milter's answer")
    milter.terminate()
    equal(milter.wait(LIMIT), 0, "exit status")
    check(manager.hears("STOPPING=1"), "no STOPPING")
    check(path.exists(), "the manager's socket is removed")


@test
def logrotate(t):
    if not shutil.which("logrotate", path="/usr/sbin:/usr/bin"):
        raise Skip("there is no logrotate")
    d = t.daemon()
    rules = (ROOT / "data/greylag.logrotate").read_text()
    rules = rules.replace("/var/log/greylag/*.log", str(d.log)).replace(
        "greylag reload", f"{t.args.greylag} --socket {d.control} reload")
    (t.folder / "rules").write_text(rules)
    with Asker(d.socket) as a:
        a.ask()
        wait_for(lambda: "reason=new" in d.logged(), "the verdict in the log")
        subprocess.run(["/usr/sbin/logrotate", "-f", "-s", t.folder / "state", t.folder / "rules"], check=True, timeout=LIMIT)
        wait_for(lambda: "configuration reloaded" in d.logged(), "the new file to be written to")
        check("reason=new" not in d.logged(), "the log was not rotated")
        a.ask(client_address="198.51.100.7")
        wait_for(lambda: "client=198.51.100.7" in d.logged(), "verdicts in the new file")
    old = d.log.with_name(d.log.name + ".1").read_text()
    check("reason=new" in old and "198.51.100.7" not in old, "what the old file has")


@test
def container_start(t):
    """The configuration that the container's first start makes is sound, and the second leaves it alone."""
    state = t.folder / "state"
    state.mkdir()
    shim = t.folder / "greylagd"
    shim.write_text(f'#!/bin/sh\n[ "$1" = -f ] && shift && exec {t.args.greylagd} -t "$@"\n')
    shim.chmod(0o755)
    for mark in ("", "# mine\n"):
        with open(state / "greylag.conf", "a") if mark else contextlib.nullcontext() as f:
            f and f.write(mark)
        r = subprocess.run(["sh", ROOT / "data/container-start", state], capture_output=True, text=True, timeout=LIMIT,
                           env={**os.environ, "PATH": f"{t.folder}:{os.environ['PATH']}"})
        equal((r.returncode, r.stderr), (0, ""), "the start")
        check(r.stdout.endswith("0 warning(s), no errors\n"), f"the configuration: {r.stdout}")
    check((state / "store").is_dir(), "the store's folder")
    check((state / "greylag.conf").read_text().endswith("# mine\n"), "the configuration was written over")


def completions(t, d, line):
    """What bash offers for the last word of the line."""
    script = f"""
        compopt() {{ echo "$2"; }}
        source {ROOT}/data/greylag.bash-completion
        COMP_WORDS=({line}) COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
        _greylag {t.folder}/greylag
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    wrapper = t.folder / "greylag"
    wrapper.write_text(f'#!/bin/sh\nexec {t.args.greylag} --socket {d.control} "$@"\n')
    wrapper.chmod(0o755)
    r = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=LIMIT)
    equal(r.stderr, "", f"completion of {line}")
    return sorted(set(r.stdout.split()))


@test
def bash_completion(t):
    d = t.daemon()
    t.greylag(d, "enlist", "friends", "192.0.2.0/24")
    commands = re.findall(r"^  ([a-z]+) ", t.greylag(d, "help"), re.M)
    equal(completions(t, d, "greylag ''"), sorted(commands), "all commands")
    equal(completions(t, d, "greylag st"), ["status", "store"], "commands")
    equal(completions(t, d, "greylag --socket /x sta"), ["status"], "behind an option with a word")
    equal(completions(t, d, "greylag allow --s"), ["--shorten", "--socket"], "options of allow")
    equal(completions(t, d, "greylag why 192.0.2.1 --n"), ["--name"], "options of why")
    equal(completions(t, d, "greylag show ''"), ["client", "recipient", "sender"], "what show takes")
    equal(completions(t, d, "greylag lists f"), ["friends"], "a list of the daemon's")
    equal(completions(t, d, "greylag unlist friends c"), ["client"], "a kind")
    equal(completions(t, d, "greylag nonsense ''"), [], "no such command")
    for files in ("replay ''", "replay --config ''", "replay --against /x --config ''", "replay --config /x ''", "import postgrey ''"):
        check("default" in completions(t, d, f"greylag {files}"), f"files for {files}")
    d.stop()
    equal(completions(t, d, "greylag lists a"), ["allow"], "lists without a daemon")


if __name__ == "__main__":
    test.main()
