"""How a role asks for what takes root: a file in a folder of its own, `driver.gate` or `reboot.gate`.

In it is when it was asked for, so that a request that nobody took is void soon and does not wait for its day.
"""
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from agent.host.clock import Instant
from agent.host.files import open_plain, write_whole

FOLDER = Path("/run/taimat-rescue")     # tmpfiles makes it: capture's own, and whoever acts on requests is root
CARD_FOLDER = Path("/run/taimat-rescue-card")       # likewise, the keeper's: it asks for a restart for the card
CARD = "card"
FRESH_MS = 60_000
TAKEN_MAX_N = 16
LARGEST_B = 64


def ask(folder: Path, what: str, camera: str, now: Instant) -> None:
    """Ask for `what` ("driver" or "reboot") for a camera, or for the card. Raises OSError."""
    write_whole(folder / f"{what}.{camera}", f"{now.boot} {now.mono_ms}".encode())


def collect(folder: Path, what: str, now: Instant) -> list[str]:
    """The cameras that `what` was asked for just now; all such requests are gone then. Nothing in them is believed.

    A request counts if it is a plain file of the folder's owner, and fresh. Raises OSError without the folder.
    """
    owner = folder.stat().st_uid
    entries = sorted(folder.glob(f"{what}.*"))[:TAKEN_MAX_N]
    return [entry.name.removeprefix(f"{what}.") for entry in entries if _is_fresh(_read_once(entry, owner), now)]


def _read_once(entry: Path, owner: int) -> str:
    """What is in the request, which is removed; "" when it is not what it should be."""
    with _removed(entry), contextlib.suppress(OSError, UnicodeDecodeError):
        handle = open_plain(entry)
        try:
            if os.fstat(handle).st_uid == owner:
                return os.read(handle, LARGEST_B).decode()
        finally:
            os.close(handle)
    return ""


@contextlib.contextmanager
def _removed(entry: Path) -> Iterator[None]:
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            entry.rmdir() if entry.is_dir() and not entry.is_symlink() else entry.unlink()


def _is_fresh(text: str, now: Instant) -> bool:
    boot, _, mono_ms = text.partition(" ")
    return boot == now.boot and mono_ms.isascii() and mono_ms.isdigit() and 0 <= now.mono_ms - int(mono_ms) <= FRESH_MS
