"""Event machine: motion in, orders out. Pure: no clock, no I/O, no threads."""
from dataclasses import dataclass, replace
from enum import Enum


class State(Enum):
    """The state of events in front of the camera."""

    QUIET = "quiet"          # nothing
    ACTIVE = "active"        # motion seen
    TRAILING = "trailing"    # motion gone, but not for long enough to be over


class EventSight(Enum):
    """The meaning of one look for the event."""

    MOTION = "motion"
    STILL = "still"
    OVER = "over"            # still for longer than the merge gap
    TOO_LONG = "too_long"    # the event has reached its maximum, and there is motion still
    TOO_SOON = "too_soon"    # motion, but the last event has ended less than the cool-down ago


class EventOrder(Enum):
    """What the recorder is to do."""

    OPEN = "open"
    EXTEND = "extend"        # motion goes on: keep recording
    CLOSE = "close"
    TURN = "turn"            # close this event and open one that continues it


# Every (state, sight) pair is here; tests/core/test_event.py checks that none is missing.
TABLE: dict[tuple[State, EventSight], tuple[State, EventOrder | None]] = {
    (State.QUIET, EventSight.MOTION): (State.ACTIVE, EventOrder.OPEN),
    (State.QUIET, EventSight.STILL): (State.QUIET, None),
    (State.QUIET, EventSight.OVER): (State.QUIET, None),
    (State.QUIET, EventSight.TOO_LONG): (State.ACTIVE, EventOrder.OPEN),
    (State.QUIET, EventSight.TOO_SOON): (State.QUIET, None),
    (State.ACTIVE, EventSight.MOTION): (State.ACTIVE, EventOrder.EXTEND),
    (State.ACTIVE, EventSight.STILL): (State.TRAILING, None),
    (State.ACTIVE, EventSight.OVER): (State.QUIET, EventOrder.CLOSE),
    (State.ACTIVE, EventSight.TOO_LONG): (State.ACTIVE, EventOrder.TURN),
    (State.ACTIVE, EventSight.TOO_SOON): (State.ACTIVE, EventOrder.EXTEND),
    (State.TRAILING, EventSight.MOTION): (State.ACTIVE, EventOrder.EXTEND),
    (State.TRAILING, EventSight.STILL): (State.TRAILING, None),
    (State.TRAILING, EventSight.OVER): (State.QUIET, EventOrder.CLOSE),
    (State.TRAILING, EventSight.TOO_LONG): (State.ACTIVE, EventOrder.TURN),
    (State.TRAILING, EventSight.TOO_SOON): (State.ACTIVE, EventOrder.EXTEND),
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

    def step(self, moving: bool, now_mono_s: float) -> tuple["EventMachine", EventOrder | None]:
        """Take one observation; return the next machine and the order, if there is one."""
        state, order = TABLE[self.state, self._seen(moving, now_mono_s)]
        if order is None and state is self.state:
            return self, None
        last = now_mono_s if moving else self.last_motion_mono_s
        opened = now_mono_s if order in (EventOrder.OPEN, EventOrder.TURN) else self.opened_mono_s
        closed = now_mono_s if order is EventOrder.CLOSE else self.closed_mono_s
        return replace(self, state=state, opened_mono_s=opened, last_motion_mono_s=last, closed_mono_s=closed), order

    def _seen(self, moving: bool, now_mono_s: float) -> EventSight:
        if not moving:
            return EventSight.OVER if now_mono_s - self.last_motion_mono_s >= self.over_after_s else EventSight.STILL
        if self.state is State.QUIET:
            return EventSight.TOO_SOON if now_mono_s - self.closed_mono_s < self.cool_down_s else EventSight.MOTION
        return EventSight.TOO_LONG if now_mono_s - self.opened_mono_s >= self.longest_s else EventSight.MOTION
