"""A folder that apt can install from: on a stick, a disk or a web server, and without any network."""
import hashlib
import io
import lzma
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

from scripts.packaging.archive import xz

KEY = "taimat.asc"          # the public key, for signed-by
GPG = ("gpg", "--batch", "--quiet", "--yes")


class NotSigned(Exception):
    """The repository can't be signed; the text says why."""


def add(folder: Path, debs: dict[str, bytes], key: str, moment_s: int) -> None:
    """Lay these packages into `folder`, and write anew what apt reads of all that lie there. Raises NotSigned."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in debs.items():
        (folder / name).write_bytes(data)
    index = "\n".join(stanza(path) for path in sorted(folder.glob("*.deb"))).encode()
    files = {"Packages": index, "Packages.xz": xz(index)}
    files["Release"] = release(files, moment_s).encode()
    files["InRelease"], files[KEY] = sign(files["Release"], key, moment_s)
    for name, data in files.items():
        (folder / name).write_bytes(data)


def stanza(path: Path) -> str:
    """What the list of packages says of one."""
    data = path.read_bytes()
    return (f"{control(data)}Filename: ./{path.name}\nSize: {len(data)}\n"
            f"SHA256: {hashlib.sha256(data).hexdigest()}\n")


def control(deb: bytes) -> str:
    """A package's own description."""
    packed = dict(members(deb))["control.tar.xz"]
    with tarfile.open(fileobj=io.BytesIO(lzma.decompress(packed))) as archive:
        return archive.extractfile("./control").read().decode()


def members(archive: bytes) -> Iterator[tuple[str, bytes]]:
    """Names and contents of an ar archive."""
    at = 8
    while at < len(archive):
        name, size_b = archive[at:at + 16].decode().strip(), int(archive[at + 48:at + 58])
        yield name, archive[at + 60:at + 60 + size_b]
        at += 60 + size_b + size_b % 2


def release(files: dict[str, bytes], moment_s: int) -> str:
    """What apt believes once it is signed. It never grows too old: a stick may lie in a drawer for a year."""
    sums = "".join(f" {hashlib.sha256(data).hexdigest()} {len(data)} {name}\n" for name, data in files.items())
    return ("Origin: Taimat\nLabel: Taimat\nSuite: stable\nArchitectures: all amd64 arm64\n"
            f"Date: {formatdate(moment_s, usegmt=True)}\nSHA256:\n{sums}")


def sign(text: bytes, key: str, moment_s: int, form: str = "--clearsign") -> tuple[bytes, bytes]:
    """The text signed at that time, or when the key was made, which may be later; and the public key.

    `key` is a name that gpg knows, or a file with a secret key. Raises NotSigned.
    """
    if not Path(key).is_file():
        return _signed(text, moment_s, form, "--local-user", key), _gpg("--armor", "--export", key)
    with tempfile.TemporaryDirectory() as home:
        _gpg("--homedir", home, "--import", key)
        return _signed(text, moment_s, form, "--homedir", home), _gpg("--homedir", home, "--armor", "--export")


def _signed(text: bytes, moment_s: int, form: str, *where: str) -> bytes:
    named = where[1:] if "--local-user" in where else ()
    listed = _gpg(*(() if named else where), "--with-colons", "--list-secret-keys", *named).decode()
    made_s = max(int(line.split(":")[5]) for line in listed.splitlines() if line.startswith(("sec:", "ssb:")))
    return _gpg(*where, f"--faked-system-time={max(moment_s, made_s)}!", "--armor", form, given=text)


def _gpg(*words: str, given: bytes = b"") -> bytes:
    try:
        done = subprocess.run([*GPG, *words], input=given, capture_output=True)
    except OSError as error:
        raise NotSigned(f"gpg: {error.strerror}; on Debian: apt install gpg") from error
    if done.returncode or not done.stdout and "--import" not in words:
        raise NotSigned(f"gpg: {done.stderr.decode().strip() or 'it has no such key'}")
    return done.stdout
