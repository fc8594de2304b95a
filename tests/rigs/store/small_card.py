"""A real ext4 of some megabytes, and strangers that fill it: with bytes, or with files (root)."""
import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.rigs.powercut.disk import plugged_in

SIZE_B = 48 << 20
# Root keeps nothing for itself, and blocks are as large as on a real card: of smaller ones SQLite's shared memory has
# not all that it needs, and who writes there on a full card dies of SIGBUS.
MKFS = ("-m", "0", "-b", "4096")


@contextlib.contextmanager
def small_card(folder: Path, *mkfs: str) -> Iterator[Path]:
    """Where it is mounted. `mkfs`: more options."""
    image = folder / "card.img"
    with image.open("wb") as file:
        file.truncate(SIZE_B)
    subprocess.run(["mkfs.ext4", "-q", "-F", *MKFS, *mkfs, image], check=True)
    with plugged_in(image, folder / "card"):
        yield folder / "card"


def fill_bytes(card: Path) -> None:
    """Leave no block free; `empty` takes the strangers away again."""
    for number in range(3):         # what was set aside for the first one's books is free once they are written
        with (card / f"stranger-{number}").open("wb", buffering=0) as file:
            for piece_b in (1 << 20, 4096, 1024, 1):
                with contextlib.suppress(OSError):
                    while file.write(bytes(piece_b)):
                        pass
            with contextlib.suppress(OSError):
                os.fsync(file.fileno())
    assert os.statvfs(card).f_bavail == 0


def fill_files(card: Path) -> None:
    """Leave no inode free."""
    (card / "stranger-files").mkdir()
    with contextlib.suppress(OSError):
        for number in range(100_000):
            (card / "stranger-files" / f"{number}").touch()
    assert os.statvfs(card).f_favail == 0


def empty(card: Path) -> None:
    """Take the strangers away."""
    subprocess.run(["sh", "-c", f"rm -r '{card}'/stranger*"], check=True)
