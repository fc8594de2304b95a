"""Topics on the ward's side: those of one ward, of its forwarder, and of a city's wards."""
import re
from dataclasses import dataclass
from typing import NamedTuple

from agent.core.contract.wire.topics import ROOT, Topics
from agent.ward import ward_side


@dataclass(frozen=True, slots=True)
class WardTopics:
    """The topics of one ward."""

    ward: str

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """The devices' stored messages. `#` would also bring answers to others, pictures and the ward's own receipts.
        """
        return (*(f"{ROOT}/{self.ward}/+/{what}"
                  for what in ("status", "birth", "health", "evt", f"rsp/{ward_side.DESK}/+")), self.echo)

    @property
    def echo(self) -> str:
        """The ingest publishes here to check that the broker delivers what it accepted."""
        return f"{ROOT}/{self.ward}/_ward/echo"

    @property
    def state(self) -> str:
        """Whether the ingest is running; retained."""
        return f"{ROOT}/{self.ward}/_ward/state"

    def place(self, topic: str) -> ward_side.Place | None:
        """Returns the device and kind of a topic; None if it belongs to no device of this ward."""
        return ward_side.place(self.ward, topic)

    def receipt(self, dev: str) -> str:
        return Topics(self.ward, dev).ack

    def answer(self, dev: str, command_id: str) -> str:
        """The topic of a device's answer to a command of the ward."""
        return Topics(self.ward, dev).response(ward_side.DESK, command_id)

    def command(self, dev: str, name: str) -> str:
        return f"{Topics(self.ward, dev).root}/cmd/{name}"


TOPIC = re.compile(rf"{ROOT}/(?P<ward>[^/]+)/(?P<dev>[a-z0-9-]{{1,64}})/(?P<what>ack|cmd/replay)")


class ToDevice(NamedTuple):
    dev: str
    what: str       # ack | cmd/replay


@dataclass(frozen=True, slots=True)
class ForwardTopics:
    """The topics of one ward's forwarder."""

    ward: str

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """The messages of the city's ingest to devices: receipts and `replay`."""
        return f"{ROOT}/{self.ward}/+/ack", f"{ROOT}/{self.ward}/+/cmd/replay"

    def event(self, dev: str) -> str:
        return f"{ROOT}/{self.ward}/{dev}/evt"

    def to_device(self, topic: str) -> ToDevice | None:
        """Returns the device and kind of a message on `topic`; None if it is not for a device of the ward."""
        found = TOPIC.fullmatch(topic)
        return ToDevice(found["dev"], found["what"]) if found and found["ward"] == self.ward else None


@dataclass(frozen=True, slots=True)
class CityTopics:
    """The topics of several wards. A device's name here is its ward and its id: "w07/c-7f3a9c21b04d"."""

    wards: tuple[str, ...] = ()         # (): all wards
    share: str = ""                     # the group that shares the events; "": each subscriber gets all events

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """The devices' messages. Only events are shared, because a shared subscription receives no retained reports."""
        roots = [f"{ROOT}/{ward}/+" for ward in self.wards or ("+",)]
        events = f"$share/{self.share}/" if self.share else ""
        return (*(f"{root}/{what}" for root in roots for what in ("status", "birth", "health")),
                *(f"{events}{root}/evt" for root in roots))

    @property
    def state(self) -> None:
        """None: forwarders need no state of the city, because an event without a receipt is repeated anyway."""
        return None

    @property
    def echo(self) -> None:
        """None: forwarders send on their own ward's topics."""
        return None

    def place(self, topic: str) -> ward_side.Place | None:
        """Returns the device and kind of a topic; None if it belongs to no device of these wards."""
        ward = topic.removeprefix(f"{ROOT}/").partition("/")[0]
        found = ward_side.place(ward, topic) if not self.wards or ward in self.wards else None
        return found and found._replace(dev=f"{ward}/{found.dev}")

    def receipt(self, dev: str) -> str:
        return f"{ROOT}/{dev}/ack"

    def command(self, dev: str, name: str) -> str:
        return f"{ROOT}/{dev}/cmd/{name}"
