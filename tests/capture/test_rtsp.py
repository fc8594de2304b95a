"""Real RTSP servers with real footage, recorded bit by bit: by our reader, by libav over TCP, and by libav over UDP."""
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote

import av
import pytest

from agent.config.settings import Motion
from tests.capture import python_rtsp_server
from tests.capture.conftest import Rig
from tests.rigs.cameras import footage
from tests.rigs.cameras.rtsp import RtspCamera, missing
from tests.rigs.store.on_card import endings, written
from tests.rigs.wait import Stopwatch, until

NO_MOTION = Motion(enabled=False)
UNSHOWN_MAX_N = 3           # B-frames that may still be to come, and the frame that leans on them
WAYS = {"own": {"reader": "own"}, "libav": {"reader": "libav"}, "udp": {"transport": "udp"}}
FILM_S = 30          # long before it begins anew, however busy the machine is, its first 3 s are on the card
SHAPES = {"h264": {}, "h265": {"codec": "h265"}, "b-frames": {"b_frames": 2},
          "h265-b-frames": {"codec": "h265", "b_frames": 2}}
MAIN, SUB = footage.clip(640, 360, 10, 10, 500), footage.clip(320, 180, 5, 5, 100)
pytestmark = pytest.mark.needs.with_args(missing)


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> dict[str, str]:
    """The keys of [[camera]] that choose how it is read; nearly everything here is asked of all three."""
    return WAYS[request.param]


@pytest.fixture
def camera() -> Iterator[RtspCamera]:
    with RtspCamera(MAIN, SUB) as server:
        yield server


def times_of(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [float(frame.time) for frame in container.decode(video=0)]


def test_continuous_clips_hold_the_cameras_own_bits_without_a_missing_frame_in_real_time(
        rig: Rig, camera: RtspCamera, way: dict[str, str]):
    rig.start(camera.url, **way, sub=camera.sub_url, record="continuous", max_clip_s=10)
    with Stopwatch() as watch:
        until(lambda: rig.clips() and rig.facts().recording)
        rig.finish()
    first, second = rig.clips()[:2]
    served, recorded = endings(MAIN), endings(*(rig.folders.clip(clip.seq, clip.name) for clip in (first, second)))
    begin = served.index(recorded[0])
    assert recorded == served[begin:begin + len(recorded)] and len(recorded) > 100
    assert abs(first.mono_ms + first.dur_ms - second.mono_ms) <= 2
    assert abs((second.wall_ms - first.wall_ms) - first.dur_ms) < 100 * watch.slowness


@pytest.mark.parametrize("reader", ["own", "libav"])
def test_motion_on_the_sub_stream_makes_an_event_with_pre_roll_and_picture(rig: Rig, camera: RtspCamera, reader: str):
    rig.start(camera.url, reader=reader, sub=camera.sub_url, pre_roll_s=1, post_roll_s=1, merge_gap_s=1, max_clip_s=10)
    event = until(lambda: [e for e in rig.events() if e.state == "done"])[0]
    assert event.clip is not None and event.dur_ms > 0 and event.boxes
    assert event.clip_offset_ms >= 1000
    assert (rig.folders.thumbs / event.thumb).read_bytes().startswith(b"\xff\xd8")
    clip = rig.clips()[0]
    times = times_of(rig.folders.clip(clip.seq, clip.name))
    assert times[0] == 0 and len(times) == clip.frames
    assert abs(times[-1] + 0.1 - clip.dur_ms / 1000) < 0.11
    assert [m["phase"] for m in rig.messages("motion")][:2] == ["start", "end"]
    rig.facts()
    assert until(lambda: rig.facts().luma_fps) == pytest.approx(5, abs=1.5)


@pytest.mark.parametrize("fault", ["freeze", "kill"])
def test_recording_resumes_within_15_s_and_the_gap_is_told(rig: Rig, camera: RtspCamera, way: dict[str, str],
                                                           fault: str):
    rig.start(camera.url, **way, record="continuous", motion=NO_MOTION, max_clip_s=600)
    until(lambda: rig.facts().state == "ok" and rig.facts().recording)
    camera.freeze() if fault == "freeze" else camera.kill()
    until(lambda: rig.facts().state == "retrying")
    before = until(rig.clips)[0]
    assert times_of(rig.folders.clip(before.seq, before.name))
    assert rig.facts().fault == "camera_unreachable" and not rig.facts().recording
    camera.thaw() if fault == "freeze" else camera.start()
    until(lambda: rig.facts().state == "ok" and rig.facts().recording)
    rig.finish()
    told = until(lambda: [m for m in rig.messages("camera") if m["phase"] == "end"])[0]
    after = next(clip for clip in rig.clips() if clip.seq > before.seq)
    hole_s = (after.mono_ms - before.mono_ms - before.dur_ms) / 1000
    assert told["code"] == "camera_unreachable" and abs(told["gap_s"] - hole_s) < 1.5


def test_who_knows_the_password_sees_and_who_does_not_is_one_clear_fault(
        rig: Rig, way: dict[str, str], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]):
    with RtspCamera(MAIN, login="admin:r ig?t/@") as camera:
        wrong, right = (quote(word, safe="") for word in ("s3/c?r@t%41", "r ig?t/@"))
        rig.start(camera.address("/main", login=f"admin:{wrong}"), **way)
        facts = until(lambda: (f := rig.facts()).fault and f)
        assert facts.fault == "camera_auth" and "user name or password" in facts.detail
        rig.finish()
        rig.start(camera.address("/main", login=f"admin:{right}"), **way)
        until(lambda: rig.facts().state == "ok")
    told = facts.detail + caplog.text + "".join(capfd.readouterr())
    assert not any(form in told for form in ("s3/c?r@t", "r ig?t/@", wrong, right, quote("s3/c?r@t%41")))


@pytest.mark.parametrize(("url", "fault", "told"), [
    ("/nothing-here", "camera_not_found", "no stream under this path"),
    (None, "camera_unreachable", "refuses the connection"),
])
def test_a_wrong_address_says_what_is_wrong_with_it(rig: Rig, camera: RtspCamera, way: dict[str, str], url: str | None,
                                                    fault: str, told: str):
    rig.start(camera.address(url) if url else "rtsp://127.0.0.1:1/x", **way)
    facts = until(lambda: (f := rig.facts()).fault and f)
    assert facts.fault == fault and told in facts.detail


def test_without_the_sub_stream_motion_falls_back_on_the_main_one(rig: Rig, camera: RtspCamera, way: dict[str, str]):
    rig.start(camera.url, **way, sub=camera.address("/gone"), pre_roll_s=1)
    until(lambda: rig.facts().luma_fps)
    assert rig.facts().state == "ok"


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_recorded_as_it_comes_from_its_very_first_frame_on(rig: Rig, way: dict[str, str], shape: str):
    film = footage.clip(640, 360, 15, 30, 500, seconds=FILM_S, **SHAPES[shape])
    with RtspCamera(film) as camera:
        record_all_of(rig, film, camera.url, way)


@pytest.mark.skipif(bool(python_rtsp_server.missing()), reason=python_rtsp_server.missing() or "-")
@pytest.mark.parametrize("reader", ["own", "libav"])
@pytest.mark.parametrize("shape", ["h264", "h265"])        # it dates frames with B-frames as they are decoded
def test_so_is_what_another_makers_server_sends(rig: Rig, reader: str, shape: str):
    film = footage.clip(640, 360, 15, 30, 500, seconds=FILM_S, **SHAPES[shape])
    with python_rtsp_server.PyCamera(film) as camera:
        record_all_of(rig, film, camera.url, {"reader": reader})


def record_all_of(rig: Rig, film: Path, url: str, way: dict[str, Any]) -> None:
    """Record the film's first seconds: its own bits, from the first frame on, each shown when it should be."""
    rig.start(url, **way, record="continuous", motion=NO_MOTION)
    until(lambda: len(written(rig.folders)) >= 45)
    rig.finish()
    path = rig.folders.clip(rig.clips()[0].seq, rig.clips()[0].name)
    recorded, times = endings(path), times_of(path)
    assert recorded == endings(film)[:len(recorded)] and len(times) == len(recorded)
    steady = times[1:] if way != WAYS["own"] else times      # libav gives the first keyframe no time to be shown
    steady = steady[:-UNSHOWN_MAX_N]        # the end may come before B-frames that are shown before its last frame
    assert all(abs(after - before - 1 / 15) < 0.01 for before, after in pairwise(steady))


def test_who_joins_in_the_middle_waits_for_a_keyframe(rig: Rig, way: dict[str, str]):
    with (RtspCamera(footage.clip(640, 360, 10, 20, 400)) as camera,
          av.open(camera.url, options={"rtsp_transport": "tcp"}) as other):     # the server goes on for the next client
        packets = other.demux(video=0)
        until(lambda: (packet := next(packets)).size and not packet.is_keyframe)
        rig.start(camera.url, **way, record="continuous", motion=NO_MOTION)
        until(lambda: len(written(rig.folders)) >= 10)
        rig.finish()
    clip = rig.clips()[0]
    path = rig.folders.clip(clip.seq, clip.name)
    with av.open(str(path)) as container:
        assert next(container.demux(video=0)).is_keyframe
    assert len(times_of(path)) == clip.frames >= 10
