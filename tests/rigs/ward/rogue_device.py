"""A device of another make, small and by the contract; and the same one with faults of a test's choice."""
import json
import threading
import time
from collections.abc import Collection
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from tests.rigs.wait import HANG_S

WARD, BOOT, EVERY_S = "w07", "0b007001", 5
WEEK_S = 604_800
CLOUD_EVENT = "application/cloudevents+json; charset=utf-8"
SIGNED = ("clip.cancel", "clip.export", "restart", "update")


class Rogue:
    """Its events get no receipts and are not sent again. A context manager.

    What can be wrong with it: `obeys_retained`, `forgets_correlation`, `status_for_ever`, `health_in_seconds`,
    `other_answer`, `null_in_birth`, `id_without_dev`, `believes_anything`, `strange_topic`.
    """

    def __init__(self, port: int, dev: str, faults: Collection[str] = ()) -> None:
        """Connect and come up."""
        self.root, self.dev, self._faults = f"cam/v1/{WARD}/{dev}", dev, faults
        self._seq = self._reports_n = self._answers_n = 0
        self._answers: dict[str, dict[str, Any]] = {}
        self._sent: dict[int, bytes] = {}
        self._stop, self._subscribed = threading.Event(), threading.Event()
        self._client = client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=dev, protocol=paho.MQTTv5)
        client.on_message = lambda _client, _data, message: self._obey(message)
        client.on_subscribe = lambda *_: self._subscribed.set()
        client.connect("127.0.0.1", port)
        client.subscribe(f"{self.root}/cmd/#", options=SubscribeOptions(qos=1, retainAsPublished=True))
        client.loop_start()
        assert self._subscribed.wait(HANG_S), "the broker does not answer"
        self._birth()
        self._say("status", self._dated(online=True, conn=1),
                  1, retain=True, expiry_s=None if "status_for_ever" in faults else 1200)
        self._thread = threading.Thread(target=self._report)
        self._thread.start()

    def _say(self, tail: str, payload: dict[str, Any] | bytes, qos: int, *, retain: bool = False,
             expiry_s: int | None = None, content_type: str = "application/json",
             correlation: bytes | None = None) -> None:
        properties = Properties(PacketTypes.PUBLISH)
        properties.ContentType = content_type
        if expiry_s is not None:
            properties.MessageExpiryInterval = expiry_s
        if correlation is not None and "forgets_correlation" not in self._faults:
            properties.CorrelationData = correlation
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self._client.publish(f"{self.root}/{tail}", data, qos, retain, properties)

    def _dated(self, **more: Any) -> dict[str, Any]:
        return {"v": 1, "boot": BOOT, "clock": "ntp", "ts": time.time_ns() // 1_000_000, **more}

    def _birth(self) -> None:
        unknown = {"site": None} if "null_in_birth" in self._faults else {}
        self._say("birth", self._dated(
            conn=1, mono_ms=time.monotonic_ns() // 1_000_000, agent="other 2.1", caps=[], cams=[],
            schemas=dict.fromkeys(("status", "birth", "health", "evt", "cmd"), 1), **unknown), 1, retain=True)

    def _report(self) -> None:
        while not self._stop.wait(0 if not self._reports_n else EVERY_S):
            self._reports_n += 1
            if "strange_topic" in self._faults:
                self._say("temperature", {"v": 1}, 1)
            unit = 1_000_000_000 if "health_in_seconds" in self._faults else 1_000_000
            self._say("health", self._dated(seq=self._reports_n, int_s=EVERY_S, mono_ms=time.monotonic_ns() // unit), 0,
                      retain=True, expiry_s=3 * EVERY_S)

    def _tell(self, kind: str, **data: Any) -> None:
        self._seq += 1
        whole = f"{self.dev}/{self._seq}"
        event = {"specversion": "1.0", "id": str(self._seq) if "id_without_dev" in self._faults else whole,
                 "source": f"/cam/{WARD}/{self.dev}", "type": f"cam.{kind}.v1",
                 "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "datacontenttype": "application/json",
                 "seq": self._seq, "boot": BOOT, "clock": "ntp",
                 "data": {"mono_ms": time.monotonic_ns() // 1_000_000, "kind": kind, "hist": False, **data}}
        self._sent[self._seq] = json.dumps(event).encode()
        self._say("evt", self._sent[self._seq], 1, content_type=CLOUD_EVENT)

    def _obey(self, message: paho.MQTTMessage) -> None:
        order = json.loads(message.payload)
        name, asked = message.topic.rpartition("/cmd/")[2], getattr(message.properties, "ResponseTopic", None)
        is_new = order["id"] not in self._answers
        if is_new:
            self._answers[order["id"]] = self._judged(name, order, message.retain, asked)
        answer = dict(self._answers[order["id"]])
        if "other_answer" in self._faults:
            self._answers_n += 1
            answer["ts"] += self._answers_n
        self._say(f"rsp/ops/{order['id']}", answer, 1, expiry_s=WEEK_S,
                  correlation=getattr(message.properties, "CorrelationData", None))
        if is_new:
            code = {"code": answer["code"]} if "code" in answer else {}
            self._tell("command", id=order["id"], name=name, st=answer["st"], **code)
            if answer["st"] == "done" and name == "rebirth":
                self._birth()
            if answer["st"] == "done" and name == "replay":
                for seq in range(order["args"]["from"], order["args"]["to"] + 1):
                    self._say("evt", self._sent[seq], 1, content_type=CLOUD_EVENT)

    def _judged(self, name: str, order: dict[str, Any], retained: bool, asked: str | None) -> dict[str, Any]:
        now_ms = time.time_ns() // 1_000_000
        state, code = self._verdict(name, order, retained, asked, now_ms)
        data = self._data(name, order) if state == "done" else {}
        return {"v": 1, "id": order["id"], "st": state, "ts": now_ms, **({"code": code} if code else {}), **data}

    def _verdict(self, name: str, order: dict[str, Any], retained: bool, asked: str | None,
                 now_ms: int) -> tuple[str, str | None]:
        if retained and "obeys_retained" not in self._faults:
            return "refused", "retained"
        if asked and not asked.startswith(f"{self.root}/rsp/"):
            return "refused", "elsewhere"
        if order["exp"] < now_ms:
            return "expired", None
        if order["exp"] > now_ms + 30 * 86_400_000:
            return "refused", "exp_too_far"
        if name in SIGNED and "believes_anything" not in self._faults:
            return "refused", "bad_signature" if order.get("sig") else "unsigned"
        if name == "replay" and not isinstance(order["args"].get("from"), int):
            return "refused", "bad_args"
        return ("done", None) if name in ("time_hint", "rebirth", "diagnostics", "replay", *SIGNED) else (
            "refused", "unsupported")

    def _data(self, name: str, order: dict[str, Any]) -> dict[str, Any]:
        told = {"time_hint": {"boot": BOOT, "mono_ms": time.monotonic_ns() // 1_000_000, "clock": "ntp"},
                "diagnostics": {"versions": {"agent": "other 2.1"}, "link": {}},
                "replay": {"again_n": 1, "missing_n": 0, "upto": order["args"].get("to")}}
        return {"data": told[name]} if name in told else {}

    def __enter__(self) -> "Rogue":
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._client.disconnect()
        self._client.loop_stop()
