"""The hub: one thread for all cameras of a process; what may wait is worked on in larger bundles."""
import importlib.util
import sys
import threading
import time
from collections.abc import Iterator
from types import ModuleType

import pytest

from agent.cameras import SourceError
from agent.cameras.rtsp import OwnSource
from agent.host.clock import SystemClock
from agent.host.stop import Stop
from tests.rigs.cameras import footage
from tests.rigs.cameras.odd_camera import Habits, Leave, OddCamera, Viewer
from tests.rigs.cameras.sink import Watcher

FILM = footage.clip(320, 180, 10, 10, 300, seconds=4)
BUNDLE_GAP_S = 0.4      # longer than a turn, shorter than a bundle that waited
PUMPS_N = 4
TRIES_N = 60            # two hubs came in about every second try, when each thread could make one


@pytest.fixture
def eager() -> Iterator[None]:
    """Threads take turns as often as they can."""
    every_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(every_s)


def fresh() -> ModuleType:
    """The hub's module as a process has it that has not read a camera yet."""
    spec = importlib.util.find_spec("agent.cameras.rtsp.hub")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def hubs_of(module: ModuleType) -> set[int]:
    """The hubs that pumps get that start together."""
    together, hubs = threading.Barrier(PUMPS_N), []

    def pump() -> None:
        together.wait()
        hubs.append(module.the_hub())

    pumps = [threading.Thread(target=pump) for _ in range(PUMPS_N)]
    for each in pumps:
        each.start()
    for each in pumps:
        each.join()
    return {id(hub) for hub in hubs}


def test_pumps_that_start_together_share_one_hub(eager: None):
    assert max(len(hubs_of(fresh())) for _ in range(TRIES_N)) == 1


def fall_silent(_: Viewer) -> None:
    raise Leave


def watch(may_wait: bool) -> list[tuple[float, int]]:
    """When the packets of a camera came that leaves after 60 frames, and their sizes."""
    came: list[tuple[float, int]] = []
    watcher = Watcher(on_packet=lambda packet: came.append((time.monotonic(), len(packet.data))))
    with (OddCamera(FILM, Habits(acts={60: fall_silent})) as camera,
          pytest.raises(SourceError, match="no longer sends anything")):
        OwnSource(camera.address(), SystemClock(), may_wait=lambda: may_wait).run(watcher, Stop())
    return came


def test_packets_that_may_wait_come_in_bundles_and_none_is_lost():
    at_once, bundled = watch(may_wait=False), watch(may_wait=True)
    assert [size_b for _, size_b in bundled] == [size_b for _, size_b in at_once] and len(bundled) >= 59
    gaps_n = [sum(later - sooner > BUNDLE_GAP_S for (sooner, _), (later, _) in zip(came, came[1:], strict=False))
              for came in (at_once, bundled)]
    assert gaps_n[1] >= 4 > gaps_n[0], "about six bundles of 0.8 s follow the first second"
