"""Orders of the ward to its devices: how a command is written, signed, sent, and where its answers come."""
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from agent.config.load import ConfigError
from agent.core.contract import ulid, wire
from agent.core.contract.wire.citytopics import WardTopics
from agent.core.contract.wire.commands import plain
from agent.core.contract.wire.ward_side import Code
from agent.host.clock import Clock, SystemClock
from agent.mqtt.connection import Outgoing
from agent.ward.command_signer import CommandKey
from agent.ward.exits import EXIT_UNDONE
from agent.ward.opslink import NAME, OpsLink, OrdersBy
from agent.ward.settings import ID, Settings

GOING_ON = ("accepted", "waiting_consent", "running")
VALID_MS = 24 * 3_600_000           # a device that is away gets its order within this, or never


class OrderAnswer(msgspec.Struct, frozen=True):
    """The fields of an answer that matter here; devices are not trusted."""

    id: str
    st: Code
    code: Code | None = None
    data: msgspec.Raw = msgspec.Raw(b"{}")


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

    def __init__(self, own: Settings, clock: Clock, name: OrdersBy = NAME) -> None:
        """Load the command key that the settings name; `name` visits the broker. Raises SigningKeyFault."""
        self._own, self._clock, self._name, self._topics = own, clock, name, WardTopics(own.ward.ward)
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
        return OpsLink(self._own, [order.answers for order in orders], self._clock, self._name)

    @staticmethod
    def send(ops: OpsLink, order: SignedOrder) -> bool:
        """Send it; returns whether the broker has somebody who gets it now. Raises OpsFault."""
        return ops.send(Outgoing(order.topic, order.command.encode(), expiry_s=VALID_MS // 1000))


def order_all(own: Settings, devices: Sequence[str], name: str, args: Mapping[str, Any], clock: Clock, *,
              patience_s: float) -> Iterator[tuple[str, OrderAnswer]]:
    """Give all these devices the same order; yields each answer, with its device, as it comes.

    Ends when all devices have given their last answer, or after `patience_s`. Raises OpsFault and SigningKeyFault.
    """
    writer = OrderWriter(own, clock)
    left = {order.answers: order for dev in devices for order in [writer.write(dev, name, args)]}
    with writer.link(list(left.values())) as ops:
        for order in left.values():
            writer.send(ops, order)
        for arrived in ops.answers(patience_s):
            order, heard = left.get(arrived.topic), _read(arrived.payload)
            if order is None or heard is None or heard.id != order.id:
                continue
            yield order.dev, heard
            if heard.st not in GOING_ON:
                del left[arrived.topic]
            if not left:
                return


def give(own: Settings, devices: Sequence[str], name: str, args: Mapping[str, Any], patience_s: float,
         as_json: bool) -> int:
    """Give all these devices the same order and print their answers; returns the exit code.

    Raises ConfigError, OpsFault and SigningKeyFault.
    """
    if wrong := [dev for dev in devices if not ID.fullmatch(dev)]:
        raise ConfigError(f"{wrong[0]!r}: a device's id is made of a-z, 0-9 and '-', as in c-7f3a9c21b04d")
    last = dict.fromkeys(devices, "silent")
    for dev, heard in order_all(own, devices, name, args, SystemClock(), patience_s=patience_s):
        last[dev] = heard.st
        if as_json:
            print(msgspec.json.encode({"dev": dev, "st": heard.st, "code": heard.code}).decode(), flush=True)
        else:
            print("\t".join((dev, heard.st, heard.code or "")), flush=True)
    for dev in [dev for dev, state in last.items() if state == "silent" and not as_json]:
        print(f"{dev}\tsilent\tit gets the order when it is back, for a day", flush=True)
    return 0 if set(last.values()) == {"done"} else EXIT_UNDONE


def _read(payload: bytes) -> OrderAnswer | None:
    try:
        return msgspec.json.decode(payload, type=OrderAnswer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
