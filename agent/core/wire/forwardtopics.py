"""The topics of a ward at its city's broker, as its forwarder uses them: there it speaks for the ward's devices."""
import re
from dataclasses import dataclass
from typing import NamedTuple

from agent.core.wire.topics import ROOT

TOPIC = re.compile(rf"{ROOT}/(?P<ward>[^/]+)/(?P<dev>[a-z0-9-]{{1,64}})/(?P<what>ack|cmd/replay)")


class ToDevice(NamedTuple):
    """Which device is meant, and by what."""

    dev: str
    what: str       # ack | cmd/replay


@dataclass(frozen=True, slots=True)
class ForwardTopics:
    """The topics of one ward's forwarder."""

    ward: str

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """What the city's ingest says to devices: receipts, and what it misses."""
        return f"{ROOT}/{self.ward}/+/ack", f"{ROOT}/{self.ward}/+/cmd/replay"

    def event(self, dev: str) -> str:
        """Where a device's events go."""
        return f"{ROOT}/{self.ward}/{dev}/evt"

    def to_device(self, topic: str) -> ToDevice | None:
        """Which device of the ward a message on `topic` is meant for; None where it is for none."""
        found = TOPIC.fullmatch(topic)
        return ToDevice(found["dev"], found["what"]) if found and found["ward"] == self.ward else None
