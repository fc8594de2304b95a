"""The overlays and the parameters of each, from the system's own overlays/README or from our shorter list."""
import re
from collections.abc import Mapping
from dataclasses import dataclass

from agent.core.card.mistake import closest

BASE = "@base"                              # the board itself, which dtparam= sets if no overlay is in scope
_HEAD = re.compile(r"Name:\s+(\S.*)")
_BASE_HEAD = "<The base DTB>"
_PARAMETER = re.compile(r"(?:Params:| {7}) ([\w<>][\w<>.,+-]*)(?:\s{2,}.*)?")
_WORDS = re.compile(r"None|Same|See|N\.B\.")    # first words of sentences that stand in the place of a parameter
_DELETED = "<Deleted>"


@dataclass(frozen=True, slots=True)
class OverlayNames:
    """The names that the firmware of one card knows."""

    parameters: Mapping[str, frozenset[str]]    # by overlay; BASE has the board's
    complete: bool                              # from the card itself: a name that is not listed does not exist

    def takes(self, overlay: str, parameter: str) -> bool:
        """Whether the overlay, or BASE, knows this parameter. True for an unknown overlay."""
        known = self.parameters.get(overlay)
        return known is None or parameter in known or any(_stands_for(each, parameter) for each in known)

    def close_to(self, overlay: str) -> str:
        """Returns the known overlay with the most similar name; "" if no name is similar."""
        return closest(overlay, set(self.parameters) - {BASE})

    def parameter_close_to(self, overlay: str, parameter: str) -> str:
        """Returns the parameter of this overlay with the most similar name; "" if no name is similar."""
        return closest(parameter, self.parameters.get(overlay, ()))


def _stands_for(pattern: str, name: str) -> bool:
    return "<" in pattern and re.fullmatch(re.sub(r"<\w>", r"\\d+", re.escape(pattern)), name) is not None


def from_list(text: str) -> OverlayNames:
    """Reads our list: an overlay and its parameters on each line."""
    lines = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    return OverlayNames({name: frozenset(parameters) for name, *parameters in lines}, complete=False)


def from_readme(text: str) -> OverlayNames | None:
    """Reads the README beside the overlays; None if it is another file."""
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
