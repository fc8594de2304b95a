"""Reads an export for the check: the small files whole, the digests of the others."""
from collections.abc import Callable
from pathlib import Path

from agent.core.evidence.ledger import FoundFile, Package, seals, stretch
from agent.host.files import sha256
from agent.store.database import StoreError

SMALL_B_MAX = 256_000_000       # rows of centuries
PAPERS = (seals.MANIFEST, stretch.FILE, *seals.FILES)


def is_one(place: Path) -> bool:
    """Whether that is an export, or was one: its folder, or a file of it that somebody has named instead."""
    return any((place / name).exists() for name in PAPERS) or place.is_file()


def read(folder: Path, tell: Callable[[int], None]) -> Package:
    """Read the export in `folder`; `tell` hears how many files were hashed. Raises StoreError."""
    if folder.is_file():
        remedy = "open it first: age -d -i YOUR-KEY FILE | tar x" if folder.suffix == ".age" else "name its folder"
        raise StoreError(f"{folder} is a file, and an export is checked as a folder; {remedy}")
    try:
        papers = {name: _whole(folder / name) for name in PAPERS if (folder / name).is_file()}
        files = {}
        for path in sorted(each for each in folder.rglob("*") if each.name not in papers or each.parent != folder):
            if not path.is_dir():
                files[str(path.relative_to(folder))] = _hashed(path)
                tell(len(files))
    except OSError as error:
        raise StoreError(f"{error.filename or folder}: {error.strerror}; copy the export anew") from error
    return Package(papers.pop(seals.MANIFEST, b""), papers.pop(stretch.FILE, b""), papers, files)


def _whole(path: Path) -> bytes:
    if path.stat().st_size > SMALL_B_MAX:
        raise StoreError(f"{path} is far larger than such a file is: it is none of an export")
    return path.read_bytes()


def _hashed(path: Path) -> FoundFile:
    try:
        if not path.is_file():
            return FoundFile(trouble="is no plain file")
        return FoundFile(path.stat().st_size, sha256(path))
    except OSError as error:
        return FoundFile(trouble=error.strerror or str(error))
