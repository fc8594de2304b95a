"""Tells Home Assistant what happens, and hears its switches. Best effort: nothing is stored, nothing waits."""
import functools
import logging
import math
import sqlite3
import threading
from dataclasses import dataclass

import msgspec

from agent.core.contract.facts import Beat, Message, Poke
from agent.core.health.report import Report
from agent.core.home_assistant import discovery
from agent.core.household.pause import Pauses
from agent.home.broker import FORGET_S, HomeContext, HomeSession, status
from agent.link.home.commands import HomeCommands
from agent.link.home.mailbox import CameraPicture, Mailbox, PictureAsker
from agent.link.home.state_publisher import DeviceView, StatePublisher
from agent.link.store_thread import StoreThread
from agent.mqtt.connection import Arrived, Outgoing
from agent.mqtt.session import Acknowledged, Session, Told, Up
from agent.store import home as home_store
from agent.store import pause, updates
from agent.store.folders import Folders
from agent.store.home import RetainedTopics
from agent.store.updates import UpdateOrder

TICK_S = 1.0                # also between looks at the store, in case a poke was lost
STARTED_S = 10.0            # Home Assistant has much to do when it has just started
PICTURE_EXPIRY_S = 60
FAREWELL_S = 1.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StoreView:
    """One look at the store."""

    motions: home_store.Motions
    pauses: Pauses
    order: UpdateOrder | None
    moved: dict[str, str]       # what moved last, by camera


def look(db: sqlite3.Connection, folders: Folders, boot: str, after_id: int | None) -> StoreView:
    """Events after `after_id`; None for only those that go on now."""
    after_id = home_store.last_event(db) if after_id is None else after_id
    return StoreView(home_store.motions(db, boot, after_id), pause.load(folders), updates.read(db),
                     home_store.moved(db, boot))


class Announcer:
    """Shows the device in Home Assistant, and takes away what an earlier life has left there."""

    def __init__(self, home: HomeContext, session: Session, before: RetainedTopics | None) -> None:
        self._home, self._session, self._before = home, session, before
        self._stale: set[str] = set()       # topics of cameras that are no more
        self._due_mono_s, self._stale_mono_s = math.inf, 0.0

    def announce_in(self, seconds: float) -> None:
        """Announce the device so much later."""
        self._due_mono_s = self._home.clock.mono_s() + seconds

    def turn(self) -> bool:
        """Do what is due; returns whether the device was announced anew."""
        now_mono_s = self._home.clock.mono_s()
        announced = now_mono_s >= self._due_mono_s
        if announced:
            self._announce()
        while self._stale and now_mono_s >= self._stale_mono_s:
            self._session.post(Outgoing(self._stale.pop(), b"", qos=0, retain=True))
        return announced

    def _announce(self) -> None:
        self._due_mono_s = math.inf
        now, topics = self._home.shown, self._home.topics
        before, self._before = self._before or now, now
        config = discovery(topics, self._home.device, before.components)
        message = Outgoing(topics.config, msgspec.json.encode(config), retain=True)
        if not self._session.fits(message):
            _log.warning("the household's broker accepts no message of %d bytes, so Home Assistant does not learn of "
                         "this recorder: raise its max_packet_size", len(message.payload))
        self._session.post(message)
        self._stale |= set(before.topics) - set(now.topics)
        self._stale_mono_s = self._home.clock.mono_s() + FORGET_S
        self._session.post(status(self._home, "online"))


class HomeSink:
    """One thread's loop around a session with the household's broker."""

    def __init__(self, home: HomeContext, store: StoreThread, mailbox: Mailbox, before: RetainedTopics | None) -> None:
        """`before` is what an earlier life has left at this broker."""
        self._home, self._store, self._mailbox, self._topics = home, store, mailbox, home.topics
        self._session = HomeSession(home, home.shown.where, f"taimat-{home.own_id}")
        self._announcer = Announcer(home, self._session, before)
        self._pictures = PictureAsker(home.runtime, lambda camera, jpeg: mailbox.put(CameraPicture(camera, jpeg)))
        self._publisher = StatePublisher(home, self._session, self._motion_ended)
        self._commands = HomeCommands(home, store, self._hurry)
        self._device = DeviceView()
        self._last_id: int | None = None        # of the newest event that was told; None before the first look
        self._looking, self._look_mono_s = False, 0.0

    @property
    def fault(self) -> str | None:
        """What is wrong with the connection, in a line; for any thread."""
        return str(self._session.fault) if self._session.fault else None

    def run(self, stop: threading.Event) -> None:
        """Work until told to stop; then leave in order."""
        while not stop.is_set():
            for told in self._session.wait(TICK_S, (self._mailbox, self._store)):
                self._hear(told)
            self._store.turn()
            for piece in self._mailbox.empty():
                self._learn(piece)
            if self._session.up:
                self._speak()
        self._session.leave(status(self._home, "offline"), FAREWELL_S)

    def _hear(self, told: Told) -> None:
        match told:
            case Up():
                self._last_id = None        # what happened meanwhile is not told afterwards
                self._hurry()
                self._announcer.announce_in(0.0)
            case Acknowledged(tag, reason) if reason >= 0x80:
                _log.warning("the household's broker refused our message on %s (reason 0x%02x): see its ACL", tag,
                             reason)
            case Arrived(topic, payload) if topic == self._topics.assistant and payload == b"online":
                self._announcer.announce_in(STARTED_S * self._home.draw())
            case Arrived():
                self._commands.handle(told)

    def _learn(self, piece: Message | Report | CameraPicture) -> None:
        match piece:
            case Beat():
                self._device.facts |= {facts.camera: facts for facts in piece.cameras}
            case Report():
                self._device.report = piece
                self._device.facts = {facts.camera: facts for facts in piece.cameras}
            case Poke():
                self._hurry()
            case CameraPicture(camera, jpeg) if not self._device.is_paused(camera, self._home.clock.now()):
                self._session.post(Outgoing(self._topics.snapshot(camera), jpeg, qos=0, expiry_s=PICTURE_EXPIRY_S,
                                            content_type="image/jpeg"))

    def _hurry(self) -> None:
        """Look at the store at once."""
        self._look_mono_s = 0.0

    def _speak(self) -> None:
        now_mono_s = self._home.clock.mono_s()
        if self._announcer.turn():
            self._publisher.forget()
        if now_mono_s >= self._look_mono_s and not self._looking:
            self._look_mono_s = now_mono_s + TICK_S
            job = functools.partial(look, folders=self._home.folders, boot=self._home.clock.now().boot,
                                    after_id=self._last_id)
            self._looking = self._store.ask(job, functools.partial(self._looked, self._last_id))
        if self._last_id is not None:
            self._publisher.publish(self._device)

    def _looked(self, after_id: int | None, view: StoreView | None) -> None:
        """What the store held after that event; None where the card does not answer."""
        self._looking = False
        if view is None or after_id != self._last_id:       # of the connection before this one
            return
        for camera in view.motions.over - view.motions.going_on - self._device.open:
            if camera in self._home.cameras:        # it began and ended between two looks
                self._publisher.move(camera, True)
        self._device.pauses, self._device.order, self._device.moved = view.pauses, view.order, view.moved
        self._device.open, self._last_id = view.motions.going_on, view.motions.last_id
        if self._session.up:
            self._publisher.publish(self._device)

    def _motion_ended(self, camera: str) -> None:
        if self._home.home.snapshots:
            self._pictures.ask(camera)
