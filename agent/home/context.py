"""The device, as the modules that talk to the household's broker see it."""
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
        """Returns people's names for the cameras, by name."""
        return {camera.name: camera.label for camera in self.settings.camera}

    @property
    def topics(self) -> HomeTopics:
        return HomeTopics(self.home.prefix, Topics(self.settings.ward.ward, self.own_id))

    @property
    def device(self) -> HomeDevice:
        given = self.settings.device
        name = given.title or f"Taimat {given.site}".strip()
        return HomeDevice(name=name, model=board.read().model, version=__version__,
                          language=given.language, cameras=tuple(self.cameras), snapshots=self.home.snapshots,
                          labels=self.labels)

    @property
    def shown(self) -> RetainedTopics:
        """Returns what the broker will keep for this device."""
        return RetainedTopics(host=self.home.host, port=self.home.port, topics=retained(self.topics, self.cameras),
                              components={key: str(part["platform"]) for key, part in
                                          components(self.topics, self.device).items()})
