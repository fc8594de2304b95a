"""What a board is asked to encode: the best that fits, the size last, and never up and down."""
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.media.headroom import (
    HARDWARE_PIXELS_PER_S_MAX,
    EncodingWork,
    Level,
    falls_behind,
    first_fit,
    hardware_ladder,
    ladder,
)

PC, PI5, SLOW = ({"superfast": 0.007, "ultrafast": 0.004}, {"superfast": 0.014, "ultrafast": 0.008},
                 {"superfast": 0.070, "ultrafast": 0.040})


def test_the_preset_goes_before_the_size():
    assert ladder(1280, 720) == (Level("x264 superfast", 1280, 720), Level("x264 ultrafast", 1280, 720),
                                 Level("x264 ultrafast", 960, 540), Level("x264 ultrafast", 640, 360))


@pytest.mark.parametrize(("size", "fps", "cores_n", "cost_s", "best"), [
    ((1280, 720), 15, 2, PC, Level("x264 superfast", 1280, 720)),
    ((1920, 1080), 15, 4, PI5, Level("x264 superfast", 1920, 1080)),
    ((1920, 1080), 30, 4, PI5, Level("x264 ultrafast", 1920, 1080)),
    ((2304, 1296), 30, 4, PI5, Level("x264 ultrafast", 1920, 1080)),
    ((1280, 720), 15, 4, SLOW, Level("x264 ultrafast", 960, 540)),
    ((1280, 720), 15, 1, SLOW, Level("x264 ultrafast", 640, 360)),
    ((1280, 720), 60, 1, SLOW, Level("x264 ultrafast", 640, 360)),      # nothing fits: the least there is
    ((640, 480), 60, 1, SLOW, Level("x264 ultrafast", 640, 480)),
])
def test_the_best_level_that_fits_is_taken(size, fps, cores_n, cost_s, best):
    levels = ladder(*size)
    assert levels[first_fit(levels, fps, cores_n, cost_s)] == best


@pytest.mark.parametrize(("size", "fps", "given"), [
    ((1920, 1080), 30, (1920, 1080)), ((1280, 720), 60, (1280, 720)),
    ((1920, 1080), 60, (1280, 720)), ((2304, 1296), 15, (1920, 1080)),
    ((1280, 960), 30, (1280, 960)), ((600, 4000), 60, (600, 4000)),
])
def test_the_hardware_gets_what_it_is_made_for(size, fps, given):
    levels = hardware_ladder(*size, fps)
    assert levels[0] == Level("v4l2", *given)
    pixels = [level.width * level.height for level in levels]
    assert pixels == sorted(pixels, reverse=True) and {level.encoder for level in levels} == {"v4l2"}


FULL_HD_30, HD_15, HD_30 = 1920 * 1080 * 30, 1280 * 720 * 15, 1280 * 720 * 30


@pytest.mark.parametrize(("size", "fps", "others", "given"), [
    ((1920, 1080), 30, [FULL_HD_30], (1280, 720)),          # half for each
    ((1920, 1080), 15, [FULL_HD_30], (1920, 1080)),
    ((1920, 1080), 30, [HD_15], (1280, 720)),               # the small one asks for less than half
    ((1280, 720), 15, [FULL_HD_30], (1280, 720)),
    ((1920, 1080), 30, [FULL_HD_30, HD_30, HD_30], (960, 540)),
])
def test_cameras_share_the_hardware(size, fps, others, given):
    assert hardware_ladder(*size, fps, others)[0] == Level("v4l2", *given)


@given(st.lists(st.tuples(st.sampled_from([(640, 360), (1280, 720), (1920, 1080)]), st.integers(5, 30)), min_size=1,
                max_size=4))
def test_together_cameras_never_ask_more_of_the_hardware_than_it_can(cameras):
    asked = [width * height * fps for (width, height), fps in cameras]
    taken = []
    for index, (size, fps) in enumerate(cameras):
        level = hardware_ladder(*size, fps, [each for other, each in enumerate(asked) if other != index])[0]
        taken.append(level.width * level.height * fps)
    assert sum(taken) <= HARDWARE_PIXELS_PER_S_MAX


@given(st.integers(160, 4096), st.integers(120, 2304), st.integers(1, 60), st.integers(1, 16),
       st.floats(0.0001, 1), st.floats(1, 4))
def test_any_size_has_smaller_levels_of_its_shape_and_one_of_them_is_taken(width, height, fps, cores_n, cost_s, times):
    levels = ladder(width, height)
    assert (levels[0].width, levels[0].height) == (width & ~1, height & ~1)
    assert all(level.width % 2 == level.height % 2 == 0 < level.height for level in levels)
    assert all(abs(level.height - level.width * height / width) <= 2 for level in levels[2:])
    pixels = [level.width * level.height for level in levels]
    assert pixels == sorted(pixels, reverse=True)
    index = first_fit(levels, fps, cores_n, {"superfast": cost_s * times, "ultrafast": cost_s})
    cheaper = first_fit(levels, fps, cores_n, {"superfast": cost_s * times / 2, "ultrafast": cost_s / 2})
    assert 0 <= cheaper <= index < len(levels)


@pytest.mark.parametrize(("work", "behind"), [
    (EncodingWork(20, 10.0, 300), False),       # half of the time, and every picture
    (EncodingWork(20, 14.0, 300), False),       # more than planned, but still every picture
    (EncodingWork(20, 14.0, 260), True),        # and some go missing
    (EncodingWork(20, 4.0, 100), False),        # a camera in the dark
    (EncodingWork(20, 19.0, 300), True),        # the next picture of a lively scene will be late
])
def test_an_encoder_is_behind_when_it_works_and_pictures_go_missing(work, behind):
    assert falls_behind(work, 15) is behind
