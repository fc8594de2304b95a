"""A camera put together as the capture role does it, in this process, with a look into its store."""
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agent.capture.camera import Camera
from agent.config.settings import Camera as CameraSettings
from agent.config.settings import Settings
from agent.config.settings import Store as StoreSettings
from agent.core.contract.facts import CameraFacts
from agent.host.clock import SystemClock
from agent.store import clips, events, outbox
from agent.store.folders import Folders
from tests.capture.motion_stage import Stage
from tests.conftest import HandClock
from tests.rigs.wait import HANG_S


@dataclass
class Rig:
    """One running camera."""

    folders: Folders
    runtime: Path
    db: sqlite3.Connection
    camera: Camera | None = None
    stuck_n: int = 0

    def start(self, source: str, **keys: Any) -> "Rig":
        """Build and start the camera `gate`; `keys` are those of [[camera]]."""
        store = StoreSettings(folder=str(self.folders.root), runtime=str(self.runtime), sync_every_s=0.5)
        camera = CameraSettings(name="gate", source=source, **keys)
        self.camera = Camera(camera, Settings(store=store), self.folders, self.runtime, SystemClock(),
                             stuck=self._stuck)
        self.camera.start()
        self.camera.set_paused(None)
        return self

    def _stuck(self) -> None:
        self.stuck_n += 1

    def facts(self) -> CameraFacts:
        """The heartbeat's part, after a tick."""
        assert self.camera is not None
        self.camera.tick()
        return self.camera.facts()

    def finish(self) -> None:
        """End the camera as the role does."""
        if self.camera is not None:
            self.camera.finish(HANG_S)
            self.camera = None

    def clips(self) -> list[clips.Clip]:
        """Finished clips, oldest first."""
        return clips.finished(self.db)[::-1]

    def events(self) -> list[events.StoredEvent]:
        """Events, oldest first."""
        return events.latest(self.db)[::-1]

    def messages(self, kind: str) -> list[dict[str, Any]]:
        """Data of the outbox's messages of that kind."""
        return [json.loads(row["data"]) for row in outbox.after(self.db, 0, 1000) if row["kind"] == kind]


@pytest.fixture
def rig(tmp_path: Path, folders: Folders, db: sqlite3.Connection) -> Iterator[Rig]:
    runtime = tmp_path / "run"
    runtime.mkdir()
    made = Rig(folders, runtime, db)
    yield made
    made.finish()


@pytest.fixture
def stage(folders: Folders, hand_clock: HandClock, tmp_path: Path) -> Iterator[Stage]:
    made = Stage(folders, hand_clock, tmp_path)
    yield made
    made.finish()
