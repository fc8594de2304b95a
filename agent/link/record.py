"""What is written about a command, each time in one transaction: its record, its answer, the event that tells of it."""
import sqlite3

import msgspec
from msgspec import Struct

from agent.core import wire
from agent.core.wire.reports import CommandState
from agent.host.clock import Instant
from agent.link.deeds import Deed
from agent.store import commands, outbox
from agent.store.commands import Ordered
from agent.store.database import transaction


def response(command_id: str, state: CommandState, code: str | None, now: Instant,
             data: Struct | None = None) -> wire.Response:
    """An answer, dated if the time is known."""
    return wire.Response(v=wire.VERSION, id=command_id, st=state, code=code,
                         data=None if data is None else msgspec.to_builtins(data),
                         ts=None if now.clock == "unset" else now.wall_ms)


def register(db: sqlite3.Connection, ordered: Ordered, code: str | None) -> tuple[bytes, bool]:
    """Record a command unless its id is known. Returns the answer that stands, and whether the command is new."""
    with transaction(db):
        if (known := commands.answer(db, ordered.id)) is not None:
            return known, False
        commands.add(db, ordered)
        if ordered.state != "accepted":
            _tell(db, ordered, ordered.when, ordered.state, code)
    return ordered.answer, True


def finish(db: sqlite3.Connection, ordered: Ordered, deed: Deed, now: Instant) -> bytes:
    """What the deed writes, and its answer, which is returned."""
    with transaction(db):
        data = deed.write(db, now)
        payload = wire.encode(response(ordered.id, deed.state, deed.code, now, data))
        if commands.finish(db, ordered.id, deed.state, payload):
            _tell(db, ordered, now, deed.state, deed.code)
    return payload


def got(db: sqlite3.Connection, command_id: str) -> None:
    """Somebody gets the answer: the broker's word."""
    with transaction(db):
        commands.told(db, command_id)


def close_interrupted(db: sqlite3.Connection, now: Instant) -> None:
    """What a process left unfinished that is dead now: nobody knows how far it came, so it is not begun again."""
    for each in commands.unfinished(db):
        with transaction(db):
            payload = wire.encode(response(each.id, "failed", "interrupted", now))
            commands.finish(db, each.id, "failed", payload)
            _tell(db, each, now, "failed", "interrupted")


def _tell(db: sqlite3.Connection, ordered: Ordered, now: Instant, state: str, code: str | None) -> None:
    data = wire.CommandData(id=ordered.id, name=ordered.name, st=state, code=code, by=ordered.by)
    outbox.append(db, "command", None, now, wire.encode(data))
