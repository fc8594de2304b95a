"""The keeper role: after the recorder is done with a clip, everything that happens to it is the keeper's."""
import contextlib
import logging
import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field

from agent.config.privacy import declared
from agent.core.clockwatch import DISTRUST_S, ClockWatch, Seen
from agent.core.facts import Poke
from agent.host import board
from agent.host.clock import Instant
from agent.host.datagram import Inbox, Outlet
from agent.host.role import Role
from agent.host.role import main as live_as
from agent.keeper.digest import hash_some
from agent.keeper.key import KeyFault
from agent.keeper.retain import finish_deletion, release_ballast, renew_ballast, retain
from agent.keeper.seal import Sealer
from agent.keeper.witness import Witness
from agent.store import announce, boots, clips, events, meta, privacy
from agent.store.database import connect, transaction
from agent.store.recover import recover_camera
from agent.store.sweep import sweep

LOOK_EVERY_S = 2.0
RETAIN_EVERY_S = 60.0
SWEEP_EVERY_S = 24 * 3600.0
ROWS_OF_DELETED_CLIPS_MAX = 20_000
EVENTS_MAX = 100_000
DISTRUST = "clock_distrusted"   # meta key: boot and monotonic seconds until which age deletes nothing
NICE = 10                       # recording comes first

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Keeper:
    """The keeper's round: clock, retention, digests, now and then the sweep, and signatures for all that was done."""

    role: Role
    db: sqlite3.Connection
    outlet: Outlet
    serial: str | None = None               # the board's
    watch: ClockWatch = field(default_factory=ClockWatch)
    next_retain_mono_s: float = 0.0
    next_sweep_mono_s: float = 0.0
    totals: tuple[int, int] = (0, 0)        # clips and their bytes, as of the last change
    deleted_n: int = 0
    fault: str | None = None
    recovered: bool = False
    sealer: Sealer = field(init=False)
    witness: Witness = field(init=False)

    def __post_init__(self) -> None:
        """The parts that are made of what we were handed."""
        self.sealer = Sealer(self.role.folders, self.role.clock, self.serial)
        self.witness = Witness.of(self.role.settings.camera, self.serial)

    def recover(self) -> None:
        """Take up what an earlier life left: deletions begun, and the open clips of cameras that no longer exist.

        Note also what the household declares of its cameras' own masks.
        """
        now = self.role.clock.now()
        boots.remember(self.db, now.boot)
        self.watch = self._remembered_watch(now)
        finish_deletion(self.db, self.role.folders)
        cameras = [camera for camera in self.role.settings.camera if camera.enabled]
        masks = {camera.name: camera.masks for camera in cameras if declared(camera)}
        for change in privacy.declare(self.db, masks, now):
            _log.info("masks: %s", change)
        known = {camera.name for camera in cameras}
        for camera in {clip.camera for clip in clips.in_state(self.db, "open")} - known:
            recover_camera(self.db, self.role.folders, camera, self.role.clock)
        self.recovered = True

    def _remembered_watch(self, now: Instant) -> ClockWatch:
        """A step of the clock is no older for our having started since; after a reboot the wait begins anew."""
        boot, _, until = (meta.get(self.db, DISTRUST) or "").partition(" ")
        if not until:
            return ClockWatch()
        return ClockWatch(distrusted_until_mono_s=float(until) if boot == now.boot else now.mono_ms / 1000 + DISTRUST_S)

    def round(self, asked_for_space: bool) -> None:
        """One look at everything; errors of the card are reported, not fatal: the next round tries again."""
        now = self.role.clock.now()
        try:
            if not self.recovered:
                self.recover()
            self._watch_clock(now)
            if asked_for_space or now.mono_ms / 1000 >= self.next_retain_mono_s:
                self._retain(now)
            if hash_some(self.db, self.role.folders, self.role.stop, self.role.clock, self.witness):
                self.totals = clips.totals(self.db)
            if now.mono_ms / 1000 >= self.next_sweep_mono_s:
                sweep(self.db, self.role.folders, now)
                self.next_sweep_mono_s = now.mono_ms / 1000 + SWEEP_EVERY_S
            self.sealer.seal_some(self.db, self.role.stop.is_set)
            self.fault = None
        except (OSError, sqlite3.Error, KeyFault) as error:
            self.fault = str(error)
            _log.error("%s: %s; tried again", self.role.folders.root, error)
            if "full" in str(error) and release_ballast(self.role.folders):
                _log.warning("gave the ballast's space to the database")
                self.next_retain_mono_s = 0.0

    def _watch_clock(self, now: Instant) -> None:
        newest_wall_ms = clips.newest_wall_ms(self.db) if self.watch.offset_ms is None else None
        watch, seen, moved_ms = self.watch.step(now.mono_ms, now.wall_ms, now.clock, newest_wall_ms)
        if seen is not None:
            self._note_clock(now, seen, moved_ms, watch)
        self.watch = watch          # only now: what could not be written is seen again at the next look

    def _note_clock(self, now: Instant, seen: Seen, moved_ms: int, watch: ClockWatch) -> None:
        _log.info("the clock %s", "is right now" if seen is Seen.SYNC else f"was moved by {moved_ms / 1000:+.0f} s")
        with transaction(self.db) as db:
            if now.clock in ("ntp", "rtc"):
                boots.date(db, now.boot, now.wall_ms - now.mono_ms)
            announce.clock(db, now, seen.value, moved_ms or None)
            until_mono_s = watch.distrusted_until_mono_s
            meta.put(db, DISTRUST, f"{now.boot} {until_mono_s:.0f}" if until_mono_s > now.mono_ms / 1000 else "")
        self.outlet.send(Poke(what="outbox"), "link")

    def _retain(self, now: Instant) -> None:
        self.next_retain_mono_s = now.mono_ms / 1000 + RETAIN_EVERY_S
        folders, settings = self.role.folders, self.role.settings.store
        gone = retain(self.db, folders, settings, now, self.watch.may_delete(now.mono_ms / 1000, now.clock))
        self.deleted_n += len(gone)
        if gone:
            _log.info("deleted %d clips (%.1f MB)", len(gone), sum(clip.bytes for clip in gone) / 1e6)
        clips.forget_deleted(self.db, ROWS_OF_DELETED_CLIPS_MAX)
        for name in events.forget(self.db, EVENTS_MAX):
            (folders.thumbs / name).unlink(missing_ok=True)
        renew_ballast(folders, settings.free_floor_pct)
        self.totals = clips.totals(self.db)

    def facts(self) -> dict[str, float | int | str | bool | None]:
        """The keeper's part of the heartbeat."""
        return {"clips_n": self.totals[0], "clips_b": self.totals[1], "deleted_n": self.deleted_n, "fault": self.fault,
                **self.sealer.facts()}


def serve(role: Role) -> None:
    """Keep the store until told to stop."""
    role.folders.demand_writable()
    with contextlib.suppress(PermissionError):      # a systemd unit forbids it, and has seen to it itself
        os.nice(NICE)
    inbox, outlet = Inbox(role.runtime / "keeper.sock"), Outlet(role.runtime)
    db = connect(role.folders.root)
    keeper = Keeper(role, db, outlet, board.read().serial)
    while not role.stop.is_set():
        message = inbox.receive(LOOK_EVERY_S)
        keeper.round(asked_for_space=isinstance(message, Poke) and message.what == "space")
        if role.heart.due():
            role.heart.beat(facts=keeper.facts())
    inbox.close()
    db.close()


def main(argv: Sequence[str] | None = None) -> int:
    """The entry of the role. Returns the exit code."""
    return live_as("keeper", serve, argv)
