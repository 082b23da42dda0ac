#!/usr/bin/env python3
"""greylag convert: configurations of other greylisting services do here what they did there."""
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from harness import LIMIT, Asker, Tests, check, equal
from mta import unpack

test = Tests(__doc__)


def convert(t, peer, *words, root=None, status=0):
    """Converts; the result must pass `greylagd -t`, lists aside. Returns (greylag.conf, what was said)."""
    r = subprocess.run([t.args.greylag, *(["--root", str(root)] if root else []), "convert", peer, *map(str, words)],
                       capture_output=True, text=True, errors="surrogateescape", timeout=LIMIT)
    equal(r.returncode, status, f"convert {peer} {words}: {r.stdout[-1500:]}{r.stderr[-1500:]}")
    return r.stdout, r.stderr


def sound(t, text):
    path = t.folder / "checked.conf"
    path.write_text(text, errors="surrogateescape")
    r = subprocess.run([t.args.greylagd, "-t", "-c", str(path)], capture_output=True, text=True, timeout=LIMIT)
    equal(r.returncode, 0, f"{r.stdout}{r.stderr}\n{text[:3000]}")


def served(t, text, root=""):
    """A greylagd with these settings and rules, on sockets of its own; lists lie below root."""
    rules = [line for line in text.splitlines() if not line.startswith(("listen ", "log ", "store "))]
    return t.daemon("\n".join(rules).replace(" file /etc/", f" file {root}/etc/"))


def verdicts(d, *rows):
    """Each row: the verdict's first word, and the request's attributes."""
    with Asker(d.socket) as a:
        for wanted, request in rows:
            got = a.ask(**request)
            check(got.startswith(wanted), f"{request}: {got}, wanted {wanted}")


DEFER, PASS, BLOCK = "DEFER_IF_PERMIT", "DUNNO", "REJECT"


def settings(text):
    """What the lines that are no comment say."""
    return [line for line in text.splitlines() if line and line[0] != "#"]


# --- postgrey -----------------------------------------------------------------------------

@test
def postgrey_as_debian_ships_it(t):
    package = unpack("postgrey", ["postgrey"])
    root = t.folder / "root"
    (root / "etc/default").mkdir(parents=True)
    (root / "etc/postgrey").mkdir()
    shutil.copy(package / "usr/share/postgrey/postgrey-default", root / "etc/default/postgrey")
    for name in ("whitelist_clients", "whitelist_recipients"):
        shutil.copy(package / "usr/share/postgrey" / name, root / "etc/postgrey")
    text, said = convert(t, "postgrey", root=root)
    equal(said, "")
    lines = settings(text)
    for wanted in ("listen policy tcp 127.0.0.1:10023", "greylist delay 5m", "greylist window 2d", "greylist keep 35d",
                   "identity network ipv4-prefix 24 ipv6-prefix 64", "allow client file /etc/postgrey/whitelist_clients",
                   "allow recipient file /etc/postgrey/whitelist_recipients"):
        check(wanted in lines, f"{wanted} in {text}")
    d = served(t, text, root)
    verdicts(d, (PASS, dict(client_name="mail.southwest.com", client_address="192.0.2.9")),
             (PASS, dict(recipient="postmaster@example.net")), (PASS, dict(recipient="abuse@example.com")),
             (DEFER, dict(client_name="mail.example.org")), (DEFER, dict(client_address="192.0.2.77")))


@test
def postgrey_flags(t):
    (t.folder / "clients").write_text("example.org\n192.0.2.0/24 # a comment\n/^mx\\d+\\./\n10.1.2\n2001:db8::/32\n"
                                      "bad name\n/un(closed/\n10.9\n")
    (t.folder / "recipients").write_text("friend@\n")
    text, said = convert(
        t, "postgrey", "--", "-u", "/run/x/postgrey", "--socketmode=0660", "--delay", "60", "--max-age=60", "--retry-w=6h",
        "--lookup-by-host", "--exim", "--greylist-text=Come back in %s for %r, 100%", "--hostname=mx.example.net", "-v",
        f"--whitelist-clients={t.folder}/clients", f"--whitelist-recipients={t.folder}/recipients",
        "--greylist-action=451", "--syslog-facility=local3", "--user=postgrey", "--pidfile=/run/p", "-d", status=1)
    equal(settings(text), [
        "greylist delay 1m", "greylist keep 60d", "greylist window 6h", 'reply text "Come back in %s for %r, 100%%"',
        "hostname mx.example.net", "log level debug", "reply defer 451", "log facility local3",
        "listen policy unix /run/x/postgrey mode 0660 once", "listen control unix /run/greylag/control",
        "identity address", f"allow client file {t.folder}/clients", f"allow recipient file {t.folder}/recipients"])
    for line in (6, 7):
        check(f"{t.folder}/clients:{line}: no equivalent" in said, said)
    equal(said.count("no equivalent"), 2, said)
    check(f"{t.folder}/clients:8: differs: two octets" in said, said)
    sound(t, text)
    d = served(t, text)
    verdicts(d, (PASS, dict(client_name="a.example.org")), (PASS, dict(client_address="192.0.2.200")),
             (PASS, dict(client_name="mx12.other.example", client_address="198.51.100.1")),
             (PASS, dict(client_address="10.1.2.3")), (PASS, dict(client_address="2001:db8::5")),
             (PASS, dict(client_address="198.51.100.1", recipient="friend+x@example.net")),
             ("451 ", dict(client_address="198.51.100.1")))


@test
def postgrey_without_equivalent(t):
    for flag, word in (("--privacy", "addresses as they are"), ("--x-greylist-header=X: y", "greylag's own"),
                       ("--auto-whitelist-clients=0", "always trusts"), ("--no-such", "no such flag"), ("--", "no such flag"),
                       ("-", "no such flag"), ("--i=1", "no such flag"), ("--inet=host.example:25", "not looked up"), ("--delay=x", "number"),
                       ("--delay", "missing"), ("--greylist-action=OK", "DEFER_IF_PERMIT"), ("--ipv4cidr=99", "out of range"),
                       ("--greylist-text=\x01\xff", "cannot be in a reply"), ("--unix=" + "x" * 300, "at most 107"),
                       ("--whitelist-clients=/no/such", "does not exist"), ("--syslogfacility=news", "none of"),
                       ("--max-age=99999999999999999999", "number"), ("--hostname=a\"b\\", "")):
        text, said = convert(t, "postgrey", "--", flag, root=t.folder, status=1 if word else 0)
        check(word in said, f"{flag}: {said}")
        sound(t, text)


@test
def postgrey_defaults_file(t):
    path = t.folder / "postgrey"
    path.write_text("# a comment\n\nPOSTGREY_OPTS=\"--inet=127.0.0.1:60000 \\\n  --delay=120\"\n"
                    "export POSTGREY_OPTS=\"$POSTGREY_OPTS --ipv4cidr=28\"  # more\n"
                    "POSTGREY_TEXT='Wait, 5 minutes please'\nOTHER=1\n")
    text, said = convert(t, "postgrey", path, root=t.folder, status=1)
    check(f"{path}:7: no equivalent: OTHER" in said, said)
    lines = settings(text)
    for wanted in ("listen policy tcp 127.0.0.1:60000", "greylist delay 2m", 'reply text "Wait, 5 minutes please"',
                   "identity network ipv4-prefix 28 ipv6-prefix 64"):
        check(wanted in lines, text)
    sound(t, text)
    check("one file" in convert(t, "postgrey", path, path, root=t.folder, status=69)[1], "says so")
    path.write_bytes(b"\xef\xbb\xbfPOSTGREY_OPTS=\"--delay=120\"\n")
    check("greylist delay 2m" in settings(convert(t, "postgrey", path, root=t.folder)[0]), "a byte order mark")
    path.write_bytes(b"POSTGREY_OPTS=\"--delay=1" + b"\xff\x00" * 5000)
    sound(t, convert(t, "postgrey", path, root=t.folder, status=1)[0])


# --- milter-greylist ----------------------------------------------------------------------

MILTER = r"""
# comment \
pidfile "/run/mg.pid"
socket "/run/mg.sock" 660
greylist 10m
autowhite 10d
timeout 3d
subnetmatch /24
subnetmatch6 /64
quiet
report delays
logfac local1
list "my network" addr { 192.0.2.0/24 \ # ours
     2001:db8:1::/48 \
     198.51.100.77 }
list "friends" domain { .partner.example /^mx[0-9]\+\.ok\.example$/ }
list "none" addr { }
dnsrbl "BL" bl.example 127.0.0.4/31
ratelimit "many" rcpt 10 / 1m
racl "first" whitelist list "my network"
racl whitelist domain friend.example
racl whitelist list "friends"
acl whitelist from alice@good.example rcpt bob@example.net
racl blacklist helo /^localhost$/ msg "You are not localhost" code "554" ecode "5.7.0"
racl blacklist from spammer@bad.example
racl greylist not addr 203.0.113.0/24 rcpt /^slow\(er\)*@/ delay 1h autowhite 30d msg "wait %R"
racl whitelist rcpt wanted@example.net time "* 8-16 * * 1-5"
racl whitelist rcpt /^info@/
racl whitelist list "none"
racl blacklist dnsrbl "BL" addr 203.0.113.0/24
racl greylist default
addr 198.51.100.0/26
"""

MISSING = r"""
noauth
peer 192.0.2.17
stat ">>/x" "%T{%T}\n"
dacl blacklist body /x y/
racl whitelist spf
racl blacklist p0f "Windows"
racl blacklist $prop "x"
racl greylist mx /24 delay 1h
racl whitelist list "not there"
racl continue addheader "X-A: b",1
racl blacklist from /unclosed
list "users" auth { "a" }
nonsense at all
racl frobnicate default
racl blacklist time "5 8 * * *"
racl whitelist addr 10.1
tarpit 10s
racl greylist default delay 99d
list "part" addr { 192.0.2.1 10.1 }
racl whitelist not list "part"
racl whitelist list "part"
"""


@test
def milter_greylist(t):
    path = t.folder / "greylist.conf"
    path.write_text(MILTER)
    text, said = convert(t, "milter-greylist", path)
    check("no equivalent" not in said, said)
    equal(said.count("differs"), 2, said)
    sound(t, text)
    lines = settings(text)
    for wanted in ("greylist delay 10m", "greylist keep 10d", "greylist window 3d", "reply header yes", "log facility local1",
                   "identity network ipv4-prefix 24 ipv6-prefix 64", "allow client set my-network", "defer",
                   "block dnsbl bl.example=127.0.0.4/31 client 203.0.113.0/24",
                   "allow recipient wanted@example.net time 08:00-17:00 weekday mon-fri"):
        check(wanted in lines, f"{wanted} in {text}")
    check('greylag-milter --listen "/run/mg.sock" --mode 660' in text, text)
    check(f"# {path}:20: racl" in text, text)
    d = served(t, text)
    verdicts(d, (PASS, dict(client_address="192.0.2.9")), (PASS, dict(client_address="2001:db8:1::5")),
             (PASS, dict(client_address="198.51.100.77")), (PASS, dict(client_address="198.51.100.1")),
             (DEFER, dict(client_address="198.51.100.80")),
             (PASS, dict(client_address="198.51.100.80", client_name="a.friend.example")),
             (PASS, dict(client_address="198.51.100.80", client_name="b.partner.example")),
             (PASS, dict(client_address="198.51.100.80", client_name="mx12.ok.example")),
             (PASS, dict(client_address="198.51.100.80", sender="alice@good.example", recipient="bob@example.net")),
             (DEFER, dict(client_address="198.51.100.80", sender="alice@good.example", recipient="eve@example.net")),
             ("554 5.7.0 You are not", dict(client_address="198.51.100.80", helo_name="localhost")),
             (BLOCK, dict(client_address="198.51.100.80", sender="spammer@bad.example")),
             (f"{DEFER} wait 3600 seconds", dict(client_address="198.51.100.80", recipient="slowerer@example.net")),
             (PASS, dict(client_address="198.51.100.80", recipient="info@example.net")),
             (f"{DEFER} 4.2.0 Greylisted, please come back later", dict(client_address="203.0.113.6")))


@test
def milter_greylist_without_equivalent(t):
    path = t.folder / "greylist.conf"
    path.write_text(MISSING)
    text, said = convert(t, "milter-greylist", path, status=1)
    sound(t, text)
    for number, line in enumerate(MISSING.split("\n"), 1):
        if line and "racl continue" not in line and "99d" not in line and line != 'racl whitelist list "part"':
            check(f"{path}:{number}: no equivalent" in said, f"{line} in {said}")
    check("addheader" in said and "#   no equivalent: " in text, said)
    check("greylist.conf:19: differs: greylag takes no longer time" in said, said)
    check("allow client set part" in settings(text) and "allow not" not in text, text)


@test
def milter_greylist_awkward_input(t):
    path = t.folder / "greylist.conf"
    for awkward in (b"", b"\x00\xff\xfe", b"racl", b"list \"a\"", b"list \"a\" addr { 1.2.3.4", b"racl whitelist from \"",
                    b"racl whitelist addr 1.2.3.4 \\", b"greylist 99999999999999999999d\n", b"racl blacklist msg \"\xe4\" default\n",
                    b"list \"set\" rcpt { client text not file }\nracl whitelist list \"set\"\n", b"\\\n\\\n\\\n",
                    b"list \"a b\" addr { 1.1.1.1 }\nlist \"a-b\" addr { 2.2.2.2 }\nracl whitelist list \"a-b\"\n",
                    b"racl whitelist rcpt a@b.example\n" * 3000,
                    b"list \"big\" addr {" + b"".join(b" 10.%d.%d.1" % (i // 256, i % 256) for i in range(3000)) + b" }\nracl whitelist list \"big\"\n",
                    b"racl whitelist rcpt /" + b"(" * 2000 + b"/\n", b"racl whitelist domain " + b"a." * 3000 + b"\n",
                    b"racl whitelist not not not\n", b"racl greylist default delay 99d\n" * 400, b"logfac nothing\nreport\n" * 150,
                    b"logfac \x01\n", b"racl whitelist rcpt /[/\n", b"quiet\nquiet\n"):
        path.write_bytes(awkward)
        sound(t, convert(t, "milter-greylist", path, status=convert_status(t, path))[0])
    d = served(t, convert(t, "milter-greylist", big(path))[0])
    verdicts(d, (PASS, dict(client_address="10.11.5.1")), (DEFER, dict(client_address="10.11.5.2")))


def convert_status(t, path):
    r = subprocess.run([t.args.greylag, "convert", "milter-greylist", str(path)], capture_output=True, timeout=LIMIT)
    check(r.returncode in (0, 1), r.stderr[-500:])
    return r.returncode


def big(path):
    path.write_text('list "big" addr {' + "".join(f" 10.{i // 256}.{i % 256}.1" for i in range(3000)) + ' }\nracl whitelist list "big"\n')
    return path


@test
def milter_times_in_our_range(t):
    path = t.folder / "long.conf"
    path.write_text('list "p" from { boss@x.example }\nracl greylist list "p" delay 2d\nracl whitelist default\n')
    text, said = convert(t, "milter-greylist", path)
    check("long.conf:2: differs: greylag takes no longer time" in said, said)
    sound(t, text)
    verdicts(served(t, text), (DEFER, dict(sender="boss@x.example")), (PASS, dict(sender="clerk@x.example")))


@test
def no_passwords_come_out(t):
    path = t.folder / "secret.conf"
    path.write_text('ldapconf "ldap://l/" bindpw "GEHEIM"\ntsig "k" "GEHEIM"\nurlcheck "u" "http://u:GEHEIM@x/" 1\n'
                    'ldapcheck "l" "ldap://u:GEHEIM@x/"\nnsupdate "n" key "GEHEIM"\nbindpw GEHEIM\nbindpw=GEHEIM\n'
                    '"GEHEIM" x\ntsig "k" "GEHEIM\nldapconf "ldap://l/ \\\n bindpw "GEHEIM"\n')
    for peer, lines in (
            ("milter-greylist", None), ("relaydelay", '$database_user="u"; $database_pass="GEHEIM";\n$Secret{x} = "GEHEIM";\n'),
            ("sqlgrey", "db_password = GEHEIM\ndb_pass  GEHEIM\ndb_pass GEHEIM = 1\nclient_secret = GEHEIM\n")):
        if lines:
            path.write_text(lines)
        text, said = convert(t, peer, path, status=1)
        check("GEHEIM" not in text + said, f"{peer}: {text}{said}")
        sound(t, text)


# --- sqlgrey, relaydelay ------------------------------------------------------------------

@test
def sqlgrey_as_debian_ships_it(t):
    package = unpack("sqlgrey", ["sqlgrey"])
    text, said = convert(t, "sqlgrey", root=package)
    check("no equivalent" not in said, said)
    lines = settings(text)
    for wanted in ("listen policy tcp 127.0.0.1:2501", "greylist delay 5m", "greylist window 24h", "greylist keep 60d",
                   "allow client file /etc/sqlgrey/clients_ip_whitelist"):
        check(wanted in lines or wanted.replace("24h", "1d") in lines, f"{wanted} in {text[:2000]}")
    d = served(t, text, package)
    verdicts(d, (PASS, dict(client_name="x.southwest.com")), (DEFER, dict(client_name="southwest.com")),
             (PASS, dict(client_name="isp.belgacom.be")), (DEFER, dict(client_name="x.isp.belgacom.be")),
             (PASS, dict(client_address="64.12.137.9")), (DEFER, dict(client_address="64.13.137.9")))


@test
def sqlgrey_settings(t):
    folder = t.folder / "sqlgrey"
    folder.mkdir()
    path = folder / "sqlgrey.conf"
    path.write_text(f"conf_dir = {folder}\nreconnect_delay = 15 # strict\nmax_connect_age=2\nawl_age = 32\ngreymethod = full\n"
                    "unix = /run/sqlgrey\ndb_pass = geheim\nprepend = 0\nreject_first_attempt = immed\nreject_code = 451\n"
                    "discrimination = on\noptmethod = optin\nadmin_mail = x@y.example\nno_such = 1\njunk\nloglevel = 3\n")
    (folder / "discrimination.regexp").write_text("# comment\nclient_name =~ ^unknown$\nclient_name =~ \\d+-\\d+-\\d+-\\d+   # DSL\n"
                                                  "helo_name !~ \\w\\.\\w+$\nsize =~ 1\nsender =~ (unclosed\n")
    (folder / "clients_fqdn_whitelist.local").write_text("good.example\nbad name\n*.below.example\n")
    text, said = convert(t, "sqlgrey", path, status=1)
    check("geheim" not in text + said, "no password")
    sound(t, text)
    for line in (12, 13, 14, 15):
        check(f"{path}:{line}: no equivalent" in said, said)
    for line in (5, 6):
        check(f"discrimination.regexp:{line}: no equivalent" in said, said)
    check("clients_fqdn_whitelist.local:2: no equivalent" in said, said)
    lines = settings(text)
    for wanted in ("greylist delay 15m", "greylist window 2h", "greylist keep 32d", "identity address", "reply header no",
                   "reply defer 451", "log level debug", "allow"):
        check(wanted in lines, text)
    d = served(t, text)
    good = dict(client_name="mx.other.example", helo_name="mx.other.example")
    verdicts(d, ("451 ", dict(good, client_name="unknown")), (PASS, good), ("451 ", dict(good, helo_name="short")),
             ("451 ", dict(good, client_name="1-2-3-4.pool.example")), (PASS, dict(good, helo_name="short", client_name="good.example")),
             ("451 ", dict(good, helo_name="short", client_name="x.good.example")),
             (PASS, dict(good, helo_name="short", client_name="x.below.example")))


@test
def relaydelay(t):
    path = t.folder / "relaydelay.conf"
    path.write_text("use strict;\n$verbose = 1;\n$database_pass = 'geheim';\nmy $delay_mail_secs = 50 * 60;  # 50 Minutes\n"
                    "$auto_record_life_secs = 5 * 3600;\n$update_record_life_secs = 36 * 24 * 3600;\n"
                    "$do_relay_lookup_by_subnet = 0;\n$pass_mail_when_db_unavail = 1;\n$reverse_mail_tracking = 1;\n"
                    "$reverse_mail_life_secs = 4 * 24 * 3600;\n1;\n")
    text, said = convert(t, "relaydelay", path)
    equal(said, "")
    check("geheim" not in text, "no password")
    sound(t, text)
    lines = settings(text)
    for wanted in ("greylist delay 50m", "greylist window 5h", "greylist keep 36d", "on-store-failure pass", "outbound keep 4d",
                   "identity network ipv4-prefix 32 ipv6-prefix 128"):
        check(wanted in lines or wanted.replace("36d", "5w1d") in lines, f"{wanted} in {text}")
    path.write_text("$tempfail_messages_after_data_phase = 1;\nif ($x) { die }\n$other = 1;\n$delay_mail_secs = `rm`;\n$update_record_life = 0;\n")
    text, said = convert(t, "relaydelay", path, status=1)
    for line in range(1, 6):
        check(f"{path}:{line}: no equivalent" in said, f"{line}: {said}")
    sound(t, text)


@test
def usage(t):
    for words, status in ((["no-such"], 64), (["postgrey", t.folder / "none"], 69), (["sqlgrey", t.folder], 69),
                          (["relaydelay", "a", "b"], 69)):
        said = convert(t, *words, status=status)[1]
        check(said, "says so")


test.main()
