"""What a card holds after a power cut, taken up by the real recovery and compared with what had been promised."""
import contextlib
import sqlite3
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import av

from agent.config.settings import Camera, Settings
from agent.config.settings import Store as StoreSettings
from agent.core.evidence.encrypted import DamagedError, LockedError
from agent.host.clock import SystemClock
from agent.host.datagram import Outlet
from agent.host.digest import sha256
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
from tests.rigs import cards
from tests.rigs.joined import WARD
from tests.rigs.powercut.log import Log
from tests.rigs.powercut.witness import Promises

NS_A_MS = 1_000_000
GONE = ("deleting", "deleted")


@dataclass(slots=True)
class Outcome:
    """What one cut cost. Lists name what is wrong; all are empty on a recorder that keeps its word."""

    fate: str
    clips_n: int = 0                        # promised by then, as are the next
    events_n: int = 0
    lost_clips: list[str] = field(default_factory=list)
    lost_events: list[str] = field(default_factory=list)        # their messages and the ledger's rows among them
    findings: list[str] = field(default_factory=list)           # of taimat verify, and what does not play
    open_loss_s: float = 0.0                # of the clip that was being written, the worst of all cameras
    recovery_s: float = 0.0
    unmountable: str = ""


@dataclass(slots=True)
class Judge:
    """Judges one campaign's cuts; clips that were decoded once are known by their digests."""

    log: Log
    promises: Promises
    plays: dict[str, int] = field(default_factory=dict)         # frames by digest

    @property
    def cameras(self) -> set[str]:
        """All that recorded."""
        return {life.camera for life in self.promises.lives.values()}

    def judge(self, store: Path, cut: int, fate: str) -> Outcome:
        """The store as the cut before entry number `cut` left it; it is recovered on the way."""
        outcome, clock = Outcome(fate), SystemClock()
        began_s = time.perf_counter()
        folders = Folders(store).create()
        with contextlib.closing(connect(store)) as db:
            for camera in self.cameras:
                recover_camera(db, folders, camera, clock)
            outcome.recovery_s = time.perf_counter() - began_s
            self._keep(db, folders, outcome)
            self._clips(db, folders, cut, outcome)
            self._events(db, cut, outcome)
            outcome.open_loss_s = self._open_loss_s(db, cut)
        outcome.findings += [str(finding) for finding in cards.findings(folders)]
        return outcome

    def _keep(self, db: sqlite3.Connection, folders: Folders, outcome: Outcome) -> None:
        """The keeper's first round: it goes on where the cut came, and signs what it finds."""
        settings = Settings(store=StoreSettings(folder=str(folders.root), free_floor_pct=1), ward=WARD,
                            camera=[Camera(name=name, source="file:x") for name in self.cameras])
        with tempfile.TemporaryDirectory() as runtime:
            clock, outlet = SystemClock(), Outlet(Path(runtime))
            role = Role(settings, None, folders, Path(runtime), clock,
                        Heartbeat("keeper", "keeper", Path(runtime), clock), Stop(), None)
            keeper = Keeper(role, db, decisions.connect(role.folders), outlet)
            keeper.round(asked_for_space=False)
        outcome.findings += [f"keeper: {keeper.fault}"] if keeper.fault else []

    def _clips(self, db: sqlite3.Connection, folders: Folders, cut: int, outcome: Outcome) -> None:
        for name, (log_b, digest) in self.promises.clips.items():
            if self.log.number(log_b) <= cut:
                outcome.clips_n += 1
                row = clips.get(db, name)
                if row is None or row.state not in ("done", "recovered", *GONE):
                    outcome.lost_clips.append(f"{name}: {row.state if row else 'no row'}")
                elif row.state not in GONE and not _is(folders.clip(row.seq, name), row.bytes, digest):
                    outcome.lost_clips.append(f"{name}: its file is another")
        for row in clips.finished(db, limit=10_000):
            outcome.findings += self._played(folders, row)

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

    def _events(self, db: sqlite3.Connection, cut: int, outcome: Outcome) -> None:
        lost = outcome.lost_events
        for (number, phase), log_b in self.promises.events.items():
            if self.log.number(log_b) <= cut:
                outcome.events_n += phase == "begun"
                event = events.get(db, number)
                if event is None or (phase == "over" and event.state != "done"):
                    lost.append(f"event {number} ({phase}): {event.state if event else 'no row'}")
        known = {row["seq"] for row in db.execute("SELECT seq FROM outbox")}
        lost += [f"message {seq}" for seq, log_b in self.promises.messages.items()
                 if self.log.number(log_b) <= cut and seq not in known]
        signed = {row["n"]: row["hash"] for row in db.execute("SELECT n, hash FROM ledger")}
        lost += [f"ledger's row {n}" for n, (log_b, digest) in self.promises.rows.items()
                 if self.log.number(log_b) <= cut and signed.get(n) != digest]

    def _open_loss_s(self, db: sqlite3.Connection, cut: int) -> float:
        """The most that is missing of a clip that was open at the cut: from its last picture that is left on.

        What was filmed before the clip was opened (its pre-roll) is not counted.
        """
        cut_ms = self.log.entries[min(cut, len(self.log.entries) - 1)].mono_ns // NS_A_MS
        worst_ms = 0
        for seq, life in self.promises.lives.items():
            if life.opened_ms <= cut_ms < (life.closed_ms or cut_ms + 1):
                row = db.execute(f"SELECT mono_ms + dur_ms AS end FROM clip WHERE seq = ? AND {clips.FINISHED}",
                                 (seq,)).fetchone()
                left_ms = max(life.opened_ms, row["end"] if row else 0)
                worst_ms = max(worst_ms, min(cut_ms, life.end_ms or cut_ms) - left_ms)
        return worst_ms / 1000


def _is(path: Path, size_b: int | None, digest: str) -> bool:
    return path.exists() and path.stat().st_size == size_b and sha256(path) == digest
