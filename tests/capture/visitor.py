"""Somebody who asks a camera for a still picture."""
import socket
from pathlib import Path

from agent.core.contract.still import Still, parse
from tests.rigs.wait import HANG_S


def ask(path: Path) -> tuple[Still, bytes]:
    """One visitor's question, to its end."""
    with socket.socket(socket.AF_UNIX) as asker:
        asker.settimeout(HANG_S)
        asker.connect(str(path))
        pieces = []
        while piece := asker.recv(65536):
            pieces.append(piece)
    return parse(b"".join(pieces))
