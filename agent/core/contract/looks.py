"""Messages of capture to viewers of its detector (a Unix socket, `looks-<camera>.sock`).

A client connects and receives each look as a line of JSON. Capture never waits: it disconnects a client that reads too
slowly, which may connect again. Nothing is stored.
"""
import msgspec

LINE_B_MAX = 16 * 1024      # enough for 64 objects and 12 zones


class SeenBox(msgspec.Struct, array_like=True, frozen=True):
    """One object in the picture, in fractions of the picture (0..1). x, y is the top left corner."""

    x: float
    y: float
    w: float
    h: float
    counts: bool                # by the zones; without zones, all motion counts


class DetectorLook(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True):
    """The detector's result for one picture, and its effect."""

    mono_s: float               # time of the picture, on the device's clock
    score: float                # share of the picture that has changed, 0..1
    least: float                # share that one object must change to count
    boxes: tuple[SeenBox, ...] = ()
    zones: tuple[str, ...] = ()         # zones that are fulfilled now
    event: bool = False                 # an event is open
    silences: tuple[str, ...] = ()      # why no event is reported; see core.vision.replay.outcome


def line(look: DetectorLook) -> bytes:
    """Encodes a look as one line."""
    return msgspec.json.encode(look) + b"\n"
