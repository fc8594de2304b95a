"""The values every room speaks of: packets, pictures, boxes. Pure data, no behaviour beyond their own arithmetic."""
from dataclasses import dataclass
from typing import NamedTuple


class Point(NamedTuple):
    """A place in the picture, as fractions of its width and height (0..1)."""

    x: float
    y: float


class Box(NamedTuple):
    """A rectangle in the picture, as fractions of its width and height (0..1); x, y is the top left corner."""

    x: float
    y: float
    w: float
    h: float


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What a decoder must know before the first packet.

    `config` is the body of the `avcC` (H.264) or `hvcC` (H.265) box, ISO/IEC 14496-15.
    """

    codec: str      # "h264" or "h265"
    width: int
    height: int
    config: bytes
    encoder: str = ""                               # that works here: "v4l2", "x264 ultrafast"; "": the camera's own
    reduced_from: tuple[int, int] | None = None     # the size that was asked for, if it is more than the encoder can do
    stands_in: bool = False                         # x264 does it, because the board's own encoder failed
    view_pct: int | None = None                     # how much of the width that the sensor can see is in the picture
    turn: int = 0                                   # players turn the pictures by so much: 0, 90, 180, 270 clockwise
    whole_up_to_fps: int = 0                        # below 100 %: up to which rate it could be all of it; 0: never

    @property
    def shown_size(self) -> tuple[int, int]:
        """Width and height as people see it."""
        return (self.height, self.width) if self.turn in (90, 270) else (self.width, self.height)


@dataclass(frozen=True, slots=True)
class Packet:
    """One encoded frame in decode order, its NAL units length-prefixed (4 bytes) as MP4 stores them.

    Times are on the monotonic clock that the whole device shares (boot time, microseconds), already mapped from the
    source's own clock, so that media time is wall time.
    """

    data: bytes
    pts_us: int     # when it is shown
    dts_us: int     # when it is decoded; equal to pts_us without B-frames
    key: bool       # an IDR: decoding can start here


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What a decoder must know before the first sound.

    `config` is the AudioSpecificConfig of AAC (ISO/IEC 14496-3 §1.6.2.1); G.711 needs none.
    """

    codec: str      # "aac", "pcma" (G.711 A-law) or "pcmu" (G.711 µ-law)
    rate_hz: int    # samples a second of the encoded frames (of the core, where AAC doubles it: HE-AAC)
    channels: int
    config: bytes = b""


class Sound(NamedTuple):
    """A stretch of encoded sound that is never divided: one raw AAC frame (no ADTS), or a packet's worth of G.711."""

    data: bytes
    pts_us: int         # when it is heard; on the source's own clock until a timeline has mapped it
    samples_n: int      # of each channel: as exact as a duration gets (AAC: 1024, or 960 if its config says so)
