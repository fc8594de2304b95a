"""Opens a release's file. It may come from a stranger, so nothing counts before its maker's signature is checked.

The file is a Debian package with two more members, or the same without what a running device already has: see
agent/core/release.py. Only the agent's two folders are read from it, and their digests must be the signed ones.
"""
import hashlib
import os
import re
import tarfile
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import BinaryIO

from agent.core.evidence.ledger.seals import Verifies
from agent.core.key_slots import KeySlots
from agent.core.release import BUNDLE_B, Release, ReleaseRefused, believed, tree_digest
from agent.host import release_file, tar
from agent.host.release_file import ArMember, bad
from agent.host.tar import NotPlainTar, unpacked

HOME = "usr/lib/taimat/"
FILES_MAX = 20_000
# A path that stays inside the folder and is no byte code, which is compiled here.
INSIDE = re.compile(r"(?!.*__pycache__)(?!.*\.pyc\Z)(?:[A-Za-z0-9_][A-Za-z0-9_.+-]{0,99}/){0,12}"
                    r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,99}")
PASSED_OVER = (tarfile.DIRTYPE, tarfile.SYMTYPE)

Accept = Callable[[Release, KeySlots], Collection[str]]


def unpack(file: BinaryIO, slots: KeySlots, verifies: Verifies, into: Path, accept: Accept) -> tuple[Release, bytes]:
    """Unpacks the wanted folders into `into`, as the maker signed them. Returns the release and its `release.json`.

    `accept` gets the release and the keys that are valid from now on. It returns the wanted folders, or refuses the
    release before anything is written. Raises ReleaseRefused and OSError.
    """
    notes, signature, members = release_file.begin(file)
    release, changed = believed(notes, signature, slots, verifies)
    wanted = accept(release, changed)
    try:
        found = _take_out(file, _data(file, members), into, wanted)
    except NotPlainTar as error:
        raise bad(str(error)) from error
    for name in wanted:
        if name == "libraries" and not found[name]:
            raise ReleaseRefused("incomplete", f"{release.version} takes other libraries than this device has, and "
                                 "this file does not bring them: give it the whole package (.deb)")
        if tree_digest(found[name]) != getattr(release.trees, name):
            raise bad(f"{name} is not what its maker signed")
    return release, notes


def _data(file: BinaryIO, members: Iterator[ArMember]) -> ArMember:
    """Reads up to the member with the files. Raises ReleaseRefused and NotPlainTar."""
    for member in members:
        if member.name.partition(".")[0] == "data":
            return member
        _skip(file, member.size_b)
    raise bad("there are no files in it")


def _skip(file: tar.Reader, size_b: int) -> None:
    for _ in tar.pieces(file, size_b):
        pass


def _take_out(file: BinaryIO, data: ArMember, into: Path, wanted: Collection[str]) -> dict[str, dict[str, str]]:
    """Writes the wanted folders; returns for each the SHA-256 of its files by path."""
    found: dict[str, dict[str, str]] = {name: {} for name in wanted}
    packed = unpacked(data.name, file, data.size_b)
    for name, size_b in tar.members(packed, BUNDLE_B, over=PASSED_OVER):
        tree, _, path = name.removeprefix("./").removeprefix(HOME).partition("/")
        if not name.removeprefix("./").startswith(HOME) or tree not in found:
            _skip(packed, size_b)
            continue
        if not INSIDE.fullmatch(path) or len(found[tree]) >= FILES_MAX:
            raise bad(f"{name} does not belong there")
        try:
            found[tree][path] = _copy(packed, size_b, into / tree / path)
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise bad(f"{name} is there twice") from error
    return found


def _copy(file: tar.Reader, size_b: int, target: Path) -> str:
    """Writes the next bytes to a new file; returns their SHA-256 in hex."""
    digest = hashlib.sha256()
    target.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644), "wb") as out:
        for piece in tar.pieces(file, size_b):
            digest.update(piece)
            out.write(piece)
    return digest.hexdigest()
