"""The keeper role: after the recorder is done with a clip, everything that happens to it is the keeper's."""
import contextlib
import logging
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from agent import __version__
from agent.config.derived import agreed, declared
from agent.core.contract.facts import KeeperFacts, Poke, ReachFacts
from agent.core.contract.setup import PairingState
from agent.core.health.history import SAMPLE_EVERY_MS
from agent.host import board
from agent.host.clock import Instant
from agent.host.datagram import Inbox, Outlet
from agent.host.probes.machine import Probes
from agent.host.setup_folders import SetupFolders
from agent.host.ward_folder import joined_by_card
from agent.keeper import command_keys, pause_words, repair, room
from agent.keeper.card_watch import CardWatch
from agent.keeper.desk import DecisionDesk
from agent.keeper.evidence import Evidence
from agent.keeper.health_notes import HealthNotes
from agent.keeper.key import KeyFault
from agent.keeper.key_socket import open_key_socket
from agent.keeper.link_desk import LinkDesk
from agent.keeper.own_repair import is_whole, open_own, renew_own
from agent.keeper.pack import Packager
from agent.keeper.renewal import admit_writers, forget_cached_log, reserve_log
from agent.keeper.request_judge import RequestJudge
from agent.keeper.retention import Retention
from agent.keeper.sweeper import Sweeper
from agent.keeper.timekeeper import Timekeeper
from agent.keeper.ward_signature import WardSignature
from agent.process.full_card import once_there_is_room
from agent.process.role import Role
from agent.process.role import main as live_as
from agent.store import clips, distrust, identity, notify, privacy, requests
from agent.store.card_fault import NO_ROOM, fault_of
from agent.store.clip_recovery import recover_camera
from agent.store.damage import DOUBT, surviving
from agent.store.database import FILE, Replaced, StoreConnection, StoreError, transaction
from agent.store.decisions import browsers, consent

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
        self.health = HealthNotes(Probes(role.folders.root, interval_s=SAMPLE_EVERY_MS / 1000))
        self.sweeper = Sweeper(role.folders, store.encrypt != "off", role.clock, role.stop)
        signature = WardSignature(role.settings, role.folders)
        self.retention = Retention(role.settings, role.folders, self.timekeeper, self.sweeper, signature)
        self.evidence = Evidence(role, self.serial, self.own)
        self.db.signer = self.evidence.ledger_writer
        self.judge = RequestJudge(role.settings, self.own, Packager(role.folders, role.runtime, store.free_floor_pct,
                                                                    role.clock, self.own), signature)
        self.card = CardWatch(role.folders)
        DOUBT.tell = self.card.damage.ask

    def recover(self) -> None:
        """Close what an earlier life left open of cameras that no longer exist.

        Note also what the household agrees to, and what it declares of its cameras' own masks.
        """
        now = self.role.clock.now()
        with contextlib.suppress(KeyFault, OSError):        # a later part of the round tells of it
            self.evidence.ledger_writer.put_back(self.db, tell=not (self.role.folders.keys / repair.NOTE).exists())
        room.tell(self.own, self.db, self.role.folders, now)
        for db in (self.db, self.own):
            reserve_log(db)
        self.timekeeper.recall(self.db, now)
        identity.name(self.role.folders, self.db)
        notify.forget_others(self.db, {each.name for each in self.role.settings.notify})
        consent.follow(self.own, self.db, now)      # a mended database may know of no ward, which is to be told
        repair.tell(self.db, self.card.canary, now)
        cameras = [camera for camera in self.role.settings.camera if camera.enabled]
        masks = {camera.name: camera.masks for camera in cameras if declared(camera)}
        with transaction(self.own):         # it keeps the ledger's rows, too, here and below
            privacy.note_software(self.db, __version__, now)
        consent.agree(self.own, self.db, agreed(self.role.settings), now,
                      by_card=joined_by_card(self.role.settings.ward.cert))
        consent.follow(self.own, self.db, now)
        with transaction(self.own):
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
            self.error = None
            for part in self._parts(now, asked_for_space):
                with surviving("a part of the keeper's round") as met:      # a row in its way stops no other part
                    part()
                self.error = self.error or next(iter(met), None)
        except (OSError, sqlite3.Error, StoreError, KeyFault) as error:
            self._stumble(error)
        self._judge_damage()
        self.card.look(failed=self._met_by_card() is not None)

    def _parts(self, now: Instant, asked_for_space: bool) -> Iterator[Callable[[], object]]:
        """What a round consists of, each part asked for when its turn has come."""
        own, db, send = self.own, self.db, self.outlet.send
        if not self.recovered:
            yield self.recover
        yield lambda: consent.follow(own, db, now) and send(Poke(what="membership"), "link")
        if self.timekeeper.recalled:
            yield lambda: self.timekeeper.look(db, now) and send(Poke(what="outbox"), "link")
        yield lambda: self.health.write(db, now)
        yield lambda: self.card.canary.hear_ward(db, now)
        yield lambda: pause_words.tell(own, db, self.role.folders,
                                       [camera.name for camera in self.role.settings.camera], now)
        if asked_for_space or self.retention.is_due(now):
            yield lambda: self.retention.make_room(own, db, now)
        yield lambda: self.evidence.hash_some(db) and self.retention.stock.count(db)
        yield lambda: self.sweeper.look(own, db, now)
        # What is packed names the certificate of before.
        yield lambda: self.evidence.ward.look(db, now) and requests.all_unpacked(db)
        yield lambda: self.evidence.sign_some(db)
        yield self._show_pairing
        yield lambda: self.card.canary.look(db, now)
        yield lambda: self.judge.look(db, now) and send(Poke(what="requests"), "link", "web")

    def _stumble(self, error: Exception) -> None:
        """What went wrong concerns the whole round."""
        self.error = error.with_traceback(None)
        _log.error("%s: %s; tried again", self.role.folders.root, error)
        self._make_room(error)
        if self._is_replaced(self.own):
            _log.error("%s is another one now: starting anew with that", self.own.path)
            self.role.stop.set()
        else:
            self._go_on(partial(repair.successor, self.db, self.role.folders, error, self.beat))

    def _show_pairing(self) -> None:
        """Have root show the code while no browser is paired, where there is a screen to set up with."""
        setup = SetupFolders.beside(self.role.runtime)
        if setup.asked.is_dir():
            code = browsers.code_to_show(self.own)
            with contextlib.suppress(OSError):      # memory's, and nothing that the card could have done
                setup.show_pairing(PairingState(code=code))

    def _make_room(self, error: Exception) -> None:
        """If the card is full, before the databases are tried again; they are told then what went."""
        role = self.role
        if fault_of(error, role.folders.root) in NO_ROOM and room.give(role.folders, role.clock, self.beat):
            self.recovered, self.retention.next_mono_s = False, 0.0

    def examine(self) -> None:
        """Look at all of the database, if it is time: another role has met damage, or twice what may be.

        If it has met a failed write, the next round makes a fresh copy, and looks at that.
        """
        if not self.db.distrusted():
            self.card.damage.ask()
            self._judge_damage()

    def _judge_damage(self) -> None:
        if self.card.damage.is_due(self.role.clock.now()):
            self._go_on(self._judged)

    def _judged(self) -> tuple[StoreConnection, str] | None:
        if is_whole(self.own):
            return self.card.damage.look(self.db, self.role.clock.now(), self.beat)
        _log.error("%s is damaged: starting anew, which repairs it", self.own.path)
        self.role.stop.set()
        return None

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
            redated_n=self.evidence.redated_n or None,
            card_drops=self.card.canary.trouble,
            card_fault=self._card_fault(), card_ill_days=self.health.card_ill_days,
            database_unclear=self.card.damage.is_unclear(self.role.clock.now()),
            database_aside=self.repaired.aside if self.repaired and now_ms - self.repaired.mono_ms < NEWS_MS else None,
            card_went_back=self.card.canary.went_back[0] if self.card.canary.went_back
            and now_ms - self.card.canary.went_back[1] < NEWS_MS else None,
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
        distrust.let_go()

    def _demand_ours(self) -> None:
        """That we are on the right volume, and on the database that is there now. Raises StoreError and Replaced."""
        self.card.volume.check(anew=self.error is not None)
        if self.db.replaced():
            raise Replaced(f"{self.db.path} has been replaced")
        self.db.require_trust()
        self.own.require_trust()

    def _is_replaced(self, own: StoreConnection) -> bool:
        """Whether the keeper's own database is another one by now, because a write of it had failed."""
        if own.distrusted():
            try:
                renew_own(self.role.folders, self.beat)
            except (OSError, sqlite3.Error, StoreError) as error:
                _log.error("%s can't be copied: %s; tried again", own.path, error)
        return own.replaced()

    def _go_on(self, find: Callable[[], tuple[StoreConnection, str | None] | None]) -> None:
        """With another database, if `find` has one: recover and sweep what is in it."""
        try:
            found = find()
        except (OSError, sqlite3.Error, StoreError) as error:
            self.error = error.with_traceback(None)
            _log.error("the database can't be repaired: %s; tried again", error)
            self._make_room(error)
            return
        if found is not None:
            self.db, aside = found
            if aside:
                self.repaired = Repaired(aside, self.role.clock.now().mono_ms)
            self.recovered = False
            self.sweeper.start_again()
            head = self.evidence.ledger_writer.head
            self.evidence = Evidence(self.role, self.serial, self.own)
            self.db.signer, self.evidence.ledger_writer.head = self.evidence.ledger_writer, head


def serve(role: Role) -> None:
    """Keep the store until told to stop."""
    role.folders.require_writable()
    with contextlib.suppress(PermissionError):      # a systemd unit forbids it, and has seen to it itself
        os.nice(NICE)
    inbox, outlet = Inbox(role.runtime, "keeper"), Outlet(role.runtime)
    key_server = open_key_socket(role.runtime, role.folders)
    patience = partial(role.heartbeat.beat, facts=KeeperFacts(fault="the database is damaged and is being repaired"))
    forget_cached_log(role.folders.root / FILE)     # before the desk opens it: closing a file gives up locks on it
    opened = partial(once_there_is_room, role.heartbeat, role.stop, role.folders.root,
                     give=partial(room.give, role.folders, role.clock, role.heartbeat.beat))
    admit_writers(role.folders.root / FILE, role.folders.root / repair.NEW, patience)
    own, own_aside = opened(partial(open_own, role.folders, patience))
    signature = WardSignature(role.settings, role.folders)
    desk = DecisionDesk(role.folders, role.clock, signature,
                        SetupFolders.beside(role.runtime), role.settings.home.enabled, store=role.settings.store,
                        erased=lambda: outlet.send(Poke(what="erase"), "keeper"),
                        noted=lambda: outlet.send(Poke(what="decided"), "keeper")).open(role.runtime)
    db, aside = opened(partial(repair.open_database, role.folders, patience))
    link_desk = LinkDesk(role.folders, role.clock, signature).open(role.runtime)
    name = aside or own_aside
    repaired = Repaired(name, role.clock.now().mono_ms) if name else None
    keeper = Keeper(role, db, own, outlet, board.read().serial, repaired)
    with role.stop.waking(lambda: outlet.send(Poke(what="stop"), "keeper")):
        while not role.stop.is_set():
            first = inbox.receive(0.0 if keeper.at_work else role.heartbeat.wait_s())
            heard = [first, *inbox.waiting()]       # one round for all of it: a flood of pokes is no flood of rounds
            asked = {each.what for each in heard if isinstance(each, Poke)}
            for reach in (each for each in heard if isinstance(each, ReachFacts)):
                keeper.health.hear(reach, role.clock.now())
            if "database" in asked:
                keeper.examine()
            if "sweep" in asked:
                keeper.sweeper.next_mono_s, keeper.sweeper.has_seen_all = 0.0, False
            keeper.round(asked_for_space=not asked.isdisjoint(("space", "erase")))
            keeper.beat()
    keeper.close()
    key_server.close()
    desk.close()
    link_desk.close()
    inbox.close()


def main(argv: Sequence[str] | None = None) -> int:
    """The entry of the role. Returns the exit code."""
    return live_as("keeper", serve, argv)
