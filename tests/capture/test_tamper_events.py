"""From pictures that somebody tampers with to what is kept and told: events, clips, messages, and a state of health."""
import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import av
import msgspec
import pytest

from agent.capture.clip_rows import ClipRules
from agent.capture.main_decoder import MainDecoder
from agent.capture.motion_feed import SubFeed
from agent.capture.pipe import CONFIRM_S, Pipe
from agent.capture.recorder import Recorder
from agent.capture.sockets import LiveSocket
from agent.capture.watch_path import TamperState
from agent.capture.writer_jobs import ClipBegin, ClipLost, Tamper
from agent.config.settings import Camera
from agent.core.media.model import Packet, StreamInfo
from agent.core.vision.luma import Luma
from agent.core.vision.tamper import Kind
from agent.host.datagram import Outlet
from agent.store import clips, events, outbox
from agent.store.events import StoredEvent
from agent.store.folders import Folders
from tests.conftest import HandClock
from tests.rigs.cameras import footage
from tests.rigs.cameras.h264 import encoded, movie
from tests.rigs.cameras.tampering import DEEDS, bag, tampered
from tests.rigs.wait import HANG_S
from tests.scenes import START_MONO_S, noise, pictures

INFO, MOVIE = movie()
AT_S, GONE_S, END_S = 25.0, 50.0, 75.0
TOLD_S = 30.0               # at the latest after the deed
MEDIUM = 1


def scene(kind: Kind = Kind.COVERED, gone_s: float = GONE_S, end_s: float = END_S, fps: float = 1) -> Iterator[Luma]:
    """A quiet yard, with a deed of this kind done to the camera for a while."""
    return tampered(pictures(end_s, fps, noise(2)), kind, DEEDS[kind][MEDIUM], START_MONO_S + AT_S,
                    START_MONO_S + gone_s)


@dataclass
class Place:
    """A camera's pipe with its real recorder and store, on a clock that goes with what it sees."""

    folders: Folders
    clock: HandClock
    db: sqlite3.Connection
    folder: Path

    def __post_init__(self) -> None:
        self.live = LiveSocket(self.folder / "live.sock")
        self.began_mono_s = self.clock.mono
        self.frames_n = 0

    def open(self, **keys: object) -> "Place":
        """A camera with these settings, and its recorder at work."""
        self.camera = msgspec.convert({"name": "gate", "source": "rtsp://h/1", **keys}, Camera)
        rules = ClipRules(1, self.camera.pre_roll_s, always=self.camera.record != "motion",
                          keeps_events_longer=self.camera.record == "both")
        self.recorder = Recorder("gate", self.folders, self.clock, Outlet(self.folder), rules)
        self.recorder.start()
        self.pipe = Pipe(self.camera, self.recorder, self.live, self.clock)
        self.pipe.stream(INFO)
        return self

    def see(self, lumas: Iterable[Luma]) -> None:
        """Let a second go by for each picture, with ten packets of video."""
        for luma in lumas:
            for _ in range(10):
                packet = MOVIE[self.frames_n % len(MOVIE)]
                at_us = self.frames_n * 100_000
                self.frames_n += 1
                self.pipe.packet(replace(packet, pts_us=at_us, dts_us=at_us))
                self.clock.advance(0.1)
            self.pipe.luma(replace(luma, mono_s=self.clock.mono))

    def see_until_told(self, lumas: Iterator[Luma]) -> float:
        """Let time go by until something holds; returns how long after the deed that is, in seconds."""
        for luma in lumas:
            self.see([luma])
            if self.pipe.facts().tampered:
                return self.clock.mono - self.began_mono_s - AT_S
        raise AssertionError("nothing was told")

    def end(self) -> list[StoredEvent]:
        """End the recorder with all that is queued; the events of tampering, oldest first."""
        self.recorder.finish(HANG_S)
        return [event for event in events.latest(self.db)[::-1] if event.kind == "tamper"]

    def finish(self) -> list[StoredEvent]:
        """End the camera as the role does; the events of tampering."""
        self.pipe.finish()
        return self.end()

    def messages(self, kind: str = "tamper") -> list[dict]:
        """Data of the outbox's messages of that kind."""
        return [json.loads(row["data"]) for row in outbox.after(self.db, 0, 1000) if row["kind"] == kind]

    def began_s(self, event: StoredEvent) -> float:
        """When it began, in seconds of what was seen."""
        return event.mono_ms / 1000 - self.began_mono_s


@pytest.fixture
def place(folders: Folders, hand_clock: HandClock, db: sqlite3.Connection, tmp_path: Path) -> Iterator[Place]:
    made = Place(folders, hand_clock, db, tmp_path)
    yield made
    made.live.close()


# Events and messages.

@pytest.mark.parametrize("kind", Kind)
def test_each_kind_is_told_in_time_and_is_an_event_from_its_begin_to_its_end(place: Place, kind: Kind):
    shown = scene(kind)
    told_s = place.open().see_until_told(shown)
    assert told_s <= TOLD_S
    assert place.pipe.facts().tampered == (kind.value,)
    place.see(shown)
    assert place.pipe.facts().tampered == ()
    event, = place.finish()
    assert (event.code, event.state, event.detector, event.boxes) == (kind.value, "done", None, [])
    assert AT_S - 1 <= place.began_s(event) <= AT_S + told_s and 0 < event.score <= 1
    assert place.began_s(event) + event.dur_ms / 1000 == pytest.approx(GONE_S, abs=4)
    start, end = place.messages()
    assert start == {"event": event.id, "code": kind.value, "phase": "start", "start_ms": event.mono_ms,
                     "strength": round(event.score, 2), "detail": start["detail"]}
    assert (end["phase"], end["dur_ms"], end["clip"]["id"]) == ("end", event.dur_ms, event.clip)
    assert start["detail"].endswith(".") and end["detail"].endswith(".") and "cut" not in end


def test_nothing_is_told_of_a_quiet_scene_nor_where_it_is_not_wanted(place: Place):
    place.open().see(pictures(60, 1, noise(2)))
    assert place.finish() == [] and place.messages() == []
    place.open(tamper=False).see(scene())
    assert place.finish() == []
    place.open(motion={"enabled": False}).see(scene())
    assert place.finish() == []


def test_what_goes_on_when_the_process_dies_is_cut_by_the_next_one(place: Place):
    place.open().see(scene(gone_s=1e9, end_s=60))
    event, = place.end()            # the pipe's end is never told
    assert event.state == "open"
    place.open().pipe.pause(None)  # as its role does at first
    event, = place.end()
    start, end = place.messages()
    assert (event.state, event.code) == ("cut", "covered") and event.dur_ms > 0
    assert (end["phase"], end["code"], end["cut"], end["dur_ms"]) == ("end", "covered", True, event.dur_ms)
    assert start["event"] == end["event"] == event.id


def test_what_goes_on_when_the_recorder_stops_is_cut_and_not_called_over(place: Place):
    place.open().see(scene(gone_s=1e9, end_s=60))
    event, = place.finish()
    assert event.state == "cut" and place.began_s(event) + event.dur_ms / 1000 == pytest.approx(60, abs=0.1)
    assert place.messages()[1]["cut"] and "stops" in place.messages()[1]["detail"]


def test_a_lost_clip_does_not_end_what_goes_on(place: Place):
    start_us = int(place.clock.mono * 1e6)
    deed = Tamper("covered", "start", start_us, 0.9, "Gone.", start_us)
    place.open().recorder.offer([deed, ClipBegin(INFO, start_us, "motion")])
    place.recorder.offer([ClipLost()])
    event, = place.end()
    assert event.state == "open" and len(place.messages()) == 1


# What is recorded of it.

def test_a_clip_shows_the_time_before_it_was_told_and_some_after(place: Place):
    shown = scene()
    told_s = AT_S + place.open(pre_roll_s=4, post_roll_s=6).see_until_told(shown)
    place.see(shown)
    event, = place.finish()
    clip = clips.get(place.db, event.clip)
    begins_s = clip.mono_ms / 1000 - place.began_mono_s
    assert begins_s <= told_s - 4 - CONFIRM_S + 0.2 and begins_s + clip.dur_ms / 1000 >= told_s + 6 - 0.2
    assert event.id in next(data for data in place.messages("clip") if data["id"] == clip.name)["events"]


@pytest.mark.parametrize(("record", "kind"), [("continuous", "continuous"), ("both", "motion")])
def test_where_everything_is_recorded_the_clips_of_the_deed_are_tied_to_it(place: Place, record: str, kind: str):
    place.open(record=record, max_clip_s=10).see(scene())
    event, = place.finish()
    tied = [clip for clip in clips.finished(place.db) if event.id in events.of_clip(place.db, clip.seq)]
    assert {clip.kind for clip in tied} == {kind} and 2 <= len(tied) <= 4
    assert min(clip.mono_ms for clip in tied) <= event.mono_ms
    assert len(clips.finished(place.db)) > len(tied) + 2
    assert sum(clip.frames for clip in clips.finished(place.db)) == place.frames_n


# Pauses, other settings, gaps.

def test_a_pause_cuts_it_and_forgets_the_view(place: Place):
    place.open().see(scene(gone_s=1e9, end_s=60))
    place.pipe.pause("page")
    assert place.pipe.facts().tampered == ()
    place.clock.advance(30)
    place.pipe.pause(None)
    covered = list(scene(gone_s=1e9, end_s=60))[30:]
    place.pipe.stream(INFO)
    place.see(covered)              # it knows no other view
    event, = place.finish()
    assert event.state == "cut" and "paused" in place.messages()[1]["detail"]


def test_other_masks_and_a_watch_that_is_switched_off_cut_it_and_other_zones_do_not(place: Place):
    shown = scene(gone_s=1e9, end_s=120)
    place.open().see_until_told(shown)
    zone = [{"name": "yard", "area": [[0, 0], [1, 0], [1, 1]]}]
    place.pipe.adjust(msgspec.convert({"name": "gate", "source": "rtsp://h/1", "zone": zone}, Camera))
    assert place.pipe.facts().tampered == ("covered",)
    place.pipe.adjust(msgspec.convert({"name": "gate", "source": "rtsp://h/1", "tamper": False}, Camera))
    assert place.pipe.facts().tampered == ()
    place.see(shown)
    event, = place.finish()
    assert event.state == "cut" and "learned again" in place.messages()[1]["detail"]


def test_a_camera_that_comes_back_covered_is_still_covered(place: Place):
    shown = scene(gone_s=1e9, end_s=120)
    place.open().see_until_told(shown)
    place.pipe.end_run()
    place.clock.advance(200)
    place.pipe.stream(INFO)
    place.see(shown)
    assert place.pipe.facts().tampered == ("covered",) and len(place.finish()) == 1


def test_what_a_watch_found_that_was_given_up_meanwhile_is_not_told(hand_clock: HandClock):
    camera = Camera(name="gate", source="rtsp://h/1")
    guard = TamperState(camera)
    found = next(changes for luma in scene() if (changes := guard.look(luma)))
    assert guard.restart(camera, "Paused.", 0) == [] and guard.jobs(found, 0) == [] and guard.now == ()


# Through an encoder, and the eyes that look at what comes out of it.

Film = tuple[StreamInfo, tuple[Packet, ...]]


def film(lumas: Iterable[Luma], fps: int, gop: int, **x264: str) -> Film:
    """Pictures as a camera sends them."""
    frames = (av.VideoFrame.from_ndarray(luma.y, "gray").reformat(format="yuv420p") for luma in lumas)
    return encoded(frames, fps, gop, **x264)


def show(place: Place, shown: Film) -> float | None:
    """Show a film by the feed of a small stream; returns when something was told first, in seconds of it."""
    feed, first_s = SubFeed(place.pipe, place.clock), None
    place.pipe.stream(shown[0])
    feed.stream(shown[0])
    for packet in shown[1]:
        place.clock.mono = place.began_mono_s + packet.dts_us / 1e6
        place.pipe.packet(packet)
        feed.packet(packet)
        if first_s is None and place.pipe.facts().tampered:
            first_s = packet.dts_us / 1e6
    return first_s


@pytest.mark.parametrize("kind", [Kind.COVERED, Kind.MOVED])
def test_real_footage_that_is_tampered_with(place: Place, kind: Kind):
    planes = [plane[:240] for plane in footage.frames(320, 240)]
    there_and_back = planes + planes[::-1]
    real = (Luma(there_and_back[2 * i % len(there_and_back)], i / 5) for i in range(round(END_S * 5)))
    shown = film(tampered(real, kind, DEEDS[kind][MEDIUM], AT_S, GONE_S), 5, 10, b="500k")
    assert AT_S < show(place.open(), shown) <= AT_S + TOLD_S
    event, = place.finish()
    assert (event.code, event.state) == (kind.value, "done") and event.clip


def test_a_quiet_scene_that_an_encoder_repeats_to_the_last_bit_does_not_hang(place: Place):
    shown = film(pictures(70, 5, noise(1)), 5, 150, crf="33", preset="veryfast")
    assert show(place.open(), shown) is None and place.finish() == []


@pytest.mark.parametrize(("gop", "end_s"), [(10, 60), (50, 150)], ids=["2 s", "10 s"])
def test_an_eye_that_looks_at_keyframes_only_sees_it_in_time(place: Place, gop: int, end_s: float):
    at_s = end_s - 32
    scene = tampered(pictures(end_s, 5, noise(2)), Kind.COVERED, bag, START_MONO_S + at_s, 1e9)
    info, packets = film(scene, 5, gop, b="300k")
    decoder = MainDecoder(info, place.open().pipe, place.clock.mono)
    place.pipe.stream(info)
    for packet in packets:
        place.clock.mono = place.began_mono_s + packet.dts_us / 1e6
        place.pipe.packet(packet)
        decoder.offer(packet, place.clock.mono)
        while decoder.step():
            pass
        if place.pipe.facts().tampered:
            break
    assert at_s < place.clock.mono - place.began_mono_s <= at_s + TOLD_S
    assert place.pipe.facts().tampered == ("covered",)
    place.finish()
