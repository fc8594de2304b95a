"""What was heard and said while somebody was looked at: the one thing that rules judge. Pure.

`at_s` are seconds since the look began, by the looker's own clock.
"""
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import msgspec

from agent.core.contract import wire
from agent.core.contract.wire import ward_side as told

Kind = TypeVar("Kind")
ON_THE_WAY = ("accepted", "waiting_consent", "running")     # states of a command that are not its last


@dataclass(frozen=True, slots=True)
class Heard:
    """A message as the broker gave it to us."""

    at_s: float
    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False                # as its sender set it
    expiry_s: int | None = None         # what was left of its life
    content_type: str | None = None
    correlation: bytes | None = None
    stored: bool = False                # it lay at the broker before we came


@dataclass(frozen=True, slots=True)
class Said:
    """A message of ours. `what` is what it was meant to try."""

    at_s: float
    what: str
    topic: str
    payload: bytes
    correlation: bytes | None = None

    @property
    def command_id(self) -> str:
        """Of a command."""
        return str(table(self.payload).get("id"))

    @property
    def name(self) -> str:
        """Of a command."""
        return self.topic.rpartition("/cmd/")[2]

    @property
    def seq(self) -> int:
        """Of an event, whatever else is wrong with it; 0 for anything else."""
        found = told.SEQ.search(self.payload)
        return int(found[1]) if found else 0


@dataclass(frozen=True)
class Transcript:
    """One look, from its beginning until `length_s`."""

    ward: str
    dev: str
    heard: tuple[Heard, ...]
    said: tuple[Said, ...] = ()
    length_s: float = 0.0
    began_ms: int | None = None         # UTC by the looker's own clock, as far as that is to be believed

    @cached_property
    def topics(self) -> wire.Topics:
        """The device's."""
        return wire.Topics(self.ward, self.dev)

    def read(self, topic: str, kind: type[Kind]) -> list[tuple[Heard, Kind]]:
        """What was heard on a topic, in order, as far as it can be read as `kind`."""
        found = ((each, readable(each.payload, kind)) for each in self.heard if each.topic == topic)
        return [(each, payload) for each, payload in found if payload is not None]

    @cached_property
    def statuses(self) -> list[tuple[Heard, wire.Status]]:
        """On `status`."""
        return self.read(self.topics.status, wire.Status)

    @cached_property
    def births(self) -> list[tuple[Heard, wire.Birth]]:
        """On `birth`."""
        return self.read(self.topics.birth, wire.Birth)

    @cached_property
    def reports(self) -> list[tuple[Heard, wire.Health]]:
        """On `health`."""
        return self.read(self.topics.health, wire.Health)

    @cached_property
    def events(self) -> list[tuple[Heard, told.Event]]:
        """On `evt`."""
        return self.read(self.topics.evt, told.Event)

    def tried(self, *whats: str) -> Iterator[Said]:
        """What we said to try these; all that we said, if none is named."""
        return (each for each in self.said if not whats or each.what in whats)

    def answers(self, command: Said) -> list[tuple[Heard, wire.Response]]:
        """To a command, since it was sent."""
        return [found for found in self.read(self.topics.response("ops", command.command_id), wire.Response)
                if found[0].at_s >= command.at_s]

    def answer(self, command: Said) -> tuple[Heard, wire.Response] | None:
        """The first that is final."""
        return next((found for found in self.answers(command) if found[1].st not in ON_THE_WAY), None)


def table(payload: bytes) -> dict[str, Any]:
    """The JSON object in `payload`; an empty one where there is none."""
    return readable(payload, dict[str, Any]) or {}


def readable(payload: bytes, kind: type[Kind]) -> Kind | None:
    """The payload as `kind`, or None."""
    try:
        return msgspec.json.decode(payload, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
