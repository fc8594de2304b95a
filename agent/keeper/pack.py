"""Packs what the household has released into the file that the link uploads: a signed export, or a picture.

`python -m agent.keeper.pack KEEPER STORE RUNTIME FLOOR_PCT REQUEST` is a process of its own, because reading hours of
footage takes longer than a round of the keeper may. It may be killed at any moment: it reports only a complete file,
and is started again.
"""
import contextlib
import hashlib
import logging
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from agent.core.contract.facts import Poke
from agent.core.contract.still import parse
from agent.core.evidence.encrypted import LockedError
from agent.core.evidence.ledger.card_check import number
from agent.core.evidence.ledger.claim import ExportWish
from agent.core.evidence.ledger.row import canonical
from agent.host import log
from agent.host.clock import Instant, SystemClock
from agent.host.datagram import Outlet
from agent.host.files import write_durably
from agent.host.prctl import die_with_parent
from agent.host.runtime import camera_socket
from agent.host.sockets import ask
from agent.keeper.key import LineVerifier
from agent.keeper.packager import AGAIN, DONE, FAULT
from agent.store import bound, clips, holds, requests
from agent.store.clips import reaching_into
from agent.store.database import StoreError, connect, transaction
from agent.store.decisions import database as decisions
from agent.store.decisions import decided
from agent.store.decisions.decided import Agreed
from agent.store.encryption.file_keys import Keyring
from agent.store.export import Export, ExportError, prepare
from agent.store.export.archive import tar
from agent.store.export.package import Packer, name
from agent.store.export.signature import AskKeeper, is_growing, signed_until
from agent.store.export.write import FLUSH_EVERY_B, file_draft
from agent.store.folders import Folders
from agent.store.holds import HoldError
from agent.store.requests import RequestError, WardRequest
from agent.store.retention_queries import Space

NICE = 19
PICTURE_TRIES_N, BETWEEN_S = 12, 5.0        # a camera may just be starting; a paused one shows nothing
MODE = 0o640                        # only the link reads it, as a member of the store's group

_log = logging.getLogger(__name__)


class Hopeless(Exception):
    """The request can never be packed; the text is the code for the ward."""


class NotYet(Exception):
    """The request may be packed later; the text says what is missing."""


class Packed(NamedTuple):
    size_b: int
    sha256: str                 # hex
    manifest: str | None = None     # SHA-256 of the manifest of an export, hex


def pack(db: sqlite3.Connection, folders: Folders, request: WardRequest, floor_pct: float, sign: AskKeeper,
         now: Instant, agreed: Agreed | None = None) -> Packed:
    """Makes the file of a clip request, only from clips that were `agreed` to; None: a rule agreed to all.

    Raises Hopeless, NotYet, ExportError, LockedError, HoldError, OSError and sqlite3.Error.
    """
    found, wish = _cut(db, folders, request, sign.is_there, now, agreed=agreed)
    with transaction(db):
        holds.pin(db, request.id, found.clips)
    space = Space.of(folders)       # half of what retention keeps free stays so, and retention soon frees the rest
    if space.free_b - sum(film.size_b for film in found.films) < space.total_b * floor_pct / 200:
        raise Hopeless("no_room")
    target = folders.export(request.id, request.kind)
    target.unlink(missing_ok=True)          # an earlier process came so far without reporting it
    manifest, items = Packer(db, sign).items(found, wish)
    with file_draft(target) as draft:
        os.fchmod(draft.fileno(), MODE)
        size_b, sha256 = _write(tar(name(found), items, wish.end_ms // 1000), draft)
    return Packed(size_b, sha256, hashlib.sha256(canonical(manifest)).hexdigest())


def _cut(db: sqlite3.Connection, folders: Folders, request: WardRequest, is_there: Callable[[], bool],
         now: Instant, agreed: Agreed | None) -> tuple[Export, ExportWish]:
    """Returns the finished, signed part of the footage; a clip that stays open too long is reported as missing."""
    assert request.begin_ms is not None and request.end_ms is not None
    camera, begin_ms, end_ms = request.camera, request.begin_ms, request.end_ms
    found = bound.sift(db, reaching_into(db, camera, begin_ms, end_ms), LineVerifier(folders))
    there = {clip.name for clip in found.sound}
    hidden = [name for name in (agreed or {}) if name not in there and folders.clip(number(name), name).exists()]
    if hidden:          # not erased by the household, because their files are there
        raise NotYet(f"rows of recordings that were agreed to are gone or changed: {', '.join(hidden)}")
    if not there:
        raise Hopeless("no_footage")
    only = None if agreed is None or agreed.keys() >= there else sorted(agreed)     # an older ward knows no `only`
    if is_growing(db, camera, begin_ms, end_ms, now):
        raise NotYet("a part of that time is still being recorded")
    try:
        until_ms = signed_until(db, camera, begin_ms, end_ms, is_there)
    except ExportError as error:
        raise NotYet(str(error)) from error
    try:
        export = prepare(db, folders, camera, begin_ms, end_ms, file_key=Keyring(folders).file_key, until_ms=until_ms,
                         vouches=LineVerifier(folders), only=only)
    except ExportError as error:
        if isinstance(error.__cause__, OSError):
            raise
        raise Hopeless("locked" if isinstance(error.__cause__, LockedError) else "no_footage") from error
    if agreed and any(agreed.get(clip.name) not in (None, clip.sha256) for clip in export.clips):
        raise Hopeless("altered")           # not the film that the household has seen
    if not export.sure:
        raise Hopeless("undated")           # maybe not the time that the household has agreed to
    return export, ExportWish(camera=camera, begin_ms=begin_ms, end_ms=end_ms, by="ward", case=request.case_no,
                             purpose=request.purpose, officer=request.officer, only=only)


def _put_right(own: sqlite3.Connection, db: sqlite3.Connection, folders: Folders, request: WardRequest,
               agreed: Agreed, now: Instant) -> None:
    """Corrects rows to what is bound to their clips, including agreed clips whose rows are elsewhere now."""
    assert request.begin_ms is not None and request.end_ms is not None
    found = {clip.name: clip for clip in (*filter(None, (clips.get(db, name) for name in agreed)), *reaching_into(
        db, request.camera, request.begin_ms, request.end_ms)) if clip.state in ("done", "recovered")}
    bound.report(own, db, bound.sift(db, found.values(), LineVerifier(folders)), now)


def _write(pieces: Iterable[bytes], draft: BinaryIO) -> tuple[int, str]:
    """Returns size and SHA-256. It flushes now and then, so that a recorder's own flush does not wait for all of it."""
    digest, size_b, flushed_b = hashlib.sha256(), 0, 0
    for piece in pieces:
        digest.update(piece)
        draft.write(piece)
        size_b += len(piece)
        if size_b - flushed_b >= FLUSH_EVERY_B:
            draft.flush()
            os.fdatasync(draft.fileno())
            os.posix_fadvise(draft.fileno(), 0, size_b, os.POSIX_FADV_DONTNEED)
            flushed_b = size_b
    return size_b, digest.hexdigest()


def photograph(folders: Folders, runtime: Path, request: WardRequest) -> Packed:
    """Writes the camera's picture as it would be recorded, masks included. Retries for a minute. Raises Hopeless."""
    for attempt in range(PICTURE_TRIES_N):
        time.sleep(BETWEEN_S if attempt else 0)
        try:
            still, jpeg = parse(ask(camera_socket(runtime, "snap", request.camera)))
            if still.state == "ok":
                write_durably(folders.export(request.id, request.kind), jpeg, MODE)
                return Packed(len(jpeg), hashlib.sha256(jpeg).hexdigest())
        except (OSError, msgspec.DecodeError) as error:      # capture does not run, or the card fails
            _log.warning("no picture for the ward yet: %s", error)
    raise Hopeless("no_picture")


def work(own: sqlite3.Connection, db: sqlite3.Connection, folders: Folders, runtime: Path, request_id: str,
         floor_pct: float, sign: AskKeeper) -> int:
    """Packs the request, read only once, and stores the result. Returns the exit code."""
    request, known = requests.find(db, request_id), decided.find(own, request_id)
    if request is None or known is None or request.state != "approved" or not known.releases(request):
        return DONE
    try:
        now = SystemClock().now()
        if request.kind == "clip":
            _put_right(own, db, folders, request, known.clips or {}, now=now)
            packed = pack(db, folders, request, floor_pct, sign, now=now, agreed=known.clips)
        else:
            packed = photograph(folders, runtime, request)
        requests.packed(db, request_id, *packed)
        _log.info("packed request %d: %d bytes", request.n, packed.size_b)
    except RequestError:            # it is over; the keeper removes the file
        return DONE
    except Hopeless as hopeless:
        _log.warning("request %d cannot be packed: %s", request.n, hopeless)
        with contextlib.suppress(RequestError):
            requests.fail(db, request_id, str(hopeless))
    except (NotYet, HoldError) as error:
        _log.info("request %d is packed later: %s", request.n, error)
        return AGAIN
    except (ExportError, LockedError, OSError, sqlite3.Error) as error:
        _log.error("request %d: %s", request.n, error)
        return FAULT
    return DONE


def main(argv: list[str]) -> int:
    die_with_parent()
    with contextlib.suppress(PermissionError):      # a systemd unit forbids it, but sets it itself
        os.nice(NICE)
    import argparse
    parser = argparse.ArgumentParser(prog="python -m agent.keeper.pack")
    parser.add_argument("keeper", type=int, help="its process id; if it has died, nothing is done")
    parser.add_argument("store", type=Path)
    parser.add_argument("runtime", type=Path)
    parser.add_argument("floor_pct", type=float)
    parser.add_argument("request")
    given = parser.parse_args(argv)
    if os.getppid() != given.keeper:        # it died before we could ask to die with it
        return AGAIN
    log.set_up("keeper", "info")
    folders = Folders(given.store)
    try:
        own, db = decisions.connect(folders), connect(folders.root)
    except StoreError as error:
        _log.error("%s", error)
        return FAULT
    outlet = Outlet(given.runtime)
    sign = AskKeeper(db, outlet, lambda: os.getppid() == given.keeper)
    code = work(own, db, folders, given.runtime, given.request, floor_pct=given.floor_pct, sign=sign)
    outlet.send(Poke(what="requests"), "link", "web")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
