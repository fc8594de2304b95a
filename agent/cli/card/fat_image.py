"""The boot partition within the image of a card, read and written by mtools: nothing is mounted, so nobody needs root.
"""
import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from agent.core.contract.enrolment import BUNDLE_FOLDER
from agent.store.database import StoreError

# Of a partition, as sfdisk names them: FAT of any size in an MBR; a data or an EFI partition in a GPT.
FAT = ("1", "4", "6", "b", "c", "e", "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7", "C12A7328-F81F-11D2-BA4B-00A0C93EC93B")
READ = ("config.txt", "cmdline.txt", "user-data", "network-config", "meta-data", "taimat-code.txt")
WITHIN_S = 600.0


@dataclass(frozen=True, slots=True)
class FatImage:
    """The first FAT partition of an image."""

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
