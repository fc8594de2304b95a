"""A rehearsal of other settings on the last day's recordings: what the page asks of a process beside it, what it hears.

One JSON object in, on the process's standard input; lines of JSON out, each one of `RehearsalWord`, the answer last.
"""
from typing import Any, Literal

import msgspec
from msgspec import Struct

LINE_B_MAX = 262_144
PICTURES_MAX = 12           # of missed events, and as many of added ones
PICTURE_WIDE = 320          # pixels


class RehearsalQuestion(Struct, kw_only=True, frozen=True):
    """Whose recordings, and both ways to look at them."""

    store: str                      # folder
    runtime: str                    # folder; the keeper is asked there for keys
    now: dict[str, Any]             # [[camera]] as it is set
    draft: dict[str, Any]           # and as it might be
    since_ms: int                   # Unix
    budget_s: float                 # the replay ends after so long, wherever it is


class RehearsalProgress(Struct, kw_only=True, frozen=True, tag="progress"):
    """How far it is."""

    pct: int


class RehearsalEvent(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """An event that only one of the two ways finds."""

    began_ms: int                   # Unix
    ended_ms: int
    zones: tuple[str, ...] = ()
    picture: int | None = None      # the number of its RehearsalPicture
    told_as: int | None = None      # the id of the stored event that it was


class RehearsalPicture(Struct, kw_only=True, frozen=True, tag="picture"):
    """An event when its largest object was largest, which is framed."""

    number: int
    jpeg: bytes


class MaskCost(Struct, kw_only=True, frozen=True):
    """What painting the masks takes here, measured on the camera's own video."""

    cpu_pct: float                  # of one core, and one is all that it can use: from 100 on, pictures are lost
    cores_n: int


class RehearsalAnswer(Struct, kw_only=True, frozen=True, omit_defaults=True, tag="answer"):
    """What came of it."""

    problem: Literal["", "nothing"] = ""        # "nothing": no recordings
    footage_s: float = 0.0          # that there is
    looked_s: float = 0.0           # of it: less where the time was up, or a file could not be read
    told_n: int = 0                 # events that were told in that time
    now_n: int = 0                  # that the present settings find, looking again
    draft_n: int = 0                # and the others
    missed: list[RehearsalEvent] = []   # of the present settings, without a counterpart; the first of `missed_n`
    added: list[RehearsalEvent] = []
    missed_n: int = 0
    added_n: int = 0
    cost: MaskCost | None = None    # where this machine is to hide what arrives encoded


RehearsalWord = RehearsalProgress | RehearsalPicture | RehearsalAnswer
_decoder = msgspec.json.Decoder(RehearsalWord)


class RehearsalError(Exception):
    """The bytes are no word of ours."""


def line(word: RehearsalWord) -> bytes:
    """The word as it travels."""
    return msgspec.json.encode(word) + b"\n"


def parse(data: bytes) -> RehearsalWord:
    """One line. Raises RehearsalError."""
    try:
        return _decoder.decode(data)
    except msgspec.DecodeError as error:
        raise RehearsalError(str(error)) from error
