"""The ward's requests for pictures, as all roles see them: what each asks for, and what became of it.

The rows are only a view of the ward's signed command and of the keeper's own database (agent/store/decisions).
"""
import contextlib
import hashlib
import sqlite3
import urllib.parse
from dataclasses import dataclass, fields

from agent.core.contract import wire
from agent.core.contract.wire.commands import COMMANDS, LONGEST_MS, ClipExport, Snapshot, args
from agent.core.evidence.ledger.acts import Delivered
from agent.core.evidence.ledger.row import NotCanonical, canonical, fingerprint
from agent.core.household.sharing_rules import Kind, State, may_become
from agent.host.clock import Instant
from agent.store import boots, ledger, outbox
from agent.store.bound import as_told, sift
from agent.store.clips import Clip, reaching_into
from agent.store.database import transaction
from agent.store.row_check import sound

KEPT_N = 2000               # requests; the oldest ended ones are dropped first
WAITING_MAX = 50            # open at once, because a household can't judge more
OPEN = "state IN ('new', 'waiting', 'approved', 'packed')"
DOORS = ("rule", "command", "page", "time", "ward", "leaving")      # the origins of a decision
ASKED = ("id", "kind", "camera", "begin_ms", "end_ms", "case_no", "purpose", "officer", "basis", "upload",
         "receipt_key")


class RequestError(Exception):
    """The request cannot change like that; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WardRequest:
    """One request. Times are UTC in ms, None if not set."""

    id: str                             # id of the ward's command
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
    command: bytes = b""                # the whole request as the ward has signed it
    n: int = 0                          # the household's number of it, given when it is added
    state: State = "new"
    until_ms: int | None = None         # until then the household has to decide
    cancel: bytes | None = None         # the ward's signed command that cancels it
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
        """SHA-256 (hex) of what is asked, so that the same is shown, decided and packed; "" for invalid values."""
        with contextlib.suppress(NotCanonical):
            return hashlib.sha256(canonical({name: getattr(self, name) for name in ASKED})).hexdigest()
        return ""

    @property
    def intake_key(self) -> str:
        """The short name of the intake's receipt key, in groups that people can compare."""
        with contextlib.suppress(ValueError):       # for a row that another role wrote
            name = fingerprint(bytes.fromhex(self.receipt_key))
            return " ".join(name[at:at + 4] for at in range(0, len(name), 4))
        return self.receipt_key


COLUMNS = ", ".join(field.name for field in fields(WardRequest))


def add(db: sqlite3.Connection, request: WardRequest, now: Instant) -> None:
    """Adds a request for the keeper; in the caller's transaction. Raises RequestError if too many are open."""
    if db.execute(f"SELECT COUNT(*) FROM request WHERE {OPEN}").fetchone()[0] >= WAITING_MAX:
        raise RequestError(f"{WAITING_MAX} requests are open already")
    marks = ", ".join("?" * (len(ASKED) + 6))
    db.execute(f"INSERT INTO request ({', '.join(ASKED)}, command, state, boot, mono_ms, wall_ms, clock) "
               f"VALUES ({marks})", (*(getattr(request, name) for name in ASKED), request.command, "new", now.boot,
                                     now.mono_ms, now.wall_ms, now.clock))
    db.execute("DELETE FROM request WHERE n IN (SELECT n FROM request WHERE NOT " + OPEN +
               " ORDER BY n LIMIT MAX(0, (SELECT COUNT(*) FROM request) - ?))", (KEPT_N,))


def get(db: sqlite3.Connection, number: int) -> WardRequest | None:
    return next(iter(_read(db, "n = ? LIMIT 1", number)), None)


def find(db: sqlite3.Connection, request_id: str) -> WardRequest | None:
    return next(iter(_read(db, "id = ? LIMIT 1", request_id)), None)


def open_ones(db: sqlite3.Connection) -> list[WardRequest]:
    """Lists open requests, oldest first. Another role may have written more than are allowed."""
    return _read(db, f"{OPEN} ORDER BY n LIMIT ?", 2 * WAITING_MAX)


def waiting_n(db: sqlite3.Connection) -> int:
    return db.execute("SELECT COUNT(*) FROM request WHERE state = 'waiting'").fetchone()[0]


def newest(db: sqlite3.Connection, limit_n: int) -> list[WardRequest]:
    return _read(db, "1 ORDER BY n DESC LIMIT ?", limit_n)


def delivered(db: sqlite3.Connection, limit_n: int) -> list[WardRequest]:
    return _read(db, "state = 'delivered' ORDER BY n DESC LIMIT ?", limit_n)


def cancel(db: sqlite3.Connection, request_id: str, command: bytes) -> None:
    """Notes the ward's command that cancels it; in the caller's transaction. Raises RequestError if it is too late."""
    if not db.execute(f"UPDATE request SET cancel = ? WHERE id = ? AND {OPEN} AND cancel IS NULL",
                      (command, request_id)).rowcount:
        raise RequestError("it is at its end already")


def uncancel(db: sqlite3.Connection, request_id: str) -> None:
    db.execute("UPDATE request SET cancel = NULL WHERE id = ?", (request_id,))


def stand(db: sqlite3.Connection, request_id: str, state: State, by: str | None, decided_ms: int | None,
          until_ms: int | None) -> None:
    db.execute("UPDATE request SET state = ?, decided_by = ?, decided_ms = ?, until_ms = ? WHERE id = ?",
               (state, by, decided_ms, until_ms, request_id))


def packed(db: sqlite3.Connection, request_id: str, size_b: int, sha256: str, manifest: str | None) -> None:
    """The file that leaves the house is whole and flushed. Raises RequestError."""
    with transaction(db):
        _become(db, request_id, "packed", bytes=size_b, sha256=sha256, manifest=manifest)


def unpacked(db: sqlite3.Connection, request_id: str) -> None:
    """The file is gone, as after a damaged card: it has to be made again."""
    db.execute("UPDATE request SET state = 'approved', bytes = NULL, sha256 = NULL, manifest = NULL, sent_b = 0 "
               "WHERE id = ? AND state = 'packed'", (request_id,))


def all_unpacked(db: sqlite3.Connection) -> None:
    for request in open_ones(db):
        if request.kind == "clip":
            unpacked(db, request.id)


def sent(db: sqlite3.Connection, request_id: str, sent_b: int) -> None:
    db.execute("UPDATE request SET sent_b = ? WHERE id = ? AND state = 'packed'", (sent_b, request_id))


def deliver(db: sqlite3.Connection, request_id: str, receipt: str, now: Instant) -> WardRequest:
    """Notes the ward's receipt, which is checked; in the caller's transaction. Raises RequestError."""
    if (known := find(db, request_id)) and known.cancel is not None:
        raise RequestError("the ward has cancelled it")
    request = _become(db, request_id, "delivered", receipt=receipt)
    assert request.bytes is not None and request.sha256 is not None
    ledger.note(db, now, Delivered(request=request.id, bytes=request.bytes, sha256=request.sha256, receipt=receipt,
                                   manifest=request.manifest))
    outbox.append(db, "delivery", request.camera, now, wire.encode(wire.DeliveryData(
        request=request.id, bytes=request.bytes, sha256=request.sha256, case=request.case_no,
        manifest=request.manifest)))
    delivered = find(db, request_id)
    assert delivered is not None
    return delivered


def fail(db: sqlite3.Connection, request_id: str, code: str) -> None:
    with transaction(db):
        _become(db, request_id, "failed", code=code)


def _become(db: sqlite3.Connection, request_id: str, state: State, **changes: str | int | None) -> WardRequest:
    """Raises RequestError."""
    request = find(db, request_id)
    if request is None:
        raise RequestError("there is no such request; taimat requests list shows them")
    if not may_become(request.state, state):
        raise RequestError(f"request {request.n} is {request.state} already")
    names = ", ".join(f"{name} = ?" for name in ("state", *changes))
    db.execute(f"UPDATE request SET {names} WHERE id = ?", (state, *changes.values(), request_id))
    return request


def _read(db: sqlite3.Connection, which: str, *values: str | int) -> list[WardRequest]:
    rows = sound(db, "request", f"SELECT {COLUMNS} FROM request WHERE {which}", values)
    return [WardRequest(**dict(row) | {"decided_by": row["decided_by"] if row["decided_by"] in DOORS else None})
            for row in rows]


class WishRefused(Exception):
    """A command cannot become a request; the text is the code for the ward."""


def request_of(command: bytes) -> WardRequest:
    """Returns the request that a command makes; others check its signature and age. Raises WishRefused."""
    try:
        order = wire.decode(wire.Command, command)
        wish = args(order, COMMANDS[order.name or ""].args)
    except (wire.BadPayload, LookupError):
        raise WishRefused("bad_args") from None
    if not isinstance(wish, Snapshot | ClipExport):
        raise WishRefused("bad_args")
    if not _is_intake(wish.upload):
        raise WishRefused("bad_upload")
    begin_ms = end_ms = None
    if isinstance(wish, ClipExport):
        begin_ms, end_ms = (round(moment.timestamp() * 1000) for moment in (wish.begin, wish.end))
        if begin_ms >= end_ms:
            raise WishRefused("no_range")
        if end_ms - begin_ms > LONGEST_MS:
            raise WishRefused("too_long")
    return WardRequest(id=order.id, kind="snapshot" if begin_ms is None else "clip", camera=wish.cam,
                       begin_ms=begin_ms, end_ms=end_ms, case_no=wish.case, purpose=wish.purpose,
                       officer=wish.officer, basis=wish.basis, upload=wish.upload, receipt_key=wish.receipt_key,
                       command=command)


def _is_intake(upload: str) -> bool:
    try:
        parts = urllib.parse.urlsplit(upload)
        return parts.scheme == "https" and bool(parts.hostname and parts.path) and parts.port != 0 and not parts.query
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class ExportPreview:
    """The recordings that a request is about."""

    clips: list[Clip]
    dur_ms: int                 # of the footage in the requested time
    bytes: int                  # estimated from the clips' sizes
    recording: bool             # some of it is still being recorded
    sure: bool = True           # its dates are reliable; otherwise nothing can leave

    @property
    def agreed(self) -> dict[str, str | None]:
        """What an approval covers: SHA-256 of the clips by their names; None for one that is not hashed yet."""
        return {clip.name: clip.sha256 for clip in self.clips}

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the clips' names, by which a later choice of other clips is noticed. Digests do not count,
        so a clip that is hashed in between is still what was shown."""
        return hashlib.sha256("\n".join(sorted(clip.name for clip in self.clips)).encode()).hexdigest()

    @property
    def empty(self) -> bool:
        return not self.clips


def preview(db: sqlite3.Connection, request: WardRequest) -> ExportPreview:
    """Returns what would leave the house if the request were approved now. Raises sqlite3.Error."""
    if request.begin_ms is None or request.end_ms is None:
        return ExportPreview([], 0, 0, False)
    found = sift(db, reaching_into(db, request.camera, request.begin_ms, request.end_ms), as_told).sound
    shares = [_share(clip, request.begin_ms, request.end_ms) for clip in found]
    return ExportPreview(found, sum(dur_ms for dur_ms, _ in shares), sum(size_b for _, size_b in shares),
                         any(clip.state == "open" for clip in found),
                         all(boots.is_sure(db, clip.boot, clip.clock) for clip in found))


def _share(clip: Clip, begin_ms: int, end_ms: int) -> tuple[int, int]:
    if not clip.dur_ms or clip.bytes is None:
        return 0, 0
    dur_ms = max(0, min(end_ms, clip.wall_ms + clip.dur_ms) - max(begin_ms, clip.wall_ms))
    return dur_ms, clip.bytes * dur_ms // clip.dur_ms
