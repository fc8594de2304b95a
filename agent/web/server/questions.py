"""Questions to others: over another role's socket, or to a program that runs only for the question."""
import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec

from agent.core.contract import still as still_contract
from agent.core.contract.still import LARGEST_B
from agent.host.runtime import camera_socket
from agent.host.sockets import AGAIN_S, connected

READ_B = 65_536
STILL_S = 3.0               # capture needs one second at most


class NotLive(Exception):
    """There is no picture to show. The text is a code; the page's script has the words for it."""


async def ask_socket(path: Path, answer_b_max: int, question: bytes = b"") -> bytes:
    """Returns the whole answer on another role's socket, at most READ_B over `answer_b_max`. Raises OSError.

    Some sockets need no `question`: connecting is enough.
    """
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        while not connected(line, path):
            await asyncio.sleep(AGAIN_S)
    except BaseException:               # also if the caller waits no longer
        line.close()
        raise
    reader, writer = await asyncio.open_unix_connection(sock=line)
    try:
        writer.write(question)
        return await _read(reader, answer_b_max)
    finally:
        writer.close()


@contextlib.asynccontextmanager
async def program(name: str, *arguments: str, limit: int = READ_B,
                  pass_fds: Sequence[int] = ()) -> AsyncIterator[asyncio.subprocess.Process]:
    """Runs module `name` as a process that ends with the block. Raises OSError."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", name, *arguments, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        limit=limit, pass_fds=pass_fds)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def ask_program(name: str, question: bytes, most_b: int) -> bytes:
    """Returns what module `name` writes for the question, at most READ_B over `most_b`. Raises OSError."""
    async with program(name) as process:
        assert process.stdin and process.stdout
        process.stdin.write(question)
        process.stdin.close()
        return await _read(process.stdout, most_b)


async def still_of(runtime: Path, camera: str) -> bytes:
    """Returns a camera's current picture, a JPEG in full size from capture: the page can't decode. Raises NotLive."""
    try:
        async with asyncio.timeout(STILL_S):
            still, jpeg = still_contract.parse(await ask_socket(camera_socket(runtime, "snap", camera), LARGEST_B))
    except (OSError, TimeoutError, msgspec.DecodeError) as error:
        raise NotLive("camera_off") from error
    if still.state != "ok":
        raise NotLive(still.state)
    return jpeg


async def _read(reader: asyncio.StreamReader, most_b: int) -> bytes:
    data = bytearray()
    while len(data) <= most_b and (piece := await reader.read(READ_B)):
        data += piece
    return bytes(data)
