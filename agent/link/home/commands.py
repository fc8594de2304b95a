"""Home Assistant's pause switch and update button, which do what page and command line do."""
import logging
import sqlite3
from collections.abc import Callable

from agent.core.contract.decisions import PauseFromHome
from agent.core.contract.facts import Poke
from agent.core.home_assistant import INSTALL
from agent.core.rate import RateLimit
from agent.home.broker import HomeContext
from agent.host.datagram import Outlet
from agent.link.context import ask_desk
from agent.link.store_thread import StoreThread
from agent.mqtt.messages import Arrived
from agent.store.link_questions import approve_update

COMMANDS_A_MINUTE = 30
SWITCH = {b"ON": True, b"OFF": False}

_log = logging.getLogger(__name__)


class HomeCommands:
    """Asks on the store's thread. It refuses retained commands, because each reconnection would repeat them."""

    def __init__(self, home: HomeContext, store: StoreThread, changed: Callable[[], None]) -> None:
        """`changed` is called when the keeper has written."""
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
