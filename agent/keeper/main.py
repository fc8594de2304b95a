"""The keeper role: after the recorder is done with a clip, everything that happens to it is the keeper's."""
import contextlib
import logging
import os
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from agent import __version__
from agent.config.derived import agreed, limits
from agent.config.privacy import declared
from agent.config.ward_settings import in_effect
from agent.core.contract.facts import Poke
from agent.host import board
from agent.host.clock import Instant
from agent.host.datagram import Inbox, Outlet
from agent.keeper import erase as erasing
from agent.keeper import repair as care
from agent.keeper.canary import Canary
from agent.keeper.daykeys import DayKeys
from agent.keeper.digest import ClipStatement, hash_some
from agent.keeper.export_signer import ExportSigner
from agent.keeper.key import KeyFault, open_key_socket
from agent.keeper.ledger_writer import LedgerWriter
from agent.keeper.pack import Packager
from agent.keeper.retain import PASS_N, drop_pictures, release_ballast, renew_ballast, retain
from agent.keeper.stock import Stock
from agent.keeper.timekeeper import Timekeeper
from agent.process.role import Role
from agent.process.role import main as live_as
from agent.store import clips, events, privacy
from agent.store import privacy as consent
from agent.store import ward_settings as wardconfig
from agent.store.card_fault import is_full
from agent.store.clip_recovery import recover_camera
from agent.store.database import Replaced, StoreConnection, StoreError, transaction
from agent.store.encryption.file_keys import Keyring
from agent.store.space import Space
from agent.store.sweep import sweep

LOOK_EVERY_S = 2.0
RETAIN_EVERY_S = 60.0
SWEEP_EVERY_S = 24 * 3600.0
ROWS_OF_DELETED_CLIPS_MAX = 20_000
EVENTS_MAX = 100_000
NICE = 10                       # recording comes first

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Keeper:
    """The keeper's round: clock, retention, digests, now and then the sweep, and signatures for all that was done."""

    role: Role
    db: StoreConnection
    outlet: Outlet
    serial: str | None = None               # the board's
    timekeeper: Timekeeper = field(default_factory=Timekeeper)
    next_retain_mono_s: float = 0.0
    helpless: bool = False                  # the last pass could not make the room that is to be free
    next_sweep_mono_s: float = 0.0
    stock: Stock = field(default_factory=Stock)
    deleted_n: int = 0
    fault: str | None = None
    key_fault: str | None = None            # why nothing can be signed
    recovered: bool = False
    aside: str | None = None                # what a damaged database is called since this process has mended it
    canary: Canary = field(init=False)
    ledger_writer: LedgerWriter = field(init=False)
    export_signer: ExportSigner = field(init=False)
    packager: Packager = field(init=False)
    day_keys: DayKeys = field(init=False)
    clip_statement: ClipStatement = field(init=False)

    def __post_init__(self) -> None:
        """The parts that are made of what we were handed."""
        self.canary = Canary(self.role.folders)
        self.ledger_writer = LedgerWriter(self.role.folders, self.role.clock, self.serial)
        self.export_signer = ExportSigner(self.role.folders, self.ledger_writer, self.role.clock)
        self.packager = Packager(self.role.folders, self.role.runtime, self.role.settings.store.free_floor_pct,
                                 self.role.clock)
        self.day_keys = DayKeys(self.role.folders)
        self.clip_statement = ClipStatement.of(self.role.settings.camera, self.serial)

    def recover(self) -> None:
        """Take up what an earlier life left: the open clips of cameras that no longer exist.

        Note also what the household agrees to, and what it declares of its cameras' own masks.
        """
        now = self.role.clock.now()
        self.timekeeper.recall(self.db, now)
        cameras = [camera for camera in self.role.settings.camera if camera.enabled]
        masks = {camera.name: camera.masks for camera in cameras if declared(camera)}
        for change in privacy.declare(self.db, masks, now):
            _log.info("masks: %s", change)
        consent.note_software(self.db, __version__, now)
        consent.note(self.db, agreed(self.role.settings), now)
        known = {camera.name for camera in cameras}
        for camera in {clip.camera for clip in clips.in_state(self.db, "open")} - known:
            recover_camera(self.db, self.role.folders, camera, self.role.clock)
        self.recovered = True

    def round(self, asked_for_space: bool) -> None:
        """One look at everything; errors of the card are reported, not fatal: the next round tries again."""
        now = self.role.clock.now()
        try:
            self._demand_ours()
            if not self.recovered:
                self.recover()
            if self.timekeeper.look(self.db, now):
                self.outlet.send(Poke(what="outbox"), "link")
            if asked_for_space or self._retention_is_due(now):
                self._retain(now)
            if hash_some(self.db, self.role.folders, self.role.stop, self.role.clock, self.clip_statement):
                self.stock.count(self.db)
            if now.mono_ms / 1000 >= self.next_sweep_mono_s:
                sweep(self.db, self.role.folders, now, Keyring(self.role.folders).file_key)
                self.next_sweep_mono_s = now.mono_ms / 1000 + SWEEP_EVERY_S
                self.day_keys.destroy_unused(self.db, now)      # only now has every file its row
            if self.role.settings.store.encrypt != "off":
                self.day_keys.renew(self.db, now)
            self.ledger_writer.seal_some(self.db, self.role.stop.is_set)
            self.export_signer.go_on(self.db, self.role.stop.is_set)
            self.packager.look(self.db)
            self.canary.look(self.db, now)
            self.fault = self.key_fault = None
        except (OSError, sqlite3.Error, StoreError, KeyFault) as error:
            self.fault = str(error)
            self.key_fault = self.fault if isinstance(error, KeyFault) else self.key_fault
            _log.error("%s: %s; tried again", self.role.folders.root, error)
            if is_full(error) and release_ballast(self.role.folders):
                _log.warning("gave the ballast's space to the database")
                self.next_retain_mono_s = 0.0
            self._go_on(partial(care.successor, self.db, self.role.folders, now, error))

    def _demand_ours(self) -> None:
        """That we are on the right volume, and on the database that is there now. Raises StoreError and Replaced."""
        self.role.folders.demand_volume()
        if self.db.replaced():
            raise Replaced(f"{self.db.path} has been replaced")

    def examine(self) -> None:
        """Somebody has met damage in the database."""
        self._go_on(partial(care.examined, self.db, self.role.folders, self.role.clock.now()))

    def _go_on(self, find: Callable[[], tuple[StoreConnection, str | None] | None]) -> None:
        """With another database, if `find` has one: recover and sweep what is in it."""
        try:
            found = find()
        except (OSError, sqlite3.Error, StoreError) as error:
            self.fault = str(error)
            _log.error("the database can't be mended: %s; tried again", error)
            return
        if found is not None:
            self.db, aside = found
            self.aside = aside or self.aside
            self.recovered, self.next_sweep_mono_s = False, 0.0
            self.ledger_writer = LedgerWriter(self.role.folders, self.role.clock, self.serial)
            self.export_signer = ExportSigner(self.role.folders, self.ledger_writer, self.role.clock)

    def _retention_is_due(self, now: Instant) -> bool:
        """Now and then, and at once when the card falls short: no recorder shall have to ask. Raises OSError."""
        short = Space.of(self.role.folders).short(limits(self.role.settings.store))
        return now.mono_ms / 1000 >= self.next_retain_mono_s or (short and not self.helpless)

    def _retain(self, now: Instant) -> None:
        self.next_retain_mono_s = now.mono_ms / 1000 + RETAIN_EVERY_S
        folders, settings = self.role.folders, in_effect(self.role.settings, wardconfig.read(self.db).cfg).store
        erasing.finish(self.db, folders, self.day_keys, now, every_file_has_its_row=self.next_sweep_mono_s > 0)
        gone = retain(self.db, folders, settings, now, self.timekeeper.may_delete(now))
        self.deleted_n += len(gone)
        if len(gone) >= PASS_N:
            self.next_retain_mono_s = 0.0       # there may be more
        if gone:
            _log.info("deleted %d clips (%.1f MB)", len(gone), sum(clip.bytes for clip in gone) / 1e6)
        clips.forget_deleted(self.db, ROWS_OF_DELETED_CLIPS_MAX)
        with transaction(self.db):
            drop_pictures(folders, events.forget(self.db, EVENTS_MAX))
        renew_ballast(folders, settings.free_floor_pct)
        space = Space.of(folders)
        self.helpless = space.short(limits(settings))
        self.stock.count(self.db)
        self.stock.weigh(self.db, space, settings, now)

    def facts(self) -> dict[str, float | int | str | bool | None]:
        """The keeper's part of the heartbeat."""
        return {"deleted_n": self.deleted_n, "fault": self.fault, "database_aside": self.aside,
                "card_drops": self.canary.trouble, "key_fault": self.key_fault,
                **self.stock.facts(), **self.timekeeper.facts(), **self.ledger_writer.facts()}


def serve(role: Role) -> None:
    """Keep the store until told to stop."""
    role.folders.demand_writable()
    with contextlib.suppress(PermissionError):      # a systemd unit forbids it, and has seen to it itself
        os.nice(NICE)
    inbox, outlet = Inbox(role.runtime / "keeper.sock"), Outlet(role.runtime)
    key_server = open_key_socket(role.runtime, role.folders)
    db, aside = care.open_database(role.folders, role.clock.now())
    keeper = Keeper(role, db, outlet, board.read().serial, aside=aside)
    while not role.stop.is_set():
        message = inbox.receive(0.0 if keeper.export_signer.at_work else LOOK_EVERY_S)
        asked = message.what if isinstance(message, Poke) else None
        if asked == "database":
            keeper.examine()
        keeper.round(asked_for_space=asked in ("space", "erase"))
        if role.heartbeat.due():
            role.heartbeat.beat(facts=keeper.facts())
    keeper.packager.close()
    key_server.close()
    inbox.close()
    keeper.db.close()


def main(argv: Sequence[str] | None = None) -> int:
    """The entry of the role. Returns the exit code."""
    return live_as("keeper", serve, argv)
