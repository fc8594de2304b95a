"""The topics of a whole ward, as its ingest uses them."""
from dataclasses import dataclass

from agent.core.wire import told
from agent.core.wire.topics import ROOT, Topics


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
