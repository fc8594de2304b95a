"""Makes events from looks and what counts of them, with the recorder's own event machine."""
from dataclasses import dataclass, replace

from agent.core.media.model import Box
from agent.core.vision.event import EventMachine, EventOrder
from agent.core.vision.motion import Look
from agent.core.vision.zones import Counted

TICK_S = 1.0                # after this time without pictures the recorder lets an event end
EVENTS_MAX = 20_000         # limit of kept events; more are only counted


@dataclass(frozen=True, slots=True)
class ReplayEvent:
    """Motion that counts, from its first picture to its last one."""

    began_s: float
    ended_s: float
    score: float = 0.0              # the highest score
    peak_s: float = 0.0             # time of the highest score
    largest: Box | None = None      # its largest object
    largest_s: float = 0.0          # time of the largest object
    zones: tuple[str, ...] = ()     # names of fulfilled zones, in the order in which they first were
    continues: bool = False         # the event before had become too long


class EventCollector:
    def __init__(self, machine: EventMachine) -> None:
        self._machine = machine
        self._event: ReplayEvent | None = None
        self._last_s = float("-inf")
        self.events: list[ReplayEvent] = []
        self.events_n = 0

    @property
    def is_open(self) -> bool:
        return self._event is not None

    def step(self, at_s: float, look: Look, counted: Counted) -> None:
        if at_s - self._last_s > TICK_S:
            self._add(at_s, Look(False), Counted())
        self._last_s = at_s
        self._add(at_s, look, counted)

    def _add(self, at_s: float, look: Look, counted: Counted) -> None:
        self._machine, order = self._machine.step(bool(counted.objects), at_s)
        if self._event and order is EventOrder.TURN:
            self._event = replace(self._event, ended_s=at_s)
        if order in (EventOrder.CLOSE, EventOrder.TURN):
            self.close()
        if order in (EventOrder.OPEN, EventOrder.TURN):
            self._event = ReplayEvent(at_s, at_s, peak_s=at_s, continues=order is EventOrder.TURN)
        if self._event and counted.objects:
            self._event = _grown(self._event, at_s, look.score, counted)

    def close(self) -> None:
        if self._event:
            self.events_n += 1
            if len(self.events) < EVENTS_MAX:
                self.events.append(self._event)
        self._event = None


def _grown(event: ReplayEvent, at_s: float, score: float, counted: Counted) -> ReplayEvent:
    stronger, box = score > event.score, counted.objects[0].box
    larger = event.largest is None or box.w * box.h > event.largest.w * event.largest.h
    return replace(event, ended_s=at_s, score=score if stronger else event.score,
                   peak_s=at_s if stronger else event.peak_s, largest=box if larger else event.largest,
                   largest_s=at_s if larger else event.largest_s,
                   zones=tuple(dict.fromkeys(event.zones + counted.zones)))
