"""The ward's requests for pictures in its database, each with its steps.

Four processes write here: command and desk, which ask; the ingest, which receives answers; the intake, which receives
uploads. A request that has ended does not change. Each change is one transaction with its step, and steps are never
deleted.
"""
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

import msgspec
import sqlalchemy as sql

from agent.core.household.sharing_rules import Kind
from agent.ward import database, quota, ward_side
from agent.ward.database import request as _request
from agent.ward.database import request_step as _step
from agent.ward.database import transaction

State = Literal["made", "sent", "waiting", "running", "done", "failed", "refused", "expired", "cancelled"]
Who = Literal["ops", "desk", "device", "intake"]
OPEN: tuple[State, ...] = ("made", "sent", "waiting", "running")        # in the order in which they follow
# The state that a device's answer leads to. "done" is not among them: the ward's own intake says that.
HEARD: dict[str, State] = {"accepted": "sent", "waiting_consent": "waiting", "running": "running", "failed": "failed",
                           "refused": "refused", "expired": "expired"}
CANCELLED, UNCHECKED = "cancelled", "unchecked"
NO_ANSWER = "no_answer"         # the code if the command expired without an answer; a late one still counts
# What may be changed still.
_LIVE = _request.c.state.in_(OPEN) | ((_request.c.state == "expired") & (_request.c.code == NO_ANSWER))


class _Expiring(msgspec.Struct, frozen=True):
    exp: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureRequest:
    """One request. Times are UTC ms by the ward's clock; None for unknown values."""

    id: str
    dev: str
    kind: Kind
    cam: str
    case_no: str
    purpose: str
    officer: str
    basis: str
    made_ms: int
    until_ms: int
    command: str                    # as it was signed: JSON
    begin_ms: int | None = None
    end_ms: int | None = None
    state: State = "made"
    code: str | None = None
    told_n: int | None = None       # its number at the household
    sent_b: int | None = None       # as the device reports
    total_b: int | None = None
    bytes: int | None = None        # of the upload, as it was announced
    sha256: str | None = None
    manifest: str | None = None
    certificate: str | None = None  # the sender's: SHA-256 of its public key, hex
    place: str | None = None        # the folder of the upload, below the intake's
    receipt: str | None = None      # JSON

    @property
    def open(self) -> bool:
        return self.state in OPEN

    @property
    def command_until_ms(self) -> int:
        return msgspec.json.decode(self.command, type=_Expiring).exp or self.until_ms

    def may_go_on(self, now_ms: int) -> bool:
        """Whether it is open, or has ended without an answer that may come late."""
        return self.open or (self.code == NO_ANSWER and now_ms < self.until_ms)


@dataclass(frozen=True, slots=True)
class RequestStep:
    at_ms: int
    who: str
    what: str
    detail: str | None


class PictureRequests:
    """The requests of one ward. Every method raises DatabaseFault."""

    def __init__(self, engine: sql.Engine) -> None:
        self._engine = engine

    def add(self, request: PictureRequest, who: Who = "ops", detail: str | None = None) -> None:
        with transaction(self._engine) as db:
            db.execute(sql.insert(_request).values(asdict(request)))
            _note(db, request.id, request.made_ms, who, request.state, detail=detail)

    def find(self, request_id: str) -> PictureRequest | None:
        with transaction(self._engine) as db:
            return _find(db, request_id)

    def newest(self, limit_n: int, after_n: int = 0, dev: str | None = None) -> list[PictureRequest]:
        """Returns up to `limit_n` requests, of `dev` if given, newest first, without the first `after_n`."""
        asked = sql.select(_request).order_by(_request.c.made_ms.desc(), _request.c.id.desc())
        asked = asked if dev is None else asked.where(_request.c.dev == dev)
        with transaction(self._engine) as db:
            return [_of(row) for row in db.execute(asked.limit(limit_n).offset(after_n))]

    def purposes(self) -> list[str]:
        with transaction(self._engine) as db:
            return list(db.execute(sql.select(_request.c.purpose).distinct().order_by(_request.c.purpose)).scalars())

    def open_ones(self) -> list[PictureRequest]:
        with transaction(self._engine) as db:
            return [_of(row) for row in db.execute(sql.select(_request).where(_request.c.state.in_(OPEN)))]

    def failed_of(self, dev: str) -> list[str]:
        with transaction(self._engine) as db:
            return list(db.execute(sql.select(_request.c.id).where(
                _request.c.dev == dev, _request.c.state == "failed")).scalars())

    def steps(self, request_id: str) -> list[RequestStep]:
        with transaction(self._engine) as db:
            return [RequestStep(row.at_ms, row.who, row.what, row.detail) for row in db.execute(
                sql.select(_step).where(_step.c.request == request_id).order_by(_step.c.n))]

    def become(self, request_id: str, state: State, who: Who, now_ms: int, detail: str | None = None,
               **changes: str | int | None) -> bool:
        """Sets state and `changes` (columns), and notes the step; returns False for a request that had ended."""
        with transaction(self._engine) as db:
            return _become(db, request_id, state, who, now_ms, detail=detail, changes=changes)

    def announced(self, request_id: str, size_b: int, sha256: str, manifest: str | None, certificate: str,
                  now_ms: int) -> bool:
        """Notes an announced upload; returns False if the request has ended, or another was announced."""
        with transaction(self._engine) as db:
            changed = db.execute(sql.update(_request).where(
                _request.c.id == request_id, _request.c.state.in_(OPEN), _request.c.bytes.is_(None)
                ).values(bytes=size_b, sha256=sha256, manifest=manifest, certificate=certificate))
            if changed.rowcount:
                _note(db, request_id, now_ms, "intake", "announced",
                      detail=f"{size_b} bytes, SHA-256 {sha256}")
            return bool(changed.rowcount)

    def withdrawn(self, request_id: str, now_ms: int, why: str | None = None) -> None:
        """Notes that the upload is given up, by its device without a `why`; another one may come."""
        with transaction(self._engine) as db:
            if db.execute(sql.update(_request).where(_request.c.id == request_id, _request.c.state.in_(OPEN)).values(
                    bytes=None, sha256=None, manifest=None, certificate=None)).rowcount:
                _note(db, request_id, now_ms, "intake", "withdrawn", detail=why)

    def note(self, request_id: str, who: Who, what: str, now_ms: int, detail: str) -> None:
        with transaction(self._engine) as db:
            _note(db, request_id, now_ms, who, what, detail=detail)

    def unchecked_n(self, request_id: str) -> int:
        with transaction(self._engine) as db:
            return db.execute(sql.select(sql.func.count()).select_from(_step).where(
                _step.c.request == request_id, _step.c.what == UNCHECKED)).scalar_one()

    def over_share(self, dev: str, now_ms: int) -> None:
        """Notes for `taimat ward watch` that a device has announced more than its share."""
        with transaction(self._engine) as db:
            quota.note_excess(db, [(dev, "over_spool")], now_ms)

    def witnesses(self, dev: str) -> tuple[str | None, dict[int, str]]:
        """Returns the newest key's fingerprint and the ledger heads by row number, from a device's health reports."""
        with transaction(self._engine) as db:
            newest = db.execute(sql.select(database.device.c.health).where(database.device.c.dev == dev)).scalar()
            kept = db.execute(sql.select(database.health_history.c.message).where(
                database.health_history.c.dev == dev).order_by(database.health_history.c.slot_ms))
            heads = [head for row in kept if (head := ward_side.ledger_head(row.message))]
        latest = ward_side.ledger_head(newest) if newest else None
        return latest.key if latest else None, {each.n: each.head for each in [*heads, *([latest] if latest else [])]}


def apply_answer(db: sql.Connection, dev: str, answer: ward_side.CommandAnswer, now_ms: int) -> None:
    """Applies a device's answer, in the caller's transaction. Ignores an answer to no request of this device."""
    known = _find(db, answer.id)
    if known is None or known.dev != dev or not known.may_go_on(now_ms):
        return
    state = CANCELLED if answer.code == CANCELLED else HEARD.get(answer.st)
    if state is None or (known.open and state in OPEN and OPEN.index(state) < OPEN.index(known.state)):
        return
    changes = {"told_n": answer.request, "sent_b": answer.sent_b, "total_b": answer.total_b}
    told_now: dict[str, Any] = {name: value for name, value in changes.items() if value is not None}
    if state != known.state:
        code = answer.code              # of one that goes on: what stands in its way
        _become(db, answer.id, state, "device", now_ms, detail=answer.code, changes=told_now | {"code": code})
    elif told_now:
        db.execute(sql.update(_request).where(_request.c.id == answer.id).values(told_now))


def _become(db: sql.Connection, request_id: str, state: str, who: Who, now_ms: int, detail: str | None,
            changes: dict[str, Any]) -> bool:
    changed = db.execute(sql.update(_request).where(_request.c.id == request_id, _LIVE).values(
        {"state": state, "code": None} | changes))
    if changed.rowcount:
        _note(db, request_id, now_ms, who, state, detail=detail)
    return bool(changed.rowcount)


def _note(db: sql.Connection, request_id: str, now_ms: int, who: Who, what: str, detail: str | None) -> None:
    db.execute(sql.insert(_step).values(request=request_id, at_ms=now_ms, who=who, what=what, detail=detail))


def _find(db: sql.Connection, request_id: str) -> PictureRequest | None:
    row = db.execute(sql.select(_request).where(_request.c.id == request_id)).first()
    return _of(row) if row else None


def _of(row: Any) -> PictureRequest:
    return PictureRequest(**{each.name: getattr(row, each.name) for each in fields(PictureRequest)})
