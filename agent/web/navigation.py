"""The page's navigation: its entries in their order, and which of them an address belongs to. Pure."""
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """One place of the navigation."""

    said: str                       # its name's key in the words
    address: str
    icon: str
    for_owners: bool = False        # a viewer can do nothing there
    below: tuple[str, ...] = ()     # how the addresses of the other pages that belong to it begin

    def holds(self, path: str) -> bool:
        """Whether the page at `path` belongs here."""
        return path == self.address or path.startswith(self.below)


PLACES = (
    Place("nav.now", "/", "eye", below=("/live/",)),
    Place("nav.recordings", "/recordings", "film", below=("/recordings/", "/events/", "/clips/")),
    Place("nav.sharing", "/sharing", "share", below=("/sharing/", "/requests", "/handout")),
    Place("nav.health", "/health", "pulse", below=("/health/", "/notice")),
    Place("nav.settings", "/settings", "gear", for_owners=True, below=("/settings/", "/cameras", "/browsers", "/pair")),
)
