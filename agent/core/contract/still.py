"""Bytes between a capture process and a client that asks for a still picture (a Unix stream socket,
`snap-<camera>.sock`).

To connect is to ask. The answer is one line of JSON, then the JPEG if there is one. Then capture closes.
"""
from typing import Literal

import msgspec

from agent.core import json_door

LARGEST_B = 8 * 1024 * 1024


class Still(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True):
    """The facts about the picture, or that it is missing."""

    state: Literal["ok", "no_picture"]
    age_ms: int | None = None           # since the camera took it, as far as known
    width: int | None = None            # of the camera's picture; the small one is made from it
    height: int | None = None


def answer(still: Still, jpeg: bytes = b"") -> bytes:
    """Encodes the whole answer."""
    return msgspec.json.encode(still) + b"\n" + jpeg


def parse(data: bytes) -> tuple[Still, bytes]:
    """Decodes an answer and its JPEG (b"" if absent). Raises msgspec.DecodeError, also if it was cut off."""
    line, newline, jpeg = data.partition(b"\n")
    still = json_door.read(line, Still)
    if not newline or (still.state == "ok") != jpeg.endswith(b"\xff\xd9"):      # JPEG's end marker, ITU-T T.81 B.1.1.3
        raise msgspec.DecodeError("cut off")
    return still, jpeg
