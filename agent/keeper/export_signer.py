"""Signs exports without trusting the caller: it cuts the films again and signs only if they come out the same.

So a role that an attacker has taken over gets no signature for a film of its own. Reading takes as long as the footage
is long, so it is done in pieces, a few in each of the keeper's rounds.
"""
import contextlib
import logging
import sqlite3
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from agent.core import json_door
from agent.core.delivery import certificate
from agent.core.evidence.encrypted import DamagedError, LockedError
from agent.core.evidence.ledger import seals
from agent.core.evidence.ledger.acts import WardIdentity
from agent.core.evidence.ledger.claim import Claim, Manifest, RowRef
from agent.core.evidence.ledger.row import LedgerLine, RowHead, canonical
from agent.host.clock import Clock, Instant
from agent.keeper.key import LineVerifier
from agent.keeper.ledger_writer import LedgerWriter, Signer
from agent.store import bound, identity, ledger, signing_requests
from agent.store.clips import reaching_into
from agent.store.database import transaction
from agent.store.folders import Folders

AT_A_TIME_S = 2.0

Proof = Generator[None, None, tuple[Claim, RowHead]]

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class WardName:
    """The name and key by which the ward knows this recorder: those of the certificate at `path`, "" for none.

    The ledger has its own name for the recorder, from before there was a certificate. Only a row with the certificate's
    name ties an export's signer to the certificate that delivered it.
    """

    path: str
    known: WardIdentity | None = None           # None: there is no certificate, or it cannot be read
    _stamp: tuple[int, int, int] | None = field(default=None, init=False)     # of the file that was read

    def look(self, db: sqlite3.Connection, now: Instant) -> bool:
        """Writes a new certificate into the ledger; whether it replaces an earlier one. Raises sqlite3.Error."""
        if not self._read():
            return False
        before = identity.at_ward(db)
        if self.known == before:
            return False
        with transaction(db):
            if self.known:
                ledger.note(db, now, self.known)
            identity.put_at_ward(db, self.known)
        return before is not None and self.known is not None

    def _read(self) -> bool:
        try:
            found = Path(self.path).stat() if self.path else None
            stamp = (found.st_dev, found.st_ino, found.st_mtime_ns) if found else (0, 0, 0)
            if stamp == self._stamp:
                return False
            self._stamp = stamp
            leaf = certificate.of_pem(Path(self.path).read_text(encoding="ascii")) if found else None
        except (OSError, ValueError, certificate.NotACertificate) as error:
            if self.known is not None or self._stamp is None:
                _log.error("[ward] cert: %s: %s; exports do not say by which certificate the ward knows us", self.path,
                           error)
            self._stamp, leaf = (0, 0, 0), None
        self.known = WardIdentity(name=leaf.common_name, key=leaf.key_sha256) if leaf else None
        return True


@dataclass(slots=True)
class ExportSigner:
    """Serves the requests of store.signing_requests, one after the other."""

    folders: Folders
    ledger_writer: LedgerWriter
    clock: Clock
    ward: WardName
    own: sqlite3.Connection             # for reports of rows that were changed: agent/store/decisions
    _number: int = 0                    # of the present request
    _proof: Proof | None = None

    @property
    def at_work(self) -> bool:
        return self._proof is not None

    def go_on(self, db: sqlite3.Connection, stopped: Callable[[], bool]) -> None:
        """Works on requests for about `AT_A_TIME_S`. Raises KeyFault, OSError and sqlite3.Error; they remain then."""
        until_mono_s = self.clock.mono_s() + AT_A_TIME_S
        try:
            while not stopped() and self.clock.mono_s() <= until_mono_s and self._take_up(db):
                self._step(db)
        except BaseException:
            self._proof = None
            raise

    def _take_up(self, db: sqlite3.Connection) -> bool:
        """Whether there is a proof to continue."""
        if self._proof is not None and not signing_requests.is_asked(db, self._number):
            self._proof = None          # its request was withdrawn
        if self._proof is None and (asked := signing_requests.next_asked(db)):
            from agent.keeper.export_proof import prove
            self._number, claim = asked
            self._put_right(db, claim)
            self._proof = prove(db, self.folders, claim, self.ward.known, self.clock.now(),
                                vouches=LineVerifier(self.folders))
        return self._proof is not None

    def _put_right(self, db: sqlite3.Connection, asked: bytes) -> None:
        """Corrects the rows that are asked for to what was signed. A request that cannot be read is refused later."""
        with contextlib.suppress(msgspec.DecodeError):
            wish = json_door.read(asked, Claim).wish
            found = reaching_into(db, wish.camera, wish.begin_ms, wish.end_ms)
            bound.report(self.own, db, bound.sift(db, found, LineVerifier(self.folders)), self.clock.now())

    def _step(self, db: sqlite3.Connection) -> None:
        from agent.store.export import ExportError
        assert self._proof is not None
        try:
            next(self._proof)
        except StopIteration as proved:
            self._proof = None
            self._sign(db, *proved.value)
        except (ExportError, LockedError, DamagedError, OSError) as error:
            self._proof = None
            _log.warning("an export is not signed: %s", error)
            signing_requests.refuse(db, self._number, str(error))

    def _sign(self, db: sqlite3.Connection, claim: Claim, after: RowHead) -> None:
        number = self._number

        def answer(signer: Signer, line: LedgerLine) -> None:
            manifest = canonical(Manifest(
                dev=signer.device, key=signer.public.hex(), serial=signer.serial, claim=claim,
                after=RowRef(n=after.n, hash=after.hash.hex()), last=RowRef(n=line.n, hash=line.hash.hex())))
            signing_requests.sign(db, number, manifest, seals.signatures(manifest, signer.public, signer.sign))

        if claim.ward:                  # again, so that the export's rows include it
            with transaction(db):
                ledger.note(db, self.clock.now(), claim.ward)
        self.ledger_writer.close_with(db, claim.act(), answer)
        _log.info("signed an export of %s, %d films, asked by %s", claim.wish.camera, len(claim.films), claim.wish.by)
