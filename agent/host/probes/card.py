"""The card: space, errors, bytes written, and whether it answers at all.

What may touch the card runs aside, in one helper thread; the rest comes from the kernel's memory. So a hung card is a
fact like any other: our own question stays open, or the block layer has requests waiting of which none is completed.
Errors show in a read past the cache and in ext4's counter, seldom in mount flags.
"""
import errno
import mmap
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.host.probes import files, volume
from agent.host.probes.in_thread import InThread

HUNG_S = 10.0
WAIT_S = 0.25               # a card that is well answers in milliseconds
SECTOR_B = 512              # what /sys/.../stat counts in, whatever the device's own blocks are
SAMPLE_B = 4096
GONE = {errno.ENOENT, errno.ENOTDIR, errno.ENODEV, errno.ENXIO, errno.ENOMEDIUM}
BROKEN = {errno.EIO, errno.EUCLEAN, errno.EBADMSG, errno.EREMOTEIO}


@dataclass(frozen=True, slots=True)
class CardLook:
    """What one look at the store's folder gave."""

    device: str | None = None           # "major:minor"
    missing: bool | None = None
    error: bool | None = None
    expects_volume: bool = False
    space: os.statvfs_result | None = None


def look(folder: Path, sample: Path, fstab: Path) -> CardLook:
    """Ask the card; may block for as long as the card does.

    `sample` is a file on it of which 4 KiB are read past the cache, so that the card itself must answer.
    """
    expects = volume.expects_volume(files.text(fstab) or "", folder)
    try:
        number = os.stat(folder).st_dev
        space = os.statvfs(folder)
    except OSError as error:
        gone, broken = error.errno in GONE, error.errno in BROKEN
        return CardLook(missing=gone or None, error=broken or None, expects_volume=expects)
    return CardLook(f"{os.major(number)}:{os.minor(number)}", False, _read_fails(sample), expects, space)


class Stall:
    """For how long a block device has had requests waiting without completing one (kernel docs: block/stat)."""

    def __init__(self) -> None:
        self._completed_n: int | None = None
        self._since_mono_s: float | None = None

    def lasts_s(self, counters: list[int], now_mono_s: float) -> float:
        """Take the counters of one look; 0 while nothing waits or something was completed since the last look."""
        completed_n, waiting_n = (counters[0] + counters[4], counters[8]) if len(counters) > 8 else (None, 0)
        if not waiting_n:
            self._since_mono_s = None
        elif self._since_mono_s is None or completed_n != self._completed_n:
            self._since_mono_s = now_mono_s
        self._completed_n = completed_n
        return 0.0 if self._since_mono_s is None else now_mono_s - self._since_mono_s


class CardProbe:
    """Looks at the card that holds `folder` and remembers what only a comparison tells."""

    def __init__(self, root: Path, folder: Path, sample: Path, interval_s: float) -> None:
        self._root, self._folder, self._interval_s = root, folder, interval_s
        self._aside = InThread(lambda: look(folder, sample, root / "etc/fstab"), "card")
        self._stall = Stall()
        self._device: str | None = None             # outlives the card's answers
        self._first_errors_n: int | None = None
        self._had_volume = False

    def facts(self, now_mono_s: float) -> dict[str, Any]:
        """The card's fields of HostFacts. Without an answer the last ones hold for three intervals, no longer."""
        self._aside.poll(now_mono_s, WAIT_S)
        known = self._aside.answer
        if known is None or now_mono_s - self._aside.answer_mono_s > 3 * self._interval_s:
            known = CardLook()
        if known.device not in (None, self._device):
            self._device, self._first_errors_n, self._stall = known.device, None, Stall()
        block = self._block()
        counters = _counters(block) if block else []
        waiting_s = max(self._aside.open_s(now_mono_s), self._stall.lasts_s(counters, now_mono_s))
        return {"card_hung": waiting_s >= HUNG_S, "card_error": known.error,
                "disk_wr_b": counters[6] * SECTOR_B if len(counters) > 6 else None,
                **self._mount(known), **_space(known.space), **self._errors(block)}

    def _mount(self, known: CardLook) -> dict[str, Any]:
        """Read-only, and missing: also when the folder is there but not on the volume where it belongs."""
        seen = volume.mounts(self._root)
        mount, base = volume.holding(seen, self._folder), volume.holding(seen, Path("/"))
        if mount is None or known.missing:
            return {"card_missing": known.missing, "read_only": None}
        on_base = base is not None and mount.device == base.device
        self._had_volume |= not on_base
        astray = on_base and (known.expects_volume or self._had_volume)
        return {"card_missing": True if astray else known.missing, "read_only": mount.read_only}

    def _block(self) -> Path | None:
        """The block device that the folder's file system lies on, in sysfs; a partition where there are any."""
        return (self._root / "sys/dev/block" / self._device).resolve() if self._device else None

    def _errors(self, block: Path | None) -> dict[str, int | None]:
        """Errors that ext4 has counted, and how many of them are new (kernel docs: ABI/testing/sysfs-fs-ext4)."""
        errors_n = files.number(self._root / "sys/fs/ext4" / block.name / "errors_count") if block else None
        if self._first_errors_n is None:
            self._first_errors_n = errors_n
        new_n = None if errors_n is None else max(errors_n - self._first_errors_n, 0)
        return {"card_errors_n": errors_n, "card_errors_new_n": new_n}


def _space(space: os.statvfs_result | None) -> dict[str, int | None]:
    if space is None:
        return {}
    return {"disk_tot_b": space.f_blocks * space.f_frsize, "disk_free_b": space.f_bavail * space.f_frsize,
            "inodes_tot_n": space.f_files or None, "inodes_free_n": space.f_favail if space.f_files else None}


def _counters(block: Path) -> list[int]:
    """The whole device's counters, also when `block` is one of its partitions; none when they can't be read."""
    whole = block.parent if (block / "partition").exists() else block
    try:
        return [int(word) for word in (files.text(whole / "stat") or "").split()]
    except ValueError:
        return []


def _read_fails(sample: Path) -> bool | None:
    """Whether the card fails to give a few bytes; None when it can't be asked (no such file, no way past the cache)."""
    try:
        descriptor = os.open(sample, os.O_RDONLY | os.O_DIRECT | os.O_CLOEXEC)
    except OSError as error:
        return True if error.errno in BROKEN else None
    try:
        with mmap.mmap(-1, SAMPLE_B) as aligned:
            os.preadv(descriptor, [aligned], 0)
        return False
    except OSError as error:
        return True if error.errno in BROKEN else None
    finally:
        os.close(descriptor)
