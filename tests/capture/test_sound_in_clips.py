"""Sound and pictures from one camera into clips: each stretch of sound in the clip in whose time it begins."""
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.capture.pipe import Pipe
from agent.capture.sockets import LiveSocket
from agent.capture.writer_jobs import Block, ClipBegin, ClipEnd, ClipLost, Job
from agent.config.settings import Camera, Motion
from agent.core.contract.facts import SoundFacts
from agent.core.media.model import AudioInfo, Packet, Sound, StreamInfo
from agent.core.media.mp4.read import fragments, read_head, samples, sounds
from tests.conftest import HandClock
from tests.core.mp4_material import read_at
from tests.rigs.examples import examples

AAC, LAW = AudioInfo("aac", 16_000, 1, b"\x14\x08"), AudioInfo("pcma", 8_000, 1)
STRETCH_US, FRAME_US, GOP_N = 64_000, 100_000, 10


class Clip:
    """A finished file: the numbers of its pictures and of its stretches of sound, and where those begin."""

    def __init__(self, data: bytes, told: ClipEnd) -> None:
        file = read_at(data)
        head = read_head(file)
        parts = list(fragments(file, head))
        pictures = [at for part in parts for at in samples(file, head, part)]
        stretches = [at for part in parts for at in sounds(file, part)]
        self.size_b, self.dur_s, self.audio = len(data), told.dur_us / 1e6, head.plan.audio
        self.seen = [int(data[at.offset + 8:at.offset + at.size_b]) for at in pictures]
        self.heard = [int(data[at.offset + 3:at.offset + 8]) for at in stretches]
        self.heard_at_s = [at.pts / self.audio.rate_hz for at in stretches]
        assert len(self.seen) == told.frames and parts[-1].offset + parts[-1].size_b == len(data)


class Book:
    """Stands for the recorder: obeys at once, in memory, and insists on the order of things. `full` refuses batches."""

    def __init__(self) -> None:
        self.clips: list[Clip] = []
        self.open: bytearray | None = None
        self.forgives = False               # what still comes of a clip that was lost
        self.full = False
        self.clip_lost = threading.Event()
        self.recording, self.fault, self.slow_card = False, None, False
        self.rows = SimpleNamespace(held_by=None, numbers=())
        self.events_n = self.errors_n = self.dropped_n = 0
        self.sync_every_s = 1.8

    def offer(self, batch: Sequence[Job]) -> bool:
        if self.full and any(isinstance(job, Block) for job in batch):
            return False
        for job in batch:
            match job:
                case ClipBegin():
                    assert self.open is None
                    self.open, self.forgives = bytearray(), False
                case Block() | ClipEnd() if self.open is None:
                    assert self.forgives
                case Block():
                    self.open += job.data
                case ClipEnd():
                    self.open[:len(job.head)] = job.head
                    self.clips.append(Clip(bytes(self.open), job))
                    self.open = None
                case ClipLost():
                    self.open = None
        return True

    def fail(self) -> None:
        """The card is broken for a moment."""
        self.open, self.forgives = None, True
        self.clip_lost.set()


class Studio:
    """A pipe before a camera whose clocks are a month apart, and what came of it."""

    def __init__(self, live: LiveSocket, pictures_late_us: int = 5_000, **keys: object) -> None:
        self.book, self.clock, self.late_us = Book(), HandClock(), pictures_late_us
        camera = Camera(name="gate", source="rtsp://h/1", record="continuous", max_clip_s=10, audio=True,
                        motion=Motion(enabled=False), **keys)
        self.pipe = Pipe(camera, self.book, live, self.clock)
        self.pipe.stream(StreamInfo("h264", 640, 360, b"\1cfg"))
        self.began_s = self.clock.mono
        self.arrivals: list[tuple[int, int, Packet | Sound]] = []

    def film(self, seconds: float, reorder_us: int = 0) -> None:
        """Ten pictures a second, the number of each in it."""
        for n in range(round(seconds * 10)):
            data = (8).to_bytes(4, "big") + b"\x65PIC%04d" % n
            packet = Packet(data, n * FRAME_US + reorder_us, n * FRAME_US, n % GOP_N == 0)
            self.arrivals.append((n * FRAME_US + self.late_us, len(self.arrivals), packet))

    def talk(self, numbers: Sequence[int], late_us: Sequence[int], info: AudioInfo = AAC) -> None:
        """Stretches of sound, each sent when it was heard, and arriving later by one of `late_us`, but in order."""
        arrival_us = 0
        for n in numbers:
            arrival_us = max(arrival_us, (n + 1) * STRETCH_US + late_us[n % len(late_us)])
            sound = Sound(b"SND%05d" % n, 2_592_000_000_000 + n * STRETCH_US, info.rate_hz * 64 // 1000)
            self.arrivals.append((arrival_us, len(self.arrivals), sound))

    def play(self, until_s: float = 1e9) -> None:
        """Let it all arrive."""
        self.arrivals.sort()
        while self.arrivals and self.arrivals[0][0] < until_s * 1e6:
            at_us, _, item = self.arrivals.pop(0)
            self.clock.advance(self.began_s + at_us / 1e6 - self.clock.mono)
            self.pipe.packet(item) if isinstance(item, Packet) else self.pipe.sound(item)

    def heard(self) -> list[list[int]]:
        """The numbers of the stretches in each whole clip."""
        return [clip.heard for clip in self.book.clips]

    def seen(self) -> list[list[int]]:
        """The numbers of the pictures in each whole clip."""
        return [clip.seen for clip in self.book.clips]


def assert_in_step(studio: Studio, within_s: float) -> None:
    """Sound and picture of one moment are at the same place of a clip."""
    for clip in studio.book.clips:
        for number, media_s in zip(clip.heard, clip.heard_at_s, strict=True):
            assert abs(media_s - (number * STRETCH_US - clip.seen[0] * FRAME_US) / 1e6) < within_s
            assert 0 <= media_s <= clip.dur_s


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveSocket]:
    made = LiveSocket(Path(tmp_path_factory.mktemp("live")) / "live.sock")
    yield made
    made.close()


@settings(max_examples=examples(60))
@given(late_us=st.lists(st.integers(0, 200_000), min_size=1, max_size=40), reorder_us=st.sampled_from([0, 200_000]),
       pictures_late_us=st.integers(0, 150_000))
def test_at_a_cut_no_sound_is_lost_and_none_is_twice(live: LiveSocket, late_us: list[int], reorder_us: int,
                                                     pictures_late_us: int):
    studio = Studio(live, pictures_late_us)
    studio.pipe.audio(AAC)
    studio.film(25, reorder_us)
    studio.talk(range(390), late_us)
    studio.play()
    studio.pipe.finish()
    heard, seen = studio.heard(), studio.seen()
    assert [len(pictures) for pictures in seen] == [100, 100, 50] and sum(seen, []) == list(range(250))
    assert sum(heard, []) == list(range(heard[0][0], heard[-1][-1] + 1))
    assert heard[0][0] <= 8 and heard[-1][-1] >= 380 and studio.pipe.facts().sound_dropped_n <= heard[0][0]
    assert_in_step(studio, 0.5)


def test_on_a_good_network_sound_and_picture_are_in_step(live: LiveSocket):
    studio = Studio(live)
    studio.pipe.audio(AAC)
    studio.film(25)
    studio.talk(range(390), [3_000, 9_000, 0])
    studio.play()
    studio.pipe.finish()
    assert_in_step(studio, 0.02)
    assert studio.pipe.facts().audio == SoundFacts("recorded", "aac", 16_000)


@settings(max_examples=examples(60))
@given(seed=st.integers(0, 10**6))
def test_a_card_that_refuses_costs_whole_clips_and_mixes_nothing_up(live: LiveSocket, seed: int):
    dice, studio = Random(seed), Studio(live)
    studio.pipe.audio(AAC)
    studio.film(40)
    studio.talk([n for n in range(620) if n // 20 % 7], [dice.randrange(250_000) for _ in range(9)])
    for second in range(1, 41):
        studio.play(second)
        studio.book.full = dice.random() < 0.2
        if dice.random() < 0.05:
            studio.book.fail()
    studio.book.full = False
    studio.pipe.finish()
    for pictures, stretches in zip(studio.seen(), studio.heard(), strict=True):
        assert pictures == list(range(pictures[0], pictures[-1] + 1)) and pictures[0] % GOP_N == 0
        assert stretches == sorted(set(stretches))
    every = sum(studio.heard(), [])
    assert every == sorted(set(every)) and studio.book.open is None


def test_another_format_goes_to_another_clip_from_the_next_keyframe_on(live: LiveSocket):
    studio = Studio(live)
    studio.pipe.audio(AAC)
    studio.film(9)
    studio.talk(range(70), [0])
    studio.play(4.55)
    studio.arrivals = [arrival for arrival in studio.arrivals if isinstance(arrival[2], Packet)]
    studio.pipe.audio(LAW)
    studio.talk(range(72, 140), [0], LAW)
    studio.play()
    studio.pipe.finish()
    assert [clip.audio for clip in studio.book.clips] == [AAC, LAW]
    assert studio.seen() == [list(range(50)), list(range(50, 90))]
    first, second = studio.heard()
    assert first[-1] < 72 and second[0] in (78, 79) and second == list(range(second[0], second[-1] + 1))


@pytest.mark.parametrize("promised", [True, False])
def test_without_sound_the_video_is_as_ever(live: LiveSocket, promised: bool):
    studio = Studio(live)
    studio.pipe.audio(AAC if promised else None)
    studio.film(25)
    studio.play()
    studio.pipe.finish()
    assert sum(studio.seen(), []) == list(range(250)) and len(studio.book.clips) == 3
    assert all(clip.audio is None for clip in studio.book.clips)
    assert studio.pipe.facts().audio == (SoundFacts("silent", "aac", 16_000) if promised else SoundFacts("none"))


@pytest.mark.parametrize(("info", "unsupported"), [
    (None, "g726"), (AudioInfo("opus", 48_000, 2), ""), (AudioInfo("aac", 16_000, 1), "")])
def test_sound_that_cannot_be_kept_is_said_once(live: LiveSocket, info: AudioInfo | None, unsupported: str,
                                                caplog: pytest.LogCaptureFixture):
    studio = Studio(live)
    studio.film(3)
    for second in range(3):             # a camera tells it with each connection
        studio.pipe.audio(info, unsupported)
        studio.pipe.sound(Sound(b"x", 0, 1024))
        studio.play(second + 1)
    studio.pipe.finish()
    assert studio.seen() == [list(range(30))] and studio.book.clips[0].audio is None
    assert studio.pipe.facts().audio == SoundFacts("unsupported", unsupported or info.codec)
    assert len([record for record in caplog.records if "without sound" in record.message]) == 1


def test_sound_without_pictures_takes_a_bounded_room(live: LiveSocket):
    studio = Studio(live)
    studio.pipe.audio(LAW)
    studio.film(2)
    studio.play()
    for n in range(40_000):
        studio.clock.advance(0.064)
        studio.pipe.sound(Sound(b"SND%05d" % n + bytes(504), n * STRETCH_US, 512))
    assert studio.pipe.facts().sound_dropped_n > 10_000 and studio.pipe.record._ring.bytes <= 16_000_000
    studio.pipe.finish()
    assert studio.seen() == [list(range(20))] and studio.book.clips[0].size_b < 100_000
