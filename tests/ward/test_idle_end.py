"""A program behind systemd's socket ends while nobody asks, and loses no visitor by it."""
import os
import random
import select
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.rigs.wait import HANG_S

# Started as systemd does it: the socket is 3, and the process's own number is in LISTEN_PID.
PROGRAM = """
import asyncio, os, sys
os.dup2(int(sys.argv[3]), 3)
os.environ["LISTEN_PID"] = str(os.getpid())
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from agent.host.stop import Stop
from agent.ward.proxied import answer_at, life

async def answer(request):
    if request.url.path == "/slow":
        await asyncio.sleep(1)
    return PlainTextResponse("here")

app = Starlette(routes=[Route("/{word}", answer)], lifespan=lambda _: life(Stop()))
answer_at("", "", app, lambda: not os.path.exists(sys.argv[1]), idle_s=float(sys.argv[2]))
"""


class Socket:
    """What systemd does with a .socket and its service: it holds the listener, and starts the program for a visitor."""

    def __init__(self, folder: Path, idle_s: float) -> None:
        self.path, self.busy, self.codes = folder / "door.sock", folder / "busy", []
        self._words = [sys.executable, "-c", PROGRAM, self.busy, str(idle_s)]
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen(64)
        self._stop, self.program = threading.Event(), None
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        if self.program:
            self.program.terminate()
        self._thread.join()
        self._listener.close()

    def _run(self):
        while not self._stop.is_set():
            if select.select([self._listener], [], [], 0.05)[0]:
                fd = self._listener.fileno()
                self.program = subprocess.Popen([*self._words, str(fd)], pass_fds=[fd])
                self.codes.append(self.program.wait())

    def asks(self, word: str = "now") -> str:
        """The answer's first and last line."""
        with socket.socket(socket.AF_UNIX) as visitor:
            visitor.settimeout(HANG_S)
            visitor.connect(str(self.path))
            visitor.sendall(f"GET /{word} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n".encode())
            said = b"".join(iter(lambda: visitor.recv(4096), b"")).decode()
        return said.partition("\r\n")[0] + " " + said.rpartition("\r\n")[2]


@pytest.fixture(autouse=True)
def _from_the_checkout(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]) + ":" + os.environ.get("PYTHONPATH", ""))


def test_whoever_comes_while_it_ends_is_answered_by_the_next_start(tmp_path):
    chance = random.Random(11)
    with Socket(tmp_path, idle_s=0.02) as door:
        for n in range(12):
            assert door.asks("slow" if n % 4 == 3 else "now") == "HTTP/1.1 200 OK here"
            time.sleep(chance.uniform(0.9, 1.6))        # around the moment of its end
    assert len(door.codes) > 3 and set(door.codes[:-1]) == {0}


def test_it_stays_while_it_has_something_to_do(tmp_path):
    with Socket(tmp_path, idle_s=0.02) as door:
        door.busy.touch()
        for _ in range(3):
            assert door.asks() == "HTTP/1.1 200 OK here"
            time.sleep(1.5)
            assert door.codes == []
