"""What an event was, in one word: the words, and what a household may make of them. Pure."""
from collections.abc import Collection
from typing import Literal, NamedTuple

LabelWord = Literal["person", "vehicle", "animal", "other", "nothing"]
WORDS: tuple[LabelWord, ...] = ("person", "vehicle", "animal", "other", "nothing")
PEOPLE: tuple[LabelWord, ...] = ("person", "vehicle")       # what a household can have told alone
WORD_MS = 240_000       # so long an event that is over is waited for, which may still get its word


class EventWord(NamedTuple):
    """The word for what an event showed; `nothing`: the look found nothing that it knows."""

    word: LabelWord
    score: float        # how sure the look is, 0..1; of `nothing` how sure it was of the likeliest word, at most


def is_among(words: Collection[str], label: str | None, may_come: bool) -> bool | None:
    """Whether motion with this label, as in its row, is to be told where only these words are; None: not decided.

    Motion that nobody can name is told: a word keeps things back, no lack of one.
    """
    if label:
        return label in words
    return None if label is None and may_come else True
