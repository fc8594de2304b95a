"""The hub: one thread for all cameras of a process."""
import importlib.util
import sys
import threading
from collections.abc import Iterator
from types import ModuleType

import pytest

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
