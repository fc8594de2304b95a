"""The ward's end for tests: takes events in, commits them to SQLite, and only then sends its receipt."""
import json
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions


def said(event: dict[str, Any]) -> dict[str, Any]:
    """What the event says; not whether it is sent late, which may be so when it is sent again."""
    return {key: value for key, value in event["data"].items() if key != "hist"}


class Ingest:
    """An ingest on `cam/v1/{ward}/#` with a session of its own that outlives the broker's and its own absence."""

    def __init__(self, port: int, folder: Path, *, ward: str = "w07", receipts: bool = True,
                 user: tuple[str, str] | None = None, name: str = "ingest", host: str = "localhost") -> None:
        """Connect; `receipts` is whether it acknowledges."""
        self.ward, self.receipts = ward, receipts
        self.copies_n = 0
        self.twice: list[tuple[int, str]] = []      # messages that came again with other contents: seq, and both
        self.came_s: dict[int, float] = {}          # by seq: when it came first, on the machine's boot-time clock
        self.messages: list[tuple[str, bytes, paho.MQTTMessage]] = []       # all but evt, newest last
        self.seen = threading.Condition()
        self._db = sqlite3.connect(folder / f"{name}.db", check_same_thread=False)
        self._db.execute("CREATE TABLE IF NOT EXISTS evt (dev TEXT, seq INTEGER, event TEXT, PRIMARY KEY (dev, seq))")
        self._client = client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=name, protocol=paho.MQTTv5)
        client.reconnect_delay_set(1, 1)
        client.max_queued_messages_set(0)
        if user:
            client.username_pw_set(*user)
        client.on_connect = self._on_connect
        client.on_message = self._on_message
        session = Properties(PacketTypes.CONNECT)
        session.SessionExpiryInterval = 3600
        client.connect(host, port, 5, clean_start=False, properties=session)
        client.loop_start()

    def _on_connect(self, client: paho.Client, *_: object) -> None:
        client.subscribe(f"cam/v1/{self.ward}/#", options=SubscribeOptions(qos=1, retainAsPublished=True))

    def _on_message(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        with self.seen:
            if message.topic.endswith("/evt"):
                self._commit(message.topic.split("/")[3], message.payload)
            else:
                self.messages.append((message.topic, message.payload, message))
            self.seen.notify_all()

    def _commit(self, dev: str, payload: bytes) -> None:
        event = json.loads(payload)
        self.copies_n += 1
        self.came_s.setdefault(event["seq"], time.clock_gettime(time.CLOCK_BOOTTIME))
        known = self._db.execute("SELECT event FROM evt WHERE dev = ? AND seq = ?", (dev, event["seq"])).fetchone()
        if known and (first := said(json.loads(known[0]))) != said(event):
            self.twice.append((event["seq"], f"{first}, {said(event)}"))
        with self._db:
            self._db.execute("INSERT OR IGNORE INTO evt VALUES (?, ?, ?)", (dev, event["seq"], payload.decode()))
        if self.receipts:
            self.acknowledge(dev, {"v": 1, "upto": 0, "also": [event["seq"]]})

    def acknowledge(self, dev: str, receipt: dict[str, Any]) -> None:
        """Send a receipt."""
        self.publish(f"{dev}/ack", json.dumps(receipt).encode())

    def publish(self, tail: str, payload: bytes, *, retain: bool = False, **properties: object) -> None:
        """Publish to `cam/v1/{ward}/{tail}` with MQTT 5 properties."""
        given = Properties(PacketTypes.PUBLISH)
        for name, value in properties.items():
            setattr(given, name, value)
        self._client.publish(f"cam/v1/{self.ward}/{tail}", payload, 1, retain, given)

    def events(self) -> list[dict[str, Any]]:
        """The events committed so far, in the order of their seq."""
        with self.seen:
            return [json.loads(row[0]) for row in self._db.execute("SELECT event FROM evt ORDER BY dev, seq")]

    def last(self, tail: str) -> dict[str, Any] | None:
        """The newest message on a topic that ends so."""
        with self.seen:
            found = [payload for topic, payload, _ in self.messages if topic.endswith(tail) and payload]
            return json.loads(found[-1]) if found else None

    def all(self, tail: str) -> list[paho.MQTTMessage]:
        """Every message on topics that end so."""
        with self.seen:
            return [message for topic, _, message in self.messages if topic.endswith(tail)]

    def close(self) -> None:
        """Go away in order; the session stays at the broker."""
        self._client.disconnect()
        self._client.loop_stop()
        self._db.close()

    def __enter__(self) -> "Ingest":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
