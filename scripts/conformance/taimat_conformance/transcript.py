"""The transcript of a check: all messages that were heard and said. Rules judge nothing else. Pure.

`at_s` are seconds since the check began, by our own clock.
"""
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import msgspec

from agent.core.contract import wire
from agent.ward import ward_side

Kind = TypeVar("Kind")
ON_THE_WAY = ("accepted", "waiting_consent", "running")     # states of a command before its last one


@dataclass(frozen=True, slots=True)
class HeardMessage:
    """A message as it came from the broker."""

    at_s: float
    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False                # as its sender set it
    expiry_s: int | None = None         # the rest of its life
    content_type: str | None = None
    correlation: bytes | None = None
    stored: bool = False                # it was at the broker before we came


@dataclass(frozen=True, slots=True)
class SaidMessage:
    """A message of ours. `what` names the try that it belongs to."""

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
        found = ward_side.SEQ.search(self.payload)
        return int(found[1]) if found else 0


@dataclass(frozen=True)
class Transcript:
    """One check, from its beginning until `length_s`."""

    ward: str
    dev: str
    heard: tuple[HeardMessage, ...]
    said: tuple[SaidMessage, ...] = ()
    length_s: float = 0.0
    began_ms: int | None = None         # UTC by our own clock, None if that is not set

    @cached_property
    def topics(self) -> wire.Topics:
        """The device's topics."""
        return wire.Topics(self.ward, self.dev)

    def read(self, topic: str, kind: type[Kind]) -> list[tuple[HeardMessage, Kind]]:
        """The messages of a topic, in order, that can be read as `kind`."""
        found = ((each, readable(each.payload, kind)) for each in self.heard if each.topic == topic)
        return [(each, payload) for each, payload in found if payload is not None]

    @cached_property
    def statuses(self) -> list[tuple[HeardMessage, wire.Status]]:
        """On `status`."""
        return self.read(self.topics.status, wire.Status)

    @cached_property
    def births(self) -> list[tuple[HeardMessage, wire.Birth]]:
        """On `birth`."""
        return self.read(self.topics.birth, wire.Birth)

    @cached_property
    def reports(self) -> list[tuple[HeardMessage, wire.Health]]:
        """On `health`."""
        return self.read(self.topics.health, wire.Health)

    @cached_property
    def events(self) -> list[tuple[HeardMessage, ward_side.Event]]:
        """On `evt`."""
        return self.read(self.topics.evt, ward_side.Event)

    def tried(self, *whats: str) -> Iterator[SaidMessage]:
        """Our messages of these tries; all of them, if none is named."""
        return (each for each in self.said if not whats or each.what in whats)

    def answers(self, command: SaidMessage) -> list[tuple[HeardMessage, wire.Response]]:
        """The answers to a command, in order."""
        return [found for found in self.read(self.topics.response("ops", command.command_id), wire.Response)
                if found[0].at_s >= command.at_s]

    def answer(self, command: SaidMessage) -> tuple[HeardMessage, wire.Response] | None:
        """The first final answer to a command, or None."""
        return next((found for found in self.answers(command) if found[1].st not in ON_THE_WAY), None)


def table(payload: bytes) -> dict[str, Any]:
    """The JSON object in `payload`; {} for anything else."""
    return readable(payload, dict[str, Any]) or {}


def readable(payload: bytes, kind: type[Kind]) -> Kind | None:
    """The payload as `kind`, or None."""
    try:
        return msgspec.json.decode(payload, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
