"""The database is replaced beneath a recorder at work, and the rows of what it is in the middle of are gone with it."""
from pathlib import Path

import pytest

from agent.capture import recorder as recorder_module
from agent.keeper import repair
from agent.store import clips, events
from agent.store.numbers import LEAP
from tests.rigs.device.recorder import MOTION, START_US, STILL, clip, make, obey, open_parts, retry
from tests.rigs.store.cards import swept
from tests.rigs.store.damage import all_pages, spoil
from tests.rigs.wait import HANG_S, until

LATER_US = START_US + 20_000_000


def no_key(head: object, name: str) -> bytes:
    """Nothing here is encrypted."""
    raise AssertionError


def test_a_recorder_that_meets_the_damage_goes_on_in_the_new_one(folders, hand_clock, tmp_path: Path):
    recorder = make(folders, hand_clock, tmp_path, always=True)
    begin, end = clip()
    obey(recorder, [*begin, MOTION])
    spoil(folders, *all_pages(folders))
    obey(recorder, [*end, STILL])
    assert recorder.fault == "card_io" and not open_parts(folders)
    db, aside = repair.open_database(folders)
    assert aside and not events.latest(db)
    begin, end = clip(LATER_US)
    retry(recorder, hand_clock, *begin, *end)
    assert recorder.fault is None
    swept(db, folders, hand_clock.now(), no_key)
    assert [(found.seq, found.state) for found in clips.finished(db)] == [(LEAP["clip"] + 1, "done"), (1, "recovered")]
    db.close()


def test_a_recorder_that_has_the_old_one_open_is_told_by_its_next_commit(
        folders, hand_clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(recorder_module, "RETRY_AFTER_S", 0.0)
    recorder = make(folders, hand_clock, tmp_path, always=True)
    recorder.start()
    begin, end = clip()
    recorder.offer([*begin, MOTION])
    until(lambda: recorder.recording and recorder.events_n)
    spoil(folders, *all_pages(folders))
    db, aside = repair.open_database(folders)
    assert aside
    recorder.offer([*end, STILL])               # of rows that are in no database any more
    until(lambda: recorder.errors_n and not recorder.fault)
    begin, end = clip(LATER_US)
    recorder.offer([*begin, *end])
    recorder.finish(HANG_S)
    assert recorder.fault is None and recorder.errors_n == 1 and not open_parts(folders)
    assert [(found.seq, found.state) for found in clips.finished(db)] == [(LEAP["clip"] + 1, "done")]
    swept(db, folders, hand_clock.now(), no_key)
    assert [found.seq for found in clips.finished(db)] == [LEAP["clip"] + 1, 1]
    db.close()
