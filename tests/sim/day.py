"""Days of a store's life, from a script: `python -m tests.sim.day PLACE` lives them while its system calls are read.

Two cameras film, something happens before one of them, the link is rid of messages, the household pauses, all roles
start anew, nights go by, and what is too old goes. The power goes with both cameras filming.

After every step PLACE/marks gets the script's time in milliseconds for its size: what is committed by then has been
acknowledged.
"""
import gc
import os
import sys
from pathlib import Path

from agent.capture.writer_jobs import BestLook, CameraGap, ClipLost, EventClose, EventOpen, PauseNote, Tamper
from agent.core.contract.facts import Message
from agent.core.vision.event_notes import PathSample, Summary
from agent.host.datagram import Outlet
from agent.keeper import room
from agent.store import outbox, pause
from agent.store.database import connect, transaction, unflushed
from agent.store.folders import Folders
from tests.conftest import HandClock
from tests.sim.parts import GATE, YARD, Writer, make_keeper

STORE, MARKS, RUNTIME = "store", "marks", "run"
NIGHT_S = 30 * 3600.0
FRAME_S = 0.1
CHECKPOINT_PAGES = 40       # of the log: the database is written to often, not only every four megabytes


class Marks(Outlet):
    """Tells nobody but the reader of the calls: what was committed may be sent from now on."""

    def __init__(self, path: Path, clock: HandClock) -> None:
        super().__init__(path.parent)
        self._handle, self._clock = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), clock

    def send(self, message: Message, *roles: str) -> None:
        """Whoever is poked sees what is committed."""
        self.set()

    def set(self) -> None:
        """Here."""
        os.ftruncate(self._handle, round(self._clock.mono * 1000))


class Day:
    """The parts of the device, and the script's verbs."""

    def __init__(self, place: Path) -> None:
        (place / RUNTIME).mkdir()
        self.place, self.clock = place, HandClock()
        self.marks = Marks(place / MARKS, self.clock)
        self.marks.set()
        self.folders = Folders(place / STORE).create()
        self.faults: set[str] = set()
        self.begin()

    def begin(self) -> None:
        """All roles start."""
        self.gate, self.yard = (Writer(camera, self.folders, self.clock, self.marks) for camera in (GATE, YARD))
        self.gate.work()
        self.yard.work()
        self.keeper_db, self.link_db = connect(self.folders.root), connect(self.folders.root)
        self.link_db.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        self.keeper = make_keeper(self.keeper_db, self.folders, self.clock, self.marks, self.place / RUNTIME)
        self.keep()

    def end(self) -> None:
        """All roles end, in order."""
        self.keeper_db.close()
        self.link_db.close()
        del self.gate, self.yard, self.keeper
        gc.collect()                    # their databases go with them, and with the last of these the log
        self.marks.set()

    def film(self, seconds: float, *writers: Writer) -> None:
        """So many seconds of video."""
        for _ in range(round(seconds / FRAME_S)):
            self.wait(FRAME_S)
            for writer in writers:
                writer.film()
            self.note_faults()

    def wait(self, seconds: float) -> None:
        """Time goes by."""
        self.clock.advance(seconds)
        self.marks.set()

    def see(self, continues: bool = False) -> None:
        """Motion before the gate."""
        self.gate.tell(EventOpen(int(self.clock.mono * 1e6), 0.3, ((0.1, 0.2, 0.3, 0.4),), continues, ("path",)))

    def lose_sight(self, picture: bool = True) -> None:
        """It is over."""
        sight = BestLook(((0.1, 0.2, 0.3, 0.4),), self.gate.clip_writer.info if picture else None, self.gate.picture())
        summary = Summary(0.5, ("path",), 1, (PathSample(0, 1, 100, 200, 300, 400),))
        self.gate.tell(EventClose(int(self.clock.mono * 1e6), sight, summary, "2", "0123456789ab"))

    def tamper(self, phase: str) -> None:
        """Something is done to the gate's camera."""
        now_us = int(self.clock.mono * 1e6)
        self.gate.tell(Tamper("covered", phase, now_us, 0.9, "", now_us + 10_000_000))

    def pause(self, by: str | None) -> None:
        """The household wants to be alone in the yard, or no longer."""
        if by:
            pause.put(self.folders, ["yard"], None, by, self.clock.now())
        else:
            pause.lift(self.folders, ["yard"], self.clock.now())
        self.yard.tell(PauseNote(by))

    def deliver(self, but_n: int) -> None:
        """The ward has everything but the newest messages: settled as the keeper does it for the link."""
        with unflushed(self.link_db), transaction(self.link_db) as db:
            upto = outbox.next_seq(db) - 1 - but_n
            outbox.settle(db, outbox.seqs(db, 0, upto, upto))
        self.marks.set()

    def keep(self, seconds: float = 0) -> None:
        """The keeper's round."""
        self.wait(seconds)
        self.keeper.round(asked_for_space=False)
        self.note_faults()
        self.marks.set()

    def note_faults(self) -> None:
        """Remember what the parts complain of."""
        told = (self.gate.recorder.fault, self.yard.recorder.fault, self.keeper.fault)
        self.faults |= {fault for fault in told if fault}


def live(day: Day) -> None:
    """The script."""
    day.film(1.2, day.yard)
    day.see()
    day.film(2.4, day.gate, day.yard)
    day.lose_sight()
    day.gate.end()
    day.film(0.5, day.yard)
    day.yard.end()
    day.keep()
    day.tamper("start")
    day.deliver(but_n=2)
    day.pause("page")
    day.gate.tell(CameraGap("camera_unreachable", "no answer", 9, over=False))
    day.wait(9)
    day.gate.tell(CameraGap("camera_unreachable", "no answer", 9, over=True))
    day.pause(None)
    day.tamper("end")
    day.see()
    day.film(1.7, day.yard, day.gate)
    day.see(continues=True)
    day.gate.tell(ClipLost())
    day.gate.clip_writer.lose()
    day.gate.forget()
    day.film(0.8, day.gate, day.yard)
    day.lose_sight(picture=False)
    day.gate.end()
    day.yard.end()
    day.deliver(but_n=1)
    day.keep(NIGHT_S)
    day.end()
    day.begin()
    day.see()
    day.film(2.2, day.gate, day.yard)
    day.lose_sight(picture=False)
    day.gate.end()
    day.yard.end()
    day.keep()
    day.deliver(but_n=0)
    day.keep(NIGHT_S)
    day.film(0.6, day.gate)
    day.gate.end()
    day.film(2.0, day.yard)
    day.see()
    day.film(1.5, day.yard, day.gate)


if __name__ == "__main__":
    room.BALLAST_B = 65_536     # thousands of cards are made of one day: of eight megabytes each that would be slow
    day = Day(Path(sys.argv[1]))
    live(day)
    assert not day.faults, day.faults
    os._exit(0)         # the power goes: nothing is closed
