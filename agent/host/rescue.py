"""Asks root for a driver reload or a reboot, by a file with the time of the request, such as `driver.gate`."""
from pathlib import Path

from agent.host.clock import Instant
from agent.host.files import read_plain, remove, write_whole

FOLDER = Path("/run/taimat-rescue")     # tmpfiles makes it; capture owns it, and root acts on requests
GIVEN_UP = Path("run/taimat-card/given-up")     # root made it: the machine no longer restarts because of the card
FRESH_MS = 60_000
TAKEN_MAX_N = 16
LARGEST_B = 64


def ask(folder: Path, what: str, camera: str, now: Instant) -> None:
    """Asks for `what` ("driver" or "reboot") for a camera. Raises OSError."""
    write_whole(folder / f"{what}.{camera}", f"{now.boot} {now.mono_ms}".encode())


def collect(folder: Path, what: str, now: Instant) -> list[str]:
    """Returns the cameras with a fresh request for `what`, and deletes all these requests. A request counts if it is a
    plain file of the folder's owner, and fresh. Raises OSError if the folder is missing."""
    owner = folder.stat().st_uid
    entries = sorted(folder.glob(f"{what}.*"))[:TAKEN_MAX_N]
    return [entry.name.removeprefix(f"{what}.") for entry in entries if _is_fresh(_read_once(entry, owner), now)]


def _read_once(entry: Path, owner: int) -> str:
    try:
        return read_plain(entry, LARGEST_B, owner).decode()
    except (OSError, UnicodeDecodeError):
        return ""
    finally:
        remove(entry)


def _is_fresh(text: str, now: Instant) -> bool:
    boot, _, mono_ms = text.partition(" ")
    return boot == now.boot and mono_ms.isascii() and mono_ms.isdigit() and 0 <= now.mono_ms - int(mono_ms) <= FRESH_MS
