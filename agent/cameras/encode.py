"""Encodes H.264 with x264 for cameras that do not, and converts any encoder's output into our packets."""
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
GOP_US = 2_000_000      # a clip can only begin at a keyframe, and a power cut loses what came after the last one
SLOW = 1.5          # times the usual frame time; above it, counting frames gives the wrong time
AHEAD = 3           # two frames are under way when we ask, and at the next one it may be too late

# Without look-ahead and B-frames every picture comes out at once. We set the keyframes by time, because cameras slow
# down to a few frames a second in the dark. core/media/headroom.py chooses the preset.
X264 = {"tune": "zerolatency", "forced-idr": "1", "g": "100000", "sc_threshold": "0"}


class AccessUnits:
    """Converts an encoder's access units (Annex B, parameter sets before keyframes) into our packets."""

    def __init__(self, **fields: Any) -> None:
        """Takes further fields for StreamInfo, such as `encoder`; without it, the camera encodes."""
        self._fields = fields
        self._sets: list[bytes] = []
        self._begun = False

    def give(self, sink: RecordSink, data: bytes, pts_us: int) -> None:
        """Passes on the packet, after a new format; nothing before the first keyframe. Raises BitstreamError."""
        units = nal.split_annex_b(data)
        sets = nal.parameter_sets("h264", units)
        if sets and sets != self._sets:
            self._sets = sets
            known = nal.describe("h264", sets)
            sink.stream(replace(known, **self._fields))
        key = nal.is_key("h264", units)
        self._begun = self._begun or (key and bool(self._sets))
        if self._begun and len(units) > len(sets):
            sink.packet(Packet(nal.join_lengths(units), pts_us, pts_us, key))


class SoftwareEncoder:
    """x264: one picture in, one access unit out."""

    def __init__(self, width: int, height: int, fps: int, kbps: int, preset: str = PRESETS[-1],
                 threads_n: int = 0) -> None:
        """`threads_n` threads share a picture; 0: one per core, 1: the caller's. Raises SourceError without x264."""
        try:
            self._x264 = create("libx264", width, height, fps, kbps)
        except (av.error.FFmpegError, ValueError):
            raise SourceError("encoder_missing", "PyAV has no x264",
                              "install it with: apt install python3-av") from None
        self._x264.thread_count = threads_n
        self._x264.options = {**X264, "preset": preset, "maxrate": f"{kbps * 3 // 2}k", "bufsize": f"{kbps * 2}k"}
        self._keys = KeyTimes()
        self.gave_key = False               # whether the last access unit is a keyframe

    def encode(self, frame: av.VideoFrame, pts_us: int) -> bytes:
        """Encodes one yuv420p picture to Annex B; a keyframe every two seconds of `pts_us`, which must grow."""
        self.gave_key = self._keys.due(pts_us)
        return b"".join(bytes(packet) for packet in self._x264.encode(stamped(frame, pts_us, self.gave_key)))


class KeyTimes:
    """Tells when the next keyframe is due: every two seconds, by the pictures' times."""

    def __init__(self) -> None:
        self._last_pts_us = 0
        self._key_pts_us: int | None = None

    def due(self, pts_us: int) -> bool:
        """Whether the picture of this time should be a keyframe, because the next one would be late."""
        step_us, self._last_pts_us = pts_us - self._last_pts_us, pts_us
        key = self._key_pts_us is None or pts_us - self._key_pts_us > GOP_US - step_us * 3 // 4
        if key:
            self._key_pts_us = pts_us
        return key


def create(codec: str, width: int, height: int, fps: int, kbps: int) -> av.VideoCodecContext:
    """Returns libav's encoder of this name for yuv420p pictures, not yet open. Raises FFmpegError or ValueError."""
    context = av.CodecContext.create(codec, "w")
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.framerate, context.time_base = Fraction(fps), TIME_BASE
    context.bit_rate = kbps * 1000
    return context


def stamped(frame: av.VideoFrame, pts_us: int, key: bool) -> av.VideoFrame:
    frame.pict_type = PictureType.I if key else PictureType.NONE
    frame.pts, frame.time_base = pts_us, TIME_BASE
    return frame


class KeyWatch:
    """Tells when to ask the board's encoder for a keyframe: at night, when its count of frames is not exact."""

    def __init__(self, fps: int) -> None:
        self._usual_us = 1_000_000 / fps
        self._last_us = self._key_us = 0
        self._asked = False

    def due(self, pts_us: int, key: bool) -> bool:
        """Whether to ask for a keyframe, now that the frame of this time has come."""
        step_us, self._last_us = pts_us - self._last_us, pts_us
        if key:
            self._key_us, self._asked = pts_us, False
            return False
        slow = step_us > SLOW * self._usual_us
        if self._asked or not slow or pts_us - self._key_us < GOP_US - AHEAD * step_us:
            return False
        self._asked = True
        return True
