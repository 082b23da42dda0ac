"""Makes a C file of the pages: style and script stand in them, and the policy names both
by their hashes.

usage: embed.py OUT page.html login.html page.css page.js
"""
import base64
import hashlib
import sys

MARK = "<!-- here -->"


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def source(text):
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def array(name, text):
    data = text.encode()
    rows = [", ".join(str(b) for b in data[i:i + 24]) for i in range(0, len(data), 24)]
    return (f"static const unsigned char {name}_bytes[] = {{\n\t" + ",\n\t".join(rows) + "\n};\n"
            f"struct span {name}(void) {{ return span_make((const char *){name}_bytes, sizeof {name}_bytes); }}\n")


out, page, login, style, script = sys.argv[1], *map(read, sys.argv[2:])
policy = (f"default-src 'none'; style-src {source(style)}; script-src {source(script)}; connect-src 'self'; "
          "img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
c = '/* Made by embed.py. */\n#include "web/page.h"\n'
for name, text in (("page", page), ("page_login", login)):
    text = text.replace("<style></style>", f"<style>{style}</style>")
    text = text.replace("<script></script>", f"<script>{script}</script>")
    head, tail = text.split(MARK)
    c += array(f"{name}_head", head) + array(f"{name}_tail", tail)
c += f'const char *page_policy(void) {{ return "{policy}"; }}\n'
with open(out, "w", encoding="ascii") as f:
    f.write(c)
