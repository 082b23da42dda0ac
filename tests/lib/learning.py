"""What the tests of greylag learn share."""
import subprocess

from harness import LIMIT, ask_once, check, equal, wait_for


def learn(t, *words, daemon=None, stdin=b"", status=0):
    """(output, standard error) of greylag learn."""
    control = daemon.control if daemon else t.folder / "nowhere"
    r = subprocess.run([t.args.greylag, "--socket", str(control), "learn", *map(str, words)], capture_output=True,
                       input=stdin, timeout=LIMIT * 3)
    out, err = r.stdout.decode(), r.stderr.decode()
    equal(r.returncode, status, f"learn {words}: {out}{err}")
    return out, err


def first_mail(d, address, name="unknown", **more):
    """The verdict on a mail between two who never met."""
    d.letters = getattr(d, "letters", 0) + 1
    return ask_once(d.socket, client_address=address, client_name=name, sender=f"s{d.letters}@first.example",
                    recipient=f"r{d.letters}@example.net", **more)


def passes(d, address, name="unknown"):
    equal(first_mail(d, address, name), "DUNNO", f"the first mail of {address}")
    wait_for(lambda: any("reason=allowed" in line and f"from=<s{d.letters}@" in line for line in d.logged().splitlines()),
             "reason=allowed")


def deferred(d, address, name="unknown"):
    check(first_mail(d, address, name).startswith("DEFER"), f"{address} is a stranger")
