"""Rules for what no message may hold, whatever else is in it: passwords, keys, addresses with a password. Pure."""
import re
from collections.abc import Iterator
from typing import Any

from taimat_conformance.transcript import Transcript, table
from taimat_conformance.verdict import ContractRule

NAMES = re.compile(r"passw|passphrase|secret|token|credential|private_?key|api_?key|(?<![a-z])(pwd|psk|pass)(?![a-z])",
                   re.IGNORECASE)
VALUES = re.compile(r"://[^/@\s:]+:[^/@\s]+@|-----BEGIN [A-Z ]*PRIVATE KEY|"
                    r"(?:password|passwd|secret|token)\s*[=:]\s*\S", re.IGNORECASE)


def _secrets(look: Transcript) -> Iterator[str]:
    """The place of each, never its value: a report is shown around."""
    for each in look.heard:
        if each.topic.startswith(f"{look.topics.root}/") and "/cmd/" not in each.topic:
            places = sorted(set(_places(table(each.payload), "")))
            yield f"{each.topic.removeprefix(f'{look.topics.root}/')}: {', '.join(places)}" if places else ""


def _places(value: Any, where: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            path = f"{where}.{name}".lstrip(".")
            if NAMES.search(name) and inner not in (None, "", False, True):
                yield path
            else:
                yield from _places(inner, path)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _places(inner, f"{where}[{number}]")
    elif isinstance(value, str) and VALUES.search(value):
        yield where


RULES = (
    ContractRule("secrets", "No message holds a password, a key that opens something, or an address with a password",
                 "Topics", _secrets),
)
