"""The command log: the ward's commands and their answers, kept for 30 days, so that no command is carried out twice.

A command is recorded before it is carried out. One that is still "accepted" when a process starts was cut off. A
command, its answer and the event about it are always written in one transaction. If a command takes hours, its answer
follows from the request or the update that it created.
"""
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from agent.core.contract import wire
from agent.core.contract.wire.commands import HandedOver, Installed
from agent.core.contract.wire.device_side import CommandState
from agent.host.clock import Instant
from agent.store import boots, clips, outbox, requests, updates
from agent.store.database import transaction
from agent.store.requests import WardRequest
from agent.store.row_check import sound
from agent.store.updates import UpdateOrder

KEPT_MS = 30 * 86_400_000
KEPT_N = 2000               # signed commands are dropped last, because only the ward can make them
OF_REQUESTS: dict[str, tuple[CommandState, str | None]] = {
    "new": ("accepted", None), "waiting": ("waiting_consent", None), "approved": ("running", None),
    "packed": ("running", None), "delivered": ("done", None), "refused": ("refused", "refused"),
    "lapsed": ("refused", "lapsed"), "cancelled": ("refused", "cancelled")}
OF_UPDATES: dict[str, CommandState] = {
    "waiting": "waiting_consent", "approved": "running", "handed": "running",
    "done": "done", "failed": "failed", "refused": "refused"}
GOING_ON = ("accepted", "waiting_consent", "running")
UNDATED = "undated"


class CommandRefused(Exception):
    """A command is refused while its outcome is written; the text is the code. Raise it before anything is written."""


@dataclass(frozen=True, slots=True)
class Ordered:
    """A command as it came, and its present answer."""

    id: str
    name: str
    by: str | None
    state: str
    answer: bytes               # payload
    signed: bool
    who: str
    correlation: bytes | None
    when: Instant


News = list[tuple[Ordered, bytes]]      # new answers that were not sent yet, with their commands


class AnswerState(msgspec.Struct, frozen=True):
    st: str


def response(command_id: str, state: CommandState, code: str | None, now: Instant,
             data: Any = None) -> wire.Response:
    return wire.Response(v=wire.VERSION, id=command_id, st=state, code=code,
                         data=None if data is None else msgspec.to_builtins(data),
                         ts=None if now.clock == "unset" else now.wall_ms)


def of_request(request: WardRequest, now: Instant, sent_b: int | None = None, undated: bool = False) -> wire.Response:
    """Returns the answer that a request's state gives. `sent_b`, if given, overrides the uploaded bytes of the row.
    `undated`: the time of the recordings is unknown, so as things stand the ward will not get them."""
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


def _handed_over(request: WardRequest) -> HandedOver:
    assert request.bytes is not None and request.sha256 is not None
    return HandedOver(bytes=request.bytes, sha256=request.sha256, manifest=request.manifest)


def _of_update(order: UpdateOrder, now: Instant) -> wire.Response:
    st = OF_UPDATES[order.state]
    return response(order.id, st, order.code, now, Installed(version=order.version) if st == "done" else None)


def state(payload: bytes) -> str:
    """Returns the state in an answer."""
    return msgspec.json.decode(payload, type=AnswerState).st


def is_final(payload: bytes) -> bool:
    """Whether this answer or report is the last one of its command."""
    return state(payload) not in GOING_ON


def register(db: sqlite3.Connection, ordered: Ordered, code: str | None) -> tuple[bytes, bool]:
    """Logs a command unless its id is known. For a signed command only signed ones count as known. Returns the answer
    that stands, and whether the command is new."""
    with transaction(db):
        if (known := answer(db, ordered.id, ordered.signed)) is not None:
            return known, False
        add(db, ordered)
        if ordered.state != "accepted":
            _announce(db, ordered, ordered.when, ordered.state, code)
    return ordered.answer, True


def complete(db: sqlite3.Connection, ordered: Ordered, result: tuple[CommandState, str | None], now: Instant,
             write: Callable[[], Any]) -> bytes:
    """Calls `write`, whose return value is the answer's data, and records the answer, all in one transaction. Returns
    the answer: the final one, unless the command has created a request. `result` is its state and code."""
    with transaction(db):
        try:
            reply = response(ordered.id, *result, now, write())
        except CommandRefused as refusal:
            reply = response(ordered.id, "refused", str(refusal), now)
        if reply.st == "done":
            reply = _standing(db, ordered.id, now) or reply
        return _put(db, ordered, reply, now)


def follow(db: sqlite3.Connection, now: Instant) -> News:
    """Answers commands whose requests have changed, in the caller's transaction; returns the new answers."""
    news = []
    for command in going_on(db):
        request = requests.find(db, command.id)
        if request and (reply := _of_request(db, request, now)).st != state(command.answer):
            news.append((command, _put(db, command, reply, now)))
    return news


def follow_update(db: sqlite3.Connection, order: UpdateOrder, now: Instant) -> News:
    reply = _of_update(order, now)
    return [(command, _put(db, command, reply, now)) for command in unfinished(db)
            if command.id == order.id and reply.st != state(command.answer)]


def _standing(db: sqlite3.Connection, command_id: str, now: Instant) -> wire.Response | None:
    if request := requests.find(db, command_id):
        return _of_request(db, request, now)
    order = updates.read(db)
    return _of_update(order, now) if order and order.id == command_id else None


def _of_request(db: sqlite3.Connection, request: WardRequest, now: Instant) -> wire.Response:
    """Adds "undated" before and after the household has decided, if the request's recordings cannot be dated."""
    begin_ms, end_ms = request.begin_ms, request.end_ms
    undated = (request.state in ("waiting", "approved") and begin_ms is not None and end_ms is not None
               and not clips.are_dated(db, request.camera, begin_ms, end_ms))
    return of_request(request, now, undated=undated)


def close_interrupted(db: sqlite3.Connection, now: Instant) -> None:
    """Answers commands that an earlier process left unfinished as failed: how far they came is unknown."""
    pending = {command.id for command in going_on(db)}          # the household may still decide
    pending |= {order.id for order in [updates.read(db)] if order and order.open}       # root is at work on it
    for command in (command for command in unfinished(db) if command.id not in pending):
        with transaction(db):
            _put(db, command, response(command.id, "failed", "interrupted", now), now)


def _put(db: sqlite3.Connection, ordered: Ordered, reply: wire.Response, now: Instant) -> bytes:
    payload = wire.encode(reply)
    if not is_final(payload):
        answered(db, ordered, payload)
    elif finish(db, ordered, reply.st, payload):
        _announce(db, ordered, now, reply.st, reply.code)
    return payload


def _announce(db: sqlite3.Connection, ordered: Ordered, now: Instant, state: str, code: str | None) -> None:
    data = wire.CommandData(id=ordered.id, name=ordered.name, st=state, code=code, by=ordered.by)
    outbox.append(db, "command", None, now, wire.encode(data))


def answer(db: sqlite3.Connection, command_id: str, signed: bool = False) -> bytes | None:
    """Returns the present answer, final or not; None if there is no such command (if `signed`: no signed one)."""
    row = db.execute("SELECT answer FROM command WHERE id = ? AND signed >= ?", (command_id, signed)).fetchone()
    return row["answer"].encode() if row else None


def add(db: sqlite3.Connection, ordered: Ordered) -> None:
    """Records a new command, replaces an unsigned one of its id, drops old ones; in the caller's transaction."""
    when = ordered.when
    db.execute("DELETE FROM command WHERE id = ? AND NOT signed", (ordered.id,))
    db.execute("INSERT INTO command (id, name, asker, state, answer, signed, who, correlation, boot, mono_ms, wall_ms, "
               "clock) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
               (ordered.id, ordered.name, ordered.by, ordered.state, ordered.answer.decode(), ordered.signed,
                ordered.who, ordered.correlation, when.boot, when.mono_ms, when.wall_ms, when.clock))
    _forget(db, when)


def finish(db: sqlite3.Connection, ordered: Ordered, state: str, payload: bytes) -> bool:
    """Records the final answer, in the transaction of what the command did; returns False if there was one already."""
    return db.execute("UPDATE command SET state = ?, answer = ? WHERE id = ? AND signed = ? AND state = 'accepted'",
                      (state, payload.decode(), ordered.id, ordered.signed)).rowcount == 1


def answered(db: sqlite3.Connection, ordered: Ordered, payload: bytes) -> None:
    db.execute("UPDATE command SET answer = ? WHERE id = ? AND signed = ? AND state = 'accepted'",
               (payload.decode(), ordered.id, ordered.signed))


def withdraw_health(db: sqlite3.Connection) -> None:
    """Removes health data from stored answers, some of which may not be sent yet; in the caller's transaction."""
    db.execute("UPDATE command SET answer = json_remove(answer, '$.data.health', '$.data.cams') "
               "WHERE name IN ('diagnostics', 'pause.state')")


def unfinished(db: sqlite3.Connection) -> list[Ordered]:
    return _read(db, "state = 'accepted' ORDER BY n", KEPT_N)


def going_on(db: sqlite3.Connection) -> list[Ordered]:
    """Lists accepted commands that ask for pictures. The outcome of the request is their answer."""
    return _read(db, "state = 'accepted' AND id IN (SELECT id FROM request) ORDER BY n", KEPT_N)


def unsent(db: sqlite3.Connection, limit_n: int) -> list[Ordered]:
    """Lists final answers that no subscriber got, newest first: an asker that stays away must not delay the others."""
    return _read(db, "told = 0 AND state != 'accepted' ORDER BY n DESC", limit_n)


def mark_sent(db: sqlite3.Connection, command_id: str) -> None:
    """Notes that the final answer has reached a subscriber, as the broker says."""
    with transaction(db):
        db.execute("UPDATE command SET told = 1 WHERE id = ? AND state != 'accepted'", (command_id,))


def _read(db: sqlite3.Connection, which: str, limit_n: int) -> list[Ordered]:
    rows = sound(db, "command", f"SELECT * FROM command WHERE {which} LIMIT ?", (limit_n,))
    return [Ordered(id=row["id"], name=row["name"], by=row["asker"], state=row["state"], answer=row["answer"].encode(),
                    signed=bool(row["signed"]), who=row["who"], correlation=row["correlation"],
                    when=boots.instant(row)) for row in rows]


def _forget(db: sqlite3.Connection, now: Instant) -> None:
    # Within a boot the monotonic clock gives the age; across boots the wall clock, if both times are reliable.
    db.execute("DELETE FROM command WHERE boot = ? AND ? - mono_ms > ?", (now.boot, now.mono_ms, KEPT_MS))
    if boots.is_sure(db, now.boot, now.clock):
        db.execute(f"DELETE FROM command WHERE boot != ? AND {boots.SURE.format(t='command')} "
                   f"AND ? - {boots.DATED.format(t='command')} > ?", (now.boot, now.wall_ms, KEPT_MS))
    db.execute("DELETE FROM command WHERE n IN (SELECT n FROM command WHERE state != 'accepted' ORDER BY signed, n "
               "LIMIT MAX(0, (SELECT COUNT(*) FROM command) - ?))", (KEPT_N,))
