"""The pause switch in Home Assistant: the same pause as the page's and the command line's, by the word "home"."""
import logging
import sqlite3
from collections.abc import Callable

from agent.core.contract.facts import CameraFacts
from agent.core.household.pause import Pauses
from agent.home.context import HomeContext
from agent.host.clock import Instant
from agent.link.store_thread import StoreThread
from agent.mqtt.connection import Arrived
from agent.store import pause
from agent.store.database import StoreError

COMMANDS_A_MINUTE = 30
WORDS = {b"ON": True, b"OFF": False}

_log = logging.getLogger(__name__)


class Pausing:
    """Carries the household's word to the store, by the store's thread."""

    def __init__(self, home: HomeContext, store: StoreThread, changed: Callable[[], None]) -> None:
        """`changed` is called when the word is on the card."""
        self._home, self._store, self._changed = home, store, changed
        self._minute_mono_s, self._minute_n = float("-inf"), 0

    def take(self, message: Arrived, camera: str) -> None:
        """Obey a command about `camera`. A retained one is refused: it would be obeyed at each reconnect."""
        on = WORDS.get(message.payload)
        if message.retained or on is None or camera not in self._home.cameras or self._too_many():
            _log.info("a pause command was refused: retained, not ON or OFF, for no camera of ours, or one too many")
            return
        now = self._home.clock.now()

        def job(_: sqlite3.Connection) -> None:
            try:
                if on:
                    pause.put(self._home.folders, [camera], None, "home", now)
                else:
                    pause.lift(self._home.folders, [camera])
            except StoreError as error:
                _log.error("%s", error)

        self._store.ask(job, lambda _: self._changed())

    def _too_many(self) -> bool:
        now_mono_s = self._home.clock.mono_s()
        if now_mono_s - self._minute_mono_s >= 60:
            self._minute_mono_s, self._minute_n = now_mono_s, 0
        self._minute_n += 1
        return self._minute_n > COMMANDS_A_MINUTE


def is_paused(pauses: Pauses, facts: CameraFacts | None, camera: str, now: Instant) -> bool:
    """By what was said, which counts at once, or by the camera's weekly hours, which only capture can tell."""
    by_hours = facts is not None and facts.state == "paused" and facts.paused_by == "schedule"
    return by_hours or pauses.of(camera, now) is not None
