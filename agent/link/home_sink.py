"""Sends Home Assistant the device's states, and handles its pause switch and update button. docs/design/household.md.

Best effort: nothing is stored for later.
"""
import functools
import logging
import math
import os
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from agent.core.contract.decisions import PauseFromHome, PictureForHome
from agent.core.contract.facts import Beat, Message, Poke
from agent.core.health.report import Report
from agent.core.home_assistant import INSTALL, discovery
from agent.core.household.pause import Pauses
from agent.core.rate import RateLimit
from agent.home import FORGET_S, HomeContext, HomeSession, remove, status
from agent.host.datagram import Outlet
from agent.link.context import ask_desk
from agent.link.home_states import DeviceView, StatePublisher
from agent.link.side_thread import SideThread
from agent.link.store_thread import StoreThread
from agent.mqtt.messages import Arrived, Outgoing
from agent.mqtt.session import Acknowledged, Session, SessionEvent, Up
from agent.store import home as home_store
from agent.store import pause, updates
from agent.store.folders import Folders
from agent.store.home import RetainedTopics
from agent.store.link_questions import approve_update, show_home
from agent.store.updates import UpdateOrder

TICK_S = 1.0                # also between looks at the store, in case a poke was lost
STARTED_S = 10.0            # Home Assistant is busy when it has just started
PICTURE_EXPIRY_S = 60
PICTURE_B_MAX = 200_000
MOVED_S = 30.0              # for the broker that was used before
PATIENT_S = 7 * 86_400.0    # if the sink is switched off: the broker may be off, too
FAREWELL_S = 1.0
WAITING_MAX = 64
COMMANDS_A_MINUTE = 30
SWITCH = {b"ON": True, b"OFF": False}

_log = logging.getLogger(__name__)


class Mailbox:
    """A bounded queue from the link's loop to the sink's; the oldest entry is lost if it is full.

    `fileno` is readable while something is in it.
    """

    def __init__(self) -> None:
        self._waiting: deque[Message | Report] = deque(maxlen=WAITING_MAX)
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def fileno(self) -> int:
        return self._bell

    def put(self, piece: Message | Report) -> None:
        """Adds a piece, from any thread, without waiting."""
        self._waiting.append(piece)
        self.ring()

    def ring(self) -> None:
        os.eventfd_write(self._bell, 1)

    def empty(self) -> list[Message | Report]:
        try:
            os.eventfd_read(self._bell)
        except BlockingIOError:
            return []
        return [self._waiting.popleft() for _ in range(len(self._waiting))]


@dataclass(frozen=True, slots=True)
class StoreView:
    motions: home_store.Motions
    pauses: Pauses
    order: UpdateOrder | None
    moved: dict[str, str]       # what moved last, by camera


def look(db: sqlite3.Connection, folders: Folders, boot: str, after_id: int | None) -> StoreView:
    """Reads events after `after_id`; with None, only those that go on now."""
    after_id = home_store.last_event(db) if after_id is None else after_id
    return StoreView(home_store.motions(db, boot, after_id), pause.load(folders), updates.read(db),
                     home_store.moved(db, boot))


def picture(_: sqlite3.Connection, runtime: Path, camera: str) -> bytes:
    """Asks the keeper for the picture of the event that has just ended; empty if there is none."""
    try:
        return ask_desk(runtime, PictureForHome(camera=camera)).picture
    except OSError:                     # the keeper is not there, or is just starting
        return b""


class Announcer:
    """Shows the device in Home Assistant, and removes what an earlier process has left there."""

    def __init__(self, home: HomeContext, session: Session, before: RetainedTopics | None) -> None:
        self._home, self._session, self._before = home, session, before
        self._stale: set[str] = set()       # topics of cameras that were removed
        self._due_mono_s, self._stale_mono_s = math.inf, 0.0

    def announce_in(self, seconds: float) -> None:
        self._due_mono_s = self._home.clock.mono_s() + seconds

    def turn(self) -> bool:
        """Does what is due. Returns whether the device was announced."""
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


class HomeCommands:
    """Does what the switches order. It refuses retained commands, because each reconnection would repeat them."""

    def __init__(self, home: HomeContext, store: StoreThread, changed: Callable[[], None]) -> None:
        self._home, self._store, self._changed = home, store, changed
        self._topics, self._outlet, self._rate = home.topics, Outlet(home.runtime), RateLimit(COMMANDS_A_MINUTE)

    def handle(self, message: Arrived) -> None:
        if message.topic == self._topics.update_set:
            self._update(message)
        elif camera := self._topics.paused_camera(message.topic):
            self._pause(message, camera)

    def _pause(self, message: Arrived, camera: str) -> None:
        on, home = SWITCH.get(message.payload), self._home
        if (message.retained or on is None or camera not in home.cameras
                or not self._rate.allows(home.clock.mono_s())):
            _log.info("a pause command was refused: retained, not ON or OFF, for no camera of ours, or one too many")
            return

        def job(_: sqlite3.Connection) -> None:
            try:
                answer = ask_desk(home.runtime, PauseFromHome(camera=camera, paused=on))
            except OSError as error:
                _log.error("the keeper, which pauses cameras, does not answer: %s", error)
                return
            if answer.why:
                _log.error("the keeper does not pause %s for Home Assistant: %s", camera, answer.why)

        self._store.ask(job, lambda _: self._changed())

    def _update(self, message: Arrived) -> None:
        if message.retained or message.payload != INSTALL.encode():
            _log.info("a press of the update button was refused: retained, or not %s", INSTALL)
            return
        self._store.ask(approve_update(), self._approved)

    def _approved(self, waited: bool | None) -> None:
        if waited:
            self._outlet.send(Poke(what="updates"), "link")
        self._changed()


class HomeSink:
    """One thread's loop around a session with the household's broker."""

    def __init__(self, home: HomeContext, store: StoreThread, mailbox: Mailbox, before: RetainedTopics | None) -> None:
        """`before` is what an earlier process has left at this broker."""
        self._home, self._store, self._mailbox, self._topics = home, store, mailbox, home.topics
        self._session = HomeSession(home, home.shown.where, f"taimat-{home.own_id}")
        self._announcer = Announcer(home, self._session, before)
        self._publisher = StatePublisher(home, self._session, self._motion_ended)
        self._commands = HomeCommands(home, store, self._look_now)
        self._device = DeviceView()
        self._last_id: int | None = None        # of the newest event that was sent; None before the first look
        self._looking, self._look_mono_s, self._asking = False, 0.0, False
        self._too_large: set[str] = set()       # cameras with a log line that their pictures are too large

    @property
    def fault(self) -> str | None:
        return str(self._session.fault) if self._session.fault else None

    def run(self, stop: threading.Event) -> None:
        """Works until `stop` is set, then says goodbye to the broker."""
        while not stop.is_set():
            for event in self._session.wait(TICK_S, (self._mailbox, self._store)):
                self._hear(event)
            self._store.turn()
            for piece in self._mailbox.empty():
                self._learn(piece)
            if self._session.up:
                self._speak()
        self._session.leave(status(self._home, "offline"), FAREWELL_S)

    def _hear(self, event: SessionEvent) -> None:
        match event:
            case Up():
                self._last_id = None        # events of the meantime are not sent later
                self._look_now()
                self._announcer.announce_in(0.0)
            case Acknowledged(tag, reason) if reason >= 0x80:
                _log.warning("the household's broker refused our message on %s (reason 0x%02x): see its ACL", tag,
                             reason)
            case Arrived(topic, payload) if topic == self._topics.assistant and payload == b"online":
                self._announcer.announce_in(STARTED_S * self._home.draw())
            case Arrived():
                self._commands.handle(event)

    def _learn(self, piece: Message | Report) -> None:
        match piece:
            case Beat():
                self._device.facts |= {facts.camera: facts for facts in piece.cameras}
            case Report():
                self._device.report = piece
                self._device.facts = {facts.camera: facts for facts in piece.cameras}
            case Poke():
                self._look_now()

    def _look_now(self) -> None:
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
        """Takes the events after `after_id`; `view` is None if the card does not answer."""
        self._looking = False
        if view is None or after_id != self._last_id:       # asked for the connection before this one
            return
        for camera in view.motions.over - view.motions.going_on - self._device.open:
            if camera in self._home.cameras:        # it began and ended between two looks
                self._publisher.move(camera, True)
        self._device.pauses, self._device.order, self._device.moved = view.pauses, view.order, view.moved
        self._device.open, self._last_id = view.motions.going_on, view.motions.last_id
        if self._session.up:
            self._publisher.publish(self._device)

    def _motion_ended(self, camera: str) -> None:
        """Asks for the event's picture; while one is asked for, others are not."""
        if self._home.home.snapshots and not self._asking:
            self._asking = self._store.ask(functools.partial(picture, runtime=self._home.runtime, camera=camera),
                                           functools.partial(self._send_picture, camera))

    def _send_picture(self, camera: str, jpeg: bytes | None) -> None:
        self._asking = False
        if jpeg and len(jpeg) > PICTURE_B_MAX:
            if camera not in self._too_large:
                _log.warning("%s: its pictures are too large for the home sink (%d bytes, at most %d): "
                             "set [home] snapshots = false", camera, len(jpeg), PICTURE_B_MAX)
            self._too_large.add(camera)
        elif jpeg and not self._device.is_paused(camera, self._home.clock.now()):
            self._session.post(Outgoing(self._topics.snapshot(camera), jpeg, qos=0, expiry_s=PICTURE_EXPIRY_S,
                                        content_type="image/jpeg"))


class HomeThread(SideThread):
    """Shows the device in the household's Home Assistant, or removes it once the sink is switched off."""

    def __init__(self, home: HomeContext) -> None:
        super().__init__("home")
        self._home, self._mailbox = home, Mailbox()
        self._reported: Report | None = None
        self._sink: HomeSink | None = None

    def hear(self, piece: Message) -> None:
        self._mailbox.put(piece)

    def report(self, report: Report | None) -> None:
        if report is not None and report is not self._reported:
            self._reported = report
            self._mailbox.put(report)

    def state(self) -> tuple[Literal["off", "connected", "unreachable"], str | None]:
        sink = self._sink
        if sink is None:
            return "off", None
        return "unreachable" if sink.fault else "connected", sink.fault

    def _wake(self) -> None:
        self._mailbox.ring()

    def _work(self) -> None:
        store = StoreThread(self._home.folders.root, self._home.runtime)
        try:
            before, now = store.wait_for(home_store.shown, None), None
            if self._home.home.enabled:
                now = self._home.shown
            if before and (now is None or now.where != before.where):
                self._clear(before, MOVED_S if now else PATIENT_S)
            if not self._over.is_set():
                store.wait_for(show_home(now), None)
                if now:
                    self._sink = HomeSink(self._home, store, self._mailbox, before)
                    self._sink.run(self._over)
        finally:
            store.close()

    def _clear(self, before: RetainedTopics, within_s: float) -> None:
        fault = remove(self._home, before, self._over, within_s, f"taimat-{self._home.own_id}")
        if fault is None:
            _log.info("removed from Home Assistant at %s:%d", *before.where)
        elif not self._over.is_set():
            _log.warning("still shown by Home Assistant at %s:%d (%s): delete the device there", *before.where, fault)
