"""Keeps the newest health report for the page, which sleeps until a browser asks.

Messages of other roles wait in the kernel until the page wakes. The keeper records the machine's health but has no
network, so the page tells it whether there is one.
"""
import asyncio
from collections.abc import Callable

from agent.core.contract.facts import Beat, Poke
from agent.core.health.report import TELL_EVERY_S, Report, reach_of
from agent.host.clock import Clock
from agent.host.datagram import Inbox, Outlet
from agent.process.monitor import Monitor

FRESH_S = 5.0               # a visitor gets no older report
LOOK_IDLY_S = 30.0          # while no browser asks: so that it is known since when something is wrong


class HealthWatcher:
    """Looks when a browser asks, when a camera's state changes, and seldom otherwise. Belongs to the event loop."""

    def __init__(self, inbox: Inbox, outlet: Outlet, monitor: Monitor, clock: Clock,
                 on_unpairing: Callable[[], None], on_look: Callable[[float], None] | None = None) -> None:
        """`on_unpairing` is called after another role reports that a browser was unpaired, `on_look` with the time of
        each look."""
        self._inbox, self._outlet, self._monitor, self._clock = inbox, outlet, monitor, clock
        self._on_unpairing, self._on_look = on_unpairing, on_look
        self._tell_mono_s = clock.mono_s()
        self._beats: dict[str, tuple[Beat, float]] = {}     # of each unit the newest one since the last look, and when
        self._states: dict[str, str] = {}       # of the cameras, as last heard
        self._looked_mono_s = float("-inf")     # before a change of a state, too
        self._look: asyncio.Task[None] | None = None
        self._report: Report | None = None

    def hear(self) -> None:
        """Reads what the other roles have sent since the last call, without waiting."""
        now_mono_s = self._clock.mono_s()
        for message in self._inbox.waiting():
            if isinstance(message, Poke) and message.what == "browsers":
                self._on_unpairing()
            elif isinstance(message, Beat):
                self._beats[message.unit] = message, now_mono_s
                states = self._states | {facts.camera: facts.state for facts in message.cameras}
                if states != self._states:
                    self._states, self._looked_mono_s = states, float("-inf")

    async def report(self, older_s: float = FRESH_S) -> Report | None:
        """Returns the newest report, after a look if the last one is older than `older_s`."""
        self.hear()
        if self._look is None and self._clock.mono_s() - self._looked_mono_s >= older_s:
            self._look = asyncio.create_task(self._looked())
        if self._look is not None:
            await asyncio.shield(self._look)    # a visitor that leaves must not end the look for others
        return self._report

    async def _looked(self) -> None:
        """Looks on a thread, because a hanging card delays a look."""
        self._looked_mono_s = self._clock.mono_s()
        beats, self._beats = self._beats, {}
        try:
            for beat, heard_mono_s in beats.values():
                self._monitor.receive(beat, heard_mono_s)
            self._report = await asyncio.to_thread(self._monitor.look, self._looked_mono_s)
            if self._on_look:
                self._on_look(self._looked_mono_s)
        finally:
            self._look = None
        now_mono_s = self._clock.mono_s()
        if now_mono_s >= self._tell_mono_s:
            self._tell_mono_s = now_mono_s + TELL_EVERY_S
            self._outlet.send(reach_of(self._report), "keeper")
