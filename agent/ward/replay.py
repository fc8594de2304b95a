"""Asks devices again for events that are missing: `cmd/replay {from, to}`."""
import os
from collections.abc import Iterator

import msgspec

from agent.core.contract import ulid, wire
from agent.core.contract.wire.citytopics import CityTopics, WardTopics
from agent.core.contract.wire.commands import plain
from agent.mqtt.connection import Outgoing
from agent.ward.device_cache import Book
from agent.ward.gaps import Hole
from agent.ward.presence import presence
from agent.ward.register import Device

LIVES_S = 300               # a device that is away is asked again when it is back
A_TURN_MAX = 20             # stretches
OF_ONE_MAX = 2              # of one device: it takes 30 commands a minute


def due(book: Book, topics: WardTopics | CityTopics, now_ms: int) -> Iterator[tuple[str, Outgoing]]:
    """The commands that are due; they count as asked when they are handed out. Raises DatabaseFault."""
    wanted: dict[str, list[Hole]] = {}
    left_n = A_TURN_MAX
    for device in book.devices.values():
        holes = device.reach.due(now_ms)[:min(left_n, OF_ONE_MAX)]
        if holes and _answers(device, topics, now_ms):
            wanted[device.dev] = holes
            left_n -= len(holes)
    for dev, missing in book.ask(wanted, now_ms).items() if wanted else ():
        for hole in missing:
            yield dev, _replay(topics.command(dev, "replay"), hole, now_ms)


def _answers(device: Device, topics: WardTopics | CityTopics, now_ms: int) -> bool:
    """Whether somebody is there who answers: in a city it is the ward's forwarder, in a ward the device."""
    return isinstance(topics, CityTopics) or presence(device.standing, now_ms).state != "offline"


def _replay(topic: str, hole: Hole, now_ms: int) -> Outgoing:
    command = wire.Command(id=ulid.make(now_ms, os.urandom(ulid.CHANCE_B)), iat=now_ms, exp=now_ms + LIVES_S * 1000,
                           by="ingest", args={"from": hole.first, "to": hole.last})
    return Outgoing(topic, msgspec.json.encode(plain(command)), expiry_s=LIVES_S)
