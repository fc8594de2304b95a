"""Checks the card: space, errors, bytes written, and whether it answers.

A helper thread makes every call that may touch the card; all else comes from the kernel's memory. So a hung card is a
fact like any other: our question stays unanswered, or the block device completes none of its waiting requests. Errors
show in a read past the cache and in ext4's counter, seldom in mount flags.
"""
import errno
import mmap
import os
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from agent.host.probes import kernel, volume

HUNG_S = 10.0
NEW_S = 15.0                # an error that the file system noted longer ago is old: it was never repaired
WAIT_S = 0.25               # a healthy card answers in milliseconds
SECTOR_B = 512              # unit of /sys/.../stat, whatever the device's own blocks are
SAMPLE_B = 4096
GONE = {errno.ENOENT, errno.ENOTDIR, errno.ENODEV, errno.ENXIO, errno.ENOMEDIUM}
BROKEN = {errno.EIO, errno.EUCLEAN, errno.EBADMSG, errno.EREMOTEIO}
Answer = TypeVar("Answer")


class InThread(Generic[Answer]):
    """Asks one question at a time. A thread that hangs in the kernel cannot be ended, so there is never a second."""

    def __init__(self, ask: Callable[[], Answer], name: str) -> None:
        self._ask = ask
        self._wanted, self._answered = threading.Event(), threading.Event()
        self._asked_mono_s: float | None = None
        self._latest: Answer | None = None
        self.answer: Answer | None = None           # the newest
        self.answer_mono_s = float("-inf")          # when that was asked for
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def poll(self, now_mono_s: float, wait_s: float) -> None:
        """Asks, unless the last question is still open, and waits up to `wait_s` for the answer."""
        if self._asked_mono_s is None:
            self._asked_mono_s = now_mono_s
            self._answered.clear()
            self._wanted.set()
        if self._answered.wait(wait_s):
            self.answer, self.answer_mono_s = self._latest, self._asked_mono_s
            self._asked_mono_s = None

    def open_s(self, now_mono_s: float) -> float:
        """Returns how long the open question has waited, in seconds; 0 if none is open."""
        return 0.0 if self._asked_mono_s is None else now_mono_s - self._asked_mono_s

    def _work(self) -> None:
        while True:
            self._wanted.wait()
            self._wanted.clear()
            self._latest = self._ask()
            self._answered.set()


@dataclass(frozen=True, slots=True)
class CardLook:
    device: str | None = None           # "major:minor"
    missing: bool | None = None
    error: bool | None = None
    expects_volume: bool = False
    space: os.statvfs_result | None = None


def look(folder: Path, sample: Path, fstab: Path) -> CardLook:
    """Asks the card; blocks as long as it does. 4 KiB of the file `sample` are read past the cache."""
    expects = volume.expects_volume(kernel.text(fstab) or "", folder)
    try:
        number = os.stat(folder).st_dev
        space = os.statvfs(folder)
    except OSError as error:
        gone, broken = error.errno in GONE, error.errno in BROKEN
        return CardLook(missing=gone or None, error=broken or None, expects_volume=expects)
    return CardLook(f"{os.major(number)}:{os.minor(number)}", False, _read_fails(sample), expects, space)


class Stall:
    """How long a block device has had waiting requests without completing one (kernel docs: block/stat)."""

    def __init__(self) -> None:
        self._completed_n: int | None = None
        self._since_mono_s: float | None = None

    def lasts_s(self, counters: list[int], now_mono_s: float) -> float:
        """Takes the device's counters; returns 0 if nothing waits, or a request was completed since the last call."""
        completed_n, waiting_n = (counters[0] + counters[4], counters[8]) if len(counters) > 8 else (None, 0)
        if not waiting_n:
            self._since_mono_s = None
        elif self._since_mono_s is None or completed_n != self._completed_n:
            self._since_mono_s = now_mono_s
        self._completed_n = completed_n
        return 0.0 if self._since_mono_s is None else now_mono_s - self._since_mono_s


class CardProbe:
    """Checks the card that holds `folder` and keeps what a comparison needs."""

    def __init__(self, root: Path, folder: Path, sample: Path, interval_s: float) -> None:
        self._root, self._folder, self._interval_s = root, folder, interval_s
        self._aside = InThread(lambda: look(folder, sample, root / "etc/fstab"), "card")
        self._stall = Stall()
        self._device: str | None = None             # kept while the card does not answer
        self._old_errors_n: int | None = None       # errors that are no longer new
        self._seen_errors = (0, 0.0)                # how many, and since when
        self._had_volume = False

    def facts(self, now_mono_s: float) -> dict[str, Any]:
        """Returns the card's fields of HostFacts. Without a new answer, the last one counts for three intervals."""
        self._aside.poll(now_mono_s, WAIT_S)
        known = self._aside.answer
        if known is None or now_mono_s - self._aside.answer_mono_s > 3 * self._interval_s:
            known = CardLook()
        if known.device not in (None, self._device):
            self._device, self._old_errors_n, self._stall = known.device, None, Stall()
        block = self._block()
        counters = _counters(block) if block else []
        waiting_s = max(self._aside.open_s(now_mono_s), self._stall.lasts_s(counters, now_mono_s))
        return {"card_hung": waiting_s >= HUNG_S, "card_error": known.error,
                "disk_wr_b": counters[6] * SECTOR_B if len(counters) > 6 else None,
                **self._mount(known), **_space(known.space), **self._errors(block, now_mono_s),
                **_wear(self._root, block)}

    def _mount(self, known: CardLook) -> dict[str, Any]:
        """Whether the card is read-only or missing. A folder that is not on its own volume counts as missing."""
        seen = volume.mounts(self._root)
        mount, base = volume.holding(seen, self._folder), volume.holding(seen, Path("/"))
        if mount is None or known.missing:
            return {"card_missing": known.missing, "read_only": None}
        on_base = base is not None and mount.device == base.device
        self._had_volume |= not on_base
        astray = on_base and (known.expects_volume or self._had_volume)
        return {"card_missing": True if astray else known.missing, "read_only": mount.read_only}

    def _block(self) -> Path | None:
        """The block device of the folder's file system in sysfs; the partition if there is one."""
        return (self._root / "sys/dev/block" / self._device).resolve() if self._device else None

    def _errors(self, block: Path | None, now_mono_s: float) -> dict[str, int | None]:
        """ext4's count of errors, and how many of them are new (kernel docs: ABI/testing/sysfs-fs-ext4)."""
        errors_n = kernel.number(self._root / "sys/fs/ext4" / block.name / "errors_count") if block else None
        if errors_n is None:
            return {}
        if errors_n != self._seen_errors[0]:
            self._seen_errors = (errors_n, now_mono_s)
        if self._old_errors_n is None or now_mono_s - self._seen_errors[1] >= NEW_S:
            self._old_errors_n = errors_n
        return {"card_errors_n": errors_n, "card_errors_new_n": max(errors_n - self._old_errors_n, 0)}


def _space(space: os.statvfs_result | None) -> dict[str, int | None]:
    if space is None:
        return {}
    return {"disk_tot_b": space.f_blocks * space.f_frsize, "disk_free_b": space.f_bavail * space.f_frsize,
            "inodes_tot_n": space.f_files or None, "inodes_free_n": space.f_favail if space.f_files else None}


def _wear(root: Path, block: Path | None) -> dict[str, int | None]:
    """Wear as an eMMC reports it (JESD84-B51: tenths of its life, reserve blocks), and bytes that ext4 has written."""
    if block is None:
        return {}
    own = _whole(block) / "device"
    kilobytes = kernel.number(root / "sys/fs/ext4" / block.name / "lifetime_write_kbytes")
    tenths = re.findall(r"0x([0-9a-fA-F]{2})\b", kernel.text(own / "life_time") or "")
    reserve_goes = (kernel.text(own / "pre_eol_info") or "").strip() in ("0x02", "0x03")
    worn_pct = max(*(10 * (int(each, 16) - 1) for each in tenths), 90 if reserve_goes else 0, 0)
    return {"card_worn_pct": worn_pct or None, "card_lifetime_b": None if kilobytes is None else kilobytes * 1024}


def _whole(block: Path) -> Path:
    return block.parent if (block / "partition").exists() else block


def _counters(block: Path) -> list[int]:
    try:
        return [int(word) for word in (kernel.text(_whole(block) / "stat") or "").split()]
    except ValueError:
        return []


def _read_fails(sample: Path) -> bool | None:
    """Whether the card fails to read a few bytes; None if it cannot be asked (no file, or no way past the cache)."""
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
