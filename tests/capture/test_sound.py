"""Real cameras with sound: passed through as it comes, beside its pictures, never at their cost."""
import subprocess
from fractions import Fraction
from pathlib import Path

import av
import pytest

from agent.config.settings import Motion
from agent.core.contract.facts import SoundFacts
from agent.host.clock import SystemClock
from agent.store.clip_recovery import recover_camera
from agent.store.clips import Clip
from tests.capture.conftest import Rig
from tests.rigs.cameras import footage
from tests.rigs.cameras.rtsp import RtspCamera, missing
from tests.rigs.wait import HANG_S, Stopwatch, until

NO_MOTION = Motion(enabled=False)
IN_STEP_S = 0.1
SILENT = footage.clip(640, 360, 10, 10, 500)


def place(rig: Rig, clip: Clip) -> Path:
    return rig.folders.clip(clip.seq, clip.name)


def packets(path: Path, kind: str) -> list[tuple[Fraction, bytes]]:
    """When (s) each packet of the file's "video" or "audio" is shown or heard, and what is in it."""
    with av.open(str(path)) as container:
        stream = container.streams.get(**{kind: 0})[0]
        return [(packet.pts * packet.time_base, bytes(packet)) for packet in container.demux(stream) if packet.size]


def assert_plays(path: Path, codec: str) -> None:
    """ffprobe finds both streams and they are equally long; ffmpeg decodes all of it without a word."""
    asked = ["ffprobe", "-v", "warning", "-of", "csv=p=0", "-show_entries", "stream=codec_name,start_time,duration",
             path]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=HANG_S, check=True)
    rows = [line.split(",") for line in done.stdout.split()]
    assert [row[0] for row in rows] == ["h264", codec] and done.stderr == ""
    ends = [float(start) + float(duration) for _, start, duration in rows]
    assert abs(ends[0] - ends[1]) < 0.1 and abs(float(rows[1][1])) < 0.1
    decoded = subprocess.run(["ffmpeg", "-v", "error", "-xerror", "-i", path, "-f", "null", "-"], capture_output=True,
                             timeout=HANG_S, check=True)
    assert decoded.stderr == b""


def assert_passed_through(rig: Rig, film: Path, cuts_n: int, in_step_s: float = IN_STEP_S) -> None:
    """Every clip's sound is the film's own, piece by piece, without one missing or twice, and in step."""
    served = packets(film, "audio")
    order = {data: number for number, (_, data) in enumerate(served)}
    shown_at = {data[-200:]: at_s for at_s, data in packets(film, "video")}
    numbers: list[int] = []
    for clip in rig.clips():
        heard, seen = packets(place(rig, clip), "audio"), packets(place(rig, clip), "video")
        numbers += [order[data] for _, data in heard]
        begin_s = shown_at[seen[0][1][-200:]] - seen[0][0]
        long_s = shown_at[packets(film, "video")[-1][1][-200:]]
        for at_s, data in heard:
            off_s = (at_s - (served[order[data]][0] - begin_s) + long_s / 2) % long_s - long_s / 2
            assert abs(off_s) < in_step_s
    steps = [(after - before) % len(served) for before, after in zip(numbers, numbers[1:], strict=False)]
    assert len(rig.clips()) > cuts_n and len(numbers) > 90 and set(steps) == {1}


def test_a_files_sound_is_recorded_as_it_is_across_cuts(rig: Rig):
    film = footage.with_sound(SILENT, "aac")
    rig.start(f"file:{film}", record="continuous", motion=NO_MOTION, max_clip_s=3, audio=True)
    until(lambda: len(rig.clips()) >= 2)
    assert rig.facts().audio == SoundFacts("recorded", "aac", 16_000)
    rig.finish()
    for clip in rig.clips():
        assert_plays(place(rig, clip), "aac")
    assert_passed_through(rig, film, cuts_n=2)


@pytest.mark.needs.with_args(missing)
@pytest.mark.parametrize(("reader", "codec", "rate_hz", "told"), [
    ("own", "aac", 16_000, "aac"), ("libav", "aac", 16_000, "aac"), ("libav", "pcm_alaw", 8_000, "pcma")])
def test_a_network_cameras_sound_is_recorded_as_it_comes(rig: Rig, reader: str, codec: str, rate_hz: int, told: str):
    with RtspCamera(footage.with_sound(SILENT, codec, rate_hz), sound=True) as camera:
        rig.start(camera.url, reader=reader, record="continuous", motion=NO_MOTION, max_clip_s=3, audio=True)
        with Stopwatch() as watch:
            until(lambda: len(rig.clips()) >= 2)
        assert rig.facts().audio == SoundFacts("recorded", told, rate_hz)
        rig.finish()
    for clip in rig.clips():
        assert_plays(place(rig, clip), codec)
    if codec == "aac":      # G.711 has no pieces of its own: the server cuts it anew
        assert_passed_through(rig, footage.with_sound(SILENT, codec, rate_hz), 2, IN_STEP_S * watch.slowness)


def test_an_events_clip_has_sound_from_its_pre_roll_on(rig: Rig):
    rig.start(f"file:{footage.with_sound(SILENT, 'aac')}", pre_roll_s=2, post_roll_s=1, merge_gap_s=1, max_clip_s=10,
              audio=True)
    event = until(lambda: [event for event in rig.events() if event.state == "done"])[0]
    assert event.clip_offset_ms > 0
    clip = until(lambda: [clip for clip in rig.clips() if clip.name == event.clip])[0]
    heard = packets(place(rig, clip), "audio")
    assert heard[0][0] < 0.15 and abs(float(heard[-1][0]) + 0.064 - clip.dur_ms / 1000) < 0.1
    assert len(heard) == pytest.approx(clip.dur_ms / 64, abs=3)
    assert (rig.folders.thumbs / event.thumb).stat().st_size > 0


def test_a_torn_clip_is_recovered_with_its_sound(rig: Rig):
    rig.start(f"file:{footage.with_sound(SILENT, 'aac')}", record="continuous", motion=NO_MOTION, audio=True)
    part = until(lambda: list(rig.folders.clips.glob("*/*.part")))[0]
    until(lambda: part.stat().st_size > 300_000)
    torn = part.read_bytes()[:250_000]
    rig.finish()
    place(rig, rig.clips()[0]).unlink()
    rig.db.execute("UPDATE clip SET state = 'open'")
    part.write_bytes(torn)
    recover_camera(rig.db, rig.folders, "gate", SystemClock())
    assert_plays(place(rig, rig.clips()[0]), "aac")


def test_sound_is_off_unless_the_household_turned_it_on(rig: Rig):
    rig.start(f"file:{footage.with_sound(SILENT, 'aac')}", record="continuous", motion=NO_MOTION)
    until(lambda: rig.facts().recording)
    until(lambda: list(rig.folders.clips.glob("*/*.part"))[0].stat().st_size > 100_000)
    assert rig.facts().audio == SoundFacts("off")
    rig.finish()
    with av.open(str(place(rig, rig.clips()[0]))) as container:
        assert [stream.type for stream in container.streams] == ["video"]


@pytest.mark.parametrize(("codec", "told"), [
    ("mp3", SoundFacts("unsupported", "mp3")), (None, SoundFacts("none"))])
def test_sound_that_cannot_be_kept_never_harms_the_video(rig: Rig, codec: str | None, told: SoundFacts,
                                                         caplog: pytest.LogCaptureFixture):
    short = footage.clip(320, 180, 10, 10, 300, seconds=2)
    rig.start(f"file:{footage.with_sound(short, codec) if codec else short}", loop=True, record="continuous",
              motion=NO_MOTION, audio=True)
    part = until(lambda: list(rig.folders.clips.glob("*/*.part")))[0]
    until(lambda: part.stat().st_size > 150_000)        # the film begins anew, and tells its sound again
    heard = rig.facts().audio
    assert heard.state == told.state and heard.codec.startswith(told.codec)
    rig.finish()
    clip = rig.clips()[0]
    assert clip.dur_ms > 2500 and clip.frames == pytest.approx(clip.dur_ms / 100, abs=1)
    assert len([record for record in caplog.records if "without sound" in record.message]) == 1
    with av.open(str(place(rig, clip))) as container:
        assert [stream.type for stream in container.streams] == ["video"]
