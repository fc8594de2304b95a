"""Orders of the ward to its devices: how a command is written, signed, sent, and where its answers come."""
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from agent.core.contract import ulid, wire
from agent.core.contract.wire.citytopics import WardTopics
from agent.core.contract.wire.commands import plain
from agent.host.clock import Clock
from agent.mqtt.connection import Outgoing
from agent.ward.command_signer import CommandKey
from agent.ward.opslink import NAME, OpsLink
from agent.ward.settings import Settings

VALID_MS = 24 * 3_600_000           # a device that is away gets its order within this, or never


@dataclass(frozen=True, slots=True)
class SignedOrder:
    """A command to one device, ready to be sent."""

    id: str
    dev: str
    made_ms: int
    topic: str
    answers: str                    # the topic of its answers
    command: str                    # as it was signed: JSON


class OrderWriter:
    """Writes, signs and sends the orders of one ward."""

    def __init__(self, own: Settings, clock: Clock) -> None:
        """Load the command key that the settings name. Raises SigningKeyFault."""
        self._own, self._clock, self._topics = own, clock, WardTopics(own.ward.ward)
        self._key = CommandKey.load(own.ops.command_key)

    def write(self, dev: str, name: str, args: Mapping[str, Any]) -> SignedOrder:
        """The command `name` to a device, signed, under an id of its own."""
        now_ms = self._clock.now().wall_ms
        order_id = ulid.make(now_ms, os.urandom(ulid.CHANCE_B))
        command = wire.Command(id=order_id, iat=now_ms, exp=now_ms + VALID_MS, dev=dev, name=name, by=NAME,
                               args=dict(args))
        return SignedOrder(order_id, dev, now_ms, self._topics.command(dev, name), self._topics.answer(dev, order_id),
                           msgspec.json.encode(self._key.sign(plain(command))).decode())

    def link(self, orders: Sequence[SignedOrder]) -> OpsLink:
        """A visit to the broker that hears the answers to these orders. Raises OpsFault."""
        return OpsLink(self._own, [order.answers for order in orders], self._clock)

    @staticmethod
    def send(ops: OpsLink, order: SignedOrder) -> bool:
        """Send it; returns whether the broker has somebody who gets it now. Raises OpsFault."""
        return ops.send(Outgoing(order.topic, order.command.encode(), expiry_s=VALID_MS // 1000))
