"""Day keys as every role may know them: the public halves of existing keys, in a file that only the keeper writes.

A recorder encrypts for the newest one. Beside each lies its private half, wrapped for the household's key, so that a
card can be opened without the device. The private halves in the clear are the keeper's own files.
"""
from pathlib import Path

import msgspec

from agent.host.files import write_durably
from agent.store.folders import Folders

FOLDER = "days"


class PublicDay(msgspec.Struct, frozen=True, omit_defaults=True):
    """One day's key."""

    id: int
    public: bytes                       # X25519
    for_household: bytes | None = None  # the private half, wrapped for the household's key


_decoder = msgspec.json.Decoder(list[PublicDay])


def private_file(keys: Path, day: int) -> Path:
    """Returns the path of a day's private half."""
    return keys / FOLDER / f"{day:06d}.key"


def public_file(folders: Folders) -> Path:
    return folders.household / "days.json"


def living(folders: Folders) -> list[PublicDay]:
    """Lists the days whose keys still exist, oldest first. The list is empty before the keeper's first start. Raises
    OSError, also if the file is not ours.
    """
    try:
        return _decoder.decode(public_file(folders).read_bytes())
    except FileNotFoundError:
        return []
    except msgspec.DecodeError as error:
        raise OSError(0, f"the keys of days can't be read: {error}", str(public_file(folders))) from error


def publish(folders: Folders, days: list[PublicDay]) -> None:
    """Writes the list of days durably. Raises OSError."""
    public_file(folders).parent.mkdir(mode=0o750, exist_ok=True)
    write_durably(public_file(folders), msgspec.json.encode(days), 0o640)
