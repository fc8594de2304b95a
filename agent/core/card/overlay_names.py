"""Which overlays there are and what each takes: from the system's own overlays/README, or from our shorter list."""
import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

BASE = "@base"                              # the board itself: what dtparam= sets where no overlay is in scope
_HEAD = re.compile(r"Name:\s+(\S.*)")
_BASE_HEAD = "<The base DTB>"
_PARAMETER = re.compile(r"(?:Params:| {7}) ([\w<>][\w<>.,+-]*)(?:\s{2,}.*)?")
_WORDS = re.compile(r"None|Same|See|N\.B\.")    # begin sentences where a parameter could stand
_DELETED = "<Deleted>"


@dataclass(frozen=True, slots=True)
class OverlayNames:
    """The names that the firmware of one card knows."""

    parameters: Mapping[str, frozenset[str]]    # by overlay, and of BASE
    complete: bool                              # from the card itself: what is not in it does not exist

    def takes(self, overlay: str, parameter: str) -> bool:
        """Whether the overlay, or BASE, knows this parameter. An unknown overlay takes anything."""
        known = self.parameters.get(overlay)
        return known is None or parameter in known or any(_stands_for(each, parameter) for each in known)

    def close_to(self, overlay: str) -> str:
        """The known overlay that may be meant; "" if none looks like it."""
        return next(iter(get_close_matches(overlay, sorted(set(self.parameters) - {BASE}), 1)), "")

    def parameter_close_to(self, overlay: str, parameter: str) -> str:
        """The parameter of this overlay that may be meant; "" if none looks like it."""
        return next(iter(get_close_matches(parameter, sorted(self.parameters.get(overlay, ())), 1)), "")


def _stands_for(pattern: str, name: str) -> bool:
    """Whether `name` is one of a pattern's, as spi0-1 is of spi<n>-<m>."""
    return "<" in pattern and re.fullmatch(re.sub(r"<\w>", r"\\d+", re.escape(pattern)), name) is not None


def from_list(text: str) -> OverlayNames:
    """From our list: an overlay and its parameters on each line."""
    lines = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    return OverlayNames({name: frozenset(parameters) for name, *parameters in lines}, complete=False)


def from_readme(text: str) -> OverlayNames | None:
    """From the README beside the overlays; None if it is no such file."""
    found: dict[str, set[str]] = {}
    name, inside = "", False
    for line in text.splitlines():
        if head := _HEAD.fullmatch(line):
            name, inside = (BASE if head[1] == _BASE_HEAD else head[1].strip()), False
            found.setdefault(name, set())
        elif line.startswith("Load:") and _DELETED in line:
            found.pop(name, None)
            name = ""
        elif name and (inside or line.startswith("Params:")):
            inside = True
            if (parameter := _PARAMETER.fullmatch(line)) and not _WORDS.match(parameter[1]):
                found[name].add(parameter[1])
    if BASE not in found:
        return None
    return OverlayNames({each: frozenset(takes) for each, takes in found.items()}, complete=True)
