"""Asks devices again for events that are missing: `cmd/replay {from, to}`."""
import os
from collections.abc import Iterator

from agent.core import ulid, wire
from agent.core.wire.wardtopics import WardTopics
from agent.host.broker.connection import Outgoing
from agent.ward.book import Book
from agent.ward.presence import presence

LIVES_S = 300               # a device that is away is asked again when it is back
A_TURN_MAX = 20             # stretches
OF_ONE_MAX = 2              # of one device: it takes 30 commands a minute


def due(book: Book, topics: WardTopics, now_ms: int) -> Iterator[tuple[str, Outgoing]]:
    """The commands that are due, for devices that are there; they count as asked when they are handed out."""
    left_n = A_TURN_MAX
    for device in list(book.devices.values()):
        holes = device.reach.due(now_ms)[:min(left_n, OF_ONE_MAX)]
        if not holes or presence(device.standing, now_ms).state == "offline":
            continue
        left_n -= len(holes)
        book.asked(device.dev, holes, now_ms)
        for hole in holes:
            command = wire.Command(id=ulid.make(now_ms, os.urandom(ulid.CHANCE_B)), iat=now_ms,
                                   exp=now_ms + LIVES_S * 1000, by="ingest", args={"from": hole.first, "to": hole.last})
            yield device.dev, Outgoing(topics.command(device.dev, "replay"), wire.encode(command), expiry_s=LIVES_S)
