"""The openspf.org test suite for RFC 7208, which Debian's python3-spf brings, against our SPF.

spfsuite.py DRIVER: runs tests/dns/spfsuite.c's program; 77 where the suite or PyYAML is missing."""
import gzip
import subprocess
import sys

SUITE = "/usr/share/doc/python3-spf/rfc7208-tests.yml.gz"


def records(zone, kind, name):
    """What the suite's zone says, as its schema has it: SPF stands for TXT where no TXT is given."""
    name = name.lower()
    for _ in range(10):
        rows = next((rows for key, rows in zone.items() if str(key).lower() == name), None)
        if rows is None:
            return []
        pairs = [next(iter(row.items())) for row in rows if isinstance(row, dict)]
        if kind == "TXT" and not any(word == "TXT" for word, _ in pairs):
            pairs = [("TXT" if word == "SPF" else word, value) for word, value in pairs]
        found = [value for word, value in pairs if word == kind and value != "NONE"]
        if "TIMEOUT" in found or (not found and "TIMEOUT" in rows):
            return None
        if found:
            return [text(kind, value) for value in found]
        alias = [value for word, value in pairs if word == "CNAME"]
        if not alias:
            return []
        name = alias[0].lower()
    return None


def text(kind, value):
    if kind == "MX":
        value = value[1]
    if kind == "TXT" and isinstance(value, list):
        value = "".join(value)
    value = str(value).encode("utf-8" if kind != "TXT" else "latin-1")
    return value.rstrip(b".") if kind in ("MX", "PTR") else value


class Driver:
    def __init__(self, program):
        self.p = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def send(self, *words):
        self.p.stdin.write(" ".join(words) + "\n")
        self.p.stdin.flush()
        return self.p.stdout.readline().split()

    def check(self, zone, case):
        sender = case["mailfrom"] or ""
        answer = self.send("check", *(hexed(str(word)) for word in (case["host"], sender, case["helo"])))
        while answer[0] == "ask":
            name = bytes.fromhex(answer[2]).decode("latin-1")
            found = records(zone, answer[1], name)
            answer = self.send("failed") if found is None else self.send("found", *(v.hex() for v in found))
        return answer[1], bytes.fromhex("".join(answer[2:])).decode()


def hexed(s):
    return s.encode("utf-8").hex()


def main():
    try:
        import yaml
        with gzip.open(SUITE, "rt", encoding="utf-8") as f:
            scenarios = list(yaml.safe_load_all(f))
    except (ImportError, OSError) as error:
        print("skip:", error)
        return 77
    driver = Driver(sys.argv[1])
    passed = failed = 0
    for scenario in scenarios:
        for name, case in (scenario or {}).get("tests", {}).items():
            wanted = case["result"]     # a list where the RFC leaves it open
            got, why = driver.check(scenario["zonedata"], case)
            if got in (wanted if isinstance(wanted, list) else [wanted]):
                passed += 1
            else:
                failed += 1
                print(f"not ok {name} ({case.get('spec')}): {got} {why}, not {wanted}")
    driver.p.stdin.close()
    failed += driver.p.wait(10) != 0
    print(f"{passed} passed, {failed} failed")
    return failed != 0 or passed < 100


if __name__ == "__main__":
    sys.exit(main())
