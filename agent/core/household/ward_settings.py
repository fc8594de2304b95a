"""The settings that a ward may change on a household's recorder: the household's own file is always the limit. Pure."""
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

Why = Literal["range", "household"]     # the wish was moved: into its bounds | as far as the household's file lets it

LEVELS = ("debug", "info", "warning", "error")      # of the log, the most talkative first


class BadSetting(Exception):
    """The document asks for what nobody may set, or by a value of a wrong kind. `key` says which."""

    def __init__(self, code: Literal["unknown_setting", "bad_value"], key: str) -> None:
        super().__init__(f"{code}: {key}")
        self.code, self.key = code, key


class Key(NamedTuple):
    """One thing that a ward may set."""

    values: range | tuple[str, ...]         # whole numbers, where one beyond them counts as the nearest; or words
    within: Callable[[Any, Any], Any]       # a wish and the household's own value: what holds
    about: str                              # one line, for whoever sets it

    def admits(self, wish: object) -> bool:
        """Whether it is of the right kind."""
        return type(wish) is int if isinstance(self.values, range) else wish in self.values

    def nearest(self, wish: Any) -> Any:
        """The wish itself, or the bound that it exceeds."""
        return min(max(wish, self.values[0]), self.values[-1]) if isinstance(self.values, range) else wish


KEYS: dict[str, Key] = {
    "health_int_s": Key(range(30, 301), max, "seconds from health report to health report, 30 to 300; never fewer than "
                                             "the household's"),
    # Three days at least: who steals the ward's key must not be able to have yesterday erased.
    "retention_d": Key(range(3, 366), min, "days that clips are kept, 3 to 365; never more than the household's"),
    # Nobody is to hide what a recorder does.
    "log_level": Key(LEVELS, lambda wish, own: min(wish, own, key=LEVELS.index),
                     "what the device's own journal gets; never less than the household's"),
}


class Weighed(NamedTuple):
    """What comes of a ward's wishes."""

    values: dict[str, Any]                  # of each key: what holds
    clamped: dict[str, Why]                 # keys whose wish does not hold as it was


def demand(document: Mapping[str, object]) -> None:
    """That all of it may be wished for. Raises BadWish for the first thing that may not."""
    for name, value in document.items():
        if name not in KEYS:
            raise BadSetting("unknown_setting", name)
        if not KEYS[name].admits(value):
            raise BadSetting("bad_value", name)


def outcome(document: Mapping[str, object], own: Mapping[str, Any]) -> Weighed:
    """What holds, given the household's `own` value of each key; whatever may not be wished for is as if it was not."""
    values, clamped = dict(own), dict[str, Why]()
    for name, key in KEYS.items():
        if key.admits(wish := document.get(name)):
            nearest = key.nearest(wish)
            values[name] = key.within(nearest, own[name])
            if values[name] != wish:
                clamped[name] = "range" if values[name] == nearest else "household"
    return Weighed(values, clamped)
