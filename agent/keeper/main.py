"""The keeper role: after the recorder is done with a clip, everything that happens to it is the keeper's."""
import contextlib
import logging
import os
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from agent import __version__
from agent.config.derived import agreed
from agent.config.privacy import declared
from agent.core.contract.facts import KeeperFacts, Poke, ReachFacts
from agent.core.contract.setup import PairingState
from agent.core.health.history import SAMPLE_EVERY_MS
from agent.host import board
from agent.host.clock import Instant
from agent.host.datagram import Inbox, Outlet
from agent.host.probes.machine import Probes
from agent.host.setup_folders import SetupFolders
from agent.host.ward_folder import joined_by_card
from agent.keeper import command_keys, pause_words, repair
from agent.keeper.card_watch import CardWatch
from agent.keeper.desk import DecisionDesk
from agent.keeper.evidence import Evidence
from agent.keeper.health_notes import HealthNotes
from agent.keeper.key import KeyFault, open_key_socket
from agent.keeper.own_repair import open_own
from agent.keeper.pack import Packager
from agent.keeper.request_judge import RequestJudge
from agent.keeper.retention import Retention
from agent.keeper.sweeper import Sweeper
from agent.keeper.timekeeper import Timekeeper
from agent.keeper.ward_signature import WardSignature
from agent.process.role import Role
from agent.process.role import main as live_as
from agent.store import clips, identity, notify, privacy, requests
from agent.store.card_fault import fault_of, is_full
from agent.store.clip_recovery import recover_camera
from agent.store.database import Replaced, StoreConnection, StoreError, is_damage
from agent.store.decisions import browsers, consent
from agent.store.decisions.database import mark

NEWS_MS = 24 * 3_600_000        # for so long a repair is news
NICE = 10                       # recording comes first

_log = logging.getLogger(__name__)


class Repaired(NamedTuple):
    """A damaged database was repaired."""

    aside: str          # the name under which it was set aside
    mono_ms: int


@dataclass(slots=True)
class Keeper:
    """The keeper's round: clock, retention, digests, now and then the sweep, and signatures for all that was done."""

    role: Role
    db: StoreConnection
    own: StoreConnection                    # what the household has decided: agent/store/decisions
    outlet: Outlet
    serial: str | None = None               # the board's
    repaired: Repaired | None = None        # the newest damaged database that this process has set aside
    error: Exception | None = None          # of the last round
    recovered: bool = False                 # what an earlier life left is closed
    timekeeper: Timekeeper = field(default_factory=Timekeeper)
    health: HealthNotes = field(init=False)
    sweeper: Sweeper = field(init=False)
    retention: Retention = field(init=False)
    evidence: Evidence = field(init=False)
    judge: RequestJudge = field(init=False)
    card: CardWatch = field(init=False)

    def __post_init__(self) -> None:
        """The parts that are made of what we were handed."""
        role, store = self.role, self.role.settings.store
        self.db.mark = mark(self.own)
        self.health = HealthNotes(Probes(role.folders.root, interval_s=SAMPLE_EVERY_MS / 1000))
        self.sweeper = Sweeper(role.folders, store.encrypt != "off", role.clock, role.stop)
        signature = WardSignature(role.settings, role.folders)
        self.retention = Retention(role.settings, role.folders, self.timekeeper, self.sweeper, signature)
        self.evidence = Evidence(role, self.serial)
        self.judge = RequestJudge(role.settings, self.own, Packager(role.folders, role.runtime, store.free_floor_pct,
                                                                    role.clock, self.own), signature)
        self.card = CardWatch(role.folders, role.settings.recovery.reboot)

    def recover(self) -> None:
        """Close what an earlier life left open of cameras that no longer exist.

        Note also what the household agrees to, and what it declares of its cameras' own masks.
        """
        now = self.role.clock.now()
        identity.name(self.role.folders, self.db)
        notify.forget_others(self.db, {each.name for each in self.role.settings.notify})
        consent.follow(self.own, self.db, now)      # a mended database may know of no ward, which is to be told
        repair.tell(self.db, self.role.folders, now)
        self.timekeeper.recall(self.db, now)
        cameras = [camera for camera in self.role.settings.camera if camera.enabled]
        masks = {camera.name: camera.masks for camera in cameras if declared(camera)}
        privacy.note_software(self.db, __version__, now)
        consent.agree(self.own, self.db, agreed(self.role.settings), now,
                      by_card=joined_by_card(self.role.settings.ward.cert))
        consent.follow(self.own, self.db, now)
        command_keys.begin(self.judge.signature, self.db, now)
        for change in privacy.declare(self.db, masks, now):
            _log.info("masks: %s", change)
        known = {camera.name for camera in cameras}
        for camera in {clip.camera for clip in clips.in_state(self.db, "open")} - known:
            recover_camera(self.db, self.role.folders, camera, self.role.clock)
        self.recovered = True

    def round(self, asked_for_space: bool) -> None:
        """One look at everything; errors of the card are reported, not fatal: the next round tries again."""
        now = self.role.clock.now()
        self.health.look(now)
        try:
            self._demand_ours()
            if not self.recovered:
                self.recover()
            if consent.follow(self.own, self.db, now):
                self.outlet.send(Poke(what="membership"), "link")
            if self.timekeeper.look(self.db, now):
                self.outlet.send(Poke(what="outbox"), "link")
            self.health.write(self.db, now)
            pause_words.tell(self.own, self.db, self.role.folders,
                             [camera.name for camera in self.role.settings.camera], now)
            if asked_for_space or self.retention.is_due(now):
                self.retention.make_room(self.own, self.db, now)
            if self.evidence.hash_some(self.db):
                self.retention.stock.count(self.db)
            self.sweeper.look(self.own, self.db, now)
            if self.evidence.ward.look(self.db, now):
                requests.all_unpacked(self.db)      # what is packed names the certificate of before
            self.evidence.sign_some(self.db)
            self._show_pairing()
            self.card.canary.look(self.db, now)
            self.error = self._see_to_requests(now)
        except (OSError, sqlite3.Error, StoreError, KeyFault) as error:
            self.error = error.with_traceback(None)
            _log.error("%s: %s; tried again", self.role.folders.root, error)
            if is_full(error):
                self.retention.give_ballast()
            if is_damage(error) and not repair.is_sound(self.own):
                _log.error("%s is damaged: starting anew, which repairs it", self.own.path)
                self.role.stop.set()
                return
            if self.own.replaced():
                _log.error("%s is another one now: starting anew with that", self.own.path)
                self.role.stop.set()
                return
            self._go_on(partial(repair.successor, self.db, self.role.folders, error, self.beat))
        self.card.look(now, failed=self._met_by_card() is not None)

    def _see_to_requests(self, now: Instant) -> Exception | None:
        """Judge and pack; returns what went wrong. A row that somebody has spoiled must hold up nothing else."""
        try:
            if self.judge.look(self.db, now):
                self.outlet.send(Poke(what="requests"), "link", "web")
        except (OSError, sqlite3.Error, StoreError) as error:
            _log.error("requests of the ward: %s; tried again", error)
            return error.with_traceback(None)
        return None

    def _show_pairing(self) -> None:
        """Have root show the code while no browser is paired, where there is a screen to set up with."""
        setup = SetupFolders.beside(self.role.runtime)
        if setup.asked.is_dir():
            code = browsers.code_to_show(self.own)
            with contextlib.suppress(OSError):      # memory's, and nothing that the card could have done
                setup.show_pairing(PairingState(code=code))

    def examine(self) -> None:
        """Look at all of the database: somebody has met damage in it."""
        self._go_on(partial(repair.examined, self.db, self.role.folders, self.beat))

    @property
    def at_work(self) -> bool:
        """Whether something has begun that takes more than a round: then the next one is not to wait."""
        return self.evidence.at_work or self.sweeper.at_work

    @property
    def fault(self) -> str | None:
        """What has gone wrong in the last round."""
        return None if self.error is None else str(self.error)

    def _card_fault(self) -> str | None:
        if self.card.refuses:
            return "card_read_only"
        return self._met_by_card()

    def _met_by_card(self) -> str | None:
        return None if self.error is None else fault_of(self.error, self.role.folders.root)

    def facts(self) -> KeeperFacts:
        """The keeper's part of the heartbeat."""
        stock, now_ms = self.retention.stock, self.role.clock.now().mono_ms
        return KeeperFacts(
            fault=self.fault, key_fault=self.fault if isinstance(self.error, KeyFault) else None,
            card_drops=self.card.canary.trouble,
            card_fault=self._card_fault(),
            database_aside=self.repaired.aside if self.repaired and now_ms - self.repaired.mono_ms < NEWS_MS else None,
            deleted_n=self.retention.deleted_n, clips_n=stock.clips_n, clips_b=stock.clips_b, held_b=stock.held_b,
            holds_over=stock.over, kept_days={camera: round(days, 1) for camera, days in stock.kept_days.items()},
            clock_err_ms=self.timekeeper.read_error_ms(), clock_step_ms=self.timekeeper.step_ms,
            ledger=self.evidence.ledger_writer.facts(), lately=self.health.waiting)

    def beat(self) -> None:
        """Send a heartbeat, if it is time."""
        if self.role.heartbeat.due():
            self.role.heartbeat.beat(facts=self.facts())

    def close(self) -> None:
        """End the process that packs, and close the databases."""
        self.judge.packager.close()
        with contextlib.suppress(sqlite3.Error):
            self.timekeeper.lives.note(self.db, self.role.clock.now())
            self.health.write(self.db, self.role.clock.now(), at_end=True)
        self.db.close()
        self.own.close()

    def _demand_ours(self) -> None:
        """That we are on the right volume, and on the database that is there now. Raises StoreError and Replaced."""
        self.card.volume.demand(anew=self.error is not None)
        if self.db.replaced():
            raise Replaced(f"{self.db.path} has been replaced")

    def _go_on(self, find: Callable[[], tuple[StoreConnection, str | None] | None]) -> None:
        """With another database, if `find` has one: recover and sweep what is in it."""
        try:
            found = find()
        except (OSError, sqlite3.Error, StoreError) as error:
            self.error = error.with_traceback(None)
            _log.error("the database can't be repaired: %s; tried again", error)
            return
        if found is not None:
            self.db, aside = found
            self.db.mark = mark(self.own)
            if aside:
                self.repaired = Repaired(aside, self.role.clock.now().mono_ms)
            self.recovered = False
            self.sweeper.start_again()
            self.card.canary.start_again()
            self.evidence = Evidence(self.role, self.serial)


def serve(role: Role) -> None:
    """Keep the store until told to stop."""
    role.folders.demand_writable()
    with contextlib.suppress(PermissionError):      # a systemd unit forbids it, and has seen to it itself
        os.nice(NICE)
    inbox, outlet = Inbox(role.runtime, "keeper"), Outlet(role.runtime)
    key_server = open_key_socket(role.runtime, role.folders)
    patience = partial(role.heartbeat.beat, facts=KeeperFacts(fault="the database is damaged and is being repaired"))
    own, own_aside = open_own(role.folders, patience)
    desk = DecisionDesk(role.folders, role.clock, WardSignature(role.settings, role.folders),
                        SetupFolders.beside(role.runtime), role.settings.home.enabled, store=role.settings.store,
                        erased=lambda: outlet.send(Poke(what="erase"), "keeper"),
                        noted=lambda: outlet.send(Poke(what="decided"), "keeper")).open(role.runtime)
    db, aside = repair.open_database(role.folders, patience)
    name = aside or own_aside
    repaired = Repaired(name, role.clock.now().mono_ms) if name else None
    keeper = Keeper(role, db, own, outlet, board.read().serial, repaired)
    with role.stop.waking(lambda: outlet.send(Poke(what="stop"), "keeper")):
        while not role.stop.is_set():
            message = inbox.receive(0.0 if keeper.at_work else role.heartbeat.wait_s())
            asked = message.what if isinstance(message, Poke) else None
            if isinstance(message, ReachFacts):
                keeper.health.hear(message, role.clock.now())
            if asked == "database":
                keeper.examine()
            keeper.round(asked_for_space=asked in ("space", "erase"))
            keeper.beat()
    keeper.close()
    key_server.close()
    desk.close()
    inbox.close()


def main(argv: Sequence[str] | None = None) -> int:
    """The entry of the role. Returns the exit code."""
    return live_as("keeper", serve, argv)
