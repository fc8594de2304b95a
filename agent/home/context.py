"""The device as all parts know it that talk to the household's broker."""
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agent import __version__
from agent.config.settings import Home, Settings
from agent.core.contract.home.discovery import HomeDevice, components
from agent.core.contract.home.topics import HomeTopics, retained
from agent.core.contract.wire.topics import Topics
from agent.core.delivery.backoff import Waits
from agent.host import board
from agent.host.clock import Clock
from agent.store.folders import Folders
from agent.store.home import RetainedTopics

# One recorder is no crowd that a broker must be spared, and a person who mends a password wants to see it work.
WAITS = Waits(start_s=1.0, lost_s=5.0, step_s=5.0, longest_s=60.0, hopeless_s=(30.0, 60.0))


@dataclass(frozen=True, slots=True)
class HomeContext:
    """This device at home. `own_id` is the id it made itself: what Home Assistant keeps must outlive an enrolment."""

    settings: Settings
    folders: Folders
    runtime: Path
    clock: Clock
    own_id: str
    waits: Waits
    draw: Callable[[], float]           # chance, from [0, 1)

    @property
    def home(self) -> Home:
        """The configuration's table [home]."""
        return self.settings.home

    @property
    def cameras(self) -> list[str]:
        """Names of the cameras that are switched on."""
        return [camera.name for camera in self.settings.camera if camera.enabled]

    @property
    def labels(self) -> dict[str, str]:
        """What people call them, by name."""
        return {camera.name: camera.label for camera in self.settings.camera}

    @property
    def topics(self) -> HomeTopics:
        """The topics of this device."""
        return HomeTopics(self.home.prefix, Topics(self.settings.ward.ward, self.own_id))

    @property
    def device(self) -> HomeDevice:
        """The device as Home Assistant shows it."""
        given = self.settings.device
        name = given.title or f"Taimat {given.site}".strip()
        return HomeDevice(name=name, model=board.read().model, version=__version__,
                          language=given.language, cameras=tuple(self.cameras), snapshots=self.home.snapshots,
                          labels=self.labels)

    @property
    def shown(self) -> RetainedTopics:
        """What the broker will keep for this device."""
        return RetainedTopics(host=self.home.host, port=self.home.port, topics=retained(self.topics, self.cameras),
                              components={key: str(part["platform"]) for key, part in
                                          components(self.topics, self.device).items()})
