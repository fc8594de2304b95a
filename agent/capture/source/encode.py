"""H.264 for cameras that don't bring it, by x264 in this process; and any encoder's packets, turned into ours."""
from fractions import Fraction

import av
from av.video.frame import PictureType

from agent.capture.source import Sink, SourceError
from agent.core import nal
from agent.core.model import Packet, StreamInfo

GOP_US = 2_000_000      # a clip can only begin at a keyframe, and a power cut costs what came after one

# ultrafast costs a third of veryfast, and a Pi has other things to do; without look-ahead and B-frames every picture
# comes out at once. The keyframes are ours to set, by time: in the dark, webcams slow down to a few frames a second.
X264 = {"preset": "ultrafast", "tune": "zerolatency", "forced-idr": "1", "g": "100000"}


class AccessUnits:
    """Turns an encoder's access units (Annex B, parameter sets in front of keyframes) into our packets."""

    def __init__(self) -> None:
        self._sets: list[bytes] = []
        self._begun = False

    def give(self, sink: Sink, data: bytes, pts_us: int) -> None:
        """Hand on the packet, and the stream's format before it when that is new; nothing before the first keyframe.

        Raises BitstreamError for what is no H.264.
        """
        units = nal.split_annex_b(data)
        sets = nal.parameter_sets("h264", units)
        if sets and sets != self._sets:
            self._sets = sets
            known = nal.describe("h264", sets)
            sink.stream(StreamInfo(known.codec, known.width, known.height, known.config))
        key = nal.is_key("h264", units)
        self._begun = self._begun or (key and bool(self._sets))
        if self._begun and len(units) > len(sets):
            sink.packet(Packet(nal.join_lengths(units), pts_us, pts_us, key))


class SoftwareEncoder:
    """x264: one picture in, one access unit out."""

    def __init__(self, width: int, height: int, fps: int, kbps: int) -> None:
        """Raises SourceError when this PyAV has no x264."""
        try:
            self._x264 = av.CodecContext.create("libx264", "w")
        except (av.error.FFmpegError, ValueError):
            raise SourceError("encoder_missing", "PyAV has no x264; install it with: apt install python3-av") from None
        self._x264.width, self._x264.height, self._x264.pix_fmt = width, height, "yuv420p"
        self._x264.framerate, self._x264.time_base = Fraction(fps), Fraction(1, 1_000_000)
        self._x264.bit_rate = kbps * 1000
        self._x264.options = {**X264, "maxrate": f"{kbps * 3 // 2}k", "bufsize": f"{kbps * 2}k"}
        self._key_pts_us: int | None = None

    def encode(self, frame: av.VideoFrame, pts_us: int) -> bytes:
        """Annex B of one yuv420p picture; a keyframe every two seconds of `pts_us`, which must grow."""
        due = self._key_pts_us is None or pts_us - self._key_pts_us >= GOP_US
        if due:
            self._key_pts_us = pts_us
        frame.pict_type = PictureType.I if due else PictureType.NONE
        frame.pts, frame.time_base = pts_us, self._x264.time_base
        return b"".join(bytes(packet) for packet in self._x264.encode(frame))
