#!/usr/bin/env python3
"""The lab's model with a DNS block list that lists a bot, or a snowshoe host, some minutes
after its first spam, in virtual time: lab_dnsbl.py LAB.PY MINUTES PORT ARGUMENTS-OF-THE-LAB.

The list answers on 127.0.0.1:PORT as bl.test and keeps its own account of who sent what;
providers whose customers also send good mail are never on it."""
import importlib.util
import os
import signal
import socket
import sys
import threading
import time

LISTED = ("bot-", "snowshoe")


def load(path):
    spec = importlib.util.spec_from_file_location("lab", path)
    lab = importlib.util.module_from_spec(spec)
    sys.modules["lab"] = lab
    spec.loader.exec_module(lab)
    return lab


class List:
    def __init__(self, port, after):
        self.after, self.since, self.now, self.hits, self.asked = after, {}, 0, 0, 0
        self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.s.bind(("127.0.0.1", port))
        threading.Thread(target=self.serve, daemon=True).start()

    def saw(self, ip, t):
        self.since.setdefault(ip, t)

    def listed(self, labels):
        if labels[:4] == ["2", "0", "0", "127"]:
            return True
        since = self.since.get(".".join(reversed(labels[:4])))
        return since is not None and self.now >= since + self.after

    def serve(self):
        while True:
            query, peer = self.s.recvfrom(2000)
            labels, at = [], 12
            while query[at]:
                labels.append(query[at + 1:at + 1 + query[at]].decode("latin-1"))
                at += 1 + query[at]
            listed, self.asked = self.listed(labels), self.asked + 1
            self.hits += listed
            head = query[:2] + (b"\x81\x80\0\1\0\1" if listed else b"\x81\x83\0\1\0\0") + b"\0\0\0\0" + query[12:at + 5]
            self.s.sendto(head + (b"\xc0\x0c\0\1\0\1\0\0\0\5\0\4\x7f\0\0\2" if listed else b""), peer)


def main():
    lab, minutes, port = load(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    sys.argv[1:4] = []
    bl = List(port, minutes * 60)
    # Now that the list answers, a rule may ask it: greylagd tests its lists first.
    with open(os.environ["LAB_CONF"], "a", encoding="ascii") as conf:
        conf.write("block dnsbl bl.test code 450\n")
    os.kill(int(os.environ["LAB_PID"]), signal.SIGHUP)
    while bl.asked < 2:
        time.sleep(0.05)
    time.sleep(0.5)
    build, deferred, spam = lab.build, lab.Service.deferred, set()

    def building(*args):
        msgs = build(*args)
        spam.update((m.sender, m.rcpt) for m in msgs if m.spam and m.cls.startswith(LISTED))
        return msgs

    def asking(self, t, ip, name, helo, sender, rcpt, instance):
        bl.now = t
        answer = deferred(self, t, ip, name, helo, sender, rcpt, instance)
        if (sender, rcpt) in spam:
            bl.saw(ip, t)
        return answer

    lab.build, lab.Service.deferred = building, asking
    lab.main()
    print(f"list: {len(bl.since)} hosts seen to send spam, {bl.asked} questions, {bl.hits} answers \"listed\"")


if __name__ == "__main__":
    main()
