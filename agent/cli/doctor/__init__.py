"""`taimat doctor`: what a check is, and its verdict."""
import contextlib
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from msgspec import Struct

SYSTEMCTL_S = 5.0
State = Literal["ok", "skipped", "warn", "bad"]
WORST_LAST: tuple[State, ...] = ("ok", "skipped", "warn", "bad")


class CheckVerdict(Struct, frozen=True):
    """One line on what was found, and what to do about it ("" for nothing). Neither holds a password."""

    state: State
    text: str
    remedy: str = ""


# ok(text), warn(text, remedy), ...
ok, skipped, warn, bad = (partial(CheckVerdict, state) for state in WORST_LAST)


@dataclass(frozen=True, slots=True)
class Check:
    """One check. `ask` may block or hang; the caller ends it after `deadline_s`."""

    name: str
    ask: Callable[[], CheckVerdict]
    deadline_s: float = 10.0
    title: str = ""         # of the camera that it is about


def worst(verdicts: list[CheckVerdict]) -> CheckVerdict:
    """Joins several verdicts (at least one) into one: the state and remedies of the worst, and its text first."""
    ordered = sorted(verdicts, key=lambda verdict: -WORST_LAST.index(verdict.state))
    remedies = [verdict.remedy for verdict in ordered if verdict.remedy and verdict.state == ordered[0].state]
    text = "; ".join(verdict.text for verdict in ordered)
    return CheckVerdict(ordered[0].state, text, "; ".join(dict.fromkeys(remedies)))


def systemctl(*words: str) -> str:
    """Returns what `systemctl show` prints; "" if systemd does not run."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(["systemctl", "show", *words], check=True, text=True, capture_output=True,
                              timeout=SYSTEMCTL_S).stdout
    return ""
