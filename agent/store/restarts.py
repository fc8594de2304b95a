"""What must survive restarts of the machine: each camera's count of restarts, and root's budget of them for the card.

The budget lies on the system's card and on the boot partition, a file system of its own that can usually still be
written after the other has failed. Until the machine restarts for the card, that file is only written if it is missing.
"""
import logging
import os
from pathlib import Path

import msgspec

from agent.core.card_ladder import RESTARTS_MAX_N, Budget
from agent.core.recovery import REBOOTS_MAX_N, Reboots
from agent.host.clock import Instant
from agent.host.files import is_own, open_plain, sync_folder, write_durably
from agent.store.folders import Folders

LARGEST_B = 4096
NO_REBOOT = Reboots(seen=True, in_a_row_n=REBOOTS_MAX_N)        # allows no restart until a picture has come
PLACES = (Path("/var/lib/taimat-rescue/card.json"), Path("/boot/firmware/taimat-restarts.json"),
          Path("/boot/efi/taimat-restarts.json"))
BUDGET_B = 512                  # a sector: written in place it is the old or the new one, also on a full card
UNKNOWN = Budget(restarts_ms=(0,) * RESTARTS_MAX_N)     # allows none before this boot has lasted for a day

_log = logging.getLogger(__name__)


def camera_file(folders: Folders, camera: str) -> Path:
    return folders.root / f"ladder-{camera}.json"


def load_reboots(file: Path) -> Reboots:
    """Reads the counts. A file that cannot be read, or that another role made, allows no restart."""
    try:
        if os.path.lexists(file) and not is_own(file):
            return NO_REBOOT
        with file.open("rb") as opened:
            return msgspec.json.decode(opened.read(LARGEST_B), type=Reboots)
    except FileNotFoundError:
        return Reboots()
    except (OSError, msgspec.DecodeError):
        return NO_REBOOT


def save_reboots(file: Path, past: Reboots) -> None:
    write_durably(file, msgspec.json.encode(past), 0o660)


def places() -> list[Path]:
    """Lists the places for the budget, the system's card first; a boot folder on that card does not count."""
    system = os.stat("/").st_dev
    return [PLACES[0], *(place for place in PLACES[1:]
                         if place.parent.is_dir() and place.parent.stat().st_dev != system)]


def load_budget(where: list[Path]) -> Budget:
    """Reads the newest budget. If none of them can be read, it is not known how many restarts were used."""
    return max((found for found in map(_read, where) if found), key=lambda found: found.lived_ms, default=Budget())


def renew_budget(where: list[Path], budget: Budget, now: Instant) -> Budget:
    """Renews the budget in the first place that takes it, and in unreadable ones. Returns the budget that holds."""
    renewed, kept = budget.renewed(now), False
    for place in where:
        if not kept or _read(place) in (None, UNKNOWN):
            kept = write_budget(place, renewed) or kept
    return renewed if kept else budget


def write_budget(place: Path, budget: Budget) -> bool:
    """Writes the budget durably. Returns whether it is there when read back from the card, not from the cache."""
    data = msgspec.json.encode(budget).ljust(BUDGET_B)
    try:
        handle = open_plain(place, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.pwrite(handle, data, 0)
            os.fsync(handle)
            sync_folder(place.parent)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            return os.pread(handle, BUDGET_B, 0) == data
        finally:
            os.close(handle)
    except OSError as error:
        _log.warning("%s can't be written: %s", place, error.strerror)
        return False


def _read(place: Path) -> Budget | None:
    try:
        with os.fdopen(open_plain(place), "rb") as file:
            return msgspec.json.decode(file.read(BUDGET_B), type=Budget)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError):
        return UNKNOWN
