"""From encoded video to what an event carries: its zones, its objects and their way, and a picture that shows one."""
import io
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import av
import numpy as np
import pytest

from agent.cameras.demux import Packets
from agent.capture.clip_rows import ClipRules
from agent.capture.events import EARLY_S, EventBuilder
from agent.capture.labeller import Labeller
from agent.capture.motion_feed import SubFeed
from agent.capture.pipe import CONFIRM_S, Pipe
from agent.capture.recorder import Recorder
from agent.capture.sockets import LiveSocket
from agent.capture.writer_jobs import BestLook, EarlyLook, Job
from agent.config.derived import digest
from agent.config.settings import Camera, Motion, Zone
from agent.core.media.model import Box, Packet, StreamInfo
from agent.core.media.ring import Ring
from agent.core.vision.luma import Luma
from agent.core.vision.motion import DETECTOR_VERSION, SeenObject
from agent.core.vision.zones import Counted
from agent.footage.film import last_picture
from agent.host.datagram import Outlet
from agent.store import clips, events
from agent.store.events import StoredEvent
from agent.store.folders import Folders
from tests.capture.conftest import Rig
from tests.conftest import HandClock
from tests.rigs.cameras import footage
from tests.rigs.cameras.h264 import encoded, movie
from tests.rigs.device.label_weights import machine, weights_here
from tests.rigs.house.household import write_clip
from tests.rigs.wait import HANG_S, until
from tests.scenes import Happening, Walk, noise, pictures

FPS, GOP = 10, 10
GATE = [(0.5, 0.6), (0.75, 0.6), (0.75, 1.0), (0.5, 1.0)]
BEGIN = [(0.0, 0.5), (0.3, 0.5), (0.3, 1.0), (0.0, 1.0)]
WALKER = Walk(start_s=5, x=30, px_per_s=28, stop_s=14)      # the foot goes from 0.1 to 0.9
AT_GATE_S = 5 + (0.5 - 0.09) * 320 / 28

Film = tuple[StreamInfo, Sequence[Packet]]


def film(seconds: float, *happenings: Happening) -> Film:
    """A scene as a camera sends it."""
    frames = (av.VideoFrame.from_ndarray(luma.y, "gray").reformat(format="yuv420p")
              for luma in pictures(seconds, FPS, *happenings, noise(1.5)))
    return encoded(frames, FPS, GOP, b="400k", maxrate="600k", bufsize="800k")


def demuxed(path: Path) -> Film:
    """A file's packets."""
    with av.open(str(path)) as container:
        packets = Packets(container.streams.video[0])
        found = [item for packet in container.demux(video=0) if packet.size for item in packets.convert(packet)]
        return packets.info, [item for item in found if isinstance(item, Packet)]


@dataclass
class Theatre:
    """Shows films to a camera's pipe, every packet recorded and decoded, on a clock that goes with the film."""

    folders: Folders
    clock: HandClock
    db: sqlite3.Connection
    place: Path
    began_mono_s: float = 0.0
    labeller: Labeller | None = None

    def pipe(self, **keys: object) -> tuple[Pipe, Recorder, LiveSocket]:
        """A camera with these settings."""
        camera = Camera(name="gate", source="rtsp://h/1", **keys)
        recorder = Recorder("gate", self.folders, self.clock, Outlet(self.place),
                            ClipRules(1, camera.pre_roll_s), labeller=self.labeller)
        live = LiveSocket(self.place / "live.sock")
        recorder.start()
        return Pipe(camera, recorder, live, self.clock), recorder, live

    def show(self, shown: Film, pipe: Pipe, started_mono_s: float) -> None:
        """The whole film."""
        feed = SubFeed(pipe, self.clock)
        pipe.stream(shown[0])
        feed.stream(shown[0])
        for packet in shown[1]:
            self.clock.mono = started_mono_s + packet.dts_us / 1e6
            pipe.packet(packet)
            feed.packet(packet)

    def events(self, shown: Film, **keys: object) -> list[StoredEvent]:
        """The events of a film, oldest first; their times count from its first picture."""
        self.began_mono_s = self.clock.mono
        pipe, recorder, live = self.pipe(**keys)
        self.show(shown, pipe, self.began_mono_s)
        pipe.finish()
        recorder.finish(HANG_S)
        live.close()
        return events.latest(self.db)[::-1]

    def began_s(self, event: StoredEvent) -> float:
        """When it began, in seconds of the film."""
        return event.mono_ms / 1000 - self.began_mono_s


@pytest.fixture
def theatre(folders: Folders, hand_clock: HandClock, db: sqlite3.Connection, tmp_path: Path) -> Theatre:
    return Theatre(folders, hand_clock, db, tmp_path)


@pytest.fixture(scope="module")
def walked() -> Film:
    return film(24, WALKER)


def test_an_event_carries_its_zones_its_objects_their_way_and_what_it_was_seen_by(theatre: Theatre, walked: Film):
    zone = [Zone(name="path", area=BEGIN), Zone(name="gate", rule="enter", area=GATE), Zone(name="bin", area=GATE[:3])]
    event, = theatre.events(walked, zone=zone, merge_gap_s=6)
    assert (event.zones, event.tracks_n, event.detector) == (["path", "gate", "bin"], 1, DETECTOR_VERSION)
    assert event.settings == digest(Camera(name="x", source="file:/x", zone=zone))
    assert 0.001 < event.score < 0.2 and theatre.began_s(event) == pytest.approx(5.6, abs=0.6)
    assert [step[1] for step in event.path] == [1] * len(event.path) and len(event.path) > 20
    middles = [x + w / 2 for _, _, x, _, w, _ in event.path]
    assert middles[0] < 250 and middles[-1] > 700 and max(np.diff(middles)) < 300
    assert event.clip and event.thumb and len(event.boxes) == 1


@pytest.mark.parametrize("zone", [Zone(name="gate", rule="enter", area=GATE), Zone(name="gate", area=GATE)],
                         ids=lambda zone: zone.rule)
def test_with_zones_an_event_begins_only_by_them(theatre: Theatre, walked: Film, zone: Zone):
    event, = theatre.events(walked, zone=[zone])
    assert theatre.began_s(event) == pytest.approx(AT_GATE_S, abs=0.6) and event.dur_ms < 4_500
    assert all(400 < x + w / 2 < 850 for _, _, x, _, w, _ in event.path)


@pytest.mark.parametrize("zone", [
    [Zone(name="tree", rule="ignore", area=[(0, 0), (1, 0), (1, 1), (0, 1)])],
    [Zone(name="start", rule="enter", area=BEGIN)],
    [Zone(name="step", rule="cross", line=[(0.6, 0.5), (0.6, 1.0)], direction="right")]],
    ids=lambda zones: zones[0].rule)
def test_what_fulfils_no_zone_is_no_event(theatre: Theatre, walked: Film, zone: list[Zone]):
    assert theatre.events(walked, zone=zone) == []


def test_the_start_s_message_has_the_zones_so_far_and_the_end_s_all(theatre: Theatre, walked: Film, rig: Rig):
    theatre.events(walked, zone=[Zone(name="path", area=BEGIN), Zone(name="gate", area=GATE)], merge_gap_s=6)
    start, end = rig.messages("motion")
    assert (start["zones"], end["zones"]) == (["path"], ["path", "gate"])
    assert "path" not in start and end["path"] and end["detector"] == DETECTOR_VERSION and len(end["settings"]) == 12


def test_half_the_looks_see_the_same_event(theatre: Theatre, walked: Film):
    zone = [Zone(name="gate", rule="enter", area=GATE)]
    event, = theatre.events(walked, zone=zone, motion=Motion(fps=2.5))
    assert theatre.began_s(event) == pytest.approx(AT_GATE_S, abs=0.8) and event.zones == ["gate"]


def test_the_pre_roll_is_kept_from_before_anything_moved(theatre: Theatre, db):
    event, = theatre.events(film(24, WALKER._replace(start_s=10)), pre_roll_s=3)
    clip, = clips.finished(db)
    assert event.mono_ms - clip.mono_ms >= 1000 * (3 + CONFIRM_S) - 1
    assert clip.mono_ms / 1000 - theatre.began_mono_s <= 10 - 3


def test_after_an_event_there_is_no_other_one_until_it_has_cooled_down(theatre: Theatre):
    twice = film(32, WALKER._replace(stop_s=8), WALKER._replace(start_s=14, stop_s=24))
    first, second = theatre.events(twice, merge_gap_s=1, post_roll_s=1, cool_down_s=8)
    assert theatre.began_s(second) == pytest.approx(8 + 0.8 + 1 + 8, abs=0.5) and theatre.began_s(first) < 6.5


def test_other_zones_apply_to_a_camera_at_work_and_the_event_goes_on(theatre: Theatre, walked: Film):
    zone = [Zone(name="yard", area=[(0, 0), (1, 0), (1, 1), (0, 1)])]
    began_mono_s = theatre.clock.mono
    pipe, recorder, live = theatre.pipe(merge_gap_s=15)
    info, packets = walked
    theatre.show((info, packets[:80]), pipe, began_mono_s)
    pipe.adjust(Camera(name="gate", source="rtsp://h/1", merge_gap_s=15, zone=zone))
    again = [replace(each, pts_us=each.pts_us + 8_000_000, dts_us=each.dts_us + 8_000_000) for each in packets[:100]]
    theatre.show((info, again), pipe, began_mono_s)             # the new detector begins its numbers anew
    pipe.finish()
    recorder.finish(HANG_S)
    live.close()
    event, = events.latest(theatre.db)
    assert event.zones == ["yard"] and event.tracks_n == 2


# The picture.

def jpeg(theatre: Theatre, event: StoredEvent) -> np.ndarray:
    """The event's picture, its brightness."""
    data = (theatre.folders.thumbs / event.thumb).read_bytes()
    with av.open(io.BytesIO(data), format="image2pipe") as container:
        return next(container.decode(video=0)).to_ndarray(format="gray").astype(float)


def empty(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """The footage's scene without those who go through it."""
    with av.open(str(path)) as container:
        frames = [frame.reformat(shape[1], shape[0], "gray").to_ndarray()
                  for number, frame in enumerate(container.decode(video=0)) if number % 12 == 0]
    return np.median(frames, axis=0)


def test_on_real_video_the_picture_shows_the_object(theatre: Theatre):
    path = footage.clip(640, 360, 10, 10, 800, seconds=40)
    found = theatre.events(demuxed(path), max_clip_s=10, merge_gap_s=1, post_roll_s=1)
    assert found
    for event in found:
        picture = jpeg(theatre, event)
        change = np.abs(picture - empty(path, picture.shape))
        x, y, w, h = event.boxes[0]
        tall, wide = picture.shape
        inside = change[int(y * tall):int((y + h) * tall), int(x * wide):int((x + w) * wide)]
        assert inside.mean() > 3 * change.mean() and inside.mean() > 8


def test_on_real_video_who_is_seen_is_a_person(theatre: Theatre, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    weights_here(monkeypatch)
    path = footage.clip(640, 360, 10, 10, 800, seconds=40)
    if "generated" in path.name:
        pytest.skip("the real footage can't be had")
    theatre.labeller = Labeller(tmp_path, machine(tmp_path / "calm"))
    pipe, recorder, live = theatre.pipe(max_clip_s=10, merge_gap_s=1, post_roll_s=1)
    theatre.show(demuxed(path), pipe, theatre.clock.mono)
    pipe.finish()
    until(lambda: all(each.label == "" or each.label_score for each in events.latest(theatre.db)), "a word for each")
    recorder.finish(HANG_S)
    live.close()
    words = [each.label for each in events.latest(theatre.db)]
    assert words.count("person") > len(words) / 2


def test_the_picture_is_of_the_moment_when_the_object_is_large_and_whole(theatre: Theatre):
    comes_nearer = [Walk(start_s=5 + 0.5 * n, stop_s=5.5 + 0.5 * n, x=60 + 10 * n, y=100 + 6 * n, px_per_s=20,
                         tall=30 + 8 * n) for n in range(16)]
    event, = theatre.events(film(22, *comes_nearer))
    _, y, _, h = event.boxes[0]
    tallest = max(step[5] for step in event.path if step[3] + step[5] < 990)
    assert 1000 * h > 0.7 * tallest and y + h < 0.99


def test_a_look_that_repeats_the_last_boxes_is_no_picture_of_who_may_be_gone():
    info, packets = movie()
    ring = Ring(10, 1_000_000)
    for packet in packets[:4]:
        ring.push(packet)
    story, sharp = EventBuilder(0, ring), np.random.default_rng(1).integers(0, 255, (90, 160), np.uint8)
    seen = Counted((SeenObject(1, Box(0.3, 0.3, 0.2, 0.4)),))
    for number, picture in enumerate((sharp // 16, sharp)):
        story.note(seen, 0.1, Luma(picture, number / FPS), info)
    assert story.end(1.0, "").peak.packets == [packets[0]]
    story.note(Counted((SeenObject(1, Box(0.31, 0.3, 0.2, 0.4)),)), 0.1, Luma(sharp, 2 / FPS), info)
    assert story.end(1.0, "").peak.packets == [*packets[:3]]


def test_a_second_after_its_begin_the_best_look_so_far_is_shown_once(theatre: Theatre, walked: Film):
    pipe, recorder, live = theatre.pipe()
    looks: list[tuple[float, BestLook]] = []
    offer, began_mono_s = recorder.offer, theatre.clock.mono

    def watched(batch: list[Job]) -> bool:
        looks.extend((theatre.clock.mono - began_mono_s, job.look) for job in batch if isinstance(job, EarlyLook))
        return offer(batch)

    recorder.offer = watched
    theatre.show(walked, pipe, began_mono_s)
    pipe.finish()
    recorder.finish(HANG_S)
    live.close()
    event, = events.latest(theatre.db)
    (at_s, look), = looks
    assert at_s - (event.mono_ms / 1000 - began_mono_s) == pytest.approx(EARLY_S, abs=0.3)
    picture, (x, y, w, h) = last_picture(look.info, look.packets), look.boxes[0]
    assert picture is not None and abs(picture.pts / 1e6 - began_mono_s - at_s) <= EARLY_S + 0.1
    shown = picture.to_ndarray(format="gray")[round(y * 180):round((y + h) * 180), round(x * 320):round((x + w) * 320)]
    assert shown.std() > 15, "somebody is in the box"


# With a real source, in real time.

@pytest.fixture
def played(rig: Rig, tmp_path: Path, walked: Film) -> Iterator[Rig]:
    path = tmp_path / "walk.mp4"
    write_clip(path, *walked)
    rig.start(f"file:{path}", merge_gap_s=1, post_roll_s=1, zone=[
        Zone(name="cổng", rule="enter", area=GATE), Zone(name="step", rule="cross", line=[(0.7, 0.5), (0.7, 1.0)]),
        Zone(name="start", rule="enter", area=BEGIN)])
    yield rig


def test_a_film_that_is_played_makes_an_event_with_the_zones_that_were_fulfilled(played: Rig):
    event = until(lambda: next((each for each in played.events() if each.state == "done"), None), "an event")
    assert event.zones == ["cổng", "step"] and event.tracks_n == 1 and event.path and event.thumb
    start, end = played.messages("motion")
    assert (start["zones"], end["zones"]) == (["cổng"], ["cổng", "step"])
