"""Makes signed rows: the one place where rows are numbered, chained and signed.

What the keeper does itself is signed in the transaction in which it does it; what other roles noted, in batches. A cut
leaves acts waiting or rows signed, and the chain goes on either way. A row that vanishes leaves its number behind.
"""
import logging
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.core.contract.facts import LedgerFacts
from agent.core.evidence.ledger import (
    ClockMoved,
    DatabaseMended,
    KeyChange,
    LedgerBegin,
    LedgerLine,
    Row,
    RowHead,
    RowMoment,
    decode,
    fingerprint,
    follow,
    message,
    moved_ms,
)
from agent.core.evidence.ledger.acts import Act, is_of_all_roles
from agent.core.evidence.ledger.clocks import RIGHT, STEP_MS, went_back_ms
from agent.host.clock import Clock, Instant
from agent.keeper.key import KeyFault, load_or_make, public
from agent.keeper.voucher import Voucher
from agent.store import announce, boots, identity, ledger, meta, numbers
from agent.store.database import transaction
from agent.store.decisions import database as decisions
from agent.store.folders import Folders

BATCH_N = 64                # rows a transaction: others wait for it no longer than for a clip's own
AT_A_TIME_S = 2.0
HEAD_DIGITS = 32
COPIES_N = 1000             # rows of decisions that the keeper's own database has, too
PUT_BACK_EVERY_S = 600.0
FAR_N = 1_000_000           # behind what is known: that many rows nobody signs between two looks
LAST_ACT = "act_n"          # in the keeper's meta: the newest act of another role that is signed

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signs: for what goes with a row of the keeper's own."""

    device: str
    serial: str | None
    public: bytes
    sign: Callable[[bytes], bytes]


@dataclass(slots=True)
class LedgerWriter:
    """Signs for one device, on one thread; `own` is the keeper's database, `serial` the board's, None if it has none.

    It is the signer of the shared database's connection (agent/store/ledger.py).
    """

    folders: Folders
    clock: Clock
    own: sqlite3.Connection
    serial: str | None = None
    head: RowHead = field(default_factory=RowHead)      # the newest that was seen
    key: str = ""                           # the public key's fingerprint, once there is one
    _private: Ed25519PrivateKey | None = None
    _device: str = ""
    _acts_n: int = 0                        # so many were noted at the last look
    _next_mono_s: float = float("-inf")

    def sign(self, db: sqlite3.Connection, when: Instant, act: Act) -> bool:
        """Make a row of the keeper's act, in the caller's transaction; False where no key can be had now.

        Raises sqlite3.Error.
        """
        try:
            self._ready(db)
        except (KeyFault, OSError):         # a round of the keeper tells of it
            return False
        at = RowMoment(boot=when.boot, mono_ms=when.mono_ms, wall_ms=when.wall_ms, clock=when.clock)
        self._append(db, [_own_row(act, at)])
        return True

    def mark(self, data: bytes) -> bytes:
        """By which an act of the keeper is known that could not be signed at once. Raises sqlite3.Error."""
        return decisions.mark(self.own)(data)

    def seal_some(self, db: sqlite3.Connection, stopped: Callable[[], bool] = lambda: False) -> int:
        """Sign what waits, for about `AT_A_TIME_S`; returns how many rows that made.

        Raises KeyFault, OSError and sqlite3.Error: what waits goes on waiting.
        """
        self.put_back(db)
        self._hold_counter(db)
        sealed_n, until_mono_s = 0, self.clock.mono_s() + AT_A_TIME_S
        while not stopped() and self.clock.mono_s() <= until_mono_s and (batch_n := self._batch(db)):
            sealed_n += batch_n
        self.head = max(self.head, self._here(db), key=lambda head: head.n)
        return sealed_n

    def close_with(self, db: sqlite3.Connection, act: Act, then: Callable[[Signer, LedgerLine], None]) -> None:
        """Sign a row of the keeper's own; `then` completes its transaction. Raises as `seal_some`."""
        private = self._ready(db)
        with transaction(self.own), transaction(db):
            line = self._append(db, [_own_row(act, self._now())])[-1]
            then(Signer(self._device, self.serial, public(private), private.sign), line)
        self.head = RowHead(line.n, line.hash)

    def facts(self) -> LedgerFacts | None:
        """The head as it goes into the health report: whoever keeps it is a witness of all rows up to it."""
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
        """The head as the shared table has it, but for rows so far away that no keeper can have made them."""
        newest = ledger.newest(db, max(self.head.n, ledger.head(self.own).n) + FAR_N)
        return RowHead(newest.n, newest.hash) if newest else RowHead()

    def _known(self, db: sqlite3.Connection) -> RowHead:
        """The highest head that anybody knows: the shared table's rows may have been deleted, or written over."""
        return max(ledger.head(self.own), self.head, self._here(db), key=lambda head: head.n)

    def put_back(self, db: sqlite3.Connection, tell: bool = True) -> None:
        """Write anew the rows that we have copies of, where somebody has deleted or changed them, and tell of it.

        Raises KeyFault, OSError and sqlite3.Error.
        """
        self._ready(db)
        known, now = self._known(db), self.clock.now()
        is_short = self._here(db).n < known.n
        if not is_short and now.mono_ms / 1000 < self._next_mono_s:
            return
        self._next_mono_s = now.mono_ms / 1000 + PUT_BACK_EVERY_S
        copies = list(ledger.lines(self.own))
        there = ledger.numbered(db, [line.n for line in copies])
        vouches = Voucher(self.folders)     # our own database may have been damaged, too
        lost = [line for line in copies if line not in there and vouches(self.own, line)]
        if not is_short and not lost:
            return
        told = f"rows of the ledger were gone or changed; {len(lost)} are put back"
        _log.error("%s: another role has written to it, or the card has lost it", told)
        with transaction(db):
            ledger.append(db, lost)
            if tell:
                announce.storage(db, now, "database_damaged", over=True, detail=told)
                self.sign(db, now, DatabaseMended(ledger_n=known.n, torn=["ledger"]))

    def _hold_counter(self, db: sqlite3.Connection) -> None:
        """See that no number of an act comes again, for another role may have set the counter back."""
        noted_n = ledger.noted_n(db)
        self._acts_n = max(self._acts_n, int(meta.get(self.own, LAST_ACT) or 0))
        if self._acts_n <= noted_n <= numbers.BELIEVED_MAX:
            self._acts_n = noted_n
            return
        _log.error("acts were numbered up to %d, and then from %d on: somebody has set that", self._acts_n, noted_n)
        with transaction(db):
            numbers.put(db, "act", self._acts_n)

    def _batch(self, db: sqlite3.Connection) -> int:
        if ledger.newest(db) and not _anything(db):
            return 0
        with transaction(self.own), transaction(db):
            last_n = int(meta.get(self.own, LAST_ACT) or ledger.last_act_n(db))
            waiting = ledger.waiting(db, BATCH_N)
            # A mark counts once. What any role may note counts also if somebody has set the counter back.
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
        """Sign these, behind what the keeper has to say itself before it goes on; in the caller's transaction.

        Another thread or process may have signed the newest row. In a transaction of `own`, that keeps copies.
        """
        private, head = self._ready(db), self._known(db)
        sealed = self._now()                # after the acts were noted, so none of them is later than its row
        newest = ledger.newest(db, head.n)
        first = self._own(db, private, newest, sealed, rows) if newest else self._first(db, private, sealed)
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
        # So many do not wait for a ledger's begin: they have leapt behind those of a database that was lost.
        acts_n = acts_n if acts_n >= numbers.LEAP["act"] else 0
        _log.info("the ledger begins; the key that signs it is %s", self.key)
        return [_own_row(LedgerBegin(key=key, serial=self.serial, clips_n=clips_n, acts_n=acts_n,
                                     offset_ms=boots.offset_ms(db, sealed.boot)), sealed)]

    def _own(self, db: sqlite3.Connection, private: Ed25519PrivateKey, newest: LedgerLine, sealed: RowMoment,
             rows: Sequence[Row]) -> list[Row]:
        """What the keeper has to say itself before it goes on: another key, or a clock that nobody saw move."""
        return [*self._another_key(db, private, newest, sealed), *_moved_clock(db, newest, sealed, rows)]

    def _another_key(self, db: sqlite3.Connection, private: Ed25519PrivateKey, newest: LedgerLine,
                     sealed: RowMoment) -> list[Row]:
        key, was = public(private).hex(), meta.get(db, ledger.KEY) or ""
        if was == key:
            return []
        meta.put(db, ledger.KEY, key)
        if _signed_by(private, newest):
            return []
        _log.error("the ledger's key is another one than before: %s", self.key)
        return [_own_row(KeyChange(key=key, was=was), sealed)]


def _anything(db: sqlite3.Connection) -> bool:
    return db.execute("SELECT 1 FROM act LIMIT 1").fetchone() is not None


def _own_row(act: Act, at: RowMoment) -> Row:
    """A row of the keeper's: number, device and sealing follow."""
    return Row(n=0, dev="", kind=act.KIND, act_n=0, at=at, sealed=at, body=msgspec.to_builtins(act))


def _moved_clock(db: sqlite3.Connection, newest: LedgerLine, sealed: RowMoment, rows: Sequence[Row]) -> list[Row]:
    """A row for a step of the wall clock that came while no keeper was there to see it, and none of `rows` tells."""
    before = decode(newest.doc)         # None if somebody has spoilt it, which taimat verify tells of
    if before is None:
        return []
    if before.sealed.boot != sealed.boot:
        return _went_back(db, sealed)
    if not (step_ms := moved_ms(before.sealed, sealed)):
        return []
    told = [row.body.get("offset_ms") for row in rows if row.kind == ClockMoved.KIND]
    if any(isinstance(each, int) and abs(each - sealed.offset_ms) <= STEP_MS for each in told):
        return []
    return [_own_row(ClockMoved(code="step", offset_ms=sealed.offset_ms, step_ms=step_ms), sealed)]


def _went_back(db: sqlite3.Connection, sealed: RowMoment) -> list[Row]:
    """A row for a clock that the network has set back since the machine was off: one of the two times was a lie."""
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
