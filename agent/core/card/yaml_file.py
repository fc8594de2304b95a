"""A YAML file of a card, read by someone else: its values, and the line of each. It needs no parser of YAML itself."""
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

YamlPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class YamlFile:
    """What stands in it. `lines` has the line of each key and list item, by its way from the top."""

    value: Any
    lines: Mapping[YamlPath, int]

    def at(self, *path: str | int) -> Any:
        """The value at the end of this way; None where it leads nowhere."""
        here = self.value
        for step in path:
            if isinstance(here, Mapping):
                here = here.get(step)
            elif isinstance(here, list) and isinstance(step, int) and step < len(here):
                here = here[step]
            else:
                return None
        return here

    def line(self, *path: str | int) -> int:
        """The line of the key at the end of this way, or of the nearest one above it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)
