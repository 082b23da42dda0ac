#!/usr/bin/env python3
"""An SMTP server on standard input and output that takes everything, offers what
mailfront does not (STARTTLS without TLS, AUTH, CHUNKING) and writes each byte it reads
to the file that is named, for comparison."""
import sys

source, out, record = sys.stdin.buffer, sys.stdout.buffer, open(sys.argv[1], "ab", 0)


def take(data):
    if not data:
        sys.exit(1)
    record.write(data)
    return data


def say(*lines):
    out.write(b"".join(line + b"\r\n" for line in lines))
    out.flush()


def echo():
    """What follows STARTTLS or AUTH, turned round."""
    while True:
        out.write(take(source.readline()).swapcase())
        out.flush()


def authenticate(words):
    if words[1:2] == [b"LOGIN"]:
        say(b"334 VXNlcm5hbWU6")
        take(source.readline())
        say(b"334 UGFzc3dvcmQ6")
    if b"wrong" in (take(source.readline()) if words[1:2] == [b"LOGIN"] else b" ".join(words)):
        say(b"535 no")
        return
    say(b"235 yes")
    echo()


def main():
    say(b"220 recorder ESMTP")
    while True:
        words = take(source.readline()).split()
        verb = words[0].upper() if words else b""
        if verb == b"EHLO":
            say(b"250-recorder", b"250-STARTTLS", b"250-AUTH LOGIN PLAIN", b"250 CHUNKING")
        elif verb == b"DATA":
            say(b"354 go")
            before, line = b"\r\n", b""
            while not (before.endswith(b"\r\n") and line == b".\r\n"):
                before, line = line or before, take(source.readline())
            say(b"250 taken")
        elif verb == b"BDAT":
            left = int(words[1])
            while left:
                left -= len(take(source.read(min(left, 65536))))
            say(b"250 chunk")
        elif verb == b"STARTTLS":
            say(b"220 ready")
            echo()
        elif verb == b"AUTH":
            authenticate(words)
        elif verb == b"TURN":
            say(b"nonsense")
        elif verb == b"QUIT":
            say(b"221 bye")
            return
        else:
            say(b"250 ok")


main()
