"""Where root keeps the budget of restarts for the card: on the system's card, and on the boot partition beside it.

That is a file system of its own, which can be written as a rule when the other has given up. Until the machine restarts
for the card, it is touched only to lay the file down.
"""
import logging
import os
from pathlib import Path

import msgspec

from agent.core.card_ladder import RESTARTS_MAX_N, Budget
from agent.host.clock import Instant
from agent.host.files import open_plain, sync_folder

PLACES = (Path("/var/lib/taimat-rescue/card.json"), Path("/boot/firmware/taimat-restarts.json"),
          Path("/boot/efi/taimat-restarts.json"))
ROOM_B = 512                    # a sector: written in place it holds the old or the new, also on a card that is full
UNKNOWN = Budget(restarts_ms=(0,) * RESTARTS_MAX_N)     # allows none before this boot alone has lasted for a day

_log = logging.getLogger(__name__)


def places() -> list[Path]:
    """Those of this machine, the system's card first. A boot folder on the same file system is none."""
    system = os.stat("/").st_dev
    return [PLACES[0], *(each for each in PLACES[1:] if each.parent.is_dir() and each.parent.stat().st_dev != system)]


def load(where: list[Path]) -> Budget:
    """The newest that is kept. Where none of them can be read, nobody knows what was spent."""
    return max((each for each in map(_read, where) if each), key=lambda each: each.lived_ms, default=Budget())


def renew(where: list[Path], budget: Budget, now: Instant) -> Budget:
    """Keep it while the card is well: on the first that takes it, and on those that have none that can be read.

    Returns what counts now: a right that nobody keeps is none.
    """
    renewed, kept = budget.renewed(now), False
    for place in where:
        if not kept or _read(place) in (None, UNKNOWN):
            kept = keep(place, renewed) or kept
    return renewed if kept else budget


def keep(place: Path, budget: Budget) -> bool:
    """Write it for good. Returns whether it is there, by the word of the card itself, past the cache."""
    data = msgspec.json.encode(budget).ljust(ROOM_B)
    try:
        handle = open_plain(place, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.pwrite(handle, data, 0)
            os.fsync(handle)
            sync_folder(place.parent)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            return os.pread(handle, ROOM_B, 0) == data
        finally:
            os.close(handle)
    except OSError as error:
        _log.warning("%s can't be written: %s", place, error.strerror)
        return False


def _read(place: Path) -> Budget | None:
    try:
        handle = open_plain(place)
        try:
            return msgspec.json.decode(os.read(handle, ROOM_B), type=Budget)
        finally:
            os.close(handle)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError):
        return UNKNOWN
