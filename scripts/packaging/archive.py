"""The archives that a Debian package is made of, the same to the bit on every machine: ar around, tar and xz within.

Nothing of this machine gets in: neither times, users, modes nor the order in which a folder is read. What xz and gzip
make of the same bytes is the business of their libraries, whose versions hardly ever differ in that.
"""
import io
import lzma
import struct
import tarfile
import zlib
from collections.abc import Iterable
from typing import BinaryIO, NamedTuple

NAME_B = 100            # of a name in the plain tar format; longer ones need extensions that a device does not read


class Entry(NamedTuple):
    """A file of a package, a symbolic link, or a folder with rights of its own."""

    data: bytes = b""
    mode: int = 0o644
    link: str = ""
    owner: int = 0
    is_folder: bool = False


Files = dict[str, Entry]        # by path, without a leading slash
FOLDER = Entry(mode=0o755, is_folder=True)


def tar(files: Files, moment_s: int) -> bytes:
    """A plain tar archive of these files and of the folders above them, in the order of their names."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted({*files, *folders(files)}):
            info, data = _member(path, files.get(path, FOLDER), moment_s)
            info.name = f"./{info.name}"
            if len(info.name) > NAME_B:
                raise ValueError(f"{path}: longer than {NAME_B} bytes")
            info.uname = info.gname = "root"
            archive.addfile(info, data)
    return out.getvalue()


def write_image_tar(out: BinaryIO, files: Files, moment_s: int) -> None:
    """Write such an archive as container engines read it: names of any length, without the top folder."""
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted({*files, *folders(files)} - {""}):
            archive.addfile(*_member(path, files.get(path, FOLDER), moment_s))


def _member(path: str, entry: Entry, moment_s: int) -> tuple[tarfile.TarInfo, BinaryIO | None]:
    info = tarfile.TarInfo(f"{path}/" if entry.is_folder and path else path)
    info.mtime, info.mode, info.uid, info.gid = moment_s, entry.mode, entry.owner, entry.owner
    if entry.is_folder:
        info.type = tarfile.DIRTYPE
    elif entry.link:
        info.type, info.mode, info.linkname = tarfile.SYMTYPE, 0o777, entry.link
    else:
        info.size = len(entry.data)
    return info, io.BytesIO(entry.data) if info.size else None


def folders(files: Iterable[str]) -> set[str]:
    """Every folder above these paths; the top one is called ""."""
    found = {""}
    for path in files:
        while "/" in path and (path := path.rpartition("/")[0]) not in found:
            found.add(path)
    return found


def packed(data: bytes, is_fast: bool) -> tuple[str, bytes]:
    """The member `data.tar` of a package, by its whole name: small, or in a fifth of the time."""
    return ("data.tar.gz", gzip(data, 1)) if is_fast else ("data.tar.xz", xz(data))


def xz(data: bytes) -> bytes:
    """Packed so that 9 MB of memory are enough to unpack it, which every board can spare."""
    return lzma.compress(data, format=lzma.FORMAT_XZ, check=lzma.CHECK_CRC64, preset=6)


def gzip(data: bytes, level: int = 9) -> bytes:
    """Packed as gzip -n does: without name and time."""
    engine = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = engine.compress(data) + engine.flush()
    return b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03" + body + struct.pack("<II", zlib.crc32(data), len(data) % 2**32)


def ar(members: Iterable[tuple[str, bytes]], moment_s: int) -> bytes:
    """An ar archive of these members."""
    out = [b"!<arch>\n"]
    for name, data in members:
        out.append(f"{name:<16}{moment_s:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode())
        out += [data, b"\n" * (len(data) % 2)]
    return b"".join(out)
