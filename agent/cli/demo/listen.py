"""Hears what the agent tells: at the broker as a ward would, or, where no broker can be had, in the store."""
import queue
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import paho.mqtt.client as paho

from agent.mqtt.connection import Client
from agent.store import clips, events
from agent.store.clips import Clip
from agent.store.database import FILE, connect
from agent.store.events import StoredEvent

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
        self._client = Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
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


class EndsFirst:
    """Puts messages in an order that people can follow: an event ends before the one that goes on from it begins.

    The recorder tells both at once, and they overtake each other. One whose end does not come is not held for ever.
    """

    def __init__(self, patience_s: float = 2.0) -> None:
        self._ended: set[object] = set()
        self._held: list[tuple[float, ReceivedMessage]] = []
        self._patience_s = patience_s

    def next(self, told: ReceivedMessage | None) -> Iterator[ReceivedMessage]:
        """What is to be shown now that `told` has come, or nothing."""
        now_s = time.monotonic()
        if told is not None and told.data.get("phase") == "start" and self._waits(told):
            self._held.append((now_s, told))
        elif told is not None:
            if told.data.get("phase") == "end":
                self._ended.add(told.data.get("event"))
            yield told
        while self._held and (not self._waits(self._held[0][1]) or now_s - self._held[0][0] >= self._patience_s):
            yield self._held.pop(0)[1]

    def rest(self) -> list[ReceivedMessage]:
        held, self._held = self._held, []
        return [told for _, told in held]

    def _waits(self, told: ReceivedMessage) -> bool:
        before = told.data.get("continues")
        return before is not None and before not in self._ended


class StoreReader:
    """The same of events and clips, from their rows: without a ward nothing is told to anybody."""

    def __init__(self, store: Path) -> None:
        self._store = store
        self._db: sqlite3.Connection | None = None
        self._event_id = self._clip_seq = self.dropped_n = 0    # the store keeps what is not read yet
        self._going_on: set[int] = set()
        self._nameless: set[int] = set()
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
        for event in reversed(events.latest(self._db, None, READ_N)):
            self._read += self._phases(event)
        for clip in reversed(clips.finished(self._db, limit=READ_N)):
            if clip.seq > self._clip_seq:
                self._clip_seq = clip.seq
                self._read.append(_told("clip", clip, {"id": clip.name, "dur_ms": clip.dur_ms, "bytes": clip.bytes}))

    def _phases(self, event: StoredEvent) -> Iterator[ReceivedMessage]:
        if event.id > self._event_id:
            self._event_id = event.id
            self._going_on.add(event.id)
            yield _told(event.kind, event, {"event": event.id, "code": event.code, "phase": "start"})
        if event.id in self._going_on and event.state != "open":
            self._going_on.remove(event.id)
            self._nameless.add(event.id)
            yield _told(event.kind, event, {"event": event.id, "code": event.code, "phase": "end",
                                            "dur_ms": event.dur_ms, "tracks_n": event.tracks_n})
        if event.id in self._nameless and event.label:
            self._nameless.remove(event.id)
            yield _told("label", event, {"event": event.id, "label": event.label, "score": event.label_score})

    def close(self) -> None:
        if self._db is not None:
            self._db.close()


def _told(kind: str, row: StoredEvent | Clip, data: dict[str, Any]) -> ReceivedMessage:
    return ReceivedMessage(kind, row.wall_ms / 1000, row.camera, data)
