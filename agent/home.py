"""The household's broker: the account there, the device as it sees it, a session, and the removal of the device."""
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

from agent import __version__
from agent.config.settings import Home, Settings
from agent.core.contract.wire.topics import Topics
from agent.core.delivery.backoff import Backoff, Waits
from agent.core.home_assistant import HomeDevice, HomeTexts, HomeTopics, components, retained
from agent.host import board
from agent.host.clock import Clock
from agent.look.device_words import home_texts
from agent.mqtt.credentials import Credentials, load
from agent.mqtt.fault import HOUSEHOLD, LinkFault
from agent.mqtt.messages import ConnectOptions, Outgoing
from agent.mqtt.session import Acknowledged, Down, Session
from agent.store.folders import Folders
from agent.store.home import RetainedTopics

if TYPE_CHECKING:
    from agent.mqtt.connection import Connection


def credentials(home: Home, client_id: str) -> Credentials:
    """Returns the credentials, read again each time. Raises LinkFault."""
    # at home the recorder has no certificate
    return load(SimpleNamespace(tls=home.tls, ca=home.ca, cert="", key="", user=home.user,
                                password_file=home.password_file), client_id)


# One recorder is no crowd, so the broker needs no protection, and a person who corrects a password waits for it.
WAITS = Waits(start_s=1.0, lost_s=5.0, step_s=5.0, longest_s=60.0, hopeless_s=(30.0, 60.0))


@dataclass(frozen=True, slots=True)
class HomeContext:
    """This device at home. `own_id` is its self-made id, because Home Assistant's data must outlive an enrolment."""

    settings: Settings
    folders: Folders
    runtime: Path
    clock: Clock
    own_id: str
    waits: Waits
    draw: Callable[[], float]           # a random number from [0, 1)

    @property
    def home(self) -> Home:
        return self.settings.home

    @property
    def cameras(self) -> list[str]:
        return [camera.name for camera in self.settings.camera if camera.enabled]

    @property
    def labels(self) -> dict[str, str]:
        return {camera.name: camera.label for camera in self.settings.camera}

    @property
    def topics(self) -> HomeTopics:
        return HomeTopics(self.home.prefix, Topics(self.settings.ward.ward, self.own_id))

    @property
    def texts(self) -> HomeTexts:
        return home_texts(self.settings.device.language)

    @property
    def device(self) -> HomeDevice:
        given = self.settings.device
        name = given.title or f"Taimat {given.site}".strip()
        return HomeDevice(name=name, model=board.read().model, version=__version__,
                          names=self.texts.names, cameras=tuple(self.cameras), snapshots=self.home.snapshots,
                          labels=self.labels)

    @property
    def shown(self) -> RetainedTopics:
        return RetainedTopics(host=self.home.host, port=self.home.port, topics=retained(self.topics, self.cameras),
                              components={key: str(part["platform"]) for key, part in
                                          components(self.topics, self.device).items()})


KEEPALIVE_S = 30
TEXT = "text/plain"


class HomeSession(Session):
    """For one thread."""

    def __init__(self, home: HomeContext, where: tuple[str, int], name: str) -> None:
        """Connects to the broker at `where`, as client `name`, once `wait` is called."""
        def connect() -> "Connection":
            """The broker keeps no session: a waiting command could pause a camera much later."""
            from agent.mqtt.connection import Connection
            return Connection(*where, credentials(home.home, name), home.topics.subscriptions,
                              ConnectOptions(KEEPALIVE_S, status(home, "offline"), session_s=0))

        super().__init__(connect, home.clock, Backoff(home.waits), home.draw, HOUSEHOLD)


def status(home: HomeContext, word: str) -> Outgoing:
    """Returns the retained message "online" or "offline"."""
    return Outgoing(home.topics.status, word.encode(), retain=True, content_type=TEXT)


TICK_S = 0.5
FORGET_S = 1.0              # the device first, then its states: Home Assistant complains about empty ones


def remove(home: HomeContext, shown: RetainedTopics, stop: threading.Event, within_s: float,
           name: str) -> LinkFault | None:
    """Publishes an empty message on each topic of `shown`, as client `name`; None when the broker has them all. Tries
    again until `stop` is set or `within_s` is over; then it returns the fault."""
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
