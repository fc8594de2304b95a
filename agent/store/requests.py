"""The ward's requests for pictures, as all roles see them: what each asks for, and what became of it.

The rows are a view: what is asked stands in the ward's signed command, and what was decided in the keeper's own
database (agent/store/decisions/decided.py).
"""
import contextlib
import hashlib
import sqlite3
from dataclasses import dataclass

from agent.core.contract import wire
from agent.core.evidence.ledger import Delivered, NotCanonical, canonical
from agent.core.evidence.ledger.row import fingerprint
from agent.core.household.sharing_rules import Kind, State, may_become
from agent.host.clock import Instant
from agent.store import ledger, outbox
from agent.store.database import transaction
from agent.store.row_check import sound

KEPT_N = 2000               # requests; the oldest that are at their end go first
WAITING_MAX = 50            # open at once: a household can't judge more
OPEN = "state IN ('new', 'waiting', 'approved', 'packed')"
DOORS = ("rule", "command", "page", "time", "ward", "leaving")      # by which a decision came
ASKED = ("id", "kind", "camera", "begin_ms", "end_ms", "case_no", "purpose", "officer", "basis", "upload",
         "receipt_key")
COLUMNS = ", ".join((*ASKED, "command", "n", "state", "until_ms", "cancel", "wall_ms", "decided_by", "decided_ms",
                     "code", "bytes", "sha256", "manifest", "sent_b", "receipt"))


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
    begin_ms: int | None = None
    end_ms: int | None = None
    command: bytes = b""                # all of that, as the ward has signed it
    n: int = 0                          # by which the household knows it; given when it is added
    state: State = "new"
    until_ms: int | None = None         # so long the household has to decide
    cancel: bytes | None = None         # the ward's signed command that it is not wanted any more
    wall_ms: int = 0                    # when it came
    decided_by: str | None = None
    decided_ms: int | None = None
    code: str | None = None             # why it failed
    bytes: int | None = None            # of the file that leaves the house
    sha256: str | None = None
    manifest: str | None = None
    sent_b: int = 0
    receipt: str | None = None

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of what is asked: by it everybody knows that the same was shown, decided and packed.

        "" for values that no command has.
        """
        with contextlib.suppress(NotCanonical):
            return hashlib.sha256(canonical({name: getattr(self, name) for name in ASKED})).hexdigest()
        return ""

    @property
    def intake_key(self) -> str:
        """The short name of the key by whose receipt the intake is known, in groups that people can compare."""
        with contextlib.suppress(ValueError):       # of a row that the ward's command never made
            name = fingerprint(bytes.fromhex(self.receipt_key))
            return " ".join(name[at:at + 4] for at in range(0, len(name), 4))
        return self.receipt_key


def add(db: sqlite3.Connection, request: WardRequest, now: Instant) -> None:
    """A new one, for the keeper to look at; in the caller's transaction. Raises RequestError where too many are open.
    """
    if db.execute(f"SELECT COUNT(*) FROM request WHERE {OPEN}").fetchone()[0] >= WAITING_MAX:
        raise RequestError(f"{WAITING_MAX} requests are open already")
    marks = ", ".join("?" * (len(ASKED) + 6))
    db.execute(f"INSERT INTO request ({', '.join(ASKED)}, command, state, boot, mono_ms, wall_ms, clock) "
               f"VALUES ({marks})", (*(getattr(request, name) for name in ASKED), request.command, "new", now.boot,
                                     now.mono_ms, now.wall_ms, now.clock))
    db.execute("DELETE FROM request WHERE n IN (SELECT n FROM request WHERE NOT " + OPEN +
               " ORDER BY n LIMIT MAX(0, (SELECT COUNT(*) FROM request) - ?))", (KEPT_N,))


def get(db: sqlite3.Connection, number: int) -> WardRequest | None:
    """By the household's number."""
    return _one(db, "n = ?", number)


def find(db: sqlite3.Connection, request_id: str) -> WardRequest | None:
    """By the ward's command."""
    return _one(db, "id = ?", request_id)


def open_ones(db: sqlite3.Connection) -> list[WardRequest]:
    """All that are not at their end, oldest first; more than there may be only where somebody else has written them."""
    return _read(db, f"{OPEN} ORDER BY n LIMIT ?", 2 * WAITING_MAX)


def waiting_n(db: sqlite3.Connection) -> int:
    """How many wait for the household."""
    return db.execute("SELECT COUNT(*) FROM request WHERE state = 'waiting'").fetchone()[0]


def newest(db: sqlite3.Connection, limit_n: int) -> list[WardRequest]:
    """The latest, newest first."""
    return _read(db, "1 ORDER BY n DESC LIMIT ?", limit_n)


def delivered(db: sqlite3.Connection, limit_n: int) -> list[WardRequest]:
    """The latest that the ward has, newest first."""
    return _read(db, "state = 'delivered' ORDER BY n DESC LIMIT ?", limit_n)


def cancel(db: sqlite3.Connection, request_id: str, command: bytes) -> None:
    """The ward has said by this command that it is not wanted any more; in the caller's transaction.

    Nothing leaves from now on, and the keeper writes down the end. Raises RequestError where it is too late for that.
    """
    if not db.execute(f"UPDATE request SET cancel = ? WHERE id = ? AND {OPEN} AND cancel IS NULL",
                      (command, request_id)).rowcount:
        raise RequestError("it is at its end already")


def uncancel(db: sqlite3.Connection, request_id: str) -> None:
    """The ward has not said so."""
    db.execute("UPDATE request SET cancel = NULL WHERE id = ?", (request_id,))


def stand(db: sqlite3.Connection, request_id: str, state: State, by: str | None, decided_ms: int | None,
          until_ms: int | None) -> None:
    """How the keeper says that it stands; in the caller's transaction."""
    db.execute("UPDATE request SET state = ?, decided_by = ?, decided_ms = ?, until_ms = ? WHERE id = ?",
               (state, by, decided_ms, until_ms, request_id))


def packed(db: sqlite3.Connection, request_id: str, size_b: int, sha256: str, manifest: str | None) -> None:
    """The file that leaves the house is there, whole and flushed. Raises RequestError."""
    with transaction(db):
        _become(db, request_id, "packed", bytes=size_b, sha256=sha256, manifest=manifest)


def unpacked(db: sqlite3.Connection, request_id: str) -> None:
    """The file is gone again, as after a damaged card: it is to be made anew."""
    db.execute("UPDATE request SET state = 'approved', bytes = NULL, sha256 = NULL, manifest = NULL, sent_b = 0 "
               "WHERE id = ? AND state = 'packed'", (request_id,))


def all_unpacked(db: sqlite3.Connection) -> None:
    """Each export that is packed and not delivered is to be made anew."""
    for request in open_ones(db):
        if request.kind == "clip":
            unpacked(db, request.id)


def sent(db: sqlite3.Connection, request_id: str, sent_b: int) -> None:
    """So many bytes have reached the ward."""
    db.execute("UPDATE request SET sent_b = ? WHERE id = ? AND state = 'packed'", (sent_b, request_id))


def deliver(db: sqlite3.Connection, request_id: str, receipt: str, now: Instant) -> WardRequest:
    """The ward's receipt, checked, is there; in the caller's transaction. Raises RequestError."""
    if (known := find(db, request_id)) and known.cancel is not None:
        raise RequestError("the ward has cancelled it")
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


def _known(db: sqlite3.Connection, request_id: str) -> WardRequest:
    request = find(db, request_id)
    assert request is not None
    return request


def _one(db: sqlite3.Connection, which: str, value: str | int) -> WardRequest | None:
    return next(iter(_read(db, f"{which} LIMIT 1", value)), None)


def _read(db: sqlite3.Connection, which: str, *values: str | int) -> list[WardRequest]:
    rows = sound(db, "request", f"SELECT {COLUMNS} FROM request WHERE {which}", values)
    return [WardRequest(**dict(row) | {"decided_by": row["decided_by"] if row["decided_by"] in DOORS else None})
            for row in rows]
