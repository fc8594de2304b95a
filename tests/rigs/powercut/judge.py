"""What a card holds after a power cut, taken up by the real recovery and compared with what had been promised."""
import contextlib
import sqlite3
import tempfile
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import av

from agent.config.settings import Camera, Settings
from agent.config.settings import Store as StoreSettings
from agent.core.evidence.encrypted import DamagedError, LockedError
from agent.host.clock import SystemClock
from agent.host.datagram import Outlet
from agent.host.files import sha256
from agent.host.stop import Stop
from agent.keeper.main import Keeper
from agent.process.heartbeat import Heartbeat
from agent.process.role import Role
from agent.store import clips, events
from agent.store.clip_recovery import recover_camera
from agent.store.database import connect
from agent.store.decisions import database as decisions
from agent.store.encryption.clear_file import ClearStream, open_clip
from agent.store.encryption.file_keys import Keyring
from agent.store.folders import Folders
from tests.rigs.powercut.log import Log
from tests.rigs.powercut.witness import Life, Promises, said
from tests.rigs.store import cards
from tests.rigs.store.joined import WARD

NS_A_MS = 1_000_000
GONE = ("deleting", "deleted")
FOLLOWS = {"open": ("open", "done", "cut"), "done": ("done",), "cut": ("cut", "done")}


@dataclass(slots=True)
class Outcome:
    """What one cut cost. Lists name what is wrong; all are empty on a recorder that keeps its word."""

    fate: str
    what: str = ""                          # what it did then
    clips_n: int = 0                        # promised by then, as are the next
    events_n: int = 0
    lost_clips: list[str] = field(default_factory=list)         # and what does not play
    lost_events: list[str] = field(default_factory=list)        # their messages and the ledger's rows among them
    findings: list[str] = field(default_factory=list)           # of taimat verify
    numbers: list[str] = field(default_factory=list)            # given twice
    person: list[str] = field(default_factory=list)             # what somebody would have to come for
    notes: list[str] = field(default_factory=list)              # worth reading, and nothing wrong by itself
    again_s: list[float] = field(default_factory=list)          # from a card that is well to all cameras recording
    open_loss_s: float = 0.0                # of the clip that was being written, the worst of all cameras
    recovery_s: float = 0.0
    unmountable: str = ""


@dataclass(frozen=True, slots=True)
class Due:
    """What had been promised before a cut: so much is demanded. `cut_ms` is of this computer's boot-time clock."""

    cut_ms: int
    later_ms: float                         # this computer's boot-time clock minus the recorder's
    clips: dict[str, str]                   # name -> digest
    events: list[tuple[int, str]]
    messages: dict[int, str]
    rows: dict[int, bytes]
    lives: dict[int, Life]
    acts: list[tuple[str, str]]

    @classmethod
    def by(cls, cut: int, log: Log, promises: Promises, later_ms: float = 0.0) -> "Due":
        """Before entry number `cut`."""
        def was_by(log_b: int) -> bool:
            return log.number(log_b) <= cut
        cut_ms = log.entries[min(cut, len(log.entries) - 1)].mono_ns // NS_A_MS
        return cls(cut_ms, later_ms,
                   {name: digest for name, (log_b, digest) in promises.clips.items() if was_by(log_b)},
                   [event for event, log_b in promises.events.items() if was_by(log_b)],
                   {seq: said for seq, (log_b, said) in promises.messages.items() if was_by(log_b)},
                   {n: digest for n, (log_b, digest) in promises.rows.items() if was_by(log_b)},
                   {seq: life for seq, life in promises.lives.items() if life.opened_ms <= cut_ms},
                   [(act.what, act.subject) for act in promises.acts if was_by(act.log_b)])


@dataclass(slots=True)
class Judge:
    """Judges a campaign's cuts; clips that were decoded once are known by their digests."""

    plays: dict[str, int] = field(default_factory=dict)         # frames by digest

    def judge(self, store: Path, due: Due, fate: str) -> Outcome:
        """The store as a cut left it; it is recovered on the way."""
        outcome, clock = Outcome(fate), SystemClock()
        began_s = time.perf_counter()
        folders, cameras = Folders(store).create(), {life.camera for life in due.lives.values()}
        with contextlib.closing(connect(store)) as db:
            for camera in cameras:
                recover_camera(db, folders, camera, clock)
            outcome.recovery_s = time.perf_counter() - began_s
            self._keep(db, folders, cameras, outcome)
            self.compare(db, folders, due, outcome)
        outcome.findings += [str(finding) for finding in cards.findings(folders)]
        return outcome

    def compare(self, db: sqlite3.Connection, folders: Folders, due: Due, outcome: Outcome,
                arrived: Callable[[], Collection[int]] = tuple) -> None:
        """What is there with what is due; `arrived` gives the numbers of messages that the ward has."""
        self._clips(db, folders, due, outcome)
        self._events(db, due, outcome)
        self._messages(db, due, outcome, arrived)
        outcome.open_loss_s = self._open_loss_s(db, due)

    def _keep(self, db: sqlite3.Connection, folders: Folders, cameras: Iterable[str], outcome: Outcome) -> None:
        """The keeper's first round: it goes on where the cut came, and signs what it finds."""
        settings = Settings(store=StoreSettings(folder=str(folders.root), free_floor_pct=1), ward=WARD,
                            camera=[Camera(name=name, source="file:x") for name in cameras])
        with tempfile.TemporaryDirectory() as runtime, contextlib.closing(decisions.connect(folders)) as own:
            clock, outlet = SystemClock(), Outlet(Path(runtime))
            role = Role(settings, None, folders, Path(runtime), clock,
                        Heartbeat("keeper", "keeper", Path(runtime), clock), Stop())
            keeper = Keeper(role, db, own, outlet)
            keeper.round(asked_for_space=False)
        outcome.findings += [f"keeper: {keeper.fault}"] if keeper.fault else []

    def _clips(self, db: sqlite3.Connection, folders: Folders, due: Due, outcome: Outcome) -> None:
        outcome.clips_n = len(due.clips)
        for name, digest in due.clips.items():
            row = clips.get(db, name)
            if row is None or row.state not in ("done", "recovered", *GONE):
                outcome.lost_clips.append(f"{name}: {row.state if row else 'no row'}")
            elif row.state not in GONE and not _is(folders.clip(row.seq, name), row.bytes, digest):
                outcome.lost_clips.append(f"{name}: its file is another")
        for row in clips.finished(db, limit=10_000):
            outcome.lost_clips += self._played(folders, row)

    def _played(self, folders: Folders, row: clips.Clip) -> list[str]:
        path = folders.clip(row.seq, row.name)
        digest = sha256(path) if path.exists() else ""
        if digest not in self.plays:
            try:
                with ClearStream(open_clip(path, Keyring(folders).file_key)) as film, av.open(film) as container:
                    self.plays[digest] = sum(1 for _ in container.decode(video=0))
            except (av.FFmpegError, OSError, DamagedError, LockedError) as error:
                return [f"{row.name} does not play: {error}"]
        frames = self.plays[digest]
        return [] if frames == row.frames else [f"{row.name} plays {frames} frames of {row.frames}"]

    def _events(self, db: sqlite3.Connection, due: Due, outcome: Outcome) -> None:
        for number, state in due.events:
            outcome.events_n += state == "open"
            event = events.get(db, number)
            if event is None or event.state not in FOLLOWS[state]:
                outcome.lost_events.append(f"event {number} ({state}): {event.state if event else 'no row'}")

    def _messages(self, db: sqlite3.Connection, due: Due, outcome: Outcome,
                  arrived: Callable[[], Collection[int]]) -> None:
        there = {row["seq"]: said(row["kind"], row["data"]) for row in db.execute("SELECT * FROM outbox")}
        gone = due.messages.keys() - there.keys() - {*arrived()}
        outcome.lost_events += [f"message {seq} ({due.messages[seq].split()[0]})" for seq in sorted(gone)]
        outcome.numbers += [f"message {seq} has other contents" for seq, was in due.messages.items()
                            if there.get(seq, was) != was]
        signed = {row["n"]: row["hash"] for row in db.execute("SELECT n, hash FROM ledger")}
        outcome.lost_events += [f"ledger's row {n}" for n, digest in due.rows.items() if signed.get(n) != digest]
        names = {row["seq"]: row["name"] for row in db.execute("SELECT seq, name FROM clip")}
        outcome.numbers += [f"clip {seq} was {life.name}, is {names[seq]}" for seq, life in due.lives.items()
                            if names.get(seq, life.name) != life.name]

    def _open_loss_s(self, db: sqlite3.Connection, due: Due) -> float:
        """The most that is missing of a clip that was open at the cut: from its last picture that is left on.

        What was filmed before the clip was opened (its pre-roll) is not counted.
        """
        worst_ms = 0.0
        for seq, life in due.lives.items():
            if due.cut_ms < (life.closed_ms or due.cut_ms + 1):
                row = db.execute(f"SELECT mono_ms + dur_ms AS end FROM clip WHERE seq = ? AND {clips.FINISHED}",
                                 (seq,)).fetchone()
                left_ms = max(life.opened_ms, row["end"] + due.later_ms if row else 0)
                worst_ms = max(worst_ms, min(due.cut_ms, life.end_ms or due.cut_ms) - left_ms)
        return worst_ms / 1000


def _is(path: Path, size_b: int | None, digest: str) -> bool:
    return path.exists() and path.stat().st_size == size_b and sha256(path) == digest
