"""Tells Home Assistant what happens, and hears its pause switch. Best effort: nothing is stored, nothing waits."""
import functools
import logging
import math
import sqlite3
import threading
from dataclasses import dataclass

import msgspec

from agent import __version__
from agent.core.contract.facts import Beat, CameraFacts, Poke
from agent.core.contract.home import states
from agent.core.contract.home.discovery import discovery
from agent.core.health.report import Report
from agent.core.household.pause import Pauses
from agent.home.context import HomeContext
from agent.home.removal import FORGET_S
from agent.home.session import HomeSession, status
from agent.link.home.commands import Pausing, is_paused
from agent.link.home.mailbox import CameraPicture, Mailbox, PictureAsker
from agent.link.home.state_publisher import StatePublisher
from agent.link.home.updating import Updating
from agent.link.store_thread import StoreThread
from agent.mqtt.connection import Arrived, Outgoing
from agent.mqtt.session import Taken, Told, Up
from agent.store import home, pause, updates
from agent.store.folders import Folders
from agent.store.home import RetainedTopics
from agent.store.updates import UpdateOrder


@dataclass(frozen=True, slots=True)
class StoreView:
    """One look at the store."""

    motions: home.Motions
    pauses: Pauses
    order: UpdateOrder | None                 # the version that the ward wants here


def look(db: sqlite3.Connection, folders: Folders, boot: str, after_id: int | None) -> StoreView:
    """Events after `after_id`; None for only those that go on now."""
    after_id = home.last_event(db) if after_id is None else after_id
    return StoreView(home.motions(db, boot, after_id), pause.load(folders), updates.read(db))


TICK_S = 1.0                # also between looks at the store, in case a poke was lost
STARTED_S = 10.0            # Home Assistant has much to do when it has just started
PICTURE_EXPIRY_S = 60
FAREWELL, FAREWELL_S = "farewell", 1.0

_log = logging.getLogger(__name__)


class HomeSink:
    """One thread's loop around a line to the household's broker."""

    def __init__(self, home: HomeContext, store: StoreThread, mailbox: Mailbox, before: RetainedTopics | None) -> None:
        """`before` is what an earlier life has left at this broker."""
        self._home, self._store, self._mailbox, self._before = home, store, mailbox, before
        self._topics, self._language = home.topics, home.settings.device.language
        self._line = HomeSession(home, home.shown.where, f"taimat-{home.own_id}")
        self._publisher = StatePublisher(self._line.session, home.clock)
        self._pausing = Pausing(home, store, self._hurry)
        self._updating = Updating(home, store, self._hurry)
        self._snapshots = PictureAsker(home.runtime, lambda camera, jpeg: mailbox.put(CameraPicture(camera, jpeg)))
        self._facts: dict[str, CameraFacts] = {}
        self._report: Report | None = None
        self._pauses = Pauses()
        self._order: UpdateOrder | None = None
        self._open: frozenset[str] = frozenset()
        self._last_id: int | None = None
        self._looking = False
        self._stale: set[str] = set()       # topics of cameras that are no more
        self._look_mono_s, self._announce_mono_s, self._stale_mono_s = 0.0, math.inf, 0.0

    @property
    def fault(self) -> str | None:
        """What is wrong with the line, in a line; for any thread."""
        return str(self._line.session.fault) if self._line.session.fault else None

    def run(self, stop: threading.Event) -> None:
        """Work until told to stop; then leave in order."""
        while not stop.is_set():
            for told in self._line.wait((self._mailbox, self._store), TICK_S):
                self._hear(told)
            self._store.turn()
            for piece in self._mailbox.take():
                self._learn(piece)
            if self._line.session.up:
                self._speak()
        self._leave()

    def _hear(self, told: Told) -> None:
        match told:
            case Up():
                self._last_id = None        # what happened meanwhile is not told afterwards
                self._hurry()
                self._announce_mono_s = self._home.clock.mono_s()
            case Taken(tag, reason) if reason >= 0x80:
                _log.warning("the household's broker refused our message on %s (reason 0x%02x): see its ACL", tag,
                             reason)
            case Arrived(topic, payload) if topic == self._topics.assistant and payload == b"online":
                self._announce_mono_s = self._home.clock.mono_s() + STARTED_S * self._home.draw()
            case Arrived(topic) if topic == self._topics.update_set:
                self._updating.take(told)
            case Arrived(topic) if camera := self._topics.paused_camera(topic):
                self._pausing.take(told, camera)

    def _learn(self, piece: Beat | Poke | Report | CameraPicture) -> None:
        match piece:
            case Beat():
                self._facts |= {facts.camera: facts for facts in piece.cameras}
            case Report():
                self._report = piece
                self._facts = {facts.camera: facts for facts in piece.cameras}
            case Poke():
                self._hurry()
            case CameraPicture(camera, jpeg) if not is_paused(self._pauses, self._facts.get(camera), camera,
                                                        self._home.clock.now()):
                self._line.session.post(Outgoing(self._topics.snapshot(camera), jpeg, qos=0,
                                                 expiry_s=PICTURE_EXPIRY_S, content_type="image/jpeg"))

    def _hurry(self) -> None:
        """Look at the store at once."""
        self._look_mono_s = 0.0

    def _speak(self) -> None:
        now_mono_s = self._home.clock.mono_s()
        if now_mono_s >= self._announce_mono_s:
            self._announce()
        while self._stale and now_mono_s >= self._stale_mono_s:
            self._line.session.post(Outgoing(self._stale.pop(), b"", qos=0, retain=True))
        if now_mono_s >= self._look_mono_s and not self._looking:
            self._look_mono_s = now_mono_s + TICK_S
            job = functools.partial(look, folders=self._home.folders, boot=self._home.clock.now().boot,
                                    after_id=self._last_id)
            self._looking = self._store.ask(job, functools.partial(self._looked, self._last_id))
        if self._last_id is not None:
            self._tell()

    def _announce(self) -> None:
        """Show the device, and everything about it."""
        self._announce_mono_s = math.inf
        session, now = self._line.session, self._home.shown
        before, self._before = self._before or now, now
        config = discovery(self._topics, self._home.device, before.components)
        message = Outgoing(self._topics.config, msgspec.json.encode(config), retain=True)
        if not session.fits(message):
            _log.warning("the household's broker takes no message of %d bytes, so Home Assistant learns nothing of us: "
                         "raise its max_packet_size", len(message.payload))
        session.post(message)
        self._stale |= set(before.topics) - set(now.topics)
        self._stale_mono_s = self._home.clock.mono_s() + FORGET_S
        session.post(status(self._home, "online"))
        self._publisher.forget()

    def _looked(self, after_id: int | None, seen: StoreView | None) -> None:
        """What the store's thread found after that event; None where the card does not answer."""
        self._looking = False
        if seen is None or after_id != self._last_id:       # of the connection before this one
            return
        for camera in seen.motions.over - seen.motions.going_on - self._open:
            if camera in self._home.cameras:       # it began and ended between two looks
                self._move(camera, True)
        self._pauses, self._open, self._last_id = seen.pauses, seen.motions.going_on, seen.motions.last_id
        self._order = seen.order
        if self._line.session.up:
            self._tell()

    def _tell(self) -> None:
        now = self._home.clock.now()
        for camera in self._home.cameras:
            facts = self._facts.get(camera)
            self._move(camera, states.moves(self._open, camera, facts))
            self._publisher.switch(self._topics.recording(camera), states.records(facts))
            self._publisher.switch(self._topics.pause(camera), is_paused(self._pauses, facts, camera, now))
            if self._report:
                self._publisher.state(self._topics.problem(camera),
                                   states.camera_state(self._report, camera, self._language))
        self._publisher.state(self._topics.update, _software(self._order))
        if self._report:
            self._publisher.state(self._topics.health, states.device_state(self._report, self._language))

    def _move(self, camera: str, moving: bool) -> None:
        if self._publisher.switch(self._topics.motion(camera), moving) and not moving and self._home.home.snapshots:
            self._snapshots.ask(camera)

    def _leave(self) -> None:
        """Say that this is a planned stop, and wait a little until the broker has heard it."""
        session, clock = self._line.session, self._home.clock
        until_mono_s = clock.mono_s() + FAREWELL_S
        if session.up:
            session.post(status(self._home, "offline"), FAREWELL)
        while session.up and clock.mono_s() < until_mono_s:
            if any(isinstance(each, Taken) and each.tag == FAREWELL for each in self._line.wait((), 0.1)):
                break
        session.close()


def _software(order: UpdateOrder | None) -> states.UpdateState:
    """What the update entity shows: an order that has come to nothing is not shown any more."""
    wanted = order.version if order and order.open else __version__
    return states.UpdateState(installed_version=__version__, latest_version=wanted,
                              in_progress=order is not None and order.state in ("approved", "handed"))
