"""The agent's writing parts on one store, all real, worked in one thread by a clock that a script moves."""
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from agent.capture.clip_rows import ClipRules
from agent.capture.clip_writer import ClipWriter
from agent.capture.recorder import Recorder
from agent.capture.writer_jobs import Job
from agent.config.settings import Camera, Settings, Store
from agent.core.media.model import Packet
from agent.core.media.ring import Ring
from agent.host.clock import Clock
from agent.host.datagram import Outlet
from agent.host.stop import Stop
from agent.keeper.main import Keeper
from agent.process.heartbeat import Heartbeat
from agent.process.role import Role
from agent.store.decisions import database as decisions
from agent.store.folders import Folders
from tests.rigs.cameras.h264 import movie
from tests.rigs.store.joined import WARD

SYNC_EVERY_S = 1.5
GATE = Camera(name="gate", source="file:gate.mp4", record="motion")
YARD = Camera(name="yard", source="file:yard.mp4", record="continuous")
CAMERAS = (GATE, YARD)


class Writer:
    """One camera's recorder, and what hands it packets. `work` does what is queued, here and now."""

    def __init__(self, camera: Camera, folders: Folders, clock: Clock, outlet: Outlet) -> None:
        self.clock = clock
        self.recorder = Recorder(camera.name, folders, clock, outlet, ClipRules(
            SYNC_EVERY_S, pre_roll_s=1, always=camera.record == "continuous",
            keeps_events_longer=camera.record != "motion"))
        self.clip_writer = ClipWriter(camera, self.recorder, clock, Ring(1, 1_000_000))
        self.clip_writer.info, self._film = movie()
        self._shown_n = 0

    def work(self) -> None:
        """Let the recorder do all that was asked of it; without anything asked, it makes itself ready."""
        self.clip_writer.send()
        self.recorder.offer([])
        self.recorder.end()
        self.recorder.run()

    def film(self) -> None:
        """Take the picture of this moment, and have it written."""
        self.take()
        self.work()

    def take(self) -> None:
        """Take the picture of this moment; the first one of a clip is the film's first."""
        if self.recorder.clip_lost.is_set():
            self.recorder.clip_lost.clear()
            self.clip_writer.lose()
            self._shown_n = 0
        packet, now_us = self._film[self._shown_n % len(self._film)], int(self.clock.mono_s() * 1e6)
        self._shown_n += 1
        self.clip_writer.write(Packet(packet.data, now_us, now_us, packet.key))

    def end(self) -> None:
        """End the clip with the picture that was taken last."""
        self.clip_writer.end(int(self.clock.mono_s() * 1e6) + 100_000)
        self.forget()

    def forget(self) -> None:
        """The next picture is the film's first."""
        self._shown_n = 0
        self.work()

    def tell(self, *jobs: Job) -> None:
        """Have something noted."""
        self.clip_writer.add(*jobs)
        self.work()

    def picture(self) -> Sequence[Packet]:
        """Packets from which an event's picture is decoded."""
        return self._film[:3]


def make_keeper(db: sqlite3.Connection, folders: Folders, clock: Clock, outlet: Outlet, runtime: Path) -> Keeper:
    """The keeper of this store. A day is all that is kept, so that a script of two mornings sees clips go."""
    settings = Settings(store=Store(folder=str(folders.root), keep_days=1, keep_continuous_days=1, free_floor_pct=1),
                        camera=list(CAMERAS), ward=WARD)
    role = Role(settings, None, folders, runtime, clock, Heartbeat("keeper", "keeper", runtime, clock), Stop())
    return Keeper(role, db, decisions.connect(folders), outlet)
