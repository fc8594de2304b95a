"""Events get their word: from packets to the row, by the real process and the real weights; and what stands against it.
"""
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from agent.capture.clip_rows import ClipRules
from agent.capture.labeller import PROGRAM, SOCKET, Labeller, LabelTask
from agent.capture.recorder import Recorder
from agent.capture.writer_jobs import BestLook, EarlyLook, EventClose, EventOpen
from agent.core.contract.helper_messages import (
    LabelAnswer,
    LabelQuestion,
    ShownLook,
    label_answer,
    label_message,
    label_question,
)
from agent.core.household.labels import FEW_LOOKS_N, FREE_MIN_B, LIKELY, TASKS_MAX, TASKS_MAX_B, EventWord
from agent.core.media.model import Box
from agent.core.vision.event_notes import Summary
from agent.host.datagram import Outlet
from agent.store import events, outbox
from tests.conftest import HandClock
from tests.rigs.cameras.h264 import encoded, movie
from tests.rigs.device.label_weights import machine, weights_here
from tests.rigs.store.joined import join
from tests.rigs.wait import HANG_S, until

BOX = (0.3, 0.3, 0.2, 0.4)
# Runs the process, and says its largest size in kB: that of its parent does not count there.
PEAK = f"""
import runpy
try:
    runpy.run_module({PROGRAM!r}, run_name="__main__")
finally:
    print("peak", open("/proc/self/status").read().partition("VmHWM:")[2].split()[0], end="")
"""


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the weights."""
    return weights_here(monkeypatch)


def look() -> BestLook:
    info, packets = movie()
    return BestLook([BOX], info, packets[:3])


class Told:
    """What the labeller has told, in order."""

    def __init__(self) -> None:
        self.labels: list[EventWord | None] = []

    def task(self, *looks: BestLook) -> LabelTask:
        return LabelTask(looks or (look(),), self.labels.append)

    def wait(self, n: int) -> list[EventWord | None]:
        until(lambda: len(self.labels) >= n, f"{n} words")
        return self.labels


def test_a_grey_picture_is_nothing(here: Path, tmp_path: Path):
    told = Told()
    Labeller(tmp_path, machine(tmp_path / "calm")).add(told.task())
    label, = told.wait(1)
    assert label is not None and label.word == "nothing"


def test_the_process_takes_less_memory_than_must_be_free(here: Path):
    grey = np.full((1620, 1920), 128, np.uint8)
    info, packets = encoded([av.VideoFrame.from_ndarray(grey, "yuv420p")] * 3, 15, 15)
    question = label_message(LabelQuestion(looks=[ShownLook(info=info, packets=list(packets), box=Box(*BOX))] * 2))
    done = subprocess.run([sys.executable, "-P", "-c", PEAK], input=question, capture_output=True, check=True)
    answer, peak_kb = done.stdout.rsplit(b"peak", 1)
    assert label_answer(answer).label is not None
    assert int(peak_kb) * 1024 < FREE_MIN_B, "all of it; half are libraries' pages that capture has in memory anyway"


def test_without_weights_no_event_waits_for_a_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    assert not Labeller(tmp_path, machine(tmp_path / "calm")).add(Told().task())


def test_a_board_of_512_mb_gives_a_word(here: Path, tmp_path: Path):
    told = Told()
    board = machine(tmp_path / "small", meminfo="MemTotal: 480000 kB\nMemAvailable: 150000 kB\n")
    assert Labeller(tmp_path, board).add(told.task())
    label, = told.wait(1)
    assert label is not None and label.word == "nothing"


def test_on_a_device_only_systemd_s_process_is_asked(here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/systemd/notify")
    assert not Labeller(tmp_path, machine(tmp_path / "calm")).add(Told().task())


@pytest.mark.parametrize("short", [
    {"meminfo": "MemTotal: 480000 kB\nMemAvailable: 110000 kB\n"}, {"loadavg": "900.0 1.0 1.0 1/99 7\n"}])
def test_a_machine_that_gets_room_again_gives_all_words_that_wait_the_newest_first(here: Path, tmp_path: Path,
                                                                                   short: dict[str, str]):
    root, told = machine(tmp_path / "short", **short), Told()
    door = Door(tmp_path / SOCKET, label_message(LabelAnswer(label=EventWord("person", 0.5))))
    door.open.set()
    labeller = Labeller(tmp_path, root, retry_s=0.01)
    looks = [replace(look(), boxes=[(0.01 * n, 0.3, 0.2, 0.4)]) for n in range(TASKS_MAX + 2)]
    assert all(labeller.add(told.task(each)) for each in looks)
    assert told.labels == [None] * 2 and door.questions == [], "those that are too many are given up, no others"
    machine(root)
    assert told.wait(len(looks))[2:] == [EventWord("person", 0.5)] * TASKS_MAX
    asked = [label_question(question).looks[0].box for question in door.questions]
    assert asked == [each.boxes[0] for each in reversed(looks[2:])]


def test_events_that_wait_for_long_keep_few_looks_before_one_is_given_up(here: Path, tmp_path: Path):
    root, told = machine(tmp_path / "short", loadavg="900.0 1.0 1.0 1/99 7\n"), Told()
    door = Door(tmp_path / SOCKET, label_message(LabelAnswer(label=EventWord("person", 0.5))))
    door.open.set()
    labeller = Labeller(tmp_path, root, retry_s=0.01)
    info, packets = movie()
    large = BestLook([BOX], info, [replace(packets[0], data=bytes(TASKS_MAX_B // 10))])
    for _ in range(4):
        assert labeller.add(told.task(*[large] * 3))
    assert told.labels == []
    machine(root)
    told.wait(4)
    assert [len(label_question(question).looks) for question in door.questions] == [3, 3, FEW_LOOKS_N, FEW_LOOKS_N]


def test_an_event_that_comes_is_looked_at_as_soon_as_there_is_room(here: Path, tmp_path: Path):
    root, told = machine(tmp_path / "short", loadavg="900.0 1.0 1.0 1/99 7\n"), Told()
    Door(tmp_path / SOCKET, label_message(LabelAnswer(label=EventWord("person", 0.5)))).open.set()
    labeller = Labeller(tmp_path, root, retry_s=10 * HANG_S)
    labeller.add(told.task())
    machine(root)
    labeller.add(told.task())
    assert told.wait(2) == [EventWord("person", 0.5)] * 2


class Door:
    """systemd's side of the door: one asker after the other, each answered by `answer`."""

    def __init__(self, path: Path, answer: bytes) -> None:
        path.parent.mkdir()
        self.questions: list[bytes] = []
        self.busy_n = 0         # so many are turned away
        self._listener, self.answer = socket.socket(socket.AF_UNIX), answer
        self._listener.bind(str(path))
        self._listener.listen(64)
        self.open = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            connection = self._listener.accept()[0]
            with connection, connection.makefile("rb") as asked:
                self.questions.append(asked.read())
                self.open.wait(HANG_S)
                connection.sendall(b"" if len(self.questions) <= self.busy_n else self.answer)


def test_the_door_is_asked_and_too_many_that_wait_are_given_up(here: Path, tmp_path: Path):
    door, told = Door(tmp_path / SOCKET, label_message(LabelAnswer(label=EventWord("vehicle", 0.7)))), Told()
    labeller, seen = Labeller(tmp_path, machine(tmp_path / "calm")), look()
    labeller.add(told.task(seen))
    until(lambda: door.questions, "a question")
    for _ in range(TASKS_MAX + 2):
        assert labeller.add(told.task())
    assert told.wait(2) == [None, None]
    door.open.set()
    assert told.wait(TASKS_MAX + 3)[2:] == [EventWord("vehicle", 0.7)] * (TASKS_MAX + 1)
    asked = label_question(door.questions[0]).looks
    assert [(each.box, each.packets) for each in asked] == [(BOX, list(seen.packets))]


def test_of_looks_that_are_too_much_video_the_best_are_asked_about(here: Path, tmp_path: Path):
    door, told = Door(tmp_path / SOCKET, label_message(LabelAnswer(label=EventWord("person", 0.5)))), Told()
    door.open.set()
    info, packets = movie()
    large = replace(packets[0], data=bytes(TASKS_MAX_B // 2))
    looks = [BestLook([(0.1 * n, 0.3, 0.2, 0.4)], info, [large]) for n in range(5)]
    labeller = Labeller(tmp_path, machine(tmp_path / "calm"))
    assert labeller.add(told.task(*looks)) and told.wait(1) == [EventWord("person", 0.5)]
    assert [each.box for each in label_question(door.questions[0]).looks] == [look.boxes[0] for look in looks[:2]]
    assert not labeller.add(told.task(BestLook([BOX], info, [large] * 3)))


@pytest.mark.parametrize("answer", [b"", b"\xc1", label_message(LabelAnswer())])
def test_a_door_that_gives_no_word(here: Path, tmp_path: Path, answer: bytes):
    door, told = Door(tmp_path / SOCKET, answer), Told()
    door.open.set()
    Labeller(tmp_path, machine(tmp_path / "calm"), retry_s=0.01).add(told.task())
    assert told.wait(1) == [None]


def test_a_look_that_fails_is_tried_again(here: Path, tmp_path: Path):
    door, told = Door(tmp_path / SOCKET, label_message(LabelAnswer(label=EventWord("person", 0.5)))), Told()
    door.busy_n = 2
    door.open.set()
    Labeller(tmp_path, machine(tmp_path / "calm"), retry_s=0.01).add(told.task())
    assert told.wait(1) == [EventWord("person", 0.5)] and len(door.questions) == 3


@pytest.fixture
def recorders(folders, hand_clock: HandClock, tmp_path: Path) -> Iterator[list[Recorder]]:
    made: list[Recorder] = []
    yield made
    for each in made:
        each.finish(HANG_S)


def recorded(recorders: list[Recorder], folders, db, clock: HandClock, place: Path, labeller: Labeller | None) -> None:
    recorder = Recorder("gate", folders, clock, Outlet(place), ClipRules(1, pre_roll_s=5),
                        labeller=labeller)
    recorders.append(recorder)
    recorder.start()
    at_us = int(clock.mono * 1e6)
    recorder.offer([EventOpen(at_us, 0.1, [BOX], False)])
    nobody_will_tell = until(lambda: [each.label == "" for each in events.latest(db)], "its begin")
    assert nobody_will_tell == [labeller is None], "what can't be named is known for that from its begin"
    recorder.offer([EventClose(at_us + 1_000_000, look(), Summary(0.5, tracks_n=1), "2", "", [look()])])


def test_the_word_is_stored_and_the_ward_is_told(here: Path, recorders, folders, hand_clock: HandClock, db,
                                                 tmp_path: Path):
    join(db)
    Door(tmp_path / SOCKET, label_message(LabelAnswer(label=EventWord("vehicle", 0.7)))).open.set()
    recorded(recorders, folders, db, hand_clock, tmp_path, Labeller(tmp_path, machine(tmp_path / "calm")))
    event = until(lambda: next((each for each in events.latest(db) if each.label), None), "a word")
    assert (event.label, event.label_score, event.state) == ("vehicle", 0.7, "done")
    told = [(row["kind"], json.loads(row["data"])) for row in outbox.after(db, 0, 10)]
    assert [kind for kind, _ in told] == ["motion", "motion", "label"]
    assert told[-1][1] == {"event": event.id, "label": "vehicle", "score": 0.7}
    assert events.latest(db, what="vehicle") == [event] and events.latest(db, what="person") == []


class Here:
    """An event of a recorder whose labels come by the door."""

    def __init__(self, recorder: Recorder, at_us: int, door: Door) -> None:
        self.recorder, self.at_us, self.door = recorder, at_us, door
        recorder.start()
        recorder.offer([EventOpen(at_us, 0.1, [BOX], False)])

    def look_early(self) -> None:
        self.recorder.offer([EarlyLook(look())])

    def end(self) -> None:
        self.recorder.offer([EventClose(self.at_us + 1_000_000, look(), Summary(0.5, tracks_n=1), "2", "", [look()])])


@pytest.fixture
def going_on(here: Path, recorders: list[Recorder], folders, hand_clock: HandClock, db,
             tmp_path: Path) -> Here:
    """An event that goes on, in a ward; its first label will be a likely person."""
    join(db)
    door = Door(tmp_path / SOCKET, label_message(LabelAnswer(label=EventWord("person", LIKELY))))
    recorder = Recorder("gate", folders, hand_clock, Outlet(tmp_path), ClipRules(1, pre_roll_s=5),
                        labeller=Labeller(tmp_path, machine(tmp_path / "calm")))
    recorders.append(recorder)
    return Here(recorder, int(hand_clock.mono * 1e6), door)


def labelled(db, score: float | None) -> events.StoredEvent:
    """The event once it has a label with that score."""
    return until(lambda: next((each for each in events.latest(db) if each.label and each.label_score == score), None),
                 "a label")


def test_an_event_that_goes_on_gets_a_likely_label_and_its_own_after_its_end(going_on: Here, db):
    going_on.door.open.set()
    going_on.look_early()
    event = labelled(db, None)
    assert (event.label, event.state) == ("person", "open")
    assert [row["kind"] for row in outbox.after(db, 0, 10)] == ["motion"], "the ward gets the last word alone"
    going_on.door.answer = label_message(LabelAnswer(label=EventWord("nothing", 0.2)))
    going_on.end()
    event = labelled(db, 0.2)
    assert (event.label, event.state) == ("nothing", "done")
    assert [row["kind"] for row in outbox.after(db, 0, 10)] == ["motion", "motion", "label"]


def test_a_likely_label_stays_if_no_other_comes(going_on: Here, db):
    going_on.door.open.set()
    going_on.look_early()
    labelled(db, None)
    going_on.door.answer = label_message(LabelAnswer())
    going_on.end()
    until(lambda: len(going_on.door.questions) == 2, "the other look")
    event = until(lambda: next((each for each in events.latest(db) if each.state == "done"), None), "its end")
    assert (event.label, event.label_score) == ("person", None)
    assert [row["kind"] for row in outbox.after(db, 0, 10)] == ["motion", "motion"]


@pytest.mark.parametrize("said", [EventWord("person", LIKELY - 0.01), EventWord("nothing", 0.9), None])
def test_an_early_look_that_shows_nobody_says_nothing(going_on: Here, db, said: EventWord | None):
    going_on.door.answer = label_message(LabelAnswer(label=said))
    going_on.door.open.set()
    going_on.look_early()
    until(lambda: going_on.door.questions, "the early look")
    going_on.door.answer = label_message(LabelAnswer(label=EventWord("vehicle", 0.7)))
    assert events.latest(db)[0].label is None
    going_on.end()
    assert labelled(db, 0.7).label == "vehicle"


def test_an_early_look_that_comes_after_the_end_changes_nothing(going_on: Here, db):
    going_on.look_early()
    until(lambda: going_on.door.questions, "the early look")
    going_on.look_early()           # waits behind it, and is not wanted any more when its turn comes
    going_on.end()
    until(lambda: events.latest(db)[0].state == "done", "its end")
    going_on.door.open.set()
    assert labelled(db, LIKELY).label == "person"
    assert len(going_on.door.questions) == 2


def test_without_a_labeller_the_row_says_that_nobody_will_tell(recorders, folders, hand_clock: HandClock, db,
                                                               tmp_path: Path):
    join(db)
    recorded(recorders, folders, db, hand_clock, tmp_path, None)
    event = until(lambda: next((each for each in events.latest(db) if each.state == "done"), None), "its end")
    assert (event.label, event.label_score) == ("", None)
    assert [row["kind"] for row in outbox.after(db, 0, 10)] == ["motion", "motion"]
