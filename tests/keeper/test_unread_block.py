"""A card that can't read one block of the database any more, and one that can read nothing for a while."""
import contextlib
import gc
import logging
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.keeper import repair, room
from agent.store import clips, damage
from agent.store.database import FILE, connect
from agent.store.folders import Folders
from tests.conftest import HandClock
from tests.rigs.powercut import places
from tests.rigs.powercut.disk import Disk, logged_disk, missing
from tests.rigs.store.damage import rows_by_page
from tests.sim import struck
from tests.sim.day import STORE
from tests.sim.struck import Household

CARD_B, BLOCK_B = 64 << 20, 4096

pytestmark = pytest.mark.needs.with_args(missing)


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[Disk]:
    """A card with a store that has lived, nothing of it in memory."""
    monkeypatch.setattr(room, "BALLAST_B", 65_536)
    monkeypatch.setattr(damage, "DOUBT", damage.Doubt())
    caplog.set_level(logging.CRITICAL + 1)          # what was raised holds cursors, and these the card's files
    (tmp_path / "lived").mkdir()
    lived = struck.live(tmp_path / "lived")         # in memory: on the disk it would take minutes
    with logged_disk(tmp_path / "disk", CARD_B) as disk:
        shutil.copytree(lived.root, disk.mount / STORE)
        disk.pull_out()
        disk.plug_in()
        yield disk
        gc.collect()


def block_of(path: Path, at_b: int) -> tuple[int, int]:
    """Where on the disk the block lies that has this byte of the file: begin and end."""
    at_b -= at_b % BLOCK_B
    for begin_b, end_b in places.extents(path):
        if at_b < end_b - begin_b:
            return begin_b + at_b, begin_b + at_b + BLOCK_B
        at_b -= end_b - begin_b
    raise AssertionError(f"{path} is not so long")


def turns(disk: Disk, count: int) -> tuple[list[list[str]], list[int], Folders]:
    """Let all roles work for so many turns, each reading what it needs from the disk."""
    household = Household(disk.mount, HandClock("0b00700a", 5000.0, HandClock.wall_ms + 10_000_000))
    said, recorded = [], []
    try:
        for _ in range(count):
            said.append(household.turn())
            recorded.append(household.recorded_n)
            forget(household.folders)
    finally:
        household.close()
    return said, recorded, household.folders


def forget(folders: Folders) -> None:
    """What is in memory of the database's file; another process does it, for closing it here would cost our locks."""
    code = "import os, sys; os.posix_fadvise(os.open(sys.argv[1], os.O_RDONLY), 0, 0, os.POSIX_FADV_DONTNEED)"
    subprocess.run([sys.executable, "-c", code, folders.root / FILE], check=True)


def test_a_block_that_the_card_cannot_read_costs_what_lay_in_it_and_the_camera_seconds(disk):
    folders = Folders(disk.mount / STORE)
    page = list(rows_by_page(folders, "clip"))[-1]          # where the next clip's row is to go
    before_n = _clips_n(folders)
    forget(folders)
    disk.trouble("EIO", where=[block_of(folders.root / FILE, (page - 1) * 1024)], on="r")
    said, recorded, _ = turns(disk, 6)
    assert any("I/O" in word or "card_io" in word for told in said for word in told)
    assert said[-1] == said[-2] == [] and sum(n == 2 for n in recorded) >= 3
    assert list(folders.root.glob(f"{repair.ASIDE}1")) and _clips_n(folders) >= before_n + 2 * 3


def test_on_a_card_that_can_read_nothing_no_database_is_mended(disk):
    folders = Folders(disk.mount / STORE)
    before = (folders.root / FILE).stat().st_ino
    household = Household(disk.mount, HandClock("0b00700a", 5000.0, HandClock.wall_ms + 10_000_000))
    assert household.turn() == []
    forget(folders)
    disk.trouble("EIO", where=disk.extents(folders.root / FILE), on="r")
    for _ in range(3):
        forget(folders)
        household.clock.advance(60)
        household.turn()
    assert household.told and (folders.root / FILE).stat().st_ino == before
    disk.trouble()
    household.clock.advance(3600)
    household.turn()
    assert household.turn() == [] and (folders.root / FILE).stat().st_ino == before
    household.close()


def _clips_n(folders: Folders) -> int:
    with contextlib.closing(connect(folders.root)) as db:
        return len(clips.finished(db, limit=10_000))
