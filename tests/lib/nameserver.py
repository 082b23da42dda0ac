"""A name server for the tests: answers from a table, on a loopback address of its own."""
import contextlib
import socket
import struct
import threading

from harness import Skip

TYPES = {"A": 1, "PTR": 12}


def encoded(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def reverse(address):
    return ".".join(reversed(address.split("."))) + ".in-addr.arpa"


def taken(address):
    """The socket of a name server; nobody may serve names on all addresses here."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        s.bind((address, 53))
    except OSError as error:
        s.close()
        raise Skip(f"{address}:53: {error}") from error
    return s


class NameServer:
    """records: {(name, "A" or "PTR"): value}; anything else does not exist."""

    def __init__(self, records, address="127.9.9.53"):
        self.records, self.address, self.asked = records, address, []
        self.s = taken(address)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                query, client = self.s.recvfrom(4096)
                if not query:
                    return
                self.s.sendto(self.answer(query), client)
            except OSError:
                return

    def answer(self, query):
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode("latin-1"))
            at += 1 + query[at]
        kind, = struct.unpack_from("!H", query, at + 1)
        question, name = query[12:at + 5], ".".join(labels).lower()
        self.asked.append(name)
        for word, number in TYPES.items():
            value = self.records.get((name, word))
            if value and number == kind:
                data = socket.inet_aton(value) if word == "A" else encoded(value)
                record = struct.pack("!HHHIH", 0xC00C, number, 1, 60, len(data)) + data
                return query[:2] + struct.pack("!HHHHH", 0x8580, 1, 1, 0, 0) + question + record
        known = any(name == other for other, _ in self.records)
        return query[:2] + struct.pack("!HHHHH", 0x8580 if known else 0x8583, 1, 0, 0, 0) + question

    def close(self):
        with contextlib.suppress(OSError):  # it says "not connected", and wakes the thread
            self.s.shutdown(socket.SHUT_RDWR)
        self.s.close()
