"""Event machine: motion in, orders out. Pure: no clock, no I/O, no threads."""
from dataclasses import dataclass, replace
from enum import Enum


class State(Enum):
    """What is going on in front of the camera."""

    QUIET = "quiet"          # nothing
    ACTIVE = "active"        # motion seen
    TRAILING = "trailing"    # motion gone, but not for long enough to be over


class Seen(Enum):
    """What one look at the picture means for the event."""

    MOTION = "motion"
    STILL = "still"
    OVER = "over"            # still for longer than the merge gap
    TOO_LONG = "too_long"    # the event has reached its maximum, and there is motion still


class Order(Enum):
    """What is to be done about it."""

    OPEN = "open"
    EXTEND = "extend"        # motion goes on: keep recording
    CLOSE = "close"
    TURN = "turn"            # close this event and open one that continues it


# Every (state, sight) pair is here; tests/core/test_event.py checks that none is missing.
TABLE: dict[tuple[State, Seen], tuple[State, Order | None]] = {
    (State.QUIET, Seen.MOTION): (State.ACTIVE, Order.OPEN),
    (State.QUIET, Seen.STILL): (State.QUIET, None),
    (State.QUIET, Seen.OVER): (State.QUIET, None),
    (State.QUIET, Seen.TOO_LONG): (State.ACTIVE, Order.OPEN),
    (State.ACTIVE, Seen.MOTION): (State.ACTIVE, Order.EXTEND),
    (State.ACTIVE, Seen.STILL): (State.TRAILING, None),
    (State.ACTIVE, Seen.OVER): (State.QUIET, Order.CLOSE),
    (State.ACTIVE, Seen.TOO_LONG): (State.ACTIVE, Order.TURN),
    (State.TRAILING, Seen.MOTION): (State.ACTIVE, Order.EXTEND),
    (State.TRAILING, Seen.STILL): (State.TRAILING, None),
    (State.TRAILING, Seen.OVER): (State.QUIET, Order.CLOSE),
    (State.TRAILING, Seen.TOO_LONG): (State.ACTIVE, Order.TURN),
}


@dataclass(frozen=True, slots=True)
class EventMachine:
    """Where the event stands; `step` returns its successor."""

    over_after_s: float             # stillness that ends an event
    longest_s: float                # the most an event lasts before it is continued by another
    state: State = State.QUIET
    opened_mono_s: float = 0.0
    last_motion_mono_s: float = float("-inf")

    def step(self, moving: bool, now_mono_s: float) -> tuple["EventMachine", Order | None]:
        """Take one observation; return the next machine and the order, if there is one."""
        state, order = TABLE[self.state, self._seen(moving, now_mono_s)]
        if order is None and state is self.state and not moving:
            return self, None
        last = now_mono_s if moving else self.last_motion_mono_s
        opened = now_mono_s if order in (Order.OPEN, Order.TURN) else self.opened_mono_s
        return replace(self, state=state, opened_mono_s=opened, last_motion_mono_s=last), order

    def _seen(self, moving: bool, now_mono_s: float) -> Seen:
        if moving:
            too_long = self.state is not State.QUIET and now_mono_s - self.opened_mono_s >= self.longest_s
            return Seen.TOO_LONG if too_long else Seen.MOTION
        return Seen.OVER if now_mono_s - self.last_motion_mono_s >= self.over_after_s else Seen.STILL
