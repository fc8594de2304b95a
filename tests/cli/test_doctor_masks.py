"""What `taimat doctor` says of a camera's masks, and that it leaves a paused camera alone."""
import json
import re
from pathlib import Path

from agent.cameras import reencode
from agent.cli.doctor import camera as doctor
from agent.config.settings import Camera
from agent.host.clock import SystemClock
from agent.store import pause
from agent.store.folders import Folders
from tests.cli.cli import taimat_process, write_config
from tests.rigs.cameras import footage
from tests.rigs.cameras.h264 import movie

AREAS = [[(0.0, 0.0), (0.5, 0.0), (0.5, 0.5)]]


def said_of(tmp_path: Path, more: str) -> tuple[dict[str, str], dict[str, str]]:
    """The verdicts on the camera and on the encoder."""
    with footage.for_everybody(footage.clip(640, 360, fps=10, gop=20, kbps=400)) as film:
        config = write_config(tmp_path, f"file:{film}", more)
        lines = taimat_process(tmp_path, "doctor", "-c", config, "--json").stdout.splitlines()
    told = {each["check"]: each for each in map(json.loads, lines)}
    return told["camera yard"], told["encoder"]


def test_transcoding_is_measured_on_the_cameras_own_pictures(tmp_path: Path):
    camera, encoder = said_of(tmp_path, 'masks = [[[0, 0], [0.5, 0], [0.5, 0.5]]]\nprivacy_mask = "transcode"\n')
    cost = re.search(r"painting the masks .* takes (\d+) % of one of \d+ cores", camera["text"])
    assert cost and 0 < int(cost[1]) < 1000 and camera["state"] in ("ok", "warn", "bad")
    assert "x264 in software" in encoder["text"]


def test_a_declared_mask_is_the_households_to_look_at(tmp_path: Path):
    camera, _ = said_of(tmp_path, 'masks = [[[0, 0], [0.5, 0], [0.5, 0.5]]]\nprivacy_mask = "camera"\n')
    assert camera["state"] == "ok" and "by the camera itself, as you declare" in camera["text"]


def test_a_paused_camera_is_not_opened(tmp_path: Path, folders: Folders):
    pause.put(folders, ["yard"], None, "command", SystemClock().now())
    camera, _ = said_of(tmp_path, "")
    assert camera["state"] == "skipped" and "taimat resume yard" in camera["remedy"]


def test_what_would_not_fit_is_bad_and_names_both_ways_out(monkeypatch):
    masked = Camera(name="gate", source="file:/x.mp4", masks=AREAS, privacy_mask="transcode")
    info, packets = movie()
    for pct, state in ((20, "ok"), (75, "warn"), (140, "bad")):
        monkeypatch.setattr(reencode, "masking_cost", lambda *_, pct=pct: reencode.MaskingCost(2 * pct, pct))
        verdict = doctor.masks_verdict(masked, info, packets)[0]
        assert verdict.state == state and (state == "ok" or 'privacy_mask = "camera"' in verdict.remedy)


def test_too_little_is_not_taken_for_a_measurement():
    masked = Camera(name="gate", source="file:/x.mp4", masks=AREAS, privacy_mask="transcode")
    info, packets = movie()
    assert reencode.masking_cost(masked, info, packets[:2]) is None
    assert all(pct > 0 for pct in reencode.masking_cost(masked, info, packets))
