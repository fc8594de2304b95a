"""Bytes between a capture process and whoever asks for a still picture (a Unix stream socket, `snap-<camera>.sock`).

Who connects has asked. The answer is one line of JSON, then the JPEG if there is one, then the end.
"""
from typing import Literal

import msgspec

LARGEST_B = 8 * 1024 * 1024


class StillError(Exception):
    """The bytes are no answer of ours."""


class Still(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True):
    """What comes with the picture, or that there is none."""

    state: Literal["ok", "no_picture"]
    age_ms: int | None = None           # since the camera took it, as far as can be told
    width: int | None = None            # of the camera's picture; a small one is made from it
    height: int | None = None


def answer(still: Still, jpeg: bytes = b"") -> bytes:
    """The whole answer."""
    return msgspec.json.encode(still) + b"\n" + jpeg


def parse(data: bytes) -> tuple[Still, bytes]:
    """What was answered, and the JPEG ("" if there is none). Raises StillError, also for an answer that was cut off."""
    line, newline, jpeg = data.partition(b"\n")
    try:
        still = msgspec.json.decode(line, type=Still)
    except msgspec.DecodeError as error:
        raise StillError(str(error)) from error
    if not newline or (still.state == "ok") != jpeg.endswith(b"\xff\xd9"):      # JPEG's end marker, ITU-T T.81 B.1.1.3
        raise StillError("cut off")
    return still, jpeg
