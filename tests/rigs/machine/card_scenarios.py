"""What a card that gives up looks like on Debian's own kernel; runs in the guest of guest.py.

/dev/sda is the card, a disk in the guest's memory; /dev/vda, if there is one, a boot partition (FAT).
"""
import contextlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent.core.card_ladder import Budget
from agent.host.clock import SystemClock
from agent.host.probes.volume import Abort, refuses
from agent.store import restarts

CARD, BOOT = Path("/run/card"), Path("/run/boot")
KERNEL = Path("/sys/fs/ext4/sda")
NOTED_WITHIN_S = 30.0


def answer(ask: Callable[[], Any]) -> str:
    """What becomes of it: "ok", or the error's name."""
    try:
        ask()
    except OSError as error:
        return os.strerror(error.errno)
    return "ok"


def run(*command: str | Path) -> None:
    subprocess.run(command, check=True, capture_output=True)


def card() -> dict[str, Any]:
    """An ext4 with a program on it, before and after the kernel has given it up, mounted anew, and then taken away."""
    run("/usr/sbin/mkfs.ext4", "-q", "/dev/sda")
    run("/usr/bin/mount", "-o", "errors=remount-ro", "/dev/sda", CARD)
    note, program = CARD / "card.json", CARD / "busybox"
    shutil.copy("/usr/bin/busybox", program)
    watch = Abort(CARD)
    told = {"well": watch.seen(), "kept": restarts.write_budget(note, Budget())}
    (KERNEL / "trigger_fs_error").write_text("a test")
    until_s = time.monotonic() + NOTED_WITHIN_S
    while not int((KERNEL / "errors_count").read_text()) and time.monotonic() < until_s:
        time.sleep(0.1)
    told |= {"given_up": watch.seen(), "refuses": refuses(CARD), "keeps": restarts.write_budget(note, Budget()),
             "read": answer(note.read_bytes), "exec": answer(lambda: subprocess.run([program, "true"], check=True)),
             "mount": next(line for line in Path("/proc/mounts").read_text().splitlines() if f" {CARD} " in line)}
    run("/usr/bin/umount", CARD)
    run("/usr/bin/mount", "-o", "errors=continue", "/dev/sda", CARD)        # nobody has checked it
    told |= {"anew": Abort(CARD).seen(), "errors_n": int((KERNEL / "errors_count").read_text())}
    Path("/sys/block/sda/device/delete").write_text("1")
    return told | {"gone": Abort(CARD).seen()}


def boot_partition() -> dict[str, Any]:
    """The note on a FAT that is full, read-only, and mounted anew."""
    run("/usr/bin/mount", "-t", "vfat", "/dev/vda", BOOT)
    note, now = BOOT / "taimat-restarts.json", SystemClock().now()
    told = {"laid": restarts.write_budget(note, Budget().renewed(now))}
    with contextlib.suppress(OSError), (BOOT / "kernels").open("wb", buffering=0) as rest:
        while rest.write(bytes(1 << 16)):
            pass
    os.sync()
    told["full"] = restarts.write_budget(note, Budget().restarted(now))
    run("/usr/bin/mount", "-o", "remount,ro", BOOT)
    told["read_only"] = restarts.write_budget(note, Budget())
    run("/usr/bin/umount", BOOT)
    run("/usr/bin/mount", "-t", "vfat", "/dev/vda", BOOT)
    return told | {"restarts_n": len(restarts.load_budget([note]).restarts_ms)}


if __name__ == "__main__":
    for folder in (CARD, BOOT):
        folder.mkdir()
    print(json.dumps({"card": card(), "boot": boot_partition() if Path("/dev/vda").exists() else None}))
