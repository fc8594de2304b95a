"""A YAML file of a card, parsed elsewhere: its values, and the line of each. So core needs no YAML parser."""
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

YamlPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class YamlFile:
    """The values of a file. `lines` has the line of each key and list item, by its path from the top."""

    value: Any
    lines: Mapping[YamlPath, int]

    def at(self, *path: str | int) -> Any:
        """Returns the value at this path; None if absent."""
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
        """Returns the line of the key at this path, or of the nearest key above it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)
