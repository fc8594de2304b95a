"""A camera's picture of now, from its capture process."""
import socket
from pathlib import Path

from agent.core.stillwire import LARGEST_B

ANSWER_S = 5.0
READ_B = 65_536


def ask(door: Path) -> bytes:
    """The whole answer at that socket: core.stillwire. Raises OSError."""
    data = bytearray()
    with socket.socket(socket.AF_UNIX) as asker:
        asker.settimeout(ANSWER_S)
        asker.connect(str(door))
        while (piece := asker.recv(READ_B)) and len(data) <= LARGEST_B:
            data += piece
    return bytes(data)
