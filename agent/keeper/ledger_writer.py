"""Makes signed rows of what the roles noted: the one place where rows are numbered, chained and signed.

A batch is one transaction: a cut leaves its acts waiting or its rows signed, and the chain goes on either way.
"""
import logging
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.core.contract.facts import LedgerFacts
from agent.core.evidence.ledger import (
    ClockMoved,
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
from agent.core.evidence.ledger.acts import Act
from agent.core.evidence.ledger.clocks import RIGHT, STEP_MS, went_back_ms
from agent.host.clock import Clock
from agent.keeper.key import load_or_make, public
from agent.store import boots, identity, ledger, meta
from agent.store.database import transaction
from agent.store.folders import Folders

BATCH_N = 64                # rows a transaction: others wait for it no longer than for a clip's own
AT_A_TIME_S = 2.0
HEAD_DIGITS = 32

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
    """Signs for one device; `serial` is the board's, None where it has none."""

    folders: Folders
    clock: Clock
    serial: str | None
    head: RowHead = field(default_factory=RowHead)
    key: str = ""                           # the public key's fingerprint, once there is one
    _private: Ed25519PrivateKey | None = None
    _device: str = ""
    _last_act_n: int = 0                    # of the acts that are signed

    def seal_some(self, db: sqlite3.Connection, stopped: Callable[[], bool] = lambda: False) -> int:
        """Sign what waits, for about `AT_A_TIME_S`; returns how many rows that made.

        Raises KeyFault, OSError and sqlite3.Error: what waits goes on waiting.
        """
        private = self._ready(db)
        sealed_n, until_mono_s = 0, self.clock.mono_s() + AT_A_TIME_S
        while not stopped() and self.clock.mono_s() <= until_mono_s and (batch_n := self._batch(db, private)):
            sealed_n += batch_n
        return sealed_n

    def close_with(self, db: sqlite3.Connection, act: Act, then: Callable[[Signer, LedgerLine], None]) -> None:
        """Sign what waits, and behind it a row of the keeper's own; `then` completes its transaction.

        Raises as `seal_some`.
        """
        private = self._ready(db)
        while self._batch(db, private):
            pass
        with transaction(db):
            newest, sealed = ledger.newest(db), self._now()
            assert newest is not None       # a batch begins the ledger
            rows = [*_moved_clock(db, newest, sealed), _own_row(act, sealed)]
            lines = self._lines(RowHead(newest.n, newest.hash), rows, sealed, private)
            ledger.append(db, lines)
            then(Signer(self._device, self.serial, public(private), private.sign), lines[-1])
        self.head = RowHead(lines[-1].n, lines[-1].hash)

    def facts(self) -> LedgerFacts | None:
        """The head as it goes into the health report: whoever keeps it is a witness of all rows up to it."""
        if not self.head.n:
            return None
        return LedgerFacts(n=self.head.n, head=self.head.hash.hex()[:HEAD_DIGITS], key=self.key)

    def _ready(self, db: sqlite3.Connection) -> Ed25519PrivateKey:
        if self._private is None:
            self._device = identity.name(self.folders, db)
            self._private = load_or_make(self.folders.keys)
            self.key = fingerprint(public(self._private))
            self.head = ledger.head(db)
            self._last_act_n = ledger.last_act_n(db)
        return self._private

    def _batch(self, db: sqlite3.Connection, private: Ed25519PrivateKey) -> int:
        if self.head.n and not _anything(db):
            return 0
        with transaction(db):
            waiting = ledger.waiting(db, BATCH_N)
            noted = [row for row in waiting if row.act_n > self._last_act_n]    # a number counts once
            sealed = self._now()            # after the acts were read, so none of them is later than its row
            newest = ledger.newest(db)
            own = self._own(db, private, newest, sealed) if newest else self._first(db, private, sealed)
            head = RowHead(newest.n, newest.hash) if newest else RowHead()
            lines = self._lines(head, [*own, *noted], sealed, private)
            ledger.append(db, lines)
            if waiting:
                ledger.settle(db, waiting[-1].act_n)
        self._last_act_n = max((row.act_n for row in noted), default=self._last_act_n)
        if lines:
            self.head = RowHead(lines[-1].n, lines[-1].hash)
        return len(lines)

    def _now(self) -> RowMoment:
        now = self.clock.now()
        return RowMoment(boot=now.boot, mono_ms=now.mono_ms, wall_ms=now.wall_ms, clock=now.clock)

    def _lines(self, head: RowHead, rows: list[Row], sealed: RowMoment, private: Ed25519PrivateKey) -> list[LedgerLine]:
        lines = []
        for row in rows:
            line = follow(head, Row(n=head.n + 1, dev=self._device, kind=row.kind, act_n=row.act_n, at=row.at,
                                    sealed=sealed, body=row.body), private.sign)
            lines.append(line)
            head = RowHead(line.n, line.hash)
        return lines

    def _first(self, db: sqlite3.Connection, private: Ed25519PrivateKey, sealed: RowMoment) -> list[Row]:
        key = public(private).hex()
        meta.put(db, ledger.KEY, key)
        clips_n = db.execute("SELECT COALESCE(MAX(seq), 0) FROM clip").fetchone()[0]
        _log.info("the ledger begins; the key that signs it is %s", self.key)
        return [_own_row(LedgerBegin(key=key, serial=self.serial, clips_n=clips_n,
                                     offset_ms=boots.offset_ms(db, sealed.boot)), sealed)]

    def _own(self, db: sqlite3.Connection, private: Ed25519PrivateKey, newest: LedgerLine,
             sealed: RowMoment) -> list[Row]:
        """What the keeper has to say itself before it goes on: another key, or a clock that nobody saw move."""
        return [*self._another_key(db, private, newest, sealed), *_moved_clock(db, newest, sealed)]

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


def _own_row(act: Act, sealed: RowMoment) -> Row:
    """A row that no role noted: number and device follow."""
    return Row(n=0, dev="", kind=act.KIND, act_n=0, at=sealed, sealed=sealed, body=msgspec.to_builtins(act))


def _moved_clock(db: sqlite3.Connection, newest: LedgerLine, sealed: RowMoment) -> list[Row]:
    """A row for a step of the wall clock that came while no keeper was there to see it."""
    before = decode(newest.doc)         # None if somebody has spoilt it, which taimat verify tells of
    if before is None:
        return []
    if before.sealed.boot != sealed.boot:
        return _went_back(db, sealed)
    if not (step_ms := moved_ms(before.sealed, sealed)):
        return []
    told = [row.body.get("offset_ms") for row in ledger.waiting(db) if row.kind == ClockMoved.KIND]
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
