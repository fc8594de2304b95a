"""The command log: each command, its answer, and the event that tells of it, always in one transaction."""
import sqlite3

import msgspec
from msgspec import Struct

from agent.core.contract import wire
from agent.core.contract.wire.device_side import CommandState
from agent.host.clock import Instant
from agent.link.answers import is_final, of_request, of_update, state
from agent.link.verdict import CommandRefused, Outcome
from agent.store import clips, commands, outbox, requests, updates
from agent.store.commands import Ordered
from agent.store.database import transaction
from agent.store.requests import WardRequest
from agent.store.updates import UpdateOrder


def response(command_id: str, state: CommandState, code: str | None, now: Instant,
             data: Struct | None = None) -> wire.Response:
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


def finish(db: sqlite3.Connection, ordered: Ordered, outcome: Outcome, now: Instant) -> bytes:
    """Have the outcome written, with the answer, which is returned: the final one, unless a request has come of it."""
    with transaction(db):
        try:
            told = response(ordered.id, outcome.state, outcome.code, now, outcome.write(db, now))
        except CommandRefused as refusal:
            told = response(ordered.id, "refused", str(refusal), now)
        if told.st == "done":
            told = _standing(db, ordered.id, now) or told
        return _put(db, ordered, told, now)


def follow(db: sqlite3.Connection, now: Instant) -> list[tuple[Ordered, bytes]]:
    """Answer what has become of requests, in the caller's transaction; returns the new answers."""
    news = []
    for each in commands.going_on(db):
        request = requests.find(db, each.id)
        if request and (told := _of_request(db, request, now)).st != state(each.answer):
            news.append((each, _put(db, each, told, now)))
    return news


def follow_update(db: sqlite3.Connection, order: UpdateOrder, now: Instant) -> list[tuple[Ordered, bytes]]:
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
