"""The command log: each command, its answer, and the event that tells of it, always in one transaction.

An answer to what goes on for hours follows from the request, or the update, that has come of the command.
"""
import sqlite3
from collections.abc import Callable
from typing import Any

import msgspec

from agent.core.contract import wire
from agent.core.contract.wire.commands import HandedOver, Installed
from agent.core.contract.wire.device_side import CommandState
from agent.host.clock import Instant
from agent.store import clips, commands, outbox, requests, updates
from agent.store.commands import Ordered
from agent.store.database import transaction
from agent.store.requests import WardRequest
from agent.store.updates import UpdateOrder

OF_REQUESTS: dict[str, tuple[CommandState, str | None]] = {
    "new": ("accepted", None), "waiting": ("waiting_consent", None), "approved": ("running", None),
    "packed": ("running", None), "delivered": ("done", None), "refused": ("refused", "refused"),
    "lapsed": ("refused", "lapsed"), "cancelled": ("refused", "cancelled")}
OF_UPDATES: dict[str, CommandState] = {
    "waiting": "waiting_consent", "approved": "running", "handed": "running",
    "done": "done", "failed": "failed", "refused": "refused"}
News = list[tuple[Ordered, bytes]]      # answers that nobody was sent yet, with their commands
GOING_ON = ("accepted", "waiting_consent", "running")
UNDATED = "undated"


class CommandRefused(Exception):
    """A command is refused while its outcome is written; the text is the code. Nothing must have been written yet."""


def response(command_id: str, state: CommandState, code: str | None, now: Instant,
             data: Any = None) -> wire.Response:
    """An answer, dated if the time is known."""
    return wire.Response(v=wire.VERSION, id=command_id, st=state, code=code,
                         data=None if data is None else msgspec.to_builtins(data),
                         ts=None if now.clock == "unset" else now.wall_ms)


def register(db: sqlite3.Connection, ordered: Ordered, code: str | None) -> tuple[bytes, bool]:
    """Log a command unless its id is known; what somebody without the ward's key has sent is not known to a signed one.

    Returns the answer that stands, and whether the command is new.
    """
    with transaction(db):
        if (known := commands.answer(db, ordered.id, ordered.signed)) is not None:
            return known, False
        commands.add(db, ordered)
        if ordered.state != "accepted":
            _tell(db, ordered, ordered.when, ordered.state, code)
    return ordered.answer, True


def finish(db: sqlite3.Connection, ordered: Ordered, state: CommandState, code: str | None, now: Instant,
           write: Callable[[], Any]) -> bytes:
    """Have `write` done, whose result is the answer's data, and the answer noted, which is returned: the final one,
    unless a request has come of it.
    """
    with transaction(db):
        try:
            told = response(ordered.id, state, code, now, write())
        except CommandRefused as refusal:
            told = response(ordered.id, "refused", str(refusal), now)
        if told.st == "done":
            told = _standing(db, ordered.id, now) or told
        return _put(db, ordered, told, now)


def follow(db: sqlite3.Connection, now: Instant) -> News:
    """Answer what has become of requests, in the caller's transaction; returns the new answers."""
    news = []
    for each in commands.going_on(db):
        request = requests.find(db, each.id)
        if request and (told := _of_request(db, request, now)).st != state(each.answer):
            news.append((each, _put(db, each, told, now)))
    return news


def follow_update(db: sqlite3.Connection, order: UpdateOrder, now: Instant) -> News:
    """Answer what has become of a version that was ordered, in the caller's transaction; returns the new answers."""
    told = of_update(order, now)
    return [(each, _put(db, each, told, now)) for each in commands.unfinished(db)
            if each.id == order.id and told.st != state(each.answer)]


def _standing(db: sqlite3.Connection, command_id: str, now: Instant) -> wire.Response | None:
    """The answer to a command of which something has come that goes on by itself."""
    if request := requests.find(db, command_id):
        return _of_request(db, request, now)
    order = updates.read(db)
    return of_update(order, now) if order and order.id == command_id else None


def _of_request(db: sqlite3.Connection, request: WardRequest, now: Instant) -> wire.Response:
    """The same, before and after the household has decided told if its recordings can't be dated."""
    begin_ms, end_ms = request.begin_ms, request.end_ms
    undated = (request.state in ("waiting", "approved") and begin_ms is not None and end_ms is not None
               and not clips.are_dated(db, request.camera, begin_ms, end_ms))
    return of_request(request, now, undated=undated)


def got(db: sqlite3.Connection, command_id: str) -> None:
    """Note that the answer has reached a subscriber."""
    with transaction(db):
        commands.told(db, command_id)


def close_interrupted(db: sqlite3.Connection, now: Instant) -> None:
    """Answer commands that an earlier process left unfinished. Nobody knows how far they came, so none begins again."""
    asked = {each.id for each in commands.going_on(db)}         # for the household, which has all the time it likes
    asked |= {order.id for order in [updates.read(db)] if order and order.open}     # or root has it
    for each in (each for each in commands.unfinished(db) if each.id not in asked):
        with transaction(db):
            _put(db, each, response(each.id, "failed", "interrupted", now), now)


def _put(db: sqlite3.Connection, ordered: Ordered, told: wire.Response, now: Instant) -> bytes:
    """Write the answer down, and if it is the last one, the event about it. Returns its payload."""
    payload = wire.encode(told)
    if not is_final(payload):
        commands.answered(db, ordered, payload)
    elif commands.finish(db, ordered, told.st, payload):
        _tell(db, ordered, now, told.st, told.code)
    return payload


def _tell(db: sqlite3.Connection, ordered: Ordered, now: Instant, state: str, code: str | None) -> None:
    data = wire.CommandData(id=ordered.id, name=ordered.name, st=state, code=code, by=ordered.by)
    outbox.append(db, "command", None, now, wire.encode(data))


class AnswerState(msgspec.Struct, frozen=True):
    """The one field of an answer that matters here."""

    st: str


def of_request(request: WardRequest, now: Instant, sent_b: int | None = None, undated: bool = False) -> wire.Response:
    """The answer as it stands; `sent_b` bytes are uploaded, where somebody knows better than the card.

    `undated`: as things are nothing will come of it, because nobody knows when those recordings were made.
    """
    st, code = OF_REQUESTS.get(request.state, ("failed", request.code))
    if code == "refused" and request.decided_by == "rule":
        code = "no_consent"
    if undated and st in GOING_ON:
        code = UNDATED
    open_one, packed = st in GOING_ON, request.state == "packed"
    return wire.Response(
        v=wire.VERSION, id=request.id, st=st, code=code, ts=None if now.clock == "unset" else now.wall_ms,
        data=msgspec.to_builtins(_handed_over(request)) if st == "done" else None,
        request=request.n if open_one else None,
        sent_b=(request.sent_b if sent_b is None else sent_b) if packed else None,
        total_b=request.bytes if packed else None)


def of_update(order: UpdateOrder, now: Instant) -> wire.Response:
    """The answer as it stands to the order of a version."""
    st = OF_UPDATES[order.state]
    return wire.Response(v=wire.VERSION, id=order.id, st=st, code=order.code,
                         ts=None if now.clock == "unset" else now.wall_ms,
                         data=msgspec.to_builtins(Installed(version=order.version)) if st == "done" else None)


def is_final(payload: bytes) -> bool:
    """Whether this answer, or report, is the last one of its command."""
    return state(payload) not in GOING_ON


def state(payload: bytes) -> str:
    """The state in an answer."""
    return msgspec.json.decode(payload, type=AnswerState).st


def _handed_over(request: WardRequest) -> HandedOver:
    assert request.bytes is not None and request.sha256 is not None
    return HandedOver(bytes=request.bytes, sha256=request.sha256, manifest=request.manifest)
