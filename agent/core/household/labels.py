"""The label of an event in one word, and how a household can filter by it. Pure."""
from collections.abc import Collection
from typing import Literal, NamedTuple

LabelWord = Literal["person", "vehicle", "animal", "other", "nothing"]
WORDS: tuple[LabelWord, ...] = ("person", "vehicle", "animal", "other", "nothing")
PEOPLE: tuple[LabelWord, ...] = ("person", "vehicle")  # labels that a household can choose as the only ones to report
WORD_MS = 240_000       # the longest wait for the label of an event that has ended


class EventWord(NamedTuple):
    """The label of an event. `nothing`: the look found nothing that it knows."""

    word: LabelWord
    score: float        # confidence of the look, 0..1; for `nothing` that of the likeliest label, at most


def is_among(words: Collection[str], label: str | None, may_come: bool) -> bool | None:
    """Whether to report motion with this label, as in its row, if only `words` are wanted; None if undecided. Motion
    without a label is reported: only a label can hold motion back."""
    if label:
        return label in words
    return None if label is None and may_come else True
