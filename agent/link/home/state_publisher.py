"""Says what has changed, and now and then what has not: states stay at the broker, but not for ever."""
from dataclasses import dataclass

import msgspec

from agent.core.contract.home.states import on_off
from agent.home.session import TEXT
from agent.host.clock import Clock
from agent.mqtt.connection import Outgoing
from agent.mqtt.session import Session

EXPIRY_S = 600              # a state that nobody repeats goes: the broker may die together with the device
REFRESH_S = 300.0


@dataclass(frozen=True, slots=True)
class Published:
    """What was said last on a topic, and when."""

    payload: bytes
    mono_s: float


class StatePublisher:
    """Remembers what was said in this connection."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session, self._clock = session, clock
        self._told: dict[str, Published] = {}

    def forget(self) -> None:
        """Say everything anew."""
        self._told.clear()

    def switch(self, topic: str, on: bool) -> bool | None:
        """Tell ON or OFF; returns what was told before."""
        before = self._told.get(topic)
        self._tell(topic, on_off(on), TEXT)
        return before.payload == on_off(True) if before else None

    def state(self, topic: str, state: msgspec.Struct) -> None:
        """Tell a state of several values."""
        self._tell(topic, msgspec.json.encode(state), "application/json")

    def _tell(self, topic: str, payload: bytes, content_type: str) -> None:
        now_mono_s, told = self._clock.mono_s(), self._told.get(topic)
        if told and told.payload == payload and now_mono_s - told.mono_s < REFRESH_S:
            return
        self._told[topic] = Published(payload, now_mono_s)
        self._session.post(Outgoing(topic, payload, qos=0, retain=True, expiry_s=EXPIRY_S, content_type=content_type))
