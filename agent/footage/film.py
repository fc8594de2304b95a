"""Reads one video file as brightness pictures in order of time, decoded as for the recorder's motion detection."""
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Self

import av

from agent.core.media.model import Packet, StreamInfo
from agent.core.vision.luma import Luma
from agent.host.decoder import (
    ANY_METADATA,
    PROBING,
    BoundedDecoder,
    TooLarge,
    Undecodable,
    is_small,
    set_up,
    turn_of,
    turned,
)
from agent.host.luma import LOOKING, luma_of

# Self-contained formats: a playlist could lead into the network, or wait for more data.
FORMATS = "mov,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,flv,mjpeg,asf,ogg,ivf,dv"
OPTIONS = {"protocol_whitelist": "file", "format_whitelist": FORMATS}
TORN_S = 1.5                # so much shorter than announced, the file's end is missing
FRAME_S = 0.04              # between pictures if the file does not say
Wants = Callable[[float], bool]
Opened = Callable[[], BinaryIO]     # raises FootageError
_one_at_a_time = threading.Lock()       # for large pictures, in this process


class FootageError(Exception):
    """The file cannot be examined; the text names it and the remedy."""


class Film:
    """An open file; use it as a context manager."""

    def __init__(self, path: Path, opened: Opened | None = None) -> None:
        """`opened` reads a file that is encrypted on the disk. Raises FootageError if the file is not a video."""
        self._path = path
        self._damaged_n, self._torn = 0, False
        try:
            source = opened() if opened else f"file:{os.path.abspath(path)}"
            self._file = av.open(source, options={**OPTIONS, **PROBING}, **ANY_METADATA)
        except (av.error.FFmpegError, OSError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise FootageError(f"{path}: is no video that can be looked at ({reason}); "
                               f"try it with: ffprobe {path}") from error
        if not self._file.streams.video or self._file.streams.video[0].codec_context is None:
            self._file.close()
            raise FootageError(f"{path}: has no video in it that libav knows; choose another file")
        self._stream = self._file.streams.video[0]
        try:
            set_up(self._stream.codec_context, LOOKING)
        except TooLarge as error:
            self._file.close()
            raise FootageError(f"{path}: its pictures of {error} are too large to be looked at; "
                               "choose another file") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def length_s(self) -> float | None:
        """Returns the length that the file announces; None if it has none."""
        length = self._stream.duration
        if length and self._stream.time_base:
            return float(length * self._stream.time_base)
        return self._file.duration / av.time_base if self._file.duration else None

    @property
    def trouble(self) -> str:
        """Returns what was wrong with the pictures read so far; "" if nothing was."""
        troubles = [f"pictures left out because of damage: {self._damaged_n}"] if self._damaged_n else []
        troubles += ["its end is missing; it was looked at as far as it goes"] if self._torn else []
        return f"{self._path}: {'; '.join(troubles)}" if troubles else ""

    def lumas(self, wants: Wants, began_s: float = 0.0) -> Iterator[Luma]:
        """Yields the wanted pictures from `began_s` on, in order; each is valid until the next (decoder's memory)."""
        rate = self._stream.average_rate or self._stream.guessed_rate
        line = _Timeline(began_s, float(1 / rate) if rate else FRAME_S)
        for frame in self._frames():
            # The last pictures lack their stream's time base, so `frame.time` is None.
            at_s = line.place(None if frame.pts is None else float(frame.pts * self._stream.time_base))
            if wants(at_s):
                yield luma_of(turned(frame, turn_of(frame)), at_s)
        promised_s = self.length_s
        self._torn = self._torn or promised_s is not None and line.length_s < promised_s - TORN_S

    def picture(self, at_s: float) -> av.VideoFrame | None:
        """Returns the first picture from `at_s` after the film's begin on, else its last one, or None.

        The film is decoded from the keyframe before, so read nothing else from it afterwards.
        """
        stream = self._stream
        begin, unit = stream.start_time or 0, stream.time_base
        self._file.seek(begin + int(at_s / unit), stream=stream)
        frame = None
        for frame in self._frames():
            if frame.pts is not None and (frame.pts - begin) * unit >= at_s:
                break
        return frame

    def _frames(self) -> Iterator[av.VideoFrame]:
        """Every picture that can be decoded; after damage, from the next keyframe on."""
        codec, whole = self._stream.codec_context, True
        for packet in self._packets():
            last = not packet.size
            whole = last or packet.is_keyframe or whole
            if not whole or packet.is_corrupt:
                self._damaged_n, whole = self._damaged_n + 1, False
                continue
            try:
                yield from codec.decode(None if last else packet)
            except av.error.FFmpegError:
                self._damaged_n, whole = self._damaged_n + 1, False
                codec.flush_buffers()

    def _packets(self) -> Iterator[Any]:
        try:
            yield from self._file.demux(self._stream)
        except (av.error.FFmpegError, OSError):
            self._torn = True


class _Timeline:
    """The pictures' own times, moved to the film's begin. If times are missing or step back, it adds one step."""

    def __init__(self, began_s: float, step_s: float) -> None:
        self._began_s, self._step_s = began_s, step_s
        self._at_s = began_s - step_s
        self._shift_s: float | None = None      # from the file's times to ours

    def place(self, time_s: float | None) -> float:
        if time_s is None or self._shift_s is None or time_s + self._shift_s <= self._at_s:
            self._at_s += self._step_s
            self._shift_s = None if time_s is None else self._at_s - time_s
        else:
            self._at_s = time_s + self._shift_s
        return self._at_s

    @property
    def length_s(self) -> float:
        return self._at_s + self._step_s - self._began_s


def last_picture(info: StreamInfo, packets: Sequence[Packet],
                 go_on: Callable[[], bool] = lambda: True) -> av.VideoFrame | None:
    """Returns the picture of the last of `packets`, with its pts in microseconds, or None.

    The packets begin with a keyframe. `go_on` is asked before each packet but the first: False ends there. For a large
    picture it returns the keyframe's own, because the packets after it would need several times the memory.
    """
    try:
        if is_small(info):
            return _last(BoundedDecoder(info, timed=True), packets, go_on)
        with _one_at_a_time:
            return _last(BoundedDecoder(info, timed=True, single=True), packets[:1], go_on)
    except (TooLarge, Undecodable):
        return None


def _last(decoder: BoundedDecoder, packets: Sequence[Packet], go_on: Callable[[], bool]) -> av.VideoFrame | None:
    picture = None
    for number, packet in enumerate(packets):
        if number and not go_on():
            break
        picture = (decoder.decode(packet) or [picture])[-1]
    return (decoder.decode(None) or [picture])[-1]
