"""A program beside the page: a question in, an answer out, and it is gone then, with its memory."""
import asyncio
import contextlib
import sys

READ_B = 65_536


async def ask_program(program: str, question: bytes, most_b: int) -> bytes:
    """What the module `program` writes of the question; no more than some bytes above `most_b` are read.

    It ends with the caller. Raises OSError.
    """
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", program, stdin=asyncio.subprocess.PIPE,
                                                   stdout=asyncio.subprocess.PIPE)
    assert process.stdin and process.stdout
    try:
        process.stdin.write(question)
        process.stdin.close()
        data = bytearray()
        while len(data) <= most_b and (piece := await process.stdout.read(READ_B)):
            data += piece
        return bytes(data)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
