"""Shared by all tests: a clock that is stepped by hand, and a store in a temporary folder."""
import logging
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import hypothesis
import pytest

from agent.host.clock import Instant
from agent.store.database import connect
from agent.store.decisions import database as decisions
from agent.store.folders import Folders
from tests.rigs.joined import join

# How long one example takes says how busy the machine is, not how good the code.
ANY_PACE = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
hypothesis.settings.register_profile("taimat", **ANY_PACE)
hypothesis.settings.register_profile("few", max_examples=20, **ANY_PACE)    # for a second run beside one with many
hypothesis.settings.load_profile("taimat")
# A shell without job control has its background jobs ignore Ctrl-C, and what they start inherits that.
signal.signal(signal.SIGINT, signal.default_int_handler)
# Rooms whose files take minutes: last in line, they would run alone when all others have ended.
LONGEST_FIRST = ("systemd", "packages", "browser")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest come first; within a room the order stays."""
    def place(item: pytest.Item) -> int:
        room = item.path.parent.name
        return LONGEST_FIRST.index(room) if room in LONGEST_FIRST else len(LONGEST_FIRST)
    items.sort(key=place)


@dataclass
class HandClock:
    """Both clocks of a device, moved by the test."""

    boot: str = "0b007001"
    mono: float = 1000.0
    wall_ms: int = 1_795_000_000_000
    state: str = "ntp"
    waits: list[float] = field(default_factory=list)

    def mono_s(self) -> float:
        return self.mono

    def now(self) -> Instant:
        return Instant(self.boot, int(self.mono * 1000), self.wall_ms, self.state)

    def advance(self, seconds: float) -> None:
        self.mono += seconds
        self.wall_ms += int(seconds * 1000)


@pytest.fixture(autouse=True)
def usual_log() -> Iterator[None]:
    """A command's `main` sets its process's log up for good; here that is the process of all tests that follow."""
    root = logging.getLogger()
    level = root.level
    yield
    root.setLevel(level)
    for handler in [each for each in root.handlers if type(each) is logging.StreamHandler]:
        root.removeHandler(handler)


@pytest.fixture
def hand_clock() -> HandClock:
    return HandClock()


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders(tmp_path / "store").create()


@pytest.fixture
def db(folders: Folders) -> Iterator:
    """The shared database of a household in a ward, as a role opens it."""
    connection = join(connect(folders.root))
    yield connection
    connection.close()


@pytest.fixture
def own(folders: Folders) -> Iterator:
    """The keeper's own database."""
    connection = decisions.connect(folders)
    yield connection
    connection.close()
