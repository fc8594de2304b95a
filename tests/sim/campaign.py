"""Cuts the power at each index of a day, and lets a judge look at what is left."""
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.sim import tape
from tests.sim.card import Card, Fate, Image
from tests.sim.day import MARKS, STORE
from tests.sim.judge import Cut, judge
from tests.sim.promise import Promise, lay_out, read
from tests.sim.replay import Index, Mark, Replay

MEMORY = Path("/dev/shm")       # where cards are laid out: what matters is in the model, not in this machine's disk


class Verdict(NamedTuple):
    """What came of one cut."""

    index_n: int
    index: Index
    fate: Fate
    seed: int
    wrong: list[str]


@dataclass(frozen=True)
class Day:
    """A day that was lived once: where, and its calls."""

    place: Path
    calls: list[tape.Call]

    @classmethod
    def live(cls, place: Path) -> "Day":
        """Live it. Raises RuntimeError with what the script complained of."""
        (place / "day").mkdir()
        ended = tape.watch(place / "calls", "tests.sim.day", place / "day")
        if ended.returncode:
            raise RuntimeError(f"the day went wrong:\n{ended.stdout}{ended.stderr}")
        return cls(place / "day", list(tape.calls(place / "calls")))

    def steps(self) -> tuple[Card, Iterator[Index | Mark]]:
        """A card, and the indexes and marks that it goes through while these are taken."""
        replay = Replay(self.place, STORE, MARKS)
        return replay.card, replay.run(self.calls)

    @cached_property
    def promises(self) -> list[tuple[Mark, Promise]]:
        """What was promised at each mark."""
        card, steps = self.steps()
        found, changed, known = [], True, Promise()
        for step in steps:
            if isinstance(step, Index):
                changed = True
            else:
                if changed:
                    with tempfile.TemporaryDirectory(dir=MEMORY) as place:
                        known = read(lay_out(card.cut(Fate.ALL, Random(0)), Path(place, STORE)))
                found.append((step, known))
                changed = False
        return found


def cuts(day: Day, fates: Callable[[int], Iterable[Fate]], seed: int) -> Iterator[Verdict]:
    """Cut behind each index; `fates` gives, for an index's number, the fates to try."""
    for index_n, step, card, cut in moments(day):
        for fate in fates(index_n):
            yield Verdict(index_n, step, fate, seed, judged(card.cut(fate, _dice(seed, index_n, fate)), cut))


def cuts_of_a_restart(day: Day, index_n: int, fate: Fate, seed: int, place: Path, every: int = 1) -> Iterator[Verdict]:
    """Cut behind one index, start again in `place`, and cut behind each index of that start, too, or `every` so many.
    """
    card, cut = next((card, cut) for number, _, card, cut in moments(day) if number == index_n)
    image = card.cut(fate, _dice(seed, index_n, fate))
    place.mkdir(exist_ok=True)
    lay_out(image, place / STORE)
    ended = tape.watch(place / "calls", "tests.sim.restart", place, str(cut.mono_s))
    if ended.returncode:
        raise RuntimeError(f"the restart went wrong:\n{ended.stdout}{ended.stderr}")
    replay = Replay(place, STORE, MARKS, Card.of(image))
    for number, step in enumerate(replay.run(tape.calls(place / "calls"))):
        assert isinstance(step, Index)
        if number % every:
            continue
        again = list(Fate)[number // every % len(Fate)]
        yield Verdict(number, step, again, seed, judged(replay.card.cut(again, _dice(seed, number, again)), cut))


def moments(day: Day) -> Iterator[tuple[int, Index, Card, Cut]]:
    """Each index with its number, the card as it is then, and what is promised."""
    card, steps = day.steps()
    marks = day.promises
    mark_n, index_n, told = 0, 0, {}
    for step in steps:
        if isinstance(step, Mark):
            mark_n += 1
            told.update({seq: row["data"] for seq, row in marks[mark_n - 1][1].outbox.items()})
        else:
            index_n += 1
            before, after = marks[max(0, mark_n - 1)], marks[min(mark_n, len(marks) - 1)]
            yield index_n, step, card, Cut(before[1], after[1], told, before[0].mono_s)


def judged(image: Image, cut: Cut) -> list[str]:
    """The judge's complaints about a card."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as place:
        return judge(image, cut, Path(place))


def _dice(seed: int, index_n: int, fate: Fate) -> Random:
    return Random(f"{seed} {index_n} {fate.name}")
