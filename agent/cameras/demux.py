"""Converts PyAV's packets, of files and of network cameras, into ours."""
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from agent.cameras import RecordSink, SourceError
from agent.core.media import audio, nal
from agent.core.media.model import AudioInfo, Packet, Sound, StreamInfo
from agent.core.media.nal import BitstreamError, ParameterSets

LAWS = {"pcm_alaw": "pcma", "pcm_mulaw": "pcmu"}


class Sounds:
    """The first sound of a container; `stream` is None without sound that can be kept as it is."""

    def __init__(self, container: Any) -> None:
        streams = container.streams.audio
        self._codec = streams[0].codec_context.name if streams else ""
        self._info = _info(streams[0].codec_context) if streams else None
        self.stream: Any = streams[0] if self._info is not None else None

    def announce(self, sink: RecordSink) -> None:
        """Tell the format, or what is in its way."""
        sink.audio(self._info, "" if self._info is not None else self._codec)

    def convert(self, packet: Any) -> Sound | None:
        """Our stretch of sound from one of PyAV's packets; None for one without data or time."""
        if self._info is None or not packet.size or packet.pts is None:
            return None
        data = bytes(packet)
        return Sound(data, microseconds(packet.pts, packet.time_base), audio.samples_n(self._info, data))

    def end_us(self, sound: Sound) -> int:
        """When a stretch of sound that `convert` gave ends, on its own clock."""
        return sound.pts_us + sound.samples_n * 1_000_000 // self._info.rate_hz if self._info else sound.pts_us


def _info(context: Any) -> AudioInfo | None:
    """None for what can't be kept; AAC without a configuration is of a kind that has it in each frame (ADTS)."""
    if context.name == "aac":
        return audio.aac(bytes(context.extradata or b""))
    law = LAWS.get(context.name)
    return AudioInfo(law, context.sample_rate, len(context.layout.channels)) if law else None


CODECS = {"h264": "h264", "hevc": "h265"}
DTS_WAIT_N = 16         # packets without a decode time that may come first (B-frames: 3, as far as seen)
SHORTEST_US = 1_000     # what libav tells of less is the tick of a clock, and no frame's length
GUESS_US = 40_000


def video_stream(container: Any, name: str) -> Any:
    """The container's first video stream. Raises SourceError without one that can be recorded as it is."""
    if not container.streams.video:
        raise SourceError("camera_stream_bad", f"{name}: has no video in it")
    stream = container.streams.video[0]
    if stream.codec_context.name not in CODECS:
        raise SourceError("camera_stream_bad",
                          f"{name}: is {stream.codec_context.name}, which can't be recorded as it is",
                          "set the camera to H.264 or H.265, or convert the file: ffmpeg -i FILE -c:v libx264 OUT.mp4")
    return stream


def microseconds(ticks: int, time_base: Any) -> int:
    """A stream's own time in microseconds."""
    return ticks * 1_000_000 * time_base.numerator // time_base.denominator


class Packets:
    """Turns a stream's packets into ours: length-prefixed NAL units, and a decode time for each."""

    def __init__(self, stream: Any, turn: int = 0) -> None:
        """Learn the format from the stream's header, as far as it has one. Raises BitstreamError.

        `turn` is StreamInfo's.
        """
        self._turn = turn
        codec = CODECS[stream.codec_context.name]
        self._time_base = stream.time_base
        rate = stream.average_rate or stream.guessed_rate
        self._frame_us = int(1e6 / rate) if rate else 0
        self._waiting: list[tuple[bytes, int | None, bool]] = []
        units, self._prefix_b = nal.from_extradata(codec, bytes(stream.codec_context.extradata or b""))
        self._sets = ParameterSets(codec, units)

    @property
    def info(self) -> StreamInfo | None:
        """The format as known by now."""
        info = self._sets.info
        return replace(info, turn=self._turn) if info is not None else None

    def convert(self, packet: Any) -> Iterator[Packet | StreamInfo]:
        """Our packets from one of PyAV's, each format change before the packet that needs it. Raises BitstreamError."""
        data = nal.rewrap(bytes(packet), self._prefix_b)
        if packet.is_keyframe or self.info is None:
            if self._sets.learn(nal.split_lengths(data)) and self.info is not None:
                yield self.info
            elif self.info is None and packet.is_keyframe:
                raise BitstreamError("a keyframe comes without valid parameter sets")
        pts = None if packet.pts is None else microseconds(packet.pts, self._time_base)
        if packet.dts is None:
            if len(self._waiting) < DTS_WAIT_N:
                self._waiting.append((data, pts, packet.is_keyframe))
            return
        dts = microseconds(packet.dts, self._time_base)
        if self._waiting:
            yield from self._backfill(dts, microseconds(packet.duration or 0, self._time_base))
        yield Packet(data, dts if pts is None else pts, dts, packet.is_keyframe)

    def _backfill(self, next_dts_us: int, frame_us: int) -> Iterator[Packet]:
        """The packets that came before the first decode time: libav gives none to an RTSP stream's first keyframe."""
        count = len(self._waiting)
        frame_us = next((told_us for told_us in (frame_us, self._frame_us) if told_us >= SHORTEST_US), GUESS_US)
        for index, (data, pts, key) in enumerate(self._waiting):
            dts = next_dts_us - (count - index) * frame_us
            yield Packet(data, dts if pts is None else pts, dts, key)
        self._waiting = []
