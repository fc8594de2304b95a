"""Plays files one after the other through a replay, on one time line."""
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from agent.core.vision.replay import FootageReplay
from agent.footage.film import Film, FootageError, Opened

APART_S = 600.0             # between unrelated files: longer than any event waits
TELL_EVERY_N = 64          # pictures


class ReelFile(NamedTuple):
    """One file to play; without a time of its own it begins well after the one before."""

    path: Path
    began_s: float | None = None        # on the common time line
    opened: Opened | None = None        # see Film


class Played(NamedTuple):
    """A file that was played."""

    take: ReelFile
    began_s: float
    ended_s: float
    trouble: str            # "" if there was none


def play(takes: Iterable[ReelFile], replay: FootageReplay, tell: Callable[[ReelFile, float], None]) -> Iterator[Played]:
    """Plays the files in turn, also after one that cannot be played; `tell` gets the finished seconds of each."""
    ended_s = -APART_S
    for take in takes:
        began_s = ended_s + APART_S if take.began_s is None else max(take.began_s, ended_s)
        ended_s, trouble = began_s, ""
        try:
            with Film(take.path, take.opened) as film:
                for number, luma in enumerate(film.lumas(replay.wants, began_s)):
                    replay.look(luma)
                    ended_s = luma.mono_s
                    if number % TELL_EVERY_N == 0:
                        tell(take, ended_s - began_s)
                trouble = film.trouble
        except FootageError as error:
            trouble = str(error)
        yield Played(take, began_s, ended_s, trouble)
