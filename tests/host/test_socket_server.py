"""The desk where other processes ask: a line in, an answer out, and who says nothing does not keep the others out."""
import asyncio
import contextlib
import os
import select
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.host import sockets
from agent.host.sockets import SocketServer, ask
from agent.web.server.questions import ask_socket
from tests.rigs.store.users import Premises
from tests.rigs.wait import HANG_S, until


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    made = SocketServer(tmp_path / "desk.sock", "desk", lambda question, _: b"you said " + question, 8)
    yield tmp_path / "desk.sock"
    made.close()


def visit(path: Path, question: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as visitor:
        visitor.settimeout(HANG_S)
        visitor.connect(str(path))
        if question:
            visitor.sendall(question)
        return visitor.makefile("rb").read()


def test_one_after_another_is_answered(path: Path):
    assert [visit(path, each) for each in (b"one\n", b"two\n")] == [b"you said one\n", b"you said two\n"]


def test_without_a_question_who_connects_has_asked(tmp_path: Path):
    made = SocketServer(tmp_path / "plain.sock", "desk", lambda question, _: b"here" + question)
    assert visit(tmp_path / "plain.sock", b"") == b"here"
    made.close()


def test_who_says_nothing_keeps_the_others_waiting_for_a_while_only(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sockets, "TIMEOUT_S", 0.1)
    with socket.socket(socket.AF_UNIX) as dumb:
        dumb.connect(str(path))
        assert visit(path, b"one\n") == b"you said one\n"


@pytest.mark.parametrize("said", [b"far too long", b"one\nmore", b"12345678\n"])
def test_who_says_too_much_is_answered_what_fits(path: Path, said: bytes):
    assert visit(path, said) == b"you said " + said.splitlines(keepends=True)[0][:8]


def test_who_leaves_without_the_answer_harms_nobody(path: Path):
    for _ in range(3):
        with socket.socket(socket.AF_UNIX) as hasty:
            hasty.connect(str(path))
    assert visit(path, b"one\n") == b"you said one\n"


def test_a_closed_desk_answers_nobody(tmp_path: Path):
    SocketServer(tmp_path / "desk.sock", "desk", lambda question, _: question).close()
    with pytest.raises(OSError):
        visit(tmp_path / "desk.sock", b"")


def dumb(path: Path, said: bytes = b"") -> socket.socket:
    """An asker that says no more than this."""
    line = socket.socket(socket.AF_UNIX)
    line.settimeout(HANG_S)
    line.connect(str(path))
    line.sendall(said)
    return line


@pytest.fixture
def home() -> Iterator[Premises]:
    if os.geteuid() != 0:
        pytest.skip("needs root: askers of other users")
    with Premises() as made:
        yield made


def crowd(path: Path, said: bytes, ready: int, over: int) -> None:
    """A hundred askers that say no more than this, one letter of it at a time, until `over` ends."""
    with contextlib.ExitStack() as all_of_them, contextlib.suppress(OSError):
        for _ in range(100):
            all_of_them.enter_context(dumb(path, said))
    os.write(ready, b"1")
    select.select([over], [], [], HANG_S)


@pytest.mark.parametrize("said", [b"", b"x"], ids=["silent", "slow"])
def test_slow_askers_keep_out_nobody_but_their_own_user(home: Premises, said: bytes) -> None:
    path = home.runtime / "keeper/desk.sock"
    made = SocketServer(path, "desk", lambda question, _: question, 8)
    (seen, ready), (over, end) = os.pipe(), os.pipe()
    with home.process("link", lambda: crowd(path, said, ready, over)):
        os.read(seen, 1)
        began_s = time.monotonic()
        assert home.as_role("web", lambda: visit(path, b"mine\n")) == b"mine\n"
        assert time.monotonic() - began_s < 1.0
        os.write(end, b"1")
    made.close()


def test_the_user_that_was_answered_longest_ago_comes_first(home: Premises) -> None:
    """The link asks all the time, and each answer takes a while; the page waits for one of them, not for all."""
    path, asked = home.runtime / "keeper/desk.sock", []

    def answer(question: bytes, user: int) -> bytes:
        asked.append(user)
        until(lambda: len(asked) > 1 or user != home.users.uids["taimat-link"] or waiting.is_set(), "the page has come")
        time.sleep(0.2)                 # in which what was sent is read, on a busy machine, too
        return question
    waiting, (has_sent, sent) = threading.Event(), os.pipe()
    made = SocketServer(path, "desk", answer, 8)

    def ask() -> bytes:
        line = dumb(path, b"page\n")
        os.write(sent, b"!")
        return line.makefile("rb").read()

    def throng() -> list[bytes]:
        lines = [dumb(path, b"link\n") for _ in range(6)]
        return [line.makefile("rb").read() for line in lines]

    with home.process("link", throng):
        until(lambda: asked, "the first of the link's")
        with home.process("web", ask) as said:
            os.read(has_sent, 1)
            waiting.set()
            said()
    made.close()
    os.close(has_sent)
    os.close(sent)
    assert asked.index(home.users.uids["taimat-web"]) <= 2


def test_a_whole_question_has_its_time_however_it_is_dripped(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "TIMEOUT_S", 0.3)
    with dumb(path) as slow, contextlib.suppress(OSError):
        began_s = time.monotonic()
        while not select.select([slow], [], [], 0.05)[0]:
            slow.sendall(b"x" if time.monotonic() - began_s < 5 else b"\n")
        assert time.monotonic() - began_s < 1.0
        assert slow.recv(100) == b""


def test_who_does_not_take_a_large_answer_holds_up_nobody(tmp_path: Path) -> None:
    made = SocketServer(tmp_path / "desk.sock", "desk", lambda question, _: question * 1_000_000, 8)
    with dumb(tmp_path / "desk.sock", b"large\n"):
        began_s = time.monotonic()
        assert visit(tmp_path / "desk.sock", b"one\n") == b"one\n" * 1_000_000
        assert time.monotonic() - began_s < 1.0
    made.close()


def test_a_question_that_nobody_can_answer_costs_no_other_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[object] = []
    monkeypatch.setattr(threading, "excepthook", lambda said: told.append(said.exc_type))
    made = SocketServer(tmp_path / "desk.sock", "desk", lambda question, _: b"%d\n" % (1 // int(question)), 8)
    assert visit(tmp_path / "desk.sock", b"0\n") == b""
    assert visit(tmp_path / "desk.sock", b"1\n") == b"1\n"
    until(lambda: told == [ZeroDivisionError], "it is told as what it is, a fault of ours")
    made.close()


def test_a_throng_at_the_door_keeps_nobody_out_for_long(home: Premises) -> None:
    """The link connects all the time; the kernel turns away whoever comes while the door is full."""
    path, over = home.runtime / "keeper/desk.sock", time.monotonic() + 1.0
    made = SocketServer(path, "desk", lambda question, _: question, 8)

    def throng() -> None:
        while time.monotonic() < over:
            with socket.socket(socket.AF_UNIX) as line, contextlib.suppress(OSError):
                line.setblocking(False)
                line.connect(str(path))

    async def as_page() -> bytes:
        async with asyncio.timeout(HANG_S):
            return await ask_socket(path, 100, b"page\n")

    with home.process("link", throng), home.process("link", throng):
        for _ in range(20):
            assert home.as_role("web", lambda: ask(path, b"mine\n")) == b"mine\n"
            assert home.as_role("web", lambda: asyncio.run(as_page())) == b"page\n"
    made.close()
    for missing in (lambda: ask(path), lambda: asyncio.run(as_page())):
        with pytest.raises(ConnectionRefusedError):
            missing()
