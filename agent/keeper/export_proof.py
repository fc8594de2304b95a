"""Cuts the films of an export again, and compares them with what is to be signed: see agent/keeper/export_signer.py."""
import hashlib
import sqlite3
from collections.abc import Generator

import msgspec

from agent.core import json_door
from agent.core.evidence.ledger.acts import WardIdentity
from agent.core.evidence.ledger.claim import Claim, ExportWish, FileTold
from agent.core.evidence.ledger.row import RowHead, canonical
from agent.core.media.mp4.cut import CutFilm
from agent.host.clock import Instant
from agent.host.files import sha256
from agent.store import bound
from agent.store.bound import Signed, Vouches
from agent.store.clips import reaching_into
from agent.store.encryption.file_keys import Keyring
from agent.store.export import Export, ExportError, prepare
from agent.store.export.package import describe
from agent.store.export.signature import stretch_after
from agent.store.export.write import stream
from agent.store.folders import Folders

JUST_MS = 10 * 60_000      # an export may have begun so long ago, while its newest clip was still open
OTHERWISE = ("the recordings are not what this export says of them, maybe because one was redated or deleted in the "
             "meantime: ask again")


def prove(db: sqlite3.Connection, folders: Folders, asked: bytes, ward: WardIdentity | None,
          now: Instant, vouches: Vouches) -> Generator[None, None, tuple[Claim, RowHead]]:
    """Makes the claim again from the recordings, piece by piece. Returns it and the row that its rows follow.

    Raises ExportError if it comes out different, LockedError, DamagedError, OSError and sqlite3.Error.
    """
    try:
        claim = json_door.read(asked, Claim)
    except msgspec.DecodeError as error:
        raise ExportError(f"the request cannot be read: {error}") from error
    wish = claim.wish
    if claim.until_ms is not None and not _was_open(db, wish, claim.until_ms, now):
        raise ExportError(OTHERWISE)
    found = prepare(db, folders, wish.camera, wish.begin_ms, wish.end_ms, file_key=Keyring(folders).file_key,
                    until_ms=claim.until_ms, vouches=vouches, only=wish.only)
    if len(found.films) != len(claim.films):
        raise ExportError(OTHERWISE)
    signed = bound.rows_of(db, found.clips, vouches)
    yield from _check_clips(found, signed)
    films = []
    for film, claimed in zip(found.films, claim.films, strict=True):
        films.append((yield from _hashed(found, film, claimed.file)))
    if canonical(describe(found, wish, films, signed, claim.files, ward=ward)) != asked:
        raise ExportError(OTHERWISE)
    return claim, stretch_after(db, found.clips, signed)


def _was_open(db: sqlite3.Connection, wish: ExportWish, until_ms: int, now: Instant) -> bool:
    """Whether a clip that begins then is open, or was a moment ago: otherwise an export may not leave it out."""
    return any(clip.wall_ms == until_ms and (
        clip.dur_ms is None or (clip.boot == now.boot and now.mono_ms - clip.mono_ms - clip.dur_ms <= JUST_MS))
        for clip in reaching_into(db, wish.camera, wish.begin_ms, wish.end_ms))


def _check_clips(found: Export, signed: Signed) -> Generator[None, None, None]:
    """Checks that the files are still what was signed, because the caller has not looked."""
    for clip in found.clips:
        if clip.name in signed:
            try:
                digest = sha256(found.folders.clip(clip.seq, clip.name))
            except OSError as error:
                raise ExportError(f"the clip {clip.name} cannot be read: {error.strerror}; try again") from error
            if digest != signed[clip.name][1].sha256:
                raise ExportError(f"the clip {clip.name} is not what was signed (taimat verify says more): leave its "
                                  "time out, or export only the film: taimat export --film")
        yield


def _hashed(found: Export, film: CutFilm, name: str) -> Generator[None, None, FileTold]:
    digest, size_b = hashlib.sha256(), 0
    for piece in stream(found, film):
        digest.update(piece)
        size_b += len(piece)
        yield
    return FileTold(file=name, bytes=size_b, sha256=digest.hexdigest())
