"""The parts of the Pi camera that need no picamera2: memory layout, what is asked of the sensor, keyframes at night."""
from pathlib import Path

import numpy as np
import pytest

from agent.cameras.encode import KeyWatch
from agent.cameras.picamera import sensor
from agent.cameras.picamera.sensor import buffers_n, lores_size, planes
from agent.config.settings import Camera, Motion, Sensor


def camera(**settings) -> Camera:
    return Camera(name="gate", source="picamera:0", **settings)


@pytest.mark.parametrize(("main", "lores"), [
    ((1280, 720), (320, 180)), ((1920, 1080), (320, 180)), ((1296, 972), (320, 240)),
    ((1536, 864), (320, 180)), ((320, 240), (320, 240)), ((160, 120), (160, 120)), ((4096, 120), (320, 10)),
])
def test_the_small_picture_has_the_large_ones_shape(main, lores):
    assert lores_size(main) == lores


@pytest.mark.parametrize(("ram_mb", "buffers"), [(None, 4), (416, 4), (512, 4), (925, 6), (8000, 6)])
def test_a_board_with_little_memory_gets_fewer_buffers(ram_mb, buffers):
    assert buffers_n(ram_mb and ram_mb << 20) == buffers


def test_planes_leave_out_what_pads_the_rows():
    width, height, stride = 1296, 972, 1344
    array = np.zeros((height * 3 // 2, stride), np.uint8)
    y, u, v = planes(array, (width, height))
    assert (y.shape, u.shape, v.shape) == ((972, 1296), (486, 648), (486, 648))
    y[:], u[:], v[:] = 1, 2, 3
    flat = array.ravel()
    rows = flat[:height * stride].reshape(height, stride)
    assert (rows[:, :width] == 1).all() and (rows[:, width:] == 0).all()
    for number, value in enumerate((2, 3)):
        begin = height * stride + number * (height // 2) * (stride // 2)
        chroma = flat[begin:begin + height // 2 * stride // 2].reshape(height // 2, stride // 2)
        assert (chroma[:, :width // 2] == value).all() and (chroma[:, width // 2:] == 0).all()


@pytest.mark.parametrize(("asked", "told"), [
    (Sensor(), {"FrameDurationLimits": (66666, 66666), "ExposureValue": 0.0, "AfMode": 2}),
    (Sensor(night_fps=5, exposure_ev=-1),
     {"FrameDurationLimits": (66666, 200000), "ExposureValue": -1.0, "AfMode": 2}),
    (Sensor(focus="once"), {"FrameDurationLimits": (66666, 66666), "ExposureValue": 0.0, "AfMode": 1, "AfTrigger": 0}),
    (Sensor(focus="fixed", focus_m=4),
     {"FrameDurationLimits": (66666, 66666), "ExposureValue": 0.0, "AfMode": 0, "LensPosition": 0.25}),
    (Sensor(focus="fixed"), {"FrameDurationLimits": (66666, 66666), "ExposureValue": 0.0, "AfMode": 0,
                             "LensPosition": 0.0}),
])
def test_settings_are_told_in_libcameras_words(asked, told):
    assert sensor.controls(camera(sensor=asked)) == told


def test_only_what_was_set_on_purpose_is_missed_in_a_sensor():
    known = {"FrameDurationLimits", "ExposureValue"}
    assert sensor.unknown(camera(), known) == []
    assert sensor.unknown(camera(sensor=Sensor(focus="fixed", night_fps=5)), known) == ["focus"]


@pytest.mark.parametrize(("changes", "goes_on"), [
    ({}, True),
    ({"masks": [[(0, 0), (1, 0), (1, 1)]]}, True),
    ({"motion": Motion(fps=2), "record": "both", "pre_roll_s": 9}, True),
    ({"sensor": Sensor(exposure_ev=1, focus="once", night_fps=5)}, True),
    ({"sensor": Sensor(flip="both")}, False),
    ({"sensor": Sensor(tuning="noir")}, False),
    ({"width": 640, "height": 360}, False),
    ({"fps": 10}, False),
    ({"bitrate_kbps": 4000}, False),
])
def test_a_session_goes_on_unless_the_camera_has_to_be_opened_anew(changes, goes_on):
    assert sensor.same_session(camera(), camera(**changes)) is goes_on


def test_the_tuning_for_no_infrared_filter_is_found_by_the_sensors_model(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(sensor, "SHARES", (str(tmp_path / "local"), str(tmp_path / "share")))
    file = tmp_path / "share/libcamera/ipa/rpi/vc4/imx219_noir.json"
    file.parent.mkdir(parents=True)
    file.touch()
    noir = Sensor(tuning="noir")
    assert sensor.tuning_file(noir, "imx219", "vc4") == file
    assert sensor.tuning_file(noir, "imx708_wide_noir", "vc4") is None      # this one says so itself
    assert sensor.tuning_file(Sensor(), "imx219", "vc4") is None
    assert sensor.tuning_file(Sensor(tuning=str(file)), "imx219", "vc4") == file
    for missing in (noir, Sensor(tuning="/no/such.json")):
        with pytest.raises(FileNotFoundError, match=r"imx219_noir\.json|such\.json"):
            sensor.tuning_file(missing, "imx219", "pisp")


def keyframes(fps: int, day_n: int, night_fps: int, night_n: int) -> list[int]:
    """When an encoder sets keyframes: after two seconds' worth of usual frames, and two frames after it was asked."""
    watch, since_n, asked_n, pts_us, keys = KeyWatch(fps), 0, None, 0, []
    for number in range(day_n + night_n):
        key = number == 0 or since_n == 2 * fps or asked_n == 0
        if key:
            since_n, asked_n = 0, None
            keys.append(pts_us)
        if watch.due(pts_us, key):
            assert asked_n is None
            asked_n = 2
        since_n += 1
        asked_n = None if asked_n is None else asked_n - 1
        pts_us += 1_000_000 // (fps if number < day_n else night_fps)
    return keys


@pytest.mark.parametrize(("fps", "night_fps"), [(15, 5), (30, 5), (15, 8), (10, 2)])
def test_the_hardware_is_asked_for_keyframes_in_the_dark_only(fps, night_fps):
    by_day = np.diff(keyframes(fps, 20 * fps, night_fps, 0))
    at_night = np.diff(keyframes(fps, 1, night_fps, 20 * night_fps))
    assert (by_day == 2 * fps * (1_000_000 // fps)).all()
    assert len(at_night) >= 9 and at_night.max() <= 2_000_000
