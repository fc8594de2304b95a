"""The ward's requests for pictures: what each asks for, who decided, and what became of it.

Each step is one transaction with its row for the ledger and its event, so none happens without being told.
"""
import sqlite3
from dataclasses import dataclass

from agent.core.contract import wire
from agent.core.evidence.ledger import Decided, Delivered
from agent.core.household.sharing_rules import Decision, Kind, State, may_become
from agent.host.clock import Instant
from agent.store import boots, ledger, outbox
from agent.store.database import transaction

KEPT_N = 2000               # requests; the oldest that are at their end go first
WAITING_MAX = 50            # open at once: a household can't judge more
OPEN = "state IN ('waiting', 'approved', 'packed')"
GIVEN = ("id", "kind", "camera", "begin_ms", "end_ms", "case_no", "purpose", "officer", "basis", "upload",
         "receipt_key", "until_ms")
COLUMNS = ", ".join((*GIVEN, "n", "state", "wall_ms", "decided_by", "decided_ms", "code", "bytes", "sha256", "manifest",
                     "sent_b", "receipt"))


class RequestError(Exception):
    """The request can't become that; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WardRequest:
    """One request. Times are UTC in ms, None where there is none."""

    id: str                             # the ward's command
    kind: Kind
    camera: str
    case_no: str
    purpose: str
    officer: str
    basis: str
    upload: str                         # URL of the ward's intake
    receipt_key: str                    # Ed25519, hex
    until_ms: int                       # so long the household has to decide
    begin_ms: int | None = None
    end_ms: int | None = None
    n: int = 0                          # by which the household knows it; given when it is added
    state: State = "waiting"
    wall_ms: int = 0                    # when it came
    decided_by: str | None = None
    decided_ms: int | None = None
    code: str | None = None             # why it failed
    bytes: int | None = None            # of the file that leaves the house
    sha256: str | None = None
    manifest: str | None = None
    sent_b: int = 0
    receipt: str | None = None


def add(db: sqlite3.Connection, request: WardRequest, now: Instant, approved: bool) -> WardRequest:
    """A new one, which waits for the household unless its rule has `approved` it; in the caller's transaction.

    Raises RequestError where too many wait already.
    """
    if db.execute(f"SELECT COUNT(*) FROM request WHERE {OPEN}").fetchone()[0] >= WAITING_MAX:
        raise RequestError(f"{WAITING_MAX} requests are open already")
    marks = ", ".join("?" * (len(GIVEN) + 5))
    db.execute(f"INSERT INTO request ({', '.join(GIVEN)}, state, boot, mono_ms, wall_ms, clock) VALUES ({marks})",
               (*(getattr(request, name) for name in GIVEN), "waiting", now.boot, now.mono_ms, now.wall_ms, now.clock))
    if approved:
        _become(db, request.id, "approved", decided_by="rule", decided_ms=now.wall_ms)
        _tell_decision(db, request, "approved", "rule", now)
    db.execute("DELETE FROM request WHERE n IN (SELECT n FROM request WHERE NOT " + OPEN +
               " ORDER BY n LIMIT MAX(0, (SELECT COUNT(*) FROM request) - ?))", (KEPT_N,))
    return _known(db, request.id)


def get(db: sqlite3.Connection, number: int) -> WardRequest | None:
    """By the household's number."""
    return _one(db, "n = ?", number)


def find(db: sqlite3.Connection, request_id: str) -> WardRequest | None:
    """By the ward's command."""
    return _one(db, "id = ?", request_id)


def open_ones(db: sqlite3.Connection) -> list[WardRequest]:
    """All that are not at their end, oldest first."""
    return _read(db, f"{OPEN} ORDER BY n", -1)


def waiting_n(db: sqlite3.Connection) -> int:
    """How many wait for the household."""
    return db.execute("SELECT COUNT(*) FROM request WHERE state = 'waiting'").fetchone()[0]


def newest(db: sqlite3.Connection, limit_n: int) -> list[WardRequest]:
    """The latest, newest first."""
    return _read(db, "1 ORDER BY n DESC", limit_n)


def decide(db: sqlite3.Connection, request_id: str, code: Decision, by: str, now: Instant) -> WardRequest:
    """Somebody's word: "approved" or "refused" by the household (command, page), "cancelled" by the ward.

    Raises RequestError where it is too late for that.
    """
    with transaction(db):
        return decide_within(db, request_id, code, by, now)


def decide_within(db: sqlite3.Connection, request_id: str, code: Decision, by: str, now: Instant) -> WardRequest:
    """The same in the caller's transaction."""
    request = _become(db, request_id, code, decided_by=by, decided_ms=now.wall_ms)
    _tell_decision(db, request, code, by, now)
    return _known(db, request_id)


def lapse(db: sqlite3.Connection, now: Instant) -> list[WardRequest]:
    """Give up those that waited too long for the household; only a clock that is right tells. Returns them."""
    if not boots.is_sure(db, now.boot, now.clock):
        return []
    late = _read(db, f"state = 'waiting' AND until_ms <= {now.wall_ms:d} ORDER BY n", -1)
    return [decide(db, request.id, "lapsed", "time", now) for request in late]


def packed(db: sqlite3.Connection, request_id: str, size_b: int, sha256: str, manifest: str | None) -> None:
    """The file that leaves the house is there, whole and flushed. Raises RequestError."""
    with transaction(db):
        _become(db, request_id, "packed", bytes=size_b, sha256=sha256, manifest=manifest)


def unpacked(db: sqlite3.Connection, request_id: str) -> None:
    """The file is gone again, as after a damaged card: it is to be made anew."""
    db.execute("UPDATE request SET state = 'approved', bytes = NULL, sha256 = NULL, manifest = NULL, sent_b = 0 "
               "WHERE id = ? AND state = 'packed'", (request_id,))


def sent(db: sqlite3.Connection, request_id: str, sent_b: int) -> None:
    """So many bytes have reached the ward."""
    db.execute("UPDATE request SET sent_b = ? WHERE id = ? AND state = 'packed'", (sent_b, request_id))


def deliver(db: sqlite3.Connection, request_id: str, receipt: str, now: Instant) -> WardRequest:
    """The ward's receipt, checked, is there; in the caller's transaction. Raises RequestError."""
    request = _become(db, request_id, "delivered", receipt=receipt)
    assert request.bytes is not None and request.sha256 is not None
    ledger.note(db, now, Delivered(request=request.id, bytes=request.bytes, sha256=request.sha256, receipt=receipt,
                                   manifest=request.manifest))
    outbox.append(db, "delivery", request.camera, now, wire.encode(wire.DeliveryData(
        request=request.id, bytes=request.bytes, sha256=request.sha256, case=request.case_no,
        manifest=request.manifest)))
    return _known(db, request_id)


def fail(db: sqlite3.Connection, request_id: str, code: str) -> None:
    """It can't be done, for good. Raises RequestError."""
    with transaction(db):
        _become(db, request_id, "failed", code=code)


def _become(db: sqlite3.Connection, request_id: str, state: State, **changes: str | int | None) -> WardRequest:
    """The request as it was before, which has changed now. Raises RequestError."""
    request = find(db, request_id)
    if request is None:
        raise RequestError("there is no such request; taimat requests list shows them")
    if not may_become(request.state, state):
        raise RequestError(f"request {request.n} is {request.state} already")
    names = ", ".join(f"{name} = ?" for name in ("state", *changes))
    db.execute(f"UPDATE request SET {names} WHERE id = ?", (state, *changes.values(), request_id))
    return request


def _tell_decision(db: sqlite3.Connection, request: WardRequest, code: Decision, by: str, now: Instant) -> None:
    ledger.note(db, now, Decided(
        request=request.id, code=code, by=by, asked=request.kind, camera=request.camera, case=request.case_no,
        purpose=request.purpose, officer=request.officer, basis=request.basis, begin_ms=request.begin_ms,
        end_ms=request.end_ms))
    outbox.append(db, "consent", request.camera, now, wire.encode(wire.ConsentData(
        request=request.id, code=code, by=by, case=request.case_no)))


def _known(db: sqlite3.Connection, request_id: str) -> WardRequest:
    request = find(db, request_id)
    assert request is not None
    return request


def _one(db: sqlite3.Connection, which: str, value: str | int) -> WardRequest | None:
    row = db.execute(f"SELECT {COLUMNS} FROM request WHERE {which}", (value,)).fetchone()
    return WardRequest(**row) if row else None


def _read(db: sqlite3.Connection, which: str, limit_n: int) -> list[WardRequest]:
    rows = db.execute(f"SELECT {COLUMNS} FROM request WHERE {which} LIMIT ?", (limit_n,))
    return [WardRequest(**row) for row in rows]
