"""Short questions to a capture process on one of its sockets."""
import asyncio
from pathlib import Path


async def ask(socket: Path, answer_b_max: int, question: bytes = b"") -> bytes:
    """What capture answers, to its end, of a bounded length; without a `question`, who connects has asked.

    Raises OSError.
    """
    reader, writer = await asyncio.open_unix_connection(socket)
    try:
        writer.write(question)
        data = bytearray()
        while len(data) <= answer_b_max and (piece := await reader.read(65536)):
            data += piece
        return bytes(data)
    finally:
        writer.close()
