"""The settings that the ward has set on this recorder, as its last command `set` has them; kept until the next."""
from typing import Any

from msgspec import Struct

from agent.store import meta


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
read, put = meta.stored("ward_config", Given, NOTHING)
