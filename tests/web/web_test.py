#!/usr/bin/env python3
"""greylag-web over HTTP, against a real greylagd: metrics, access, limits."""
import collections
import concurrent.futures
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from harness import LIMIT, Asker, Skip, Tests, ask_once, check, equal, free_port, raise_descriptors, wait_for
from web import TOKEN, Web

test = Tests(__doc__)
test.parser.add_argument("--web", default="build/src/web/greylag-web")


def served(t, *options, token=TOKEN, config="", start=True):
    """A greylagd that has judged something, and a greylag-web that looks on."""
    d = t.daemon(config)
    with Asker(d.socket) as a:
        a.ask(client_address="192.0.2.1", sender="alice@example.org", recipient="bob@example.net")
        a.ask(client_address="198.51.100.7", client_name="mail.sender.example", sender="dave@sender.example")
    w = Web(t.args.web, t.folder, d.control, *options, token=token)
    t.at_end(w.stop)
    return d, w


def bearer():
    return {"Authorization": f"Bearer {TOKEN}"}


def soon(w, *words, **more):
    """The status of an answer that comes within a second, else None: one that waits for greylagd takes two."""
    try:
        return w.ask(*words, limit=1, **more).status
    except TimeoutError:
        return None


# --- Metrics ---------------------------------------------------------------------------

SAMPLE = re.compile(r'([a-zA-Z_:][\w:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (-?[0-9.]+(?:e[+-]?\d+)?|[+-]Inf|NaN)')
LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\\n]|\\["\\n])*)"')


def parse(text):
    """{name: {labels: value}} of the text format, strictly: each family once, its HELP and TYPE
    before its samples, no sample twice, histograms complete and rising."""
    check(text.endswith("\n"), "ends with a newline")
    families, samples, family = {}, {}, None
    for line in text.splitlines():
        if line.startswith("# HELP "):
            family = line.split(" ")[2]
            check(family not in families, f"{family} twice")
            families[family] = None
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            equal(name, family, "TYPE follows its HELP")
            check(kind in ("counter", "gauge", "histogram"), kind)
            families[name] = kind
        else:
            m = SAMPLE.fullmatch(line)
            check(m, f"no sample: {line!r}")
            name, labels = m[1], tuple(sorted(LABEL.findall(m[2] or "")))
            base = re.sub(r"_(bucket|sum|count)$", "", name) if families[family] == "histogram" else name
            equal(base, family, "a sample of its family")
            check(families[family] != "counter" or name.endswith("_total"), f"{name} is a counter")
            check(labels not in samples.setdefault(name, {}), f"{line} twice")
            samples[name][labels] = float(m[3])
    for name, kind in families.items():
        if kind == "histogram":
            buckets = [(float(dict(labels)["le"]), n) for labels, n in samples[name + "_bucket"].items()]
            equal(buckets, sorted(buckets), f"{name} by its bounds")
            equal([n for _, n in buckets], sorted(n for _, n in buckets), f"{name} rises")
            equal(buckets[-1], (float("inf"), samples[name + "_count"][()]), f"{name} ends")
    return samples


def verdict(m, v, reason):
    return m["greylag_verdicts_total"].get((("reason", reason), ("verdict", v)), 0)


@test
def metrics(t):
    started = time.monotonic()
    d, w = served(t, token=None, config="greylist delay 1s\n")
    time.sleep(1.2)
    ask_once(d.socket, client_address="192.0.2.1", sender="alice@example.org", recipient="bob@example.net")

    def latest():
        """Of the last second, a moment later."""
        r = w.ask("/metrics")
        return parse(r.text)["greylag_requests_total"][()] == 3 and r
    r = wait_for(latest, "the figures of all")
    equal((r.status, r.headers["Content-Type"]), (200, "text/plain; version=0.0.4; charset=utf-8"))
    m = parse(r.text)
    equal(m["greylag_up"], {(): 1.0})
    equal(verdict(m, "defer", "new"), 2)
    equal(verdict(m, "pass", "retried"), 1)
    equal(m["greylag_requests_total"][()], 3)
    equal(m["greylag_answer_seconds_count"][()], 3)
    equal(m["greylag_delay_seconds_count"][()], 1)
    took = time.monotonic() - started
    check(1 <= m["greylag_delay_seconds_sum"][()] <= took + 1, "delay suffered")
    check(0 < m["greylag_answer_seconds_sum"][()] < took, "seconds, not microseconds")
    equal(m["greylag_store_healthy"], {(("driver", "memory"),): 1.0})
    check(abs(m["greylag_start_time_seconds"][()] - time.time()) < 60, "start")
    try:
        from prometheus_client.parser import text_string_to_metric_families
    except ImportError:
        return
    check(len(list(text_string_to_metric_families(r.text))) > 20, "the client library reads it too")


@test
def health(t):
    d, w = served(t)
    equal((w.ask("/healthz").status, w.ask("/healthz").text), (200, "ok\n"))
    equal(w.ask("/healthz", Host="any.name.example").status, 200)
    equal(w.ask("/healthz", Host=None).status, 200)
    d.stop()
    wait_for(lambda: w.ask("/healthz").status == 503, "503")
    equal(parse(w.ask("/metrics", **bearer()).text), {"greylag_up": {(): 0.0}})
    r = w.ask("/api/state", **bearer())
    equal(r.status, 503)
    check("greylagd" in r.json()["error"], r.text)
    check("does not answer" in w.ask("/", **bearer()).text, "without scripts too")
    d.start()
    wait_for(lambda: w.ask("/healthz").status == 200, "200 again")
    d.process.send_signal(signal.SIGSTOP)
    try:
        wait_for(lambda: soon(w, "/healthz") == 503, "503")
        statuses = [soon(w, "/healthz") for _ in range(9)]
        check(statuses.count(503) >= 8 and set(statuses) <= {503, None}, f"nobody waits, but one perhaps for the machine: {statuses}")
    finally:
        d.process.send_signal(signal.SIGCONT)
    wait_for(lambda: w.ask("/healthz").status == 200, "200 again")


WHY = {"client": "192.0.2.1", "sender": "alice@example.org", "recipient": "bob@example.net"}


@test
def slow_questions(t):
    d, w = served(t)
    d.process.send_signal(signal.SIGSTOP)
    try:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            stopped = time.monotonic()
            whys = [pool.submit(w.ask, "/api/why", "POST", WHY, **bearer()) for _ in range(8)]
            time.sleep(0.5)
            check(w.ask("/healthz").status and not any(f.done() for f in whys), "answered beside them")
            wait_for(lambda: soon(w, "/healthz") == 503, "503, an answer within a second")
            check(time.monotonic() - stopped < 6.5, "not after them")
            wait_for(lambda: soon(w, "/metrics", **bearer()) == 200, "figures at once")
            equal(parse(w.ask("/metrics", **bearer()).text), {"greylag_up": {(): 0.0}})
            equal(w.ask("/api/why", "POST", WHY, limit=4, **bearer()).status, 503, "refused at once by now")
            equal([f.result().status for f in whys], [503] * 8)
            check(time.monotonic() - stopped < 15, "none waited long")
    finally:
        d.process.send_signal(signal.SIGCONT)
    wait_for(lambda: w.ask("/api/why", "POST", WHY, **bearer()).status == 200, "served again")


@test
def dripping_answer(t):
    """What sends a byte now and then has no more time than what is silent."""
    path, ends = t.folder / "drip", threading.Event()
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(path))
        s.listen()
        s.settimeout(0.2)

        def drip():
            open_ = []
            while not ends.is_set():
                try:
                    open_.append(s.accept()[0])
                except TimeoutError:
                    pass
                for c in open_:
                    try:
                        c.send(b"{")
                    except OSError:
                        pass
            for c in open_:
                c.close()
        thread = threading.Thread(target=drip)
        thread.start()
        try:
            w = Web(t.args.web, t.folder, path, token=TOKEN)
            t.at_end(w.stop)
            started = time.monotonic()
            equal(w.ask("/healthz", limit=20).status, 503)
            w.stop()
            check(time.monotonic() - started < 20, "its question ended")
        finally:
            ends.set()
            thread.join()


# --- Who may ----------------------------------------------------------------------------

@test
def no_token_no_access(t):
    d, w = served(t)
    for path in ("/metrics", "/api/state", "/api/history?days=1", "/api/lists"):
        r = w.ask(path)
        equal((r.status, r.headers["WWW-Authenticate"][:6]), (401, "Bearer"), path)
    equal((w.ask("/").status, w.ask("/").headers["Location"]), (303, "login"))
    for path in ("/api/why", "/api/action", "/logout"):
        equal(w.ask(path, "POST", {}).status, 401, path)
    started = time.monotonic()
    for wrong in ("", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "x" * 5000):
        equal(w.ask("/metrics", Authorization=f"Bearer {wrong}").status, 401, wrong[:40])
        equal(w.ask("/login", "POST", f"token={wrong}", Content_Type="application/x-www-form-urlencoded").status, 403)
    mine = f"greylag-web-{w.port}"
    for cookie in (f"{mine}=", f"{mine}=" + "0" * 32, f"{mine}=" + "x" * 3000, "other=1", mine):
        equal(w.ask("/metrics", Cookie=cookie).status, 401, cookie[:40])
    time.sleep(1.1)
    w.ask("/metrics", Authorization="Bearer wrong")
    told = lambda: [int(n) for n in re.findall(r"with a wrong token from 127.0.0.1, (\d+) since", w.log.read_text())]
    wait_for(lambda: sum(told()) == 11, "the log to tell of all")
    check(len(told()) <= time.monotonic() - started + 1, "in few lines, one a second")
    equal(w.ask("/metrics", **bearer()).status, 200)
    equal(w.ask("/metrics", Authorization=f"bearer  {TOKEN} ").status, 200)


@test
def session(t):
    d, w = served(t)
    r = w.ask("/login", "POST", f"a=b&token={TOKEN.replace('-', '%2D')}&c", Content_Type="application/x-www-form-urlencoded",
              X_Forwarded_Proto="https", Origin=f"https://127.0.0.1:{w.port}")
    equal(r.status, 303)
    for word in ("HttpOnly", "SameSite=Strict", "Secure", "Max-Age=43200"):
        check(word in r.headers["Set-Cookie"], word)
    cookie, csrf = w.login()
    check("Secure" not in w.ask("/login", "POST", f"token={TOKEN}").headers["Set-Cookie"], "plain HTTP")
    equal(w.ask("/", Cookie=cookie).status, 200)
    equal(w.ask("/login", Cookie=cookie).status, 303)
    state = w.ask("/api/state", Cookie=cookie).json()
    check(state["may_act"] and len(state["recent"]) == 2 and state["status"]["requests"] == 2, str(state)[:300])
    check(cookie.startswith(f"greylag-web-{w.port}="), "cookies know no ports")
    elsewhere = w.ask("/login", "POST", f"token={TOKEN}", Host="localhost:8026").headers["Set-Cookie"]
    check(elsewhere.startswith("greylag-web-8026="), elsewhere)
    check(w.ask("/login", "POST", f"token={TOKEN}", Host="localhost").headers["Set-Cookie"].startswith("greylag-web="), "no port")
    equal(w.ask("/logout", "POST", {}, Cookie=cookie).status, 403, "CSRF")
    equal(w.ask("/logout", "POST", {}, Cookie=cookie, X_CSRF_Token=csrf).status, 200)
    equal(w.ask("/api/state", Cookie=cookie).status, 401)
    first, _ = w.login()
    for _ in range(64):
        w.login()
    equal(w.ask("/api/state", Cookie=first).status, 401, "of too many the oldest ends")


@test
def csrf_and_origin(t):
    d, w = served(t)
    cookie, csrf = w.login()
    allow = {"action": "allow", "kind": "client", "value": "192.0.2.0/24"}
    ours = f"http://127.0.0.1:{w.port}"
    for headers in ({}, {"X_CSRF_Token": ""}, {"X_CSRF_Token": "0" * 32}, {"X_CSRF_Token": csrf[:-1]},
                    {"X_CSRF_Token": csrf, "Origin": "http://evil.example"}, {"X_CSRF_Token": csrf, "Origin": "null"},
                    {"X_CSRF_Token": csrf, "Origin": ours + "0"}, {"X_CSRF_Token": csrf, "Origin": f"http://localhost:{w.port}"},
                    {"X_CSRF_Token": csrf, "Sec_Fetch_Site": "cross-site"}, {"X_CSRF_Token": csrf, "Sec_Fetch_Site": "same-site"}):
        equal(w.ask("/api/action", "POST", allow, Cookie=cookie, **headers).status, 403, str(headers))
    for kind in ("text/plain", "application/x-www-form-urlencoded", None):
        equal(w.ask("/api/action", "POST", json.dumps(allow), Cookie=cookie, X_CSRF_Token=csrf, Content_Type=kind).status, 415)
    check("nothing" in subprocess.run([t.args.greylag, "--socket", str(d.control), "lists"],
                                      capture_output=True, text=True).stderr, "nothing was done")
    r = w.ask("/api/action", "POST", allow, Cookie=cookie, X_CSRF_Token=csrf, Origin=ours, Sec_Fetch_Site="same-origin")
    equal((r.status, r.json()["rows"][0]["outcome"]), (200, "added"), r.text)
    equal(w.ask("/login", "POST", f"token={TOKEN}", Origin="http://evil.example").status, 403)


@test
def wrong_host(t):
    d, w = served(t, "--host", "greylag.example.org", token=None)
    for host in ("evil.example", f"evil.example:{w.port}", "", "127.0.0.1.evil.example", "localhost.evil.example", "[::1", "::1", None,
                 "greylag.example.org.evil.example", "x" * 3000):
        check(w.ask("/api/state", Host=host).status in (400, 421), str(host)[:40])
    for host in ("localhost", "LocalHost:1", "127.0.0.1", "[::1]:8025", "greylag.example.org", "GREYLAG.example.org:443"):
        equal(w.ask("/api/state", Host=host).status, 200, host)
    two = f"GET /api/state HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n".encode()
    check(w.send_raw(two).startswith((b"HTTP/1.1 421", b"HTTP/1.1 400")), "two hosts")


@test
def headers_and_methods(t):
    d, w = served(t, token=None)
    page = w.ask("/")
    for path in ("/", "/api/state", "/metrics", "/healthz", "/nowhere"):
        h = w.ask(path).headers
        equal((h["Cache-Control"], h["X-Content-Type-Options"], h["X-Frame-Options"]), ("no-store", "nosniff", "DENY"), path)
        check(h["Content-Security-Policy"].startswith("default-src 'none'"), path)
        check("frame-ancestors 'none'" in h["Content-Security-Policy"] and h["Referrer-Policy"], path)
    check("unsafe" not in page.headers["Content-Security-Policy"], "inline code by its hash alone")
    check(not re.search(r'(?:src|href|action)="(?:https?:)?//', page.text), "nothing from elsewhere")
    check("<td>defer<td>new<td>2" in page.text, "numbers without scripts")
    for method, path, status in (("PUT", "/", 405), ("DELETE", "/api/state", 405), ("GET", "/api/action", 405), ("GET", "/no", 404),
                                 ("GET", "/../../etc/passwd", 404), ("GET", "//", 404), ("GET", "/api/history", 400),
                                 ("GET", "/api/history?days=0", 400), ("GET", "/api/history?days=9999", 400),
                                 ("GET", "/api/lists?list=%ff", 400), ("GET", "/api/lists?list=a%20b", 422),
                                 ("GET", "/api/state?after=x", 200), ("HEAD", "/", 200), ("GET", "/api/lists?pattern=%25s%25n", 200)):
        equal(w.ask(path, method).status, status, f"{method} {path}")
    equal(w.ask("/", "HEAD").body, b"")
    rows = w.ask("/api/history?days=1").json()["rows"]
    # Two rows if an hour has just ended.
    verdicts = collections.Counter()
    for row in rows:
        verdicts.update({(v, reason): n for v, reasons in row["verdicts"].items() for reason, n in reasons.items()})
    equal(verdicts, {("defer", "new"): 2})
    equal([r["number"] for r in w.ask("/api/state?after=1").json()["recent"]], [2])
    equal(w.ask("/api/action", "POST", {"action": "allow", "kind": "client", "value": "192.0.2.1"}).status, 403, "shows only")


@test
def read_only_control(t):
    look = t.folder / "look"
    d = t.daemon(f"listen control unix {look} read-only")
    w = Web(t.args.web, t.folder, look, token=TOKEN)
    t.at_end(w.stop)
    equal(w.ask("/api/state", **bearer()).status, 200)
    equal(w.ask("/api/state", **bearer()).json()["may_act"], False)
    r = w.ask("/api/action", "POST", {"action": "allow", "kind": "client", "value": "192.0.2.1"}, **bearer())
    equal(r.status, 403)
    check("read-only" in r.json()["error"], r.text)


# --- What is done -------------------------------------------------------------------------

@test
def actions(t):
    d, w = served(t)

    def act(status=200, **words):
        r = w.ask("/api/action", "POST", words, **bearer())
        equal(r.status, status, f"{words}: {r.text}")
        return r.json()
    act(action="allow", kind="client", value="192.0.2.1", comment="ü <b>", **{"for": "30d"})
    act(action="block", kind="sender", value="spam@example.com")
    act(action="expect", value="bob@example.net", **{"from": "shop.example", "for": "15m"})
    listed = w.ask("/api/lists", **bearer()).json()["rows"]
    equal(sorted((r["list"], r["kind"], r["value"], r["author"], r["comment"]) for r in listed),
          [("allow", "client", "192.0.2.1", "web", "ü <b>"), ("block", "sender", "spam@example.com", "web", ""),
           ("expect", "pair", "bob@example.net<shop.example", "web", "")])
    check(ask_once(d.socket, client_address="192.0.2.1", sender="new@example.org").startswith("DUNNO"), "allowed")
    equal(act(action="unlist", list="allow", kind="client", value="192.0.2.1")["rows"][0]["outcome"], "removed")
    equal(act(action="unlist", list="allow", kind="client", value="192.0.2.1")["rows"][0]["outcome"], "absent")
    equal(act(action="forget", kind="client", value="sender.example", dry_run=True)["rows"], [{"forgotten": 1, "dry_run": True}])
    equal(act(action="forget", kind="client", value="sender.example")["rows"][-1], {"forgotten": 1, "dry_run": False})
    for status, words in ((422, {"action": "allow", "kind": "client", "value": "nonsense"}), (422, {"action": "allow", "kind": "x", "value": "y"}),
                          (400, {"action": "allow", "kind": "client", "value": ""}), (400, {"action": "forget", "kind": "client"}),
                          (400, {"action": "allow", "kind": "client", "value": "192.0.2.1", "for": "soon"}), (400, {"action": "no-such"}), (400, {}),
                          (400, {"action": "expect", "value": "bob@example.net"}), (422, {"action": "forget", "kind": "client", "value": "*"}),
                          (422, {"action": "unlist", "list": "a b", "kind": "client", "value": "192.0.2.1"}),
                          (422, {"action": "allow", "kind": "client", "value": "x" * 5000})):
        act(status, **words)
    why = w.ask("/api/why", "POST", {"client": "192.0.2.1", "sender": "alice@example.org", "recipient": "bob@example.net"}, **bearer())
    equal((why.status, why.json()["verdict"], why.json()["reason"]), (200, "defer", "early"))
    bounce = w.ask("/api/why", "POST", {"client": "192.0.2.9", "sender": "<>", "recipient": "bob@example.net", "stage": "DATA"}, **bearer())
    equal((bounce.status, bounce.json()["verdict"]), (200, "defer"), bounce.text)
    wait_for(lambda: "by web" in d.logged() and "done: forget" in w.tail(), "both logs to know")
    for line in ("done: allow client 192.0.2.1 for 30d: added, asked by 127.0.0.1", "done: expect bob@example.net from shop.example for 15m: added",
                 "done: unlist allow client 192.0.2.1: removed", "nothing done: unlist allow client 192.0.2.1: absent",
                 "looked: forget client sender.example: 1 records", "done: forget client sender.example: 1 records"):
        check(f" {line}" in w.tail() or f"\n{line}" in w.tail(), f"{line} in {w.tail()}")


@test
def held_client(t):
    d = t.daemon("trap recipient honey@example.net for 2h")
    with Asker(d.socket) as a:
        for client in ("192.0.2.1", "192.0.2.10"):
            a.ask(client_address=client, recipient="honey@example.net")
            a.ask(client_address=client, recipient="bob@example.net")
        a.ask(client_address="192.0.2.7", recipient="carol@example.net")
    w = Web(t.args.web, t.folder, d.control, token=TOKEN)
    t.at_end(w.stop)
    records = len(t.greylag(d, "dump", "--json").splitlines())
    go = {"action": "unlist", "list": "held", "kind": "client", "value": "192.0.2.1"}
    equal([w.ask("/api/action", "POST", go, **bearer()).json()["rows"][0]["outcome"] for _ in range(2)], ["removed", "absent"])
    equal([r["value"] for r in w.ask("/api/lists?list=held", **bearer()).json()["rows"]], ["192.0.2.10"])
    equal(len(t.greylag(d, "dump", "--json").splitlines()), records - 1, "one record alone")


@test
def absurd_requests(t):
    d, w = served(t)
    for body in (b"", b"x", b"[]", b"null", b"{", b'{"action":1}', b'{"action":["allow"]}', b"[" * 5000, b"\xff\xfe", b'{"action":"al\0low"}',
                 b'{"action":"allow","action":"block"}'):
        r = w.ask("/api/action", "POST", body, Content_Type="application/json", **bearer())
        equal(r.status, 400, f"{body[:40]!r} {r.text}")
    equal(w.ask("/api/action", "POST", b"{" + b" " * 100000 + b"}", Content_Type="application/json", **bearer()).status, 413)
    for raw in (b"\0\0\0\0\r\n\r\n", b"GET\r\n\r\n", b"\xff" * 1000, b"GET /" + b"x" * 50000 + b" HTTP/1.1\r\n\r\n", b"\r\n" * 100,
                b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 20000 + b"\r\n", b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
                b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
                b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999999\r\n\r\n",
                b"POST /login HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nx",
                b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\ntoken=half", b"GET / HTTP/1.1\r\nHost"):
        answer = w.send_raw(raw)
        check(not answer or re.match(rb"HTTP/1\.[01] (4|50[05])|HTTP/1\.[01] 303", answer), f"{raw[:40]!r}: {answer[:60]!r}")
        equal(w.ask("/healthz").status, 200, f"after {raw[:40]!r}")
    check(w.resident_kb() < 600 * 1024, "in bounded memory")


@test
def slow_client(t):
    d, w = served(t)
    slow = [socket.create_connection(("127.0.0.1", w.port)) for _ in range(3)]
    slow[0].sendall(b"GET /healthz HTTP/1.1\r\nHost: loc")
    slow[1].sendall(b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\ntoken=")
    started, ended = time.monotonic(), {}
    while len(ended) < 3 and time.monotonic() - started < 120:
        for i, s in enumerate(slow):
            if i in ended:
                continue
            try:
                s.sendall(b"x")
                s.settimeout(0.05)
                if not s.recv(100):
                    ended[i] = time.monotonic() - started
            except TimeoutError:
                pass
            except OSError:
                ended[i] = time.monotonic() - started
        check(w.ask("/healthz", limit=15).status == 200, "others are served")
        time.sleep(1)
    equal(len(ended), 3, f"a byte a second does not hold a connection: {ended}")


@test
def thousand_connections(t):
    d, w = served(t)
    raise_descriptors()
    idle = []
    for _ in range(1000):
        s = socket.create_connection(("127.0.0.1", w.port), timeout=LIMIT)
        s.sendall(b"GET /healthz HTTP/1.1\r\n")
        idle.append(s)
    started = time.monotonic()
    equal(w.ask("/healthz").status, 200, "served beside them")
    check(time.monotonic() - started < 15, "soon")
    more = [socket.create_connection(("127.0.0.1", w.port), timeout=LIMIT) for _ in range(500)]
    equal(w.ask("/healthz").status, 200, "and when there is no room for all")
    for s in idle + more:
        s.close()
    equal(w.ask("/healthz").status, 200)
    check(w.resident_kb() < 600 * 1024, "in bounded memory")
    equal(w.stop(), 0)


@test
def start_refused(t):
    def run(*words):
        return subprocess.run([t.args.web, *words], capture_output=True, text=True, timeout=LIMIT)
    for name in ("example.org:443", "http://example.org", "", "[::1]"):
        check("a name alone" in run("--host", name).stderr, name)
    for words in (["--no-such"], ["word"], ["--host", "example.org:443"], ["--listen", "nonsense"], ["--listen", "unix:/tmp/x"], ["--token-file", "/no/such/file"]):
        equal(run(*words).returncode, 64, str(words))
    for open_to_all in ("0.0.0.0:8025", "[::]:8025", "192.0.2.1:8025"):
        r = run("--listen", open_to_all)
        equal(r.returncode, 64)
        check("--token-file" in r.stderr, r.stderr)
    file = t.folder / "token"
    for text, mode, word in (("short", 0o600, "characters"), ("x" * 300, 0o600, "characters"), ("x" * 20, 0o644, "others may read"),
                             ("with a blank in it", 0o600, "ASCII"), ("", 0o600, "characters")):
        file.write_text(text)
        file.chmod(mode)
        r = run("--token-file", str(file), "--listen", f"127.0.0.1:{free_port()}")
        equal(r.returncode, 64, text[:20])
        check(word in r.stderr, r.stderr)
    equal(run("--help").returncode, 0)
    check(run("--version").stdout.startswith("greylag-web "), "version")
    d, w = served(t)
    equal(run("--listen", f"127.0.0.1:{w.port}").returncode, 69, "taken")
    away = Web(t.args.web, t.folder, "/no/such/socket")
    t.at_end(away.stop)
    equal(away.ask("/healthz").status, 503, "it starts before greylagd does")
    equal(away.stop(), 0)


if __name__ == "__main__":
    test.main()
