"""The messages on the socket `busy-<camera>.sock`, which says where a camera's picture is restless.

A client connects and sends one of the questions below. Capture answers with one line of JSON and closes.
"""
from typing import Literal

import msgspec

from agent.core import json_door

SHOW, FORGET = b"show\n", b"forget\n"       # FORGET clears the grid and then gets the same answer as SHOW
QUESTION_B_MAX = 16
LARGEST_B = 64 * 1024
COLUMNS, ROWS = 16, 9
STEPS = (0.03, 0.1, 0.3)  # restlessness from which the page draws a cell weakly, more strongly, and most strongly


class Busy(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True):
    """Where a camera's picture has been restless lately, and why its motion may be silent now."""

    state: Literal["ok", "no_picture"]
    grid: tuple[tuple[float, ...], ...] = ()    # ROWS of COLUMNS cells, from 0 calm to 1
    width: int = 0                              # of the camera's picture, pixels
    height: int = 0
    moving: bool = False                        # something that counts is in sight
    silences: tuple[str, ...] = ()              # reasons why no motion may mean little; see core.vision.replay.outcome


def answer(busy: Busy) -> bytes:
    """Encodes the whole answer."""
    return msgspec.json.encode(busy) + b"\n"


def parse(data: bytes) -> Busy:
    """Decodes an answer. Raises msgspec.DecodeError, also if the answer was cut off."""
    if not data.endswith(b"\n"):
        raise msgspec.DecodeError("cut off")
    return json_door.read(data, Busy)


def level(restlessness: float) -> int:
    """How strongly the page draws a cell: 0 not at all, to 3."""
    return sum(restlessness >= step for step in STEPS)
