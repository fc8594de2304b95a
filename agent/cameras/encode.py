"""H.264 for cameras that don't bring it, by x264 in this process; and any encoder's packets, turned into ours."""
from dataclasses import replace
from fractions import Fraction
from typing import Any

import av
from av.video.frame import PictureType

from agent.cameras import RecordSink, SourceError
from agent.core.media import nal
from agent.core.media.headroom import PRESETS
from agent.core.media.model import Packet

TIME_BASE = Fraction(1, 1_000_000)
GOP_US = 2_000_000      # a clip can only begin at a keyframe, and a power cut costs what came after one

# Without look-ahead and B-frames every picture comes out at once. The keyframes are ours to set, by time: in the dark,
# cameras slow down to a few frames a second. core/media/headroom.py chooses the preset.
X264 = {"tune": "zerolatency", "forced-idr": "1", "g": "100000", "sc_threshold": "0"}


class AccessUnits:
    """Turns an encoder's access units (Annex B, parameter sets in front of keyframes) into our packets."""

    def __init__(self, **told: Any) -> None:
        """What StreamInfo is to tell beside the format: `encoder` and the like. Without, the camera encodes itself."""
        self._told = told
        self._sets: list[bytes] = []
        self._begun = False

    def give(self, sink: RecordSink, data: bytes, pts_us: int) -> None:
        """Hand on the packet, and the stream's format before it when that is new; nothing before the first keyframe.

        Raises BitstreamError for what is no H.264.
        """
        units = nal.split_annex_b(data)
        sets = nal.parameter_sets("h264", units)
        if sets and sets != self._sets:
            self._sets = sets
            known = nal.describe("h264", sets)
            sink.stream(replace(known, **self._told))
        key = nal.is_key("h264", units)
        self._begun = self._begun or (key and bool(self._sets))
        if self._begun and len(units) > len(sets):
            sink.packet(Packet(nal.join_lengths(units), pts_us, pts_us, key))


class SoftwareEncoder:
    """x264: one picture in, one access unit out."""

    def __init__(self, width: int, height: int, fps: int, kbps: int, preset: str = PRESETS[-1],
                 threads_n: int = 0) -> None:
        """`threads_n` share the work by cutting pictures into slices; 0: one for each core, 1: the caller's alone.

        Raises SourceError when this PyAV has no x264.
        """
        try:
            self._x264 = create("libx264", width, height, fps, kbps)
        except (av.error.FFmpegError, ValueError):
            raise SourceError("encoder_missing", "PyAV has no x264",
                              "install it with: apt install python3-av") from None
        self._x264.thread_count = threads_n
        self._x264.options = {**X264, "preset": preset, "maxrate": f"{kbps * 3 // 2}k", "bufsize": f"{kbps * 2}k"}
        self._keys = KeyTimes()
        self.gave_key = False               # whether the latest access unit is a keyframe

    def encode(self, frame: av.VideoFrame, pts_us: int) -> bytes:
        """Annex B of one yuv420p picture; a keyframe every two seconds of `pts_us`, which must grow."""
        self.gave_key = self._keys.due(pts_us)
        return b"".join(bytes(packet) for packet in self._x264.encode(stamped(frame, pts_us, self.gave_key)))


class KeyTimes:
    """When the next keyframe is due: every two seconds, by the pictures' own times."""

    def __init__(self) -> None:
        self._last_pts_us = 0
        self._key_pts_us: int | None = None

    def due(self, pts_us: int) -> bool:
        """Whether the picture of this time is to be one: else the next one would be late."""
        step_us, self._last_pts_us = pts_us - self._last_pts_us, pts_us
        key = self._key_pts_us is None or pts_us - self._key_pts_us > GOP_US - step_us * 3 // 4
        if key:
            self._key_pts_us = pts_us
        return key


def create(codec: str, width: int, height: int, fps: int, kbps: int) -> av.VideoCodecContext:
    """libav's encoder of this name for yuv420p pictures, not opened yet. Raises FFmpegError or ValueError."""
    context = av.CodecContext.create(codec, "w")
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.framerate, context.time_base = Fraction(fps), TIME_BASE
    context.bit_rate = kbps * 1000
    return context


def stamped(frame: av.VideoFrame, pts_us: int, key: bool) -> av.VideoFrame:
    """Stamp a frame with its time, and with whether it is to be a keyframe."""
    frame.pict_type = PictureType.I if key else PictureType.NONE
    frame.pts, frame.time_base = pts_us, TIME_BASE
    return frame
