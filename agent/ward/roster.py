"""The devices that a ward expects: a text file with one id a line; anything behind it is a note.

A note that begins with the word "maintenance" says that somebody works on the device, so that it may be away.

In a city the id has its ward before it, as in w07/c-7f3a9c21b04d.
"""
import re
from pathlib import Path
from typing import NamedTuple

from agent.config.load import ConfigError

ID = re.compile(r"([a-z0-9-]{1,24}/)?[a-z0-9-]{1,64}")
MAINTENANCE = "maintenance"


class Roster(NamedTuple):
    """Who is expected."""

    devices: tuple[str, ...] = ()
    maintained: frozenset[str] = frozenset()


def read(file: str) -> Roster:
    """What stands in `file`; nothing for "". Raises ConfigError."""
    if not file:
        return Roster()
    try:
        text = Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        cause = error.strerror if isinstance(error, OSError) else "is not a UTF-8 text"
        raise ConfigError(f"[ward] devices_file: {file}: {cause}; correct the path, or put it there") from error
    found: dict[str, bool] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("#")[0].replace(",", " ").split()
        if words and not ID.fullmatch(words[0]):
            raise ConfigError(f"{file}:{number}: a device's id is made of a-z, 0-9 and '-', as in c-7f3a9c21b04d")
        found |= {word: words[1:2] == [MAINTENANCE] for word in words[:1]}
    return Roster(tuple(found), frozenset(dev for dev, maintained in found.items() if maintained))
