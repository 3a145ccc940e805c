"""What stands beside the product: the least that any program would need for the same step.

A ratio to something that runs here and now says more than a figure from another machine.
"""

from __future__ import annotations

import sys
from pathlib import Path

SCAN = """
import os, sys
files = lines = marks = size = 0
buffer = bytearray(262144)
view = memoryview(buffer)
for folder, _, names in os.walk(sys.argv[1]):
    for name in names:
        if name.endswith('.jsonl'):
            files += 1
            with open(os.path.join(folder, name), 'rb', buffering=0) as file:
                while got := file.readinto(view):
                    size += got
                    lines += buffer.count(b'\\n', 0, got)
                    marks += buffer.count(b'"usage"', 0, got)
print(files, size, lines, marks)
"""

ECHO = """
import socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen(64)
reply = b'x' * (int(sys.argv[2]) - 1) + b'\\n'
print('ready', flush=True)
while True:
    client, _ = server.accept()
    while client.recv(65536):
        client.sendall(reply)
    client.close()
"""


def scan(projects: Path) -> list[str]:
    """Reads every transcript in 256 KiB pieces and counts newlines and ``"usage"``."""
    return [sys.executable, "-I", "-S", "-c", SCAN, str(projects)]


def nothing() -> list[str]:
    """``python -c pass``: what any Python program pays to start."""
    return [sys.executable, "-c", "pass"]


def echo(path: Path, reply_bytes: int) -> list[str]:
    """Answers anything on a Unix socket with as many bytes as a status has, one client at a time."""
    return [sys.executable, "-I", "-S", "-c", ECHO, str(path), str(reply_bytes)]
