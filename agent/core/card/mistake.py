"""What a judge has to say of a line on a card. It stands alone, because every judge here gives these."""
from typing import Literal

from msgspec import Struct

CardSeverity = Literal["error", "warning"]


class CardMistake(Struct, frozen=True):
    """One mistake: where it is, why it matters, and what to do. `line` counts from 1; 0 is the file as a whole."""

    file: str
    line: int
    severity: CardSeverity      # an error: it does not boot, is not found, or does not record
    why: str
    remedy: str


def error(file: str, line: int, why: str, remedy: str) -> CardMistake:
    """The recorder will not work like this."""
    return CardMistake(file, line, "error", why, remedy)


def warning(file: str, line: int, why: str, remedy: str) -> CardMistake:
    """It may work, but not as it should."""
    return CardMistake(file, line, "warning", why, remedy)
