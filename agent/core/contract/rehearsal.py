"""Replays the last day's recordings with other settings: the page's question to a process, and its messages. Pure.

One JSON object in, on the process's standard input. Lines of JSON out, each a `RehearsalWord`; the answer comes last.
"""
from typing import Any, Literal

import msgspec
from msgspec import Struct

from agent.core import json_door

LINE_B_MAX = 262_144
PICTURES_MAX = 12           # at most this many of missed events, and of added ones
PICTURE_WIDE = 320          # pixels


class RehearsalQuestion(Struct, kw_only=True, frozen=True):
    """The recordings, and both sets of settings."""

    store: str                      # folder
    runtime: str                    # folder with the keeper's socket, for keys
    now: dict[str, Any]             # [[camera]] as it is set
    draft: dict[str, Any]           # [[camera]] as it might be
    since_ms: int                   # Unix
    budget_s: float                 # the replay ends after this time


class RehearsalProgress(Struct, kw_only=True, frozen=True, tag="progress"):
    pct: int


class RehearsalEvent(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """An event that only one of the two sets of settings finds."""

    began_ms: int                   # Unix
    ended_ms: int
    zones: tuple[str, ...] = ()
    picture: int | None = None      # the number of its RehearsalPicture
    told_as: int | None = None      # the id of the stored event that it matches


class RehearsalPicture(Struct, kw_only=True, frozen=True, tag="picture"):
    """The moment of an event at which its largest object was largest, with a frame around the object."""

    number: int
    jpeg: bytes


class MaskCost(Struct, kw_only=True, frozen=True):
    """The cost of painting the masks on this machine, measured on the camera's own video."""

    cpu_pct: float                  # of one core, and it can use only one: from 100 on, pictures are lost
    cores_n: int


class RehearsalAnswer(Struct, kw_only=True, frozen=True, omit_defaults=True, tag="answer"):
    """The result."""

    problem: Literal["", "nothing"] = ""        # "nothing": no recordings
    footage_s: float = 0.0          # length of the recordings
    looked_s: float = 0.0           # length that was replayed: less if the time was up or a file could not be read
    told_n: int = 0                 # events that were stored in that time
    now_n: int = 0                  # events that the present settings find in the replay
    draft_n: int = 0                # events that the other settings find
    missed: list[RehearsalEvent] = []   # found only by the present settings; the first of `missed_n`
    added: list[RehearsalEvent] = []
    missed_n: int = 0
    added_n: int = 0
    cost: MaskCost | None = None    # only if this machine would mask video that arrives encoded


RehearsalWord = RehearsalProgress | RehearsalPicture | RehearsalAnswer


def line(word: RehearsalWord) -> bytes:
    """Encodes a message as one line."""
    return msgspec.json.encode(word) + b"\n"


def parse(data: bytes) -> RehearsalWord:
    """Decodes one line. Raises msgspec.DecodeError."""
    return json_door.read(data, RehearsalWord)
