"""The topics of a whole ward, as its ingest uses them."""
from dataclasses import dataclass

from agent.core.wire.topics import ROOT, Topics


@dataclass(frozen=True, slots=True)
class WardTopics:
    """The topics of one ward."""

    ward: str

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """What devices tell. Not `#`: answers to others, pictures and our own receipts are nothing to commit."""
        return tuple(f"{ROOT}/{self.ward}/+/{what}" for what in ("status", "birth", "health", "evt"))

    @property
    def state(self) -> str:
        """Whether the ingest is at work; retained."""
        return f"{ROOT}/{self.ward}/_ward/state"

    def receipt(self, dev: str) -> str:
        """Where a device's receipts go."""
        return Topics(self.ward, dev).ack

    def command(self, dev: str, name: str) -> str:
        """Where a device gets this command."""
        return f"{Topics(self.ward, dev).root}/cmd/{name}"
