"""What files and network cameras share: PyAV hands out packets; we hand them on, and pictures where motion looks."""
import logging
from collections.abc import Iterator
from typing import Any

import av
import numpy as np

from agent.capture.source import Sink, SourceError
from agent.core import nal
from agent.core.model import Luma, Packet, StreamInfo
from agent.host.clock import Clock

# A title that is not UTF-8 must keep nobody from the video; from PyAV 19 on it does not, and can't be told so.
ANY_METADATA = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}

CODECS = {"h264": "h264", "hevc": "h265"}
DTS_WAIT_N = 16         # packets without a decode time that may come first (B-frames: 3, as far as seen)

_log = logging.getLogger(__name__)


def video_stream(container: Any, name: str) -> Any:
    """The container's first video stream. Raises SourceError when there is none that can be recorded as it is."""
    if not container.streams.video:
        raise SourceError("camera_stream_bad", f"{name}: has no video in it")
    stream = container.streams.video[0]
    if stream.codec_context.name not in CODECS:
        raise SourceError("camera_stream_bad",
                          f"{name}: is {stream.codec_context.name}, which can't be recorded as it is; set the camera "
                          "to H.264 or H.265, or convert the file: ffmpeg -i FILE -c:v libx264 OUT.mp4")
    return stream


def microseconds(ticks: int, time_base: Any) -> int:
    """A stream's own time in microseconds."""
    return ticks * 1_000_000 * time_base.numerator // time_base.denominator


class Packets:
    """Turns a stream's packets into ours: length-prefixed NAL units, and a decode time for each."""

    def __init__(self, stream: Any) -> None:
        """Learn the format from the stream's header, as far as it has one. Raises BitstreamError."""
        self._codec = CODECS[stream.codec_context.name]
        self._time_base = stream.time_base
        self._frame_us = int(1e6 / (stream.average_rate or stream.guessed_rate or 25))
        self._waiting: list[tuple[bytes, int | None, bool]] = []
        self._sets: list[bytes] = []
        self.info: StreamInfo | None = None
        units, self._prefix_b = nal.from_extradata(self._codec, bytes(stream.codec_context.extradata or b""))
        self._learn(units)

    def _learn(self, units: list[bytes]) -> bool:
        """Take the parameter sets among `units`; whether they change the stream's format."""
        sets = nal.parameter_sets(self._codec, units)
        if not sets or sets == self._sets:
            return False
        kinds = {nal.unit_type(self._codec, unit) for unit in sets}
        # A camera may repeat one kind and not the others.
        kept = [unit for unit in self._sets if nal.unit_type(self._codec, unit) not in kinds]
        if sorted(kept + sets) == sorted(self._sets):
            return False
        self._sets = kept + sets
        before, self.info = self.info, nal.describe(self._codec, self._sets)
        return self.info != before

    def take(self, packet: Any) -> Iterator[Packet | StreamInfo]:
        """Our packets from one of PyAV's, each format change before the packet that needs it. Raises BitstreamError."""
        data = nal.rewrap(bytes(packet), self._prefix_b)
        if packet.is_keyframe and self._learn(nal.split_lengths(data)) and self.info is not None:
            yield self.info
        pts = None if packet.pts is None else microseconds(packet.pts, self._time_base)
        if packet.dts is None:
            if len(self._waiting) < DTS_WAIT_N:
                self._waiting.append((data, pts, packet.is_keyframe))
            return
        dts = microseconds(packet.dts, self._time_base)
        yield from self._backfill(dts)
        yield Packet(data, dts if pts is None else pts, dts, packet.is_keyframe)

    def _backfill(self, next_dts_us: int) -> Iterator[Packet]:
        """The packets that came before the first decode time: libav gives none to an RTSP stream's first keyframe."""
        count = len(self._waiting)
        for index, (data, pts, key) in enumerate(self._waiting):
            dts = next_dts_us - (count - index) * self._frame_us
            yield Packet(data, dts if pts is None else pts, dts, key)
        self._waiting = []


class Eye:
    """Decodes a stream for motion, and only then: from a keyframe on, without the loop filter, one thread."""

    def __init__(self, stream: Any, clock: Clock, always: bool) -> None:
        """`always`: the stream is there for its pictures; else they are looked at while the sink depends on them."""
        self._clock, self._always, self._open = clock, always, False
        context = stream.codec_context
        context.thread_count = 1
        context.thread_type = "NONE"
        context.options = {"skip_loop_filter": "all"}

    def look(self, packet: Any, sink: Sink) -> None:
        """Give the sink the packet's picture, if it wants one now."""
        if packet.is_keyframe:
            self._open = self._always or sink.wants_main_luma()
        if not self._open:
            return
        try:
            frames = packet.decode()
        except av.error.FFmpegError as error:
            _log.debug("a picture that can't be decoded: %s", error)
            self._open = False
            return
        now_mono_s = self._clock.mono_s()
        if frames and sink.wants_luma(now_mono_s):
            sink.luma(Luma(luma_of(frames[-1]), now_mono_s))


def luma_of(frame: Any) -> np.ndarray:
    """The brightness plane of a decoded picture, a view (height, width) of its own memory where the format has one."""
    if not frame.format.name.startswith(("yuv", "nv", "gray")) or frame.format.components[0].bits != 8:
        return frame.to_ndarray(format="gray")
    plane = frame.planes[0]
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:frame.height, :frame.width]
