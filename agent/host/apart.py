"""Runs a call in a child process without root's rights, so that it may hang or crash there."""
import contextlib
import importlib
import os
import select
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from typing import IO, Any, NoReturn

import msgspec

from agent.host.users import become_reader

TICK_S = 0.1
PIECE_B = 65_536
ANSWER_MAX_B = 16_000_000
LAST_LINES_N = 8
# Libraries import these late. A child without root's rights may not read root's Python then, so import them before.
LATE = {"socket": ("encodings.idna", "ssl"), "av": ("av.subtitles.stream",), "numpy": ("numpy.ma",)}


class CallFailed(Exception):
    """The call ended without an answer; the text is the last lines of its output."""


def apart(call: Callable[[], Any], kind: Any, tick: Callable[[], None], deadline_s: float = float("inf"),
          step_down: Callable[[], None] = become_reader) -> Any:
    """Forks, runs `call` with the rights that `step_down` leaves, and returns its result, decoded as `kind`.

    The caller must have only one thread; it calls `tick` every 0.1 s while it waits. The child has no terminal.
    Raises TimeoutError after `deadline_s`, and CallFailed.
    """
    reader, writer = os.pipe()
    with tempfile.TemporaryFile() as output:
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            _answer(call, writer, output, step_down)
        os.close(writer)
        over = False
        try:
            data, over = _read(reader, deadline_s, tick), True
            return msgspec.msgpack.decode(data, type=kind)
        except msgspec.MsgspecError as error:
            raise CallFailed(_last(output)) from error
        finally:
            os.close(reader)
            with contextlib.suppress(PermissionError):      # the child has another user now, and we are not root
                os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0 if over else os.WNOHANG)      # leave a child that hangs in the kernel


def _answer(call: Callable[[], Any], writer: int, output: IO[bytes], step_down: Callable[[], None]) -> NoReturn:
    code = 1
    try:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for own in (sys.stdout.fileno(), sys.stderr.fileno()):
            os.dup2(output.fileno(), own)
        for name in (part for library, parts in LATE.items() if library in sys.modules for part in parts):
            importlib.import_module(name)
        step_down()
        data = msgspec.msgpack.encode(call())
        with os.fdopen(writer, "wb") as answer:
            answer.write(data)
        code = 0
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _read(reader: int, deadline_s: float, tick: Callable[[], None]) -> bytes:
    data, until_s = b"", time.monotonic() + deadline_s
    while time.monotonic() < until_s:
        tick()
        if select.select([reader], [], [], TICK_S)[0]:
            piece = os.read(reader, PIECE_B)
            data += piece
            if not piece or len(data) > ANSWER_MAX_B:
                return data
    raise TimeoutError


def _last(output: IO[bytes]) -> str:
    output.seek(max(0, output.seek(0, os.SEEK_END) - PIECE_B))
    last = output.read().decode(errors="replace").splitlines()[-LAST_LINES_N:]
    return " | ".join(line.strip() for line in last) or "it said nothing"
