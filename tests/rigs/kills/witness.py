"""What others saw of a device meanwhile: messages at a subscriber, and rows that were committed."""
import contextlib
import json
import sqlite3
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import paho.mqtt.client as mqtt

from tests.rigs.wait import HANG_S

LOOK_EVERY_S = 0.02


@dataclass(slots=True)
class Seen:
    """By sequence number: all that arrived, how often, and all that was seen in the outbox."""

    arrived: dict[int, dict[str, Any]] = field(default_factory=dict)
    arrivals_n: int = 0
    committed: dict[int, str] = field(default_factory=dict)         # seq -> kind
    events: dict[int, str] = field(default_factory=dict)            # id -> state


class Witness:
    """Subscribes at the broker and looks into the database, in threads of its own. A context manager."""

    def __init__(self, port: int, database: Path) -> None:
        self.seen = Seen()
        self._port, self._database, self._over = port, database, threading.Event()
        self._looking = threading.Thread(target=self._look, name="witness", daemon=True)
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "witness", protocol=mqtt.MQTTv5)
        self._client.on_connect = lambda client, *_: client.subscribe("cam/v1/+/+/evt", qos=1)
        self._client.on_message = lambda *heard: self._take(heard[-1].payload)

    def __enter__(self) -> Self:
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        self._looking.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._over.set()
        self._looking.join()
        self._client.disconnect()
        self._client.loop_stop()

    def _take(self, payload: bytes) -> None:
        event = json.loads(payload)
        self.seen.arrivals_n += 1
        self.seen.arrived[event["seq"]] = event["data"]

    def _look(self) -> None:
        while not self._database.exists() and not self._over.wait(LOOK_EVERY_S):
            pass
        with contextlib.closing(sqlite3.connect(self._database, timeout=HANG_S, isolation_level=None)) as db:
            while not self._over.wait(LOOK_EVERY_S):
                with contextlib.suppress(sqlite3.OperationalError):     # before its tables are made
                    self._note(db)

    def _note(self, db: sqlite3.Connection) -> None:
        known = max(self.seen.committed, default=0)
        self.seen.committed |= dict(db.execute("SELECT seq, kind FROM outbox WHERE seq > ?", (known,)))
        self.seen.events |= dict(db.execute("SELECT id, state FROM event ORDER BY id DESC LIMIT 20"))


def drained(database: Path) -> bool:
    """Whether the outbox comes to be empty."""
    deadline_s = time.monotonic() + HANG_S
    with contextlib.closing(sqlite3.connect(database, timeout=HANG_S, isolation_level=None)) as db:
        while db.execute("SELECT COUNT(*) FROM outbox").fetchone()[0]:
            if time.monotonic() > deadline_s:
                return False
            time.sleep(0.1)
    return True
