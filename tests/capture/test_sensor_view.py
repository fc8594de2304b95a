"""Which mode of a sensor is used, for the modes of Raspberry Pi's sensors as picamera2 tells them."""
import pytest

from agent.cameras import picamera
from agent.cameras.picamera.sensor import Mode, areas, choose, view
from agent.config.settings import Camera, Zone
from agent.core.media.headroom import HARDWARE, Level
from agent.host.board import Board


def mode(size, crop, fps, bit_depth=10):
    return Mode(size, bit_depth, fps, crop)


IMX219 = [mode((640, 480), (1000, 752, 1280, 960), 103.33), mode((1640, 1232), (0, 0, 3280, 2464), 41.85),
          mode((1920, 1080), (680, 692, 1920, 1080), 47.57), mode((3280, 2464), (0, 0, 3280, 2464), 21.19),
          mode((1640, 1232), (0, 0, 3280, 2464), 41.85, 8), mode((3280, 2464), (0, 0, 3280, 2464), 21.19, 8)]
OV5647 = [mode((640, 480), (16, 0, 2560, 1920), 58.92), mode((1296, 972), (0, 0, 2592, 1944), 46.34),
          mode((1920, 1080), (348, 434, 1928, 1080), 32.81), mode((2592, 1944), (0, 0, 2592, 1944), 15.63)]
IMX708 = [mode((1536, 864), (768, 432, 3072, 1728), 120.13), mode((2304, 1296), (0, 0, 4608, 2592), 56.03),
          mode((4608, 2592), (0, 0, 4608, 2592), 14.35)]
IMX477 = [mode((1332, 990), (696, 528, 2664, 1980), 120.05, 10), mode((2028, 1080), (0, 440, 4056, 2160), 50.03, 12),
          mode((2028, 1520), (0, 0, 4056, 3040), 40.01, 12), mode((4056, 3040), (0, 0, 4056, 3040), 10.0, 12)]
FULL_HD, HD = (1920, 1080), (1280, 720)


@pytest.mark.parametrize(("modes", "size", "fps", "chosen", "pct", "whole_up_to_fps"), [
    (IMX219, HD, 15, (1640, 1232), 100, 42),
    (IMX219, FULL_HD, 15, (3280, 2464), 100, 21),          # not the middle, as libcamera would
    (IMX219, FULL_HD, 30, (1920, 1080), 59, 21),           # the whole sensor is not that quick
    (OV5647, HD, 15, (1296, 972), 100, 47),
    (OV5647, FULL_HD, 15, (2592, 1944), 100, 15),
    (OV5647, FULL_HD, 20, (1920, 1080), 74, 15),
    (IMX708, FULL_HD, 15, (2304, 1296), 100, 57),
    (IMX708, HD, 30, (2304, 1296), 100, 57),
    (IMX477, FULL_HD, 15, (2028, 1520), 100, 40),          # 2028x1080 sees 95 %
    (IMX477, (1640, 1232), 15, (2028, 1520), 100, 40),     # 4:3
])
def test_the_whole_field_is_taken_where_size_and_rate_allow(modes, size, fps, chosen, pct, whole_up_to_fps):
    found = choose(modes, size, fps)
    assert (found.size, found.pct, found.whole_up_to_fps) == (chosen, pct, whole_up_to_fps)


def test_of_two_that_differ_in_depth_the_deeper_one_is_taken():
    assert choose(IMX219, HD, 15).bit_depth == 10


def test_a_camera_without_modes_is_left_to_libcamera():
    assert choose([], HD, 15) is None


@pytest.mark.parametrize(("drawn_in", "size", "fps", "chosen"), [
    ((1920, 1080), HD, 15, (1920, 1080)),           # by itself a smaller picture would show the whole field
    ((1640, 1232), FULL_HD, 15, (3280, 2464)),      # of two with this view the sharp one
    ((1640, 1232), FULL_HD, 40, (1640, 1232)),      # at this rate the sharp one has another view
    ((3280, 2464), FULL_HD, 45, (1920, 1080)),      # no mode with this view is quick enough: it will be refused
])
def test_the_view_that_masks_were_drawn_on_comes_first(drawn_in, size, fps, chosen):
    drawn = view(next(mode.crop for mode in IMX219 if mode.size == drawn_in), FULL_HD, "none")
    assert choose(IMX219, size, fps, drawn).size == chosen


WHOLE = (0, 0, 3280, 2464)


@pytest.mark.parametrize(("crop", "size", "flip", "same"), [
    (WHOLE, HD, "none", True),                      # both are 16:9
    ((8, 8, 3264, 2448), HD, "none", True),         # what binning costs at the edges
    ((680, 692, 1920, 1080), HD, "none", False),
    ((40, 0, 3240, 2464), HD, "none", False),
    (WHOLE, (1640, 1232), "none", False),           # 4:3 shows more above and below
    (WHOLE, HD, "both", False),
])
def test_two_views_are_the_same_if_masks_lie_over_the_same_things(crop, size, flip, same):
    drawn, now = view(WHOLE, FULL_HD, "none"), view(crop, size, flip)
    assert drawn.same(now) == now.same(drawn) == same


def test_masks_and_zones_are_told_from_others_and_titles_are_not():
    def of(**drawn):
        return areas(Camera(name="gate", source="picamera:0", **drawn))

    corner, middle = [(0.0, 0.0), (0.2, 0.0), (0.2, 0.2)], [(0.4, 0.4), (0.6, 0.4), (0.6, 0.6)]
    zone = [Zone(name="yard", area=middle)]
    assert of() == of(title="Gate", fps=10) == ""
    assert len({of(masks=[corner]), of(masks=[middle]), of(zone=zone), of(masks=[corner], zone=zone)}) == 4
    assert of(zone=zone) == of(zone=[Zone(name="garden", area=middle, dwell_s=3)])


def test_a_rate_that_no_mode_has_is_left_to_libcamera():
    assert choose(IMX708, FULL_HD, 500) is None


@pytest.mark.parametrize(("told", "hides"), [
    ("0.3.33", True), ("0.3.38", True), ("0.4", True), ("1.0.0rc1", True), ("0.3.33+rpt1", True),
    ("0.3.32", False), ("0.3.9", False), ("0.3", False), ("of unknown version", False),
])
def test_only_a_version_that_is_known_to_hide_may_hide(told, hides, monkeypatch):
    monkeypatch.setattr(picamera, "found_version", lambda: told)
    assert picamera.hides_masks() == hides


@pytest.mark.parametrize(("encoder", "board", "stands_in"), [
    (HARDWARE, True, False), ("x264 superfast", True, True), ("x264 superfast", False, False)])
def test_x264_on_a_board_with_an_encoder_stands_in_for_it(encoder, board, stands_in):
    machine = Board(None, None, None, "/dev/video11" if board else None)
    assert Level(encoder, *HD).stands_in(machine.encoder is not None) == stands_in
