"""An entry of a page's navigation. Pure."""
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """One entry."""

    said: str                       # the key of its name in the words
    address: str
    icon: str
    for_owners: bool = False        # viewers can do nothing there
    below: tuple[str, ...] = ()     # how the addresses of its other pages begin

    def holds(self, path: str) -> bool:
        """Whether the page at `path` belongs here."""
        return path == self.address or path.startswith(self.below)
