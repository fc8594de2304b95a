"""Which packets become which clip."""
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.media.model import Packet
from agent.core.media.ring import Ring
from agent.core.media.segmenter import Action, End, Keep, Segmenter, Turn, Write

STEP_US = 100_000


class Camera:
    """Feeds a segmenter with a frame every 0.1 s and a keyframe every second, and collects its clips.

    With `b_frames` (at most 2) each P-frame comes before the B-frames that are shown before it, as encoders send them.
    """

    def __init__(self, always: bool = False, pre_s: float = 2, post_s: float = 3, longest_s: float = 60,
                 b_frames: int = 0) -> None:
        self.ring = Ring(10, 10_000_000)
        self.segmenter = Segmenter(self.ring, always, int(pre_s * 1e6), int(post_s * 1e6), int(longest_s * 1e6))
        self.n, self.b_frames = 0, b_frames
        self.clips: list[list[int]] = []
        self.ends: list[int] = []
        self.turns: list[int] = []

    @property
    def now_us(self) -> int:
        return (self.n - 1) * STEP_US

    def obey(self, actions: Sequence[Action]) -> None:
        for action in actions:
            match action:
                case Write(packets):
                    if len(self.ends) == len(self.clips):
                        self.clips.append([])
                    self.clips[-1] += [p.dts_us for p in packets]
                case Keep():
                    self.clips[-1].append(self.segmenter.last_dts_us)
                case End(until_us):
                    self.ends.append(until_us)
                case Turn(at_us):
                    self.turns.append(at_us)

    def shown_later_by(self) -> int:
        """Frames between the decoding of the next frame and its showing: 1 for I, 1 + B-frames for P, 0 for B."""
        if self.b_frames == 0:
            return 0
        in_gop = self.n % 10
        is_p = (in_gop - 1) % (self.b_frames + 1) == 0
        return 1 if in_gop == 0 else min(1 + self.b_frames, 10 - in_gop) if is_p else 0

    def play(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            packet = Packet(b"x", (self.n + self.shown_later_by()) * STEP_US, self.n * STEP_US, self.n % 10 == 0)
            self.n += 1
            self.ring.push(packet)
            self.obey(self.segmenter.packet(packet))


def test_a_clip_reaches_from_the_pre_roll_to_the_post_roll():
    camera = Camera()
    camera.play(10)
    camera.obey(camera.segmenter.open(camera.now_us))       # at 9.9 s
    camera.play(10)
    camera.obey(camera.segmenter.close())
    assert camera.clips == [list(range(7_000_000, 12_900_001, STEP_US))]
    assert camera.ends == [13_000_000]


def test_motion_that_returns_within_the_merge_gap_leaves_no_hole():
    camera = Camera()
    camera.play(5)
    camera.obey(camera.segmenter.open(camera.now_us))
    camera.play(6)                                          # 3 s beyond the post-roll
    camera.obey(camera.segmenter.extend(camera.now_us))
    camera.play(6)
    camera.obey(camera.segmenter.close())
    assert camera.clips[0] == list(range(camera.clips[0][0], 13_900_001, STEP_US))


def test_continuous_clips_follow_each_other_without_a_missing_frame():
    camera = Camera(always=True, longest_s=5)
    camera.play(23.5)
    camera.obey(camera.segmenter.end())
    assert [clip[0] for clip in camera.clips] == [0, 5_000_000, 10_000_000, 15_000_000, 20_000_000]
    assert sum(camera.clips, []) == list(range(0, 23_500_000, STEP_US))
    assert camera.ends == [5_000_000, 10_000_000, 15_000_000, 20_000_000, 23_500_000]


def test_an_event_that_turns_is_cut_at_the_next_keyframe():
    camera = Camera()
    camera.play(3)
    camera.obey(camera.segmenter.open(camera.now_us))
    camera.play(1.5)
    camera.obey(camera.segmenter.turn(camera.now_us))
    assert camera.turns == []
    camera.play(1.5)
    assert camera.clips[0][-1] == 4_900_000 and camera.clips[1][0] == 5_000_000 and camera.turns == [5_000_000]


def test_a_cut_ends_the_clip_and_not_the_event():
    camera = Camera()
    camera.play(3)
    camera.obey(camera.segmenter.open(camera.now_us))
    camera.play(1.5)
    camera.segmenter.cut()
    camera.play(1.5)
    assert camera.clips[0][-1] == 4_900_000 and camera.clips[1][0] == 5_000_000 and camera.turns == []


def test_a_cut_for_an_export_spares_a_clip_that_is_short_and_one_for_the_format_does_not_wait_for_it():
    for cuts, second_us in (((5_000_000,), 5_000_000), ((5_000_000, 0), 3_000_000), ((0, 5_000_000), 3_000_000)):
        camera = Camera(always=True)
        camera.play(2.5)
        for after_us in cuts:
            camera.segmenter.cut(after_us)
        camera.play(4)
        assert [clip[0] for clip in camera.clips] == [0, second_us]


def test_where_everything_is_recorded_an_event_turns_at_once():
    camera = Camera(always=True)
    camera.play(3.5)
    camera.obey(camera.segmenter.turn(camera.now_us))
    assert camera.turns == [3_400_000] and len(camera.clips) == 1


def test_a_lost_clip_is_followed_by_another_while_the_event_lasts():
    camera = Camera()
    camera.play(3)
    camera.obey(camera.segmenter.open(camera.now_us))
    camera.segmenter.lost()
    camera.ends.append(0)
    camera.play(1)
    assert camera.clips[1][0] == 3_000_000


def test_a_clip_lost_after_its_post_roll_is_followed_by_none():
    camera = Camera()
    camera.play(3)
    camera.obey(camera.segmenter.open(camera.now_us))
    camera.play(5)                                          # 2 s beyond the post-roll
    camera.segmenter.lost()
    camera.ends.append(0)
    camera.play(3)
    camera.obey(camera.segmenter.close())
    assert len(camera.clips) == 1


@given(b_frames=st.integers(1, 2), opened=st.integers(10, 30), returns=st.integers(1, 60))
def test_b_frames_around_the_post_roll_stay_in_decode_order(b_frames: int, opened: int, returns: int):
    camera = Camera(b_frames=b_frames)
    camera.play(opened / 10)
    camera.obey(camera.segmenter.open(camera.now_us))
    camera.play(returns / 10)                               # around the post-roll of 3 s, and beyond
    camera.obey(camera.segmenter.extend(camera.now_us))
    last_us = camera.now_us + 3_000_000
    camera.play(6)
    camera.obey(camera.segmenter.close())
    clip, = camera.clips
    assert clip == list(range(clip[0], clip[-1] + 1, STEP_US))
    assert last_us - (1 + b_frames) * STEP_US <= clip[-1] <= last_us


def test_what_is_to_be_kept_is_recorded_without_an_event():
    camera = Camera()
    camera.play(10)
    camera.obey(camera.segmenter.keep(camera.now_us, camera.now_us + 4_000_000))       # at 9.9 s
    camera.play(10)
    assert camera.clips == [list(range(7_000_000, 13_900_001, STEP_US))] and camera.ends == [14_000_000]


@pytest.mark.parametrize(("kept_s", "ends_s"), [(1, 8.0), (8, 14.0)])
def test_an_event_and_what_is_to_be_kept_are_one_clip_that_lasts_as_long_as_either(kept_s: int, ends_s: float):
    camera = Camera()
    camera.play(5)
    camera.obey(camera.segmenter.open(camera.now_us))
    camera.play(1)
    camera.obey(camera.segmenter.keep(camera.now_us, camera.now_us + kept_s * 1_000_000 + STEP_US))
    camera.play(5)
    camera.obey(camera.segmenter.close())
    camera.play(6)
    clip, = camera.clips
    assert clip == list(range(clip[0], clip[-1] + 1, STEP_US))
    assert camera.ends == [pytest.approx(ends_s * 1e6, abs=STEP_US)]


def test_keeping_changes_nothing_where_everything_is_recorded():
    camera = Camera(always=True)
    camera.play(3)
    camera.obey(camera.segmenter.keep(camera.now_us, camera.now_us + 1_000_000))
    camera.play(3)
    assert camera.clips == [list(range(0, 6_000_000, STEP_US))] and camera.ends == []


story = st.lists(st.sampled_from(["play", "open", "extend", "close", "turn", "keep", "end", "lost"]), max_size=60)


@given(story, st.booleans(), st.integers(0, 2))
def test_every_clip_begins_with_a_keyframe_and_has_no_hole(steps: list[str], always: bool, b_frames: int):
    camera, in_event = Camera(always=always, longest_s=4, b_frames=b_frames), False
    for step in steps:
        segmenter = camera.segmenter
        if step == "play":
            camera.play(0.7)
        elif step == "open" and not in_event:
            in_event = True
            camera.obey(segmenter.open(camera.now_us))
        elif step == "extend" and in_event:
            camera.obey(segmenter.extend(camera.now_us))
        elif step == "close" and in_event:
            in_event = False
            camera.obey(segmenter.close())
        elif step == "turn":
            camera.obey(segmenter.turn(camera.now_us))
        elif step == "keep":
            camera.obey(segmenter.keep(camera.now_us, camera.now_us + 1_500_000))
        elif step == "end":
            camera.obey(segmenter.end())
        elif step == "lost":
            segmenter.lost()
            camera.ends += [0] * (len(camera.clips) - len(camera.ends))
    for clip in camera.clips:
        assert clip[0] % 1_000_000 == 0
        assert clip == list(range(clip[0], clip[-1] + 1, STEP_US))
