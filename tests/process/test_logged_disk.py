"""The disk of the powercut tests: its faults come where, when and on what they are to, and nowhere else."""
import contextlib
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.host.probes import volume
from tests.rigs.powercut import places
from tests.rigs.powercut.disk import Disk, logged_disk, missing
from tests.rigs.powercut.log import Log, Replay
from tests.rigs.wait import until

pytestmark = pytest.mark.needs.with_args(missing)
DISK_B = 48 << 20
BLOCK_B = 4096


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with logged_disk(tmp_path / "disk", DISK_B, "-e", "remount-ro") as made:
        yield made


def put(path: Path, data: bytes) -> bool:
    """Write a file and flush it; whether that went well."""
    try:
        with path.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        return False
    return True


def rewrite(path: Path, data: bytes) -> bool:
    """Write into a file's own blocks and flush; whether that went well."""
    with path.open("r+b") as file:
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            return False
    return True


def on_disk(disk: Disk, path: Path) -> bytes:
    """What the disk has in a file's blocks, past every cache of the kernel's."""
    return b"".join((disk.folder / "image").read_bytes()[begin:end] for begin, end in disk.extents(path))


def test_only_the_blocks_of_the_file_that_is_meant_fail(disk):
    bad, well = disk.mount / "bad", disk.mount / "well"
    assert put(bad, b"o" * BLOCK_B) and put(well, b"o" * BLOCK_B)
    disk.trouble("EIO", where=disk.extents(bad))
    assert not rewrite(bad, b"n" * BLOCK_B) and rewrite(well, b"n" * BLOCK_B) and put(disk.mount / "third", b"x")
    assert disk.refused_n() > 0
    disk.trouble()
    assert on_disk(disk, bad) == b"o" * BLOCK_B and on_disk(disk, well) == b"n" * BLOCK_B
    assert not volume.Abort(disk.mount).seen()


def test_when_all_contents_fail_the_file_system_itself_stays_well(disk):
    """Folders, names and rows of inodes reach the disk; contents do not, in files that were there or are new."""
    old, folder = disk.mount / "old", disk.mount / "folder"
    folder.mkdir()
    assert put(old, b"o" * BLOCK_B)
    disk.data_fails()
    assert not rewrite(old, b"n" * BLOCK_B) and not put(disk.mount / "new", b"n" * BLOCK_B)
    for number in range(20):
        (folder / str(number)).touch()
    os.sync()
    disk.trouble()
    assert not volume.Abort(disk.mount).seen()
    disk.pull_out()
    until(lambda: disk.mend() == 0)
    disk.plug_in()
    assert len(list(folder.iterdir())) == 20 and old.read_bytes() == b"o" * BLOCK_B


def test_a_journal_that_fails_ends_the_file_system_and_contents_stay_well(disk):
    path = disk.mount / "file"
    assert put(path, b"o" * BLOCK_B)
    disk.trouble("EIO", where=disk.journal())
    rewrite(path, b"n" * BLOCK_B)
    assert on_disk(disk, path) == b"n" * BLOCK_B
    assert not put(disk.mount / "new", b"x") and volume.Abort(disk.mount).seen()


def test_reads_of_a_sector_fail_and_its_neighbours_are_read(disk):
    path = disk.mount / "file"
    assert put(path, b"x" * 16 * BLOCK_B)
    (begin, _), = disk.extents(path)
    disk.trouble("EIO", where=[(begin + 8 * BLOCK_B, begin + 8 * BLOCK_B + 512)], on="r")
    handle = os.open(path, os.O_RDONLY)
    os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_RANDOM)
    os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    with pytest.raises(OSError, match="Input/output"):
        os.pread(handle, BLOCK_B, 8 * BLOCK_B)
    assert os.pread(handle, BLOCK_B, 7 * BLOCK_B) == os.pread(handle, BLOCK_B, 9 * BLOCK_B) == b"x" * BLOCK_B
    os.close(handle)
    assert rewrite(path, b"y" * 16 * BLOCK_B)


def test_a_fault_ends_by_itself_and_one_that_came_with_it_goes_on(disk):
    bad, slow = disk.mount / "bad", disk.mount / "slow"
    assert put(bad, b"o" * BLOCK_B) and put(slow, b"o" * BLOCK_B)
    disk.trouble("0.3", where=disk.extents(slow))
    disk.trouble("EIO", where=disk.extents(bad), for_s=1.0, more=True)
    began_s = time.monotonic()
    assert not rewrite(bad, b"1" * BLOCK_B)
    until(lambda: rewrite(bad, b"2" * BLOCK_B), "the fault ends by itself")
    assert time.monotonic() - began_s >= 0.9
    began_s = time.monotonic()
    assert rewrite(slow, b"n" * BLOCK_B) and time.monotonic() - began_s >= 0.3


def test_the_log_makes_the_disk_again_whatever_was_refused_or_forgotten(disk, tmp_path):
    bad, lost = disk.mount / "bad", disk.mount / "lost"
    assert put(bad, b"o" * 4 * BLOCK_B) and put(lost, b"o" * BLOCK_B)
    (begin, end), = disk.extents(bad)
    disk.trouble("EIO", where=[(begin + BLOCK_B, begin + 2 * BLOCK_B)])
    disk.trouble("drop", where=disk.extents(lost), more=True)
    assert not rewrite(bad, b"n" * 4 * BLOCK_B) and rewrite(lost, b"n" * BLOCK_B)
    disk.trouble()
    os.sync()
    log, again = Log.read(disk.log), tmp_path / "again"
    with contextlib.closing(Replay(log, tmp_path / "flushed", DISK_B)) as replay:
        replay.cut(len(log.entries), "kept", random.Random(0), again)
    image = (disk.folder / "image").read_bytes()
    assert again.read_bytes() == image
    assert image[begin:end:BLOCK_B] == b"nonn" and on_disk(disk, lost) == b"o" * BLOCK_B


def test_a_disk_goes_back_in_time_and_on_from_there(disk):
    path = disk.mount / "file"
    assert put(path, b"o" * BLOCK_B)
    os.sync()
    then_b = disk.log_b()
    assert put(path, b"n" * BLOCK_B) and put(disk.mount / "later", b"n")
    disk.pull_out()
    until(lambda: disk.mend() <= 1)
    disk.go_back(then_b)
    assert disk.log_b() == then_b and disk.mend() <= 1
    disk.plug_in()
    assert path.read_bytes() == b"o" * BLOCK_B and not (disk.mount / "later").exists()
    assert put(disk.mount / "later", b"l") and disk.log_b() > then_b


def test_ranges_are_joined_and_cut():
    assert places.merged([(5, 9), (0, 2), (2, 3), (8, 12), (4, 4)]) == [(0, 3), (5, 12)]
    assert places.without([(0, 10), (20, 30)], [(2, 4), (8, 22), (29, 40)]) == [(0, 2), (4, 8), (22, 29)]
    assert places.without([(0, 10)], []) == [(0, 10)] and places.without([(0, 10)], [(0, 10)]) == []
