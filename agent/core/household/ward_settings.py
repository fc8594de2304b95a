"""What a ward may set on a household's recorder, and what comes of it: the household's own file is always the limit.

Pure. One table: each key has the values that may be wished for, and how a wish and the household's own value go
together.
"""
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

Why = Literal["range", "household"]     # the wish was moved: into its bounds | as far as the household's file lets it

LEVELS = ("debug", "info", "warning", "error")      # of the log, the most talkative first


class BadWish(Exception):
    """The document asks for what nobody may set, or by a value of a wrong kind. `key` says which."""

    def __init__(self, code: Literal["unknown_setting", "bad_value"], key: str) -> None:
        super().__init__(f"{code}: {key}")
        self.code, self.key = code, key


class Number(NamedTuple):
    """A whole number from `least` to `most`."""

    least: int
    most: int

    def takes(self, value: object) -> bool:
        """Whether it is a value of this kind."""
        return type(value) is int

    def nearest(self, value: int) -> int:
        """The value itself, or the bound that it exceeds."""
        return min(max(value, self.least), self.most)


class Word(NamedTuple):
    """One of these words."""

    words: tuple[str, ...]

    def takes(self, value: object) -> bool:
        """Whether it is a value of this kind."""
        return isinstance(value, str) and value in self.words

    def nearest(self, value: str) -> str:
        """The value itself."""
        return value


class Key(NamedTuple):
    """One thing that a ward may set."""

    kind: Number | Word
    within: Callable[[Any, Any], Any]       # a wish and the household's own value: what holds
    about: str                              # one line, for whoever sets it


def _louder(wish: str, own: str) -> str:
    return min(wish, own, key=LEVELS.index)


KEYS: dict[str, Key] = {
    "health_int_s": Key(Number(30, 300), max, "seconds from health report to health report, 30 to 300; never fewer "
                                              "than the household's"),
    # Three days at least: who steals the ward's key must not be able to have yesterday erased.
    "retention_d": Key(Number(3, 365), min, "days that clips are kept, 3 to 365; never more than the household's"),
    # Nobody is to hide what a recorder does.
    "log_level": Key(Word(LEVELS), _louder, "what the device's own journal gets; never less than the household's"),
}


class Weighed(NamedTuple):
    """What comes of a ward's wishes."""

    values: dict[str, Any]                  # of each key: what holds
    clamped: dict[str, Why]                 # keys whose wish does not hold as it was


def demand(document: Mapping[str, object]) -> None:
    """That all of it may be wished for. Raises BadWish for the first thing that may not."""
    for name, value in document.items():
        if name not in KEYS:
            raise BadWish("unknown_setting", name)
        if not KEYS[name].kind.takes(value):
            raise BadWish("bad_value", name)


def outcome(document: Mapping[str, object], own: Mapping[str, Any]) -> Weighed:
    """What holds, given the household's `own` value of each key; whatever may not be wished for is as if it was not."""
    values, clamped = dict(own), dict[str, Why]()
    for name, key in KEYS.items():
        wish: Any = document.get(name)
        if not key.kind.takes(wish):
            continue
        nearest = key.kind.nearest(wish)
        values[name] = key.within(nearest, own[name])
        if values[name] != wish:
            clamped[name] = "range" if values[name] == nearest else "household"
    return Weighed(values, clamped)
