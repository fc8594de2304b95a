"""Takes an export out of its archive: plain files of one folder, by names that can lead nowhere else. Nothing more."""
import os
import re
from pathlib import Path
from typing import BinaryIO

from agent.host import tar
from agent.host.files import sync_folder
from agent.host.tar import NotPlainTar, TarMember

FILES_MAX = 200                 # an hour that is cut into so many films is none
SMALL_B_MAX = 64_000_000        # of one that is no film: rows of years
FILM = ".mp4"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")


class NotAnExport(Exception):
    """The archive holds something else than an export's folder; the text says what."""


def unpack(archive: Path, target: Path) -> None:
    """Write the archive's files into the folder `target`, flushed. Raises NotAnExport, and OSError of our disk."""
    target.mkdir()
    try:
        with archive.open("rb") as file:
            _unpack(file, target, archive.stat().st_size)
    except NotPlainTar as error:
        raise NotAnExport(str(error)) from error
    sync_folder(target)


def _unpack(file: BinaryIO, target: Path, most_b: int) -> None:
    seen: set[str] = set()
    folder = None
    for member in tar.members(file, most_b):
        inside, name = _demand_plain(member)
        folder = folder or inside
        if inside != folder or name in seen or len(seen) >= FILES_MAX:
            raise NotAnExport("it has several folders, a name twice, or far too many files")
        seen.add(name)
        _write(file, target / name, member.size_b)
    if not seen:
        raise NotAnExport("it is empty")


def _demand_plain(member: TarMember) -> tuple[str, str]:
    """Its folder and name. Raises NotAnExport."""
    inside, slash, name = member.name.partition("/")
    if not slash or not (NAME.fullmatch(inside) and NAME.fullmatch(name)):
        raise NotAnExport("it has something else in it than plain files of one folder")
    if member.size_b > SMALL_B_MAX and not name.endswith(FILM):
        raise NotAnExport(f"{name} is far larger than such a file is")
    return inside, name


def _write(archive: BinaryIO, target: Path, size_b: int) -> None:
    """Write exactly so many bytes, and flush them. Raises NotPlainTar where the archive ends before."""
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
    with os.fdopen(handle, "wb") as file:
        for piece in tar.pieces(archive, size_b):
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
