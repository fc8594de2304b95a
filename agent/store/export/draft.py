"""What is being written has another name until it is whole and flushed, and is gone again if it does not get so far."""
import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from agent.host.files import open_own, rename_durably, sync_folder
from agent.store.export.errors import ExportError
from agent.store.export.write import REMEDIES


@contextlib.contextmanager
def folder_draft(target: Path) -> Iterator[Path]:
    """The folder to fill, which is called `target` in the end. Raises ExportError, also for OSErrors of the block."""
    with _draft(target) as part:
        _remove(part)                   # a cut's
        part.mkdir(mode=0o750)
        yield part
        sync_folder(part)
        rename_durably(part, target)


@contextlib.contextmanager
def file_draft(target: Path) -> Iterator[BinaryIO]:
    """The same for a file."""
    with _draft(target) as part, os.fdopen(open_own(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
        rename_durably(part, target)


@contextlib.contextmanager
def _draft(target: Path) -> Iterator[Path]:
    """The draft's name, ours alone as long as its folder is locked against another one of the same name."""
    if not target.parent.is_dir():
        raise ExportError(f"{target.parent}: there is no such folder; make it or choose another place")
    if target.exists():
        raise ExportError(f"{target} is already there; choose another name")
    part = target.with_name(target.name + ".part")
    try:
        with _locked(part.with_name(part.name + ".lock")):
            try:
                yield part
            except BaseException:
                _remove(part)
                raise
    except BlockingIOError:
        raise ExportError(f"{target} is being written by another export right now; choose another name") from None
    except OSError as error:
        remedy = REMEDIES.get(error.errno or 0, "choose another place, or be another user")
        raise ExportError(f"{error.filename or target}: {error.strerror}; nothing was written; {remedy}") from error


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    handle = open_own(path, os.O_WRONLY | os.O_CREAT)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
    finally:
        os.close(handle)


def _remove(part: Path) -> None:
    if part.is_dir():
        shutil.rmtree(part)
    else:
        part.unlink(missing_ok=True)
