"""A real RTSP camera with real footage: recorded bit by bit, through freezes, deaths and wrong passwords."""
from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from agent.config.settings import Motion
from tests.capture.conftest import Rig
from tests.rigs import footage
from tests.rigs.rtsp import RtspCamera, missing
from tests.rigs.wait import until

NO_MOTION = Motion(enabled=False)
pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "-")


@pytest.fixture
def camera() -> Iterator[RtspCamera]:
    with RtspCamera(footage.clip(640, 360, 10, 10, 500), footage.clip(320, 180, 5, 5, 100)) as server:
        yield server


def times_of(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [float(frame.time) for frame in container.decode(video=0)]


def payloads(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


def test_continuous_clips_hold_the_cameras_own_bits_without_a_missing_frame(rig: Rig, camera: RtspCamera):
    rig.start(camera.url, sub=camera.sub_url, record="continuous", max_clip_s=10)
    until(lambda: len(rig.clips()) >= 1, 30)
    rig.finish()
    served = payloads(footage.clip(640, 360, 10, 10, 500))
    recorded = [payload for clip in rig.clips() for payload in payloads(rig.folders.clip(clip.seq, clip.name))]
    # The server repeats parameter sets at keyframes; every slice must be one of the file's.
    slices = {payload[-200:] for payload in served}
    assert len(recorded) > 100 and all(payload[-200:] in slices for payload in recorded)
    for clip, following in zip(rig.clips(), rig.clips()[1:], strict=False):
        assert abs(clip.mono_ms + clip.dur_ms - following.mono_ms) <= 2


def test_motion_on_the_sub_stream_makes_an_event_with_pre_roll_and_picture(rig: Rig, camera: RtspCamera):
    rig.start(camera.url, sub=camera.sub_url, pre_roll_s=1, post_roll_s=1, merge_gap_s=1, max_clip_s=10)
    event = until(lambda: [e for e in rig.events() if e.state == "done"], 40)[0]
    assert event.clip is not None and event.dur_ms > 0 and event.boxes
    assert event.clip_offset_ms >= 1000
    assert (rig.folders.thumbs / event.thumb).read_bytes().startswith(b"\xff\xd8")
    clip = rig.clips()[0]
    times = times_of(rig.folders.clip(clip.seq, clip.name))
    assert times[0] == 0 and len(times) == clip.frames
    assert abs(times[-1] + 0.1 - clip.dur_ms / 1000) < 0.11
    assert [m["phase"] for m in rig.messages("motion")][:2] == ["start", "end"]
    rig.facts()
    assert until(lambda: rig.facts().luma_fps, 5) == pytest.approx(5, abs=1.5)


def test_media_time_is_wall_time(rig: Rig, camera: RtspCamera):
    rig.start(camera.url, record="continuous", motion=NO_MOTION, max_clip_s=10)
    until(lambda: len(rig.clips()) >= 1 and rig.facts().recording, 40)
    rig.finish()
    first, second = rig.clips()[:2]
    assert abs((second.wall_ms - first.wall_ms) - first.dur_ms) < 100


@pytest.mark.parametrize("fault", ["freeze", "kill"])
def test_recording_resumes_within_15_s_and_the_gap_is_told(rig: Rig, camera: RtspCamera, fault: str):
    rig.start(camera.url, record="continuous", motion=NO_MOTION, max_clip_s=600)
    until(lambda: rig.facts().state == "ok" and rig.facts().recording, 15)
    camera.freeze() if fault == "freeze" else camera.kill()
    until(lambda: rig.facts().state == "retrying", 12)
    before = until(rig.clips, 5)[0]
    assert times_of(rig.folders.clip(before.seq, before.name))
    assert rig.facts().fault == "camera_unreachable" and not rig.facts().recording
    camera.thaw() if fault == "freeze" else camera.start()
    until(lambda: rig.facts().state == "ok" and rig.facts().recording, 15)
    rig.finish()
    told = until(lambda: [m for m in rig.messages("camera") if m["phase"] == "end"], 5)[0]
    after = next(clip for clip in rig.clips() if clip.seq > before.seq)
    hole_s = (after.mono_ms - before.mono_ms - before.dur_ms) / 1000
    assert told["code"] == "camera_unreachable" and abs(told["gap_s"] - hole_s) < 1.5


def test_a_wrong_password_is_one_clear_fault_and_never_shown(rig: Rig, caplog: pytest.LogCaptureFixture):
    with RtspCamera(footage.clip(640, 360, 10, 10, 500), login="admin:right") as camera:
        rig.start(camera.address("/main", login="admin:s3cret"))
        facts = until(lambda: (f := rig.facts()).fault and f, 15)
        assert facts.fault == "camera_auth" and "user name or password" in facts.detail
        assert "s3cret" not in facts.detail + caplog.text


@pytest.mark.parametrize(("url", "fault", "told"), [
    ("/nothing-here", "camera_not_found", "no stream under this path"),
    (None, "camera_unreachable", "refuses the connection"),
])
def test_a_wrong_address_says_what_is_wrong_with_it(rig: Rig, camera: RtspCamera, url: str | None,
                                                    fault: str, told: str):
    rig.start(camera.address(url) if url else "rtsp://127.0.0.1:1/x")
    facts = until(lambda: (f := rig.facts()).fault and f, 15)
    assert facts.fault == fault and told in facts.detail


def test_without_the_sub_stream_motion_falls_back_on_the_main_one(rig: Rig, camera: RtspCamera):
    rig.start(camera.url, sub=camera.address("/gone"), pre_roll_s=1)
    until(lambda: rig.facts().luma_fps, 20)
    assert rig.facts().state == "ok"
