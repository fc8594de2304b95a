"""Releases for tests: a tiny agent and a library, the files that carry them, and whatever a forger would do to them."""
import hashlib
import io
import json
import lzma
import platform
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.core.release import UNITS

PURPOSE = b"taimat release 2\n"
HOME = "./usr/lib/taimat/"
MACHINE = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
# It says whether it is ready: all that root ever asks of a version. It needs its library for that.
PROGRAM = '''#!/usr/bin/env python3
import sys
from pathlib import Path
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "libraries"))
import shelf
if "--version" in sys.argv:
    print("taimat {version}, shelf", shelf.SIZE)
elif sys.argv[1:3] == ["update", "ready"]:
    sys.exit({ready})
'''

Files = dict[str, bytes]


def agent(version: str, ready: int = 0) -> Files:
    """The folder `agent` of a release whose `taimat` does next to nothing."""
    launcher = PROGRAM.format(version=version, ready=ready).encode()
    return {"__init__.py": f'"""Taimat {version}."""\n'.encode(), "cli/update/launcher.py": launcher}


def libraries(size: int = 1) -> Files:
    """The folder `libraries`; another size is another library."""
    return {"shelf.py": f"SIZE = {size}\n".encode(), "shelf.libs/lib-1.so.2": b"\x7fELF" * size}


def digest(files: Files) -> str:
    """As docs/design/device.md says it."""
    lines = [f"{hashlib.sha256(files[path]).hexdigest()}  {path}\n" for path in sorted(files)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


class Maker:
    """Somebody who makes releases, with a key of their own."""

    def __init__(self, folder: Path, key: Ed25519PrivateKey | None = None) -> None:
        """Make the key, or have this one; `public` is its file."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.key = folder, key or Ed25519PrivateKey.generate()
        self.public, self.private = folder / "release.pem", folder / "release.key"
        self.public.write_bytes(self.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
        self.private.write_bytes(self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))

    def told(self, version: str, code: Files, shelf: Files, /, **other: object) -> bytes:
        """`release.json`; `other` takes the place of what is right."""
        release = {"v": 2, "version": version, "architecture": MACHINE,
                   "needs": {"python": "3.11", "schema": 1, "units": UNITS},
                   "trees": {"agent": digest(code), "libraries": digest(shelf)}}
        return json.dumps(release | other).encode()

    def bundle(self, version: str, /, ready: int = 0, size: int = 1, light: bool = False, **other: object) -> bytes:
        """A right one, but for what `other` says: the whole package, or the light one without libraries."""
        code, shelf = agent(version, ready), libraries(size)
        told = self.told(version, code, shelf, **other)
        data = tar(data_files(code, {} if light else shelf), folders=not light)
        return ar(self.members(told, data, light))

    def members(self, told: bytes, data: bytes, light: bool = False) -> list[tuple[str, bytes]]:
        """What a release's file consists of; `data` is the archive of its files, not packed yet."""
        control = [] if light else [("control.tar.xz", lzma.compress(tar([("./control", b"Package: taimat\n")])))]
        return [("debian-binary", b"2.0\n"), ("_release.json", told), ("_release.sig", self.sign(told)), *control,
                ("data.tar.xz", lzma.compress(data, preset=0))]

    def sign(self, told: bytes) -> bytes:
        """The maker's signature."""
        return self.key.sign(PURPOSE + told)

    def lay(self, folder: Path, version: str, /, ready: int = 0, size: int = 1, **other: object) -> None:
        """Do as dpkg does with the package of this version: each file new, in the place of the old one."""
        code, shelf = agent(version, ready), libraries(size)
        told = self.told(version, code, shelf, **other)
        files = {"release.json": told, **{f"agent/{path}": data for path, data in code.items()},
                 **{f"libraries/{path}": data for path, data in shelf.items()}}
        for path, data in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            (new := target.with_name(f"{target.name}.dpkg-new")).write_bytes(data)
            new.rename(target)


def data_files(code: Files, shelf: Files) -> list[tuple[str, bytes]]:
    """The files of a package by their full names."""
    return [*((f"{HOME}agent/{path}", data) for path, data in code.items()),
            *((f"{HOME}libraries/{path}", data) for path, data in shelf.items())]


def tar(files: list[tuple[str, bytes]], kind: bytes = tarfile.REGTYPE, folders: bool = False) -> bytes:
    """An archive of these files; the last one is of this kind. With `folders`: and of a unit, folders and a link."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        if folders:
            for name in ("./", "./usr/", "./usr/lib/", HOME, f"{HOME}agent/"):
                archive.addfile(_entry(name, tarfile.DIRTYPE))
            archive.addfile(_entry("./usr/bin/taimat", tarfile.SYMTYPE))
            files = [("./usr/lib/systemd/system/taimat.target", b"[Unit]\n"), *files]
        for number, (name, data) in enumerate(files, 1):
            info = _entry(name, kind if number == len(files) else tarfile.REGTYPE)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def _entry(name: str, kind: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = "/etc/passwd" if info.issym() or info.islnk() else ""
    return info


def ar(files: list[tuple[str, bytes]]) -> bytes:
    """An ar archive of these files."""
    heads = [f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode() for name, data in files]
    return b"!<arch>\n" + b"".join(head + data + b"\n" * (len(data) % 2)
                                   for head, (_, data) in zip(heads, files, strict=True))


def gzip(data: bytes) -> bytes:
    """As gzip packs it."""
    engine = zlib.compressobj(wbits=31)
    return engine.compress(data) + engine.flush()


PACKERS: dict[str, Callable[[bytes], bytes]] = {"data.tar": bytes, "data.tar.gz": gzip, "data.tar.xz": lzma.compress}
