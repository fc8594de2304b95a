"""Rehearses settings for the page: `python -m agent.helpers.rehearsal`, a question in; progress, pictures, answer out.

A process of its own, because it decodes, which the page may not, with the lowest priority. The page may kill it.
"""
import contextlib
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import av
import cv2
import msgspec

from agent.cameras import SourceError, reencode
from agent.config.derived import transcodes
from agent.config.motion import as_set
from agent.config.settings import Camera
from agent.config.zones import points
from agent.core.contract import rehearsal as contract
from agent.core.contract.rehearsal import MaskCost, RehearsalQuestion, RehearsalWord
from agent.core.media.model import Box, Packet, StreamInfo
from agent.core.vision.replay import FootageReplay, ReplayEvent, differences
from agent.footage import reel, whatif
from agent.footage.film import Film, FootageError
from agent.footage.reel import ReelFile, recent_clips, takes_of
from agent.host.prctl import die_with_parent
from agent.store import events
from agent.store.database import connect
from agent.store.encryption.file_keys import Keyring
from agent.store.folders import Folders

QUESTION_B_MAX = 262_144
TELL_EVERY_S = 0.5
ALIKE_MS = 3_000            # at most so far apart, a stored event and a replayed one are the same
STORED_MAX = 5_000
QUALITY = 75
FRAME = (60, 190, 255)      # BGR: the page's own orange


class Rehearsal:
    def __init__(self, question: RehearsalQuestion) -> None:
        """Raises msgspec.ValidationError, StoreError, sqlite3.Error."""
        self._now, self._draft = (msgspec.convert(camera, Camera) for camera in (question.now, question.draft))
        self._until_mono_s = time.monotonic() + question.budget_s
        folders = Folders(Path(question.store))
        with contextlib.closing(connect(folders.root, read_only=True)) as db:
            self._clips = recent_clips(db, self._now.name, question.since_ms)
            latest = events.latest(db, self._now.name, STORED_MAX) if self._clips else []
            self._stored = [event for event in latest
                            if event.kind == "motion" and event.wall_ms >= self._clips[0].wall_ms]
        self._takes = takes_of(self._clips, Keyring(folders, Path(question.runtime))) if self._clips else []

    def words(self) -> Iterator[RehearsalWord]:
        """Yields progress, pictures, and the answer last."""
        if not self._clips:
            yield contract.RehearsalAnswer(problem="nothing")
            return
        drafted = as_set(self._draft)
        hidden = tuple(map(points, self._draft.masks))      # a masked area is black
        other = replace(drafted, name="draft", ignore=(*drafted.ignore, *hidden))
        replay = whatif.replay(self._now, [as_set(self._now), other])
        yield from self._looked(replay)
        now, draft = replay.end()
        missed, added = differences(now.events, draft.events)
        missed_told, pictures = self._told(missed, 0)
        yield from pictures
        added_told, pictures = self._told(added, len(pictures))
        yield from pictures
        yield contract.RehearsalAnswer(
            footage_s=sum((clip.dur_ms or 0) for clip in self._clips) / 1000, told_n=len(self._stored),
            looked_s=sum(part.ended_s - part.began_s for part in replay.stretches),
            now_n=now.events_n, draft_n=draft.events_n, missed=missed_told, added=added_told,
            missed_n=len(missed), added_n=len(added), cost=self._cost())

    def _looked(self, replay: FootageReplay) -> Iterator[contract.RehearsalProgress]:
        all_s, done_s, told_mono_s = sum((clip.dur_ms or 0) for clip in self._clips) / 1000, 0.0, float("-inf")
        for clip, _ in zip(self._clips, reel.play(self._takes, replay, lambda *_: None), strict=True):
            done_s += (clip.dur_ms or 0) / 1000
            now_mono_s = time.monotonic()
            if now_mono_s - told_mono_s >= TELL_EVERY_S:
                told_mono_s = now_mono_s
                yield contract.RehearsalProgress(pct=min(99, int(100 * done_s / max(all_s, 1))))
            if now_mono_s > self._until_mono_s:
                return

    def _told(self, found: Sequence[ReplayEvent],
              from_number: int) -> tuple[list[contract.RehearsalEvent], list[contract.RehearsalPicture]]:
        shown, pictures = [], list[contract.RehearsalPicture]()
        for event in found[:contract.PICTURES_MAX]:
            began_ms, ended_ms = (self._clips[0].wall_ms + int(1000 * at_s) for at_s in (event.began_s, event.ended_s))
            jpeg = _picture(self._takes, event)
            number = from_number + len(pictures) if jpeg else None
            if number is not None and jpeg:
                pictures.append(contract.RehearsalPicture(number=number, jpeg=jpeg))
            told_as = next((stored.id for stored in self._stored if stored.wall_ms <= ended_ms + ALIKE_MS
                            and stored.wall_ms + (stored.dur_ms or 0) >= began_ms - ALIKE_MS), None)
            shown.append(contract.RehearsalEvent(began_ms=began_ms, ended_ms=ended_ms, zones=event.zones,
                                                picture=number, told_as=told_as))
        return shown, pictures

    def _cost(self) -> MaskCost | None:
        """Measures the painting of masks on the newest clip; None without masks, or if the clip is broken."""
        if not transcodes(self._draft):
            return None
        try:
            cost = reencode.masking_cost(self._draft, *_packets(self._takes[-1]))
        except (SourceError, FootageError, OSError, av.error.FFmpegError):
            return None
        # CPU only: at the lowest priority, its share of the time says nothing.
        return cost and MaskCost(cpu_pct=cost.cpu_pct, cores_n=os.cpu_count() or 1)


def _picture(takes: Sequence[ReelFile], event: ReplayEvent) -> bytes | None:
    """Returns the event's largest object as JPEG; None if its file is gone or broken."""
    take = next((take for take in reversed(takes) if (take.began_s or 0) <= event.largest_s), takes[0])
    with contextlib.suppress(FootageError, OSError, av.error.FFmpegError), Film(take.path, take.opened) as film:
        frame = film.picture(event.largest_s - (take.began_s or 0))
        return None if frame is None else _framed(frame, event.largest)
    return None


def _framed(frame: av.VideoFrame, box: Box | None) -> bytes:
    wide, high = contract.PICTURE_WIDE, max(2, frame.height * contract.PICTURE_WIDE // frame.width // 2 * 2)
    pixels = frame.reformat(wide, high, "bgr24").to_ndarray()
    if box:
        corners = [(int(x * wide), int(y * high)) for x, y in ((box.x, box.y), (box.x + box.w, box.y + box.h))]
        cv2.rectangle(pixels, *corners, FRAME, 2)
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()


def _packets(take: ReelFile) -> tuple[StreamInfo, list[Packet]]:
    """Returns the first packets of our clip, as capture has them. Raises OSError and FFmpegError."""
    with av.open(take.opened() if take.opened else str(take.path)) as file:
        stream = file.streams.video[0]
        codec = {"h264": "h264", "hevc": "h265"}[stream.codec_context.name]
        unit_us = stream.time_base * 1_000_000
        packets = [Packet(bytes(found), int(found.pts * unit_us), int(found.dts * unit_us), found.is_keyframe)
                   for found in islice(file.demux(stream), reencode.PACKETS_MAX) if found.size]
        return StreamInfo(codec, stream.width, stream.height, stream.codec_context.extradata or b""), packets


def main() -> None:
    die_with_parent()
    with contextlib.suppress(OSError):      # the page's sandbox refuses it, and has a low CPU weight
        os.nice(19)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    cv2.setNumThreads(1)
    question = msgspec.json.decode(sys.stdin.buffer.read(QUESTION_B_MAX), type=RehearsalQuestion)
    for word in Rehearsal(question).words():
        sys.stdout.buffer.write(contract.line(word))
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
