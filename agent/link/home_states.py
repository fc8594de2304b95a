"""Publishes the states that Home Assistant shows: at once if they change, and again before they expire."""
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from agent import __version__
from agent.core import home_assistant as states
from agent.core.contract.facts import CameraFacts
from agent.core.health.report import Report
from agent.core.home_assistant import on_off
from agent.core.household.pause import Pauses
from agent.home import TEXT, HomeContext
from agent.host.clock import Instant
from agent.mqtt.messages import Outgoing
from agent.mqtt.session import Session
from agent.store.updates import UpdateOrder

EXPIRY_S = 600              # a state that is not repeated expires: the broker may die together with the device
UNKNOWN = "None"            # Home Assistant's word for a sensor without a value
REFRESH_S = 300.0


@dataclass(slots=True)
class DeviceView:
    facts: dict[str, CameraFacts] = field(default_factory=dict)     # by camera
    report: Report | None = None
    pauses: Pauses = field(default_factory=Pauses)
    open: frozenset[str] = frozenset()      # cameras with an event that goes on
    order: UpdateOrder | None = None              # the update that the ward has ordered
    moved: dict[str, str] = field(default_factory=dict)             # by camera: the label of the last motion

    def is_paused(self, camera: str, now: Instant) -> bool:
        """By a person, which counts at once, or by the weekly hours, which only capture knows."""
        facts = self.facts.get(camera)
        by_hours = facts is not None and facts.state == "paused" and facts.paused_by == "schedule"
        return by_hours or self.pauses.of(camera, now) is not None


class StatePublisher:
    def __init__(self, home: HomeContext, session: Session, motion_ended: Callable[[str], None]) -> None:
        """`motion_ended` is called with a camera whose motion sensor has gone off."""
        self._home, self._session, self._motion_ended = home, session, motion_ended
        self._topics, self._texts = home.topics, home.texts
        self._published: dict[str, tuple[bytes, float]] = {}      # by topic: the last payload, and when

    def forget(self) -> None:
        """Publishes everything again."""
        self._published.clear()

    def publish(self, device: DeviceView) -> None:
        now = self._home.clock.now()
        for camera in self._home.cameras:
            facts = device.facts.get(camera)
            self.move(camera, states.moves(device.open, camera, facts))
            self._switch(self._topics.live(camera, "recording"), states.records(facts))
            self._publish(self._topics.live(camera, "moved"), device.moved.get(camera, UNKNOWN).encode(), TEXT)
            self._switch(self._topics.live(camera, "pause"), device.is_paused(camera, now))
            if device.report:
                wrong = states.camera_state(device.report, camera, self._texts)
                self._state(self._topics.live(camera, "health"), wrong)
        self._state(self._topics.update, _software(device.order))
        if device.report:
            self._state(self._topics.health, states.device_state(device.report, self._texts, self._home.labels))

    def move(self, camera: str, moving: bool) -> None:
        if self._switch(self._topics.live(camera, "motion"), moving) and not moving:
            self._motion_ended(camera)

    def _switch(self, topic: str, on: bool) -> bool | None:
        before = self._published.get(topic)
        self._publish(topic, on_off(on), TEXT)
        return before[0] == on_off(True) if before else None

    def _state(self, topic: str, state: msgspec.Struct) -> None:
        self._publish(topic, msgspec.json.encode(state), "application/json")

    def _publish(self, topic: str, payload: bytes, content_type: str) -> None:
        now_mono_s, before = self._home.clock.mono_s(), self._published.get(topic)
        if before and before[0] == payload and now_mono_s - before[1] < REFRESH_S:
            return
        self._published[topic] = payload, now_mono_s
        self._session.post(Outgoing(topic, payload, qos=0, retain=True, expiry_s=EXPIRY_S, content_type=content_type))


def _software(order: UpdateOrder | None) -> states.UpdateState:
    """Returns the update entity's state; it does not show an order that has ended."""
    wanted = order.version if order and order.open else __version__
    return states.UpdateState(installed_version=__version__, latest_version=wanted,
                              in_progress=order is not None and order.state in ("approved", "handed"))
