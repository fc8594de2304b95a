"""The topics of a city, as its ingest uses them: those of its wards."""
import re
from dataclasses import dataclass
from typing import NamedTuple

from agent.core.contract.wire import ward_side as told
from agent.core.contract.wire.topics import ROOT, Topics


@dataclass(frozen=True, slots=True)
class WardTopics:
    """The topics of one ward."""

    ward: str

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """What devices tell. Not `#`: answers to others, pictures and our own receipts are nothing to commit."""
        return tuple(f"{ROOT}/{self.ward}/+/{what}"
                     for what in ("status", "birth", "health", "evt", f"rsp/{told.DESK}/+"))

    @property
    def state(self) -> str:
        """Whether the ingest is at work; retained."""
        return f"{ROOT}/{self.ward}/_ward/state"

    def place(self, topic: str) -> told.Place | None:
        """Whose topic it is; None for one that no device of this ward tells anything on."""
        return told.place(self.ward, topic)

    def receipt(self, dev: str) -> str:
        """Where a device's receipts go."""
        return Topics(self.ward, dev).ack

    def answer(self, dev: str, command_id: str) -> str:
        """Where a device answers a command of the ward's desk."""
        return Topics(self.ward, dev).response(told.DESK, command_id)

    def command(self, dev: str, name: str) -> str:
        """Where a device gets this command."""
        return f"{Topics(self.ward, dev).root}/cmd/{name}"


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


@dataclass(frozen=True, slots=True)
class CityTopics:
    """The topics of several wards. A device's name is "w07/c-7f3a9c21b04d" here: its ward, and its id there."""

    wards: tuple[str, ...] = ()         # none: all that there are
    share: str = ""                     # the group that shares the events; "": each who subscribes gets all

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """What devices tell. Reports are never shared: the broker hands retained ones to nobody who shares."""
        roots = [f"{ROOT}/{ward}/+" for ward in self.wards or ("+",)]
        events = f"$share/{self.share}/" if self.share else ""
        return (*(f"{root}/{what}" for root in roots for what in ("status", "birth", "health")),
                *(f"{events}{root}/evt" for root in roots))

    @property
    def state(self) -> None:
        """None: nobody waits to hear whether a city's ingest is at work; what has no receipt comes again."""
        return None

    def place(self, topic: str) -> told.Place | None:
        """Whose topic it is; None for one that no device of these wards tells anything on."""
        ward = topic.removeprefix(f"{ROOT}/").partition("/")[0]
        found = told.place(ward, topic) if not self.wards or ward in self.wards else None
        return found and found._replace(dev=f"{ward}/{found.dev}")

    def receipt(self, dev: str) -> str:
        """Where a device's receipts go."""
        return f"{ROOT}/{dev}/ack"

    def command(self, dev: str, name: str) -> str:
        """Where a device gets this command."""
        return f"{ROOT}/{dev}/cmd/{name}"
