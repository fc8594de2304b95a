"""A pause, from the household's word to a camera that sees nothing: at once, told once, whatever dies meanwhile."""
import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.capture.camera_set import PauseWatch
from agent.core.household.pause import UNREADABLE, Paused, Pauses
from agent.host.clock import SystemClock
from agent.host.runtime import camera_socket
from agent.store import events, pause
from agent.store.database import StoreError, connect
from agent.store.folders import Folders
from tests.capture.camera_sets import Shift, film, shift
from tests.conftest import HandClock
from tests.rigs.store.joined import join
from tests.rigs.wait import HANG_S, Stopwatch

HOUR_MS = 3_600_000
CLOCK = SystemClock()


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Shift]:
    """Two cameras of one process that record."""
    with shift(tmp_path, CLOCK) as made:
        made.obey(film("gate", motion={"enabled": False}), film("yard"))
        made.tick_until(lambda: made.recording("gate") and made.recording("yard"), "both record")
        yield made


def look(shift: Shift, name: str) -> socket.socket:
    """A viewer of the live picture."""
    viewer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    viewer.settimeout(HANG_S)
    viewer.connect(str(camera_socket(shift.runtime, "live", name)))
    return viewer


def drain(viewer: socket.socket) -> int:
    """Bytes until the stream ends."""
    seen_b = 0
    while data := viewer.recv(65536):
        seen_b += len(data)
    return seen_b


def readers_n() -> int:
    """How often this process has the film open that plays the cameras."""
    film_path = film("any").source.removeprefix("file:")
    handles = Path("/proc/self/fd").iterdir()
    return sum(handle.is_symlink() and os.readlink(handle) == film_path for handle in list(handles))


def test_a_paused_camera_closes_its_clip_and_lets_go_and_the_others_go_on(two: Shift):
    yard, gate, viewer = two.recording("yard"), two.recording("gate"), look(two, "gate")
    assert viewer.recv(1)
    with Stopwatch() as watch:
        pause.put(two.folders, ["gate"], None, "page", CLOCK.now())
        two.until(lambda facts: facts["gate"].state == "paused", "the word is heard")
        two.tick_until(lambda: readers_n() == 1, "the source is closed")
    assert watch.fair_s < 2
    two.tick_until(lambda: not gate.exists() and two.clips("gate"), "the clip is closed")
    drain(viewer)                                                   # it ends: else this would never come back
    assert look(two, "gate").recv(1) == b""                         # nobody new is let in
    facts = two.facts()["gate"]
    assert (facts.paused_by, facts.fault, facts.recording, facts.last_frame_age_s) == ("page", None, False, None)
    assert two.recording("yard") == yard and two.facts()["yard"].state == "ok"
    two.tick_until(lambda: two.told("gate") == [("paused", "start", "page")], "the ward knows")


def test_an_event_that_a_pause_ends_is_over_and_keeps_the_picture_that_was_seen_before(two: Shift):
    with contextlib.closing(connect(two.folders.root)) as db:
        two.tick_until(lambda: events.latest(db, "yard", 1), "something moves")
        pause.put(two.folders, ["yard"], None, "page", CLOCK.now())
        two.tick_until(lambda: events.latest(db, "yard", 1)[0].state == "done", "it is over")
        event = events.latest(db, "yard", 1)[0]
    assert event.thumb and two.folders.thumb(event.thumb).read_bytes().startswith(b"\xff\xd8")


def test_what_is_resumed_records_again_and_the_ward_knows_since_when(two: Shift):
    pause.put(two.folders, None, None, "command", CLOCK.now())
    two.until(lambda facts: all(each.state == "paused" for each in facts.values()), "all are paused")
    two.tick_until(lambda: not two.recording("gate") and not two.recording("yard"), "both are closed")
    pause.lift(two.folders, ["yard"], CLOCK.now())
    two.tick_until(lambda: two.recording("yard"), "it records again")
    assert two.facts()["gate"].state == "paused" and two.facts()["yard"].paused_by is None
    two.tick_until(lambda: ("paused", "end", "command") in two.told("yard"), "the end is told")
    assert [phase for _, phase, _ in two.told("yard")] == ["start", "end"]
    before, after = two.clips("yard")[-1], two.recording("yard")
    assert before.name not in after.name


def test_a_camera_that_is_paused_when_the_process_starts_is_never_opened(tmp_path: Path):
    folders = Folders(tmp_path / "store").create()
    pause.put(folders, ["gate"], CLOCK.now().wall_ms + HOUR_MS, "page", CLOCK.now())
    with shift(tmp_path, CLOCK) as made:
        made.obey(film("gate"), film("yard"))
        made.tick_until(lambda: made.recording("yard") and made.told("gate"), "the other records")
        assert readers_n() == 1 and made.facts()["gate"].state == "paused"
        assert made.facts()["gate"].paused_until_ms > CLOCK.now().wall_ms
    with shift(tmp_path, CLOCK) as made:
        made.obey(film("gate"))
        made.until(lambda facts: facts["gate"].state == "paused", "still")
    assert made.told("gate") == [("paused", "start", "page")]       # told once, though two processes were paused
    pause.lift(folders, None, CLOCK.now())
    with shift(tmp_path, CLOCK) as made:
        made.obey(film("gate"))
        made.tick_until(lambda: len(made.told("gate")) == 2, "the end, though nobody was there at it")
    assert made.told("gate")[1] == ("paused", "end", "page")


@pytest.mark.parametrize("text", ["", "{", '{"everything": 3}', '{"cameras": {"gate": {"by": "nobody"}}}'])
def test_a_broken_file_pauses_everything_until_somebody_resumes(folders: Folders, text: str):
    pause.path(folders).write_text(text)
    assert pause.load(folders) is UNREADABLE
    now = CLOCK.now()
    changed = pause.lift(folders, ["yard"], CLOCK.now())
    assert changed.of("yard", now) is None and changed.of("gate", now).by == "unreadable"
    assert pause.lift(folders, None, CLOCK.now()) == Pauses() == pause.load(folders)


def test_words_of_several_people_at_once_are_all_kept(folders: Folders):
    names = [f"camera-{number}" for number in range(8)]
    threads = [threading.Thread(target=pause.put, args=(folders, [name], None, "page", CLOCK.now())) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(pause.load(folders).cameras) == names


def test_a_pause_that_can_not_be_kept_is_one_clear_line(tmp_path: Path):
    with pytest.raises(StoreError, match=r"pause\.json: .*\(taimat doctor\)"):
        pause.put(Folders(tmp_path / "gone"), None, None, "command", CLOCK.now())


def test_the_ward_is_told_of_another_reason_and_of_how_long_it_was(folders: Folders, hand_clock: HandClock):
    with join(connect(folders.root)) as db:
        for by, seconds in (("page", 0), ("page", 60), ("schedule", 30), (None, 10), (None, 5)):
            hand_clock.advance(seconds)
            pause.note(db, "gate", by, hand_clock.now())
        rows = db.execute("SELECT data FROM outbox ORDER BY seq").fetchall()
    assert [row["data"] for row in rows] == [
        '{"code":"paused","phase":"start","detail":"page"}',
        '{"code":"paused","phase":"end","detail":"page","gap_s":90.0}',
        '{"code":"paused","phase":"start","detail":"schedule"}',
        '{"code":"paused","phase":"end","detail":"schedule","gap_s":10.0}']


@pytest.fixture
def hanoi(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The device's time zone is UTC+7."""
    monkeypatch.setenv("TZ", "UTC-7")
    yield
    monkeypatch.undo()
    time.tzset()


MONDAY_1201 = 1_794_805_260_000      # 2026-11-16 12:01 in UTC+7


def test_weekly_hours_are_those_of_the_clock_on_the_wall(folders: Folders, hand_clock: HandClock, hanoi: None):
    hand_clock.wall_ms = MONDAY_1201
    camera, watch = film("gate", off=["Mon 12:00-13:00"]), PauseWatch(folders, hand_clock, ())
    assert watch.of(camera) == Paused("schedule", MONDAY_1201 + 59 * 60_000)
    hand_clock.state = "saved"                  # the network is gone: the clock goes on
    hand_clock.advance(59 * 60)
    assert watch.of(camera) is None and not watch.guesses(camera)


@pytest.mark.parametrize(("were_off", "found"), [((), None), (("gate",), Paused("schedule"))])
def test_until_the_clock_is_right_a_camera_stays_as_it_was(folders: Folders, hand_clock: HandClock, hanoi: None,
                                                           were_off: tuple[str, ...], found: Paused | None):
    hand_clock.wall_ms, hand_clock.state = MONDAY_1201, "saved"
    camera, watch = film("gate", off=["Mon 12:00-13:00"]), PauseWatch(folders, hand_clock, were_off)
    assert watch.of(camera) == found and watch.guesses(camera)
    hand_clock.state = "ntp"
    assert watch.of(camera).until_wall_ms is not None and not watch.guesses(camera)


def test_a_word_that_vanishes_with_the_card_holds(folders: Folders, hand_clock: HandClock):
    watch = PauseWatch(folders, hand_clock, ())
    assert watch.of(film("gate")) is None
    pause.put(folders, None, None, "page", hand_clock.now())
    watch.look()
    pause.path(folders).unlink()
    watch.look()
    assert watch.of(film("gate")) == Paused("page")
    pause.lift(folders, None, hand_clock.now())
    watch.look()
    assert watch.of(film("gate")) is None


def test_a_file_that_gets_readable_again_is_believed(folders: Folders, hand_clock: HandClock):
    pause.path(folders).write_text("{")
    watch = PauseWatch(folders, hand_clock, ())
    assert watch.of(film("gate")) == Paused("unreadable")
    pause.put(folders, ["yard"], None, "page", hand_clock.now())
    pause.lift(folders, ["gate"], hand_clock.now())
    watch.look()
    assert watch.of(film("gate")) is None and watch.of(film("other")) == Paused("unreadable")


def test_the_file_stays_small(folders: Folders):
    with pytest.raises(StoreError, match="too many cameras"):
        pause.put(folders, [f"c{number}" for number in range(2000)], None, "page", CLOCK.now())


def test_no_hand_that_moves_the_clock_ends_the_weekly_hours(folders: Folders, hand_clock: HandClock, hanoi: None):
    hand_clock.wall_ms = MONDAY_1201
    camera, watch = film("gate", off=["Mon 12:00-13:00"]), PauseWatch(folders, hand_clock, ())
    assert watch.of(camera) is not None
    hand_clock.wall_ms, hand_clock.state = hand_clock.wall_ms + 6 * HOUR_MS, "saved"
    assert watch.of(camera) == Paused("schedule", MONDAY_1201 + 59 * 60_000)
    hand_clock.wall_ms, hand_clock.state = 0, "unset"
    hand_clock.advance(59 * 60)
    assert watch.of(camera) is None
    hand_clock.wall_ms, hand_clock.state = MONDAY_1201 + 60_000, "ntp"      # the network has the last word
    assert watch.of(camera) is not None


SUNDAY_0000 = 1_792_879_200_000      # 2026-10-25 in Berlin, where at 03:00 it is 02:00 once more


def test_weekly_hours_go_by_the_clock_on_the_wall_when_summer_ends_and_a_pause_by_its_length(
        folders: Folders, hand_clock: HandClock, monkeypatch: pytest.MonkeyPatch, hanoi: None):
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    hand_clock.wall_ms = SUNDAY_0000
    camera, watch = film("gate", off=["Sun 02:00-04:00"]), PauseWatch(folders, hand_clock, ())
    off_h = []
    for half_hour in range(12):
        off_h += [half_hour / 2] if watch.of(camera) else []
        hand_clock.advance(1800)
    assert off_h == [2.0, 2.5, 3.0, 3.5, 4.0, 4.5], "02:00 to 04:00 lasts three hours in this night"
    hand_clock.advance(-6 * 3600)
    pause.put(folders, ["gate"], hand_clock.wall_ms + 4 * HOUR_MS, "page", hand_clock.now())
    watch.look()
    hand_clock.advance(4 * 3600 - 1)
    assert watch.of(camera).by == "page"
    hand_clock.advance(1)
    assert watch.of(camera).by == "schedule"
