"""Finds, explains and corrects typical mistakes in TOML, one statement ([table] or key = value) at a time."""
import json
import re
import tomllib
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, get_args, get_origin

import msgspec

from agent.config.check import expects, nearest

LONG = r'"""(?s:.*?)"""|' + r"'''(?s:.*?)'''"
SHORT = r'"(?:\\.|[^"\\\n])*"|' + r"'[^'\n]*'"
STRINGS = f"{LONG}|{SHORT}"
TOKEN = re.compile(f"(?P<closed>{LONG})|(?P<long>\"\"\"|''')|(?P<string>{SHORT})"
                   r"|(?P<comment>(?<!\S)\#[^\n]*)|(?P<sign>(?s:.))")
PART = r"""(?:[^\W]|-)+|"[^"\n]*"|'[^'\n]*'"""
BEGIN = re.compile(rf"(?P<key>[ \t]*(?:{PART})(?:[ \t]*\.[ \t]*(?:{PART}))*)(?P<mark>[ \t]*[=:]?[ \t]*)(?P<value>.*)\Z",
                   re.S)
NEXT_KEY = re.compile(r"[ \t]*[,;]?[ \t]*([A-Za-z0-9_-]+[ \t]*=(?!=).*)\Z", re.S)
HEADER = re.compile(r"[ \t]*\[+[ \t]*(?P<name>[\w.-]*)[ \t]*\]*(?P<rest>.*)\Z", re.S)
LONG_SIGNS = ('"' * 3, "'" * 3)
STRAIGHT = ('"', "'")
BARE_KEY = re.compile(r"[A-Za-z0-9_-]+\Z")
WORD_VALUES = {"true": "true", "yes": "true", "on": "true", "false": "false", "no": "false", "off": "false"}
NUMBER_UNIT = re.compile(r"([-+]?\d+(?:[.,]\d+)?)[ \t]*[A-Za-zµ%°]+(?:/[a-z]+)?\Z")
NUMBERS: tuple[tuple[re.Pattern[str], str, str], ...] = (
    (re.compile(r"([-+]?\d+),(\d+)\Z"), r"\1.\2", "has a comma: a number takes a point"),
    (re.compile(r"([-+]?)\.(\d+)\Z"), r"\g<1>0.\2", "has nothing before its point"),
    (re.compile(r"([-+]?\d+)\.\Z"), r"\1", "has nothing behind its point"),
    (re.compile(r"([-+]?)0+(\d+(?:\.\d+)?)\Z"), r"\1\2", "begins with 0, which no number does"))
CURLY = {**dict.fromkeys("“”„‟«»″＂", '"'), **dict.fromkeys("‘’‚‛‹›′＇`´", "'")}
# Signs that look like a space or like nothing, and their replacements.
SPACES = dict.fromkeys("\u00a0\u1680\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200b))), " ")
UNSEEN = {**SPACES, **dict.fromkeys("\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff", "")}
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
NAMES = {"\u00a0": "a no-break space", "\u200b": "a space of no width", "\ufeff": "a byte order mark"}


@dataclass(frozen=True, slots=True)
class Slip:
    """One mistake: its offset in the statement, the reason, and the corrected statement ("" if unknown)."""

    at: int
    why: str
    fixed: str = ""


@dataclass(frozen=True, slots=True)
class KnownKeys:
    """The types of keys by their last name, and which tables may repeat."""

    kinds: dict[str, Any] = field(default_factory=dict)
    several: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, root: type[msgspec.Struct]) -> "KnownKeys":
        """Returns all keys of these settings, including those of inner tables."""
        known = cls()
        known._add(root, "")
        return known

    def _add(self, table: type[msgspec.Struct], name: str) -> None:
        for key, kind in typing.get_type_hints(table, include_extras=True).items():
            inner = get_args(kind)[0] if get_origin(kind) is list else kind
            if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
                whole = f"{name}.{key}".lstrip(".")
                self.several.update({whole} if inner is not kind else ())
                self._add(inner, whole)
            else:
                self.kinds.setdefault(key, kind)

    def bare(self, key: str) -> Any:
        """Returns the type of a key without its bounds; None for an unknown key."""
        kind = self.kinds.get(key)
        return get_args(kind)[0] if get_origin(kind) is Annotated else kind

    def header(self, name: str) -> str:
        return f"[[{name}]]" if name in self.several else f"[{name}]"


def is_toml(text: str) -> bool:
    try:
        tomllib.loads(text)
    except (ValueError, RecursionError):      # a number of thousands of digits, or thousands of brackets
        return False
    return True


def find(statement: str, known: KnownKeys) -> Slip | None:
    """Returns all mistakes of an invalid statement as one; None if none of the typical ones is found."""
    found: list[Slip] = []
    now = statement
    for rule in RULES:
        if (slip := rule(now, known)) is None:
            continue
        found.append(slip)
        now = slip.fixed
        if not now or is_toml(now):
            break
    if not found:
        return None
    whys = "; ".join(dict.fromkeys(slip.why for slip in found))
    return Slip(found[0].at, whys, now if now and is_toml(now) else "")


def outside(text: str) -> Iterator[re.Match[str]]:
    """Yields each sign outside strings, including strings without an end, and outside comments."""
    within = False
    for token in TOKEN.finditer(text):
        within = (within or bool(token["long"]) or token["sign"] in STRAIGHT) and token[0] != "\n"
        if token["sign"] and not within:
            yield token


def _split(text: str) -> re.Match[str] | None:
    return None if text.lstrip().startswith(("[", "#")) else BEGIN.match(text)


def _value(text: str) -> tuple[int, str, str]:
    """The offset of the value in `key = value`, the value, and the rest (spaces and a comment); -1 without a value."""
    begin = _split(text)
    if begin is None or "=" not in begin["mark"]:
        return -1, "", ""
    at = begin.start("value")
    end = next((token.start() for token in TOKEN.finditer(begin["value"]) if token["comment"]), len(begin["value"]))
    value = begin["value"][:end].rstrip()
    return at, value, begin["value"][len(value):]


def _key(text: str) -> str:
    begin = _split(text)
    return begin["key"].split(".")[-1].strip().strip("\"'") if begin else ""


def _with_value(text: str, value: str) -> str:
    at, old, _ = _value(text)
    return text[:at] + value + text[at + len(old):]


def _control(text: str, _: KnownKeys) -> Slip | None:
    if found := CONTROL.search(text):
        return Slip(found.start(), f"a control character (U+{ord(found[0]):04X}) stands here: delete it",
                    CONTROL.sub("", text))
    return None


def _unseen(text: str, _: KnownKeys) -> Slip | None:
    found = [token for token in outside(text) if token[0] in UNSEEN]
    if not found:
        return None
    sign = found[0][0]
    name = NAMES.get(sign, f"an invisible sign (U+{ord(sign):04X})")
    return Slip(found[0].start(), f"{name} stands here: {'write an ordinary space' if sign in SPACES else 'delete it'}",
                _replaced(text, found, UNSEEN))


def _curly(text: str, _: KnownKeys) -> Slip | None:
    found = [token for token in outside(text) if token[0] in CURLY]
    at, value, _ = _value(text)
    if value[:1] in STRAIGHT and value[-1] in CURLY and not found:      # a text with a correct sign at its start
        return Slip(at + len(value) - 1, f"{value[-1]} begins and ends no text: write {value[0]}, the straight sign",
                    _with_value(text, value[:-1] + value[0]))
    if not found:
        return None
    sign = found[0][0]
    return Slip(found[0].start(), f"{sign} begins and ends no text: write {CURLY[sign]}, the straight sign",
                _replaced(text, found, CURLY))


def _replaced(text: str, found: list[re.Match[str]], by: dict[str, str]) -> str:
    for token in reversed(found):
        text = text[:token.start()] + by[token[0]] + text[token.end():]
    return text


def _comment(text: str, _: KnownKeys) -> Slip | None:
    lead = len(text) - len(text.lstrip())
    if found := re.match(r"//+|;+|--+|/\*|<!--|%", text[lead:]):
        return Slip(lead, f"a comment begins with #, not with {found[0]}",
                    f"{text[:lead]}# {text[lead + found.end():].lstrip()}")
    at, value, rest = _value(text)
    if found := re.match(rf"((?:{STRINGS})|[^\s\"']+)[ \t]+(//+|;+|--+)", value):
        end = at + found.end(1)
        return Slip(at + found.start(2), f"a comment begins with #, not with {found[2]}",
                    f"{text[:end]}  # {text[at + found.end():].lstrip()}")
    return None


def _header(text: str, known: KnownKeys) -> Slip | None:
    if other := re.fullmatch(r"[ \t]*[({<]*([\w.-]+)[)}>\]]+[ \t]*", text):
        return Slip(0, "a table's name stands in brackets", known.header(other[1]))
    if not text.lstrip().startswith("["):
        return None
    found, lead = HEADER.match(text), len(text) - len(text.lstrip())
    if found is None or not found["name"]:
        return Slip(lead, "a table is begun by its name in brackets, as in [store]")
    whole = text[:lead] + known.header(found["name"])
    rest = found["rest"].strip()
    if rest and not rest.startswith("#"):
        if NEXT_KEY.match(rest):
            return Slip(found.start("rest"), f"behind {known.header(found['name'])} begins a new line: a key has one "
                                             "of its own")
        return Slip(found.start("rest"), "nothing but a comment stands behind a table's name", whole)
    return Slip(lead, "a table's name stands between as many [ as ]", f"{whole}  {rest}".rstrip())


def _equals(text: str, known: KnownKeys) -> Slip | None:
    begin = _split(text)
    if begin is None:
        return None
    if "=" in begin["mark"]:
        extra = re.match(r"[=:>~][=:> \t]*", begin["value"])
        return Slip(begin.start("value"), "a single = stands between a key and its value",
                    f"{text[:begin.start('value')].rstrip()} {begin['value'][extra.end():]}") if extra else None
    key, value, at = _key(text), begin["value"], begin.end("key")
    fixed = f"{begin['key']} = {value}"
    if ":" in begin["mark"]:
        return Slip(at, "between a key and its value stands =, not :", fixed)
    if begin["mark"] and (key in known.kinds or re.match(r"[\d\"'\[{]|(?:true|false)\b", value)):
        return Slip(at, "= is missing between a key and its value", fixed)
    return Slip(0, "is neither a [table] nor key = value: put # before it if it is a comment")


def _spelling(text: str, known: KnownKeys) -> Slip | None:
    at = next((token.start() for token in outside(text) if token[0] == "="), -1)
    key = text[:max(at, 0)].strip()
    if not re.fullmatch(r"[\w .-]+", key) or all(BARE_KEY.match(part.strip()) for part in key.split(".")):
        return None
    meant = nearest(re.sub(r"\W+", "_", key), list(known.kinds))
    lead = len(text) - len(text.lstrip())
    return Slip(lead, "a key consists of a-z, 0-9, _ and -, without spaces",
                f"{text[:lead]}{meant} {text[at:]}" if meant else "")


def _nothing(text: str, known: KnownKeys) -> Slip | None:
    if text.lstrip().startswith("="):
        return Slip(0, "no key stands before =")
    at, value, _ = _value(text)
    if at < 0 or value:
        return None
    kind = known.kinds.get(_key(text))
    takes = f": it takes {expects(_key(text), kind)}" if kind is not None else ": write it there, or delete the line"
    return Slip(len(text[:at].rstrip()) - 1, f"no value stands behind ={takes}")


def _end_mark(text: str, _: KnownKeys) -> Slip | None:
    at, value, _ = _value(text)
    quotes = sum(value.count(sign) for sign in "\"'")
    if value[-1:] in (",", ";") and len(value) > 1 and quotes % 2 == 0:
        return Slip(at + len(value) - 1, f"a line ends without {value[-1]}", _with_value(text, value[:-1].rstrip()))
    return None


def _two_keys(text: str, _: KnownKeys) -> Slip | None:
    at, value, _ = _value(text)
    first = re.match(rf"{STRINGS}|[^\s,;\"'\[{{]+", value)
    if first and (following := NEXT_KEY.match(value[first.end():])):
        return Slip(at + first.end() + following.start(1), "here begins another key: it stands on a line of its own")
    return None


def _braces(text: str, _: KnownKeys) -> Slip | None:
    at, value, _rest = _value(text)
    if value[:1] != "{" or "\n" not in value:
        return None
    return Slip(at, "a table in braces stands on one line",
                _with_value(text, re.sub(r",?\s*\}", "}", re.sub(r"\s*\n\s*", " ", value))))


def _word(text: str, known: KnownKeys) -> Slip | None:
    at, value, _ = _value(text)
    right = WORD_VALUES.get(value.lower())
    if at < 0 or right is None or known.bare(_key(text)) is not bool and value.lower() not in ("true", "false"):
        return None
    return Slip(at, f"{value} is written {right}, small and without quotes", _with_value(text, right))


def _number(text: str, known: KnownKeys) -> Slip | None:
    at, value, _ = _value(text)
    kind = known.bare(_key(text))
    if at < 0 or kind not in (int, float, None):
        return None
    if found := NUMBER_UNIT.match(value):
        return Slip(at, f"{value} has a unit, but the unit is in the key's name",
                    _with_value(text, found[1].replace(",", ".")))
    for pattern, right, why in NUMBERS:
        if pattern.match(value):
            return Slip(at, f"{value} {why}", _with_value(text, pattern.sub(right, value)))
    return None


def _backslash(text: str, _: KnownKeys) -> Slip | None:
    at, value, _ = _value(text)
    if re.fullmatch(r'"[^"\n]*"', value) and "\\" in value and not is_toml(f"x = {value}"):
        inner = value[1:-1]
        return Slip(at + value.index("\\"), r'\ begins a special sign in "..."; in single quotes it stands for itself',
                    _with_value(text, f"'{inner}'") if "'" not in inner else "")
    return None


def _quotes(text: str, known: KnownKeys) -> Slip | None:
    at, value, rest = _value(text)
    if at < 0 or not value or value[0] in "[{" or value[:3] in LONG_SIGNS or is_toml(f"x = {value}"):
        return None
    first, last = (sign if sign in STRAIGHT else "" for sign in (value[0], value[-1]))
    if first and (not last or len(value) == 1):
        body, found = value[1:], re.search(r"[ \t]+#[^\n]*\Z", value)
        end = found.start() if found else len(value)
        return Slip(at + end - 1, f"the text that begins with {first} has none at its end",
                    f"{text[:at]}{_text(value[1:end])}{value[end:]}{rest}" if body else "")
    if first:
        inner = value.strip("\"'")
        return Slip(at, "a text has one pair of quotes, the same at both ends, and none within",
                    _with_value(text, _text(inner)) if not set(inner) & set("\"'") else "")
    if not last and known.bare(_key(text)) in (bool, int, float):
        return Slip(at, f"{value} stands where it takes {expects(_key(text), known.kinds[_key(text)])}")
    why = f"the text has {last} at its end and none at its beginning" if last else "text stands in quotes"
    listed = known.bare(_key(text)) == list[str]
    body = value[:-1] if last else value
    return Slip(at, why, _with_value(text, f"[{_text(body)}]" if listed else _text(body)))


def _text(body: str) -> str:
    """Quotes a text as TOML does: single quotes if a backslash would be an escape."""
    if "\\" in body and "'" not in body:
        return f"'{body}'"
    return json.dumps(body, ensure_ascii=False)


RULES: tuple[Callable[[str, KnownKeys], Slip | None], ...] = (
    _control, _unseen, _curly, _braces, _comment, _header, _spelling, _equals, _nothing, _two_keys, _end_mark, _word,
    _number, _backslash, _quotes)
