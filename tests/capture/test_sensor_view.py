"""Which mode of a sensor is used, for the modes of Raspberry Pi's sensors as picamera2 tells them."""
import pytest

from agent.cameras import picamera
from agent.cameras.picamera.sensor import choose
from agent.core.media.headroom import HARDWARE, Level
from agent.host.board import Board


def mode(size, crop, fps, bit_depth=10):
    return {"size": size, "crop_limits": crop, "fps": fps, "bit_depth": bit_depth}


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


@pytest.mark.parametrize("modes", [[], [{"format": "YUYV"}]])
def test_a_camera_without_modes_is_left_to_libcamera(modes):
    assert choose(modes, HD, 15) is None


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
