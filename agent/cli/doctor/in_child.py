"""Runs a check in a process of its own: a camera's driver or a dying card may hang there, not here."""
import os
import select
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from typing import IO, NoReturn

import msgspec

from agent.cli.doctor.verdict import Check, CheckVerdict, bad

TICK_S = 0.1
LARGEST_B = 65_536
TOLD_LINES_N = 8

_decoder = msgspec.json.Decoder(CheckVerdict)


def ask(check: Check, tick: Callable[[], None]) -> CheckVerdict:
    """The check's verdict, or that it did not come in time; `tick` is called meanwhile.

    It forks, so the calling process must have one thread only.
    """
    reader, writer = os.pipe()
    with tempfile.TemporaryFile() as said:
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            _answer(check, writer, said)
        os.close(writer)
        try:
            data, in_time = _read(reader, check.deadline_s, tick)
            return _verdict(check, data, in_time, said)
        finally:
            os.close(reader)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, os.WNOHANG if not in_time else 0)


def _answer(check: Check, writer: int, said: IO[bytes]) -> NoReturn:
    """The child's whole life. What libraries print goes to `said`: it must not tear the display."""
    code = 1
    try:
        os.dup2(said.fileno(), sys.stderr.fileno())
        os.dup2(said.fileno(), sys.stdout.fileno())
        os.write(writer, msgspec.json.encode(check.ask())[:LARGEST_B])
        code = 0
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _read(reader: int, deadline_s: float, tick: Callable[[], None]) -> tuple[bytes, bool]:
    """What the child wrote until it ended, and whether it did end."""
    data, until_s = b"", time.monotonic() + deadline_s
    while time.monotonic() < until_s:
        tick()
        if select.select([reader], [], [], TICK_S)[0]:
            piece = os.read(reader, LARGEST_B)
            if not piece:
                return data, True
            data += piece
    return data, False


def _verdict(check: Check, data: bytes, in_time: bool, said: IO[bytes]) -> CheckVerdict:
    if data:
        return _decoder.decode(data)
    if not in_time:
        return bad(f"no answer within {check.deadline_s:g} s",
                   "unplug and reconnect the part, restart the device, and look again")
    said.seek(0)
    last = said.read().decode(errors="replace").splitlines()[-TOLD_LINES_N:]
    told = " | ".join(line.strip() for line in last) or "it left no word"
    return bad(f"the check itself failed: {told}", "send this line to whoever maintains Taimat")
