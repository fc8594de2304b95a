"""Shared by all tests: a clock that is stepped by hand, and a store in a temporary folder."""
import gc
import logging
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import hypothesis
import pytest

from agent.host.clock import Instant
from agent.store.database import connect
from agent.store.decisions import database as decisions
from agent.store.folders import Folders
from tests.rigs.examples import THOROUGH_N
from tests.rigs.house.webdriver import end_kept
from tests.rigs.mqtt.broker import Broker
from tests.rigs.store.joined import join

ZONE = os.environ.get("TZ")

# How long one example takes says how busy the machine is, not how good the code.
ANY_PACE = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
# Each run tries other examples, so many of them do what a thorough one does. tests/rigs/examples.py has the numbers.
for _profile, _examples_n in (("thorough", THOROUGH_N), ("usual", 30), ("few", 10)):
    hypothesis.settings.register_profile(_profile, max_examples=_examples_n, **ANY_PACE)
hypothesis.settings.load_profile("usual")
# A shell without job control has its background jobs ignore Ctrl-C, and what they start inherits that.
signal.signal(signal.SIGINT, signal.default_int_handler)
# Rooms whose files take minutes: last in line, they would run alone when all others have ended.
LONGEST_FIRST = ("systemd", "packages", "browser")


# Markers of what is run only if somebody asks for it: how, and why.
ASKED_FOR = {"machine": ("-m machine", "an emulated machine takes half an hour"),
             "thorough": ("--thorough", "it takes minutes, and a short form of it has run")}


def pytest_addoption(parser: pytest.Parser) -> None:
    """How much: usually each case of each test, of long campaigns a part."""
    parser.addoption("--few", action="store_true", help="of each test's cases the first and the last, and few "
                     "examples: for a second run, which shows what other versions of Python and libraries change")
    parser.addoption("--thorough", action="store_true", help="campaigns in full length, and more examples")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Where the answer takes a process, a test's mark has the function that says what is missing."""
    for why in (missing() for marker in item.iter_markers("needs") for missing in marker.args):
        if why:
            pytest.skip(why)


def pytest_configure(config: pytest.Config) -> None:
    """Before the tests are imported: their decorators ask the profile.

    Thousands of tests and their modules stay to the end: the garbage collector is spared them, then and later.
    """
    gc.disable()
    for name in ("few", "thorough"):
        if config.getoption(name):
            hypothesis.settings.load_profile(name)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The longest come first; within a room the order stays."""
    if config.option.few:
        _keep_first_and_last(config, items)
    asked = f"-m {config.option.markexpr} {'--thorough' * config.option.thorough}"
    for item in items:
        for marker, (how, why) in ASKED_FOR.items():
            if item.get_closest_marker(marker) and how not in asked:
                item.add_marker(pytest.mark.skip(reason=f"{why}: pytest {how} {item.location[0]}"))

    def place(item: pytest.Item) -> int:
        room = item.path.parent.name
        return LONGEST_FIRST.index(room) if room in LONGEST_FIRST else len(LONGEST_FIRST)
    items.sort(key=place)


def pytest_collection_finish() -> None:
    """From here on there is garbage."""
    gc.freeze()
    gc.enable()


def _keep_first_and_last(config: pytest.Config, items: list[pytest.Item]) -> None:
    ends: dict[str, tuple[pytest.Item, pytest.Item]] = {}
    for item in items:
        test = item.nodeid.partition("[")[0]
        ends[test] = (ends.get(test, (item,))[0], item)
    kept = {item for pair in ends.values() for item in pair}
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = [item for item in items if item in kept]


def pytest_sessionfinish() -> None:
    """A worker of pytest-xdist ends without Python's own way out."""
    end_kept()


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
def usual_zone() -> Iterator[None]:
    """A ward's command sets its process's time zone; here that is the process of all tests that follow."""
    yield
    os.environ.pop("TZ", None) if ZONE is None else os.environ.update(TZ=ZONE)
    time.tzset()        # always: a test that has put the variable back may have left its process in the other zone


@pytest.fixture(autouse=True)
def usual_log() -> Iterator[None]:
    """A command's `main` sets its process's log up for good; here that is the process of all tests that follow."""
    root = logging.getLogger()
    level = root.level
    yield
    root.setLevel(level)
    for handler in [each for each in root.handlers if type(each) is logging.StreamHandler]:
        root.removeHandler(handler)


@pytest.fixture(scope="session")
def thorough(request: pytest.FixtureRequest) -> bool:
    """Whether a campaign is run in full length."""
    return request.config.option.thorough


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


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A running broker. It starts in 10 ms of processor time: too little to share one between tests."""
    with Broker(tmp_path / "broker") as broker:
        yield broker
