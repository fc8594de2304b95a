"""What a dead process leaves is closed, marked and announced, wherever it was cut."""
import errno
import json
import os
import sqlite3
from pathlib import Path

import av
import pytest

from agent.capture.clipfile import ClipFile
from agent.core.media.fragments import Fragmenter
from agent.store import clips, events, outbox
from agent.store.clip_recovery import recover_camera
from agent.store.encryption.file_keys import Keyring
from agent.store.folders import Folders
from tests.conftest import HandClock
from tests.rigs.cameras.h264 import movie
from tests.rigs.store.cards import swept


def write_clip(folders: Folders, seq: int, name: str, *, finished: bool) -> Path:
    """The file as the recorder writes it: torn (head and fragments) or finished (complete head, final name)."""
    info, packets = movie()
    fragmenter = Fragmenter(info, packets[0], 1_795_000_000_000, 60, 1.8)
    data = fragmenter.head + b"".join(fragment for p in packets if (fragment := fragmenter.add(p)))
    path = folders.clip(seq, name) if finished else folders.part(seq, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    if finished:
        tail, head = fragmenter.close(packets[-1].dts_us + 100_000)
        with path.open("r+b") as file:
            file.seek(0, os.SEEK_END)
            file.write(tail)
            file.seek(0)
            file.write(head)
    return path


def frames_in(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


@pytest.fixture
def open_clip(db: sqlite3.Connection, hand_clock: HandClock) -> tuple[int, str]:
    return clips.open_row(db, "gate", "motion", hand_clock.now(), "h264", 320, 180)


def messages(db: sqlite3.Connection, kind: str) -> list[dict]:
    return [json.loads(row["data"]) for row in outbox.after(db, 0, 100) if row["kind"] == kind]


@pytest.mark.parametrize("torn_b", [0, 1, 700, 3000])
def test_a_torn_clip_is_cut_at_its_last_whole_fragment_and_plays(db, folders, hand_clock, open_clip, torn_b):
    seq, name = open_clip
    part = write_clip(folders, seq, name, finished=False)
    os.truncate(part, part.stat().st_size - torn_b)
    recover_camera(db, folders, "gate", hand_clock)
    clip = clips.get(db, name)
    assert clip is not None and clip.state == "recovered" and not part.exists()
    assert clip.frames == frames_in(folders.clip(seq, name)) and clip.frames >= 15
    assert clip.bytes == folders.clip(seq, name).stat().st_size
    assert [(m["id"], m["recovered"]) for m in messages(db, "clip")] == [(name, True)]


def test_a_cut_between_rename_and_row_keeps_the_whole_clip(db, folders, hand_clock, open_clip):
    seq, name = open_clip
    write_clip(folders, seq, name, finished=True)
    recover_camera(db, folders, "gate", hand_clock)
    clip = clips.get(db, name)
    assert clip is not None and (clip.state, clip.frames, clip.dur_ms) == ("recovered", 40, 4000)


def test_a_cut_before_the_file_leaves_a_lost_row(db, folders, hand_clock, open_clip):
    recover_camera(db, folders, "gate", hand_clock)
    assert [clip.seq for clip in clips.in_state(db, "lost")] == [open_clip[0]] and messages(db, "clip") == []


def test_a_file_without_a_whole_fragment_is_lost(db, folders, hand_clock, open_clip):
    seq, name = open_clip
    part = write_clip(folders, seq, name, finished=False)
    os.truncate(part, 900)
    recover_camera(db, folders, "gate", hand_clock)
    assert [clip.seq for clip in clips.in_state(db, "lost")] == [seq] and not part.exists()


def test_an_open_event_ends_with_the_last_frame_that_shows_it(db, folders, hand_clock, open_clip):
    seq, name = open_clip
    event = events.open_row(db, "gate", "motion", hand_clock.now())
    events.tie(db, event, seq)
    write_clip(folders, seq, name, finished=False)
    recover_camera(db, folders, "gate", hand_clock)
    found = events.get(db, event)
    assert found is not None and found.state == "cut" and found.clip == name and 3000 <= found.dur_ms <= 4000
    assert [(m["event"], m["cut"], m["clip"]["id"]) for m in messages(db, "motion")] == [(event, True, name)]


def test_open_tampering_is_cut_by_its_own_message_and_that_which_goes_on_is_not(db, folders, hand_clock, open_clip):
    over, going_on = (events.open_row(db, "gate", "tamper", hand_clock.now(), code=code, score=0.5)
                      for code in ("covered", "moved"))
    events.tie(db, over, open_clip[0])
    write_clip(folders, *open_clip, finished=False)
    recover_camera(db, folders, "gate", hand_clock, going_on={going_on})
    (told,) = messages(db, "tamper")
    assert (told["event"], told["code"], told["phase"], told["cut"]) == (over, "covered", "end", True)
    assert told["clip"]["id"] == open_clip[1] and 3000 <= told["dur_ms"] <= 4000 and messages(db, "motion") == []
    assert [event.id for event in events.unfinished(db, "gate")] == [going_on]


def test_another_camera_and_the_event_that_goes_on_are_left_alone(db, folders, hand_clock, open_clip):
    event = events.open_row(db, "gate", "motion", hand_clock.now())
    clips.open_row(db, "yard", "motion", hand_clock.now(), "h264", 320, 180)
    recover_camera(db, folders, "gate", hand_clock, going_on={event})
    assert [clip.camera for clip in clips.in_state(db, "open")] == ["yard"]
    assert [e.id for e in events.unfinished(db, "gate")] == [event]


def test_a_clip_that_is_still_being_written_is_left_alone_with_its_event(db, folders, hand_clock, open_clip):
    seq, name = open_clip
    event = events.open_row(db, "gate", "motion", hand_clock.now())
    part = write_clip(folders, seq, name, finished=False)
    data = part.read_bytes()
    part.unlink()
    file = ClipFile(part)
    file.append(data)
    recover_camera(db, folders, "gate", hand_clock)
    assert [clip.seq for clip in clips.in_state(db, "open")] == [seq] and part.read_bytes() == data
    assert [e.id for e in events.unfinished(db, "gate")] == [event]
    file.close()                # as its process's death would
    recover_camera(db, folders, "gate", hand_clock)
    assert [clip.state for clip in clips.finished(db)] == ["recovered"] and not events.unfinished(db, "gate")


@pytest.mark.parametrize("number", [errno.EIO, errno.EUCLEAN, errno.EACCES])
def test_a_part_that_cannot_be_read_is_lost_and_holds_up_no_other(
        db, folders, hand_clock, open_clip, monkeypatch, number):
    bad = write_clip(folders, *open_clip, finished=False)
    good = clips.open_row(db, "gate", "motion", hand_clock.now(), "h264", 320, 180)
    write_clip(folders, *good, finished=False)
    really_open = os.open

    def open_or_fail(path: Path, *args: object, **keys: object) -> int:
        if path == bad:
            raise OSError(number, os.strerror(number), str(path))
        return really_open(path, *args, **keys)

    monkeypatch.setattr(os, "open", open_or_fail)
    recover_camera(db, folders, "gate", hand_clock)
    lost, = clips.in_state(db, "lost")
    assert lost.seq == open_clip[0] and os.strerror(number) in lost.why and bad.exists()
    assert [(clip.seq, clip.state) for clip in clips.finished(db)] == [(good[0], "recovered")]


def test_a_clip_that_can_be_read_but_not_completed_waits_for_a_better_moment(
        db, folders, hand_clock, open_clip, monkeypatch):
    part = write_clip(folders, *open_clip, finished=False)

    def fail(handle: int, data: bytes, offset: int) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as unwell:
        unwell.setattr(os, "pwrite", fail)
        assert not recover_camera(db, folders, "gate", hand_clock)
    assert [clip.seq for clip in clips.in_state(db, "open")] == [open_clip[0]] and part.exists()
    assert recover_camera(db, folders, "gate", hand_clock)
    assert [clip.state for clip in clips.finished(db)] == ["recovered"]


def test_a_picture_that_no_row_names_goes_with_the_event_that_was_cut(db, folders, hand_clock):
    now = hand_clock.now()
    name = f"gate-{now.boot}-{now.mono_ms}.jpg"
    done, _ = events.open_row(db, "yard", "motion", now), events.open_row(db, "gate", "motion", now)
    events.finish(db, done, 1000, 0.1, 1, [], "1", f"yard-{now.boot}-{now.mono_ms}.jpg")
    for left in (name, f"{name}.part", f"yard-{now.boot}-{now.mono_ms}.jpg"):
        (folders.thumbs / left).write_bytes(b"\xff\xd8")
    recover_camera(db, folders, "gate", hand_clock)
    recover_camera(db, folders, "yard", hand_clock)
    assert [path.name for path in folders.thumbs.iterdir()] == [f"yard-{now.boot}-{now.mono_ms}.jpg"]


def test_recovery_twice_announces_once(db, folders, hand_clock, open_clip):
    write_clip(folders, *open_clip, finished=False)
    for _ in range(2):
        recover_camera(db, folders, "gate", hand_clock)
    assert len(messages(db, "clip")) == 1


def test_the_sweep_adopts_files_whose_rows_are_lost_and_leaves_strangers_alone(db, folders, hand_clock):
    write_clip(folders, 7, "gate-9f2c1a7e-000007", finished=True)
    strange = [folders.clips / "000000" / name
               for name in ("holiday.mp4", "a\nb.mp4", "gate-9f2c1a7e-999999.mp4", "x.mp4.part")]
    for path in strange:
        path.write_bytes(b"mine")
    assert swept(db, folders, hand_clock.now(), Keyring(folders).file_key) == (1, 0)
    clip = clips.get(db, "gate-9f2c1a7e-000007")
    assert clip is not None and (clip.camera, clip.frames, clip.wall_ms) == ("gate", 40, 1_795_000_000_000)
    assert all(path.read_bytes() == b"mine" for path in strange)
    assert clips.open_row(db, "gate", "motion", hand_clock.now(), "h264", 1, 1)[0] == 8


def test_the_sweep_tells_of_files_that_are_gone(db, folders, hand_clock, open_clip):
    clips.finish(db, open_clip[0], "done", 1000, 10, 10)
    assert swept(db, folders, hand_clock.now(), Keyring(folders).file_key) == (0, 1)
    assert [clip.seq for clip in clips.in_state(db, "lost")] == [open_clip[0]]
    assert [m["lost_n"] for m in messages(db, "storage")] == [1]
