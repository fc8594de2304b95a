"""The topics of a city, as its ingest uses them: those of its wards."""
from dataclasses import dataclass

from agent.core.wire import told
from agent.core.wire.topics import ROOT


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
