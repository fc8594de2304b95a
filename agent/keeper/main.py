"""The keeper role: it cares for each clip after the recorder has finished it."""
import contextlib
import logging
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
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
from agent.host.updates import UpdateFolders
from agent.host.ward_folder import joined_by_card
from agent.keeper import pause_words, repair, room
from agent.keeper.damage import CardWatch
from agent.keeper.desk import DecisionDesk
from agent.keeper.evidence import Evidence
from agent.keeper.health_notes import HealthNotes
from agent.keeper.key import KeyFault
from agent.keeper.link_desk import LinkDesk, open_key_socket
from agent.keeper.packager import Packager
from agent.keeper.renewal import admit_writers, forget_cached_log, reserve_log
from agent.keeper.request_judge import RequestJudge
from agent.keeper.retention import Retention
from agent.keeper.sweeper import Sweeper
from agent.keeper.timekeeper import Timekeeper
from agent.keeper.ward_signature import WardSignature, note_command_keys
from agent.process.role import Role, once_there_is_room
from agent.process.role import main as live_as
from agent.store import clips, distrust, identity, notify, privacy, requests
from agent.store.card_fault import NO_ROOM, fault_of
from agent.store.clip_recovery import recover_camera
from agent.store.damage import DOUBT, surviving
from agent.store.database import FILE, Replaced, StoreConnection, StoreError, transaction
from agent.store.decisions import browsers, consent

NEWS_MS = 24 * 3_600_000        # how long a repair counts as news
NICE = 10                       # recording comes first

_log = logging.getLogger(__name__)


class Repaired(NamedTuple):
    aside: str          # the name under which it was set aside
    mono_ms: int


class Keeper:
    """The keeper's round: clock, retention, digests, the sweep when due, and signatures of all of it."""

    def __init__(self, role: Role, db: StoreConnection, own: StoreConnection, outlet: Outlet, serial: str | None = None,
                 repaired: Repaired | None = None) -> None:
        """`own` has the household's decisions, `serial` is the board's, `repaired` this process' newest repair."""
        self.role, self.db, self.own, self.outlet, self.serial, self.repaired = role, db, own, outlet, serial, repaired
        self.error: Exception | None = None             # of the last round
        self.recovered = False                          # `recover` has run
        self.timekeeper, self.card = Timekeeper(), CardWatch(role.folders)
        self.health = HealthNotes(Probes(role.folders.root, interval_s=SAMPLE_EVERY_MS / 1000))
        store, signature = role.settings.store, WardSignature(role.settings, role.folders)
        self.sweeper = Sweeper(role.folders, store.encrypt != "off", role.clock, role.stop)
        self.retention = Retention(role.settings, role.folders, self.timekeeper, self.sweeper, signature)
        self.evidence = Evidence(role, serial, own)
        self.db.signer = self.evidence.ledger_writer
        self.judge = RequestJudge(role.settings, own, Packager(role.folders, role.runtime, store.free_floor_pct,
                                                               role.clock, own), signature)
        DOUBT.tell = self.card.damage.ask

    def recover(self) -> None:
        """Closes what an earlier process left open for removed cameras, and notes consents and declared masks."""
        now = self.role.clock.now()
        with contextlib.suppress(KeyFault, OSError):        # a later part of the round reports it
            self.evidence.ledger_writer.put_back(self.db, report=not (self.role.folders.keys / repair.NOTE).exists())
        room.report(self.own, self.db, self.role.folders, now)
        for db in (self.db, self.own):
            reserve_log(db)
        self.timekeeper.recall(self.db, now)
        identity.name(self.role.folders, self.db)
        notify.forget_others(self.db, {place.name for place in self.role.settings.notify})
        consent.follow(self.own, self.db, now)      # a rebuilt database may not know the ward, which must be informed
        repair.report(self.db, self.card.canary, now)
        cameras = [camera for camera in self.role.settings.camera if camera.enabled]
        masks = {camera.name: camera.masks for camera in cameras if declared(camera)}
        with transaction(self.own):         # it has copies of the ledger's rows, here and below
            privacy.note_software(self.db, __version__, now)
        consent.agree(self.own, self.db, agreed(self.role.settings), now,
                      by_card=joined_by_card(self.role.settings.ward.cert))
        consent.follow(self.own, self.db, now)
        with transaction(self.own):
            note_command_keys(self.judge.signature, self.db, now)
            for change in privacy.declare(self.db, masks, now):
                _log.info("masks: %s", change)
        known = {camera.name for camera in cameras}
        for camera in {clip.camera for clip in clips.in_state(self.db, "open")} - known:
            recover_camera(self.db, self.role.folders, camera, self.role.clock)
        self.recovered = True

    def round(self, asked_for_space: bool) -> None:
        """Looks at everything once. Errors of the card are reported, and the next round tries again."""
        now = self.role.clock.now()
        self.health.look(now)
        try:
            self._check_databases()
            self.error = None
            for part in self._parts(now, asked_for_space):
                with surviving("a part of the keeper's round") as met:      # a spoiled row stops no other part
                    part()
                self.error = self.error or next(iter(met), None)
        except (OSError, sqlite3.Error, StoreError, KeyFault) as error:
            self._stumble(error)
        self._judge_damage()
        self.card.look(failed=self._met_by_card() is not None)

    def _parts(self, now: Instant, asked_for_space: bool) -> Iterator[Callable[[], object]]:
        own, db, send = self.own, self.db, self.outlet.send
        if not self.recovered:
            yield self.recover
        yield lambda: consent.follow(own, db, now) and send(Poke(what="membership"), "link")
        if self.timekeeper.recalled:
            yield lambda: self.timekeeper.look(db, now) and send(Poke(what="outbox"), "link")
        yield lambda: self.health.write(db, now)
        yield lambda: self.card.canary.note_setback(db, now)
        yield lambda: pause_words.tell(own, db, self.role.folders,
                                       [camera.name for camera in self.role.settings.camera], now)
        if asked_for_space or self.retention.is_due(now):
            yield lambda: self.retention.make_room(own, db, now)
        yield lambda: self.evidence.hash_some(db) and self.retention.stock.count(db)
        yield lambda: self.sweeper.look(own, db, now)
        # A packed file names the certificate before.
        yield lambda: self.evidence.ward.look(db, now) and requests.all_unpacked(db)
        yield lambda: self.evidence.sign_some(db)
        yield self._show_pairing
        yield lambda: self.card.canary.look(db, now)
        yield lambda: self.judge.look(db, now) and send(Poke(what="requests"), "link", "web")

    def _stumble(self, error: Exception) -> None:
        self.error = error.with_traceback(None)
        _log.error("%s: %s; tried again", self.role.folders.root, error)
        self._make_room(error)
        if self._is_replaced(self.own):
            _log.error("%s was replaced: restarting with the new one", self.own.path)
            self.role.stop.set()
        else:
            self._continue_with(partial(repair.successor, self.db, self.role.folders, error, self.beat))

    def _show_pairing(self) -> None:
        """Has root show the pairing code while no browser is paired, on a device with a screen for the set-up."""
        setup = SetupFolders.beside(self.role.runtime)
        if setup.asked.is_dir():
            code = browsers.code_to_show(self.own)
            with contextlib.suppress(OSError):      # of memory, not of the card
                setup.show_pairing(PairingState(code=code))

    def _make_room(self, error: Exception) -> None:
        """Frees space on a full card before the databases are tried again; then they learn what was deleted."""
        role = self.role
        if fault_of(error, role.folders.root) in NO_ROOM and room.give(role.folders, role.clock, self.beat):
            self.recovered, self.retention.next_mono_s = False, 0.0

    def examine(self) -> None:
        """Checks the whole database if it is time. After a failed write, the next round checks a fresh copy."""
        if not self.db.distrusted():
            self.card.damage.ask()
            self._judge_damage()

    def _judge_damage(self) -> None:
        if self.card.damage.is_due(self.role.clock.now()):
            self._continue_with(self._judged)

    def _judged(self) -> tuple[StoreConnection, str] | None:
        if repair.is_whole(self.own):
            return self.card.damage.look(self.db, self.role.clock.now(), self.beat)
        _log.error("%s is damaged: restarting, which repairs it", self.own.path)
        self.role.stop.set()
        return None

    @property
    def at_work(self) -> bool:
        """Whether work has begun that takes more than a round, so that the next one must not wait."""
        return self.evidence.at_work or self.sweeper.at_work

    @property
    def fault(self) -> str | None:
        return None if self.error is None else str(self.error)

    def _met_by_card(self) -> str | None:
        return None if self.error is None else fault_of(self.error, self.role.folders.root)

    def facts(self) -> KeeperFacts:
        stock, now = self.retention.stock, self.role.clock.now()
        is_news = self.repaired is not None and now.mono_ms - self.repaired.mono_ms < NEWS_MS
        setback = self.card.canary.went_back
        return KeeperFacts(
            fault=self.fault, key_fault=self.fault if isinstance(self.error, KeyFault) else None,
            redated_n=self.evidence.redated_n or None, card_drops=self.card.canary.trouble,
            card_fault="card_read_only" if self.card.refuses else self._met_by_card(),
            card_ill_days=self.health.card_ill_days,
            database_unclear=self.card.damage.is_unclear(now),
            database_aside=self.repaired.aside if self.repaired and is_news else None,
            card_went_back=setback[0] if setback and now.mono_ms - setback[1] < NEWS_MS else None,
            deleted_n=self.retention.deleted_n, clips_n=stock.clips_n, clips_b=stock.clips_b, held_b=stock.held_b,
            holds_over=stock.over, kept_days={camera: round(days, 1) for camera, days in stock.kept_days.items()},
            clock_err_ms=self.timekeeper.read_error_ms(), clock_step_ms=self.timekeeper.step_ms,
            ledger=self.evidence.ledger_writer.facts(), refused=UpdateFolders().refused(), lately=self.health.waiting)

    def beat(self) -> None:
        if self.role.heartbeat.due():
            self.role.heartbeat.beat(facts=self.facts())

    def close(self) -> None:
        self.judge.packager.close()
        with contextlib.suppress(sqlite3.Error):
            self.timekeeper.lives.look(self.db, self.role.clock.now(), at_end=True)
            self.health.write(self.db, self.role.clock.now(), at_end=True)
        self.db.close()
        self.own.close()
        distrust.let_go()

    def _check_databases(self) -> None:
        """Checks that we use the right volume and the present databases. Raises StoreError and Replaced."""
        self.card.volume.check(anew=self.error is not None)
        if self.db.replaced():
            raise Replaced(f"{self.db.path} has been replaced")
        self.db.require_trust()
        self.own.require_trust()

    def _is_replaced(self, own: StoreConnection) -> bool:
        if own.distrusted():
            try:
                repair.renew_own(self.role.folders, self.beat)
            except (OSError, sqlite3.Error, StoreError) as error:
                _log.error("%s cannot be copied: %s; tried again", own.path, error)
        return own.replaced()

    def _continue_with(self, find: Callable[[], tuple[StoreConnection, str | None] | None]) -> None:
        """Continues with another database if `find` returns one: recovers and sweeps it."""
        try:
            found = find()
        except (OSError, sqlite3.Error, StoreError) as error:
            self.error = error.with_traceback(None)
            _log.error("the database cannot be repaired: %s; tried again", error)
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
    role.folders.require_writable()
    with contextlib.suppress(PermissionError):      # a systemd unit forbids it, but sets it itself
        os.nice(NICE)
    inbox, outlet = Inbox(role.runtime, "keeper"), Outlet(role.runtime)
    key_server = open_key_socket(role.runtime, role.folders)
    patience = partial(role.heartbeat.beat, facts=KeeperFacts(fault="the database is damaged and is being repaired"))
    forget_cached_log(role.folders.root / FILE)     # before the desk opens it: closing a file releases its locks
    opened = partial(once_there_is_room, role.heartbeat, role.stop, role.folders.root,
                     give=partial(room.give, role.folders, role.clock, role.heartbeat.beat))
    admit_writers(role.folders.root / FILE, role.folders.root / repair.NEW, patience)
    own, own_aside = opened(partial(repair.open_own, role.folders, patience))
    signature = WardSignature(role.settings, role.folders)
    desk = DecisionDesk(role.folders, role.clock, signature,
                        SetupFolders.beside(role.runtime), home=role.settings.home.enabled,
                        erased=lambda: outlet.send(Poke(what="erase"), "keeper"),
                        noted=lambda: outlet.send(Poke(what="decided"), "keeper")).open(role.runtime)
    db, aside = opened(partial(repair.open_database, role.folders, patience))
    link_desk = LinkDesk(role.folders, role.clock, signature).open(role.runtime)
    name = aside or own_aside
    repaired = Repaired(name, role.clock.now().mono_ms) if name else None
    keeper = Keeper(role, db, own, outlet, board.read().serial, repaired=repaired)
    with role.stop.waking(lambda: outlet.send(Poke(what="stop"), "keeper")):
        while not role.stop.is_set():
            first = inbox.receive(0.0 if keeper.at_work else role.heartbeat.wait_s())
            received = [first, *inbox.waiting()]    # one round for all, so a flood of pokes is no flood of rounds
            asked = {poke.what for poke in received if isinstance(poke, Poke)}
            for reach in received:
                if isinstance(reach, ReachFacts):
                    keeper.health.receive(reach, role.clock.now())
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
    """The entry point of the role. Returns the exit code."""
    return live_as("keeper", serve, argv)
