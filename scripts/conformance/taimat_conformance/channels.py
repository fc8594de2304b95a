"""Each message's QoS, retain flag, expiry and content type. Pure; a test holds them against the contract."""
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import Struct

from agent.core.contract import wire
from agent.ward.presence import HEALTH_LIVES, STATUS_LIVES_S
from taimat_conformance.transcript import HeardMessage, table

JSON, CLOUD_EVENT = "application/json", "application/cloudevents+json; charset=utf-8"
ANSWER_LIVES_S = 7 * 86_400
WARD_LIVES_S = 300
SLACK_S = 60                    # the time that a message may be on its way


@dataclass(frozen=True, slots=True)
class Channel:
    """A topic below the device's or the ward's, and its messages."""

    name: str
    tail: str                   # of the topic, as a regular expression
    kind: type[Struct]
    qos: int = 1
    retain: bool = False
    content_type: str = JSON
    lives_s: int | None = None  # None: no expiry

    def holds(self, topic: str, root: str) -> bool:
        """Whether `topic` is of this channel, below `root`."""
        return topic.startswith(f"{root}/") and re.fullmatch(self.tail, topic[len(root) + 1:]) is not None

    def due_s(self, payload: bytes) -> int | None:
        """The expiry that such a message must have."""
        said: dict[str, Any] = table(payload)
        if self.name == "health":
            return HEALTH_LIVES * int_s if isinstance(int_s := said.get("int_s"), int) else None
        return self.lives_s if said.get("online", True) else None


FROM_DEVICE = (
    Channel("status", "status", wire.Status, retain=True, lives_s=STATUS_LIVES_S),
    Channel("birth", "birth", wire.Birth, retain=True),
    Channel("health", "health", wire.Health, qos=0, retain=True),
    Channel("evt", "evt", wire.CloudEvent, content_type=CLOUD_EVENT),
    Channel("response", "rsp/[^/]+/[^/]+", wire.Response, lives_s=ANSWER_LIVES_S),
    Channel("cfg-reported", "cfg/reported", wire.Reported, retain=True),
)
TO_DEVICE = "ack|cmd/.+|cfg/desired"        # the last: retained by a ward of an earlier version
RECEIPT = Channel("ack", "ack", wire.Ack, retain=True)
WARD = Channel("ward-state", "_ward/state", wire.WardState, retain=True, lives_s=WARD_LIVES_S)


def on(channel: Channel, heard: Sequence[HeardMessage], root: str) -> Iterator[HeardMessage]:
    """The messages of a channel; an empty payload only deletes a retained one."""
    return (each for each in heard if channel.holds(each.topic, root) and each.payload)


def carriage(channel: Channel, heard: HeardMessage) -> Iterator[str]:
    """What is wrong with a message's QoS, retain flag, content type and expiry."""
    if heard.qos != channel.qos:
        yield f"QoS {heard.qos}, not {channel.qos}"
    if heard.retain != channel.retain:
        yield "not retained" if channel.retain else "retained"
    if heard.content_type != channel.content_type:
        yield f"content type {heard.content_type or 'none'}, not {channel.content_type}"
    due_s = channel.due_s(heard.payload)
    if due_s is None and heard.expiry_s is not None:
        yield f"expires after {heard.expiry_s} s, and should not"
    elif due_s is not None and heard.expiry_s is None:
        yield f"does not expire; it should after {due_s} s"
    elif due_s is not None and heard.expiry_s is not None and not _lives(heard, due_s):
        yield f"expires after {heard.expiry_s} s, not {due_s} s"


def _lives(heard: HeardMessage, due_s: int) -> bool:
    """Whether the expiry is right; a stored message may have less left."""
    return heard.expiry_s is not None and (0 if heard.stored else due_s - SLACK_S) <= heard.expiry_s <= due_s
