"""The second place of received footage: a copy of each upload beside the daily backups, and the way back.

An upload never changes, so each is copied once. Nothing here deletes: a case that is closed is deleted in both places.
"""
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from agent.host.files import rename_durably, sync_folder
from agent.ward.authority.issuer import AuthorityFault
from agent.ward.authority.places import WARD_USER, give

FOLDER = "exports"                  # beside the backups
UPLOAD = "[0-9]*/*/*"               # YEAR/CASE/ID: agent/ward/uploads/checker.py


def uploads(shelf: Path) -> list[Path]:
    """Returns the folders of whole uploads below `shelf`, relative to it."""
    return sorted(path.relative_to(shelf) for path in shelf.glob(UPLOAD) if path.is_dir() and path.name[0] != ".")


def copy_missing(source: Path, target: Path) -> int:
    """Copies the uploads below `source` that `target` lacks; returns how many. A cut leaves no half upload under its
    name. Raises AuthorityFault if one can't be copied; those before it are there."""
    missing = [each for each in uploads(source) if not (target / each).is_dir()]
    for copied_n, each in enumerate(missing):
        try:
            _copy(source / each, target / each)
        except OSError as error:        # shutil.Error has all of a tree's errors
            cause = error.strerror or str(error)
            raise AuthorityFault(f"{target / each}: {cause}; {len(missing) - copied_n} uploads are not copied "
                                 "yet; make room there and repeat it") from error
    return len(missing)


def _copy(source: Path, target: Path) -> None:
    draft = target.with_name(f".{target.name}.part")
    for folder in reversed([each for each in target.parents if not each.exists()]):
        folder.mkdir(mode=0o750)
        give(folder, WARD_USER, WARD_USER)
    shutil.rmtree(draft, ignore_errors=True)
    shutil.copytree(source, draft, symlinks=True)
    for path in (*draft.rglob("*"), draft):
        give(path, WARD_USER, WARD_USER)
        if path.is_dir():
            sync_folder(path)
        elif not path.is_symlink():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    rename_durably(draft, target)


class Lack(NamedTuple):
    """Uploads, as folders relative to the shelf."""

    here_n: int
    lost: Sequence[Path]            # they are in the backup only
    single: Sequence[Path]          # they are here only, although a backup was made since


def lack(shelf: Path, beside: Path | None, backup_s: float) -> Lack:
    """Compares the shelf with the copy in `beside`; None if the ward has no folder for backups. `backup_s` is the Unix
    time of the newest backup."""
    here, copied = set(uploads(shelf)), set(uploads(beside) if beside else ())
    single = {each for each in here - copied if (shelf / each).stat().st_mtime < backup_s} if beside else set[Path]()
    return Lack(len(here), sorted(copied - here), sorted(single))
