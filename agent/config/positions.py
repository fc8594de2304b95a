"""Where each key stands in a TOML text, so that an error can name its line (tomllib does not tell)."""
import re
from collections.abc import Iterator
from typing import NamedTuple

Path = tuple[str | int, ...]

HEADER = re.compile(r"^\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
KEY = re.compile(r"^\s*((?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*'))*)\s*=")
QUIET = re.compile(r'''"(?:\\.|[^"\\])*"|'[^']*'|#.*''')          # strings and comments of a line
LONG_QUOTES = ('"""', "'''")


class KeyEntry(NamedTuple):
    """One key or table's header; tables of an array are counted from 0, as in ("camera", 0, "fps")."""

    line: int
    path: Path
    header: bool


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """The numbered lines that are not the inside of a long string."""
    inside = ""
    for number, line in enumerate(text.split("\n"), 1):
        if inside:
            inside = "" if inside in line else inside
            continue
        yield number, line
        inside = next((quote for quote in LONG_QUOTES if line.count(quote) % 2), "")


def _parts(dotted: str) -> list[str]:
    return [part.strip().strip("\"'") for part in dotted.split(".")]


def entries(text: str) -> Iterator[KeyEntry]:
    """All keys and headers in their order, also those that stand there twice."""
    counts: dict[Path, int] = {}

    def resolve(parts: list[str]) -> Path:
        """The path of a dotted name, each array of tables replaced by its newest element."""
        path: Path = ()
        for part in parts:
            path += (part,)
            if path in counts:
                path += (counts[path],)
        return path

    table: Path = ()
    for number, line in _lines(text):
        if header := HEADER.match(line):
            parts = _parts(header[2])
            if header[1] == "[[":
                array = (*resolve(parts[:-1]), parts[-1])
                counts[array] = counts.get(array, -1) + 1
            table = resolve(parts)
            yield KeyEntry(number, table, True)
        elif key := KEY.match(line):
            yield KeyEntry(number, (*table, *_parts(key[1])), False)


def positions(text: str) -> dict[Path, int]:
    """Line numbers by key path, of the first where there are several."""
    found: dict[Path, int] = {}
    for entry in entries(text):
        found.setdefault(entry.path, entry.line)
    return found


def headers(text: str) -> list[tuple[int, Path]]:
    """The lines at which tables begin, in their order, each with the table's path; the text has no fault.

    A line of a list may look like a header: [0, 0.5]
    """
    inside = _inside_lists(text)
    return [(entry.line, entry.path) for entry in entries(text) if entry.header and entry.line not in inside]


def _inside_lists(text: str) -> set[int]:
    found, open_n = set(), 0
    for number, line in _lines(text):
        if open_n:
            found.add(number)
        bare = QUIET.sub("", line)
        open_n = max(0, open_n + bare.count("[") - bare.count("]"))
    return found


def line_of(found: dict[Path, int], path: Path) -> int | None:
    """The line of `path`, or of the nearest table or key around it."""
    while path and path not in found:
        path = path[:-1]
    return found.get(path)
