"""Small files of the kernel's: their text or number, or None when they are absent, unreadable or nonsense."""
from pathlib import Path

LARGEST_B = 65_536


def text(path: Path) -> str | None:
    """What the file holds, without blanks and NULs around it; at most 64 KiB of it."""
    try:
        with path.open("rb") as file:
            return file.read(LARGEST_B).decode("utf-8", "replace").strip("\0 \n\t")
    except OSError:
        return None


def number(path: Path, base: int = 10) -> int | None:
    """The whole number that the file holds."""
    try:
        return int(text(path) or "", base)
    except ValueError:
        return None


def some(folder: Path, pattern: str) -> list[Path]:
    """The entries of `folder` that match `pattern`, in order; none when it can't be listed."""
    try:
        return sorted(folder.glob(pattern))
    except OSError:
        return []
