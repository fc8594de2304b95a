"""Edits a TOML text and keeps its comments, order and style.

tomlkit edits one table at a time, cut out of the text and put back, because in a whole file it moves tables of an array
together. Callers parse the result and compare it with what they wanted (agent/privileged/setup/changes.py).
"""
import tomllib
from collections import Counter
from collections.abc import Iterator
from typing import Any

import tomlkit
from tomlkit.items import AoT

from agent.config.positions import QUIET, Path, headers, line_of, positions

Span = tuple[int, int]      # lines, from 0; the second one is not included


def set_key(text: str, path: Path, value: Any) -> str:
    """Returns the text with that value at `path`.

    A dictionary sets only its own keys in a table. A list of dictionaries is the whole array; a [[table]] keeps its
    place if it keeps its name. Comments within a replaced value move above its key. Raises KeyError and tomlkit's
    errors if this module cannot edit the text as it is written.
    """
    if isinstance(value, dict):
        for key, inner in value.items():
            text = set_key(text, (*path, key), inner)
        return text
    tables_n = len(_tables(text, path))
    is_there = not path[:-1] or _own(text, path[:-1])
    if _is_array(value) and (tables_n or is_there and not _is_written_in(text, path)):
        return _with_comments_of(text, _set_tables(text, path, value), (*path, 0))
    after = text
    for place in reversed(range(tables_n)):
        after = remove_table(after, (*path, place))
    return _with_comments_of(text, _set_value(after, path, value), path)


def remove_key(text: str, path: Path) -> str:
    """Returns the text without that key, which has a line of its own; a comment behind it stays. Raises KeyError."""
    begin, end = _own(text, path[:-1]) or (0, len(text.split("\n")))
    lines = text.split("\n")
    document = tomlkit.parse("\n".join([*lines[begin:end], ""]))
    here: Any = document
    for part in _names(path[:-1]):
        here = here if isinstance(part, int) and not isinstance(here, list) else here[part]
    del here[path[-1]]
    piece = tomlkit.dumps(document)
    after = "\n".join([*lines[:begin], *piece.rstrip("\n").split("\n"), *lines[end:]])
    return _with_comments_of(text, after, path[:-1])


def _set_value(text: str, path: Path, value: Any) -> str:
    table = path[:-1]
    while table and _own(text, table) is None and _is_written_in(text, table):
        table = table[:-1]          # written as `motion.fps` or as `motion = {fps = 5}`
    if _own(text, table) is None:
        if table:
            return _new_table(text, table, {path[-1]: value})
        return _edited(text, path, value)
    begin, end = _own(text, table)
    lines = text.split("\n")
    piece = _edited("\n".join([*lines[begin:end], ""]), _names(table) + path[len(table):], value)
    return "\n".join([*lines[:begin], *piece.rstrip("\n").split("\n"), *lines[end:]])


def _set_tables(text: str, path: Path, wanted: list[dict[str, Any]]) -> str:
    """The text with these [[tables]]. If their order changed, all are written again."""
    names = [each.get("name") for each in wanted]
    known = _at(text, path) if _tables(text, path) else []
    kept = [each for each in known if each.get("name") in names]
    if [each.get("name") for each in kept] != names[:len(kept)]:
        kept = []
    for place, each in reversed(list(enumerate(known))):
        if each not in kept:
            text = remove_table(text, (*path, place))
    for place, values in enumerate(wanted):
        here = (*path, place)
        if place < len(kept):
            text = _match(text, here, kept[place], values)
        else:
            before = (*path, place - 1) if place else path[:-1]
            header = f"[[{'.'.join(part for part in path if isinstance(part, str))}]]"
            text = _insert(text, _block(text, before)[1], [header, *_lines(values)])
    return text


def _match(text: str, path: Path, known: dict[str, Any], wanted: dict[str, Any]) -> str:
    for key in known.keys() - wanted.keys():
        text = remove_key(text, (*path, key))
    for key, value in wanted.items():
        if key not in known or known[key] != value:
            text = set_key(text, (*path, key), value)
    return text


def _with_comments_of(before: str, after: str, path: Path) -> str:
    """The text after a change, with the comments above `path` that the change removed."""
    lost = list((Counter(_comments(before)) - Counter(_comments(after))).elements())
    if not lost:
        return after
    lines = after.split("\n")
    at = (line_of(positions(after), path) or len(lines)) - 1
    return "\n".join([*lines[:at], *lost, *lines[at:]])


def _comments(text: str) -> Iterator[str]:
    for line in text.split("\n"):
        yield from (found[0].rstrip() for found in QUIET.finditer(line) if found[0].startswith("#"))


def _is_array(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, dict) for each in value)


def _tables(text: str, path: Path) -> list[Path]:
    return [found for _, found in headers(text) if found[:-1] == path and isinstance(found[-1], int)]


def add_to_array(text: str, name: str, values: dict[str, Any]) -> str:
    """Returns the text with another [[name]] after the existing ones, or else at its end."""
    last = max((path for _, path in headers(text) if path[0] == name and len(path) == 2), default=None)
    if last is None and name in tomlkit.parse(text):
        document = tomlkit.parse(text)
        document[name].append(_inline(values))
        return tomlkit.dumps(document)
    return _insert(text, _block(text, last)[1] if last else len(text.split("\n")), [f"[[{name}]]", *_lines(values)])


def remove_table(text: str, path: Path) -> str:
    """Returns the text without that table and its content. Comments before and behind it stay. Raises KeyError."""
    if _own(text, path) is None:
        document = tomlkit.parse(text)
        del document[path[0]][path[1]]
        return tomlkit.dumps(document)
    begin, end = _block(text, path)
    lines = text.split("\n")
    if begin and not lines[begin - 1].strip() and end < len(lines) and not lines[end].strip():
        end += 1
    return "\n".join([*lines[:begin], *lines[end:]])


def _own(text: str, table: Path) -> Span | None:
    """The lines of a table from its header to its last key; None if it has no header."""
    found = headers(text)
    for place, (number, path) in enumerate(found):
        if path == table:
            return number - 1, _trimmed(text, found[place + 1][0] - 1 if place + 1 < len(found) else None)
    return None


def _block(text: str, table: Path) -> Span:
    begin, _ = _own(text, table) or (0, 0)
    after = next((number - 1 for number, path in headers(text)
                  if number - 1 > begin and path[:len(table)] != table), None)
    return begin, _trimmed(text, after)


def _trimmed(text: str, end: int | None) -> int:
    """The line after the last content before `end`: comments above the next table belong to that."""
    lines = text.split("\n")
    end = len(lines) if end is None else end
    while end and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
        end -= 1
    return end


def _is_written_in(text: str, table: Path) -> bool:
    try:
        _at(text, table)
    except KeyError:
        return False
    return True


def _at(text: str, path: Path) -> Any:
    here: Any = tomllib.loads(text)
    for part in path:
        here = here[part]
    return here


def _names(path: Path) -> Path:
    """The path in a text with only this table: each array has one element, or only its name."""
    return tuple(0 if isinstance(part, int) else part for part in path)


def _edited(piece: str, path: Path, value: Any) -> str:
    document = tomlkit.parse(piece)
    here: Any = document
    for part in path[:-1]:
        here = here if isinstance(part, int) and not isinstance(here, list) else here[part]
    if isinstance(here, AoT):
        raise KeyError(path)
    here[path[-1]] = _written(value)
    return tomlkit.dumps(document)


def _new_table(text: str, table: Path, values: dict[str, Any]) -> str:
    around = next((table[:n] for n in range(len(table) - 1, 0, -1) if _own(text, table[:n])), None)
    name = ".".join(part for part in table if isinstance(part, str))
    at = _block(text, around)[1] if around else len(text.split("\n"))
    return _insert(text, at, [f"[{name}]", *_lines(values)])


def _insert(text: str, at: int, new: list[str]) -> str:
    lines = text.split("\n")
    before, after = lines[:at], lines[at:]
    while before and not before[-1].strip():
        before.pop()
    gap = [""] if before else []
    return "\n".join([*before, *gap, *new, *(after if after and not after[0].strip() else ["", *after])])


def _lines(values: dict[str, Any]) -> list[str]:
    return [f"{key} = {tomlkit.item(_written(value)).as_string()}" for key, value in values.items()]


def _written(value: Any) -> Any:
    """Writes a list of areas or dictionaries with one item per line; [[tables]] would end the table around it."""
    if not isinstance(value, list) or not value or not all(isinstance(each, dict | list) for each in value):
        return value
    array = tomlkit.array()
    for each in value:
        array.append(_inline(each) if isinstance(each, dict) else each)
    return array.multiline(len(value) > 1 or _is_array(value))


def _inline(values: dict[str, Any]) -> Any:
    table = tomlkit.inline_table()
    table.update(values)
    return table
