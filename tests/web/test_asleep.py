"""While nobody asks, the page sleeps; and whoever comes is told of now."""
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil

from agent.core.contract.facts import Beat, CameraFacts
from agent.host import runtime
from agent.host.datagram import Inbox
from agent.host.stop import Stop
from tests.rigs.wait import free_port, until

WAKES_N_MAX = 8             # of all its threads, in two heartbeats; with a thread that waits for messages it was 80


@contextmanager
def page(folder: Path) -> Iterator[psutil.Process]:
    """The role as a process of its own."""
    (folder / "run").mkdir()
    config = folder / "taimat.toml"
    config.write_text(f'[store]\nfolder = "{folder}/store"\nruntime = "{folder}/run"\n[web]\nport = {free_port()}\n'
                      '[[camera]]\nname = "gate"\nsource = "file:/gate.mp4"\n')
    process = subprocess.Popen([sys.executable, "-m", "agent.web", "--config", config])
    yield psutil.Process(process.pid)
    process.terminate()
    assert process.wait() == 0


def wakes_n(process: psutil.Process) -> int:
    """How often its threads have gone to sleep by themselves."""
    tasks = Path(f"/proc/{process.pid}/task").glob("*/status")
    return sum(int(line.split()[1]) for each in tasks for line in each.read_text().splitlines()
               if line.startswith("voluntary_ctxt_switches"))


def test_a_page_that_nobody_looks_at_sleeps_from_one_heartbeat_to_the_next(tmp_path):
    with page(tmp_path) as process, closing(_listener(tmp_path / "run")) as inbox:
        def beats() -> bool:
            return any(isinstance(each, Beat) and each.unit == "web" for each in inbox.waiting())

        for _ in range(2):                      # the first looks after the start are over
            until(beats)
        before_n = wakes_n(process)
        for _ in range(2):
            until(beats)
        assert wakes_n(process) - before_n <= WAKES_N_MAX


def _listener(place: Path) -> Inbox:
    runtime.own(place, "link")
    return Inbox(place, "link")


def test_what_a_role_has_told_is_in_the_very_next_answer(house):
    for state in ("ok", "retrying", "ok"):
        house.beat(CameraFacts(camera="gate", state=state))
        told = json.loads(house.get("/health.json").body)
        assert [each["state"] for each in told["cameras"] if each["camera"] == "gate"] == [state]


def test_whoever_sleeps_until_the_end_is_woken_by_it():
    stop, woken = Stop(), []
    with stop.waking(lambda: woken.append(1)):
        stop.set()
    stop.set()
    assert woken == [1] and stop.is_set()
