"""Clears a household's broker, so that Home Assistant forgets the device."""
import threading

from agent.home.context import HomeContext
from agent.home.session import HomeSession
from agent.mqtt.connection import Outgoing
from agent.mqtt.fault import LinkFault
from agent.mqtt.session import Acknowledged, Down
from agent.store.home import RetainedTopics

TICK_S = 0.5
FORGET_S = 1.0              # the device first, then its states: Home Assistant complains about empty ones


def remove(home: HomeContext, shown: RetainedTopics, stop: threading.Event, within_s: float,
           name: str) -> LinkFault | None:
    """Publishes an empty message on each topic of `shown`, as client `name`; None when the broker has them all.

    Tries again until `stop` is set or `within_s` is over; then it returns the fault.
    """
    session, until_mono_s = HomeSession(home, shown.where, name), home.clock.mono_s() + within_s
    left, waiting, next_mono_s = list(shown.topics), set[str](), 0.0
    while (left or waiting) and not stop.is_set() and home.clock.mono_s() < until_mono_s:
        for happening in session.wait(TICK_S):
            if isinstance(happening, Acknowledged) and isinstance(happening.tag, str):
                waiting.discard(happening.tag)
            elif isinstance(happening, Down):
                left, waiting = list(shown.topics), set()
        while left and session.room_n > 0 and home.clock.mono_s() >= next_mono_s:
            if len(left) == len(shown.topics):
                next_mono_s = home.clock.mono_s() + FORGET_S
            waiting.add(topic := left.pop(0))
            session.post(Outgoing(topic, b"", retain=True))
    fault = session.fault or LinkFault("timeout", f"{shown.host}:{shown.port}: not done in time; try again")
    session.close()
    return fault if left or waiting else None
