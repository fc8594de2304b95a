"""Makes the card of an enrolled device, or the card's image, and reads it back.

mtools read and write in an image: nothing is mounted, so no command needs root.
"""
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from agent.cli.card.boot_partition import CODE
from agent.cli.card.provision import READABLE, fill
from agent.core.card import boot_judge, cloud_init
from agent.core.contract import enrolment
from agent.host.files import write_durably
from agent.store.database import StoreError

WRITTEN = (boot_judge.CONFIG, cloud_init.USER, cloud_init.NETWORK, cloud_init.META_FILE, CODE)
# Partition types, as sfdisk names them: FAT of any size in an MBR; a data or an EFI partition in a GPT.
FAT = ("1", "4", "6", "b", "c", "e", "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7", "C12A7328-F81F-11D2-BA4B-00A0C93EC93B")
READ = ("config.txt", "cmdline.txt", "user-data", "network-config", "meta-data", "taimat-code.txt")
WITHIN_S = 600.0

_Kind = TypeVar("_Kind")


@contextmanager
def on_card(bundle: Path, card: Path, debs: Sequence[Path]) -> Iterator[Path]:
    """Fills the mounted boot partition and reads it back. Yields its folder. Raises StoreError and OSError."""
    _fill(bundle, card, debs)
    wanted = _digests(card)
    os.sync()
    _demand_same(card, wanted, _digests(card, from_card=True))
    yield card


@contextmanager
def in_image(bundle: Path, image: Path, debs: Sequence[Path]) -> Iterator[Path]:
    """Fills a card's image and reads it back. Yields a folder with the files. Raises StoreError and OSError."""
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
    claim = (bundle / enrolment.BUNDLE_FILE).read_bytes()
    named = _parsed(bundle / enrolment.BUNDLE_FILE, enrolment.parse_bundle).serial
    wanted = _parsed(bundle / enrolment.CARD_FILE, enrolment.parse_card)
    if named != bundle.name:
        raise StoreError(f"{bundle}: is the bundle of {named}; was the folder renamed?")
    fill(card, wanted, debs, (bundle / enrolment.CODE_FILE).read_text(encoding="utf-8").strip())
    (card / enrolment.BUNDLE_FOLDER).mkdir(exist_ok=True)
    write_durably(card / enrolment.BUNDLE_FOLDER / enrolment.BUNDLE_FILE, claim, READABLE)


def _parsed(path: Path, parse: Callable[[str], _Kind]) -> _Kind:
    try:
        return parse(path.read_text(encoding="utf-8"))
    except (enrolment.BundleError, UnicodeDecodeError) as error:
        raise StoreError(f"{path}: {error}") from error


def _digests(card: Path, from_card: bool = False) -> dict[str, str]:
    """Returns the SHA-256 of each file that we write; with `from_card`, not from the kernel's cache."""
    found = {}
    for path in (*card.iterdir(), *(card / enrolment.BUNDLE_FOLDER).iterdir()):
        if path.is_file() and (path.parent != card or path.name in WRITTEN):
            with path.open("rb") as file:
                if from_card:
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
                found[str(path.relative_to(card))] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def _demand_same(place: Path, wanted: dict[str, str], found: dict[str, str]) -> None:
    if wanted != found:
        wrong = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
        raise StoreError(f"{place}: {', '.join(wrong)}: read back differently from what was written; take another card")


class FatImage:
    def __init__(self, image: Path) -> None:
        """Finds the partition. Raises StoreError."""
        table = json.loads(_run("sfdisk", "--json", str(image)))["partitiontable"]
        starts = [part["start"] for part in table["partitions"] if part["type"] in FAT]
        if not starts:
            raise StoreError(f"{image}: has no FAT partition: is it the image of a card, unpacked?")
        self._image, self._drive = image, f"{image}@@{starts[0] * table.get('sectorsize', 512)}"

    def pull(self, folder: Path) -> None:
        """Copies the files that a recorder needs to start into the new `folder`. Raises StoreError."""
        (folder / "overlays").mkdir(parents=True)
        listed = self._ask("mdir", "-b", "::/").split("\n")
        there = {line.removeprefix("::/").rstrip("/") for line in listed}
        for name in READ:
            if name in there:
                self._ask("mcopy", "-n", f"::/{name}", folder / name)
        if "overlays" in there and "::/overlays/README" in self._ask("mdir", "-b", "::/overlays"):
            self._ask("mcopy", "-n", "::/overlays/README", folder / "overlays/README")
        if enrolment.BUNDLE_FOLDER in there:
            self._ask("mcopy", "-n", "-s", f"::/{enrolment.BUNDLE_FOLDER}", folder)

    def push(self, folder: Path) -> None:
        """Copies `folder` to the partition, and replaces our own folder there. Raises StoreError."""
        listed = self._ask("mdir", "-b", "::/").split("\n")
        if f"::/{enrolment.BUNDLE_FOLDER}/" in listed:
            self._ask("mdeltree", f"::/{enrolment.BUNDLE_FOLDER}")
        for path in sorted(folder.iterdir()):
            if path.is_file():
                self._ask("mcopy", "-o", path, f"::/{path.name}")
        self._ask("mcopy", "-s", folder / enrolment.BUNDLE_FOLDER, "::/")
        with self._image.open("rb") as file:
            os.fsync(file.fileno())

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
