"""The V4L2 source on a real kernel: its test camera vivid, with the faults that vivid can play, in QEMU."""
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.rigs.cameras import vivid_machine

LONGEST_S = 900             # a whole machine is played by a program
pytestmark = pytest.mark.timeout(1000)


@pytest.fixture(scope="module")
def saw() -> dict[str, Any]:
    """What tests/rigs/cameras/vivid_scenarios.py saw in the guest."""
    command = [sys.executable, "-m", "tests.rigs.cameras.vivid_scenarios"]
    try:
        said = vivid_machine.run(command, Path(__file__).parents[2], LONGEST_S)
    except vivid_machine.NoMachine as missing:
        pytest.skip(f"no machine with a V4L2 camera: {missing}")
    except subprocess.TimeoutExpired:
        pytest.fail(f"the guest was not done within {LONGEST_S} s")
    results = [line for line in said.splitlines() if line.startswith("{")]
    assert results, said[-3000:]
    return json.loads(results[-1])


def test_a_camera_is_recorded_at_its_own_pace_and_times(saw: dict[str, Any]) -> None:
    run = saw["records"]
    assert run["code"] is None and run["size"] == [[320, 180]]
    assert run["decoded"] == run["packets"] and run["media_s"] >= 4
    # The driver drops what a slow machine does not fetch in time; the times of those that it has are its own.
    assert run["step_s"] == pytest.approx(0.1, rel=0.1) and 5 < (run["packets"] - 1) / run["media_s"] < 11
    assert abs(run["age_s"]) < 1
    assert run["lumas"] > 8


def test_masks_are_painted(saw: dict[str, Any]) -> None:
    assert saw["records"]["masked_max"] == 0 and saw["records"]["open_mean"] > 30


def test_one_spoilt_buffer_costs_one_picture(saw: dict[str, Any]) -> None:
    run = saw["spoilt"]
    assert run["code"] is None and run["decoded"] == run["packets"]
    assert run["step_s"] == pytest.approx(0.1, rel=0.1) and run["packets"] > run["media_s"] * 5


def test_silence_is_given_up_after_five_seconds_and_the_camera_opens_again(saw: dict[str, Any]) -> None:
    assert saw["silent"]["code"] == "camera_no_frames" and 4.4 < saw["silent"]["age_s"] < 6
    assert saw["again"]["code"] is None and saw["again"]["packets"] > 8


@pytest.mark.parametrize(("scenario", "code", "text"), [
    ("taken", "camera_no_frames", "another program"), ("refuses", "camera_stream_bad", "refuses its settings"),
    ("fails", "camera_no_frames", "USB fails")])
def test_each_fault_is_named_at_once(saw: dict[str, Any], scenario: str, code: str, text: str) -> None:
    assert saw[scenario]["code"] == code and text in saw[scenario]["text"]
    assert saw[scenario]["took_s"] < 5


def test_a_camera_that_is_plugged_in_again_is_found_by_its_id_whatever_its_number(saw: dict[str, Any]) -> None:
    run = saw["replugged"]
    assert run["code"] == "camera_not_found" and "is gone" in run["text"] and run["node"] != "/dev/video0"
    assert run["back_s"] < 30 and run["over"]       # QEMU interprets: some ten times as slow as a computer


def test_nothing_stays_open(saw: dict[str, Any]) -> None:
    assert saw["files_n"] < 8
