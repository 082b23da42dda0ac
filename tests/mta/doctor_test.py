#!/usr/bin/env python3
"""greylag doctor: in real mail servers' configurations each planted fault is found, a good one has
none, and nothing is changed."""
import json
import os
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from exim import DebianExim, PACKAGES as EXIM
from harness import LIMIT, Asker, Skip, Tests, check, equal, free_port, listens_at, wait_for
from mta import send, unpack
from nsd import Nsd
from opensmtpd import CONFIG as OPENSMTPD
from postfix import Postfix
from sendmail import MC, PACKAGES as SENDMAIL

test = Tests(__doc__)

SERVICE = "{ unix:private/greylag, timeout=10s, default_action=DUNNO }"
GOOD = f"""
compatibility_level = 3.6
# a comment
mydomain = example.net
queue_directory = /var/spool/postfix
mail_owner = mail
mydestination = localhost
smtpd_recipient_restrictions = permit_mynetworks,
    permit_sasl_authenticated, reject_unauth_destination
# in the middle
    check_policy_service {SERVICE}
smtpd_data_restrictions = check_policy_service {SERVICE}
"""


def connects(path):
    try:
        with Asker(path, 1):
            return True
    except OSError:
        return False


class Place:
    """A root with Debian's master.cf, a main.cf, and a greylagd that listens in it."""

    def __init__(self, t, main=GOOD, config="", running=True, listen="", master=None):
        self.t, self.root = t, t.folder / "root"
        for path in ("etc/postfix", "etc/greylag", "run/greylag", "var/spool/postfix/private"):
            (self.root / path).mkdir(parents=True)
        package = unpack("postfix", ["postfix"])
        text = master or (package / "usr/share/postfix/master.cf.dist").read_text()
        (self.root / "etc/postfix/master.cf").write_text(text)
        self.main(main)
        self.greylag_conf(config, listen)
        self.daemon = None
        if running:
            self.daemon = t.daemon(config, store="rocksdb", start=False)
            self.daemon.configure(f"listen policy unix {self.root}/var/spool/postfix/private/greylag mode 0666\n"
                                  f"listen policy unix {self.root}/run/greylag/policy mode 0666\n{config}")
            self.start()
            (self.root / "run/greylag/control").symlink_to(self.daemon.control)

    def start(self):
        """Starts the daemon and waits for all its sockets: one that appears later would be a change."""
        self.daemon.start()
        for line in self.daemon.config_file.read_text().splitlines():
            if line.startswith("listen policy unix"):
                wait_for(lambda: connects(line.split()[3]), line)
        wait_for(lambda: listens_at(self.daemon.control), "the control socket")

    def main(self, text):
        (self.root / "etc/postfix/main.cf").write_text(text)

    def greylag_conf(self, text, listen=""):
        listen = listen or "listen policy unix /var/spool/postfix/private/greylag\nlisten policy unix /run/greylag/policy\n"
        (self.root / "etc/greylag/greylag.conf").write_text(f"{listen}{text}\n")

    def postconf(self, name):
        """What Postfix itself reads there."""
        package = unpack("postfix", ["postfix"])
        folder = self.t.folder / "postconf"
        shutil.copytree(self.root / "etc/postfix", folder, dirs_exist_ok=True)
        r = subprocess.run([package / "usr/sbin/postconf", "-c", folder, "-xh", name], capture_output=True, text=True, timeout=LIMIT,
                           env={**os.environ, "LD_LIBRARY_PATH": str(package / "usr/lib/postfix")})
        equal(r.returncode, 0, r.stderr)
        return r.stdout.strip()

    def snapshot(self):
        return {str(p): (p.stat().st_mtime_ns, p.stat().st_mode, p.read_bytes() if p.is_file() else b"")
                for p in self.root.rglob("*") if not p.is_symlink() and not p.is_socket() and "store" not in p.parts}

    def run(self, *words):
        """(findings that matter, exit status). The clock of a test machine may be anything."""
        before = self.snapshot()
        r = subprocess.run([self.t.args.greylag, "--root", str(self.root), "--json", *words, "doctor"],
                           capture_output=True, text=True, timeout=LIMIT)
        equal(self.snapshot(), before, "nothing is changed")
        rows = [json.loads(line) for line in r.stdout.splitlines()]
        worst = max(["ok", "warn", "bad"].index(row["finding"]) for row in rows)
        equal(r.returncode, worst, f"{r.stdout}{r.stderr}")
        return [row for row in rows if row["finding"] != "ok" and row["check"] != "clock"]

    def finds(self, *wanted):
        """Exactly these findings: (check, finding, part of the text)."""
        rows = self.run()
        for check_name, finding, part in wanted:
            check(any(r["check"] == check_name and r["finding"] == finding and part in r["text"] for r in rows),
                  f"{check_name} {finding} {part} in {rows}")
        equal(len(rows), len(wanted), f"{rows}")
        return rows


@test
def good_postfix(t):
    place = Place(t)
    equal(place.postconf("smtpd_data_restrictions"), f"check_policy_service {SERVICE}", "Postfix reads it so, too")
    place.finds()
    text = subprocess.run([t.args.greylag, "--root", str(place.root), "doctor"], capture_output=True, text=True, timeout=LIMIT).stdout
    check("ok    postfix: /etc/postfix/main.cf: asks greylagd" in text, text)


@test
def order_of_restrictions(t):
    place = Place(t)
    before = GOOD.replace("permit_sasl_authenticated, reject_unauth_destination\n", "permit_sasl_authenticated\n")
    # The list for relaying comes first since 3.6, and refuses strangers.
    place.main(before)
    place.finds()
    for change in (before.replace("compatibility_level = 3.6", "compatibility_level = 3.5"),
                   before + "smtpd_relay_before_recipient_restrictions = no\n",
                   before + "smtpd_relay_restrictions = permit_mynetworks\n"):
        place.main(change)
        row, = place.finds(("postfix", "bad", "before reject_unauth_destination"))
        lines = row["lines"]
        equal(row["add_to"], "/etc/postfix/main.cf")
        equal((row["file"], row["line"]), ("/etc/postfix/main.cf", 8))
        equal(lines, ["smtpd_recipient_restrictions =", "    permit_mynetworks,", "    permit_sasl_authenticated,",
                      "    reject_unauth_destination,", f"    check_policy_service {SERVICE}"])
        fixed = change.split("smtpd_recipient_restrictions")[0] + "\n".join(lines) + "\n" + change[change.index("smtpd_data"):]
        place.main(fixed)
        place.finds()
    place.main(GOOD + f"smtpd_sender_restrictions = check_policy_service {SERVICE}\n")
    place.finds(("postfix", "bad", "before reject_unauth_destination"))
    place.main(GOOD.replace("permit_mynetworks,\n    permit_sasl_authenticated, ", ""))
    place.finds(("postfix", "warn", "permit_mynetworks"))
    place.greylag_conf("outgoing client 192.0.2.0/24")
    place.finds()
    place.main(GOOD.replace("reject_unauth_destination\n", "reject_unauth_destination, permit\n"))
    place.finds(("postfix", "bad", "nobody gets to it"))
    place.main(GOOD.replace("reject_unauth_destination\n", "permit_mx_backup, reject_unauth_destination\n"))
    row, = place.finds(("postfix", "bad", "permit_mx_backup"))
    check(row["lines"][-1] == "    permit_mx_backup", row)


@test
def not_asked(t):
    place = Place(t)
    place.main("compatibility_level = 3.6\nsmtpd_recipient_restrictions = reject_unauth_pipelining check_policy_service inet:127.0.0.1:12345\n")
    row, = place.finds(("postfix", "bad", "no list of restrictions asks greylagd"))
    equal(row["lines"][4:], [f"    check_policy_service {SERVICE},", "    reject_unauth_pipelining,",
                             "    check_policy_service inet:127.0.0.1:12345"])
    place.main("compatibility_level = 3.6\n")
    place.finds(("postfix", "bad", "no list of restrictions asks greylagd"))
    place.main("compatibility_level = 3.6\nsmtpd_milters = { unix:/run/greylag-milter/socket, default_action=accept }\n")
    place.finds()
    place.main("compatibility_level = 3.6\nsmtpd_restriction_classes = grey, other\nmail_owner = mail\n"
               f"grey = check_policy_service {SERVICE}\nsmtpd_recipient_restrictions = check_recipient_access hash:/x\n")
    place.finds()
    place.main(GOOD.split("smtpd_data")[0])
    row, = place.finds(("postfix", "warn", "asked at DATA"))
    place.main(GOOD.split("smtpd_data")[0] + "\n".join(row["lines"]) + "\n")
    place.finds()


@test
def long_lists_and_quotes(t):
    place = Place(t)
    table = "check_client_access pcre:{ { /^a\\.b/ REJECT \"no\" } }"
    long = "check_client_access hash:/" + "x" * 400
    place.main(GOOD.replace("reject_unauth_destination\n", f"reject_unauth_destination, {table}, {long}, " + "check_a hash:/y, " * 1000)
               .replace("unix:private/greylag", "unix:private/other"))
    row = next(r for r in place.run() if "no list of restrictions asks" in r["text"])
    for wanted in (table, long):
        check("    " + wanted.partition(" ")[2] + "," in row["lines"], row["lines"][:20])
    place.main(GOOD.replace("# in the middle", "    " + "check_a hash:/y, " * 1000))
    place.finds()
    place.main(GOOD.replace("# in the middle", "    " + "check_a hash:/y, " * 5000))
    place.finds(("postfix", "warn", "was not looked at"))
    place.main(GOOD)
    (place.root / "etc/postfix/master.cf").write_text("".join(f"x{i} unix - - n - - error\n" for i in range(301)) +
                                                      "smtp inet n - n - - smtpd\n")
    place.finds(("postfix", "warn", "no smtpd for strangers"))


@test
def overridden_in_master(t):
    master = ("smtp inet n - y - - smtpd\n  -o smtpd_recipient_restrictions=permit_mynetworks,reject\n"
              "submission inet n - y - - smtpd\n  -o { smtpd_recipient_restrictions = permit_sasl_authenticated, reject }\n")
    place = Place(t, GOOD.split("smtpd_data")[0], master=master)
    row, = place.finds(("postfix", "bad", "no list"))
    place.main(GOOD.split("smtpd_data")[0] + "compatibility_level = 3.6")
    (place.root / "etc/postfix/master.cf").write_text("smtp inet n - y - - smtpd\n  -o { smtpd_recipient_restrictions = "
                                                      "permit_mynetworks reject_unauth_destination "
                                                      "check_policy_service unix:private/greylag }\n")
    row, row2 = place.finds(("postfix", "warn", "451 4.3.5"), ("postfix", "warn", "DATA"))
    check({"/etc/postfix/master.cf"} <= {row["file"], row2["file"]}, (row, row2))


@test
def chroot_and_sockets(t):
    place = Place(t)
    # The absolute path exists outside, but smtpd is in the chroot.
    place.main(GOOD.replace("unix:private/greylag", "unix:/run/greylag/policy"))
    rows = place.run()
    check(any(r["finding"] == "bad" and "chroot" in r["text"] and r["file"] == "/etc/postfix/master.cf" and
              r["lines"] == ["listen policy unix /var/spool/postfix/private/greylag mode 0660 group mail"] for r in rows), rows)
    place.main(GOOD.replace("unix:private/greylag", "unix:/private/greylag"))
    place.finds()
    master = (place.root / "etc/postfix/master.cf").read_text()
    (place.root / "etc/postfix/master.cf").write_text(master.replace("smtp      inet  n       -       y", "smtp      inet  n       -       n"))
    place.main(GOOD.replace("unix:private/greylag", "unix:/run/greylag/policy"))
    place.finds()
    socket = place.root / "run/greylag/policy"
    socket.chmod(0o660)
    rows = place.finds(*[("postfix", "bad", "mail may not write to the socket /run/greylag/policy")] * 2)
    socket.chmod(0o666)
    (place.root / "run/greylag").chmod(0o700)
    place.finds(*[("postfix", "bad", "may not enter the folder /run/greylag")] * 2)
    (place.root / "run/greylag").chmod(0o755)
    place.finds()
    place.daemon.stop()
    rows = place.run()
    check(any(r["check"] == "daemon" and r["finding"] == "bad" for r in rows), rows)
    check(any(r["check"] == "postfix" and "socket" in r["text"] for r in rows), rows)


@test
def default_action_and_postscreen(t):
    place = Place(t)
    bare = GOOD.replace(SERVICE, "unix:private/greylag")
    place.main(bare)
    rows = place.finds(*[("postfix", "warn", "451 4.3.5")] * 2)
    equal(rows[0]["lines"], ["smtpd_policy_service_default_action = DUNNO"])
    place.main(bare + rows[0]["lines"][0] + "\npostscreen_pipelining_enable = yes\npostscreen_bare_newline_enable=$other\nother = yes\n")
    place.finds(*[("postfix", "warn", "postscreen")] * 2)


@test
def tcp(t):
    port = free_port()
    place = Place(t, config=f"listen policy tcp 127.0.0.1:{port}", listen="# here\n")
    for service in (f"inet:127.0.0.1:{port}", f"inet:localhost:{port}"):
        place.main(GOOD.replace("unix:private/greylag", service))
        place.finds()
    place.main(GOOD.replace("unix:private/greylag", "inet:127.0.0.1:1"))
    row, = place.finds(("postfix", "bad", "no list"))
    check(f"inet:127.0.0.1:{port}" in row["lines"][4], row)
    place.greylag_conf("", "listen policy tcp 127.0.0.1:1\n")
    place.finds(*[("postfix", "bad", "nobody listens at inet:127.0.0.1:1: Connection refused")] * 2)


@test
def configuration(t):
    place = Place(t)
    place.greylag_conf("allow client 192.0.2.1\nallow client 192.0.2.1\nallow\nblock client 192.0.2.2")
    rows = place.finds(("configuration", "warn", "line 3 has the same"), ("configuration", "warn", "line 5 matches everything"),
                       ("lists", "warn", "192.0.2.2 has no effect"))
    equal([r["line"] for r in rows], [4, 6, 6])
    place.greylag_conf("nonsense")
    rows = place.run()
    check(any(r["check"] == "configuration" and r["finding"] == "bad" and r["line"] == 3 for r in rows), rows)
    check(not any(r["check"] == "postfix" for r in rows), rows)
    check(any(r["check"] == "mail server" and "was not looked at" in r["text"] for r in rows), rows)
    (place.root / "etc/greylag/greylag.conf").unlink()
    rows = place.run()
    check(any(r["check"] == "configuration" and r["finding"] == "bad" for r in rows), rows)


@test
def lists_that_shadow_each_other(t):
    place = Place(t)
    (place.root / "etc/greylag/blocked").write_text("# list\n192.0.2.128/25\n198.51.100.0/24\nmail.good.example\n/x/\n192.0.0.0/16\n")
    place.greylag_conf("allow client 192.0.2.0/24 good.example\nblock client file blocked\nallow recipient @example.net\n"
                       "defer recipient bob@example.net eve@example.com delay 1h\nblock client 192.0.2.7 helo x.example\n"
                       "allow client 192.0.2.9\nallow sender a@b.example\nblock sender b.example")
    rows = place.finds(("lists", "warn", "192.0.2.128/25 has no effect: the rule in line 3"),
                       ("lists", "warn", "mail.good.example has no effect: the rule in line 3"),
                       ("lists", "warn", "bob@example.net has no effect: the rule in line 5"))
    equal([(pathlib.Path(r["file"]).name, r["line"]) for r in rows], [("blocked", 2), ("blocked", 4), ("greylag.conf", 6)])


@test
def no_mail_server(t):
    place = Place(t)
    shutil.rmtree(place.root / "etc/postfix")
    place.finds(("mail server", "warn", "no configuration of Postfix"))


@test
def daemon(t):
    place = Place(t, config="mode observe\namnesty 1h\n")
    place.finds(("daemon", "warn", "mode observe"), ("verdicts", "warn", "amnesty until"))
    place.daemon.stop()
    place.daemon.configure("")
    place.daemon.store = "failing fail"
    place.daemon.configure("on-store-failure pass\n" + f"listen policy unix {place.root}/var/spool/postfix/private/greylag mode 0666\n")
    place.start()
    with Asker(place.daemon.socket) as a:
        for i in range(20):
            a.ask(client_address="unknown" if i % 2 else "192.0.2.1")
    rows = place.run()
    for name, part in (("store", "fails on purpose"), ("verdicts", "no client address"), ("verdicts", "without the store")):
        check(any(r["check"] == name and r["finding"] == "bad" and part in r["text"] for r in rows), f"{part} in {rows}")


@test
def only_loopback(t):
    place = Place(t)
    with Asker(place.daemon.socket) as a:
        for i in range(8):
            a.ask(client_address="127.0.0.1", sender=f"a{i}x@s{i}.example")
    place.finds(("verdicts", "bad", "a proxy in front"))


@test
def resolver_and_exchangers(t):
    n = Nsd(t, "mine MX 10 here\nmine MX 20 there\nalone MX 10 here\nhere A 127.0.0.1\nthere A 192.0.2.7\n"
            "six MX 10 here6\nsix MX 20 there6\nhere6 AAAA ::1\nthere6 AAAA 2001:db8::7\n")
    place = Place(t)
    place.greylag_conf(f"dns servers {n.address}")
    place.main(GOOD.replace("mydestination = localhost", "mydestination = alone.test, localhost.localdomain\nrelay_domains = hash:/x"))
    place.finds()
    place.main(GOOD.replace("mydestination = localhost", "mydomain = test\nmydestination = alone.test\n  mine.$mydomain"))
    row, = place.finds(("exchangers", "warn", "there.test takes mail for mine.test too"))
    # Behind NAT, by name.
    place.main(GOOD.replace("mydestination = localhost", "mydomain = test\nmyhostname = There.$mydomain\nmydestination = mine.test"))
    place.finds()
    place.main(GOOD.replace("mydestination = localhost", "mydestination = six.test"))
    place.finds(("exchangers", "warn", "there6.test takes mail for six.test too"))
    place.main(GOOD.replace("mydestination = localhost", "mydestination = mine.test"))
    place.greylag_conf(f"dns servers {n.address}\nstore valkey 192.0.2.10:6379")
    place.finds()
    place.greylag_conf("dns servers 127.0.0.1:1")
    place.finds(("exchangers", "bad", "resolver does not answer"))


@test
def the_lines_work(t):
    """A real Postfix that asks nobody, and then has what doctor says, defers the first attempt."""
    p = Postfix(t.folder / "postfix", "")
    t.at_end(p.stop)
    t.folder.chmod(0o755)
    (p.spool / "private").mkdir(mode=0o755)
    d = t.daemon(f"listen policy unix {p.spool}/private/greylag mode 0666", store="rocksdb")
    root = t.folder / "root"
    for path in ("etc/greylag", "run/greylag"):
        (root / path).mkdir(parents=True)
    (root / "etc/postfix").symlink_to(p.conf)
    (root / t.folder.parts[1]).symlink_to("/" + t.folder.parts[1])
    (root / "run/greylag/control").symlink_to(d.control)
    (root / "etc/greylag/greylag.conf").write_text(f"listen policy unix {p.spool}/private/greylag\n")

    def findings():
        r = subprocess.run([t.args.greylag, "--root", str(root), "--json", "doctor"], capture_output=True, text=True, timeout=LIMIT)
        rows = [json.loads(line) for line in r.stdout.splitlines()]
        return [row for row in rows if row["finding"] != "ok" and row["check"] != "clock"]

    for _ in range(2):
        row, = findings()
        equal(row["add_to"], "/etc/postfix/main.cf")
        with open(p.conf / "main.cf", "a") as f:
            f.write("\n".join(row["lines"]) + "\n")
    p.start()
    # Its master gives the folder to Postfix, and nobody else may enter.
    equal(findings(), [])
    replies, _ = send(p, "alice@example.org", "bob@example.net")
    check(replies[0][0] == 450 and b"Greylisted" in replies[0][1], replies)
    replies, end = send(p, "", "bob@example.net")
    equal(replies[0][0], 250, "a bounce at RCPT")
    equal(end[0], 450, f"a bounce at DATA {end}")


@test
def sendmail(t):
    if not shutil.which("m4"):
        raise Skip("m4 is not there")
    package = unpack("sendmail", SENDMAIL)
    place = Place(t)
    shutil.rmtree(place.root / "etc/postfix")
    (place.root / "etc/mail").mkdir()
    socket = place.root / "run/greylag-milter/socket"
    socket.parent.mkdir()
    socket.symlink_to(place.root / "run/greylag/policy")
    cf = package / "usr/share/sendmail/cf"

    def made(change):
        mc = t.folder / "sm.mc"
        mc.write_text(change(MC.format(folder=t.folder, milter="unix:/run/greylag-milter/socket", flags="", more="", port=25)))
        r = subprocess.run(["m4", f"-D_CF_DIR_={cf}/", cf / "m4/cf.m4", mc], capture_output=True, text=True, check=True, timeout=LIMIT)
        (place.root / "etc/mail/sendmail.cf").write_text(r.stdout)

    made(lambda s: s)
    place.finds()
    made(lambda s: "".join(line for line in s.splitlines(True) if "INPUT_MAIL_FILTER" not in line))
    row, = place.finds(("sendmail", "bad", "no milter"))
    made(lambda s: "".join(row["lines"][0] + "\n" if "INPUT_MAIL_FILTER" in line else line for line in s.splitlines(True)))
    place.finds()
    made(lambda s: s.replace("INPUT_MAIL_FILTER", "MAIL_FILTER") + "define(`confINPUT_MAIL_FILTERS', `other')dnl\n")
    place.finds(("sendmail", "bad", "leaves it out"))
    made(lambda s: s.replace("socket, T=", "socket, F=T, T="))
    place.finds(("sendmail", "warn", "F="))
    made(lambda s: s)
    socket.unlink()
    place.finds(("sendmail", "bad", "there is no socket"))


EXIM_ACL = """
acl_rcpt:
  accept hosts = :
  deny  !verify = sender
        message = a \\
  # within it
        long line
  require domains = +local_domains : \\
                    +relay_to_domains
  .ifdef NEVER
  accept
  .else
  .include /usr/share/greylag/exim/greylag.acl
  .endif
  accept
acl_data:
  .include STATEMENTS
  accept
"""


class EximPlace(Place):
    """Without Postfix; an Exim that asks where greylagd listens, and what stands in its ACLs."""

    def __init__(self, t):
        self.port = free_port()
        super().__init__(t, config=f"listen policy tcp 127.0.0.1:{self.port}")
        shutil.rmtree(self.root / "etc/postfix")
        (self.root / "etc/exim4").mkdir()

    def exim(self, acl, main="acl_smtp_rcpt = acl_rcpt\nacl_smtp_data = acl_data\n"):
        (self.root / "etc/exim4/exim4.conf").write_text(
            f"GREYLAG_SOCKET = 127.0.0.1:{self.port}\nSTATEMENTS = /usr/share/greylag/exim/greylag.acl\n"
            f".include /usr/share/greylag/exim/30_greylag-macros\n{main}\nbegin acl\n{acl}\nbegin routers\n")

    def line_of(self, text):
        lines = (self.root / "etc/exim4/exim4.conf").read_text().splitlines()
        return next(i for i, line in enumerate(lines, 1) if line.startswith(text))


@test
def exim(t):
    place = EximPlace(t)
    conf = place.root / "etc/exim4/exim4.conf"
    conf.write_text("acl_smtp_rcpt = acl_rcpt\nbegin acl\nacl_rcpt:\n  # .include greylag.acl\n  accept\n")
    row, = place.finds(("exim", "bad", "no ACL"))
    conf.write_text(f"GREYLAG_SOCKET = 127.0.0.1:{place.port}\n{row['lines'][0]}\nacl_smtp_rcpt = acl_rcpt\n"
                    f"acl_smtp_predata = acl_rcpt\nbegin acl\nacl_rcpt:\n  require domains = example.net\n  {row['lines'][2]}\n  accept\n")
    place.finds()
    place.exim(EXIM_ACL)
    place.finds()
    conf.write_text(conf.read_text().replace(f"{place.port}", "1"))
    row, = place.finds(("exim", "warn", "no such listener"))
    equal(row["lines"], ["listen policy tcp 127.0.0.1:1"])
    place.exim(EXIM_ACL)
    place.daemon.stop()
    check(any("nobody listens at" in r["text"] for r in place.run()), "the daemon is gone")


@test
def exim_places(t):
    """Where in which ACL the statements stand."""
    place = EximPlace(t)
    included = "  .include /usr/share/greylag/exim/greylag.acl\n"
    for before in ("  require verify = recipient\n", "  deny domains = !+local_domains\n    local_parts = ^[./|]\n",
                   "  accept authenticated = *\n", "  .ifdef NEVER\n  require domains = a\n  .endif\n"):
        place.exim(f"acl_rcpt:\n{before}{included}  accept\nacl_data:\n{included}  accept\n")
        row, = place.finds(("exim", "bad", "strangers who try to relay"))
        equal(row["line"], place.line_of("  .include"), f"{row}")
    for before in ("  deny domains = !+local_domains\n", "  require acl = relay_ok\n", "  drop domains = ! +local_domains\n    message = no\n"):
        place.exim(f"acl_rcpt:\n{before}{included}  accept\nacl_data:\n{included}  accept\n")
        place.finds()
    relay = "  require domains = +local_domains\n"
    for before, text in (("  accept domains = +local_domains\n    endpass\n    verify = recipient\n", "for the domains"),
                         ("  accept\n    message = fine\n    set acl_m_x = 1\n", "nobody gets to it"), ("  deny\n", "nobody gets to it")):
        place.exim(f"acl_rcpt:\n{relay}{before}{included}  accept\nacl_data:\n{included}  accept\n")
        row, = place.finds(("exim", "bad", text))
        check(f"line {place.line_of(before.splitlines()[0])}, " in row["text"], f"{row}")
    # By way of another ACL, and in one that is not for RCPT.
    called = f"acl_rcpt:\n{relay}  deny acl = acl_ask\n  accept\nacl_ask:\n  deny acl = acl_rcpt\n{included}  accept\nacl_data:\n{included}"
    place.exim(called)
    place.finds()
    place.exim(called.replace("deny acl = acl_ask", "deny acl = acl_other"))
    place.finds(("exim", "bad", "acl_smtp_rcpt, acl_rcpt, does not"))
    place.exim(f"acl_rcpt:\n{relay}{included}  accept\n", main="acl_smtp_rcpt = acl_rcpt")
    place.finds(("exim", "warn", "not asked at DATA"))
    (place.root / "etc/exim4/local_rcpt").write_text(included)
    place.exim(f"acl_rcpt:\n{relay}  .include_if_exists /etc/exim4/local_rcpt\n  accept\nacl_data:\n{included}")
    place.finds()
    # Those who have greylistd's statements ask its way.
    place.exim(f"acl_rcpt:\n{relay}  defer !hosts = :\n    condition = ${{readsocket{{/run/greylistd/socket}}{{x}}{{5s}}{{}}{{false}}}}\n  accept\n")
    place.finds()


@test
def exim_as_packaged(t):
    """The example that comes with Exim, and what Debian makes; Exim itself says what it reads there."""
    place = EximPlace(t)
    conf, included = place.root / "etc/exim4/exim4.conf", ".include /usr/share/greylag/exim/greylag.acl\n"
    example = (unpack("exim", EXIM) / "usr/share/doc/exim4-base/examples/example.conf").read_text()
    main = f"GREYLAG_SOCKET = 127.0.0.1:{place.port}\n.include /usr/share/greylag/exim/30_greylag-macros\n{example}"
    conf.write_text(main)
    place.finds(("exim", "bad", "no ACL"))
    relay = "  require message = relay not permitted\n"
    check(example.count(relay) == 1 and "\nacl_check_data:\n" in example, "the example is as we know it")
    main = main.replace("\nacl_check_data:\n", f"\nacl_check_data:\n  {included}")
    conf.write_text(main.replace(relay, included + relay))
    place.finds(("exim", "bad", "strangers who try to relay"))
    conf.write_text(main.replace("  require verify = recipient\n", f"  require verify = recipient\n  {included}"))
    place.finds()
    shutil.rmtree(place.root / "etc/exim4")

    shipped = pathlib.Path(__file__).resolve().parents[2] / "data/exim/greylag.acl"
    settings = f"GREYLAG_SOCKET = 127.0.0.1:{place.port}\nGREYLAG_STATEMENTS = {shipped}\n"
    e = DebianExim(t.folder / "exim", True, settings=settings)
    t.at_end(e.stop)
    shutil.copy(pathlib.Path(t.args.greylagd).parents[2] / "data/30_greylag-macros", e.etc / "exim4/conf.d/main")
    e.update()
    made, here = e.var / "lib/exim4/config.autogenerated", place.root / "var/lib/exim4/config.autogenerated"
    here.parent.mkdir(parents=True)
    shutil.copy(made, here)
    place.finds()
    equal(e.run("-bP", "acl_smtp_rcpt").stdout, "acl_smtp_rcpt = acl_check_rcpt\n")
    text = here.read_text()
    here.write_text(text.replace("CHECK_RCPT_LOCAL_ACL_FILE = GREYLAG_STATEMENTS", ""))
    place.finds(("exim", "bad", "acl_smtp_rcpt, acl_check_rcpt, does not"))


@test
def opensmtpd(t):
    place = Place(t)
    shutil.rmtree(place.root / "etc/postfix")
    conf = place.root / "etc/smtpd.conf"
    conf.write_text((unpack("opensmtpd", ["opensmtpd"]) / "etc/smtpd.conf").read_text())
    place.finds(("opensmtpd", "bad", "no filter"))
    good = OPENSMTPD.format(filter="/usr/libexec/greylag/greylag-opensmtpd", port=25, listen="", folder="/x", more="")
    conf.write_text(good)
    place.finds()
    conf.write_text(good + "listen on eth0 port 25\n")
    row, = place.finds(("opensmtpd", "bad", "does not go through"))
    equal(row["line"], len(good.splitlines()) + 1)
    conf.write_text(good + "listen on eth0 port 587 tls-require auth\nlisten on socket\n")
    place.finds()
    conf.write_text(good + 'filter other phase helo match !rdns disconnect "550 no"\nlisten on eth0 filter "other"\n')
    row, = place.finds(("opensmtpd", "bad", "does not go through"))
    equal(row["line"], len(good.splitlines()) + 2)
    both = 'filter "both" chain { other, "greylag" }\n'
    for listener in ("listen on eth0 filter both", 'listen on eth0 filter { "other", "greylag" }', 'listen on eth0 port 25 filter "greylag"'):
        conf.write_text(good + both + listener + "\n")
        place.finds()
    conf.write_text(good + 'proc p "/usr/libexec/greylag/greylag-opensmtpd"\nfilter by proc p\nlisten on eth0 filter by\n')
    place.finds()


@test
def qmail(t):
    place = Place(t)
    shutil.rmtree(place.root / "etc/postfix")
    run = place.root / "service/qmail-smtpd/run"
    run.parent.mkdir(parents=True)
    run.write_text("#!/bin/sh\nexec tcpserver 0 smtp \\\n  /var/qmail/bin/qmail-smtpd 2>&1\n")
    place.finds(("qmail", "bad", "neither"))
    run.write_text("#!/bin/sh\nexec tcpserver 0 smtp /usr/libexec/greylag/greylag-qmail \\\n  /var/qmail/bin/qmail-smtpd 2>&1\n")
    place.finds()
    spp = place.root / "var/qmail/control/smtpplugins"
    spp.parent.mkdir(parents=True)
    spp.write_text("[rcpt]\n/usr/libexec/greylag/greylag-spp\n")
    place.finds(("qmail", "warn", "one is enough"))


@test
def awkward_files(t):
    place = Place(t)
    for text in (b"", b"\x00\xff" * 3000, b"smtpd_recipient_restrictions = " + b"{" * 5000, b"a = $a\nsmtpd_recipient_restrictions = $a ${a} $(a) ${\n",
                 b"smtpd_recipient_restrictions = check_policy_service", b"smtpd_recipient_restrictions = check_policy_service {}",
                 b"x = 1\n" * 4000, b"  leading blank\n = \n=\n", b"smtpd_recipient_restrictions=" + b"a," * 40000,
                 b"smtpd_recipient_restrictions = check_policy_service { unix:private/greylag"):
        (place.root / "etc/postfix/main.cf").write_bytes(text)
        (place.root / "etc/postfix/master.cf").write_bytes(b"smtp inet n - y - - smtpd -o\n" + text)
        for name in ("etc/mail/sendmail.cf", "etc/smtpd.conf", "etc/exim4/exim4.conf"):
            (place.root / name).parent.mkdir(exist_ok=True)
            (place.root / name).write_bytes(b"X\nXgreylag\nO InputMailFilters=\nfilter\nlisten on\n" + text)
        check(place.run(), "finds something")


test.main()
