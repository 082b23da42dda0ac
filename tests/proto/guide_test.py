#!/usr/bin/env python3
"""Runs docs/guide.md and the manual's examples of commands as a reader would, against a real greylagd
in a folder that stands for the system: /etc/greylag, /var and the like are below it, and
systemctl starts and stops that greylagd."""
import gzip
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from harness import LIMIT, Skip, Tests, check, equal, free_port, listens_at, wait_for

test = Tests(__doc__)
ROOT = pathlib.Path(__file__).resolve().parents[2]
SYSTEM = re.compile(r"(?<![\w.])/(?=(?:etc/greylag|var/lib|var/log|var/backups|var/mail|var/www)\b)")
SHARED = "192.0.2.53:6379"  # the guide's Valkey server
MAIL_LOG = "{now} mx postfix/smtpd[9]: 4F1A: client=mx2.example.edu[192.0.2.99]\n" \
           "{now} mx postfix/smtp[9]: 4F1A: to=<bob@example.net>, relay=x[192.0.2.3]:25, delay=1, status=sent (250 ok)\n"
SYSTEMCTL = """#!/bin/bash
stop() {{ kill "$(cat {pid})"; while kill -0 "$(cat {pid})" 2>/dev/null; do sleep 0.05; done; rm {pid}; }}
start() {{
	greylagd -t >/dev/null || return
	setsid "{greylagd}" -f -c {root}/etc/greylag/greylag.conf </dev/null >/dev/null 2>>{root}/stderr & echo $! >{pid}
	for i in $(seq 1200); do greylag version >/dev/null 2>&1 && return; sleep 0.05; done
	return 1
}}
case $1:$2 in
start:greylagd) start ;; stop:greylagd) stop ;; stop:greylagd.socket) [ "$3" = greylagd ] && stop ;; restart:greylagd) stop && start ;;
reload:greylagd) greylag reload >/dev/null ;;
*) echo "no such command: $*" >&2; exit 1 ;;
esac
"""


# Examples that need another system's database, which import_test.py makes.
FOREIGN = ("greylag import postgrey ", "pg_dump ")


class System:
    def __init__(self, t):
        self.t, self.root, self.log = t, t.folder / "system", t.folder / "system/var/log/greylag/greylagd.log"
        for folder in ("etc/greylag", "var/lib/greylag", "var/log/greylag", "var/backups", "var/www", "run", "bin", "work"):
            (self.root / folder).mkdir(parents=True)
        self.pid = self.root / "run/pid"
        self.shared = f"127.0.0.1:{free_port()}"
        self.configure("")
        self.put("bin/greylag", f'#!/bin/sh\ncase $1 in ask) shift; set -- ask --socket {self.root}/run/policy "$@" ;; '
                                f'*) set -- --socket {self.root}/run/control "$@" ;; esac\nexec {t.args.greylag} "$@"\n')
        self.put("bin/greylagd", f'#!/bin/sh\ncase $* in *-c*) ;; *) set -- "$@" -c {self.root}/etc/greylag/greylag.conf ;; esac\n'
                                 f'exec {t.args.greylagd} "$@"\n')
        self.put("bin/systemctl", SYSTEMCTL.format(pid=self.pid, root=self.root, greylagd=t.args.greylagd))
        now = time.strftime("%b %e %H:%M:%S", time.localtime(time.time() - 60))
        self.put("var/log/mail.log", MAIL_LOG.format(now=now))
        t.at_end(self.stop)
        equal(self.run("systemctl start greylagd")[0], 0, "the start")

    def put(self, path, text):
        path = self.root / path
        path.write_text(text)
        if path.parent.name == "bin":
            path.chmod(0o755)

    def configure(self, text, name="greylag.conf"):
        """Settings of the guide, beside those that its system has anyway; its disk may be slow."""
        store = "" if re.search("^store ", text, re.M) else f"store rocksdb {self.root}/var/lib/greylag\n"
        text = text.replace(SHARED, self.shared)
        self.put(f"etc/greylag/{name}", f"listen policy unix {self.root}/run/policy\nlisten control unix {self.root}/run/control\n"
                                        f"{store}store deadline 20s\nlog file {self.log}\nuser root\n{text}")

    def run(self, command):
        """Exit status and output, with the paths of a real system again."""
        command = SYSTEM.sub(f"{self.root}/", command)
        env = {**os.environ, "PATH": f"{self.root}/bin:{os.environ['PATH']}"}
        env.pop("SUDO_USER", None)  # the author of an entry
        r = subprocess.run(["bash", "-c", command], cwd=self.root / "work", env=env, text=True, timeout=2 * LIMIT,
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return r.returncode, r.stdout.replace(str(self.root), "")

    def stop(self):
        if self.pid.exists():
            self.run("systemctl stop greylagd")


def alike(line):
    """Numbers and times differ, and so does the room that they take; a number alone is a result."""
    return line if re.fullmatch(r"\d+", line) else re.sub(r"(\d+[smhd])+\b|\d+", "0", " ".join(line.split()))


def same(wanted, got):
    pattern = ""
    for line in wanted:
        if line == "...":
            pattern += r"(?:.*\n)*"
        else:
            pattern += r".*".join(re.escape(alike(part)) for part in line.split("...")) + r"\s*\n"
    return re.fullmatch(pattern, "".join(alike(line) + "\n" for line in got))


def steps(text):
    """Commands with what they print: "# COMMAND", then lines of output."""
    found = []
    for line in text.splitlines():
        if line.startswith("# "):
            found.append((line[2:], []))
        else:
            check(found, f"output before any command: {line}")
            found[-1][1].append(line)
    return found


def blocks(markdown):
    return re.findall(r"^```(\S*) *(.*)\n((?:.*\n)*?)^```$", markdown, re.M)


@test
def guide(t):
    if not shutil.which("redis-server"):
        raise Skip("there is no redis-server")
    system = System(t)
    server = subprocess.Popen(["redis-server", "--bind", "127.0.0.1", "--port", system.shared.split(":")[1], "--save", "",
                               "--dir", str(t.folder)], stdout=subprocess.DEVNULL)
    t.at_end(server.kill)
    wait_for(lambda: listens_at(int(system.shared.split(":")[1])), "the Valkey server")
    commands = 0
    for kind, name, text in blocks((ROOT / "docs/guide.md").read_text()):
        if kind == "conf":
            system.configure(text, name or "greylag.conf")
            continue
        equal(kind, "console", "a block that nobody runs")
        for command, wanted in steps(text):
            status, got = system.run(command)
            commands += 1
            equal(status, 0, f"{command}: {got}")
            check(same(wanted, got.splitlines()), f"{command} prints\n{got}\ninstead of\n" + "\n".join(wanted))
    check(commands > 30, f"only {commands} commands were found")


def examples(page):
    """The literal blocks of a manual page's EXAMPLES."""
    text = (ROOT / page).read_text()
    part = text[text.index(".Sh EXAMPLES"):]
    part = part[:part.index("\n.Sh ", 1)]
    return [b.replace("\\e\n", "\\\n") for b in re.findall(r"^\.Bd -literal.*\n((?:.*\n)*?)\.Ed$", part, re.M)]


@test
def manual_of_greylag(t):
    system = System(t)
    (system.root / "var/lib/other").mkdir()
    system.configure(f"store rocksdb {system.root}/var/lib/other\n", "new.conf")
    log = (system.root / "var/log/mail.log").read_text()

    (system.root / "var/log/mail.log.1.gz").write_bytes(gzip.compress(log.replace("192.0.2.99", "192.0.2.98").encode()))
    (system.root / "var/log/mail.log.1").write_text(log)
    for folder in ("cur", "new", "tmp"):
        (system.root / "var/mail/spam/Maildir" / folder).mkdir(parents=True)
    (system.root / "var/mail/spam/Maildir/new/1").write_text(
        "Received: from a.example (a.example [203.0.113.5])\n\tby mx.test (Postfix) with ESMTP id 1; x\nSubject: x\n\nx\n")
    system.put("work/drop.txt", "203.0.113.0/28\n198.51.100.128/25\n")
    equal(system.run("greylag ask --client 192.0.2.1 --sender a@example.org --recipient bob@example.net")[0], 75, "a stranger")
    found = examples("man/greylag.1")
    check(len(found) >= 7, f"only {len(found)} examples were found")
    for block in found:
        for command in block.replace("\\\n", "").splitlines():
            if command.startswith(FOREIGN):
                continue
            status, got = system.run(command)
            equal(status, 0, f"{command}: {got}")
        if not system.pid.exists():
            system.run("systemctl start greylagd")


@test
def manual_of_greylagd(t):
    system = System(t)
    command = examples("man/greylagd.8.in")[0].strip()
    check(command.startswith("greylagd -t"), f"the first example: {command}")
    system.stop()
    shutil.copy(system.root / "etc/greylag/greylag.conf", system.root / "work/greylag.conf")
    # It stays in the foreground.
    p = subprocess.Popen(["bash", "-c", f"exec 2>>{system.root}/stderr; {command.replace('&& ', '&& exec ')}"], stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, cwd=system.root / "work", env={**os.environ, "PATH": f"{system.root}/bin:{os.environ['PATH']}"})
    t.at_end(p.kill)
    wait_for(lambda: system.run("greylag version")[0] == 0, "greylagd to serve")
    p.terminate()
    equal(p.wait(LIMIT), 0, "exit status")


@test
def manual_of_greylag_spp(t):
    system = System(t)
    command, = examples("man/greylag-spp.8")
    program = pathlib.Path(t.args.greylagd).parents[1] / "doors/greylag-spp"
    status, got = system.run(command.replace("/usr/libexec/greylag/greylag-spp", f"{program} --socket {system.root}/run/policy"))
    equal(status, 0, got)
    check(got.startswith("E451 "), f"the answer to a stranger: {got}")


@test
def manual_of_greylag_milter(t):
    system = System(t)
    command, = examples("man/greylag-milter.8")
    for there, here in (("/run/greylag-milter/socket", f"{t.folder}/milter"), ("192.0.2.25:10023", system.shared),
                        ("greylag-milter --", f"exec {pathlib.Path(t.args.greylagd).parents[1] / 'doors/greylag-milter'} --")):
        check(there in command, f"the example has no {there}")
        command = command.replace(there, here)
    said = t.folder / "said"
    p = subprocess.Popen(["bash", "-c", command], stdin=subprocess.DEVNULL, stderr=open(said, "wb"))
    t.at_end(p.kill)
    # The socket is there before it takes signals.
    wait_for(lambda: "serves on" in said.read_text(), "the milter to serve")
    check((t.folder / "milter").exists(), "the milter's socket")
    p.terminate()
    equal(p.wait(LIMIT), 0, "exit status")


if __name__ == "__main__":
    test.main()
