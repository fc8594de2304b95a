"""Bytes between a capture process and whoever asks where a picture is restless (a Unix socket, `busy-<camera>.sock`).

Who connects sends one of the questions below. The answer is one line of JSON, then the end.
"""
from typing import Literal

import msgspec

SHOW, FORGET = b"show\n", b"forget\n"       # FORGET is answered as SHOW is, after it has been done
QUESTION_B_MAX = 16
LARGEST_B = 64 * 1024
COLUMNS, ROWS = 16, 9
STEPS = (0.03, 0.1, 0.3)                    # restlessness from which a cell is shown, is shown stronger, and strongest


class BusyError(Exception):
    """The bytes are no answer of ours."""


class Busy(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True):
    """Where a camera's picture has been restless lately, and why its motion is silent now."""

    state: Literal["ok", "no_picture"]
    grid: tuple[tuple[float, ...], ...] = ()    # ROWS of COLUMNS cells, from 0 calm to 1
    width: int = 0                              # of the camera's picture, pixels
    height: int = 0
    moving: bool = False                        # something that counts is in sight
    silences: tuple[str, ...] = ()              # why that nothing is may not mean much; see core.vision.replay.outcome


def answer(busy: Busy) -> bytes:
    """The whole answer."""
    return msgspec.json.encode(busy) + b"\n"


def parse(data: bytes) -> Busy:
    """What was answered. Raises BusyError, also for an answer that was cut off."""
    if not data.endswith(b"\n"):
        raise BusyError("cut off")
    try:
        return msgspec.json.decode(data, type=Busy)
    except msgspec.DecodeError as error:
        raise BusyError(str(error)) from error


def level(restlessness: float) -> int:
    """How strongly a cell is shown: 0 not at all, to 3."""
    return sum(restlessness >= step for step in STEPS)
