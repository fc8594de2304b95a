"""The Pi camera's source on the real picamera2 and libcamera's virtual camera, a process for each scenario."""
import json
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest

from tests.rigs.picamera import environment

ROOT = Path(__file__).parents[2]
LONGEST_S = 400         # hangs are what picamera2 does when something is wrong
AT_ONCE_N = 3           # they mostly wait for real time
Saw = dict[str, Any]


def plays(*scenarios: str) -> Callable[[Any], Any]:
    """Scenarios of tests/rigs/picamera/scenarios.py; what they saw is in the test's `saw`, in this order."""
    def mark(test: Any) -> Any:
        test.scenarios = scenarios
        return test
    return mark


def _play(interpreter: Path, scenario: str) -> Saw:
    done = subprocess.run([interpreter, "-m", "tests.rigs.picamera.scenarios", scenario], cwd=ROOT,
                          capture_output=True, text=True, timeout=LONGEST_S)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.strip().rpartition("\n")[2])


@pytest.fixture(scope="module")
def started(request: pytest.FixtureRequest) -> Iterator[dict[str, Future[Saw]]]:
    """The scenarios of all tests that will run, some at the same time, in the tests' order."""
    try:
        interpreter = environment.python()
    except environment.NoPicamera as missing:
        pytest.skip(f"picamera2 can't run here: {missing}")
    wanted = {name: None for item in request.session.items if item.fspath == request.fspath
              for name in getattr(item.function, "scenarios", ())}
    with ThreadPoolExecutor(AT_ONCE_N) as stage:
        yield {name: stage.submit(_play, interpreter, name) for name in wanted}
        stage.shutdown(wait=False, cancel_futures=True)


@pytest.fixture
def saw(request: pytest.FixtureRequest, started: dict[str, Future[Saw]]) -> Any:
    """What the test's scenario saw; a list if there are several."""
    seen = [started[name].result() for name in request.function.scenarios]
    return seen[0] if len(seen) == 1 else seen


@plays("reopens")
def test_opening_and_closing_fifty_times_leaks_nothing(saw: Saw) -> None:
    assert len(saw["packets"]) == 50 and min(saw["packets"]) >= 3
    for kind in ("files", "threads"):       # one may just be ending when they are counted; what leaks is there to stay
        assert min(saw[kind][-10:]) <= max(saw[kind][:5])
    early_mb, late_mb = saw["rss_mb"][10:25], saw["rss_mb"][35:]
    assert median(late_mb) - median(early_mb) < 6       # one alone may be far off. 25 frames lost are 7.5 MB


@plays("records")
def test_what_the_camera_sees_is_recorded_with_the_sensors_own_times(saw: Saw) -> None:
    assert saw["infos"] == [["x264 superfast", 640, 360]]
    assert saw["decoded"] == saw["packets"] and saw["spread"] > 20
    assert saw["monotone"] and saw["dropped"] == 0
    # every frame that the sensor made, at the sensor's pace
    assert (saw["packets"] + saw["lost"] - 1) / saw["media_s"] == pytest.approx(15, rel=0.03 * saw["slowness"])
    assert saw["media_s"] > 3 and saw["age_s"] < 2 * saw["slowness"]    # on the device's own clock
    assert saw["keys_s"][0] == 0 and len(saw["keys_s"]) >= 2
    longest_s = saw["longest_step_s"]                       # keyframes go by time, and this sensor's pace is not even
    assert all(2 - longest_s < gop_s < 2 + longest_s for gop_s in np.diff(saw["keys_s"]))
    assert saw["threads"] == ["MainThread"]                 # the sink is only ever called from the source's own thread


@plays("records")
def test_motion_gets_small_pictures_at_its_own_pace_with_the_cameras_numbers(saw: Saw) -> None:
    assert saw["luma_shape"] == [180, 320]
    assert saw["lumas"] / saw["media_s"] == pytest.approx(4, abs=1.5 * saw["slowness"])
    assert saw["metadata"] == [9000, 3.0, 120.0, 700]       # exposure, gain, lux, focus


@plays("films_an_event")
def test_an_event_is_filmed_from_before_it_began(saw: Saw) -> None:
    (event_state, event_ms, event_dur_ms), = saw["events"]
    clip_state, clip_ms, clip_dur_ms, frames_n, *size = saw["clip"]
    assert (event_state, clip_state, size) == ("done", "done", [640, 360])
    assert clip_ms <= event_ms - 3000
    assert clip_ms + clip_dur_ms >= event_ms + event_dur_ms + 900
    assert frames_n == pytest.approx(clip_dur_ms / 1000 * 15, rel=0.05)


@plays("hides")
def test_what_is_masked_is_black_in_the_video_and_for_motion(saw: Saw) -> None:
    assert saw["decoded"] > 10
    assert saw["video"] < 10 and saw["luma"] == 0
    assert saw["outside"] > 60 and saw["luma_outside"] > 60


@plays("goes_blind")
def test_a_frame_that_cannot_be_masked_is_never_handed_on(saw: Saw) -> None:
    assert saw["code"] == "camera_stream_bad" and saw["took_s"] < 10
    assert saw["brightest"] < 10
    assert saw["packets_again"] > 5


@plays("encoder_raises")
def test_an_encoder_that_fails_in_the_cameras_thread_ends_the_run_at_once(saw: Saw) -> None:
    assert saw["code"] == "camera_stream_bad" and "x264 is out of memory" in saw["text"]
    assert saw["took_s"] < 5 and saw["packets"] > 3 and saw["packets_again"] > 5


@plays("stalls")
def test_a_camera_that_falls_silent_is_given_up_in_time_and_can_be_opened_again(saw: Saw) -> None:
    assert saw["code"] == "camera_no_frames" and "ribbon cable" in saw["text"]
    assert 4.2 < saw["told_s"] < 5.5 and saw["silent_s"] + saw["back_s"] < 15
    assert saw["packets"] > 5 and saw["packets_again"] > 5


@plays("meets_errors")
def test_spoilt_frames_leave_a_hole_and_nothing_else(saw: Saw) -> None:
    assert saw["error"] is None
    assert saw["decoded"] == saw["packets"] > 20
    assert saw["longest_step_s"] == pytest.approx(1, abs=0.4)


@plays("bad_sink")
def test_a_bug_in_the_sink_surfaces_and_leaves_the_camera_free(saw: Saw) -> None:
    assert saw["error"] == "ZeroDivisionError" and saw["packets"] == 10
    assert saw["packets_again"] > 5


@plays("slow_sink")
def test_a_slow_sink_costs_no_frame(saw: Saw) -> None:
    assert saw["slept"] == 1 and saw["dropped"] == 0
    assert saw["longest_step_s"] < 0.5


@plays("no_encoder")
def test_an_encoder_that_does_not_start_is_named_and_at_last_replaced(saw: Saw) -> None:
    assert [one["code"] for one in saw["tries"]] == ["encoder_missing"] * 3
    assert saw["then"] == [["x264 superfast", 640, 360]] and saw["packets"] > 3


@plays("too_old")
def test_an_old_picamera2_records_nothing_that_is_to_be_masked(saw: Saw) -> None:
    assert saw["code"] == "masks_unsafe" and "0.3.31" in saw["text"] and saw["masked"] == 0
    assert saw["plain"] >= 6                        # without masks nothing speaks against it
    assert not saw["takes_masks"] and saw["takes_others"]


@plays("chooses_a_mode")
def test_the_sensor_shows_its_whole_field_where_its_rate_allows(saw: Saw) -> None:
    assert saw["asked"] == [{"output_size": [1280, 720], "bit_depth": 10}, {"output_size": [640, 360], "bit_depth": 10}]
    assert saw["views"] == [[100, 21], [50, 21]]
    assert saw["buffers"] == [[8], [8, 8]]       # of the two streams alone: asking for the modes took none
    assert all(word in saw["kept"] for word in ("libcamera v", "kernel", "[1280,720]"))


@plays("keeps_the_view")
def test_masks_stay_on_the_view_that_they_were_drawn_on_or_nothing_is_recorded(saw: Saw) -> None:
    drawn, other_rate, flipped, other_driver, without, redrawn = saw["seen"]
    assert drawn[:2] == without[:2] == redrawn[:2] == [None, True]
    assert other_rate[:2] == [None, True] and other_rate[3] == drawn[3] == 50      # the whole would be quick enough
    assert flipped[:2] == other_driver[:2] == ["masks_unsafe", False]
    assert "drawn" in flipped[2] and "flip" in flipped[2]


@plays("no_camera", "in_use")
def test_a_camera_that_is_not_there_or_taken_is_named(saw: list[Saw]) -> None:
    missing, taken = saw
    assert missing["code"] == "camera_not_found" and "picamera:3" in missing["text"]
    assert taken["code"] == "camera_no_frames" and "other program" in taken["text"]
    assert taken["packets_again"] > 5


@plays("hangs")
def test_a_camera_that_never_closes_asks_for_the_end_of_the_process(saw: Saw) -> None:
    assert saw["error"] == "SourceStuck" and saw["took_s"] < 15


@plays("adjusts")
def test_masks_exposure_focus_and_pace_change_while_it_records(saw: Saw) -> None:
    assert (saw["larger"], saw["flipped"], saw["took_over"]) == (False, False, True)
    assert saw["took_s"] < 0.2                              # it only leaves word
    assert saw["before"] == {"AfMode": 2, "ExposureValue": 0, "FrameDurationLimits": [66666, 66666]}
    assert saw["after"] == {"AfMode": 0, "LensPosition": 0.5, "ExposureValue": 1,
                            "FrameDurationLimits": [66666, 200000]}
    assert saw["infos"] == [["x264 superfast", 640, 360]] and saw["longest_step_s"] < 0.5     # one run, and no gap
    assert saw["first"] > 100 and saw["first_luma"] > 100
    assert saw["last"] < 10 and saw["last_luma"] == 0


@plays("darkens")
def test_at_night_frames_come_slowly_and_time_stays_right(saw: Saw) -> None:
    assert saw["day_s"] < 0.1 < 0.15 < saw["night_s"] < 0.25        # 1/15 and 1/5 s, of an uneven sensor
    assert saw["longest_gop_s"] < 2 + saw["longest_step_s"] and saw["decoded"] == saw["packets"]
    assert saw["age_s"] < 2 * saw["slowness"]


@plays("steps_down")
def test_a_board_that_can_encode_little_records_a_smaller_picture_and_says_so(saw: Saw) -> None:
    assert saw["infos"] == [["x264 ultrafast", 640, 360]] and saw["asked"] == [1280, 720]
    assert saw["packets"] > 3


@plays("lags")
def test_an_encoder_that_falls_behind_goes_down_step_by_step_and_stays_there(saw: Saw) -> None:
    assert saw["error"] is None
    assert saw["infos"] == [["x264 superfast", 960, 540], ["x264 ultrafast", 960, 540], ["x264 ultrafast", 640, 360]]


@plays("flips_and_tunes")
def test_the_picture_is_flipped_and_libcamera_finds_the_tuning_file(saw: Saw) -> None:
    assert saw["seen"] == [[True, True], [False, False], [False, False]]
    tuned, missing, plain = " ".join(str(each) for each in saw["looked"]).split("closed")[:3]
    assert tuned.split()[-1].endswith("picamera/scenarios.py")
    assert set(missing.split()) == set(plain.split()) == {"None"}


@plays("odd_sizes")
def test_sizes_are_read_back_and_a_format_that_cannot_be_masked_is_refused(saw: Saw) -> None:
    assert saw["odd"] == [["x264 superfast", 640, 360]]
    assert [size for _, *size in saw["adjusted"]] == [[1920, 1080]]
    assert saw["code"] == "camera_stream_bad" and "NV12" in saw["text"]
