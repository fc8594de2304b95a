"""`taimat demo`: real processes and a real broker, from a file to events, clips and a clean end."""
import itertools
import re
import socket
from dataclasses import replace
from pathlib import Path

import av
import pytest

from agent.cli.demo import footage as demo_footage
from agent.cli.demo.debian import NotToBeHad, find, free_port
from agent.cli.demo.footage import CannotPlay, choose
from agent.cli.demo.messages import Joined, ReceivedMessage, StoreReader, line, read
from agent.cli.processes import processes
from agent.core.household.labels import EventWord
from agent.store import clips, events
from agent.store.database import connect
from tests.cli.cli import taimat_process, taimat_until
from tests.conftest import HandClock
from tests.rigs.cameras import footage

CLIP = r"clip +demo: .*?(/\S+\.mp4)"


def codec_of(path: Path) -> tuple[str, int, int]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return stream.codec_context.name, stream.width, stream.frames


def test_h264_is_taken_as_it_is_and_anything_else_converted_once(tmp_path: Path):
    film = footage.clip(640, 360, fps=10, gop=20, kbps=400)
    assert choose(str(film), tmp_path).source == f"file:{film}"
    other = footage.clip(640, 360, seconds=8, codec="mjpeg")
    made = Path(choose(str(other), tmp_path).source.removeprefix("file:"))
    assert codec_of(made) == ("h264", 640, codec_of(other)[2])
    before = made.stat()
    assert choose(str(other), tmp_path).source == f"file:{made}" and made.stat().st_mtime_ns == before.st_mtime_ns


CAMERAS = [("rtsp://u:p@h/1", "rtsp://u:p@h/1"), ("/dev/video3", "v4l2:/dev/video3")]


@pytest.mark.parametrize(("named", "source"), CAMERAS)
def test_cameras_are_taken_by_their_names(tmp_path: Path, named: str, source: str):
    assert choose(named, tmp_path).source == source


def test_what_is_no_video_is_refused_with_its_name(tmp_path: Path):
    (tmp_path / "a.mp4").write_text("no")
    for name in ("a.mp4", "none.mp4"):
        with pytest.raises(CannotPlay, match=name):
            choose(str(tmp_path / name), tmp_path)
    said = taimat_process(tmp_path, "demo", tmp_path / "none.mp4")
    assert said.returncode == 1 and "none.mp4" in said.stderr and "Traceback" not in said.stderr


def test_without_real_footage_a_scene_is_drawn_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(demo_footage, "INSIDE", str(tmp_path / "nowhere.avi"))
    monkeypatch.setattr(demo_footage.Apt, "fetch", lambda *_: (_ for _ in ()).throw(NotToBeHad("no network")))
    monkeypatch.setattr(demo_footage, "SCENE", replace(demo_footage.SCENE, frames_n=20))
    film = choose(None, tmp_path)
    assert "generated scene" in film.text and "no network" in film.text
    assert codec_of(Path(film.source.removeprefix("file:"))) == ("h264", 768, 20)


def test_a_port_that_is_taken_is_left_alone():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert free_port(taken.getsockname()[1]) != taken.getsockname()[1]


def test_messages_become_lines_and_a_strangers_do_not_stop_it():
    event = {"source": "/cam/demo/c-1/gate", "type": "cam.clip.v1", "time": "2026-11-25T01:00:00.000Z",
             "data": {"id": "gate-0b-000007", "dur_ms": 12300, "bytes": 3400000}}
    told = read("evt", event)
    assert told is not None
    assert line(told, lambda name: Path("/x") / name).plain.endswith("gate: 12.3 s, 3.4 MB  /x/gate-0b-000007")
    assert read("birth", {}) is None
    with pytest.raises(KeyError):
        read("evt", {"data": 1})
    waiting = {"cams": [{"c": "gate", "st": "retrying", "fps": 0}]}
    assert "no picture yet of gate · gate retrying" in line(ReceivedMessage("health", None, "", waiting), Path).plain
    dark = {"code": "camera_unreachable", "phase": "start", "detail": "nobody answers"}
    assert line(ReceivedMessage("camera", None, "gate", dark), Path).plain.endswith(
        "gate: The camera can't be reached: nobody answers")
    health = {"cond": [{"code": "not_recording", "sev": "alarm"}]}
    assert "Not recording" in line(ReceivedMessage("health", None, "", health), Path).plain


def test_without_a_broker_what_happens_is_read_in_the_store(tmp_path: Path, hand_clock: HandClock):
    reader = StoreReader(tmp_path)
    assert reader.next(0.01) is None, "no store yet"
    db, now = connect(tmp_path), hand_clock.now()
    event = events.open_row(db, "demo", "motion", now)
    said = [line(reader.next(0), Path).plain]
    events.finish(db, event, 4000, 0.5, 2, [], "1", None)
    seq, name = clips.open_row(db, "demo", "motion", now, "h264", 320, 180)
    clips.finish(db, seq, "done", 12_300, 3_400_000, 75)
    said += [line(reader.next(0), Path).plain for _ in range(2)]
    events.label(db, event, EventWord("person", 0.87))
    said.append(line(reader.next(0), Path).plain)
    assert [each[10:] for each in said] == [
        "motion  demo: event 1 begins", "motion  demo: event 1 ends after 4.0 s, 2 things moved",
        f"clip    demo: 12.3 s, 3.4 MB  {name}", "label   demo: event 1 was a person, score 0.87"]
    assert reader.next(0.01) is None
    hand_clock.advance(4.5)
    events.open_row(db, "demo", "motion", hand_clock.now())
    assert reader.next(0).data["continues"] == event, "motion returned within the merge gap"
    reader.close()
    db.close()


def test_the_demo_shows_events_and_clips_from_a_real_broker_and_leaves_nothing_running(tmp_path: Path):
    try:
        find(tmp_path)
    except NotToBeHad as error:
        pytest.skip(f"no mosquitto: {error}")
    film = footage.clip(640, 360, fps=10, gop=20, kbps=400)
    begins = r"motion +demo: event \d+ begins"      # a slow link may tell of the clip first
    code, said = taimat_until(f"(?s){begins}.*{CLIP}|{CLIP}.*{begins}", tmp_path, "demo", film, "--port", free_port(0))
    assert code == 0, said
    assert "mosquitto" in said and re.search(r"page +http://localhost:\d+/enter/\S{32} ", said)
    assert re.search(begins, said) and re.search(r"health +\S", said)
    assert codec_of(Path(re.search(CLIP, said)[1]))[0] == "h264"
    assert re.search(r"\d+ s: [1-9]\d* events?, [1-9]\d* clips?", said)
    store = str(tmp_path / ".cache" / "taimat")
    assert not [each for each in processes() if (each.config or "").startswith(store)]


def motion(event: int, phase: str, continues: int | None = None) -> ReceivedMessage:
    long = {"dur_ms": 12_000} if phase == "end" else {}
    return ReceivedMessage("motion", None, "gate", {"event": event, "phase": phase, "continues": continues, **long})


def label(event: int, word: str) -> ReceivedMessage:
    return ReceivedMessage("label", None, "gate", {"event": event, "label": word, "score": 0.9})


@pytest.mark.parametrize("places", [*itertools.combinations(range(5), 2)])
def test_an_event_in_parts_begins_and_ends_once(places: tuple[int, int]):
    """Ends and beginnings come in their order, but those of one moment before or after each other."""
    begin, end = iter([motion(2, "start", 1), motion(3, "start", 2)]), iter([motion(each, "end") for each in (1, 2, 3)])
    told = [motion(1, "start"), *(next(begin if place in places else end) for place in range(5))]
    joined = Joined()
    shown = [each for message in told for each in joined.next(message)] + [*joined.rest()]
    assert [line(each, Path).plain[18:] for each in shown] == [
        "gate: event 1 begins", "gate: event 1 ends after 36.0 s"]


def test_each_label_of_an_event_is_shown_once():
    joined = Joined()
    told = [motion(2, "start", 1), label(1, "person"), label(2, "person"), label(2, "animal"), label(3, "person")]
    assert [(each.data["event"], each.data["label"]) for message in told for each in joined.next(message)] == [
        (1, "person"), (2, "animal"), (3, "person")]


def test_a_camera_that_does_not_answer_is_no_success(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    code, said = taimat_until(r"no picture yet: .*refuses the connection", tmp_path, "demo",
                              f"rtsp://u:s3cret@127.0.0.1:{port}/x", "--port", free_port(0))
    assert code == 1 and "all well" not in said and "s3cret" not in said
    assert re.search("No picture came from the camera: .*refuses the connection", said)
