"""The Pi camera's source on the real picamera2 and libcamera's virtual camera, a process for each scenario."""
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.rigs import picamera_venv

ROOT = Path(__file__).parents[2]
LONGEST_S = 60          # hangs are what picamera2 does when something is wrong


@pytest.fixture(scope="module")
def interpreter() -> Path:
    try:
        return picamera_venv.python()
    except picamera_venv.NoPicamera as missing:
        pytest.skip(f"picamera2 can't run here: {missing}")


@pytest.fixture(scope="module")
def play(interpreter: Path) -> Any:
    """Runs a scenario of tests/rigs/picamera_scenarios.py and returns what it saw."""
    def play(scenario: str) -> dict[str, Any]:
        done = subprocess.run([interpreter, "-m", "tests.rigs.picamera_scenarios", scenario], cwd=ROOT,
                              capture_output=True, text=True, timeout=LONGEST_S)
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.strip().rpartition("\n")[2])
    return play


@pytest.fixture(scope="module")
def recorded(play: Any) -> dict[str, Any]:
    """The scenario of an undisturbed recording."""
    return play("records")


def test_what_the_camera_sees_is_recorded_with_the_sensors_own_times(recorded: dict[str, Any]) -> None:
    saw = recorded
    assert saw["infos"] == [["h264", 640, 360]]
    assert saw["decoded"] == saw["packets"] and saw["spread"] > 20
    assert saw["monotone"] and saw["dropped"] == 0
    # every frame that the sensor made, at the sensor's pace
    assert (saw["packets"] + saw["lost"] - 1) / saw["media_s"] == pytest.approx(15, rel=0.03)
    assert saw["media_s"] > 4 and saw["age_s"] < 2          # on the device's own clock
    assert saw["keys"] == list(range(0, saw["packets"], 30))
    assert saw["threads"] == ["MainThread"]                 # the sink is only ever called from the source's own thread


def test_motion_gets_small_pictures_at_its_own_pace_with_the_cameras_numbers(recorded: dict[str, Any]) -> None:
    assert recorded["luma_shape"] == [180, 320]
    assert recorded["lumas"] / recorded["media_s"] == pytest.approx(4, abs=1.5)
    assert recorded["metadata"] == [9000, 3.0, 120.0]


def test_what_is_masked_is_black_in_the_video_and_for_motion(play: Any) -> None:
    saw = play("hides")
    assert saw["decoded"] > 20
    assert saw["video"] < 10 and saw["luma"] == 16
    assert saw["outside"] > 60 and saw["luma_outside"] > 60


def test_a_frame_that_cannot_be_masked_is_never_handed_on(play: Any) -> None:
    saw = play("goes_blind")
    assert saw["code"] == "camera_stream_bad" and saw["took_s"] < 5
    assert saw["brightest"] < 10
    assert saw["packets_again"] > 5


def test_a_camera_that_falls_silent_is_given_up_in_time_and_can_be_opened_again(play: Any) -> None:
    saw = play("stalls")
    assert saw["code"] == "camera_no_frames" and "ribbon cable" in saw["text"]
    assert 6 < saw["took_s"] < 9                            # two seconds of frames, five of silence
    assert saw["packets"] > 15 and saw["packets_again"] > 5


def test_spoilt_frames_leave_a_hole_and_nothing_else(play: Any) -> None:
    saw = play("meets_errors")
    assert saw["error"] is None
    assert saw["decoded"] == saw["packets"] > 40
    assert saw["longest_step_s"] == pytest.approx(1, abs=0.3)


def test_a_bug_in_the_sink_surfaces_and_leaves_the_camera_free(play: Any) -> None:
    saw = play("bad_sink")
    assert saw["error"] == "ZeroDivisionError" and saw["packets"] == 10
    assert saw["packets_again"] > 5


def test_a_slow_sink_costs_no_frame(play: Any) -> None:
    saw = play("slow_sink")
    assert saw["slept"] == 1 and saw["dropped"] == 0
    assert saw["longest_step_s"] < 0.3


def test_an_encoder_that_does_not_start_is_named_and_takes_nothing_with_it(play: Any) -> None:
    saw = play("no_encoder")
    assert [one["code"] for one in saw["tries"]] == ["encoder_missing"] * 2
    assert saw["packets_again"] > 5


def test_a_camera_that_is_not_there_or_taken_is_named(play: Any) -> None:
    missing, taken = play("no_camera"), play("in_use")
    assert missing["code"] == "camera_not_found" and "picamera:3" in missing["text"]
    assert taken["code"] == "camera_no_frames" and "other program" in taken["text"]
    assert taken["packets_again"] > 5


def test_a_camera_that_never_closes_asks_for_the_end_of_the_process(play: Any) -> None:
    saw = play("hangs")
    assert saw["error"] == "SourceStuck" and saw["took_s"] < 10


def test_opening_and_closing_leaks_nothing(play: Any) -> None:
    saw = play("reopens")
    assert min(saw["packets"]) >= 3
    assert saw["files"][-1] <= saw["files"][1] and saw["threads"][-1] <= saw["threads"][1]
