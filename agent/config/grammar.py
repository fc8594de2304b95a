"""Parses TOML and reports every invalid statement with line, column and remedy, not only the first as tomllib does."""
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from agent.config import slips
from agent.config.check import key_name
from agent.config.positions import entries
from agent.config.slips import KnownKeys, Slip
from agent.core.passwords import redact

MARK = "\ufeff"             # editors on Windows write it at the start of a file
PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)\Z")
HEADER = re.compile(r"[ \t]*\[\[?[ \t]*[A-Za-z][\w.-]*[ \t]*\]\]?[ \t]*(?:\#.*)?\Z")
BEGINS = re.compile(rf"""{HEADER.pattern}|[ \t]*[\w."'-]+[ \t]*=""")
VALUE_GOES_ON = re.compile(r"""[^=\#\[]*=[ \t]*(?:[\[{]|\"{3}|'{3})""")
OPENS, CLOSES = "[{", "]}"
SAID = {"Unclosed array": "a comma or ] belongs here", "Unclosed inline table": "a comma or } belongs here",
        "Invalid value": "no value begins like this; text stands in quotes",
        "Expected newline or end of document after a statement": "nothing but a comment stands behind a value",
        "Invalid statement": "a line is a [table], key = value, or a comment behind #"}
SIGNS = {"\n": "the end of the line", "\t": "a tab", "": "the end of the file"}


@dataclass(frozen=True, slots=True)
class GrammarFault:
    """A mistake at a line and a column, counted from 1; the text says what is there and how to fix it."""

    line: int
    column: int
    text: str


class GrammarError(Exception):
    def __init__(self, faults: list[GrammarFault]) -> None:
        """`faults` has at least one, in the order of their lines."""
        super().__init__(faults)
        self.faults = faults


def plain(text: str) -> str:
    """Removes what editors add: the byte order mark, and Windows' line ends."""
    return text.removeprefix(MARK).replace("\r\n", "\n").replace("\r", "\n")


def read(text: str, root: type[msgspec.Struct]) -> dict[str, Any]:
    """Returns the tables in a plain TOML text; `root` has the known keys. Raises GrammarError."""
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise GrammarError(_faults(text, KnownKeys.of(root)) or [_parsers_own(error, text)]) from error


def _faults(text: str, known: KnownKeys) -> list[GrammarFault]:
    found, rest = [], text.split("\n")
    for number, statement in _statements(text):
        if slips.is_toml(statement):
            continue
        found.append(_fault(number, statement, known))
        for line in range(statement.count("\n") + 1):
            rest[number - 1 + line] = ""
    try:
        tomllib.loads("\n".join(rest))
    except (ValueError, RecursionError) as error:
        found.append(_twice("\n".join(rest), error, known))
    return sorted(found, key=lambda fault: (fault.line, fault.column))


def _statements(text: str) -> Iterator[tuple[int, str]]:
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        long = _length(lines, at)
        yield at + 1, "\n".join(lines[at:at + long])
        at += long


def _length(lines: list[str], at: int) -> int:
    """How many lines the statement has: until its brackets and long quotes close, or the next one begins."""
    opened = _open(lines[at]) if VALUE_GOES_ON.match(lines[at]) else ""
    end = at + 1
    while opened and end < len(lines):
        if (HEADER if opened[-1] == "{" else BEGINS).match(lines[end]):
            break
        opened = _open(lines[end], opened)
        end += 1
    while opened and end > at + 1 and lines[end - 1].strip()[:1] in ("", "#"):
        end -= 1
    return end - at


def _open(line: str, before: str = "") -> str:
    """The brackets or the long quote open at the line's end; `before` were open at its start."""
    if before and before[0] in "\"'":
        _, closed, rest = line.partition(before)
        return _open(rest) if closed else before
    stack = before
    for token in slips.TOKEN.finditer(line):
        if token["long"]:
            return token["long"]
        if token["sign"] in ("\"", "'"):         # a text without an end in this line
            break
        stack = stack + token[0] if token[0] in OPENS else stack[:-1] if token[0] in CLOSES else stack
    return stack


def _fault(number: int, statement: str, known: KnownKeys) -> GrammarFault:
    slip = slips.find(statement, known) or _unclosed(statement) or _unknown(statement)
    before = statement[:slip.at]
    column = slip.at - before.rfind("\n")
    fixed = slip.fixed.strip()
    text = slip.why if not fixed or "\n" in fixed else f"{slip.why}. Write: {fixed}"
    return GrammarFault(number + before.count("\n"), column, redact(text))


def _unclosed(statement: str) -> Slip | None:
    stack: list[re.Match[str]] = []
    for token in slips.TOKEN.finditer(statement):
        if token["long"] or token["sign"] in ("\"", "'"):
            return Slip(token.start(), f"the text that begins with {token[0]} has none at its end")
        if token["sign"] and token[0] in OPENS:
            stack.append(token)
        elif token["sign"] and token[0] in CLOSES and (not stack or CLOSES[OPENS.index(stack.pop()[0])] != token[0]):
            return Slip(token.start(), f"{token[0]} closes nothing here")
    if not stack:
        return None
    closing = "".join(CLOSES[OPENS.index(token[0])] for token in reversed(stack))
    whole = statement + closing
    return Slip(stack[-1].start(), f"what is opened here is not closed: {closing} is missing",
                whole if slips.is_toml(whole) else "")


def _unknown(statement: str) -> Slip:
    try:
        tomllib.loads(statement)
    except (ValueError, RecursionError) as error:
        own = _parsers_own(error, statement)
        lines = statement.split("\n")
        return Slip(sum(len(line) + 1 for line in lines[:own.line - 1]) + own.column - 1, own.text)
    raise AssertionError("only what can't be read is asked about")


def _parsers_own(error: Exception, text: str) -> GrammarFault:
    lines = text.split("\n")
    if isinstance(error, RecursionError):
        return GrammarFault(1, 1, "there are too many brackets within brackets")
    place = PLACE.search(str(error))
    line, column = (int(place[1]), int(place[2])) if place and place[1] else (len(lines), len(lines[-1]) + 1)
    stands = lines[line - 1][column - 1:column] if place and place[1] else ""
    message = PLACE.sub("", str(error))
    sign = SIGNS.get(stands, stands) if stands or line == len(lines) else SIGNS["\n"]
    return GrammarFault(line, column, f"can't be read from here ({sign}): {SAID.get(message, message)}")


def _twice(text: str, error: Exception, known: KnownKeys) -> GrammarFault:
    """Each statement is valid, but a key or a table is there twice."""
    own = _parsers_own(error, text)
    found = [entry for entry in entries(text) if entry.line <= own.line]
    last = found[-1] if found else None
    first = next((entry.line for entry in found[:-1] if last and entry.path[:len(last.path)] == last.path), None)
    if last is None or first is None:
        return own
    column = len(text.split("\n")[last.line - 1]) - len(text.split("\n")[last.line - 1].lstrip()) + 1
    name = last.path[-1] if not last.header else ".".join(part for part in last.path if isinstance(part, str))
    if not last.header:
        return GrammarFault(last.line, column, f"{key_name(last.path)} stands in line {first}, too: keep one of them")
    if name in known.several:
        return GrammarFault(last.line, column, f"there may be several: begin each with {known.header(name)}, in line "
                                               f"{first}, too")
    return GrammarFault(last.line, column, f"[{name}] begins in line {first} already: put all of its keys there")
