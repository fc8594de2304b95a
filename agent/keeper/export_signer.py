"""Signs exports, and believes nobody: it cuts the films anew and signs only what comes out the same.

So a role that was taken over can't have a signature for a film of its own. Reading takes as long as the footage is
long, so it is done in pieces, a little in each of the keeper's rounds.
"""
import contextlib
import hashlib
import logging
import sqlite3
from collections.abc import Callable, Generator
from dataclasses import dataclass

import msgspec

from agent.core import json_door
from agent.core.evidence.encrypted import DamagedError, LockedError
from agent.core.evidence.ledger import LedgerLine, RowHead, WardIdentity, canonical, seals
from agent.core.evidence.ledger.claim import Claim, ExportWish, FileTold, Manifest, RowRef
from agent.core.media.mp4.cut import CutFilm
from agent.host.clock import Clock, Instant
from agent.host.files import sha256
from agent.keeper.ledger_writer import LedgerWriter, Signer
from agent.keeper.voucher import Voucher
from agent.keeper.ward_name import WardName
from agent.store import bound, ledger, signing_requests
from agent.store.bound import Signed, Vouches
from agent.store.clips import reaching_into
from agent.store.database import transaction
from agent.store.encryption.file_keys import Keyring
from agent.store.export import Export, ExportError, prepare
from agent.store.export.package import describe
from agent.store.export.signature import stretch_after
from agent.store.export.write import stream
from agent.store.folders import Folders

AT_A_TIME_S = 2.0
JUST_MS = 10 * 60_000      # for so long an export may have been under way, in which a clip came to its end
OTHERWISE = ("the recordings are not what this export says of them, maybe because one was dated anew or deleted in the "
             "meantime: ask again")

Proof = Generator[None, None, tuple[Claim, RowHead]]

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class ExportSigner:
    """Takes up the requests of store.signing_requests, one after the other."""

    folders: Folders
    ledger_writer: LedgerWriter
    clock: Clock
    ward: WardName
    own: sqlite3.Connection             # what was met that is to be told: agent/store/decisions
    _number: int = 0                    # of the request whose proof goes on
    _proof: Proof | None = None

    @property
    def at_work(self) -> bool:
        """Whether a proof was begun that is not at its end."""
        return self._proof is not None

    def go_on(self, db: sqlite3.Connection, stopped: Callable[[], bool]) -> None:
        """Go on with what is asked, for about `AT_A_TIME_S`, and answer what is proved.

        Raises KeyFault, OSError of the key and sqlite3.Error: what is asked goes on being asked.
        """
        until_mono_s = self.clock.mono_s() + AT_A_TIME_S
        try:
            while not stopped() and self.clock.mono_s() <= until_mono_s and self._take_up(db):
                self._step(db)
        except BaseException:
            self._proof = None
            raise

    def _take_up(self, db: sqlite3.Connection) -> bool:
        """Whether there is a proof to go on with."""
        if self._proof is not None and not signing_requests.is_asked(db, self._number):
            self._proof = None          # nobody waits for it any more
        if self._proof is None and (asked := signing_requests.next_asked(db)):
            self._number, claim = asked
            self._put_right(db, claim)
            self._proof = prove(db, self.folders, claim, self.ward.told, self.clock.now(), Voucher(self.folders))
        return self._proof is not None

    def _put_right(self, db: sqlite3.Connection, asked: bytes) -> None:
        """Have the rows that are asked for say what was signed; what nobody can read is refused later."""
        with contextlib.suppress(msgspec.DecodeError):
            wish = json_door.read(asked, Claim).wish
            found = reaching_into(db, wish.camera, wish.begin_ms, wish.end_ms)
            bound.report(self.own, db, bound.sift(db, found, Voucher(self.folders)), self.clock.now())

    def _step(self, db: sqlite3.Connection) -> None:
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

        if claim.ward:                  # once more, so that the rows that go along tell it
            with transaction(db):
                ledger.note(db, self.clock.now(), claim.ward)
        self.ledger_writer.close_with(db, claim.act(), answer)
        _log.info("signed an export of %s, %d films, asked by %s", claim.wish.camera, len(claim.films), claim.wish.by)


def prove(db: sqlite3.Connection, folders: Folders, asked: bytes, ward: WardIdentity | None,
          now: Instant, vouches: Vouches) -> Proof:
    """Make the claim anew from the recordings, piece by piece. Returns it, and what its rows follow on.

    Raises ExportError where it comes out otherwise, LockedError, DamagedError, OSError and sqlite3.Error.
    """
    try:
        claim = json_door.read(asked, Claim)
    except msgspec.DecodeError as error:
        raise ExportError(f"what was asked can't be read: {error}") from error
    wish = claim.wish
    if claim.until_ms is not None and not _was_open(db, wish, claim.until_ms, now):
        raise ExportError(OTHERWISE)
    found = prepare(db, folders, wish.camera, wish.begin_ms, wish.end_ms, Keyring(folders).file_key,
                    until_ms=claim.until_ms, vouches=vouches, only=wish.only)
    if len(found.films) != len(claim.films):
        raise ExportError(OTHERWISE)
    signed = bound.rows_of(db, found.clips, vouches)
    yield from _check_clips(found, signed)
    films = []
    for film, told in zip(found.films, claim.films, strict=True):
        films.append((yield from _hashed(found, film, told.file)))
    if canonical(describe(found, wish, films, signed, claim.files, ward)) != asked:
        raise ExportError(OTHERWISE)
    return claim, stretch_after(db, found.clips, signed)


def _was_open(db: sqlite3.Connection, wish: ExportWish, until_ms: int, now: Instant) -> bool:
    """Whether a clip that begins there is being recorded, or was a moment ago: else nobody may leave it out."""
    return any(clip.wall_ms == until_ms and (
        clip.dur_ms is None or (clip.boot == now.boot and now.mono_ms - clip.mono_ms - clip.dur_ms <= JUST_MS))
        for clip in reaching_into(db, wish.camera, wish.begin_ms, wish.end_ms))


def _check_clips(found: Export, signed: Signed) -> Generator[None, None, None]:
    """Whether the files are still what was signed; who asks has not looked."""
    for clip in found.clips:
        if clip.name in signed:
            try:
                digest = sha256(found.folders.clip(clip.seq, clip.name))
            except OSError as error:
                raise ExportError(f"the clip {clip.name} can't be read: {error.strerror}; try again") from error
            if digest != signed[clip.name][1].sha256:
                raise ExportError(f"the clip {clip.name} is not what was signed (taimat verify tells more): leave its "
                                  "time out, or export the film alone: taimat export --film")
        yield


def _hashed(found: Export, film: CutFilm, name: str) -> Generator[None, None, FileTold]:
    digest, size_b = hashlib.sha256(), 0
    for piece in stream(found, film):
        digest.update(piece)
        size_b += len(piece)
        yield
    return FileTold(file=name, bytes=size_b, sha256=digest.hexdigest())
