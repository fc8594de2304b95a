"""A place of a page's navigation. Pure."""
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """One entry."""

    said: str                       # its name's key in the words
    address: str
    icon: str
    for_owners: bool = False        # a viewer can do nothing there
    below: tuple[str, ...] = ()     # how the addresses of the other pages that belong to it begin

    def holds(self, path: str) -> bool:
        """Whether the page at `path` belongs here."""
        return path == self.address or path.startswith(self.below)
