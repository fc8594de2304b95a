"""The settings that the ward has set on this recorder, as its last command `set` has them; kept until the next."""
import sqlite3
from typing import Any

import msgspec
from msgspec import Struct

from agent.store import meta

KEY = "ward_config"


class Given(Struct, kw_only=True, frozen=True):
    """What the ward has set; the household's settings limit it."""

    ver: int                        # `iat` of the command
    cfg: dict[str, Any] = {}        # by core.household.ward_settings
    payload: str = ""               # as it came, with the ward's signature: the keeper believes nothing else
    id: str = ""                    # of the command; "": a document of a version before the command

    def overtakes(self, other: "Given") -> bool:
        """Whether it may replace the other, which is older. A document's number is no time, so it does not count."""
        return not other.id or self.ver > other.ver


class SignedSettings(Struct, kw_only=True, frozen=True):
    """The payload of a `Given`: the command, or a document with `cfg` of a version before the command."""

    dev: str | None = None
    name: str | None = None
    args: dict[str, Any] = {}
    cfg: dict[str, Any] = {}

    @property
    def values(self) -> dict[str, Any]:
        return self.args if self.name == "set" else self.cfg


NOTHING = Given(ver=-1)             # until the ward sets something


def read(db: sqlite3.Connection) -> Given:
    """What the ward has given, or NOTHING. Raises sqlite3.Error."""
    return meta.read(db, KEY, Given) or NOTHING


def put(db: sqlite3.Connection, given: Given) -> None:
    """Keep it instead of what was there; in the caller's transaction."""
    meta.put(db, KEY, msgspec.json.encode(given).decode())
