"""A video file as a camera: real time, loops, and files that are no video."""
from pathlib import Path

import pytest

from agent.cameras import SourceError
from agent.cameras.file import FileSource
from agent.config.settings import Motion
from agent.host.clock import SystemClock
from agent.host.stop import Stop
from tests.capture.conftest import Rig
from tests.rigs.cameras import footage
from tests.rigs.wait import until


def test_a_loop_is_one_run_in_real_time(rig: Rig):
    rig.start(f"file:{footage.clip(320, 180, 10, 10, 300, seconds=4)}", loop=True, record="continuous",
              motion=Motion(enabled=False), max_clip_s=10)
    clip = until(rig.clips)[0]
    assert abs(clip.dur_ms - 10_000) <= 10 and clip.frames == pytest.approx(clip.dur_ms / 100, abs=1)
    assert rig.facts().gaps_n == 0


def test_a_file_that_ends_is_closed_and_told_as_ended(rig: Rig):
    rig.start(f"file:{footage.clip(320, 180, 10, 10, 300, seconds=2)}", record="continuous",
              motion=Motion(enabled=False))
    until(rig.clips)
    assert until(lambda: rig.facts().state == "ended") and rig.facts().fault is None


@pytest.mark.parametrize(("name", "content", "told"), [
    ("none.mp4", None, "there is no such file"),
    ("text.mp4", b"not a video at all\n" * 50, "is not a video that can be played"),
    ("empty.mp4", b"", "is not a video that can be played"),
])
def test_a_file_that_is_no_video_says_so(tmp_path: Path, name: str, content: bytes | None, told: str):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceError, match=told):
        FileSource(path, SystemClock()).run(None, Stop())


def test_a_codec_that_cannot_be_kept_as_it_is_names_the_remedy():
    with pytest.raises(SourceError, match="is mjpeg, which can't be recorded as it is.*libx264"):
        FileSource(footage.clip(320, 180, 10, 10, 500, codec="mjpeg", seconds=2), SystemClock()).run(None, Stop())


@pytest.mark.parametrize(("codec", "b_frames"), [("h265", 0), ("h264", 2)])
def test_h265_and_b_frames_are_recorded_as_they_are(rig: Rig, codec: str, b_frames: int):
    import av
    movie = footage.clip(320, 180, 10, 10, 300, codec=codec, b_frames=b_frames, seconds=3)
    rig.start(f"file:{movie}", record="continuous", motion=Motion(enabled=False))
    clip = until(rig.clips)[0]
    with av.open(str(rig.folders.clip(clip.seq, clip.name))) as container:
        times = [frame.time for frame in container.decode(video=0)]
    assert clip.codec == codec and len(times) == clip.frames == 30
    assert times == sorted(times) and abs(times[-1] - times[0] - 2.9) < 0.01
