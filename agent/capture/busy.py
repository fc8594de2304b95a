"""Where a camera's picture is restless: told, and forgotten, on a socket (core.contract.busy has the language)."""
from collections.abc import Callable
from pathlib import Path

from agent.core.contract.busy import FORGET, QUESTION_B_MAX, SHOW, Busy, answer
from agent.host.sockets import SocketServer


def busy_desk(path: Path, show: Callable[[], Busy], forget: Callable[[], None]) -> SocketServer:
    """Serve one camera's busy areas on `path`; what is no question of ours gets no answer. Raises OSError."""
    def serve(question: bytes) -> bytes:
        if question == FORGET:
            forget()
        return answer(show()) if question in (SHOW, FORGET) else b""
    return SocketServer(path, "busy", serve, QUESTION_B_MAX)
