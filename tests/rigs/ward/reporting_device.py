"""A device for tests that says whatever the test wants, and hears what the ward says to it."""
import json
import ssl
import threading
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from tests.rigs.wait import HANG_S

BOOT = "9f2c1a7e"


class Teller:
    """One device of ward w07, without an outbox."""

    def __init__(self, port: int, dev: str = "c-000000000001", trust: ssl.SSLContext | None = None) -> None:
        """Connect, by TLS with `trust`, and subscribe; `heard` is what came, newest last."""
        self.dev, self.heard = dev, list[tuple[str, bytes]]()
        self._subscribed = threading.Event()
        self._client = client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=dev, protocol=paho.MQTTv5)
        client.on_message = lambda _client, _data, message: self.heard.append((message.topic, message.payload))
        client.on_subscribe = lambda *_: self._subscribed.set()
        if trust:
            client.tls_set_context(trust)
        client.connect("localhost" if trust else "127.0.0.1", port)
        topics = [f"cam/v1/w07/{dev}/ack", f"cam/v1/w07/{dev}/cmd/#", "cam/v1/w07/_ward/state"]
        client.subscribe([(topic, SubscribeOptions(qos=1)) for topic in topics])
        client.loop_start()
        assert self._subscribed.wait(HANG_S)

    def say(self, what: str, payload: bytes | dict[str, Any], *, expiry_s: int | None = None,
            retain: bool = False) -> None:
        """Publish `payload` on one of the device's topics; returns when the broker has it."""
        properties = Properties(PacketTypes.PUBLISH)
        if expiry_s is not None:
            properties.MessageExpiryInterval = expiry_s
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self._client.publish(f"cam/v1/w07/{self.dev}/{what}", data, 1, retain, properties).wait_for_publish(HANG_S)

    def shout(self, what: str, payload: dict[str, Any], qos: int) -> None:
        """Publish, and wait for nobody."""
        self._client.publish(f"cam/v1/w07/{self.dev}/{what}", json.dumps(payload).encode(), qos)

    def event(self, seq: int, kind: str = "motion", **data: object) -> dict[str, Any]:
        """The payload of an event."""
        return {"specversion": "1.0", "id": f"{self.dev}/{seq}", "source": f"/cam/w07/{self.dev}/gate",
                "type": f"cam.{kind}.v1", "datacontenttype": "application/json", "seq": seq, "boot": BOOT,
                "clock": "unset", "data": {"mono_ms": 5, "kind": kind, "hist": False, **data}}

    def status(self, online: bool = True, conn: int = 1, boot: str = BOOT, **more: object) -> dict[str, Any]:
        """The payload of a status."""
        return {"v": 1, "online": online, "boot": boot, "conn": conn, **more}

    def health(self, seq: int = 1, int_s: int = 30, **more: object) -> dict[str, Any]:
        """The payload of a health report."""
        return {"v": 1, "seq": seq, "boot": BOOT, "clock": "ntp", "mono_ms": 1000 * seq, "int_s": int_s, **more}

    def birth(self, **more: object) -> dict[str, Any]:
        """The payload of a birth."""
        return {"v": 1, "boot": BOOT, "conn": 1, "mono_ms": 5, "clock": "ntp", "agent": "1.2.3", "schemas": {},
                "caps": [], "cams": [], **more}

    def receipts(self) -> dict[str, Any]:
        """All seqs that were acknowledged, and the codes of those that were refused."""
        acks = [json.loads(payload) for topic, payload in list(self.heard) if topic.endswith("/ack")]
        return {"taken": [seq for ack in acks for seq in ack["also"]], "upto": {ack["upto"] for ack in acks},
                "refused": {each["seq"]: each["code"] for ack in acks for each in ack["reject"]}}

    def commands(self) -> list[tuple[str, dict[str, Any]]]:
        """(name, payload) of the commands that came."""
        return [(topic.rsplit("/", 1)[1], json.loads(payload)) for topic, payload in list(self.heard)
                if "/cmd/" in topic]

    def ward_online(self) -> bool | None:
        """What the ward last said of its ingest."""
        said = [json.loads(payload)["online"] for topic, payload in list(self.heard) if topic.endswith("_ward/state")]
        return said[-1] if said else None

    def __enter__(self) -> "Teller":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()
