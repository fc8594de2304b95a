"""The label of an event in one word, how a household can filter by it, and when the recorder may look for it. Pure.

Recording goes first, then everything else, then labels.
"""
from collections.abc import Collection
from typing import Literal, NamedTuple

LabelWord = Literal["person", "vehicle", "animal", "other", "nothing"]
WORDS: tuple[LabelWord, ...] = ("person", "vehicle", "animal", "other", "nothing")
PEOPLE: tuple[LabelWord, ...] = ("person", "vehicle")  # labels that a household can choose as the only ones to report
ALIVE: tuple[LabelWord, ...] = ("person", "vehicle", "animal")
LIKELY = 0.4            # a label of one look alone counts from this score on
WORD_MS = 240_000       # the longest wait for the label of an event that has ended


class EventWord(NamedTuple):
    """The label of an event. `nothing`: the look found nothing that it knows."""

    word: LabelWord
    score: float        # confidence of the look, 0..1; for `nothing` that of the likeliest label, at most


def is_likely(label: EventWord) -> bool:
    """Whether one look while an event goes on is worth showing. "nothing" is not, because somebody may still come."""
    return label.word in ALIVE and label.score >= LIKELY


def is_among(words: Collection[str], label: str | None, may_come: bool) -> bool | None:
    """Whether to report motion with this label, as in its row, if only `words` are wanted; None if undecided. Motion
    without a label is reported: only a label can hold motion back."""
    if label:
        return label in words
    return None if label is None and may_come else True


Hindrance = Literal["memory", "busy", "hot"]
WordLack = Literal["no_weights", "no_door"]

FREE_MIN_B = 120_000_000    # a look takes 53 MB, and with less than 60 MB left a machine is short of memory
LOAD_MAX = 1.5              # for each core, over a minute
HOT_C = 75.0                # a Raspberry Pi slows down from 80 on
RETRY_S, TRIES_MAX = 20.0, 3        # until the machine is checked again; more looks at an event if one fails
TASKS_MAX, TASKS_MAX_B = 60, 12_000_000     # waiting events, and their video in memory
FEW_LOOKS_N = 2             # that the events which have waited longest keep if that is too much video


def hindrance(free_b: int | None, load1: float | None, cores_n: int, temp_c: float | None) -> Hindrance | None:
    """Returns why a look cannot start now; None if it can. Unknown values do not prevent it."""
    if free_b is not None and free_b < FREE_MIN_B:
        return "memory"
    if load1 is not None and load1 > LOAD_MAX * cores_n:
        return "busy"
    return "hot" if temp_c is not None and temp_c > HOT_C else None
