"""Finds the line of each key in a TOML text for errors, because tomllib does not report lines."""
import re
from collections.abc import Iterator
from typing import NamedTuple

Path = tuple[str | int, ...]

HEADER = re.compile(r"^\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
KEY = re.compile(r"^\s*((?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*'))*)\s*=")
QUIET = re.compile(r'''"(?:\\.|[^"\\])*"|'[^']*'|#.*''')          # a line's strings and comments
LONG_QUOTES = ('"""', "'''")


class KeyEntry(NamedTuple):
    """One key or table header; tables of an array count from 0, as in ("camera", 0, "fps")."""

    line: int
    path: Path
    header: bool


def _lines(text: str) -> Iterator[tuple[int, str]]:
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
    """Yields all keys and headers in order, also repeated ones."""
    counts: dict[Path, int] = {}

    def resolve(parts: list[str]) -> Path:
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
    """Returns line numbers by key path; the first line for a repeated key."""
    found: dict[Path, int] = {}
    for entry in entries(text):
        found.setdefault(entry.path, entry.line)
    return found


def headers(text: str) -> list[tuple[int, Path]]:
    """Returns line and path of each table's header in a valid text; a list's line such as [0, 0.5] is not one."""
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
    """Returns the line of `path`, or of the nearest table or key around it."""
    while path and path not in found:
        path = path[:-1]
    return found.get(path)
