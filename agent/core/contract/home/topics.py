"""Topics on the household's own broker. All but Home Assistant's own are below the device's `home`, `live` and `snap`.
"""
from dataclasses import dataclass

from agent.core.contract.wire.topics import Topics


@dataclass(frozen=True, slots=True)
class HomeTopics:
    """The topics of one device. Camera names contain neither wildcards nor slashes."""

    prefix: str                         # Home Assistant looks for devices below it: "homeassistant"
    own: Topics

    @property
    def config(self) -> str:
        """The description of the device; retained, and empty once the device is removed."""
        return f"{self.prefix}/device/{self.own.dev}/config"

    @property
    def assistant(self) -> str:
        """Home Assistant sends "online" here after its start."""
        return f"{self.prefix}/status"

    @property
    def status(self) -> str:
        """ "online" or "offline"; retained; also the will's topic."""
        return f"{self.own.root}/home/status"

    @property
    def health(self) -> str:
        """core.contract.home.states.DeviceState; retained."""
        return f"{self.own.root}/home/health"

    @property
    def update(self) -> str:
        """core.contract.home.states.UpdateState; retained."""
        return f"{self.own.root}/home/update"

    @property
    def update_set(self) -> str:
        """The household starts the installation of the new version here."""
        return f"{self.own.root}/home/update/set"

    def motion(self, camera: str) -> str:
        """ON while something moves; retained."""
        return f"{self.own.root}/live/{camera}/motion"

    def moved(self, camera: str) -> str:
        """The word for what moved last (core.household.labels); retained."""
        return f"{self.own.root}/live/{camera}/moved"

    def recording(self, camera: str) -> str:
        """ON while a clip is written; retained."""
        return f"{self.own.root}/live/{camera}/recording"

    def problem(self, camera: str) -> str:
        """core.contract.home.states.CameraState; retained."""
        return f"{self.own.root}/live/{camera}/health"

    def pause(self, camera: str) -> str:
        """ON while the camera is paused; retained."""
        return f"{self.own.root}/live/{camera}/pause"

    def pause_set(self, camera: str) -> str:
        return f"{self.own.root}/live/{camera}/pause/set"

    def snapshot(self, camera: str) -> str:
        """A JPEG; never retained."""
        return f"{self.own.root}/snap/{camera}"

    @property
    def subscriptions(self) -> tuple[str, ...]:
        return self.pause_set("+"), self.update_set, self.assistant

    def paused_camera(self, topic: str) -> str | None:
        """Returns the camera that a command on `topic` pauses; None for any other topic."""
        before, after = self.pause_set("+").split("+")
        name = topic.removeprefix(before).removesuffix(after)
        return name if topic == self.pause_set(name) and "/" not in name else None


def retained(topics: HomeTopics, cameras: list[str]) -> list[str]:
    """Returns all retained topics of a device, in the order in which they must be emptied."""
    each = (topics.motion, topics.moved, topics.recording, topics.problem, topics.pause)
    return [topics.config, topics.status, topics.health, topics.update,
            *(topic(camera) for camera in cameras for topic in each)]
