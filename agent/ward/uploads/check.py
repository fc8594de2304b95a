"""Checks whether an upload is what the ward asked for: in a process of its own, because the file is a stranger's.

`python -m agent.ward.uploads.check` reads a Job as JSON and writes an UploadVerdict. It holds no key, its memory is
bounded, and its parent ends it if it takes too long.
"""
import contextlib
import os
import re
import resource
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec import Struct

from agent.core.evidence.ledger import seals
from agent.core.evidence.ledger.claim import ExportWish
from agent.core.evidence.ledger.package import PackageVerdict as Holds
from agent.core.evidence.ledger.package import check_package
from agent.core.household.sharing_rules import Kind
from agent.host import tar
from agent.host.command_key import verifies
from agent.host.files import sha256, sync_folder
from agent.host.prctl import die_with_parent
from agent.host.tar import NotPlainTar, TarMember
from agent.store.database import StoreError
from agent.store.export import unpacked

MEMORY_B = 1_500_000_000
PICTURE_B = 30_000_000          # of one JPEG picture
JPEG = b"\xff\xd8\xff"
EXPORT, PICTURE = "export", "snapshot.jpg"      # what the upload becomes, in its folder
FINDINGS_MAX, LINE_MAX = 20, 200
EXIT_DISK = 74                  # sysexits.h EX_IOERR
FIRST_TO_GO = "1000"            # of all processes that share too little memory
FILES_MAX = 200                 # more than an hour of footage ever has
SMALL_B_MAX = 64_000_000        # of one that is no film: rows of years
FILM = ".mp4"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")


WITNESSES = "witnesses.json"


class Witnesses(Struct, frozen=True):
    """What the ward knew of a device when its upload came; health reports are deleted after a month."""

    key: str | None = None          # fingerprint of its newest key
    heads: dict[int, str] = {}      # of its ledger, by the number of the row


class NotAnExport(Exception):
    """The archive is not the folder of an export; the text says why."""


def unpack(archive: Path, target: Path) -> None:
    """Writes the archive's files into the folder `target`, flushed. Raises NotAnExport, and OSError of our disk."""
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
        inside, name = _require_plain(member)
        folder = folder or inside
        if inside != folder or name in seen or len(seen) >= FILES_MAX:
            raise NotAnExport("it has several folders, a name twice, or far too many files")
        seen.add(name)
        _write(file, target / name, member.size_b)
    if not seen:
        raise NotAnExport("it is empty")


def _require_plain(member: TarMember) -> tuple[str, str]:
    """Raises NotAnExport."""
    inside, slash, name = member.name.partition("/")
    if not slash or not (NAME.fullmatch(inside) and NAME.fullmatch(name)):
        raise NotAnExport("it has something else in it than plain files of one folder")
    if member.size_b > SMALL_B_MAX and not name.endswith(FILM):
        raise NotAnExport(f"{name} is far larger than such a file is")
    return inside, name


def _write(archive: BinaryIO, target: Path, size_b: int) -> None:
    """Writes `size_b` bytes, flushed. Raises NotPlainTar if the archive ends before."""
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
    with os.fdopen(handle, "wb") as file:
        for piece in tar.pieces(archive, size_b):
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())


class Job(Struct, kw_only=True, frozen=True):
    parent: int                     # the process that asks
    upload: str                     # the file
    folder: str                     # to be made, for what is in it
    kind: Kind
    bytes: int
    sha256: str
    manifest: str | None
    dev: str
    certificate: str                # the sender's: SHA-256 of its public key, hex
    cam: str
    case: str
    purpose: str
    officer: str
    begin_ms: int | None = None
    end_ms: int | None = None
    key: str = ""                   # fingerprint of the key that the device's health reports tell of; "" for none
    heads: dict[int, str] = {}      # rows of its ledger that the ward has seen


class UploadVerdict(Struct, kw_only=True, frozen=True):
    """The result; without a code, everything holds."""

    code: str | None = None
    why: str = ""
    findings: list[str] = []
    heads_n: int = 0                # of the heads, those that agree with its rows


class Unfit(Exception):
    """The upload is not what the ward asked for."""

    def __init__(self, code: str, why: str, findings: list[str] | None = None) -> None:
        super().__init__(why)
        self.code, self.why, self.findings = code, why, findings or []


def check(job: Job) -> UploadVerdict:
    """Checks the upload, and leaves its content in the job's folder, flushed. Raises OSError of our disk."""
    upload, folder = Path(job.upload), Path(job.folder)
    folder.mkdir()
    try:
        if (upload.stat().st_size, sha256(upload)) != (job.bytes, job.sha256):
            raise Unfit("hash_differs", "it is not what was announced: its SHA-256 is another")
        heads_n = _picture(upload, folder / PICTURE) if job.kind == "snapshot" else _export(job, upload, folder)
    except Unfit as unfit:
        return UploadVerdict(code=unfit.code, why=unfit.why, findings=unfit.findings)
    except (MemoryError, RecursionError):
        return UploadVerdict(code="not_an_export", why="to check it takes far more memory than an export does")
    sync_folder(folder)
    return UploadVerdict(heads_n=heads_n)


def _picture(upload: Path, target: Path) -> int:
    with upload.open("rb") as file:
        if upload.stat().st_size > PICTURE_B or file.read(len(JPEG)) != JPEG:
            raise Unfit("not_a_picture", "a snapshot has to be a JPEG picture")
    shutil.copyfile(upload, target)
    with target.open("rb") as file:
        os.fsync(file.fileno())
    return 0


def _export(job: Job, upload: Path, folder: Path) -> int:
    """Returns how many of the heads agree with its rows."""
    try:
        unpack(upload, folder / EXPORT)
        found = unpacked.read(folder / EXPORT, lambda files_n: None)
    except (NotAnExport, StoreError) as error:
        raise Unfit("not_an_export", _line(str(error))) from error
    if not found.manifest or sha256(folder / EXPORT / seals.MANIFEST) != job.manifest:
        raise Unfit("manifest_differs", "its manifest is not the one that was announced")
    verdict = check_package(found, verifies, heads=job.heads, key=job.key)
    if verdict.findings:
        findings = [_line(f"{each.code}: {each.says}") for each in verdict.findings[:FINDINGS_MAX]]
        raise Unfit("does_not_hold", findings[0], findings)
    if stranger := _stranger(job, verdict):
        raise Unfit("other_device", stranger)
    if differing := list(_differing(job, verdict)):
        raise Unfit("other_wish", f"it was made for another wish: {', '.join(differing)}", differing)
    return verdict.compared_n


def _stranger(job: Job, verdict: Holds) -> str:
    """Returns why the signing recorder is not the device that uploaded it; "" if it is, or if it names no ward."""
    assert verdict.manifest is not None
    ward = verdict.manifest.claim.ward
    if ward is None or (ward.name, ward.key) == (job.dev, job.certificate):
        return ""
    return (f"the recorder that signed it is {ward.name} at its ward, with a certificate whose public key has SHA-256 "
            f"{ward.key[:16]}...; it was brought by {job.dev} with {job.certificate[:16]}...")


def _differing(job: Job, verdict: Holds) -> Iterator[str]:
    assert verdict.manifest is not None
    wish: ExportWish = verdict.manifest.claim.wish
    for name, given, asked in (("camera", wish.camera, job.cam), ("case", wish.case, job.case), ("by", wish.by, "ward"),
                               ("purpose", wish.purpose, job.purpose), ("officer", wish.officer, job.officer)):
        if given != asked:
            yield name
    if job.begin_ms is None or job.end_ms is None or not (
            job.begin_ms <= wish.begin_ms < wish.end_ms <= job.end_ms):
        yield "time"


def _line(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text)[:LINE_MAX]


def main() -> int:
    die_with_parent()
    os.nice(10)
    with contextlib.suppress(OSError):      # a sandbox may refuse it; then the largest goes
        Path("/proc/self/oom_score_adj").write_text(FIRST_TO_GO)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_B, MEMORY_B))
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    if os.getppid() != job.parent:
        return 0                    # it died before we could ask to die with it; the next one has the folder now
    try:
        verdict = check(job)
    except OSError as error:
        print(f"{job.upload}: {error}", file=sys.stderr)
        return EXIT_DISK
    sys.stdout.buffer.write(msgspec.json.encode(verdict))
    return 0


if __name__ == "__main__":
    sys.exit(main())
