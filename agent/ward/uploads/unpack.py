"""Takes an export out of its archive: plain files of one folder, by names that can lead nowhere else. Nothing more."""
import os
import re
import tarfile
from pathlib import Path
from typing import IO

from agent.host.files import sync_folder

FILES_MAX = 200                 # an hour that is cut into so many films is none
SMALL_B_MAX = 64_000_000        # of one that is no film: rows of years
FILM = ".mp4"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")
PLAIN = (tarfile.REGTYPE, tarfile.AREGTYPE)
PIECE_B = 1 << 20


class NotAnExport(Exception):
    """The archive holds something else than an export's folder; the text says what."""


def unpack(archive: Path, target: Path) -> None:
    """Write the archive's files into the folder `target`, flushed. Raises NotAnExport, and OSError of our disk."""
    target.mkdir()
    try:
        with tarfile.open(archive, mode="r|", errors="strict") as tar:
            _unpack(tar, target)
    except (tarfile.TarError, ValueError, OverflowError, EOFError, MemoryError, RecursionError) as error:
        raise NotAnExport(f"it is no tar archive, or only a part of one ({type(error).__name__})") from error
    sync_folder(target)


def _unpack(tar: tarfile.TarFile, target: Path) -> None:
    seen: set[str] = set()
    folder = None
    for member in tar:
        inside, name = _demand_plain(member)
        folder = folder or inside
        if inside != folder or name in seen or len(seen) >= FILES_MAX:
            raise NotAnExport("it has several folders, a name twice, or far too many files")
        seen.add(name)
        content = tar.extractfile(member)
        assert content is not None          # it is a plain file
        _write(content, target / name, member.size)
    if not seen:
        raise NotAnExport("it is empty")


def _demand_plain(member: tarfile.TarInfo) -> tuple[str, str]:
    """Its folder and name. Raises NotAnExport."""
    inside, slash, name = member.name.partition("/")
    if member.type not in PLAIN or member.issparse() or not slash or not (
            NAME.fullmatch(inside) and NAME.fullmatch(name)):
        raise NotAnExport("it has something else in it than plain files of one folder")
    if member.size < 0 or (member.size > SMALL_B_MAX and not name.endswith(FILM)):
        raise NotAnExport(f"{name} is far larger than such a file is")
    return inside, name


def _write(content: IO[bytes], target: Path, size_b: int) -> None:
    """Write exactly so many bytes, and flush them."""
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
    with os.fdopen(handle, "wb") as file:
        while piece := content.read(PIECE_B):
            size_b -= len(piece)
            file.write(piece)
        if size_b:
            raise NotAnExport(f"{target.name} is shorter than the archive says")
        file.flush()
        os.fsync(file.fileno())
