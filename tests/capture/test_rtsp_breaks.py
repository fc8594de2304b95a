"""A camera that becomes another one while it plays: its clock, its format or its picture size jump.

What came before lies complete in one clip, and what comes after begins another.
"""
import time
from collections.abc import Callable

import pytest

from agent.config.settings import Motion
from agent.store.clips import Clip
from tests.capture.conftest import Rig
from tests.rigs.cameras import footage
from tests.rigs.cameras.odd_camera import HZ, Film, Habits, OddCamera, Viewer
from tests.rigs.store.on_card import LAST_B, endings, written
from tests.rigs.wait import Stopwatch, until

NO_MOTION = Motion(enabled=False)
SMALL, LARGE = footage.clip(320, 180, 10, 10, 300, seconds=4), footage.clip(640, 360, 10, 10, 500)
SPELL_S = 3             # without a frame: less than a reader takes for a camera that is gone


@pytest.fixture(params=["own", "libav"])
def reader(request: pytest.FixtureRequest) -> str:
    """Everything here is asked of both."""
    return request.param


def set_clock(by_s: int) -> Callable[[Viewer], None]:
    """The camera sets its clock."""
    def act(viewer: Viewer) -> None:
        viewer.clock += by_s * HZ
    return act


def be_large(viewer: Viewer) -> None:
    """Somebody chose another resolution."""
    viewer.camera.film = Film(LARGE)


def be_of_another_level(viewer: Viewer) -> None:
    """The same size, other parameter sets: an encoder that was set up anew."""
    film = Film(SMALL)
    sps, *others = film.sets
    film.sets = [sps[:3] + bytes((sps[3] + 1,)) + sps[4:], *others]
    viewer.camera.film = film


@pytest.mark.parametrize(("act", "at"), [(set_clock(-3600), 15), (set_clock(3600), 15), (set_clock(5), 15),
                                         (be_large, 10), (be_of_another_level, 10)],
                         ids=["clock-back", "clock-ahead", "times-jump", "size", "parameter-sets"])
def test_a_break_begins_another_clip_and_costs_nothing_before_it(
        rig: Rig, reader: str, act: Callable[[Viewer], None], at: int):
    with OddCamera(SMALL, Habits(acts={at: act})) as camera:
        rig.start(camera.address(), reader=reader, record="continuous", motion=NO_MOTION)
        with Stopwatch() as watch:
            until(lambda: len(written(rig.folders)) >= at + 5)
        rig.finish()
        served = Film(SMALL), camera.film
    before, after = rig.clips()
    assert recorded(rig, before) == [frame[-1][-LAST_B:] for frame in served[0].frames[:at]]
    kept = recorded(rig, after)
    key = -(-at // 10) * 10         # the next keyframe
    assert kept == [frame[-1][-LAST_B:] for frame in served[1].frames[key:key + len(kept)]] and len(kept) >= 5
    # On our clock, whatever the camera's says.
    assert abs(after.mono_ms - before.mono_ms - before.dur_ms - 100 * (key - at)) < 1000 * watch.slowness
    assert (before.width, after.width) == (320, 640 if act is be_large else 320)


def test_a_while_without_frames_costs_none(rig: Rig, reader: str):
    def pause(viewer: Viewer) -> None:
        time.sleep(SPELL_S)
        viewer.clock += SPELL_S * HZ

    with OddCamera(SMALL, Habits(acts={15: pause})) as camera:
        rig.start(camera.address(), reader=reader, record="continuous", motion=NO_MOTION)
        with Stopwatch() as watch:
            until(lambda: len(written(rig.folders)) >= 25)
        rig.finish()
    (clip,) = rig.clips()
    frames = recorded(rig, clip)
    assert frames == [frame[-1][-LAST_B:] for frame in camera.film.frames[:len(frames)]]
    assert abs(clip.dur_ms - 100 * len(frames) - 1000 * SPELL_S) < 300 * watch.slowness


def recorded(rig: Rig, clip: Clip) -> list[bytes]:
    return endings(rig.folders.clip(clip.seq, clip.name))
