"""The page's rehearsal of other settings: a process of its own, on recordings in a real store."""
import json
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from agent.config.settings import Camera, Motion, Zone
from agent.core.contract.rehearsal import (
    RehearsalAnswer,
    RehearsalPicture,
    RehearsalProgress,
    RehearsalQuestion,
    RehearsalWord,
    parse,
)
from agent.host.clock import Instant
from agent.store import clips, events
from agent.store.database import transaction
from agent.store.folders import Folders
from tests.rigs.cameras import footage
from tests.rigs.store.shelf import put_clip
from tests.rigs.wait import HANG_S

YARD = Camera(name="yard", source="rtsp://h/1")
EVERYWHERE = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]
HOUR_S = 3600.0


@pytest.fixture(scope="module")
def film() -> Path:
    """People who cross a yard all the time, 8 s."""
    return footage.clip(320, 180, 10, 10, 300, seconds=8)


@pytest.fixture
def yesterday(folders: Folders, db: sqlite3.Connection, film: Path) -> int:
    """Two clips of a yard, one event that was told at the second of them; its id."""
    put_clip(folders, db, film, 5 * HOUR_S)
    begin = put_clip(folders, db, film, 2 * HOUR_S)
    with transaction(db):
        told = events.open_row(db, "yard", "motion", Instant("0b007001", 51_000, begin.wall_ms + 3000, "ntp"))
        events.finish(db, told, 4000, 0.2, 1, [[0.4, 0.3, 0.2, 0.4]], "test/1", None)
    return told


def tried(folders: Folders, draft: Camera, budget_s: float = HANG_S) -> list[RehearsalWord]:
    """What the process says."""
    question = RehearsalQuestion(
        store=str(folders.root), runtime=str(folders.root), now=msgspec.to_builtins(YARD),
        draft=msgspec.to_builtins(draft), since_ms=int((time.time() - 24 * HOUR_S) * 1000), budget_s=budget_s)
    done = subprocess.run([sys.executable, "-m", "agent.helpers.rehearsal"], input=msgspec.json.encode(question),
                          capture_output=True, timeout=HANG_S, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return [parse(each) for each in done.stdout.splitlines()]


def test_an_event_that_would_have_been_missed_is_shown_with_its_picture(folders: Folders, yesterday: int):
    *before, answer = tried(folders, msgspec.structs.replace(YARD, motion=Motion(ignore=[EVERYWHERE])))
    assert isinstance(answer, RehearsalAnswer) and isinstance(before[0], RehearsalProgress)
    assert (answer.now_n, answer.draft_n, answer.missed_n, answer.added_n, answer.told_n) == (2, 0, 2, 0, 1)
    assert [event.told_as for event in answer.missed] == [None, yesterday]
    assert answer.footage_s == 16 and 14 < answer.looked_s <= 16
    pictures = {word.number: word.jpeg for word in before if isinstance(word, RehearsalPicture)}
    assert sorted(pictures) == [event.picture for event in answer.missed] == [0, 1]
    for jpeg in pictures.values():
        shown = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert shown.shape == (180, 320, 3)
        orange = (shown[..., 2] > 200) & (shown[..., 0] < 120)
        assert orange.sum() > 40                                    # the frame around what moved


def test_what_a_zone_would_let_through_is_added_and_masks_hide(folders: Folders, yesterday: int):
    masked = msgspec.structs.replace(YARD, masks=[EVERYWHERE], privacy_mask="transcode")
    *_, answer = tried(folders, masked)
    assert (answer.draft_n, answer.missed_n) == (0, 2)
    assert answer.cost is not None and answer.cost.cpu_pct > 0 and answer.cost.cores_n == os.cpu_count()
    left = msgspec.structs.replace(YARD, zone=[Zone(name="left", area=[(0, 0), (0.5, 0), (0.5, 1), (0, 1)])])
    *_, answer = tried(folders, left)
    assert answer.cost is None and answer.draft_n >= 1 and answer.added_n == 0
    assert {event.zones for event in answer.missed} <= {()}


def test_when_the_time_is_up_it_says_how_far_it_came(folders: Folders, yesterday: int):
    *_, answer = tried(folders, YARD, budget_s=0.0)
    assert answer.looked_s < 9 < answer.footage_s and (answer.missed_n, answer.added_n) == (0, 0)


def test_without_recordings_of_that_time_there_is_nothing_to_try(folders: Folders, db: sqlite3.Connection, film: Path):
    put_clip(folders, db, film, 30 * HOUR_S)
    assert tried(folders, YARD) == [RehearsalAnswer(problem="nothing")]


def test_a_clip_that_is_gone_is_left_out(folders: Folders, db: sqlite3.Connection, yesterday: int):
    clip = clips.finished(db, "yard")[0]
    folders.clip(clip.seq, clip.name).unlink()
    *_, answer = tried(folders, YARD)
    assert answer.now_n == answer.draft_n == 1 and json.loads(msgspec.json.encode(answer))["looked_s"] < 9
