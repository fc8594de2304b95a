"""Day keys as everybody may know them: the living ones' public halves, in a file that the keeper alone writes.

A recorder encrypts for the newest of them. Each has beside it its private half as it is wrapped for the household's
key, so that a card opens without the device. The private halves are files of the keeper's own.
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
    """Where the private half lies."""
    return keys / FOLDER / f"{day:06d}.key"


def public_file(folders: Folders) -> Path:
    """Where the living keys' public halves lie."""
    return folders.household / "days.json"


def living(folders: Folders) -> list[PublicDay]:
    """All that are not destroyed, oldest first; none before the keeper's first start.

    Raises OSError, also for a file that is none of ours.
    """
    try:
        return _decoder.decode(public_file(folders).read_bytes())
    except FileNotFoundError:
        return []
    except msgspec.DecodeError as error:
        raise OSError(0, f"the keys of days can't be read: {error}", str(public_file(folders))) from error


def publish(folders: Folders, days: list[PublicDay]) -> None:
    """Have these be the living ones, on the card when this returns. Raises OSError."""
    public_file(folders).parent.mkdir(mode=0o750, exist_ok=True)
    write_durably(public_file(folders), msgspec.json.encode(days), 0o640)
