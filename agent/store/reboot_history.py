"""What a ladder must remember across restarts of the machine: a small file for each camera, and one of root's own."""
import os
from pathlib import Path

import msgspec

from agent.core.recovery import REBOOTS_MAX_N, Reboots
from agent.host.files import is_own, write_durably
from agent.store.folders import Folders

LARGEST_B = 4096
UNKNOWN = Reboots(seen=True, in_a_row_n=REBOOTS_MAX_N)      # allows no restart, until a picture proves all well


def path(folders: Folders, camera: str) -> Path:
    """Where a camera's lies."""
    return folders.root / f"ladder-{camera}.json"


def load(file: Path) -> Reboots:
    """What is remembered. A file that can't be read allows no restart: whoever can't count must not go on."""
    try:
        if os.path.lexists(file) and not is_own(file):      # another role's
            return UNKNOWN
        with file.open("rb") as opened:
            return msgspec.json.decode(opened.read(LARGEST_B), type=Reboots)
    except FileNotFoundError:
        return Reboots()
    except (OSError, msgspec.DecodeError):
        return UNKNOWN


def save(file: Path, past: Reboots) -> None:
    """Remember it for good: it is on the card when this returns. Raises OSError."""
    write_durably(file, msgspec.json.encode(past), 0o660)
