"""A card that is full when the recorder starts: no role ends for it, and all go on by themselves once there is room."""
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.host.clock import SystemClock
from agent.keeper import room
from agent.store import clips, holds
from agent.store.database import connect
from agent.store.decisions import database as decisions
from agent.store.folders import Folders
from tests.process.agent import ROOT, Agent, config, records
from tests.rigs.store.small_card import empty, fill_bytes, fill_files, small_card
from tests.rigs.wait import HANG_S, Stopwatch, until

ROLES = {"capture", "keeper", "link", "web"}
WITHIN_S = 30.0             # of room
CLIPS_N = 20
WAITS_S = 12.0              # longer than a role waits before it tries again

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")


@pytest.fixture
def agent() -> Iterator[Agent]:
    """On a small card that is not full yet."""
    with tempfile.TemporaryDirectory() as place, small_card(Path(place), "-N", "256") as card:
        made = Agent(Path(place), config())
        made.path.write_text(made.path.read_text().replace(str(made.folders.root), str(card / "store")))
        made.folders = Folders(card / "store")
        yield made
        print(made.log)


def record(folders: Folders) -> list[clips.Clip]:
    """A recorder's past: old clips, and the databases closed in order."""
    now = SystemClock().now()
    with contextlib.closing(decisions.connect(folders.create())) as own, \
            contextlib.closing(connect(folders.root)) as db:
        for unit in ("run", "keeper", "link", "web", "capture@network", "camera-gate"):
            folders.lock(unit).touch(0o600)
        for _ in range(CLIPS_N):
            seq, name = clips.open_row(db, "gate", "motion", now, "h264", 320, 180)
            folders.clip(seq, name).parent.mkdir(exist_ok=True)
            folders.clip(seq, name).write_bytes(os.urandom(1_000_000))
            clips.finish(db, seq, "done", 1000, 1_000_000, 10)
        room.report(own, db, folders, now)
        return clips.finished(db)[::-1]


def hold(folders: Folders, held: list[clips.Clip]) -> None:
    with contextlib.closing(decisions.connect(folders)) as own, contextlib.closing(connect(folders.root)) as db:
        holds.place(own, db, held, "case 7", None, SystemClock().now(), 1 << 40)


def recording_within(agent: Agent, limit_s: float) -> None:
    with Stopwatch() as watch:
        until(lambda: records(agent), "it records again")
    assert watch.fair_s < limit_s
    until(lambda: agent.pids().keys() == ROLES and "link: ward disabled" in agent.log, "all roles are at work")
    assert " ended (" not in agent.log and "Traceback" not in agent.log


def test_the_ballast_makes_room_for_the_databases(agent: Agent):
    before = record(agent.folders)
    room.renew_ballast(agent.folders, 1)
    fill_bytes(agent.folders.root.parent)
    with agent:
        recording_within(agent, WITHIN_S)
        assert "deleted the ballast" in agent.log and "deleted the oldest clips" not in agent.log
        assert agent.folders.clip(before[-1].seq, before[-1].name).exists()
        assert agent.interrupt()[0] == 0


@pytest.mark.parametrize("fill", [fill_bytes, fill_files])
def test_without_a_ballast_the_oldest_clips_do_and_what_is_held_stays(agent: Agent, fill):
    before = record(agent.folders)
    hold(agent.folders, before[:2])
    fill(agent.folders.root.parent)
    with agent:
        recording_within(agent, WITHIN_S)
        until(lambda: gone_and_told(agent), "the rows say what went")
        assert all(agent.folders.clip(clip.seq, clip.name).exists() for clip in before[:2])
        assert not agent.folders.clip(before[2].seq, before[2].name).exists()
        assert agent.interrupt()[0] == 0
    said = subprocess.run([sys.executable, "-m", "agent", "verify", "--config", str(agent.path)], cwd=ROOT,
                          capture_output=True, text=True, timeout=HANG_S)
    assert said.returncode == 0, said.stdout + said.stderr


def gone_and_told(agent: Agent) -> bool:
    with contextlib.closing(agent.db()) as db:
        return bool(clips.in_state(db, "deleted")) and not clips.in_state(db, "lost")


def test_where_nothing_may_go_all_roles_wait_and_go_on_once_the_strangers_leave(agent: Agent):
    hold(agent.folders, record(agent.folders))
    fill_bytes(agent.folders.root.parent)
    with agent:
        until(lambda: agent.pids().keys() == ROLES and "the page is at" in agent.log, "all roles run")
        pids = agent.pids()
        until_s = time.monotonic() + WAITS_S
        while time.monotonic() < until_s:
            assert agent.pids() == pids
            time.sleep(0.5)
        assert "keeper: card_full: " in agent.log       # the link only reads
        assert "(card_full)" in agent.log                   # capture
        empty(agent.folders.root.parent)
        recording_within(agent, WITHIN_S)
        assert agent.pids() == pids
        assert agent.interrupt()[0] == 0


def test_a_keeper_that_starts_again_beside_the_others_on_a_full_card_makes_room(agent: Agent):
    """The others have the shared database open, and write as soon as there is room."""
    before = record(agent.folders)
    hold(agent.folders, before[:1])
    with agent:
        recording_within(agent, WITHIN_S)
        until(lambda: "the ledger begins" in agent.log, "the keeper is at work")
        os.kill(agent.pids()["keeper"], signal.SIGTERM)
        until(lambda: " ended (exit 0)" in agent.log, "it ends in order")
        agent.folders.ballast.unlink(missing_ok=True)
        fill_bytes(agent.folders.root.parent)
        until(lambda: "deleted the oldest clips" in agent.log, "it makes room")
        until(lambda: gone_and_told(agent), "the rows say what went")
        parts = {path.name for path in agent.folders.clips.glob("*/*.part")}
        until(lambda: {path.name for path in agent.folders.clips.glob("*/*.part")} - parts, "it records on")
        assert agent.folders.clip(before[0].seq, before[0].name).exists()
        assert agent.log.count(" ended (") == 1 and "Traceback" not in agent.log


def test_a_role_that_waits_for_a_full_card_ends_in_order_when_it_is_told_to(agent: Agent):
    hold(agent.folders, record(agent.folders))
    fill_bytes(agent.folders.root.parent)
    with agent:
        until(lambda: "keeper: card_full: " in agent.log, "it waits")
        os.kill(agent.pids()["keeper"], signal.SIGTERM)
        until(lambda: "run: keeper ended (exit 0)" in agent.log, "it ends")
        assert "Traceback" not in agent.log


def fill_but_for_folders(card: Path) -> None:
    """There is room for the store's five folders, and for no lock in them."""
    fill_files(card)
    for number in range(5):
        (card / f"stranger-files/{number}").unlink()


@pytest.mark.parametrize("fill", [fill_bytes, fill_files, fill_but_for_folders])
def test_a_new_store_on_a_full_card_is_one_line_with_place_and_remedy(agent: Agent, fill):
    card = agent.folders.root.parent
    fill(card)
    said = subprocess.run([sys.executable, "-m", "agent", "run", "--config", str(agent.path)], cwd=ROOT,
                          capture_output=True, text=True, timeout=HANG_S)
    assert said.returncode == 73 and said.stderr.count("\n") == 1, said.stderr
    assert f"{card}/store" in said.stderr and "No space left" in said.stderr and "room" in said.stderr


def test_a_role_whose_store_can_not_be_made_yet_waits_for_that(agent: Agent):
    card = agent.folders.root.parent
    fill_files(card)
    with subprocess.Popen([sys.executable, "-m", "agent.keeper", "--config", str(agent.path)], cwd=ROOT,
                          stderr=agent.log_path.open("ab")) as keeper:
        try:
            until(lambda: "inodes_low: " in agent.log, "it waits")
            empty(card)
            until((agent.folders.household / "device").exists, "it is at work")
            keeper.send_signal(signal.SIGTERM)
            assert keeper.wait(HANG_S) == 0 and "Traceback" not in agent.log
        finally:
            keeper.kill()
