"""What is recorded in which mode, with real footage of people walking, and how long it lasts at any frame rate."""
import pytest

from agent.config.settings import Motion
from tests.capture.conftest import Rig
from tests.rigs.cameras import footage
from tests.rigs.wait import until


def walkers(seconds: int = 20) -> str:
    return f"file:{footage.clip(320, 180, 10, 10, 300, seconds=seconds)}"


def test_both_keeps_everything_and_marks_what_shows_an_event(rig: Rig):
    rig.start(walkers(), loop=True, record="both", pre_roll_s=1, max_clip_s=5)
    event = until(rig.events)[0]
    until(lambda: len(rig.clips()) >= 2)
    rig.finish()
    clips = rig.clips()
    assert [clip.kind for clip in clips if clip.mono_ms + clip.dur_ms > event.mono_ms][0] == "motion"
    for clip, following in zip(clips, clips[1:], strict=False):
        assert abs(clip.mono_ms + clip.dur_ms - following.mono_ms) <= 2
    shown = rig.events()[0]
    assert shown.clip is not None
    showing = next(clip for clip in clips if clip.name == shown.clip)
    assert shown.clip_offset_ms == max(0, event.mono_ms - showing.mono_ms)


def test_continuous_keeps_everything_alike_and_still_tells_of_events(rig: Rig):
    rig.start(walkers(), loop=True, record="continuous", max_clip_s=5)
    until(rig.events)
    until(rig.clips)
    assert {clip.kind for clip in rig.clips()} == {"continuous"}


def test_a_long_event_goes_on_in_a_next_clip_without_a_missing_frame(rig: Rig):
    rig.start(walkers(), loop=True, pre_roll_s=1, max_clip_s=5)
    until(lambda: len(rig.clips()) >= 2)
    first, second = rig.clips()[:2]
    assert abs(first.mono_ms + first.dur_ms - second.mono_ms) <= 2
    assert first.dur_ms > 5_000 and second.dur_ms > 4_000
    start = [message for message in rig.messages("motion") if message["phase"] == "start"][1]
    assert start["continues"] == rig.events()[0].id


def test_without_motion_nothing_reaches_the_card(rig: Rig):
    rig.start(walkers(), loop=True, motion=Motion(enabled=False))
    until(lambda: rig.facts().fps and rig.facts().last_frame_age_s is not None and rig.facts().state == "ok")
    until(lambda: rig.facts().kbps)
    assert rig.clips() == [] and not list(rig.folders.clips.rglob("*.mp4*"))


@pytest.mark.parametrize("fps", [1, 7, 30])
def test_four_seconds_last_four_seconds_at_any_frame_rate(rig: Rig, fps: int):
    path = footage.clip(320, 180, fps, fps, 300, seconds=15)
    rig.start(f"file:{path}", loop=True, record="continuous", motion=Motion(enabled=False), max_clip_s=4)
    clip = until(rig.clips)[0]
    assert abs(clip.dur_ms - 4_000) <= 100 and clip.frames == 4 * fps
