"""The desk where other processes ask: a line in, an answer out, and who says nothing does not keep the others out."""
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.host import sockets
from agent.host.sockets import SocketServer
from tests.rigs.wait import HANG_S


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


def test_who_leaves_without_the_answer_harms_nobody(path: Path):
    for _ in range(3):
        with socket.socket(socket.AF_UNIX) as hasty:
            hasty.connect(str(path))
    assert visit(path, b"one\n") == b"you said one\n"


def test_a_closed_desk_answers_nobody(tmp_path: Path):
    SocketServer(tmp_path / "desk.sock", "desk", lambda question, _: question).close()
    with pytest.raises(OSError):
        visit(tmp_path / "desk.sock", b"")
