"""When the card or the queue fails in the middle of something: no event vanishes, no clip is forgotten or held open."""
import contextlib
import errno
import gc
import os
import resource
import socket
import sqlite3
import threading
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from agent.capture import clipfile, row_queue
from agent.capture import recorder as recorder_module
from agent.capture.clip_rows import SLOW_FLUSH_S
from agent.capture.clipfile import ClipFile
from agent.capture.recorder import QUEUE_BYTES_MAX, RETRY_AFTER_S, Recorder
from agent.capture.writer_jobs import BestLook, CameraGap, EventClose, EventOpen
from agent.core.media.model import Packet
from agent.store import clips, events, outbox
from agent.store.card_fault import OWN, fault_of
from agent.store.database import FILE, StoreError, connect
from agent.store.folders import Folders
from tests.conftest import HandClock
from tests.rigs.cameras.h264 import movie
from tests.rigs.device.recorder import MOTION, START_US, STILL, SUMMARY, clip, make, obey, open_parts, retry
from tests.rigs.wait import until

GAP = CameraGap("camera_unreachable", "h: off", 9.0, over=True)


class Card:
    """The store's card, as the recorder feels it: while `error` is set, nothing it flushes gets there."""

    def __init__(self) -> None:
        self.error: int | None = None

    def wrap(self, flush: Callable[[int], None]) -> Callable[[int], None]:
        def flush_or_fail(handle: int) -> None:
            if self.error is not None:
                raise OSError(self.error, os.strerror(self.error))
            flush(handle)
        return flush_or_fail


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Card:
    made = Card()
    monkeypatch.setattr(os, "fsync", made.wrap(os.fsync))
    monkeypatch.setattr(os, "fdatasync", made.wrap(os.fdatasync))
    return made


@pytest.fixture
def recorder(folders: Folders, hand_clock: HandClock, tmp_path: Path) -> Recorder:
    return make(folders, hand_clock, tmp_path, always=False)


def in_events(db: sqlite3.Connection) -> list[tuple[str, str | None, int | None]]:
    """State, clip and place in that clip of each event, oldest first."""
    return [(event.state, event.clip, event.clip_offset_ms) for event in events.latest(db)[::-1]]


def test_an_event_ends_although_the_card_fails_in_the_same_batch(recorder, folders, db, hand_clock, card):
    begin, end = clip()
    obey(recorder, [MOTION, *begin])
    card.error = errno.ENOSPC
    obey(recorder, [*end, STILL])
    assert recorder.fault == "card_full" and recorder.clip_lost.is_set() and not open_parts(folders)
    card.error = None
    retry(recorder, hand_clock)
    kept, = clips.finished(db)
    assert recorder.fault is None and kept.state == "recovered"
    assert in_events(db) == [("done", kept.name, 1000)]


def test_an_event_that_begins_while_a_retry_fails_is_written_down_later(recorder, db, hand_clock, card):
    card.error = errno.ENOSPC
    begin, _ = clip()
    obey(recorder, begin)
    retry(recorder, hand_clock, MOTION, *begin)
    assert recorder.fault == "card_full" and not events.latest(db)
    card.error = None
    retry(recorder, hand_clock, STILL)
    assert recorder.fault is None and [state for state, *_ in in_events(db)] == ["done"]


def test_a_clip_whose_end_was_refused_is_closed_by_the_next_one(recorder, folders, db):
    obey(recorder, clip()[0])
    begin, end = clip(START_US + 10_000_000)
    obey(recorder, begin)
    assert len(open_parts(folders)) == 1
    obey(recorder, end)
    assert [found.state for found in clips.finished(db)] == ["done", "recovered"] and not open_parts(folders)
    assert recorder.errors_n == 0


def test_the_queue_is_bounded_in_pictures_of_events(recorder):
    gop = [Packet(bytes(1_000_000), n, n, n == 0) for n in range(4)]
    end_of_event = EventClose(START_US, BestLook((), movie()[0], gop), SUMMARY, "1", "")
    assert sum(recorder.offer([end_of_event]) for _ in range(50)) == QUEUE_BYTES_MAX // 4_000_000


def test_the_queue_is_bounded_in_batches_that_weigh_nothing(recorder):
    taken = sum(recorder.offer([MOTION, STILL]) for _ in range(50_000))
    assert taken == recorder_module.QUEUE_BATCHES_MAX and not recorder.offer([])


def test_an_event_that_waits_for_a_card_holds_no_video(recorder, db, hand_clock, card):
    class Gop(list):
        """A list that can be watched."""

    card.error = errno.ENOSPC
    obey(recorder, clip()[0])
    gop = Gop(movie()[1])
    watched = weakref.ref(gop)
    obey(recorder, [MOTION, EventClose(START_US + 3_000_000, BestLook((), movie()[0], gop), SUMMARY, "1", "")])
    del gop
    gc.collect()
    assert watched() is None
    card.error = None
    retry(recorder, hand_clock)
    assert [state for state, *_ in in_events(db)] == ["done"]


@pytest.mark.parametrize("happening", [[MOTION, STILL], [GAP, GAP]], ids=["events", "gaps"])
def test_what_is_remembered_for_a_bad_card_is_bounded_and_the_rest_counted(
        recorder, db, hand_clock, card, monkeypatch, happening):
    monkeypatch.setattr(row_queue, "PENDING_MAX", 64)
    card.error = errno.EIO
    obey(recorder, clip()[0])
    obey(recorder, *[happening] * 100)
    card.error = None
    retry(recorder, hand_clock)
    assert recorder.rows.forgotten_n == 200 - 64 and len(outbox.after(db, 0, 1000)) == 64


def test_an_event_after_an_hours_gap_is_not_shown_by_the_clip_before_it(folders, db, hand_clock, tmp_path):
    recorder = make(folders, hand_clock, tmp_path, always=True)
    obey(recorder, *clip())
    hand_clock.advance(3600)
    back_us = START_US + 3_600_000_000
    begin, end = clip(back_us)
    motion, still = EventOpen(back_us + 1_000_000, 0.5, (), False), replace(STILL, last_motion_us=back_us + 2_000_000)
    obey(recorder, begin, [motion], [*end, still])
    assert in_events(db) == [("done", clips.finished(db)[0].name, 1000)]


def test_an_event_is_shown_by_the_clips_of_its_time_however_late_it_is_written_down(folders, db, hand_clock, tmp_path):
    recorder = make(folders, hand_clock, tmp_path, always=True)
    (begin, end), (begin_2, end_2) = clip(), clip(START_US + 4_000_000)
    motion = EventOpen(START_US + 5_000_000, 0.5, (), False)        # its pre-roll reaches into the first clip
    obey(recorder, begin + end, [*begin_2, motion, *end_2])         # and it is committed when the second one has ended
    assert [events.of_clip(db, seq) for seq in (1, 2)] == [[1], [1]]


def test_a_fault_of_the_database_is_named_by_its_cause_not_by_the_remedies(tmp_path: Path):
    (tmp_path / FILE).parent.mkdir()
    (tmp_path / FILE).write_bytes(b"garbage" * 1000)
    with pytest.raises(StoreError, match="read-only") as told:
        connect(tmp_path)
    assert fault_of(told.value, tmp_path) is None       # damage is mended: that is another story


def test_a_clip_that_fails_at_its_end_closes_no_file_of_somebody_else(
        recorder, folders, db, hand_clock, tmp_path, monkeypatch):
    others: list[int] = []

    def fail(source: Path, target: Path) -> None:
        others.append(os.open(tmp_path / "other", os.O_CREAT | os.O_WRONLY))    # another thread, meanwhile
        raise OSError(errno.EIO, "i/o error")

    monkeypatch.setattr(clipfile, "rename_durably", fail)
    begin, end = clip()
    obey(recorder, begin + end)
    assert recorder.fault == "card_io" and not open_parts(folders)
    assert os.write(others[0], b"still open") == 10
    os.close(others[0])
    retry(recorder, hand_clock)
    assert [(found.state, found.frames) for found in clips.finished(db)] == [("recovered", 40)]


def test_two_cameras_may_make_the_same_folder_at_once(folders, hand_clock, monkeypatch):
    target, mkdir = folders.clips / "000000", Path.mkdir

    def be_late(self: Path, *args: object, **keys: object) -> None:
        if self == target:
            os.mkdir(target)
        mkdir(self, *args, **keys)

    monkeypatch.setattr(Path, "mkdir", be_late)
    file = ClipFile(target / "gate-0b007001-000001.mp4.part")
    file.append(b"video")
    file.close()


def test_pictures_whose_folder_is_gone_get_another_one_and_the_ward_is_told_once(folders, db, hand_clock, tmp_path):
    folders.thumbs.rmdir()
    info, packets = movie()
    seen = EventClose(START_US + 3_000_000, BestLook((), info, packets), SUMMARY, "1", "")
    for _ in range(2):
        hand_clock.advance(10)
        obey(make(folders, hand_clock, tmp_path, always=False), *clip(), [MOTION, seen])
    pictures = [event.thumb for event in events.latest(db)]
    assert len(pictures) == 2 and all((folders.thumbs / name).stat().st_size > 0 for name in pictures)
    assert sum("pictures_missing" in row["data"] for row in outbox.after(db, 0, 100)) == 1


@pytest.mark.parametrize("error", [errno.EMFILE, errno.ENFILE, errno.ENOMEM])
def test_a_process_that_has_nothing_left_to_open_a_file_with_does_not_blame_the_card(recorder, hand_clock, card, error):
    card.error = error
    obey(recorder, clip()[0])
    assert recorder.fault == OWN
    card.error = None
    retry(recorder, hand_clock)
    assert recorder.fault is None


def test_a_database_that_finds_no_file_number_free_does_not_blame_the_card(recorder, folders, hand_clock):
    met = []
    for left_n in range(4):
        with numbers_left(left_n):
            obey(recorder, clip()[0])
        met.append(recorder.fault)
        hand_clock.advance(2 * RETRY_AFTER_S)
    assert met[0] == met[1] == OWN and set(met) <= {OWN, None}
    retry(recorder, hand_clock, *clip(START_US + 60_000_000)[0])
    assert recorder.fault is None and recorder.recording


def test_nor_does_one_after_whose_failure_other_threads_have_closed_some(folders):
    """SQLite does not say why it could open nothing; numbers are tried only then."""
    failed = sqlite3.OperationalError("unable to open database file")
    failed.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
    assert fault_of(failed, folders.root) == "card_io"
    with numbers_left(8):
        assert fault_of(failed, folders.root) == OWN


def test_nor_does_one_whose_threads_wait_in_accept_and_hold_numbers_that_are_not_listed(folders):
    failed = sqlite3.OperationalError("unable to open database file")
    failed.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
    doors = [socket.create_server(("127.0.0.1", 0)) for _ in range(16)]
    waiting = [threading.Thread(target=door.accept) for door in doors]
    for thread in waiting:
        thread.start()
    until(lambda: all(_waits(thread) for thread in waiting), "every thread waits in accept()")
    try:
        with numbers_left(8):
            assert fault_of(failed, folders.root) == OWN
    finally:
        for door, thread in zip(doors, waiting, strict=True):
            socket.create_connection(door.getsockname()).close()
            thread.join()
            door.close()


def _waits(thread):
    call = Path(f"/proc/self/task/{thread.native_id}/syscall").read_text().split()[0]
    return call in ("288", "242")           # accept4 on amd64 and arm64


@contextlib.contextmanager
def numbers_left(left_n):
    """Leaves so many file numbers free, whichever threads of other tests hold some."""
    gc.collect()                    # no file of another test is to be closed meanwhile
    before, kept = resource.getrlimit(resource.RLIMIT_NOFILE), []
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) + 64, before[1]))
    try:
        with contextlib.suppress(OSError):
            while True:
                kept.append(os.open("/dev/null", os.O_RDONLY))
        for handle in kept[len(kept) - left_n:]:
            os.close(handle)
        kept = kept[:len(kept) - left_n]
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        for handle in kept:
            os.close(handle)


def test_a_flush_that_took_far_too_long_is_told_for_two_minutes(recorder, hand_clock, monkeypatch):
    flush = os.fdatasync
    begin, end = clip()
    begin[-1] = replace(begin[-1], flush=True)
    for took_s, slow in ((SLOW_FLUSH_S - 0.1, False), (SLOW_FLUSH_S + 0.1, True)):
        monkeypatch.setattr(os, "fdatasync", lambda handle, took_s=took_s: (hand_clock.advance(took_s), flush(handle)))
        obey(recorder, begin)
        obey(recorder, end)
        assert recorder.slow_card == slow
        hand_clock.advance(60)
        assert recorder.slow_card == slow
    hand_clock.advance(120)
    assert not recorder.slow_card
