"""Reads small kernel files as text or number; None if a file is missing, unreadable or malformed."""
from pathlib import Path

LARGEST_B = 65_536


def text(path: Path) -> str | None:
    """Returns the file's text without surrounding blanks and NULs, at most 64 KiB."""
    try:
        with path.open("rb") as file:
            return file.read(LARGEST_B).decode("utf-8", "replace").strip("\0 \n\t")
    except OSError:
        return None


def number(path: Path, base: int = 10) -> int | None:
    """Returns the whole number in the file."""
    try:
        return int(text(path) or "", base)
    except ValueError:
        return None


def some(folder: Path, pattern: str) -> list[Path]:
    """Returns the entries of `folder` that match `pattern`, sorted; empty if the folder cannot be listed."""
    try:
        return sorted(folder.glob(pattern))
    except OSError:
        return []
