"""The ward's requests as the keeper has taken them up, and what was decided on each.

A decision is written here first. Shared row, ledger and message to the ward follow in one transaction, so a kill in
between causes neither a lost decision nor a second row of the ledger.
"""
import contextlib
import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from agent.core.contract import wire
from agent.core.evidence.ledger.acts import Decided
from agent.core.household.sharing_rules import Decision, State, may_become
from agent.host.clock import Instant
from agent.store import boots, ledger, meta, outbox, requests
from agent.store.database import transaction
from agent.store.requests import RequestError, WardRequest, preview

Agreed = Mapping[str, str | None]       # SHA-256 (hex) by the clip's name; None if it was not known yet
Word = Decision | Literal["waiting", "failed"]

AGREED = "agreed "                  # and the request's id: the key in the keeper's meta of what was approved, as JSON
KEPT_MS = 30 * 86_400_000           # later a command can't come again: core.contract.wire.commands.AHEAD_MAX_MS
RELEASED_MS = 7 * 86_400_000        # after its approval; nothing is packed later
UNDER_WAY: tuple[State, ...] = ("approved", "packed")


@dataclass(frozen=True, slots=True)
class RequestDecision:
    """A request, and the newest decision on it. Times are UTC in ms."""

    request: str
    digest: str                     # WardRequest.digest of what was shown and decided on
    expires_ms: int                 # from then on its command is refused
    until_ms: int                   # then the household is too late
    code: Word
    by: str | None
    when: Instant                   # of the decision
    told: bool                      # the shared row, the ledger and the ward have it
    clips: Agreed | None = None     # the approved clips; None: all, by a rule

    def releases(self, request: WardRequest) -> bool:
        """Whether exactly these pictures may leave the house."""
        return self.code == "approved" and self.digest == request.digest

    def is_told_by(self, row: WardRequest) -> bool:
        """Whether the shared row says so already, however far the request has come since."""
        if (row.decided_by, row.decided_ms, row.until_ms) != (self.by, self._decided_ms, self.until_ms):
            return False
        return row.state == self.code or (self.code == "approved" and row.state not in ("new", "waiting"))

    @property
    def _decided_ms(self) -> int | None:
        return self.when.wall_ms if self.by else None

    def tell(self, db: sqlite3.Connection) -> None:
        requests.stand(db, self.request, self.code, self.by, self._decided_ms, until_ms=self.until_ms)


def find(own: sqlite3.Connection, request_id: str) -> RequestDecision | None:
    """Returns the decision on this request; None if the keeper has not taken it up."""
    return next(iter(_read(own, "request = ?", request_id)), None)


def waiting(own: sqlite3.Connection) -> list[RequestDecision]:
    return _read(own, "code = 'waiting'")


def take_up(own: sqlite3.Connection, db: sqlite3.Connection, found: RequestDecision) -> None:
    """Adds a request that the ward has certainly signed, decided by the household's rule. Raises sqlite3.Error."""
    with transaction(own):
        own.execute("INSERT INTO decision (request, digest, expires_ms, until_ms, code, by, boot, mono_ms, wall_ms, "
                    "clock) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (found.request, found.digest, found.expires_ms, found.until_ms, found.code, found.by,
                     found.when.boot, found.when.mono_ms, found.when.wall_ms, found.when.clock))
    tell(own, db)


def decide(own: sqlite3.Connection, db: sqlite3.Connection, request_id: str, digest: str, code: Decision, by: str,
           now: Instant, shown: str = "") -> WardRequest:
    """Decides on what has this digest, and on the clips with the digest `shown` ("": on the present ones). Returns the
    request's present state. Raises sqlite3.Error, and RequestError if it is too late or if something else was shown."""
    tell(own, db)
    with transaction(own):
        known, row = find(own, request_id), requests.find(db, request_id)
        if known is None or row is None:
            raise RequestError("there is no such request; taimat requests list shows them")
        if not digest == known.digest == row.digest:
            raise RequestError(f"request {row.n} is not what was shown: look at it again")
        if not may_become(known.code, code) or not may_become(row.state, code):
            raise RequestError(f"request {row.n} is {row.state} already")
        found = preview(db, row) if code == "approved" else None
        if found and shown not in ("", found.digest):
            raise RequestError(f"the recordings of request {row.n} are not those that were shown: look at it again")
        own.execute("UPDATE decision SET code = ?, by = ?, boot = ?, mono_ms = ?, wall_ms = ?, clock = ?, told = 0 "
                    "WHERE request = ?", (code, by, now.boot, now.mono_ms, now.wall_ms, now.clock, request_id))
        if found:
            meta.put(own, AGREED + request_id, json.dumps(found.agreed))
    tell(own, db)
    return requests.find(db, request_id) or row


def refuse_all(own: sqlite3.Connection, db: sqlite3.Connection, by: str, now: Instant) -> None:
    """Raises sqlite3.Error."""
    for decision in _read(own, "code IN ('waiting', 'approved')"):
        with contextlib.suppress(RequestError):         # the ward has it already
            decide(own, db, decision.request, decision.digest, "refused", by=by, now=now)


def fail(own: sqlite3.Connection, request_id: str) -> None:
    """Ends a request of which it is not known what it asks for."""
    own.execute("UPDATE decision SET code = 'failed', told = 1 WHERE request = ?", (request_id,))


def put_right(own: sqlite3.Connection, db: sqlite3.Connection, request_id: str) -> bool:
    """Makes the shared row say what was decided; returns whether it said something else. Raises sqlite3.Error."""
    with transaction(own), transaction(db):
        known, row = find(own, request_id), requests.find(db, request_id)
        wrong = bool(known and row and known.told and not known.is_told_by(row))
        if known and wrong:
            known.tell(db)
    return wrong


def tell(own: sqlite3.Connection, db: sqlite3.Connection) -> bool:
    """Writes decisions into shared row, ledger and outbox, by a `db` that marks; returns whether there were any."""
    untold = _read(own, "told = 0")
    for decision in untold:
        with transaction(own), transaction(db):         # the shared one is committed first
            known, row = find(own, decision.request), requests.find(db, decision.request)
            if known and row and row.digest == known.digest and not known.is_told_by(row):
                known.tell(db)
                if known.code not in ("waiting", "failed"):
                    ledger.note(db, known.when, Decided(
                        request=row.id, code=known.code, by=known.by or "", asked=row.kind, camera=row.camera,
                        case=row.case_no, purpose=row.purpose, officer=row.officer, basis=row.basis,
                        begin_ms=row.begin_ms, end_ms=row.end_ms))
                    outbox.append(db, "consent", row.camera, known.when, wire.encode(wire.ConsentData(
                        request=row.id, code=known.code, by=known.by or "", case=row.case_no)))
            own.execute("UPDATE decision SET told = 1 WHERE request = ?", (decision.request,))
    return bool(untold)


def forget(own: sqlite3.Connection, db: sqlite3.Connection, now: Instant) -> None:
    """Drops decisions that no command can ask for again, if the clock is right. Raises sqlite3.Error."""
    over = f"code != 'waiting' AND told = 1 AND MAX(expires_ms, wall_ms) < {now.wall_ms - KEPT_MS:d}"
    if _read(own, over) and boots.is_sure(db, now.boot, now.clock):
        with transaction(own):
            own.execute(f"DELETE FROM meta WHERE key IN (SELECT '{AGREED}' || request FROM decision WHERE {over})")
            own.execute(f"DELETE FROM decision WHERE {over}")


def _read(own: sqlite3.Connection, which: str, *values: str) -> list[RequestDecision]:
    rows = own.execute(f"SELECT *, (SELECT value FROM meta WHERE key = '{AGREED}' || request) AS clips FROM decision "
                       f"WHERE {which}", values)
    return [RequestDecision(request=row["request"], digest=row["digest"], expires_ms=row["expires_ms"],
                            until_ms=row["until_ms"], code=row["code"], by=row["by"], when=boots.instant(row),
                            told=bool(row["told"]), clips=json.loads(row["clips"]) if row["clips"] else None)
            for row in rows]
