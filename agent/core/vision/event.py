"""The event machine: motion in, orders out. Pure: no clock, no I/O, no threads."""
from dataclasses import dataclass, replace
from enum import Enum


class State(Enum):
    QUIET = "quiet"          # nothing
    ACTIVE = "active"        # motion seen
    TRAILING = "trailing"    # motion has stopped, but not for long enough to end the event


class EventSight(Enum):
    MOTION = "motion"
    STILL = "still"
    OVER = "over"            # still for longer than the merge gap
    TOO_LONG = "too_long"    # the event has its maximum length, and motion continues
    TOO_SOON = "too_soon"    # motion, but within the cool-down after the last event


class EventOrder(Enum):
    """An order to the recorder."""

    OPEN = "open"
    EXTEND = "extend"        # motion continues: keep recording
    CLOSE = "close"
    TURN = "turn"            # close this event and open one that continues it


# Has every (state, sight) pair; tests/core/test_event.py checks this.
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
    """The state of the event. Immutable: `step` returns the next machine."""

    over_after_s: float             # stillness that ends an event
    longest_s: float                # longest event; a longer one is continued by another
    cool_down_s: float = 0.0        # motion opens no event for this time after the last one
    state: State = State.QUIET
    opened_mono_s: float = 0.0
    last_motion_mono_s: float = float("-inf")
    closed_mono_s: float = float("-inf")

    def step(self, moving: bool, now_mono_s: float) -> tuple["EventMachine", EventOrder | None]:
        """Takes one observation. Returns the next machine and an order, or None."""
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
