"""What is known, in the text format of Prometheus: each number by its place in the report, in base units. Pure.

A word is a label of a line with the value 1, a sentence is left out. What names a camera, a unit or a condition is a
label of all its lines.
"""
import re
from collections.abc import Iterator
from typing import Any

import msgspec

CONTENT = "text/plain; version=0.0.4; charset=utf-8"
# How a fact's unit is written, what Prometheus calls it, and by what its number is multiplied.
UNITS = (("_b", "_bytes", 1), ("_s", "_seconds", 1), ("_ms", "_seconds", 0.001), ("_pct", "_ratio", 0.01),
         ("_kbps", "_bytes_per_second", 125), ("_c", "_celsius", 1))
NAMES = ("camera", "unit", "role", "code")
TABLES = {"roles": "role", "kept_days": "camera", "deaths_n": "unit"}       # by what their values are named
SHORT = {"report": "", "beat": "", "facts": "", "cameras": "_camera", "units": "_unit", "conditions": "_condition",
         "roles": "_role"}
LEFT_OUT = ("type", "of", "pid", "mono_s", "since_mono_s", "lately", "depends_on", "card_life_days", "detail", "why",
            "head", "key", *NAMES)
WORD = re.compile(r"[A-Za-z0-9_.@-]{1,40}")


def exposition(**known: object) -> str:
    """Returns these values and all that is in them. An unknown one has no line; lines of one name are together."""
    lines: dict[str, list[str]] = {}
    for name, labels, value in _walk("taimat", "", msgspec.to_builtins(known), {}):
        said = ",".join(f'{label}="{word}"' for label, word in labels.items())
        lines.setdefault(name, []).append(f"{name}{{{said}}} {value:.15g}\n")
    return "".join(line for same in lines.values() for line in same)


def _walk(name: str, fact: str, value: Any, labels: dict[str, str]) -> Iterator[tuple[str, dict[str, str], float]]:
    """`name` leads to the value, `fact` is its last part."""
    if isinstance(value, int | float) and abs(value) < 1e18:        # a role that was taken over may say anything
        ours, theirs, factor = next((unit for unit in UNITS if name.endswith(unit[0])), ("", "", 1))
        yield name.removesuffix(ours) + theirs, labels, value * factor
    elif isinstance(value, str) and WORD.fullmatch(value):
        yield name, {**labels, fact: value}, 1
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _walk(name, fact, each, labels)
    elif isinstance(value, dict) and fact in TABLES:
        for key in filter(WORD.fullmatch, value):
            yield from _walk(name, "", value[key], {**labels, TABLES[fact]: key})
    elif isinstance(value, dict) and all(WORD.fullmatch(value.get(key) or "x") for key in NAMES):
        labels = labels | {key: value[key] for key in NAMES if value.get(key)}
        for key, each in value.items():
            # A process' own cameras are in the report, too.
            if key not in LEFT_OUT and not (key == "cameras" and "unit" in labels):
                yield from _walk(name + SHORT.get(key, f"_{key}"), key, each, labels)
