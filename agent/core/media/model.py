"""The basic values of all rooms: packets, pictures, boxes. Pure data with only its own arithmetic."""
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
    """The facts that a decoder needs before the first packet. `config` is the body of the `avcC` (H.264) or `hvcC`
    (H.265) box, ISO/IEC 14496-15."""

    codec: str      # "h264" or "h265"
    width: int
    height: int
    config: bytes
    encoder: str = ""  # the encoder on this machine: "v4l2", "x264 ultrafast"; "": the camera's own
    reduced_from: tuple[int, int] | None = None     # the requested size, if the encoder cannot do it
    stands_in: bool = False                         # x264 encodes because the board's own encoder failed
    view_pct: int | None = None                     # share of the sensor's width that the picture shows
    turn: int = 0  # players rotate the pictures by this: 0, 90, 180, 270 degrees clockwise
    whole_up_to_fps: int = 0                        # below 100 %: up to this rate the whole width is possible; 0: never

    @property
    def shown_size(self) -> tuple[int, int]:
        """Width and height as people see it."""
        return (self.height, self.width) if self.turn in (90, 270) else (self.width, self.height)


@dataclass(frozen=True, slots=True)
class Packet:
    """One encoded frame in decode order, its NAL units length-prefixed (4 bytes) as in MP4.

    Times are on the device's common monotonic clock (boot time, microseconds), already mapped from the source's own
    clock, so that media time is wall time.
    """

    data: bytes
    pts_us: int     # time of display
    dts_us: int     # time of decoding; equal to pts_us without B-frames
    key: bool       # an IDR: decoding can start here


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """The facts that a decoder needs before the first sound. `config` is the AudioSpecificConfig of AAC (ISO/IEC
    14496-3 §1.6.2.1); G.711 needs none."""

    codec: str      # "aac", "pcma" (G.711 A-law) or "pcmu" (G.711 µ-law)
    rate_hz: int    # samples a second of the encoded frames (of the core, if AAC doubles it: HE-AAC)
    channels: int
    config: bytes = b""


class Sound(NamedTuple):
    """A piece of encoded sound that is never divided: one raw AAC frame (no ADTS), or one packet of G.711."""

    data: bytes
    pts_us: int         # time of hearing; on the source's own clock until a timeline has mapped it
    samples_n: int      # of each channel: the exact duration (AAC: 1024, or 960 if its config says so)
