"""While nothing is to be done the keeper sleeps from one heartbeat to the next; a poke or its end wakes it at once."""
import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from agent.core.contract.facts import Beat, Poke
from agent.host import runtime
from agent.host.datagram import Inbox, Outlet
from agent.process.heartbeat import EVERY_S
from tests.rigs.wait import HANG_S, Stopwatch, until

WAKES_N_MAX = 6             # of the main thread, in two heartbeats


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The runtime folder."""
    runtime.own(tmp_path, "run")
    return tmp_path / "run"


@pytest.fixture
def keeper(place: Path) -> Iterator[psutil.Popen]:
    """The role as a process of its own."""
    config = place.parent / "taimat.toml"
    config.write_text(f'[store]\nfolder = "{place.parent}/store"\nruntime = "{place}"\n'
                      '[[camera]]\nname = "gate"\nsource = "file:/gate.mp4"\n')
    process = psutil.Popen([sys.executable, "-m", "agent.keeper", "--config", config], stderr=subprocess.DEVNULL)
    yield process
    with contextlib.suppress(psutil.NoSuchProcess):
        process.kill()
    process.wait()


def sleeps_n(process: psutil.Popen) -> int:
    """How often its main thread has gone to sleep by itself."""
    return process.num_ctx_switches().voluntary


def test_it_sleeps_from_one_heartbeat_to_the_next_and_wakes_for_a_poke_and_for_its_end(keeper, place):
    runtime.own(place, "link")
    with closing(Inbox(place, "link")) as inbox:
        def beats() -> bool:
            return any(isinstance(each, Beat) and each.unit == "keeper" for each in inbox.waiting())

        for _ in range(2):                      # what the start leaves to be done is done
            until(beats)
        before_n = sleeps_n(keeper)
        for _ in range(2):
            until(beats)
        assert sleeps_n(keeper) - before_n <= WAKES_N_MAX
    asleep_n = sleeps_n(keeper)
    with Stopwatch() as watch:
        Outlet(place).send(Poke(what="decided"), "keeper")
        until(lambda: sleeps_n(keeper) > asleep_n)
        keeper.send_signal(signal.SIGTERM)
        assert keeper.wait(HANG_S) == 0
    assert watch.fair_s < EVERY_S - 2
