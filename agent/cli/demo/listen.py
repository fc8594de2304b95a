"""Hears what the agent tells: at the broker as a ward would, or, where no broker can be had, out of the store."""
import queue
import sqlite3
import threading
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import paho.mqtt.client as paho

from agent.store import outbox
from agent.store.database import FILE, connect

WAITING_MAX = 1000
READ_N = 100

_decoder = msgspec.json.Decoder(dict[str, Any])


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """One message: `kind` is an event's kind, "health" or "status"; `wall_s` is when it happened, None if unknown."""

    kind: str
    wall_s: float | None
    camera: str
    data: dict[str, Any]


class Subscriber:
    """A ward's program, in short: subscribes to everything below `cam/v1/<ward>/`."""

    def __init__(self, host: str, port: int, ward: str) -> None:
        """Connect. Raises OSError."""
        self._queue: queue.Queue[ReceivedMessage] = queue.Queue(WAITING_MAX)
        self.dropped_n = 0              # messages that found no place
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self._client.on_connect = lambda client, *_: client.subscribe(f"cam/v1/{ward}/#", qos=1)
        self._client.on_message = lambda _client, _data, message: self._receive(message.topic, message.payload)
        self._client.connect(host, port)
        self._client.loop_start()

    def _receive(self, topic: str, payload: bytes) -> None:
        try:
            told = read(topic.rsplit("/", 1)[-1], _decoder.decode(payload))
        except (msgspec.DecodeError, KeyError, ValueError):
            return          # not from an agent of this version; a stranger may publish here, too
        if told is not None:
            try:
                self._queue.put_nowait(told)
            except queue.Full:
                self.dropped_n += 1

    def next(self, timeout_s: float) -> ReceivedMessage | None:
        """The next message, or None when none came in time."""
        try:
            return self._queue.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()


def read(topic_end: str, message: dict[str, Any]) -> ReceivedMessage | None:
    """A message on `evt`, `health` or `status`; None for the others. Raises KeyError or ValueError for nonsense."""
    if topic_end == "evt":
        time = message.get("time")
        source = str(message["source"]).split("/")
        wall_s = datetime.fromisoformat(time).timestamp() if time else None
        camera = source[4] if len(source) > 4 else ""
        return ReceivedMessage(str(message["type"]).split(".")[1], wall_s, camera, message["data"])
    if topic_end in ("health", "status"):
        return ReceivedMessage(topic_end, message["ts"] / 1000 if message.get("ts") else None, "", message)
    return None


class OutboxReader:
    """The same events from the outbox, where they wait as long as no ward takes them."""

    def __init__(self, store: Path) -> None:
        self._store = store
        self._db: sqlite3.Connection | None = None
        self._seq = self.dropped_n = 0  # the outbox keeps what is not read yet
        self._read: list[ReceivedMessage] = []
        self._pause = threading.Event()

    def next(self, timeout_s: float) -> ReceivedMessage | None:
        """The next message, or None when there is none yet."""
        if not self._read:
            self._look()
        if self._read:
            return self._read.pop(0)
        self._pause.wait(timeout_s)
        return None

    def _look(self) -> None:
        if self._db is None:
            if not (self._store / FILE).exists():
                return
            self._db = connect(self._store)
        for row in outbox.after(self._db, self._seq, READ_N):
            self._seq = row["seq"]
            data = _decoder.decode(row["data"])
            self._read.append(ReceivedMessage(row["kind"], row["wall_ms"] / 1000, row["camera"] or "", data))

    def close(self) -> None:
        """Close the database."""
        if self._db is not None:
            self._db.close()
