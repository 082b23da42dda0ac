#!/usr/bin/env python3
"""Parts that are missing: the store's folder, its disk, its time; the clock."""
import os
import pathlib
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from harness import LIMIT, Asker, Skip, Tests, ask_once, check, equal, request_bytes, wait_for

test = Tests(__doc__)
NEW = 'reply text "Greylisted %w"\ngreylist delay 1h'


def refuses_to_start(t, d, text):
    d.start(wait=False)
    equal(d.process.wait(LIMIT), 69, "exit status")
    check(text in d.tail(), f"{text!r} not in {d.tail()}")


@test
def store_folder_is_a_file(t):
    d = t.daemon(store="rocksdb", start=False)
    d.store_folder.write_text("x")
    refuses_to_start(t, d, "store")


@test
def store_folder_is_missing(t):
    d = t.daemon(start=False, store=f"rocksdb {t.folder}/no/such/folder")
    refuses_to_start(t, d, "/no/such")


@test
def store_is_locked_by_another(t):
    d = t.daemon(NEW, store="rocksdb")
    other = t.daemon(store=f"rocksdb {d.store_folder}", start=False)
    refuses_to_start(t, other, "another")
    check(ask_once(d.socket).startswith("DEFER"), "the first serves on")


@test
def store_is_damaged(t):
    d = t.daemon(store="rocksdb")
    ask_once(d.socket)
    d.stop()
    manifest = next(d.store_folder.glob("MANIFEST-*"))
    manifest.write_bytes(b"\0garbage" * 100)
    refuses_to_start(t, d, "damaged")


@test
def store_hangs(t):
    d = t.daemon("store deadline 200ms\n" + NEW, store="failing hang")
    started = time.monotonic()
    with Asker(d.socket) as a:
        equal(a.ask(), "DUNNO", "mail flows")
        check(0.1 < time.monotonic() - started < 20, "after the deadline")
        d.configure("store deadline 200ms\non-store-failure defer\n" + NEW)
        d.send_signal(signal.SIGHUP)
        wait_for(lambda: "configuration reloaded" in d.logged(), "the reload")
        check("Greylisted store-timeout" in a.ask(), "or is deferred, as configured")
    # Many at once wait together, not one after the other.
    askers = [Asker(d.socket) for _ in range(200)]
    started = time.monotonic()
    for i, a in enumerate(askers):
        a.send(request_bytes(sender=f"s{i}@x.example"))
    for a in askers:
        check("store-timeout" in a.reply(), "each gets its answer")
    check(time.monotonic() - started < 20, "in one deadline")
    equal(d.stop(), 0, "and it stops")


@test
def store_fails(t):
    d = t.daemon(NEW, store="failing fail")
    equal(ask_once(d.socket), "DUNNO")
    wait_for(lambda: "reason=store-failure" in d.logged(), "the reason")


@test
def disk_full_and_free_again(t):
    """A store on a tiny file system: full, mail flows; free again, it remembers again."""
    if os.geteuid() != 0:
        raise Skip("mounting needs root")
    disk = t.folder / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", disk], capture_output=True).returncode:
        raise Skip("cannot mount a tmpfs here")
    t.at_end(lambda: subprocess.run(["umount", "-l", disk]))
    (disk / "store").mkdir()
    d = t.daemon(NEW + "\nstore write-buffer 1M", store=f"rocksdb {disk}/store")
    with Asker(d.socket) as a:
        equal(a.ask(client_address="10.0.0.1"), "DEFER_IF_PERMIT 4.2.0 Greylisted new")
        with open(disk / "filler", "wb") as f:
            try:
                while True:
                    f.write(b"x" * 65536)
                    f.flush()
            except OSError:
                pass
        failed = 0
        for i in range(20000):
            reply = a.ask(client_address=f"10.1.{i >> 8}.{i & 255}", sender=f"a{chr(97 + i % 26)}@d{i}.example")
            if reply == "DUNNO":
                failed += 1
                break
        check(failed, "the full disk was never noticed")
        wait_for(lambda: "reason=store-failure" in d.logged() or "reason=store-timeout" in d.logged(), "the reason")
        check(d.alive(), "it lives")
        (disk / "filler").unlink()

        def recovered():
            recovered.n += 1
            return "Greylisted new" in a.ask(client_address=f"10.2.{recovered.n}.1")
        recovered.n = 0
        wait_for(recovered, "the store to recover", 60)
        equal(a.ask(client_address="10.0.0.1"), "DEFER_IF_PERMIT 4.2.0 Greylisted early", "the record from before")
    d.stop()
    d.start()
    equal(ask_once(d.socket, client_address="10.0.0.1"), "DEFER_IF_PERMIT 4.2.0 Greylisted early", "after a restart")


@test
def backup_while_mail_flows(t):
    d = t.daemon(NEW, store="rocksdb")
    with Asker(d.socket) as a:
        for i in range(100):
            a.ask(client_address=f"10.0.{i}.1")
        t.greylag(d, "backup", str(d.store_folder / "backup-1"))
        equal(a.ask(client_address="10.9.9.9"), "DEFER_IF_PERMIT 4.2.0 Greylisted new", "still serving")
    d.stop()
    copy = t.daemon(NEW, store=f"rocksdb {d.store_folder}/backup-1")
    with Asker(copy.socket) as a:
        for i in range(100):
            equal(a.ask(client_address=f"10.0.{i}.1"), "DEFER_IF_PERMIT 4.2.0 Greylisted early", f"record {i}")
        equal(a.ask(client_address="10.9.9.9"), "DEFER_IF_PERMIT 4.2.0 Greylisted new", "came after the copy")


@test
def growth_is_bounded_for_one_network(t):
    d = t.daemon(NEW + "\ncap identity 1000\nlog level warning", store="rocksdb")
    with Asker(d.socket) as a:
        a.ask(client_address="198.51.100.1")
        for i in range(6000):
            a.ask(sender=f"x{i:x}{chr(103 + i % 20)}q@d{i}.example")
        wait_for(lambda: len(t.greylag(d, "--json", "show", "client", "192.0.2.0/24").splitlines()) <= 1500,
                 "the flood to be thinned out")
        equal(a.ask(client_address="198.51.100.1"), "DEFER_IF_PERMIT 4.2.0 Greylisted early", "others are spared")


@test
def a_store_survives_restarts_and_keeps_counting(t):
    d = t.daemon("greylist delay 0s", store="rocksdb")
    ask_once(d.socket)
    d.stop()
    d.start()
    check(ask_once(d.socket).startswith("PREPEND X-Greylist"), "first pass")
    d.stop()
    d.start()
    equal(ask_once(d.socket), "DUNNO", "known")


if __name__ == "__main__":
    test.main()
