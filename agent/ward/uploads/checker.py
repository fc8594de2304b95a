"""Starts the checks of uploads, and stores good ones read-only, with a signed receipt, in the database.

A few checks run at once, one of each device. One that takes long is stopped, and runs once more in a second lane, with
more time; if it does not finish there, the upload is refused.

A kill can't spoil any step: an upload is stored and flushed, then committed, then deleted in the spool. After a
restart, a stored upload is committed, and a whole one that is not stored is checked again.
"""
import asyncio
import logging
import os
import re
import shutil
import sys
import unicodedata
import weakref
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from agent.core.contract.wire.requests import Receipt
from agent.host.clock import Clock
from agent.host.files import sync_folder, write_durably
from agent.ward.command_signer import CommandKey
from agent.ward.metrics import IntakeMetrics
from agent.ward.requests import UNCHECKED, PictureRequest, PictureRequests
from agent.ward.uploads.check import EXIT_DISK, WITNESSES, Job, UploadVerdict, Witnesses

COMING, CHECKING, REFUSED = "coming", "checking", "refused"     # below the intake's folder, beside the years
OWN_ONLY = 0o640


class Spool:
    """The files below `folder`. Every method may raise OSError."""

    def __init__(self, folder: Path) -> None:
        """Makes the folders, and deletes what a killed check has left."""
        self.folder, self._coming = folder, folder / COMING
        for name in (COMING, CHECKING, REFUSED):
            (folder / name).mkdir(parents=True, exist_ok=True, mode=0o750)
        for left in (folder / CHECKING).iterdir():
            remove(left)
        sync_folder(folder)

    def path(self, request_id: str) -> Path:
        return self._coming / request_id

    def begin(self, request_id: str) -> None:
        """Makes an empty file; an existing one keeps its bytes, and counts as touched now."""
        os.close(os.open(self.path(request_id), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, OWN_ONLY))
        os.utime(self.path(request_id))
        sync_folder(self._coming)

    def size_b(self, request_id: str) -> int | None:
        """Returns the received bytes; None if the upload was never begun."""
        try:
            return self.path(request_id).stat().st_size
        except FileNotFoundError:
            return None

    def touched_s(self, request_id: str) -> float:
        """Returns when bytes came last, or the device began again: Unix time; 0 if it was never begun."""
        try:
            return self.path(request_id).stat().st_mtime
        except FileNotFoundError:
            return 0.0

    def append(self, request_id: str, data: bytes) -> int:
        """Appends and flushes; returns the received bytes."""
        handle = os.open(self.path(request_id), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, OWN_ONLY)
        try:
            with memoryview(data) as rest:
                done_b = 0
                while done_b < len(rest):
                    done_b += os.write(handle, rest[done_b:])
            os.fsync(handle)
            return os.fstat(handle).st_size
        finally:
            os.close(handle)

    def drop(self, request_id: str) -> None:
        self.path(request_id).unlink(missing_ok=True)

    def keep_aside(self, request_id: str) -> Path:
        """Moves a refused upload aside for inspection; returns its path."""
        target = self.folder / REFUSED / request_id
        os.replace(self.path(request_id), target)
        os.utime(target)
        sync_folder(target.parent)
        return target

    def forget_aside(self, request_id: str) -> None:
        """Deletes a refused upload if it is still there; the reason beside it stays."""
        (self.folder / REFUSED / request_id).unlink(missing_ok=True)

    def tidy_aside(self, before_s: float) -> None:
        """Deletes refused uploads from before this moment (Unix time)."""
        for path in (self.folder / REFUSED).iterdir():
            if path.stat().st_mtime < before_s:
                remove(path)

    def free_b(self) -> int:
        disk = os.statvfs(self.folder)
        return disk.f_bavail * disk.f_frsize

    def names(self) -> list[str]:
        return sorted(path.name for path in self._coming.iterdir())


def remove(place: Path) -> None:
    """Deletes a folder or a file, even a read-only one."""
    if not place.is_dir() or place.is_symlink():
        place.unlink(missing_ok=True)
        return
    for folder in (place, *(each for each in place.rglob("*") if each.is_dir() and not each.is_symlink())):
        folder.chmod(0o700)
    shutil.rmtree(place)


RECEIPT, ASKED, REASON = "receipt.json", "request.json", "reason.json"
AT_ONCE_N = 4
TRIES_N = 2                     # then it is refused
FIRST_S, FIRST_B_PER_S = 60.0, 20_000_000       # a machine and a disk as one has them
AGAIN_S, AGAIN_B_PER_S = 300.0, 5_000_000       # loaded and old ones
READABLE, ENTERABLE = 0o440, 0o550
STRANGE = re.compile(r"[^\w.-]+")

_log = logging.getLogger(__name__)


class Trouble(Exception):
    """The check did not finish, and will be repeated."""


class Uncheckable(Exception):
    """The check took too long, or its process died."""


class Lane(NamedTuple):
    """Where checks wait for each other, and how long one may take."""

    slots: asyncio.Semaphore
    patience_s: float
    b_per_s: float              # bytes that a slow disk reads and writes in a second

    def patience_for(self, size_b: int) -> float:
        return self.patience_s + size_b / self.b_per_s


class Checker:
    def __init__(self, requests: PictureRequests, spool: Spool, key: CommandKey, clock: Clock,
                 metrics: IntakeMetrics) -> None:
        self._requests, self._spool, self._key, self._clock, self._metrics = requests, spool, key, clock, metrics
        self._first = Lane(asyncio.Semaphore(AT_ONCE_N), FIRST_S, FIRST_B_PER_S)
        self._again = Lane(asyncio.Semaphore(1), AGAIN_S, AGAIN_B_PER_S)
        self._devices: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()

    async def check(self, request: PictureRequest) -> UploadVerdict | None:
        """Returns None if it is stored already. Raises Trouble, DatabaseFault and OSError: then it may be tried again.

        """
        async with self._devices.setdefault(request.dev, asyncio.Lock()):
            if self._target(request).is_dir():
                return None
            failed_n = await asyncio.to_thread(self._requests.unchecked_n, request.id)
            lane = self._again if failed_n else self._first
            if failed_n >= TRIES_N:
                return _given_up()
            async with lane.slots:
                try:
                    return await self._run(await asyncio.to_thread(self._job, request), lane)
                except Uncheckable as error:
                    await asyncio.to_thread(self._requests.note, request.id, "intake", UNCHECKED,
                                            self._clock.now().wall_ms, str(error))
                    if failed_n + 1 >= TRIES_N:
                        return _given_up()
                    raise Trouble(str(error)) from error

    async def settle(self, request: PictureRequest, verdict: UploadVerdict | None) -> None:
        """Stores it, or puts it aside with the reason. A cancelled caller waits for that. Raises as `check`."""
        task = asyncio.ensure_future(asyncio.to_thread(self._settle, request, verdict))
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            await task
            raise

    def forget(self, request: PictureRequest) -> None:
        """Deletes everything of this upload. Raises OSError."""
        self._spool.drop(request.id)
        for folder in (self._folder(request), self._target(request)):
            remove(folder)

    async def _run(self, job: Job, lane: Lane) -> UploadVerdict:
        """Runs the checking process. Raises Uncheckable, Trouble and OSError."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "agent.ward.uploads.check", stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE)
        try:
            async with asyncio.timeout(lane.patience_for(job.bytes)):
                output, _ = await process.communicate(msgspec.json.encode(job))
        except TimeoutError:
            raise Uncheckable("the check took too long") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode == EXIT_DISK:
            raise Trouble("there was no room for what is in it, or the disk has failed")
        if process.returncode:
            raise Uncheckable(f"the check ended with code {process.returncode}")
        try:
            return msgspec.json.decode(output, type=UploadVerdict)
        except msgspec.MsgspecError as error:
            raise Uncheckable("the check ended without a verdict") from error

    def _job(self, request: PictureRequest) -> Job:
        assert request.bytes is not None and request.sha256 is not None
        key, heads = self._requests.witnesses(request.dev)
        remove(self._folder(request))
        return Job(parent=os.getpid(), upload=str(self._spool.path(request.id)), folder=str(self._folder(request)),
                   kind=request.kind, bytes=request.bytes, sha256=request.sha256, manifest=request.manifest,
                   dev=request.dev, certificate=request.certificate or "", cam=request.cam, case=request.case_no,
                   purpose=request.purpose, officer=request.officer, begin_ms=request.begin_ms, end_ms=request.end_ms,
                   key=key or "", heads=heads)

    def _settle(self, request: PictureRequest, verdict: UploadVerdict | None) -> None:
        if verdict is None:
            self._commit(request, "after a restart")
        elif verdict.code is None:
            self._store(request)
            self._commit(request, None if request.kind == "snapshot" else
                         f"{verdict.heads_n} of its rows are known from health reports, and agree")
        else:
            self._put_aside(request, verdict)

    def _put_aside(self, request: PictureRequest, verdict: UploadVerdict) -> None:
        self._metrics.refused.labels(verdict.code).inc()
        _log.warning("%s of %s is not what it should be: %s: %s", request.id, request.dev, verdict.code, verdict.why)
        for earlier in self._requests.failed_of(request.dev):   # one device has the room of one
            self._spool.forget_aside(earlier)
        aside = self._spool.keep_aside(request.id)
        reason = aside.with_name(f"{request.id}.{REASON}")
        write_durably(reason, msgspec.json.encode(verdict))
        remove(self._folder(request))
        if not self._requests.become(request.id, "failed", "intake", self._clock.now().wall_ms,
                                     "; ".join(verdict.findings) or verdict.why, code=verdict.code):
            for path in (aside, reason):        # it was cancelled meanwhile: nothing of it is to be kept
                remove(path)

    def _store(self, request: PictureRequest) -> None:
        checked, target = self._folder(request), self._target(request)
        write_durably(checked / RECEIPT, self._receipt(request))
        write_durably(checked / ASKED, request.command.encode())
        if request.kind == "clip":
            known = Witnesses(*self._requests.witnesses(request.dev))
            write_durably(checked / WITNESSES, msgspec.json.encode(known))
        sync_folder(checked)
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        checked.rename(target)
        for folder in (target.parent, target.parent.parent, self._spool.folder):
            sync_folder(folder)

    def _commit(self, request: PictureRequest, detail: str | None) -> None:
        """Marks the request as done; deletes the files if it was cancelled meanwhile."""
        target = self._target(request)
        for path in (*target.rglob("*"), target):
            path.chmod(ENTERABLE if path.is_dir() else READABLE)
        receipt = (target / RECEIPT).read_text()
        if self._requests.become(request.id, "done", "intake", self._clock.now().wall_ms, detail, receipt=receipt,
                                 place=place(request)):
            self._metrics.kept.labels(request.kind).inc()
            _log.info("%s of %s is here: %s", request.id, request.dev, target)
        else:
            remove(target)
        self._spool.drop(request.id)

    def _receipt(self, request: PictureRequest) -> bytes:
        receipt = Receipt(request=request.id, dev=request.dev, sha256=request.sha256 or "", bytes=request.bytes or 0,
                          ts=self._clock.now().wall_ms, manifest=request.manifest)
        return msgspec.json.encode(self._key.sign(msgspec.to_builtins(receipt) | {"v": receipt.v}))

    def _folder(self, request: PictureRequest) -> Path:
        return self._spool.folder / CHECKING / request.id

    def _target(self, request: PictureRequest) -> Path:
        return self._spool.folder / place(request)


def _given_up() -> UploadVerdict:
    return UploadVerdict(code="uncheckable", why=f"{TRIES_N} checks of it did not come to an end")


def place(request: PictureRequest) -> str:
    """Returns the folder below the intake's: the year of the request, its case, its id."""
    year = datetime.fromtimestamp(request.made_ms / 1000).year
    return f"{year}/{_as_name(request.case_no)}/{request.id}"


def _as_name(text: str) -> str:
    return STRANGE.sub("-", unicodedata.normalize("NFC", text)).strip(".-")[:60] or "case"
