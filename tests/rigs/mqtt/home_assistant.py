"""Home Assistant for tests: what it sees at the household's broker, what it sends, and what it takes for a device."""
import json
import re
import threading
import time
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.subscribeoptions import SubscribeOptions

from tests.rigs.wait import HANG_S, until

# By platform: keys that must be there, and those that may; of the 2026.2 documentation, as far as we use them.
EVERY = {"platform", "name", "unique_id", "default_entity_id", "icon", "entity_category", "json_attributes_topic"}
REQUIRED = {"binary_sensor": {"state_topic"}, "sensor": {"state_topic"}, "switch": {"command_topic"},
            "image": {"image_topic"}, "update": {"state_topic"}}
MEASURE = {"device_class", "unit_of_measurement", "state_class", "value_template"}
ALLOWED = {"binary_sensor": {"device_class", "payload_on", "payload_off", "value_template"}, "sensor": MEASURE,
           "switch": {"state_topic", "payload_on", "payload_off"}, "image": {"content_type"},
           "update": {"command_topic", "payload_install", "device_class"}}
CLASSES = {"binary_sensor": {"motion", "running", "problem"}, "sensor": {"temperature", "data_size", "duration"},
           "update": {"firmware"}}
UNITS = {"temperature": {"°C"}, "data_size": {"GB"}, "duration": {"d"}}
ENTITY = re.compile(r"(?!.+__)(?!_)[a-z0-9_]+(?<!_)\.(?!_)[a-z0-9_]+(?<!_)")
CONFIG_TOPIC = re.compile(r"[\w/-]+/device/[a-zA-Z0-9_-]+/config")


def accept(topic: str, config: dict[str, Any]) -> None:
    """Check a device's discovery message as Home Assistant does; fails where it would be refused or go wrong."""
    assert CONFIG_TOPIC.fullmatch(topic)
    assert set(config) <= {"device", "origin", "components", "availability", "qos"}
    assert config["device"]["identifiers"] and config["device"]["name"] and config["origin"]["name"]
    texts = [*config["device"].items(), *config["origin"].items()]
    assert all(isinstance(value, str) for key, value in texts if key != "identifiers")
    assert all(plain(each["topic"]) for each in config["availability"])
    alive = {key: part for key, part in config["components"].items() if set(part) != {"platform"}}
    assert alive and all(part["platform"] in REQUIRED for part in config["components"].values())
    for part in alive.values():
        _accept_part(part)
    for unique in ("unique_id", "default_entity_id"):
        assert len({part[unique] for part in alive.values()}) == len(alive)
    states = [part["state_topic"] for part in alive.values() if part["platform"] != "sensor" and "state_topic" in part]
    commands = {part["command_topic"] for part in alive.values() if "command_topic" in part}
    assert len(set(states)) == len(states) and not commands & set(states)


def _accept_part(part: dict[str, Any]) -> None:
    platform = part["platform"]
    assert all(isinstance(value, str) for value in part.values())
    assert REQUIRED[platform] <= set(part) <= EVERY | REQUIRED[platform] | ALLOWED[platform]
    assert ENTITY.fullmatch(part["default_entity_id"]) and part["default_entity_id"].startswith(f"{platform}.")
    assert all(plain(value) for key, value in part.items() if key.endswith("_topic"))
    if kind := part.get("device_class"):
        assert kind in CLASSES[platform] and part.get("unit_of_measurement") in UNITS.get(kind, {None})
    if "state_class" in part:
        assert part["state_class"] == "measurement" and part["unit_of_measurement"]


def plain(topic: str) -> bool:
    """Whether it can be published on."""
    return bool(topic) and not set(topic) & {"+", "#", "\0"}


@dataclass(frozen=True)
class Heard:
    """A message as it came."""

    topic: str
    payload: bytes
    retain: bool
    mono_s: float


class Assistant:
    """A client that sees everything at the household's broker."""

    def __init__(self, port: int, name: str = "assistant") -> None:
        """Connect."""
        self.heard: list[Heard] = []
        self._ready = threading.Event()
        self._client = client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=name, protocol=paho.MQTTv5)
        client.on_connect = lambda *_: client.subscribe("#", options=SubscribeOptions(qos=1, retainAsPublished=True))
        client.on_subscribe = lambda *_: self._ready.set()
        client.on_message = self._on_message
        client.reconnect_delay_set(1, 1)
        client.connect("127.0.0.1", port, 10)
        client.loop_start()
        assert self._ready.wait(HANG_S)

    def _on_message(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        self.heard.append(Heard(message.topic, bytes(message.payload), message.retain, time.monotonic()))

    def all(self, tail: str) -> list[Heard]:
        """Everything that came on topics that end so."""
        return [each for each in list(self.heard) if each.topic.endswith(tail)]

    def last(self, tail: str) -> str | None:
        """The newest payload on a topic that ends so."""
        found = self.all(tail)
        return found[-1].payload.decode() if found else None

    def config(self) -> dict[str, Any]:
        """The device that it knows by now, having accepted it; empty for none."""
        found = self.all("/config")
        if not found or not found[-1].payload:
            return {}
        assert found[-1].retain
        config = json.loads(found[-1].payload)
        accept(found[-1].topic, config)
        return config

    def say(self, topic: str, payload: str, retain: bool = False) -> None:
        """Publish, and wait until the broker has it."""
        self._client.publish(topic, payload, 1, retain).wait_for_publish(HANG_S)

    def close(self) -> None:
        """Go away."""
        self._client.disconnect()
        self._client.loop_stop()

    def __enter__(self) -> "Assistant":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def retained(port: int) -> dict[str, bytes]:
    """What lies at the broker for whoever comes."""
    with Assistant(port, "later") as later:
        later.say("probe", "x")
        until(lambda: later.all("probe"), "the broker has sent all that it keeps")
        return {each.topic: each.payload for each in later.heard if each.topic != "probe"}
