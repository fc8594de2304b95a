"""Lets a role wait for a full card or a held database, because systemd would only start it again."""
import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from agent.host.stop import Stop
from agent.process.heartbeat import EVERY_S, Heartbeat
from agent.store.card_fault import NO_ROOM, fault_of
from agent.store.database import StoreError, is_held

Result = TypeVar("Result")

_log = logging.getLogger(__name__)


def once_there_is_room(heart: Heartbeat, stop: Stop, store: Path, attempt: Callable[[], Result],
                       give: Callable[[], bool] = lambda: False) -> Result:
    """Returns what `attempt` returns.

    While the card of `store` is full, or another process holds the database, it tries again, at once if `give` made
    room.

    Raises its other errors, and SystemExit if the role must end meanwhile.
    """
    fault = None
    while True:
        try:
            return attempt()
        except (OSError, sqlite3.Error, StoreError) as error:
            before, fault = fault, fault_of(error, store)
            # SQLite does not give the reason, and another role may have made room by now.
            held = isinstance(error.__cause__, sqlite3.OperationalError) and is_held(error.__cause__)
            if fault not in NO_ROOM and not held and (fault != "card_io" or before == fault):
                raise
            if fault != before or held:
                _log.error("%s: %s; tried again", "held" if held else fault, error)
        if fault not in NO_ROOM or not give():
            heart.beat()
            if stop.wait(EVERY_S):
                raise SystemExit(0)
