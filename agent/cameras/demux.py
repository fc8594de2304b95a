"""Converts PyAV's packets, from files and network cameras, into ours."""
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from agent.cameras import RecordSink, SourceError
from agent.core.media import audio, nal
from agent.core.media.model import AudioInfo, Packet, Sound, StreamInfo
from agent.core.media.nal import BitstreamError, ParameterSets

LAWS = {"pcm_alaw": "pcma", "pcm_mulaw": "pcmu"}
UNKNOWN = "something unknown"


def codec_of(stream: Any) -> str:
    return stream.codec_context.name if stream.codec_context is not None else UNKNOWN


class Sounds:
    """The first sound of a container; `stream` is None if we cannot store it unchanged."""

    def __init__(self, container: Any) -> None:
        streams = container.streams.audio
        self._codec = codec_of(streams[0]) if streams else ""
        self._info = _info(streams[0].codec_context) if streams and self._codec != UNKNOWN else None
        self.stream: Any = streams[0] if self._info is not None else None

    def announce(self, sink: RecordSink) -> None:
        sink.audio(self._info, "" if self._info is not None else self._codec)

    def convert(self, packet: Any) -> Sound | None:
        """Converts one of PyAV's packets; None for one without data or time."""
        if self._info is None or not packet.size or packet.pts is None:
            return None
        data = bytes(packet)
        return Sound(data, microseconds(packet.pts, packet.time_base), audio.samples_n(self._info, data))

    def end_us(self, sound: Sound) -> int:
        """Returns when a sound from `convert` ends, in microseconds on its own clock."""
        return sound.pts_us + sound.samples_n * 1_000_000 // self._info.rate_hz if self._info else sound.pts_us


def _info(context: Any) -> AudioInfo | None:
    """None if we cannot store it. AAC without a configuration has one in each frame (ADTS)."""
    if context.name == "aac":
        return audio.aac(bytes(context.extradata or b""))
    law = LAWS.get(context.name)
    return AudioInfo(law, context.sample_rate, len(context.layout.channels)) if law else None


CODECS = {"h264": "h264", "hevc": "h265"}
DTS_WAIT_N = 16         # maximum of first packets without a decode time (with B-frames: 3, as far as seen)
SHORTEST_US = 1_000     # libav's shorter durations are one tick of a clock, not a frame's length
GUESS_US = 40_000


def video_stream(container: Any, name: str) -> Any:
    """Returns the container's first video stream. Raises SourceError if we cannot record it unchanged."""
    if not container.streams.video:
        raise SourceError("camera_stream_bad", f"{name}: has no video in it")
    stream = container.streams.video[0]
    if codec_of(stream) not in CODECS:
        raise SourceError("camera_stream_bad", f"{name}: is {codec_of(stream)}, which can't be recorded as it is",
                          "set the camera to H.264 or H.265, or convert the file: ffmpeg -i FILE -c:v libx264 OUT.mp4")
    return stream


def microseconds(ticks: int, time_base: Any) -> int:
    return ticks * 1_000_000 * time_base.numerator // time_base.denominator


class Packets:
    """Converts a stream's packets into ours: length-prefixed NAL units, each with a decode time."""

    def __init__(self, stream: Any, turn: int = 0) -> None:
        """Reads the format from the stream's header, if it has one; `turn` is StreamInfo's. Raises BitstreamError."""
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
        info = self._sets.info
        return replace(info, turn=self._turn) if info is not None else None

    def convert(self, packet: Any) -> Iterator[Packet | StreamInfo]:
        """Converts one of PyAV's packets; yields a new format before its first packet. Raises BitstreamError."""
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
        """libav gives no decode time to the first keyframe of an RTSP stream."""
        count = len(self._waiting)
        frame_us = next((told_us for told_us in (frame_us, self._frame_us) if told_us >= SHORTEST_US), GUESS_US)
        for index, (data, pts, key) in enumerate(self._waiting):
            dts = next_dts_us - (count - index) * frame_us
            yield Packet(data, dts if pts is None else pts, dts, key)
        self._waiting = []
