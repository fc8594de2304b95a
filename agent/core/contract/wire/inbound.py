"""Messages to the device. Their senders are not trusted: sizes, forms and ranges are checked before any use."""
import re
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct

from agent.core import json_door

LARGEST_B = 65_536              # also sent in CONNECT, so that the broker sends no larger message
REFUSED_MAX = 1000
DEPTH_MAX = 32                  # levels of a payload, in both directions; the contract's own messages have five
TOKENS = re.compile(rb'"(?:[^"\\]|\\.?)*"?|[][{}]', re.DOTALL)      # strings, which may contain brackets, and brackets

Seq = Annotated[int, Meta(ge=0, le=2**63 - 1)]
UtcMs = Annotated[int, Meta(ge=0, le=253_402_300_799_999)]          # year 9999
Word = Annotated[str, Meta(max_length=64, pattern="^[A-Za-z0-9._/-]+$")]
Ulid = Annotated[str, Meta(pattern="^[0-9A-HJKMNP-TV-Z]{26}$")]


class BadPayload(Exception):
    """The payload does not fit its topic. The message is short and contains nothing of the payload."""


class Rejected(Struct, kw_only=True, frozen=True):
    """A message that the ward will never accept, and why."""

    seq: Seq                            # of the message
    code: Word


class Ack(Struct, kw_only=True, frozen=True):
    """`ack`: the ward's ingest has committed these messages. Sent after its commit, never before."""

    upto: Seq                           # all messages up to this seq are committed
    also: Annotated[list[Seq], Meta(max_length=REFUSED_MAX)] = []  # and these
    reject: Annotated[list[Rejected], Meta(max_length=REFUSED_MAX)] = []  # these will never be accepted
    top: Seq = 0                        # the highest seq that the ward has of the device; 0: it does not say
    v: int = 1


class Command(Struct, kw_only=True, frozen=True):
    """`cmd/{name}`: an order. `exp` bounds its life; `sig` is Ed25519 over the RFC 8785 form without `sig`.

    A signed one also names its command and device, because an attacker with the broker could change the topic.
    """

    id: Ulid                            # a ULID: the same one gets the same answer
    iat: UtcMs                          # when it was ordered, UTC in ms
    exp: UtcMs                          # from then on it is refused, UTC in ms
    dev: Word | None = None             # the device's id
    name: Word | None = None            # as in the topic
    by: Word | None = None              # who ordered it
    args: dict[str, Any] = {}           # by its name
    kid: Word | None = None             # the key of sig
    sig: Annotated[str, Meta(max_length=128)] | None = None  # Ed25519, in base64
    v: int = 1


class Desired(Struct, kw_only=True, frozen=True):
    """`cfg/desired`: all settings that the ward asks for. Signed like a command and, like it, with its device."""

    ver: Seq                            # its number: the answer repeats it, and lower ones are refused from then on
    cfg: dict[str, Any]                 # a missing key gets the household's own value
    dev: Word | None = None             # the device's id
    kid: Word | None = None             # the key of sig
    sig: Annotated[str, Meta(max_length=128)] | None = None  # Ed25519, in base64
    v: int = 1


class WardState(Struct, kw_only=True, frozen=True):
    """`_ward/state`: whether the ward's ingest is at work."""

    online: bool                        # whether receipts can be expected
    v: int = 1


Payload = TypeVar("Payload", Ack, Command, Desired, WardState)


def is_too_deep(payload: bytes) -> bool:
    """Whether JSON has more than DEPTH_MAX levels. This needs no parser, because parsers recurse, and how deep they
    can depends on Python's version and on the caller."""
    if payload.count(b"[") + payload.count(b"{") <= DEPTH_MAX:
        return False
    depth = 0
    for token in TOKENS.finditer(payload):
        depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(token[0], 0)
        if depth > DEPTH_MAX:
            return True
    return False


def decode(kind: type[Payload], payload: bytes) -> Payload:
    """Returns the payload as `kind` and ignores unknown fields. Raises BadPayload for anything else."""
    if len(payload) > LARGEST_B:
        raise BadPayload("too large")
    if is_too_deep(payload):
        raise BadPayload("too deep")
    try:
        return json_door.read(payload, kind)
    except msgspec.ValidationError:
        raise BadPayload("wrong form") from None
    except msgspec.DecodeError:
        raise BadPayload("not JSON") from None
