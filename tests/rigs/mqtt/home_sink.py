"""The home sink for tests: a store with one or two cameras, and the sink's thread at a broker of the household."""
from pathlib import Path

from agent.config.settings import Camera, Device, Home, Settings, Store
from agent.core.contract.facts import Beat, CameraFacts, Poke
from agent.core.delivery.backoff import Waits
from agent.core.health.facts import HostFacts
from agent.core.health.report import Report
from agent.core.household.labels import EventWord, LabelWord
from agent.home import HomeContext
from agent.host.clock import SystemClock
from agent.host.setup_folders import SetupFolders
from agent.keeper.desk import DecisionDesk
from agent.keeper.ward_signature import WardSignature
from agent.link.home_sink import HomeThread
from agent.store import events, identity
from agent.store.database import connect, transaction
from agent.store.folders import Folders
from tests.rigs.store.kept_store import link_desk
from tests.rigs.wait import Stopwatch

WAITS = Waits(start_s=0.1, lost_s=0.2, step_s=0.2, longest_s=0.3, hopeless_s=(0.3, 0.4))


class HomeRig:
    """One life of the sink at a time; the store outlives it."""

    def __init__(self, folder: Path, port: int, cameras: tuple[str, ...] = ("gate",), **home: object) -> None:
        """`home` are keys of [home] beyond the broker's place."""
        self.folders, self.clock = Folders(folder / "store").create(), SystemClock()
        self.runtime = folder
        self.db = connect(self.folders.root)
        self.dev = identity.name(self.folders, self.db)
        (self.runtime / "keeper").mkdir(exist_ok=True)
        self.settings = Settings(
            device=Device(site="HH-07-0412", language="en"), store=Store(folder=str(self.folders.root)),
            camera=[Camera(name=name, source="file:/film.mp4") for name in cameras],
            home=Home(**{"enabled": True, "host": "127.0.0.1", "port": port, **home}))
        self.desk = DecisionDesk(self.folders, self.clock, WardSignature(self.settings, self.folders),
                                 SetupFolders.beside(self.runtime), home=True).open(self.runtime)
        self.link_desk = link_desk(self.folders.root, self.runtime, self.clock, self.settings)
        self._thread: HomeThread | None = None

    def start(self) -> "HomeRig":
        """Begin a life."""
        self._thread = HomeThread(HomeContext(self.settings, self.folders, self.runtime, self.clock, self.dev, WAITS,
                                        lambda: 0.02))
        self._thread.start()
        self.report()
        return self

    def stop(self) -> float:
        """End it in order; returns the seconds that took."""
        assert self._thread
        with Stopwatch() as watch:
            self._thread.leave()
        assert not self._thread.is_alive()
        return watch.fair_s

    def ended(self) -> bool:
        """Whether it has nothing more to do."""
        return self._thread is not None and not self._thread.is_alive()

    def facts(self) -> dict[str, str | None]:
        """What the heartbeat would tell."""
        assert self._thread
        return dict(zip(("home", "home_detail"), self._thread.state(), strict=True))

    def begin(self, camera: str = "gate") -> int:
        """Something begins to move, and capture pokes."""
        with transaction(self.db):
            event = events.open_row(self.db, camera, "motion", self.clock.now())
        self.poke()
        return event

    def end(self, event: int, picture: bytes = b"") -> None:
        """It has ended, and left a picture."""
        (self.folders.thumbs / f"{event}.jpg").write_bytes(picture)
        with transaction(self.db):
            events.finish(self.db, event, 1000, 0.5, 1, [], "test/1", f"{event}.jpg" if picture else None)
        self.poke()

    def name(self, event: int, word: LabelWord) -> None:
        """There is a word for what it was."""
        with transaction(self.db):
            events.label(self.db, event, EventWord(word, 0.6))
        self.poke()

    def glimpse(self, camera: str = "gate") -> None:
        """Something moves, and is gone before anybody can have looked."""
        with transaction(self.db):
            events.end(self.db, events.open_row(self.db, camera, "motion", self.clock.now()), 100)
        self.poke()

    def poke(self) -> None:
        """As capture does."""
        assert self._thread
        self._thread.hear(Poke(what="outbox"))

    def beat(self, camera: str = "gate", **facts: object) -> None:
        """A heartbeat of capture comes."""
        assert self._thread
        self._thread.hear(Beat(role="capture", unit=f"capture@{camera}", pid=1, mono_s=0.0, up_s=1.0,
                               cameras=[CameraFacts(camera=camera, **{"state": "ok", **facts})]))

    def report(self, **host: object) -> None:
        """The link has looked at the device."""
        assert self._thread
        self._thread.report(Report(0.0, HostFacts(**host), (), {}, (), None, ()))

    def __enter__(self) -> "HomeRig":
        return self.start()

    def __exit__(self, *_: object) -> None:
        assert self._thread
        self._thread.leave()
        self.db.close()
