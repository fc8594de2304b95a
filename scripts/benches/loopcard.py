"""A card of its own: ext4 on a loop device, whose counters tell what reached it (needs root)."""
import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

SIZE_B = 1_000_000_000
SECTOR_B = 512
# Nothing is left to be done in the background: it would count.
MKFS = ("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0")


class Written(NamedTuple):
    """What has reached a device since it was made (docs.kernel.org/block/stat.html)."""

    bytes: int
    writes_n: int
    flushes_n: int

    def since(self, before: "Written") -> "Written":
        """The difference."""
        return Written(*(now - then for now, then in zip(self, before, strict=True)))


@dataclass(frozen=True, slots=True)
class Card:
    """A mounted card."""

    mount: Path
    device: Path

    def written(self) -> Written:
        """Counters now, everything that waits in memory written out first."""
        subprocess.run(["sync", "--file-system", self.mount], check=True)
        fields = [int(field) for field in Path(f"/sys/block/{self.device.name}/stat").read_text().split()]
        return Written(fields[6] * SECTOR_B, fields[4], fields[15])


@contextlib.contextmanager
def mounted(folder: Path) -> Iterator[Card]:
    """A fresh card in `folder`, gone afterwards."""
    image, mount = folder / "card.img", folder / "card"
    mount.mkdir()
    with image.open("wb") as file:
        file.truncate(SIZE_B)
    subprocess.run([*MKFS, image], check=True)
    attach = subprocess.run(["losetup", "--find", "--show", image], check=True, capture_output=True, text=True)
    device = attach.stdout.strip()
    try:
        subprocess.run(["mount", "-o", "noatime", device, mount], check=True)
        try:
            yield Card(mount, Path(device))
        finally:
            subprocess.run(["umount", "--lazy", mount], check=True)
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)
        image.unlink()
