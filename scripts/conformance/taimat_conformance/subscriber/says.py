"""The messages of the played device, right and wrong ones. Pure: the moment is handed in."""
import json
from dataclasses import dataclass
from typing import Any

from agent.core.contract import wire
from agent.host.clock import Instant
from agent.mqtt.messages import Outgoing
from agent.ward import ward_side
from agent.ward.presence import HEALTH_LIVES, STATUS_LIVES_S
from taimat_conformance.channels import ANSWER_LIVES_S, CLOUD_EVENT

INT_S = 30
NOBODY, OTHER = "c-000000000000", "c-ffffffffffff"
AGENT = "conformance"
SPOILED = {
    "no_boot": "An event without boot is rejected", "no_kind": "An event without its kind is rejected",
    "text_for_number": "A text where a number belongs is rejected",
    "other_id": "An id that is not the device's own is rejected", "cut_off": "What is no JSON is rejected",
    "oversize": "An event of more than 8 KiB is rejected",
}


@dataclass(frozen=True, slots=True)
class Speaker:
    """One device's messages."""

    topics: wire.Topics

    def status(self, now: Instant, online: bool, why: str | None = None) -> Outgoing:
        """`status`; `conn` never falls."""
        payload = wire.Status(v=wire.VERSION, online=online, boot=now.boot, conn=now.wall_ms, why=why)
        return Outgoing(self.topics.status, wire.encode(payload), retain=True,
                        expiry_s=STATUS_LIVES_S if online else None)

    def birth(self, now: Instant, seq_next: int) -> Outgoing:
        """`birth`."""
        payload = wire.Birth(
            v=wire.VERSION, boot=now.boot, conn=now.wall_ms, mono_ms=now.mono_ms, clock=now.clock, agent=AGENT,
            schemas={"status": 1, "birth": 1, "health": 1, "evt": 1, "cmd": 1}, caps=[], cams=[], seq_next=seq_next)
        return Outgoing(self.topics.birth, wire.encode(payload), retain=True)

    def health(self, now: Instant) -> Outgoing:
        """`health`."""
        payload = wire.Health(v=wire.VERSION, seq=1, boot=now.boot, clock=now.clock, mono_ms=now.mono_ms, int_s=INT_S)
        return Outgoing(self.topics.health, wire.encode(payload), qos=0, retain=True, expiry_s=HEALTH_LIVES * INT_S)

    def event(self, now: Instant, seq: int, kind: str = "security", **data: Any) -> dict[str, Any]:
        """A right event."""
        entry = wire.Entry(seq, kind, None, now.boot, now.mono_ms, now.wall_ms, now.clock,
                           json.dumps(data or {"code": AGENT}))
        event: dict[str, Any] = json.loads(wire.cloud_event(self.topics.ward, self.topics.dev, entry, hist=False))
        return event

    def gap(self, now: Instant, seq: int, first: int, last: int) -> dict[str, Any]:
        """A `gap` event about these seqs."""
        return self.event(now, seq, "gap", code="not_kept", missing=[[first, last]], n=last - first + 1)

    def answer(self, now: Instant, command_id: str) -> Outgoing:
        """The answer to a command: done."""
        payload = wire.Response(v=wire.VERSION, id=command_id, st="done", ts=now.wall_ms)
        return Outgoing(self.topics.response("ops", command_id), wire.encode(payload), expiry_s=ANSWER_LIVES_S)

    def wrap(self, event: dict[str, Any] | bytes) -> Outgoing:
        """An event as a message."""
        payload = event if isinstance(event, bytes) else json.dumps(event, separators=(",", ":")).encode()
        return Outgoing(self.topics.evt, payload, content_type=CLOUD_EVENT)


def later(event: dict[str, Any]) -> dict[str, Any]:
    """The event as a later version may send it: of an unknown kind, with more fields."""
    data = {**event["data"], "kind": "later", "newest": {"a": [1]}}
    return {**event, "type": "cam.later.v1", "newer": 1, "data": data}


def spoiled(word: str, event: dict[str, Any]) -> dict[str, Any] | bytes:
    """The event with the fault that `word` names."""
    data = event["data"]
    match word:
        case "no_boot":
            return {key: value for key, value in event.items() if key != "boot"}
        case "no_kind":
            return {**event, "data": {key: value for key, value in data.items() if key != "kind"}}
        case "text_for_number":
            return {**event, "data": {**data, "mono_ms": "5"}}
        case "other_id":
            return {**event, "id": f"{OTHER}/{event['seq']}"}
        case "cut_off":
            return json.dumps(event)[:-2].encode()
    return {**event, "data": {**data, "detail": ward_side.LARGEST_B * "x"}}
