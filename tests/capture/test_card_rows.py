"""Cards that fail beneath a real ext4, while a camera records onto them: docs/design/health.md has the table."""
import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.capture import recorder as recorder_module
from agent.config.settings import Motion
from agent.core.contract.facts import CameraFacts
from agent.host.probes.volume import Volume
from agent.store import clips
from agent.store.database import connect
from agent.store.folders import Folders
from tests.capture.conftest import Rig
from tests.rigs.cameras import footage
from tests.rigs.powercut.disk import Disk, logged_disk, missing
from tests.rigs.wait import Stopwatch, until

pytestmark = pytest.mark.needs.with_args(missing)

CARD_B = 64 << 20
STALL_S = 3.0
NO_MOTION = Motion(enabled=False)


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    monkeypatch.setattr(recorder_module, "RETRY_AFTER_S", 0.3)
    with logged_disk(tmp_path / "disk", CARD_B) as made:
        yield made


@contextlib.contextmanager
def recording(folders: Folders, runtime: Path) -> Iterator[Rig]:
    """A camera at work; it ends before its card goes."""
    runtime.mkdir()
    rig = Rig(folders, runtime, None)
    try:
        yield rig.start(f"file:{footage.clip(640, 360, 10, 10, 500)}", loop=True, record="continuous",
                        motion=NO_MOTION, max_clip_s=10)
    finally:
        rig.finish()


def store_on(disk: Disk, system: Path = Path("/"), name: str = "card") -> Folders:
    """A store that must lie on that disk; by `system` it is told which one that is."""
    root = disk.mount / "store"
    return Folders(root, Volume(root, name, system))


def sees(rig: Rig, what: Callable[[CameraFacts], object]) -> CameraFacts:
    """The first heartbeat of which `what` holds."""
    def look() -> CameraFacts | None:
        facts = rig.facts()
        return facts if what(facts) else None

    return until(look)


def finished(folders: Folders) -> list[clips.Clip]:
    """Clips, oldest first, each with its file as the row tells."""
    with contextlib.closing(connect(folders.root)) as db:
        found = clips.finished(db)[::-1]
    for clip in found:
        assert folders.clip(clip.seq, clip.name).stat().st_size == clip.bytes
    return found


def test_a_card_that_fails_is_named_at_once_and_one_that_comes_back_is_taken_up(disk, tmp_path):
    """EIO on every write, as a dying card has it; then it is pulled out, and a mended one is plugged in."""
    folders = store_on(disk).create()
    with recording(folders, tmp_path / "run") as rig:
        part = until(lambda: next(folders.clips.glob("*/*.part"), None))
        until(lambda: part.stat().st_size > 100_000)
        subprocess.run(["sync", "--file-system", disk.mount], check=True)       # row and file are on the card
        disk.trouble("EIO")
        assert sees(rig, lambda facts: facts.write_fault).write_fault == "card_io"
        disk.pull_out()
        gone = sees(rig, lambda facts: facts.write_fault == "card_missing")
        assert gone.state == "ok" and gone.last_frame_age_s < 2 and not list(disk.mount.iterdir())
        disk.trouble()
        until(lambda: disk.mend() <= 1)
        disk.plug_in()
        sees(rig, lambda facts: facts.write_fault is None and facts.recording)
    states = [clip.state for clip in finished(folders)]
    assert "recovered" in states and states[-1] == "done"


def told_while_a_write_is_held(disk, rig) -> bool:
    """Hold up one write, and whatever comes behind it; whether facts as they feed the watchdog came before its end."""
    until(lambda: not disk.waiting_n())
    disk.trouble(str(STALL_S))
    until(disk.waiting_n)
    disk.trouble()
    with Stopwatch() as watch:
        facts = rig.facts()
    assert watch.fair_s < 0.5
    assert facts.recording and facts.write_fault is None
    return facts.last_frame_age_s < 2 and disk.waiting_n() > 0


def test_a_card_that_stalls_costs_no_frame_and_starves_nobody(disk, tmp_path):
    folders = store_on(disk).create()
    with recording(folders, tmp_path / "run") as rig:
        part = until(lambda: next(folders.clips.glob("*/*.part"), None))
        until(lambda: told_while_a_write_is_held(disk, rig), "a write is still held once fresh facts are told")
        until(lambda: not disk.waiting_n())
        until(lambda: part.stat().st_size > 400_000, "it records longer than the stall, however busy the computer is")
        facts = sees(rig, lambda facts: facts.last_frame_age_s < 2)         # a busy computer's frames come late, too
        assert not facts.dropped_n and not facts.write_errors_n
    clip = finished(folders)[0]
    assert clip.state == "done" and clip.dur_ms > 1000 * STALL_S and clip.frames == clip.dur_ms // 100


def test_a_card_that_is_read_only_at_the_start_is_named_and_taken_up_once_it_can_be_written(disk, tmp_path):
    folders = store_on(disk).create()
    connect(folders.root).close()
    disk.pull_out()
    disk.plug_in("ro")
    folders.create()
    folders.require_writable()                       # no role ends for it: somebody must be up to say so
    with recording(folders, tmp_path / "run") as rig:
        facts = sees(rig, lambda facts: facts.write_fault and facts.state != "starting")
        assert (facts.write_fault, facts.state) == ("card_read_only", "ok") and not facts.recording
        disk.pull_out()
        disk.plug_in()
        sees(rig, lambda facts: facts.write_fault is None and facts.recording)
    assert finished(folders)


def test_a_card_without_room_for_files_is_named_by_that(disk, tmp_path):
    folders = store_on(disk).create()
    connect(folders.root).close()
    (folders.clips / "000000").mkdir()
    strangers = disk.mount / "photos"
    strangers.mkdir()
    with contextlib.suppress(OSError):
        for number in range(100_000):
            (strangers / f"{number}").touch()
    assert os.statvfs(disk.mount).f_favail == 0
    with recording(folders, tmp_path / "run") as rig:
        assert sees(rig, lambda facts: facts.write_fault).write_fault == "inodes_low"
        for number in range(50):
            (strangers / f"{number}").unlink()
        sees(rig, lambda facts: facts.write_fault is None and facts.recording)


def test_a_volume_of_another_name_is_left_alone_and_the_right_one_is_recorded_onto(disk, tmp_path):
    (disk.mount / "holiday.jpg").write_bytes(b"\xff\xd8")
    found = os.stat(disk.mount).st_dev
    udev = tmp_path / f"system/run/udev/data/b{os.major(found)}:{os.minor(found)}"
    udev.parent.mkdir(parents=True)
    (tmp_path / "system/proc").symlink_to("/proc")
    udev.write_text("E:ID_FS_LABEL=HOLIDAYS\nE:ID_FS_UUID=1234-abcd\n")
    folders = store_on(disk, tmp_path / "system", name="TAIMAT")
    with recording(folders, tmp_path / "run") as rig:
        assert sees(rig, lambda facts: facts.write_fault).write_fault == "card_missing"
        assert {path.name for path in disk.mount.iterdir()} == {"holiday.jpg", "lost+found"}
        udev.write_text("E:ID_FS_LABEL=TAIMAT\n")
        sees(rig, lambda facts: facts.write_fault is None and facts.recording)
    assert finished(folders) and (disk.mount / "holiday.jpg").exists()
