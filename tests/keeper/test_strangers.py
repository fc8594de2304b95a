"""Files that are not named as ours are nobody's business: ignored, never deleted, whatever their names hold."""
import os
from pathlib import Path

import pytest

from agent.config.settings import Camera, Settings, Store
from agent.core.evidence.ledger.findings import Flaw
from agent.host.datagram import Outlet
from agent.host.stop import Stop
from agent.keeper.main import Keeper
from agent.keeper.sweeper import EVERY_S as SWEEP_EVERY_S
from agent.process.heartbeat import Heartbeat
from agent.process.role import Role
from agent.store import clips
from agent.store.decisions import database as decisions
from tests.keeper.finished_clip import add_clip
from tests.rigs.store import cards

ODD = ["holiday.mp4", "new\nline.mp4", "gate-0b007001-000001.mp4\n", "\N{VIDEO CAMERA}.mp4", "..mp4", ". .", "-rf", "~",
       "gate-0b007001-000001.MP4", "gate-0b007001-1.mp4", "gate-0b007001-000001.mp4.part.bak",
       "a'; DROP TABLE clip;.mp4", "gate-0B007001-000001.mp4", "ga te-0b007001-000001.mp4", "gate-0b007001-000001.jpg",
       "gate-0b007001-999000001.mp4", b"\xff\xfe.mp4", "x" * 250]
ODD_FOLDERS = ["000000\n", "0", "\N{FILE FOLDER}", "..."]


@pytest.fixture
def keeper(db, folders, hand_clock, tmp_path: Path) -> Keeper:
    """One that has to delete every clip, for there is no room at all."""
    settings = Settings(store=Store(folder=str(folders.root), free_floor_pct=1, quota_gb=1e-9),
                        camera=[Camera(name="gate", source="picamera:0")])
    heart = Heartbeat("keeper", "keeper", tmp_path, hand_clock)
    return Keeper(Role(settings, None, folders, tmp_path, hand_clock, heart, Stop()), db,
                  decisions.connect(folders), Outlet(tmp_path))


def test_files_and_folders_of_other_names_stay_as_they_are(keeper, db, folders, hand_clock):
    add_clip(db, folders, hand_clock)
    places = [folders.root, folders.clips, folders.thumbs, folders.clips / "000000"]
    for name in ODD_FOLDERS:
        (folders.clips / name).mkdir()
        places.append(folders.clips / name)
    strangers = [os.path.join(os.fsencode(place), os.fsencode(name)) for place in places for name in ODD]
    for path in strangers:
        Path(os.fsdecode(path)).write_bytes(b"theirs")
    link = folders.clips / "000000" / "gate-0b007001-000077.mp4"
    link.symlink_to("/etc/hostname")
    for _ in range(2):
        keeper.round(asked_for_space=True)
        hand_clock.advance(SWEEP_EVERY_S)
    assert keeper.fault is None and not clips.finished(db)      # its own clip had to go
    assert all(Path(os.fsdecode(path)).read_bytes() == b"theirs" for path in strangers)
    assert link.is_symlink() and Path("/etc/hostname").exists()


def test_a_check_of_the_card_says_nothing_of_them(keeper, db, folders, hand_clock):
    keeper.role.settings.store.quota_gb = 0
    add_clip(db, folders, hand_clock)
    for name in ODD:
        Path(os.fsdecode(os.path.join(os.fsencode(folders.clips / "000000"), os.fsencode(name)))).touch()
    keeper.round(asked_for_space=False)
    found: list[Flaw] = cards.findings(folders)
    assert {finding.clip for finding in found} <= {"gate-0b007001-999000001"}     # ours by its name, in the wrong place
