"""The messages of the demo's recorder: received from the broker or read from the store, each shown as one line."""
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import paho.mqtt.client as paho
from rich.text import Text

from agent.cli.terminal import length, size
from agent.look.device_words import condition_texts
from agent.mqtt.connection import Client
from agent.store import clips, events
from agent.store.clips import Clip
from agent.store.database import FILE, connect
from agent.store.events import StoredEvent

WAITING_MAX, READ_N = 1000, 100
MERGE_GAP_S = 2             # of the demo's camera
WORDS = {"person": "a person", "vehicle": "a vehicle", "animal": "an animal", "other": "a thing"}
COLOURS = {"motion": "bold yellow", "label": "bold yellow", "clip": "bold green", "health": "bold blue",
           "status": "bold cyan", "camera": "bold magenta"}
SEEN = ("ok", "paused", "ended")        # states of a camera that gives pictures, or need not
FileOf = Callable[[str], Path]          # finds a clip's file by its name

_decoder = msgspec.json.Decoder(dict[str, Any])


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    kind: str               # an event's kind, "health" or "status"
    wall_s: float | None    # when it happened, None if unknown
    camera: str
    data: dict[str, Any]


class Subscriber:
    """Receives everything below `cam/v1/<ward>/`, as a ward's program would."""

    def __init__(self, host: str, port: int, ward: str) -> None:
        """Connects. Raises OSError."""
        self._queue: queue.Queue[ReceivedMessage] = queue.Queue(WAITING_MAX)
        self.dropped_n = 0              # messages that did not fit into the queue
        self._client = Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self._client.on_connect = lambda client, *_: client.subscribe(f"cam/v1/{ward}/#", qos=1)
        self._client.on_message = lambda _client, _data, message: self._receive(message.topic, message.payload)
        self._client.connect(host, port)
        self._client.loop_start()

    def _receive(self, topic: str, payload: bytes) -> None:
        try:
            message = read(topic.rsplit("/", 1)[-1], _decoder.decode(payload))
        except (msgspec.DecodeError, KeyError, ValueError):
            return          # another version's, or a stranger's
        if message is not None:
            try:
                self._queue.put_nowait(message)
            except queue.Full:
                self.dropped_n += 1

    def next(self, timeout_s: float) -> ReceivedMessage | None:
        try:
            return self._queue.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def read(topic_end: str, message: dict[str, Any]) -> ReceivedMessage | None:
    """Decodes a message on `evt`, `health` or `status`; None for other topics. Raises KeyError and ValueError."""
    if topic_end == "evt":
        time = message.get("time")
        source = str(message["source"]).split("/")
        wall_s = datetime.fromisoformat(time).timestamp() if time else None
        camera = source[4] if len(source) > 4 else ""
        return ReceivedMessage(str(message["type"]).split(".")[1], wall_s, camera, message["data"])
    if topic_end in ("health", "status"):
        return ReceivedMessage(topic_end, message["ts"] / 1000 if message.get("ts") else None, "", message)
    return None


class Joined:
    """Joins the parts of an event that is longer than a clip: one beginning, one end, each label once.

    The recorder sends a part's end and the next part's beginning at once, in any order, so an end waits `patience_s`.
    """

    def __init__(self, patience_s: float = 2.0) -> None:
        self._first: dict[int, int] = {}        # the first part of each later part
        self._continued: set[int] = set()       # parts that another one continues
        self._dur_ms: dict[int, int] = {}       # of the parts that are over, by the first one
        self._labels: set[tuple[int, str]] = set()          # what was shown of each event
        self._held: list[tuple[float, ReceivedMessage]] = []
        self._patience_s = patience_s

    def next(self, message: ReceivedMessage | None) -> Iterator[ReceivedMessage]:
        """Yields the messages to show now that `message` has come (None: nothing has come)."""
        now_s = time.monotonic()
        if message is not None and message.kind == "motion" and message.data.get("phase") == "end":
            self._held.append((now_s, message))
        elif message is not None and self._is_news(message):
            yield message
        while self._held and now_s - self._held[0][0] >= self._patience_s:
            yield from self._end(self._held.pop(0)[1])

    def rest(self) -> Iterator[ReceivedMessage]:
        while self._held:
            yield from self._end(self._held.pop(0)[1])

    def _is_news(self, message: ReceivedMessage) -> bool:
        before = message.data.get("continues")
        if message.kind == "motion" and before is not None:
            self._first[message.data["event"]] = self._first.get(before, before)
            self._continued.add(before)
            return False
        if message.kind != "label":
            return True
        event = message.data["event"]
        told = (self._first.get(event, event), message.data["label"])
        is_news = told not in self._labels
        self._labels.add(told)
        return is_news

    def _end(self, message: ReceivedMessage) -> Iterator[ReceivedMessage]:
        event = message.data["event"]
        first = self._first.get(event, event)
        self._dur_ms[first] = self._dur_ms.get(first, 0) + (message.data.get("dur_ms") or 0)
        if event in self._continued:
            return
        whole = {"event": first, "dur_ms": self._dur_ms[first], "tracks_n": None}
        yield message if first == event else replace(message, data=message.data | whole)


class StoreReader:
    """Makes messages of the store's events and clips, because without a broker the recorder sends none."""

    def __init__(self, store: Path) -> None:
        self._store = store
        self._db: sqlite3.Connection | None = None
        self._event_id = self._clip_seq = self.dropped_n = 0
        self._going_on: set[int] = set()
        self._ended: StoredEvent | None = None
        self._nameless: set[int] = set()
        self._read: list[ReceivedMessage] = []
        self._pause = threading.Event()

    def next(self, timeout_s: float) -> ReceivedMessage | None:
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
                self._read.append(_message("clip", clip, {"id": clip.name, "dur_ms": clip.dur_ms, "bytes": clip.bytes}))

    def _phases(self, event: StoredEvent) -> Iterator[ReceivedMessage]:
        if event.id > self._event_id:
            self._event_id = event.id
            self._going_on.add(event.id)
            yield _message(event.kind, event, {"event": event.id, "code": event.code, "phase": "start",
                                               "continues": self._before(event)})
        if event.id in self._going_on and event.state != "open":
            self._going_on.remove(event.id)
            self._nameless.add(event.id)
            self._ended = event if event.kind == "motion" else self._ended
            yield _message(event.kind, event, {"event": event.id, "code": event.code, "phase": "end",
                                            "dur_ms": event.dur_ms, "tracks_n": event.tracks_n})
        if event.id in self._nameless and event.label_score is not None:
            self._nameless.remove(event.id)
            yield _message("label", event, {"event": event.id, "label": event.label, "score": event.label_score})

    def _before(self, event: StoredEvent) -> int | None:
        """The event that this one continues: motion that returned so soon would belong to the same event."""
        ended = self._ended
        is_next = ended is not None and event.wall_ms - ended.wall_ms - (ended.dur_ms or 0) < MERGE_GAP_S * 1000
        return ended.id if ended is not None and is_next and event.kind == "motion" else None

    def close(self) -> None:
        if self._db is not None:
            self._db.close()


def _message(kind: str, row: StoredEvent | Clip, data: dict[str, Any]) -> ReceivedMessage:
    return ReceivedMessage(kind, row.wall_ms / 1000, row.camera, data)


def line(message: ReceivedMessage, file_of: FileOf) -> Text:
    clock = time.strftime("%H:%M:%S", time.localtime(message.wall_s)) if message.wall_s else "--:--:--"
    text = Text(clock, style="dim")
    text.append(f"  {message.kind:<8}", style=COLOURS.get(message.kind, "bold"))
    tell = TELLERS.get(message.kind, _other)
    return text.append(tell(message, file_of), style="not dim")


def _motion(message: ReceivedMessage, _file_of: FileOf) -> str:
    data = message.data
    where = f"{message.camera}: event {data.get('event')}"
    if data.get("phase") == "start":
        begins = f"goes on from {data['continues']}" if data.get("continues") else "begins"
        return f"{where} {begins}" + (f", score {data['score']:.3f}" if data.get("score") is not None else "")
    tracks_n = data.get("tracks_n")
    things = f", {tracks_n} thing{'s' if tracks_n != 1 else ''} moved" if tracks_n is not None else ""
    return f"{where} ends after {length(data.get('dur_ms'))}{things}"


def _label(message: ReceivedMessage, _file_of: FileOf) -> str:
    label, score = message.data["label"], message.data["score"]
    known = "nothing that it knows" if label == "nothing" else f"{WORDS[label]}, score {score:.2f}"
    return f"{message.camera}: event {message.data['event']} was {known}"


def _clip(message: ReceivedMessage, file_of: FileOf) -> str:
    data = message.data
    return f"{message.camera}: {length(data.get('dur_ms'))}, {size(data.get('bytes'))}  {file_of(str(data['id']))}"


def _health(message: ReceivedMessage, _file_of: FileOf) -> str:
    data = message.data
    parts = [conditions(data)]
    if data.get("soc_temp_c") is not None:
        parts.append(f"{data['soc_temp_c']:.0f} °C")
    if data.get("disk_free_b") is not None:
        parts.append(f"{size(data['disk_free_b'])} free")
    for camera in data.get("cams", []):
        rate = f" {camera['fps']:.1f} pictures/s" if camera.get("fps") is not None else ""
        amount = f" {camera['kbps'] / 1000:.1f} Mbit/s" if camera.get("kbps") is not None else ""
        parts.append(f"{camera.get('c')} {camera.get('st')}{rate}{amount}")
    return " · ".join(parts)


def conditions(health: dict[str, Any]) -> str:
    codes = [condition["code"] for condition in health.get("cond", [])]
    cameras = health.get("cams", [])
    dark = [str(camera.get("c")) for camera in cameras if camera.get("st") not in SEEN]
    good = f"no picture yet of {', '.join(dark)}" if dark else "all well" if cameras else "no picture yet"
    return ", ".join(map(_condition, codes)) or good


def _condition(code: str) -> str:
    texts = condition_texts("en")
    return texts[code].title if code in texts else code


def shows_picture(message: ReceivedMessage) -> bool:
    cameras = message.data.get("cams", [])
    return message.kind in ("motion", "clip") or any(camera.get("st") == "ok" for camera in cameras)


def _camera(message: ReceivedMessage, _file_of: FileOf) -> str:
    over, detail = " (over)" if message.data.get("phase") == "end" else "", message.data.get("detail")
    return f"{message.camera}: {_condition(str(message.data.get('code')))}{over}" + (f": {detail}" if detail else "")


def _status(message: ReceivedMessage, _file_of: FileOf) -> str:
    if message.data.get("online"):
        return "the recorder is online at the broker"
    return f"the recorder is offline ({message.data.get('why') or 'it does not say why'})"


def _other(message: ReceivedMessage, _file_of: FileOf) -> str:
    words = (message.camera, *map(message.data.get, ("code", "phase", "detail")))
    return " ".join(str(word) for word in words if word)


TELLERS = {"motion": _motion, "label": _label, "clip": _clip, "health": _health, "status": _status, "camera": _camera}
