"""Makes signed rows: only here are rows numbered, chained and signed.

The keeper's own acts are signed in the transaction that carries them out; acts that other roles noted, in batches. A
cut leaves acts waiting or rows signed, and the chain continues either way. A row that vanishes leaves its number
behind.
"""
import logging
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.core.contract.facts import LedgerFacts
from agent.core.evidence.ledger.acts import Act, ClockMoved, DatabaseMended, KeyChange, LedgerBegin, is_of_all_roles
from agent.core.evidence.ledger.clocks import RIGHT, STEP_MS, moved_ms, went_back_ms
from agent.core.evidence.ledger.row import LedgerLine, Row, RowHead, RowMoment, decode, fingerprint, follow, message
from agent.host.clock import Clock, Instant
from agent.keeper.key import KeyFault, LineVerifier, load_or_make, public
from agent.store import announce, boots, identity, ledger, meta, numbers
from agent.store.database import transaction
from agent.store.decisions import database as decisions
from agent.store.folders import Folders

BATCH_N = 64                # rows a transaction, so others wait no longer than for a clip's
AT_A_TIME_S = 2.0
HEAD_DIGITS = 32
COPIES_N = 1000             # rows of decisions that the keeper's own database has copies of
PUT_BACK_EVERY_S = 600.0
FAR_N = 1_000_000           # behind the known head: more rows than are signed between two looks
LAST_ACT = "act_n"          # in the keeper's meta: the newest signed act of another role

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Signer:
    device: str
    serial: str | None
    public: bytes
    sign: Callable[[bytes], bytes]


@dataclass(slots=True)
class LedgerWriter:
    """Signs for one device, on one thread; the signer of the shared database's connection (agent/store/ledger.py)."""

    folders: Folders
    clock: Clock
    own: sqlite3.Connection
    serial: str | None = None
    head: RowHead = field(default_factory=RowHead)      # the newest that this process has seen
    key: str = ""                           # the public key's fingerprint, once there is one
    _private: Ed25519PrivateKey | None = field(default=None, init=False)
    _device: str = field(default="", init=False)
    _acts_n: int = field(default=0, init=False)         # acts noted at the last look
    _next_mono_s: float = field(default=float("-inf"), init=False)

    def sign(self, db: sqlite3.Connection, when: Instant, act: Act) -> bool:
        """Makes a row of the act in the caller's transaction. False without a key. Raises sqlite3.Error."""
        try:
            self._ready(db)
        except (KeyFault, OSError):         # the keeper's round reports it
            return False
        at = RowMoment(boot=when.boot, mono_ms=when.mono_ms, wall_ms=when.wall_ms, clock=when.clock)
        self._append(db, [_own_row(act, at)])
        return True

    def mark(self, data: bytes) -> bytes:
        """Returns the mark of an act of the keeper that could not be signed at once. Raises sqlite3.Error."""
        return decisions.mark(self.own)(data)

    def seal_some(self, db: sqlite3.Connection, stopped: Callable[[], bool] = lambda: False) -> int:
        """Signs waiting acts for about `AT_A_TIME_S`; returns their number. Raises KeyFault, OSError, sqlite3.Error."""
        self.put_back(db)
        self._hold_counter(db)
        sealed_n, until_mono_s = 0, self.clock.mono_s() + AT_A_TIME_S
        while not stopped() and self.clock.mono_s() <= until_mono_s and (batch_n := self._batch(db)):
            sealed_n += batch_n
        self.head = max(self.head, self._here(db), key=lambda head: head.n)
        return sealed_n

    def close_with(self, db: sqlite3.Connection, act: Act, then: Callable[[Signer, LedgerLine], None]) -> None:
        """Signs a row of the keeper's own; `then` completes its transaction. Raises as `seal_some`."""
        private = self._ready(db)
        with transaction(self.own), transaction(db):
            line = self._append(db, [_own_row(act, self._now())])[-1]
            then(Signer(self._device, self.serial, public(private), private.sign), line)
        self.head = RowHead(line.n, line.hash)

    def facts(self) -> LedgerFacts | None:
        """Returns the head for the health report: a receiver that keeps it is a witness of all rows up to it."""
        if not self.head.n:
            return None
        return LedgerFacts(n=self.head.n, head=self.head.hash.hex()[:HEAD_DIGITS], key=self.key)

    def _ready(self, db: sqlite3.Connection) -> Ed25519PrivateKey:
        if self._private is None:
            self._device = identity.name(self.folders, db)
            private = load_or_make(self.folders.keys)
            self.key = fingerprint(public(private))
            page = numbers.noted(self.folders.root)
            if page and self._known(db).n < page.ledger_n <= numbers.BELIEVED_MAX:
                self.head = RowHead(page.ledger_n)
            self._private = private
        return self._private

    def _here(self, db: sqlite3.Connection) -> RowHead:
        """Returns the shared table's head, ignoring rows so far ahead that no keeper can have made them."""
        newest = ledger.newest(db, max(self.head.n, ledger.head(self.own).n) + FAR_N)
        return RowHead(newest.n, newest.hash) if newest else RowHead()

    def _known(self, db: sqlite3.Connection) -> RowHead:
        """Returns the highest known head, because the shared table's rows may have been deleted or overwritten."""
        return max(ledger.head(self.own), self.head, self._here(db), key=lambda head: head.n)

    def put_back(self, db: sqlite3.Connection, report: bool = True) -> None:
        """Restores and reports deleted or changed rows from copies. Raises KeyFault, OSError, sqlite3.Error."""
        self._ready(db)
        known, now = self._known(db), self.clock.now()
        is_short = self._here(db).n < known.n
        if not is_short and now.mono_ms / 1000 < self._next_mono_s:
            return
        self._next_mono_s = now.mono_ms / 1000 + PUT_BACK_EVERY_S
        copies = list(ledger.lines(self.own))
        there = ledger.numbered(db, [line.n for line in copies])
        verify = LineVerifier(self.folders)     # our own database may have been damaged, too
        lost = [line for line in copies if line not in there and verify(self.own, line)]
        if not is_short and not lost:
            return
        detail = f"rows of the ledger were gone or changed; {len(lost)} are put back"
        _log.error("%s: another role has written to it, or the card has lost it", detail)
        with transaction(db):
            ledger.append(db, lost)
            if report:
                announce.storage(db, now, "database_damaged", over=True, detail=detail)
                self.sign(db, now, DatabaseMended(ledger_n=known.n, torn=["ledger"]))

    def _hold_counter(self, db: sqlite3.Connection) -> None:
        """Makes sure that no act's number is used again, because another role may have set the counter back."""
        noted_n = ledger.noted_n(db)
        self._acts_n = max(self._acts_n, int(meta.get(self.own, LAST_ACT) or 0))
        if self._acts_n <= noted_n <= numbers.BELIEVED_MAX:
            self._acts_n = noted_n
            return
        _log.error("acts were numbered up to %d, then from %d on: the counter was set back", self._acts_n, noted_n)
        with transaction(db):
            numbers.put(db, "act", self._acts_n)

    def _batch(self, db: sqlite3.Connection) -> int:
        if ledger.newest(db) and db.execute("SELECT 1 FROM act LIMIT 1").fetchone() is None:
            return 0
        with transaction(self.own), transaction(db):
            last_n = int(meta.get(self.own, LAST_ACT) or ledger.last_act_n(db))
            waiting = ledger.waiting(db, BATCH_N)
            # A mark counts once. An act that any role may note counts even if the counter was set back.
            noted = [row for row in waiting if row.act_n <= numbers.BELIEVED_MAX and (
                row.act_n > last_n or is_of_all_roles(row.kind, row.body))]
            lines = self._append(db, noted)
            if waiting:
                ledger.settle(db, waiting[-1].act_n)
                meta.put(self.own, LAST_ACT, str(max(last_n, *(row.act_n for row in noted), 0)))
        return len(lines)

    def _now(self) -> RowMoment:
        now = self.clock.now()
        return RowMoment(boot=now.boot, mono_ms=now.mono_ms, wall_ms=now.wall_ms, clock=now.clock)

    def _append(self, db: sqlite3.Connection, rows: Sequence[Row]) -> list[LedgerLine]:
        """Signs these after what the keeper itself must report first; in the caller's transaction.

        Another thread or process may have signed the newest row. Within a transaction of `own`, that gets copies.
        """
        private, head = self._ready(db), self._known(db)
        sealed = self._now()                # after the acts were noted, so none is later than its row
        newest = ledger.newest(db, head.n)
        # what the keeper must report first: a different key, or a clock that moved unseen
        first = [*self._another_key(db, private, newest, sealed), *_moved_clock(db, newest, sealed, rows)
                 ] if newest else self._first(db, private, sealed)
        lines = []
        for row in (*first, *rows):
            line = follow(head, Row(n=head.n + 1, dev=self._device, kind=row.kind, act_n=row.act_n, at=row.at,
                                    sealed=sealed, body=row.body), private.sign)
            lines.append(line)
            head = RowHead(line.n, line.hash)
        ledger.append(db, lines)
        if self.own.in_transaction:
            ledger.append(self.own, lines)
            self.own.execute("DELETE FROM ledger WHERE n <= (SELECT n FROM ledger ORDER BY n DESC LIMIT 1 OFFSET ?)",
                             (COPIES_N,))
        return lines

    def _first(self, db: sqlite3.Connection, private: Ed25519PrivateKey, sealed: RowMoment) -> list[Row]:
        key = public(private).hex()
        meta.put(db, ledger.KEY, key)
        clips_n = db.execute("SELECT COALESCE(MAX(seq), 0) FROM clip").fetchone()[0]
        first = next(iter(ledger.waiting(db, 1)), None)
        acts_n = first.act_n - 1 if first else ledger.noted_n(db)
        # A new ledger has fewer acts: these numbers continue after those of a database that was lost.
        acts_n = acts_n if acts_n >= numbers.LEAP["act"] else 0
        _log.info("the ledger begins; the key that signs it is %s", self.key)
        return [_own_row(LedgerBegin(key=key, serial=self.serial, clips_n=clips_n, acts_n=acts_n,
                                     offset_ms=boots.offset_ms(db, sealed.boot)), sealed)]

    def _another_key(self, db: sqlite3.Connection, private: Ed25519PrivateKey, newest: LedgerLine,
                     sealed: RowMoment) -> list[Row]:
        key, was = public(private).hex(), meta.get(db, ledger.KEY) or ""
        if was == key:
            return []
        meta.put(db, ledger.KEY, key)
        if _signed_by(private, newest):
            return []
        _log.error("the ledger has a different key than before: %s", self.key)
        return [_own_row(KeyChange(key=key, was=was), sealed)]


def _own_row(act: Act, at: RowMoment) -> Row:
    return Row(n=0, dev="", kind=act.KIND, act_n=0, at=at, sealed=at, body=msgspec.to_builtins(act))


def _moved_clock(db: sqlite3.Connection, newest: LedgerLine, sealed: RowMoment, rows: Sequence[Row]) -> list[Row]:
    """Returns a row for a step of the clock that came while no keeper ran, unless `rows` report it."""
    before = decode(newest.doc)         # None if it is spoiled, which taimat verify reports
    if before is None:
        return []
    if before.sealed.boot != sealed.boot:
        return _went_back(db, sealed)
    if not (step_ms := moved_ms(before.sealed, sealed)):
        return []
    offsets_ms = [row.body.get("offset_ms") for row in rows if row.kind == ClockMoved.KIND]
    if any(isinstance(moved, int) and abs(moved - sealed.offset_ms) <= STEP_MS for moved in offsets_ms):
        return []
    return [_own_row(ClockMoved(code="step", offset_ms=sealed.offset_ms, step_ms=step_ms), sealed)]


def _went_back(db: sqlite3.Connection, sealed: RowMoment) -> list[Row]:
    """Returns a row for a clock that the network has set back since the machine was off: an earlier time was wrong."""
    right = ledger.last_right(db) if sealed.clock == RIGHT else None
    if not right or not (step_ms := went_back_ms(right, sealed)):
        return []
    return [_own_row(ClockMoved(code="step", offset_ms=sealed.offset_ms, step_ms=step_ms), sealed)]


def _signed_by(private: Ed25519PrivateKey, line: LedgerLine) -> bool:
    try:
        private.public_key().verify(line.sig, message(line.hash))
    except InvalidSignature:
        return False
    return True
