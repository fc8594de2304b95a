"""The verdict of a check, and how several become one."""
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from msgspec import Struct

State = Literal["ok", "skipped", "warn", "bad"]
WORST_LAST: tuple[State, ...] = ("ok", "skipped", "warn", "bad")


class CheckVerdict(Struct, frozen=True):
    """One line on what was found, and what to do about it ("" for nothing); neither ever holds a password."""

    state: State
    text: str
    remedy: str = ""


# ok(text), warn(text, remedy), ...
ok, skipped, warn, bad = (partial(CheckVerdict, state) for state in WORST_LAST)


@dataclass(frozen=True, slots=True)
class Check:
    """One examination: `ask` may block or hang; whoever runs it ends it after `deadline_s`."""

    name: str
    ask: Callable[[], CheckVerdict]
    deadline_s: float = 10.0
    title: str = ""         # of the camera that it is about


def worst(verdicts: list[CheckVerdict]) -> CheckVerdict:
    """Several findings (at least one) on one matter as one: as bad as the worst, the worst told first."""
    ordered = sorted(verdicts, key=lambda verdict: -WORST_LAST.index(verdict.state))
    remedies = [verdict.remedy for verdict in ordered if verdict.remedy and verdict.state == ordered[0].state]
    text = "; ".join(verdict.text for verdict in ordered)
    return CheckVerdict(ordered[0].state, text, "; ".join(dict.fromkeys(remedies)))
