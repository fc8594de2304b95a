"""A household in whose store a run of footage lies in clips, as a camera that records all the time leaves it."""
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.core.media.model import AudioInfo, Packet, Sound, StreamInfo
from agent.host.clock import Instant
from agent.store import events
from agent.store.database import connect, transaction
from tests.core.cut_material import Clip, record, record_all
from tests.rigs.house.household import Household
from tests.rigs.store.shelf import BOOT, put

LAST_US = 66_667
HOUR_MS = 3_600_000


@dataclass
class Kept:
    """Footage of one camera that began an hour ago."""

    house: Household
    stream: StreamInfo
    packets: Sequence[Packet]
    camera: str = "gate"
    boot: str = BOOT

    def __post_init__(self) -> None:
        self.offset_ms = self.house.clock.now().wall_ms - HOUR_MS - self.packets[0].dts_us // 1000
        self.files: list[tuple[str, Path]] = []         # names and files of the clips

    def wall_ms(self, number: int) -> int:
        """When that packet is shown."""
        return self.packets[number].pts_us // 1000 + self.offset_ms

    @property
    def end_ms(self) -> int:
        """When the last one no longer is."""
        return (self.packets[-1].pts_us + LAST_US) // 1000 + self.offset_ms

    def store(self, starts: Sequence[int], audio: AudioInfo | None = None, sounds: Sequence[Sound] = ()) -> None:
        """All of it in finished clips that begin with these packets."""
        self._put(record_all(self.stream, self.packets, starts, self.packets[-1].dts_us + LAST_US, audio, sounds))

    def store_part(self, first: int, end: int, finished: bool = True) -> None:
        """One clip of some of these packets, or the flushed part of one that is still being written."""
        until_us = self.packets[end].dts_us if end < len(self.packets) else self.packets[-1].dts_us + LAST_US
        self._put([record(self.stream, self.packets[first:end], until_us, finished=finished)], finished)

    def happen(self, first: int, dur_ms: int | None) -> int:
        """An event that began with that packet; without a duration it is still going on. Returns its id."""
        wall_ms = self.wall_ms(first)
        start = Instant(self.boot, wall_ms - self.offset_ms, wall_ms, "ntp")
        with contextlib.closing(connect(self.house.folders.root)) as db, transaction(db):
            event_id = events.open_row(db, self.camera, "motion", start)
            if dur_ms is not None:
                events.finish(db, event_id, dur_ms, 0.2, 1, [[0.4, 0.3, 0.2, 0.4]], "test/1", None)
        return event_id

    def _put(self, clips: Sequence[Clip], finished: bool = True) -> None:
        with contextlib.closing(connect(self.house.folders.root)) as db:
            self.files += [put(db, self.house.folders, clip, self.camera, finished, self.boot, self.offset_ms)
                           for clip in clips]
