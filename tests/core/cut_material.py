"""Clips in memory as a recorder makes them, cuts out of them, and what another program finds in these."""
import io
from collections.abc import Sequence
from typing import NamedTuple

import av

from agent.core.media.fragments import Fragmenter
from agent.core.media.model import AudioInfo, Packet, Sound, StreamInfo
from agent.core.media.mp4.cut import CutFilm, Strip, cut, cut_keys
from agent.core.media.mp4.read import read_head
from tests.core.mp4_material import read_at


class Clip(NamedTuple):
    """A file, and when its first frame is decoded as its row tells it: in whole milliseconds."""

    data: bytes
    begin_us: int

    @property
    def strip(self) -> Strip:
        return Strip(read_at(self.data), read_head(read_at(self.data)), self.begin_us)


class Found(NamedTuple):
    """A packet as another program takes it out of a file; seconds."""

    data: bytes
    pts_s: float
    dts_s: float
    key: bool


def record(stream: StreamInfo, packets: Sequence[Packet], until_us: int, audio: AudioInfo | None = None,
           sounds: Sequence[Sound] = (), finished: bool = True, wall_ms: int = 0) -> Clip:
    """The clip of these packets, and of the sound that begins in its time; its head has the wall time, if any."""
    clip = Fragmenter(stream, packets[0], wall_ms, 60, 1.8, audio)
    for sound in sounds:
        clip.add_sound(sound)
    data = clip.head + b"".join(filter(None, map(clip.add, packets)))
    if not finished:
        return Clip(data, packets[0].dts_us // 1000 * 1000)
    clip.until_us = until_us + packets[0].pts_us - packets[0].dts_us
    tail, head = clip.close(until_us)
    return Clip(head + (data + tail)[len(head):], packets[0].dts_us // 1000 * 1000)


def record_all(stream: StreamInfo, packets: Sequence[Packet], starts: Sequence[int], end_us: int,
               audio: AudioInfo | None = None, sounds: Sequence[Sound] = (),
               offset_ms: int | None = None) -> list[Clip]:
    """A run without a break in clips that begin with these packets; `offset_ms` dates them by the wall clock."""
    clips = []
    for start, end in zip(starts, [*starts[1:], len(packets)], strict=True):
        reorder_us = packets[start].pts_us - packets[start].dts_us
        until_us = packets[end].dts_us if end < len(packets) else end_us
        own = [sound for sound in sounds if packets[start].pts_us <= sound.pts_us < until_us + reorder_us]
        wall_ms = 0 if offset_ms is None else packets[start].dts_us // 1000 + offset_ms
        clips.append(record(stream, packets[start:end], until_us, audio, own, wall_ms=wall_ms))
    return clips


def films(clips: Sequence[Clip], begin_us: int, end_us: int) -> list[tuple[CutFilm, bytes]]:
    """What is cut out of the clips, with each whole file."""
    return _whole(clips, cut([clip.strip for clip in clips], begin_us, end_us))


def key_films(clips: Sequence[Clip], begin_us: int, end_us: int, step_us: int = 0) -> list[tuple[CutFilm, bytes]]:
    """The same of keyframes alone."""
    return _whole(clips, cut_keys([clip.strip for clip in clips], begin_us, end_us, step_us))


def _whole(clips: Sequence[Clip], found: Sequence[CutFilm]) -> list[tuple[CutFilm, bytes]]:
    return [(film, film.head(1_764_033_000) + b"".join(
        clips[run.strip].data[run.offset:run.offset + run.size_b] for run in film.runs)) for film in found]


def packets_of(data: bytes, kind: str = "video") -> list[Found]:
    """The packets that libav finds in a file, in its order."""
    with av.open(io.BytesIO(data), format="mp4") as container:
        stream = next((each for each in container.streams if each.type == kind), None)
        return [] if stream is None else [
            Found(bytes(each), float(each.pts * each.time_base), float(each.dts * each.time_base), each.is_keyframe)
            for each in container.demux(stream) if each.size]
