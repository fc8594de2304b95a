"""A card that is read-only from the start: every role is up, and what was recorded before can be read."""
import contextlib
from pathlib import Path

import pytest

from agent.store import clips
from agent.store.database import connect, current
from agent.store.folders import Folders
from tests.process.agent import Agent, config
from tests.rigs.powercut.disk import logged_disk, missing
from tests.rigs.wait import until

CARD_B = 64 << 20
ROLES = {"capture", "keeper", "link", "web"}

pytestmark = pytest.mark.needs.with_args(missing)


def test_all_roles_are_up_on_a_card_that_cannot_be_written(tmp_path: Path, hand_clock):
    with logged_disk(tmp_path / "disk", CARD_B) as disk:
        agent = Agent(tmp_path, config())
        agent.folders = Folders(disk.mount / "store").create()
        agent.path.write_text(agent.path.read_text().replace(str(tmp_path / "store"), str(agent.folders.root)))
        with agent:
            until(lambda: any(agent.folders.clips.glob("*/*.part")), "recording")
            until(lambda: "the page is at" in agent.log, "each role has made its files")
            assert agent.interrupt()[0] == 0
        with contextlib.closing(agent.db()) as db:
            db.execute("DELETE FROM anchor")
            db.execute("DELETE FROM boot")      # as after a reboot: this one is news
        disk.pull_out()
        disk.plug_in("ro")
        agent.log_path.unlink()
        with agent:
            until(lambda: "(card_read_only)" in agent.log, "capture has found out")
            until(lambda: "the page is at" in agent.log and agent.pids().keys() == ROLES, "all roles run")
            until(lambda: "keeper: " in agent.log, "the keeper has found out")
            until(lambda: "link: ward disabled" in agent.log, "the link is at work")
            assert "ended (" not in agent.log and "Traceback" not in agent.log
            assert [clip.state for clip in agent.clips()] == ["done"]


def test_a_database_on_a_read_only_card_is_read_and_written_again_once_that_is_possible(tmp_path: Path, hand_clock):
    with logged_disk(tmp_path / "disk", CARD_B) as disk:
        folders = Folders(disk.mount / "store").create()
        with contextlib.closing(connect(folders.root)) as db:
            clips.open_row(db, "gate", "motion", hand_clock.now(), "h264", 320, 180)
        disk.pull_out()
        disk.plug_in("ro")
        db = connect(folders.root)
        assert [clip.seq for clip in clips.in_state(db, "open")] == [1] and current(db) is db
        disk.remount("rw")
        db = current(db)
        clips.lose(db, 1, "a test")
        assert not clips.in_state(db, "open")
        db.close()
