"""Bytes between a capture process and whoever watches its detector at work (a Unix socket, `looks-<camera>.sock`).

Who connects is told each look from then on, a line of JSON each. Capture never waits: whoever reads too slowly is cut
off, and may connect again. Nothing of it is kept.
"""
import msgspec

LINE_B_MAX = 16 * 1024      # 64 objects and 12 zones


class LooksError(Exception):
    """The bytes are no look of ours."""


class SeenBox(msgspec.Struct, array_like=True, frozen=True):
    """One object in sight, in fractions of the picture (0..1); x, y is the top left corner."""

    x: float
    y: float
    w: float
    h: float
    counts: bool                # by the zones; without any, all that moves counts


class DetectorLook(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True):
    """What the detector said of one picture, and what became of it."""

    mono_s: float               # of the picture, on the device's clock
    score: float                # share of the picture that has changed, 0..1
    least: float                # so much of it one object has to change, at the least
    boxes: tuple[SeenBox, ...] = ()
    zones: tuple[str, ...] = ()         # that are fulfilled now
    event: bool = False                 # one is going on
    silences: tuple[str, ...] = ()      # why nothing is told; see core.vision.replay.outcome


def line(look: DetectorLook) -> bytes:
    """The look as it travels."""
    return msgspec.json.encode(look) + b"\n"


def parse(data: bytes) -> DetectorLook:
    """One line. Raises LooksError."""
    try:
        return msgspec.json.decode(data, type=DetectorLook)
    except msgspec.DecodeError as error:
        raise LooksError(str(error)) from error
