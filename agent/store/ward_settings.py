"""The settings that the ward has given this recorder: the newest accepted ones, kept for good."""
from typing import Any

from msgspec import Struct

from agent.store import meta


class Given(Struct, kw_only=True, frozen=True):
    """The ward's document as it was accepted; what holds of it depends on the household's settings."""

    ver: int                        # the ward's number of it
    cfg: dict[str, Any] = {}        # by core.household.ward_settings
    digest: str = ""                # SHA-256 of the payload that it came in, hex
    payload: str = ""               # as received, with the ward's signature, which the keeper checks

    def overtakes(self, other: "Given") -> bool:
        """Whether it may replace the other: it is newer, or says the same."""
        return self.ver > other.ver or (self.ver, self.cfg) == (other.ver, other.cfg)


NOTHING = Given(ver=-1)             # until the ward has given something
read, put = meta.stored("ward_config", Given, NOTHING)
