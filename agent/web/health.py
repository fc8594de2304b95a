"""Keeps the newest health report at hand for the page: heartbeats and probes are read off the event loop."""
import asyncio
from collections.abc import Callable
from pathlib import Path

from agent.config.derived import units
from agent.config.settings import Settings
from agent.core.contract.facts import Beat, Message, Poke
from agent.core.health.report import Report
from agent.host.clock import Clock
from agent.host.datagram import Inbox
from agent.host.probes.machine import Probes
from agent.process.monitor import Monitor

LOOK_EVERY_S = 5.0
WAIT_S = 0.5


def monitor(settings: Settings, clock: Clock) -> Monitor:
    """A monitor that expects what these settings say: units, continuous recording, free space."""
    continuous = [camera.name for camera in settings.camera if camera.enabled and camera.record != "motion"]
    return Monitor(Probes(Path(settings.store.folder)), units(settings), now_mono_s=clock.mono_s(),
                   free_floor_pct=settings.store.free_floor_pct, continuous=continuous,
                   cameras_n=sum(camera.enabled for camera in settings.camera),
                   endurance_tb=settings.store.card_endurance_tb)


class HealthWatcher:
    """Looks every LOOK_EVERY_S and when a camera's state changes; `report` is the newest one, None before the first."""

    def __init__(self, inbox: Inbox, monitor: Monitor, clock: Clock, on_unpairing: Callable[[], None]) -> None:
        """`on_unpairing` is called, in the event loop, when somebody tells that a browser is paired no more."""
        self._inbox, self._monitor, self._clock, self._on_unpairing = inbox, monitor, clock, on_unpairing
        self._due_mono_s = clock.mono_s()
        self._states: dict[str, str] = {}       # of the cameras, as last heard
        self.report: Report | None = None

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            message = await asyncio.to_thread(self._turn)
            if isinstance(message, Poke) and message.what == "browsers":
                self._on_unpairing()

    def _turn(self) -> Message | None:
        message = self._inbox.receive(WAIT_S)
        now_mono_s = self._clock.mono_s()
        if isinstance(message, Beat):
            self._monitor.receive(message, now_mono_s)
            states = self._states | {each.camera: each.state for each in message.cameras}
            if states != self._states:          # somebody may be waiting for it
                self._states, self._due_mono_s = states, now_mono_s
        if now_mono_s >= self._due_mono_s:
            self._due_mono_s = now_mono_s + LOOK_EVERY_S
            self.report = self._monitor.look(now_mono_s)
        return message
