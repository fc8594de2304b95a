"""Folders of plain files as a whole: their digest, which a maker signs, and how one takes another's place."""
import os
from collections.abc import Iterator
from pathlib import Path

from agent.core.release import tree_digest
from agent.host.digest import sha256

BYTE_CODE = "__pycache__"       # is made on the device, and belongs to no digest


def plain_files(folder: Path) -> Iterator[Path]:
    """Every file below `folder`, byte code left out. Raises OSError, also for what is neither a file nor a folder."""
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            if entry.name != BYTE_CODE:
                yield from plain_files(Path(entry.path))
        elif entry.is_file(follow_symlinks=False):
            yield Path(entry.path)
        else:
            raise OSError(f"{entry.path} is not a plain file")


def digest(folder: Path) -> str:
    """The folder's `tree_digest`. Raises OSError."""
    return tree_digest({str(path.relative_to(folder)): sha256(path) for path in plain_files(folder)})
