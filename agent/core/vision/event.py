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
    TOO_SOON = "too_soon"    # motion, but the last event has ended less than the cool-down ago


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
    (State.QUIET, Seen.TOO_SOON): (State.QUIET, None),
    (State.ACTIVE, Seen.MOTION): (State.ACTIVE, Order.EXTEND),
    (State.ACTIVE, Seen.STILL): (State.TRAILING, None),
    (State.ACTIVE, Seen.OVER): (State.QUIET, Order.CLOSE),
    (State.ACTIVE, Seen.TOO_LONG): (State.ACTIVE, Order.TURN),
    (State.ACTIVE, Seen.TOO_SOON): (State.ACTIVE, Order.EXTEND),
    (State.TRAILING, Seen.MOTION): (State.ACTIVE, Order.EXTEND),
    (State.TRAILING, Seen.STILL): (State.TRAILING, None),
    (State.TRAILING, Seen.OVER): (State.QUIET, Order.CLOSE),
    (State.TRAILING, Seen.TOO_LONG): (State.ACTIVE, Order.TURN),
    (State.TRAILING, Seen.TOO_SOON): (State.ACTIVE, Order.EXTEND),
}


@dataclass(frozen=True, slots=True)
class EventMachine:
    """Where the event stands; `step` returns its successor."""

    over_after_s: float             # stillness that ends an event
    longest_s: float                # the most an event lasts before it is continued by another
    cool_down_s: float = 0.0        # after an event has ended, motion opens no other one for so long
    state: State = State.QUIET
    opened_mono_s: float = 0.0
    last_motion_mono_s: float = float("-inf")
    closed_mono_s: float = float("-inf")

    def step(self, moving: bool, now_mono_s: float) -> tuple["EventMachine", Order | None]:
        """Take one observation; return the next machine and the order, if there is one."""
        state, order = TABLE[self.state, self._seen(moving, now_mono_s)]
        if order is None and state is self.state:
            return self, None
        last = now_mono_s if moving else self.last_motion_mono_s
        opened = now_mono_s if order in (Order.OPEN, Order.TURN) else self.opened_mono_s
        closed = now_mono_s if order is Order.CLOSE else self.closed_mono_s
        return replace(self, state=state, opened_mono_s=opened, last_motion_mono_s=last, closed_mono_s=closed), order

    def _seen(self, moving: bool, now_mono_s: float) -> Seen:
        if not moving:
            return Seen.OVER if now_mono_s - self.last_motion_mono_s >= self.over_after_s else Seen.STILL
        if self.state is State.QUIET:
            return Seen.TOO_SOON if now_mono_s - self.closed_mono_s < self.cool_down_s else Seen.MOTION
        return Seen.TOO_LONG if now_mono_s - self.opened_mono_s >= self.longest_s else Seen.MOTION
