"""A card that is full of old clips: the keeper makes room before the recorder misses it, on a real ext4."""
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.capture.clipfile import ClipFile
from agent.config.settings import Camera, Motion, Settings, Store
from agent.core.contract.facts import Poke
from agent.host.clock import SystemClock
from agent.host.datagram import Inbox, Outlet
from agent.host.stop import Stop
from agent.keeper.main import Keeper
from agent.process.heartbeat import EVERY_S, Heartbeat
from agent.process.role import Role
from agent.store import clips
from agent.store.database import connect, transaction
from agent.store.decisions import database as decisions
from agent.store.folders import Folders
from agent.store.retention_queries import Space
from tests.capture.conftest import Rig
from tests.rigs.cameras import footage
from tests.rigs.wait import until

MB = 1_000_000
LONG_S = 11
CARD_B, FREE_B = 50 * MB, 3_500_000      # free for seven seconds of the video below; 4.2 MB are to be
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[Folders]:
    """A store on an ext4 of 50 MB, full of old clips."""
    place, image = tmp_path / "card", tmp_path / "card.img"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(CARD_B)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True)
    subprocess.run(["mount", "-o", "loop,noatime", image, place], check=True)
    made = Folders(place / "store").create()
    fill(made)
    yield made
    subprocess.run(["umount", "-l", place], check=True)


def fill(folders: Folders) -> None:
    db, size_b = connect(folders.root), 1 * MB
    while (free_b := Space.of(folders).free_b) > FREE_B + 100_000:
        size_b = min(size_b, free_b - FREE_B)
        with transaction(db):
            seq, name = clips.open_row(db, "gate", "continuous", SystemClock().now(), "h264", 640, 360)
            clips.finish(db, seq, "done", 1000, size_b, 10)
        folders.clip(seq, name).parent.mkdir(exist_ok=True)
        folders.clip(seq, name).write_bytes(os.urandom(size_b))
    db.close()


@pytest.fixture
def rig(folders: Folders, tmp_path: Path) -> Iterator[Rig]:
    """A recorder and a keeper on that card; whatever becomes of the test, both end before it goes."""
    runtime, stop = tmp_path / "run", Stop()
    runtime.mkdir()
    keeper = threading.Thread(target=keep, args=(folders, runtime, stop))
    rig = Rig(folders, runtime, connect(folders.root))
    keeper.start()
    yield rig
    rig.finish()
    stop.set()
    keeper.join()
    rig.db.close()


def keep(folders: Folders, runtime: Path, stop: Stop) -> None:
    """The keeper's life, as its role leads it."""
    settings = Settings(store=Store(folder=str(folders.root), free_floor_pct=10),
                        camera=[Camera(name="gate", source="picamera:0")])
    role = Role(settings, None, folders, runtime, SystemClock(), Heartbeat("keeper", "keeper", runtime, SystemClock()),
                stop)
    inbox, db = Inbox(runtime, "keeper"), connect(folders.root)
    keeper = Keeper(role, db, decisions.connect(folders), Outlet(runtime))
    while not stop.is_set():
        message = inbox.receive(EVERY_S)
        keeper.round(asked_for_space=isinstance(message, Poke) and message.what == "space")
    inbox.close()
    keeper.db.close()


def test_a_clip_for_which_no_room_can_be_taken_leaves_what_there_is_to_the_database(folders: Folders):
    file = ClipFile(folders.part(999_000, "gate"))
    file.append(bytes(10_000))
    assert Space.of(folders).free_b > FREE_B - 200_000
    file.close()


def test_a_recorder_on_a_full_card_never_stops(rig: Rig):
    before = {clip.seq for clip in rig.clips()}
    rig.start(f"file:{footage.clip(640, 360, 10, 10, 4000)}", loop=True, record="continuous",
              motion=Motion(enabled=False), max_clip_s=10)
    until(lambda: rig.facts().recording, "it records")
    until_s = time.monotonic() + LONG_S
    while time.monotonic() < until_s:
        facts = rig.facts()
        assert facts.write_fault is None and not facts.write_errors_n and not facts.dropped_n
        time.sleep(0.2)
    rig.finish()
    after = {clip.seq for clip in rig.clips()}
    assert before - after == set(range(1, 1 + len(before - after))) != set()        # the oldest, and no more than that
    assert sum(clip.dur_ms or 0 for clip in rig.clips() if clip.seq not in before) > 1000 * (LONG_S - 2)
