"""A capture process's camera set in this process: real sources, recorders and store; its ticks are the test's."""
import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from agent.capture.camera_set import CameraSet, PauseWatch
from agent.config.settings import Camera, Recovery, Settings, Store
from agent.core.contract.facts import CameraFacts
from agent.core.recovery import Step
from agent.host.clock import Clock
from agent.store import clips, outbox
from agent.store.database import connect
from agent.store.folders import Folders
from tests.rigs.cameras import footage
from tests.rigs.store.joined import join_in
from tests.rigs.wait import until


@dataclass
class Shift:
    """A camera set at work in `place`; another one there goes on with what the last one left."""

    place: Path
    clock: Clock
    were_off: tuple[str, ...] = ()
    recovery: Recovery = field(default_factory=Recovery)
    stuck_n: int = 0

    def __post_init__(self) -> None:
        self.folders, self.runtime = Folders(self.place / "store").create(), self.place
        join_in(self.folders.root)
        self.requests = self.place / "ask"
        self.requests.mkdir(exist_ok=True)
        self.camera_set = CameraSet(self.folders, self.runtime, self.requests, self.clock,
                         PauseWatch(self.folders, self.clock, self.were_off), stuck=self._stuck)

    def _stuck(self) -> None:
        self.stuck_n += 1

    def obey(self, *cameras: Camera, insist: bool = False) -> "Shift":
        """Have these cameras at work."""
        store = Store(folder=str(self.folders.root), runtime=str(self.runtime), sync_every_s=0.5)
        self.camera_set.apply(Settings(store=store, recovery=self.recovery), cameras, insist)
        return self

    def facts(self) -> dict[str, CameraFacts]:
        """Each camera's facts, after a tick."""
        self.camera_set.tick()
        return {facts.camera: facts for facts in self.camera_set.facts()}

    def until(self, true: Callable[[dict[str, CameraFacts]], Any], what: str) -> Any:
        """Tick until the cameras' facts make this true."""
        return until(lambda: true(self.facts()), what)

    def tick_until(self, true: Callable[[], Any], what: str) -> Any:
        """Tick until this is true."""
        return self.until(lambda _: true(), what)

    def next_step(self) -> Step:
        """Tick until a step of the ladder is taken."""
        return until(self.camera_set.tick, "a step")

    def recording(self, name: str) -> Path | None:
        """The file of the camera's open clip, once there are pictures in it."""
        parts = [part for part in self.folders.clips.glob(f"*/{name}-*.part") if part.stat().st_size > 5_000]
        return parts[0] if parts else None

    def clips(self, name: str) -> list[clips.Clip]:
        """The camera's finished clips, oldest first."""
        with contextlib.closing(connect(self.folders.root)) as db:
            return [clip for clip in clips.finished(db)[::-1] if clip.camera == name]

    def told(self, name: str) -> list[tuple[str, str, str]]:
        """What the ward is told of the camera: code, phase and detail."""
        with contextlib.closing(connect(self.folders.root)) as db:
            rows = [row for row in outbox.after(db, 0, 1000) if row["kind"] == "camera" and row["camera"] == name]
        return [(data["code"], data["phase"], data.get("detail")) for data in (json.loads(row["data"]) for row in rows)]


@contextlib.contextmanager
def shift(place: Path, clock: Clock, **changes: Any) -> Iterator[Shift]:
    """A camera_set that ends with the test."""
    made = Shift(place, clock, **changes)
    try:
        yield made
    finally:
        made.camera_set.finish()


def film(name: str, **keys: Any) -> Camera:
    """A camera played by a file, recorded all the time; `keys` are those of [[camera]]."""
    source = f"file:{footage.clip(640, 360, 10, 10, 500)}"
    return msgspec.convert({"name": name, "source": source, "loop": True, "record": "continuous", **keys}, Camera)
