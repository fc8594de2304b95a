"""`taimat ward card`: a flashed card, or its image, becomes that of one recorder of the ward's, and is read back.

Within an image mtools read and write: nothing is mounted, so nobody needs root.
"""
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from agent.cli.card import provision
from agent.core.contract.enrolment import (
    BUNDLE_FILE,
    BUNDLE_FOLDER,
    CARD_FILE,
    CODE_FILE,
    BundleError,
    parse_bundle,
    parse_card,
)
from agent.host.files import write_durably
from agent.store.database import StoreError

# Of a partition, as sfdisk names them: FAT of any size in an MBR; a data or an EFI partition in a GPT.
FAT = ("1", "4", "6", "b", "c", "e", "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7", "C12A7328-F81F-11D2-BA4B-00A0C93EC93B")
READ = ("config.txt", "cmdline.txt", "user-data", "network-config", "meta-data", "taimat-code.txt")
WITHIN_S = 600.0

_Kind = TypeVar("_Kind")


@contextmanager
def on_card(bundle: Path, card: Path, debs: Sequence[Path]) -> Iterator[Path]:
    """Fill the mounted boot partition, and show the folder in which it was read back. Raises StoreError and OSError."""
    _fill(bundle, card, debs)
    wanted = _digests(card)
    os.sync()
    _demand_same(card, wanted, _digests(card, from_card=True))
    yield card


@contextmanager
def in_image(bundle: Path, image: Path, debs: Sequence[Path]) -> Iterator[Path]:
    """Likewise within an image of a card. Raises StoreError and OSError."""
    partition = FatImage(image)
    with tempfile.TemporaryDirectory(prefix="taimat-card-") as folder:
        work, back = Path(folder, "card"), Path(folder, "back")
        partition.pull(work)
        _fill(bundle, work, debs)
        partition.push(work)
        partition.pull(back)
        _demand_same(image, _digests(work), _digests(back))
        yield back


def _fill(bundle: Path, card: Path, debs: Sequence[Path]) -> None:
    if not bundle.is_dir():
        raise StoreError(f"{bundle}: there is no such bundle; the ward makes it: taimat ward enrol")
    claim = (bundle / BUNDLE_FILE).read_bytes()
    named = _parsed(bundle / BUNDLE_FILE, parse_bundle).serial
    wanted = _parsed(bundle / CARD_FILE, parse_card)
    if named != bundle.name:
        raise StoreError(f"{bundle}: is the bundle of {named}; was the folder renamed?")
    provision.fill(card, wanted, debs, (bundle / CODE_FILE).read_text(encoding="utf-8").strip())
    (card / BUNDLE_FOLDER).mkdir(exist_ok=True)
    write_durably(card / BUNDLE_FOLDER / BUNDLE_FILE, claim, provision.READABLE)


def _parsed(path: Path, parse: Callable[[str], _Kind]) -> _Kind:
    try:
        return parse(path.read_text(encoding="utf-8"))
    except (BundleError, UnicodeDecodeError) as error:
        raise StoreError(f"{path}: {error}") from error


def _digests(card: Path, from_card: bool = False) -> dict[str, str]:
    """SHA-256 of what lies in the partition's own folder and in ours; `from_card`: not as the kernel remembers it."""
    found = {}
    for path in (*card.iterdir(), *(card / BUNDLE_FOLDER).iterdir()):
        if path.is_file() and (path.parent != card or path.name in provision.WRITTEN):
            with path.open("rb") as file:
                if from_card:
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
                found[str(path.relative_to(card))] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def _demand_same(place: Path, wanted: dict[str, str], found: dict[str, str]) -> None:
    if wanted != found:
        wrong = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
        raise StoreError(f"{place}: {', '.join(wrong)}: what is read back is not what was written; take another card")


@dataclass(frozen=True, slots=True)
class FatImage:
    image: Path
    _drive: str = field(init=False)

    def __post_init__(self) -> None:
        """Find the partition. Raises StoreError."""
        object.__setattr__(self, "_drive", f"{self.image}@@{self._offset_b()}")

    def pull(self, folder: Path) -> None:
        """Copy into `folder`, which is made, what a recorder's start hangs on. Raises StoreError."""
        (folder / "overlays").mkdir(parents=True)
        listed = self._ask("mdir", "-b", "::/").split("\n")
        there = {line.removeprefix("::/").rstrip("/") for line in listed}
        for name in READ:
            if name in there:
                self._ask("mcopy", "-n", f"::/{name}", folder / name)
        if "overlays" in there and "::/overlays/README" in self._ask("mdir", "-b", "::/overlays"):
            self._ask("mcopy", "-n", "::/overlays/README", folder / "overlays/README")
        if BUNDLE_FOLDER in there:
            self._ask("mcopy", "-n", "-s", f"::/{BUNDLE_FOLDER}", folder)

    def push(self, folder: Path) -> None:
        """Have the partition hold what is in `folder`, and in our own folder nothing else. Raises StoreError."""
        listed = self._ask("mdir", "-b", "::/").split("\n")
        if f"::/{BUNDLE_FOLDER}/" in listed:
            self._ask("mdeltree", f"::/{BUNDLE_FOLDER}")
        for path in sorted(folder.iterdir()):
            if path.is_file():
                self._ask("mcopy", "-o", path, f"::/{path.name}")
        self._ask("mcopy", "-s", folder / BUNDLE_FOLDER, "::/")
        handle = os.open(self.image, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def _offset_b(self) -> int:
        table = json.loads(_run("sfdisk", "--json", str(self.image)))["partitiontable"]
        for each in table["partitions"]:
            if each["type"] in FAT:
                return each["start"] * table.get("sectorsize", 512)
        raise StoreError(f"{self.image}: has no FAT partition: is it the image of a card, unpacked?")

    def _ask(self, tool: str, *words: object) -> str:
        return _run(tool, "-i", self._drive, *map(str, words))


def _run(tool: str, *words: str) -> str:
    if (program := shutil.which(tool, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")) is None:
        package = "fdisk" if tool == "sfdisk" else "mtools"
        raise StoreError(f"{tool} is missing: sudo apt install {package}")
    done = subprocess.run([program, *words], text=True, capture_output=True, stdin=subprocess.DEVNULL,
                          timeout=WITHIN_S, env={**os.environ, "LC_ALL": "C.UTF-8"})
    if done.returncode:
        raise StoreError(f"{tool}: {done.stderr.strip() or 'failed'}")
    return done.stdout
