"""The devices' messages as the ward reads them: the fields that it uses, each within limits.

Devices are not trusted. Other fields are kept unchanged, because a later version may have added them.
"""
import re
from datetime import datetime
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta, Struct

from agent.core.contract.wire.device_side import CommandState
from agent.core.contract.wire.inbound import Seq, Ulid, UtcMs, is_too_deep
from agent.core.contract.wire.topics import ROOT

LARGEST_B = 8 * 1024            # of one payload, in the contract
SEQ_MAX = 2**63 - 1
DESK = "ops"                    # the asker whose answers the ward stores
SEQ = re.compile(rb'"seq"\s*:\s*(\d{1,19})')
TOPIC = re.compile(rf"{ROOT}/(?P<ward>[a-z0-9-]{{1,24}})/(?P<dev>[a-z0-9-]{{1,64}})/(?P<what>status|birth|health|evt|"
                   rf"rsp/{DESK}/[^/]+)")

Boot = Annotated[str, Meta(pattern=r"^[A-Za-z0-9-]{1,64}\Z")]
Line = Annotated[str, Meta(max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]*\Z")]     # for people, one line
Code = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._/-]{1,64}\Z")]
Clock = Literal["unset", "saved", "rtc", "ntp"]


REASONS = ("too_large", "too_deep", "schema", "not_json", "id")


class Unacceptable(Exception):
    """The payload does not fit its topic. `code` is the reason; `seq` is the event's, if it can be read."""

    def __init__(self, code: str, seq: int | None = None) -> None:
        super().__init__(code)
        self.code, self.seq = code, seq


class Status(Struct, kw_only=True, frozen=True):
    """`status`."""

    online: bool
    boot: Boot
    conn: Seq
    why: Code | None = None
    ts: UtcMs | None = None
    clock: Clock | None = None


class Birth(Struct, kw_only=True, frozen=True):
    """`birth`."""

    boot: Boot
    conn: Seq
    mono_ms: Seq
    clock: Clock
    agent: Line
    ts: UtcMs | None = None
    seq_next: Seq | None = None
    site: Line | None = None
    hw: Line | None = None
    cert_not_after: Line | None = None
    withheld: Annotated[list[Code], Meta(max_length=16)] = []


class Condition(Struct, kw_only=True, frozen=True):
    code: Code
    sev: Literal["info", "warn", "alarm"]
    c: Line | None = None
    unit: Line | None = None


class Health(Struct, kw_only=True, frozen=True):
    """`health`."""

    seq: Seq
    boot: Boot
    clock: Clock
    mono_ms: Seq
    int_s: Annotated[int, Meta(ge=1, le=3600)]
    ts: UtcMs | None = None
    outbox_n: Seq | None = None
    outbox_old_s: Seq | None = None
    cond: Annotated[list[Condition], Meta(max_length=64)] = []


Stretch = tuple[Seq, Seq]


class EventData(Struct, kw_only=True, frozen=True):
    """The fields that the data of every event has; `missing` belongs to kind `gap`."""

    mono_ms: Seq
    kind: Code
    hist: bool = False
    missing: Annotated[list[Stretch], Meta(max_length=1000)] = []


class Event(Struct, kw_only=True, frozen=True):
    """`evt`: a CloudEvent."""

    specversion: Literal["1.0"]
    id: Annotated[str, Meta(max_length=100)]
    type: Code
    source: Line
    seq: Annotated[int, Meta(ge=1, le=SEQ_MAX)]
    boot: Boot
    clock: Clock
    data: EventData
    time: Annotated[datetime, Meta(tz=True)] | None = None


class CommandAnswer(Struct, kw_only=True, frozen=True):
    """`rsp/ops/{id}`."""

    id: Ulid
    st: CommandState
    code: Code | None = None
    request: Seq | None = None
    sent_b: Seq | None = None
    total_b: Seq | None = None


class _Telling(Struct, frozen=True):
    data: CommandAnswer


class LedgerHead(Struct, kw_only=True, frozen=True):
    """The newest row of the device's ledger, from a health report."""

    n: Seq
    head: Annotated[str, Meta(pattern=r"^[0-9a-f]{16,64}\Z")]
    key: Annotated[str, Meta(pattern=r"^[0-9a-f]{16}\Z")]


class _Witness(Struct, frozen=True):
    ledger: LedgerHead | None = None


Told = Status | Birth | Health | Event | CommandAnswer
KINDS: dict[str, type[Told]] = {"status": Status, "birth": Birth, "health": Health, "evt": Event, "rsp": CommandAnswer}


class Message(NamedTuple):
    """One accepted message."""

    dev: str
    told: Told
    text: str       # the whole payload, as compact JSON


class Place(NamedTuple):
    dev: str        # its id; in a city also its ward: "w07/c-7f3a9c21b04d"
    what: str       # status | birth | health | evt | rsp


def place(ward: str, topic: str) -> Place | None:
    """Returns the device and kind of a topic; None if it belongs to no device of this ward."""
    found = TOPIC.fullmatch(topic)
    return Place(found["dev"], found["what"].partition("/")[0]) if found and found["ward"] == ward else None


def read(where: Place, payload: bytes) -> Message:
    """Returns the message in `payload`. Raises Unacceptable with too_large, too_deep, not_json, schema or id."""
    if len(payload) > LARGEST_B:
        raise Unacceptable("too_large", seq_of(where, payload))
    if is_too_deep(payload):
        raise Unacceptable("too_deep", seq_of(where, payload))
    try:
        table: Any = msgspec.json.decode(payload)
        told = msgspec.convert(table, KINDS[where.what])
    except msgspec.ValidationError:
        raise Unacceptable("schema", seq_of(where, payload)) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Unacceptable("not_json", seq_of(where, payload)) from None
    if isinstance(told, Event) and told.id != f"{where.dev.rpartition('/')[2]}/{told.seq}":
        raise Unacceptable("id", told.seq)
    return Message(where.dev, told, msgspec.json.encode(table).decode())


def answer_in(event: str) -> CommandAnswer | None:
    """Returns the answer in an event of kind "command", which arrives even if the answer itself is lost."""
    try:
        return msgspec.json.decode(event, type=_Telling).data
    except msgspec.DecodeError:
        return None


def ledger_head(health: str) -> LedgerHead | None:
    """Returns the head of the device's ledger from a health report; None if absent."""
    try:
        return msgspec.json.decode(health, type=_Witness).ledger
    except msgspec.DecodeError:
        return None


def seq_of(where: Place, payload: bytes) -> int | None:
    """Returns the seq of a bad event, so that the ward can reject it by number; None if it cannot be read."""
    found = SEQ.search(payload) if where.what == "evt" else None
    return int(found[1]) if found and 1 <= int(found[1]) <= SEQ_MAX else None
