"""A device for tests of the ward's desk: hears commands at a real broker, and answers what it is told to."""
import json
import threading
from typing import Any

import paho.mqtt.client as paho

from tests.rigs.wait import HANG_S, until
from tests.rigs.ward.typed import typed

DEV = "c-7f3a9c21b04d"
ROOT = f"cam/v1/w07/{DEV}"


class Asked:
    """Of the ward w07."""

    def __init__(self, port: int) -> None:
        self.commands: list[tuple[str, dict[str, Any], bytes]] = []     # name, content, as it came
        self._client = client = paho.Client(paho.CallbackAPIVersion.VERSION2, DEV, protocol=paho.MQTTv5)
        there = threading.Event()
        client.on_subscribe = lambda *_: there.set()
        client.on_message = self._hear
        client.on_connect = lambda *_: client.subscribe(f"{ROOT}/cmd/#", 1)
        client.connect("127.0.0.1", port)
        client.loop_start()
        assert there.wait(HANG_S)

    def _hear(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        self.commands.append((message.topic.rpartition("/")[2], json.loads(message.payload), message.payload))

    def command(self, name: str) -> tuple[dict[str, Any], bytes]:
        """The next command, which has this name."""
        found, told, payload = until(lambda: self.commands and self.commands.pop(0))
        assert found == name
        return told, payload

    def answers(self, command: str, state: str, **more: object) -> None:
        """Say what has become of it."""
        self.publishes(f"rsp/ops/{command}", {"v": 1, "id": command, "st": state, **more})

    def publishes(self, tail: str, told: dict[str, Any], dev: str = DEV) -> None:
        """On a topic of `dev`; returns when the broker has it."""
        self._client.publish(f"cam/v1/w07/{dev}/{tail}", json.dumps(told), 1).wait_for_publish(HANG_S)

    def close(self) -> None:
        """Go away."""
        self._client.disconnect()
        self._client.loop_stop()

    def __enter__(self) -> "Asked":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def request(config: object, *words: object) -> int:
    """`taimat ward request` with these words, in this process; returns the exit code."""
    return typed("request", *words, "--config", config)
