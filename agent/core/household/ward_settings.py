"""The settings that a ward may change on a household's recorder, within the limits of the household's file. Pure."""
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

# the ward's value was moved into its range, or to the limit of the household's file
Why = Literal["range", "household"]

LEVELS = ("debug", "info", "warning", "error")      # of the log, the most verbose first


class BadSetting(Exception):
    """The ward may not set this key, or not to such a value. The text is the key."""


class Key(NamedTuple):
    values: range | tuple[str, ...]         # whole numbers, of which the nearest is used; or words
    within: Callable[[Any, Any], Any]       # combines the ward's value with the household's own

    def admits(self, wish: object) -> bool:
        return type(wish) is int if isinstance(self.values, range) else wish in self.values

    def nearest(self, wish: Any) -> Any:
        return min(max(wish, self.values[0]), self.values[-1]) if isinstance(self.values, range) else wish


KEYS: dict[str, Key] = {
    "health_int_s": Key(range(30, 301), max),
    # At least three days: a thief of the ward's key must not be able to erase yesterday.
    "retention_d": Key(range(3, 366), min),
    # No ward may hide what a recorder does.
    "log_level": Key(LEVELS, lambda wish, own: min(wish, own, key=LEVELS.index)),
}


class Weighed(NamedTuple):
    """The values in effect after the ward's changes."""

    values: dict[str, Any]                  # the value of each key
    clamped: dict[str, Why]                 # keys whose value is not the ward's


def check_allowed(document: Mapping[str, object]) -> None:
    """Checks that the ward may set each key and value. Raises BadSetting for the first that it may not."""
    for name, value in document.items():
        if name not in KEYS or not KEYS[name].admits(value):
            raise BadSetting(name)


def outcome(document: Mapping[str, object], own: Mapping[str, Any]) -> Weighed:
    """Returns the values in effect, from the household's `own` value of each key. Ignores what the ward may not set."""
    values, clamped = dict(own), dict[str, Why]()
    for name, key in KEYS.items():
        if key.admits(wish := document.get(name)):
            nearest = key.nearest(wish)
            values[name] = key.within(nearest, own[name])
            if values[name] != wish:
                clamped[name] = "range" if values[name] == nearest else "household"
    return Weighed(values, clamped)
