"""The contract as docs/reference publishes it, as a judge of real messages; and an ear that keeps them."""
import json
import re
import threading
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import paho.mqtt.client as paho
import yaml
from paho.mqtt.subscribeoptions import SubscribeOptions
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7

from tests.rigs.wait import HANG_S

REFERENCE = Path(__file__).parents[3] / "docs" / "reference"
BASE = "reference:/"
FROM_WARD = re.compile(r"cam/v1/[^/]+/[^/]+/(ack|cmd/.+|state)")


@cache
def read(name: str) -> dict[str, Any]:
    """A file of the contract, asyncapi.yaml or schemas/{name}.json."""
    text = (REFERENCE / name).read_text(encoding="utf-8")
    return json.loads(text) if name.endswith(".json") else yaml.safe_load(text)


def _retrieve(uri: str) -> Resource[Any]:
    return Resource(read(uri.removeprefix(BASE)), DRAFT7)


@cache
def judge(message: str) -> jsonschema.Draft7Validator:
    """What the document says about the payload of a message, with all that it refers to."""
    place = f"{BASE}asyncapi.yaml#/components/messages/{message}/payload/schema"
    return jsonschema.Draft7Validator({"$ref": place}, registry=Registry(retrieve=_retrieve))


def faults(message: str, payload: object) -> list[str]:
    """What is wrong with a payload, as sentences."""
    return [f"{message}: {error.json_path}: {error.message}" for error in judge(message).iter_errors(payload)]


def breaches(heard: Iterable[paho.MQTTMessage]) -> list[str]:
    """All in which the devices' messages differ from the contract: payload, QoS, retain flag, expiry, content type."""
    return [line for message in heard if message.payload for line in _breaches(message)]


def _breaches(message: paho.MQTTMessage) -> list[str]:
    for name, channel in read("asyncapi.yaml")["channels"].items():
        operation = read("asyncapi.yaml")["operations"].get(f"send-{name}")
        if operation and re.fullmatch(re.sub(r"{\w+}", "[^/]+", channel["address"]), message.topic):
            payload = json.loads(message.payload)
            return [*faults(name, payload), *_manners(name, operation["bindings"]["mqtt"], message, payload)]
    return [] if FROM_WARD.fullmatch(message.topic) else [f"{message.topic}: no channel"]


def _manners(name: str, binding: dict[str, Any], message: paho.MQTTMessage, payload: dict[str, Any]) -> list[str]:
    """How it came, against how it should have."""
    content_type = read("asyncapi.yaml")["components"]["messages"][name]["contentType"]
    left_s = getattr(message.properties, "MessageExpiryInterval", None)
    seen = {"qos": message.qos, "retain": message.retain, "expires": left_s is not None,
            "content type": getattr(message.properties, "ContentType", None)}
    expiry_s = 3 * payload["int_s"] if name == "health" else binding.get("messageExpiryInterval")
    expires = expiry_s is not None and payload.get("online", True)
    due = {"qos": binding["qos"], "retain": binding["retain"], "expires": expires, "content type": content_type}
    late = left_s is not None and expires and not expiry_s - 60 <= left_s <= expiry_s
    return [f"{name}: {key} {seen[key]}, not {due[key]}" for key in due if seen[key] != due[key]] + (
        [f"{name}: expires after {left_s} s, not {expiry_s}"] if late else [])


class Ear:
    """A subscriber that keeps every message of every ward as it came. A context manager."""

    def __init__(self, port: int) -> None:
        """Connect to the broker on that port of this machine; from the return on nothing is missed."""
        self.heard: list[paho.MQTTMessage] = []
        listens = threading.Event()
        self._client = client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="ear", protocol=paho.MQTTv5)
        client.on_message = lambda _client, _data, message: self.heard.append(message)
        client.on_subscribe = lambda *_: listens.set()
        as_sent = SubscribeOptions(qos=1, retainAsPublished=True)
        client.on_connect = lambda *_: client.subscribe("cam/v1/#", options=as_sent)
        client.connect("localhost", port, 60)
        client.loop_start()
        assert listens.wait(HANG_S), "the broker does not answer"

    def payloads(self, tail: str) -> list[dict[str, Any]]:
        """What came on topics that end so, oldest first."""
        return [json.loads(each.payload) for each in list(self.heard) if each.topic.endswith(tail) and each.payload]

    def kinds(self) -> set[str]:
        """The kinds of the events heard so far."""
        return {event["data"]["kind"] for event in self.payloads("/evt")}

    def __enter__(self) -> "Ear":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()
