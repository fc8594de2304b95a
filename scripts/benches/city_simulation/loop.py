"""Thousands of sessions on one thread: each is served when its socket has something, or when it is due."""
import heapq
import itertools
import select
from typing import Any

from agent.host.clock import Clock
from scripts.benches.city_simulation.device import SimulatedDevice

NOWHERE = -1            # no socket's number


class Served:
    """A device in the loop, with its socket and the moment when it is due."""

    __slots__ = ("device", "due_mono_s", "events", "number", "socket")

    def __init__(self, device: SimulatedDevice) -> None:
        self.device, self.due_mono_s = device, 0.0
        self.socket: Any = None
        self.number, self.events = NOWHERE, 0


class Loop:
    """An epoll, and a queue of due moments."""

    def __init__(self, clock: Clock, bell: int) -> None:
        """`bell` is a file descriptor that ends a turn early when it can be read."""
        self._clock, self._epoll = clock, select.epoll()
        self._epoll.register(bell, select.EPOLLIN)
        self._by_number: dict[int, Served] = {}
        self._queue: list[tuple[float, int, Served]] = []
        self._order = itertools.count()

    def add(self, device: SimulatedDevice) -> None:
        """Serve this device from now on."""
        self._arrange(Served(device), self._clock.mono_s())

    def turn(self, longest_s: float) -> None:
        """Wait at most `longest_s`, and serve each device that has something to do.

        Due devices come first: they are judged by what has arrived by now, not after the others' time.
        """
        if self._queue:
            longest_s = min(longest_s, self._queue[0][0] - self._clock.mono_s())
        ready = dict(self._epoll.poll(max(0.0, longest_s), len(self._by_number) + 1))
        now_mono_s = self._clock.mono_s()
        while self._queue and self._queue[0][0] <= now_mono_s:
            due_mono_s, _, place = heapq.heappop(self._queue)
            if place.due_mono_s == due_mono_s:              # else it has been served since, and is due later
                self._serve(place, ready.pop(place.number, 0))
        for number, events in ready.items():
            if place := self._by_number.get(number):
                self._serve(place, events)

    def _serve(self, place: Served, events: int) -> None:
        place.device.turn(readable=bool(events & ~select.EPOLLOUT))
        self._arrange(place, self._clock.mono_s())

    def _arrange(self, place: Served, now_mono_s: float) -> None:
        place.due_mono_s = now_mono_s + place.device.wait_s()
        heapq.heappush(self._queue, (place.due_mono_s, next(self._order), place))
        session = place.device.session
        socket = session.socket()
        events = select.EPOLLIN | (select.EPOLLOUT if session.wants_write() else 0)
        if socket is not place.socket:
            self._exchange(place, socket, events)
        elif socket is not None and events != place.events:
            self._epoll.modify(place.number, events)
        place.events = events

    def _exchange(self, place: Served, socket: Any, events: int) -> None:
        """Another socket. The kernel forgets a closed one by itself, and may give its number to the next."""
        if self._by_number.get(place.number) is place:
            del self._by_number[place.number]
        place.socket, place.number = socket, NOWHERE if socket is None else socket.fileno()
        if socket is not None:
            self._by_number[place.number] = place
            self._epoll.register(place.number, events)
