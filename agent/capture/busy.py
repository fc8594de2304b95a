"""Where a camera's picture is restless: shown, and forgotten, on a socket (core.contract.busy has the language).

It stands alone because the tests of page and commands serve it without a camera.
"""
from collections.abc import Callable
from pathlib import Path

from agent.core.contract.busy import FORGET, QUESTION_B_MAX, SHOW, Busy, answer
from agent.host.sockets import SocketServer


def busy_socket(path: Path, show: Callable[[], Busy], forget: Callable[[], None]) -> SocketServer:
    """Serve one camera's busy areas on `path`; an unknown question gets no answer. Raises OSError."""
    def serve(question: bytes, _: int) -> bytes:
        if question == FORGET:
            forget()
        return answer(show()) if question in (SHOW, FORGET) else b""
    return SocketServer(path, "busy", serve, QUESTION_B_MAX)
