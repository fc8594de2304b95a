"""Releases for tests: a tiny `taimat` in a wheel, a bundle around it, and whatever a forger would do to both."""
import hashlib
import io
import json
import tarfile
import zipfile
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PURPOSE = b"taimat release 1\n"
# It says whether it is ready, and notes each call: all that root ever asks of a version.
PROGRAM = '''
import sys
def main():
    if "--version" in sys.argv:
        print("taimat {version}")
    elif sys.argv[1:3] == ["update", "ready"]:
        sys.exit({ready})
'''


def wheel(folder: Path, version: str, ready: int = 0, name: str = "taimat") -> Path:
    """A wheel of `name` whose `taimat` does next to nothing."""
    path, about = folder / f"{name}-{version}-py3-none-any.whl", f"{name}-{version}.dist-info"
    files = {
        f"{name}_stand_in.py": PROGRAM.format(version=version, ready=ready),
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Dist: nowhere\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/entry_points.txt": f"[console_scripts]\n{name} = {name}_stand_in:main\n"}
    with zipfile.ZipFile(path, "w") as packed:
        for file, text in files.items():
            packed.writestr(file, text)
        packed.writestr(f"{about}/RECORD", "".join(f"{file},,\n" for file in (*files, f"{about}/RECORD")))
    return path


class Maker:
    """Somebody who makes releases, with a key of their own."""

    def __init__(self, folder: Path) -> None:
        """Make the key; `public` is its file."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.key = folder, Ed25519PrivateKey.generate()
        self.public, self.private = folder / "release.pem", folder / "release.key"
        self.public.write_bytes(self.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
        self.private.write_bytes(self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))

    def told(self, version: str, wheels: list[Path], /, **other: object) -> bytes:
        """`release.json`; `other` takes the place of what is right."""
        release = {"v": 1, "version": version, "needs": {"python": "3.11", "schema": 1},
                   "files": {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in wheels}}
        return json.dumps(release | other).encode()

    def bundle(self, version: str, /, ready: int = 0, **other: object) -> bytes:
        """A right one, but for what `other` says."""
        built = wheel(self.folder, version, ready)
        told = self.told(version, [built], **other)
        return tar([("release.json", told), ("release.sig", self.sign(told)), (built.name, built.read_bytes())])

    def sign(self, told: bytes) -> bytes:
        """The maker's signature."""
        return self.key.sign(PURPOSE + told)


def tar(files: list[tuple[str, bytes]], kind: bytes = tarfile.REGTYPE) -> bytes:
    """An archive of these files; the last one is of this kind."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for number, (name, data) in enumerate(files, 1):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            info.type = kind if number == len(files) else tarfile.REGTYPE
            info.linkname = "/etc/passwd" if info.issym() or info.islnk() else ""
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def ar(files: list[tuple[str, bytes]]) -> bytes:
    """An ar archive of these files."""
    heads = [f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode() for name, data in files]
    return b"!<arch>\n" + b"".join(head + data + b"\n" * (len(data) % 2)
                                   for head, (_, data) in zip(heads, files, strict=True))
