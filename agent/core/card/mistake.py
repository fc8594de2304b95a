"""A mistake in a file on a card, and the word that was probably meant. Every judge here returns mistakes."""
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Literal

from msgspec import Struct

CardSeverity = Literal["error", "warning"]


class CardMistake(Struct, frozen=True):
    """One mistake: its place, why it matters, and what to do. `line` counts from 1; 0 means the whole file."""

    file: str
    line: int
    severity: CardSeverity      # an error: the recorder does not boot, is not found, or does not record
    why: str
    remedy: str


def error(file: str, line: int, why: str, remedy: str) -> CardMistake:
    """Makes a mistake that keeps the recorder from working."""
    return CardMistake(file, line, "error", why, remedy)


def warning(file: str, line: int, why: str, remedy: str) -> CardMistake:
    """Makes a mistake with which the recorder may work, but not as it should."""
    return CardMistake(file, line, "warning", why, remedy)


def closest(name: str, known: Iterable[str]) -> str:
    """Returns the known word with the most similar spelling; "" if none is similar."""
    return next(iter(get_close_matches(name, sorted(known), 1)), "")
