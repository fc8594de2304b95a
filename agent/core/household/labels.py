"""What an event was, in one word: the words, and what a household may make of them. Pure."""
from typing import Literal, NamedTuple

LabelWord = Literal["person", "vehicle", "animal", "other", "nothing"]
WORDS: tuple[LabelWord, ...] = ("person", "vehicle", "animal", "other", "nothing")


class EventWord(NamedTuple):
    """The word for what an event showed; `nothing`: the look found nothing that it knows."""

    word: LabelWord
    score: float        # how sure the look is, 0..1; of `nothing` how sure it was of the likeliest word, at most
