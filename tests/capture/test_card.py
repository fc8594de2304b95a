"""The recorder on cards that are full, read-only, slow, or gone: it says so, goes on, and loses nothing announced."""
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.capture.clip_rows import ClipRules
from agent.capture.recorder import QUEUE_BYTES_MAX, Recorder
from agent.config.settings import Motion
from agent.config.settings import Store as StoreSettings
from agent.core.contract.facts import Poke
from agent.host.clock import SystemClock
from agent.host.datagram import Inbox, Outlet
from agent.keeper.deletion import retain
from agent.store.database import connect
from agent.store.decisions import database as decisions
from agent.store.folders import Folders
from tests.capture.conftest import Rig
from tests.rigs.cameras import footage
from tests.rigs.wait import until

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
QUIET = Motion(enabled=False)


@pytest.fixture
def small_card(tmp_path: Path) -> Iterator[Path]:
    """A file system of 12 MB."""
    place = tmp_path / "card"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "taimat-test", place], check=True)
    yield place
    subprocess.run(["umount", "-l", place], check=True)


@pytest.fixture
def rig(small_card: Path, tmp_path: Path) -> Iterator[Rig]:
    """A recorder whose store is on the small card; whatever becomes of the test, it ends before the card goes."""
    folders = Folders(small_card / "store").create()
    runtime = tmp_path / "run"
    runtime.mkdir()
    rig = Rig(folders, runtime, connect(folders.root))
    yield rig
    rig.finish()


@needs_root
def test_a_full_card_is_named_and_recording_goes_on_once_there_is_room(rig: Rig, small_card: Path):
    keeper = Inbox(rig.runtime, "keeper")
    stranger = small_card / "holiday.bin"
    stranger.write_bytes(bytes(8_000_000))
    rig.start(f"file:{footage.clip(640, 360, 10, 10, 4000)}", loop=True, record="continuous", motion=QUIET,
              max_clip_s=10)
    facts = until(lambda: (f := rig.facts()).write_fault and f)
    assert facts.write_fault == "card_full" and facts.write_errors_n >= 1
    asked = []
    until(lambda: asked.append(keeper.receive(0.1)) or Poke(what="space") in asked)
    stranger.unlink()
    until(lambda: (f := rig.facts()).write_fault is None and f.recording)
    rig.finish()
    for clip in rig.clips():
        assert rig.folders.clip(clip.seq, clip.name).stat().st_size == clip.bytes
    assert not list(rig.folders.clips.glob("*/*.part"))


@needs_root
def test_retention_makes_room_on_a_card_filled_by_clips(rig: Rig):
    rig.start(f"file:{footage.clip(640, 360, 10, 10, 4000)}", loop=True, record="continuous", motion=QUIET,
              max_clip_s=10)
    gone, own = [], decisions.connect(rig.folders)

    def made_room() -> bool:
        gone.extend(retain(own, rig.db, rig.folders, StoreSettings(free_floor_pct=40), SystemClock().now(), True))
        assert rig.facts().write_fault is None
        return len(gone) >= 2

    until(made_room, "two clips are deleted")
    assert [doomed.why for doomed in gone][:2] == ["space", "space"]
    rig.finish()
    on_card = {path.stem for path in rig.folders.clips.glob("*/*.mp4")}
    assert on_card == {clip.name for clip in rig.clips()}


@needs_root
def test_a_card_that_turns_read_only_is_named_and_taken_up_again(rig: Rig, small_card: Path):
    rig.start(f"file:{footage.clip(640, 360, 10, 10, 500)}", loop=True, record="continuous", motion=QUIET,
              max_clip_s=600)
    until(lambda: rig.facts().recording)
    # A lazy remount: what is open stays open, so the recorder finds out by itself, at its next file.
    part = next(rig.folders.clips.glob("*/*.part"))
    os.chmod(part.parent, 0o770)
    subprocess.run(["mount", "-o", "remount,ro", small_card], check=False)
    if os.statvfs(small_card).f_flag & os.ST_RDONLY == 0:
        pytest.skip("this kernel does not remount a busy tmpfs read-only")
    facts = until(lambda: (f := rig.facts()).write_fault and f)
    assert facts.write_fault == "card_read_only"
    subprocess.run(["mount", "-o", "remount,rw", small_card], check=True)
    until(lambda: (f := rig.facts()).write_fault is None and f.recording)


def test_a_card_that_does_not_keep_up_costs_whole_batches_and_no_memory(folders: Folders, hand_clock, tmp_path: Path):
    from agent.capture.writer_jobs import Block
    recorder = Recorder("gate", folders, hand_clock, Outlet(tmp_path), ClipRules(1, pre_roll_s=5))
    taken = sum(recorder.offer([Block(bytes(1_000_000))]) for _ in range(40))
    assert taken == QUEUE_BYTES_MAX // 1_000_000
    assert recorder.offer([]) is True
