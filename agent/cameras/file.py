"""Plays a video file in real time, as a camera would; with `loop` it never ends."""
import heapq
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av

from agent.cameras import RecordSink, Sink, Source, SourceError
from agent.cameras.demux import Packets, Sounds, video_stream
from agent.core.media.model import Packet, Sound, StreamInfo
from agent.core.media.nal import BitstreamError
from agent.host.clock import Clock
from agent.host.decoder import ANY_METADATA, PROBING, TooLarge, set_up, turn_of
from agent.host.stop import Stop

INTERLEAVED_US = 1_500_000      # how far apart picture and sound of one moment may be in a file
INTERLEAVED_MAX = 4096          # packets, for the same reason

Item = StreamInfo | Packet | Sound


class FileSource(Source):
    """Plays one file; packets are copied, not encoded again. `audio` adds its sound."""

    def __init__(self, path: Path, clock: Clock, loop: bool = False, audio: bool = False) -> None:
        self._path, self._clock, self._loop, self._audio = path, clock, loop, audio

    def run(self, sink: Sink, stop: Stop) -> None:
        """Plays the file once, or in a loop; returns at its end or when `stop` is set. Raises SourceError."""
        began_us, turn = int(self._clock.mono_s() * 1e6), None
        while True:
            try:
                turn = _turn(self._path) if turn is None else turn
                played_us = self._play(sink, stop, began_us, turn)
            except FileNotFoundError:
                raise SourceError("camera_not_found", f"{self._path}: there is no such file",
                                  "correct the camera's source") from None
            except (av.error.FFmpegError, BitstreamError, OSError) as error:
                text = getattr(error, "strerror", None) or str(error)
                raise SourceError("camera_stream_bad", f"{self._path}: is not a video that can be played ({text})",
                                  f"try it with: ffprobe {self._path}") from None
            if stop.is_set() or not self._loop:
                return
            if not played_us:
                raise SourceError("camera_stream_bad", f"{self._path}: has no picture in it", "choose another file")
            began_us += played_us

    def _play(self, sink: RecordSink, stop: Stop, began_us: int, turn: int) -> int:
        """Plays the file once, its first frame at `began_us` of the device's clock; returns its length in us."""
        first_us: int | None = None
        last_us = step_us = 0
        with av.open(str(self._path), options=PROBING, **ANY_METADATA) as container:
            packets = Packets(video_stream(container, str(self._path)), turn)
            sounds = Sounds(container) if self._audio else None
            if packets.info is not None:
                sink.stream(packets.info)
            if sounds is not None:
                sounds.announce(sink)
            for at_us, item in _items(container, packets, sounds):
                if isinstance(item, StreamInfo):
                    sink.stream(item)
                    continue
                first_us = at_us if first_us is None else first_us
                shift_us = began_us - first_us
                if stop.wait(max(0.0, (at_us + shift_us) / 1e6 - self._clock.mono_s())):
                    return 0
                if isinstance(item, Sound):
                    sink.sound(item._replace(pts_us=item.pts_us + shift_us))
                else:
                    step_us, last_us = at_us - first_us - last_us, at_us - first_us
                    sink.packet(Packet(item.data, item.pts_us + shift_us, at_us + shift_us, item.key))
        return last_us + step_us if first_us is not None else 0


def _turn(path: Path) -> int:
    """How far pictures are turned, which only a decoded one tells; 0 if none can be decoded. Raises as opening."""
    with av.open(str(path), options=PROBING, **ANY_METADATA) as container:
        if not container.streams.video or container.streams.video[0].codec_context is None:
            return 0
        stream = container.streams.video[0]
        try:
            set_up(stream.codec_context, {})
            return next((turn_of(frame) for frame in container.decode(stream)), 0)
        except (TooLarge, av.error.FFmpegError):
            return 0


def _items(container: Any, packets: Packets, sounds: Sounds | None) -> Iterator[tuple[int, Item]]:
    """Everything in the file, with the time (its own, in us) at which a camera would send it."""
    video = container.streams.video[0]
    if sounds is None or sounds.stream is None:
        for packet in container.demux(video):
            yield from _pictures(packets, packet)
        return
    # a heap, because picture and sound of one moment may be apart in a file
    waiting: list[tuple[int, int, Item]] = []
    number, newest_us, end_us = 0, -(1 << 62), 0
    for packet in container.demux(video, sounds.stream):
        from_video = packet.stream_index == video.index
        for at_us, item in _pictures(packets, packet) if from_video else _sound(sounds, packet):
            heapq.heappush(waiting, (at_us, number, item))
            number, newest_us = number + 1, max(newest_us, at_us)
            end_us = at_us if from_video else end_us
            while newest_us - waiting[0][0] > INTERLEAVED_US or len(waiting) > INTERLEAVED_MAX:
                at_us, _, item = heapq.heappop(waiting)
                yield at_us, item
    for at_us, _, item in sorted(waiting):
        if at_us <= end_us:         # sound ends with the picture, so that a loop keeps its pace
            yield at_us, item


def _pictures(packets: Packets, packet: Any) -> Iterator[tuple[int, Item]]:
    """A picture comes when its time begins, together with its format."""
    found = list(packets.convert(packet)) if packet.size else []
    for number, item in enumerate(found):
        yield next((one.dts_us for one in found[number:] if isinstance(one, Packet)), 0), item


def _sound(sounds: Sounds, packet: Any) -> Iterator[tuple[int, Item]]:
    sound = sounds.convert(packet)
    if sound is not None:
        yield sounds.end_us(sound), sound
