"""Reads an export for the check: the small files whole, the digests of the others."""
from collections.abc import Callable
from pathlib import Path

from agent.core.evidence.ledger import seals, stretch
from agent.core.evidence.ledger.card_check import FoundFile
from agent.core.evidence.ledger.package import Package
from agent.host.files import sha256
from agent.store.database import StoreError

SMALL_B_MAX = 256_000_000       # ledger rows of centuries
PAPERS = (seals.MANIFEST, stretch.FILE, *seals.FILES)


def is_one(place: Path) -> bool:
    return any((place / name).exists() for name in PAPERS) or place.is_file()


def read(folder: Path, tell: Callable[[int], None]) -> Package:
    """Reads the export in `folder`; calls `tell` with the number of files hashed. Raises StoreError."""
    if folder.is_file():
        remedy = "open it first: age -d -i YOUR-KEY FILE | tar x" if folder.suffix == ".age" else "name its folder"
        raise StoreError(f"{folder} is a file, and an export is checked as a folder; {remedy}")
    try:
        found = {name: folder / name for name in PAPERS if (folder / name).is_file()}
        if large := next((path for path in found.values() if path.stat().st_size > SMALL_B_MAX), None):
            raise StoreError(f"{large} is too large to be part of an export")
        papers = {name: path.read_bytes() for name, path in found.items()}
        files = {}
        for path in sorted(file for file in folder.rglob("*") if file.name not in papers or file.parent != folder):
            if not path.is_dir():
                files[str(path.relative_to(folder))] = _hashed(path)
                tell(len(files))
    except OSError as error:
        raise StoreError(f"{error.filename or folder}: {error.strerror}; copy the export again") from error
    return Package(papers.pop(seals.MANIFEST, b""), papers.pop(stretch.FILE, b""), papers, files)


def _hashed(path: Path) -> FoundFile:
    try:
        if not path.is_file():
            return FoundFile(trouble="is no plain file")
        return FoundFile(path.stat().st_size, sha256(path))
    except OSError as error:
        return FoundFile(trouble=error.strerror or str(error))
