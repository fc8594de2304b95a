"""Films as they are found: torn, damaged, without times, in other wrappings. What can be seen is seen."""
import subprocess
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from agent.core.vision.event import EventMachine
from agent.core.vision.replay import FootageReplay, Variant
from agent.footage import reel
from agent.footage.film import Film, FootageError
from agent.host.luma import luma_of
from tests.rigs.cameras import footage

SECONDS, FPS = 4, 10


@pytest.fixture(scope="module")
def whole() -> Path:
    return footage.clip(320, 180, FPS, 10, 300, seconds=SECONDS)


def converted(source: Path, target: Path, *how: str) -> Path:
    """The same packets in another wrapping."""
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", "-i", source, "-c", "copy", *how, target], check=True)
    return target


def torn(source: Path, share: float) -> Path:
    """Only the first part of the file."""
    data = source.read_bytes()
    target = source.with_stem(f"{source.stem}-torn")
    target.write_bytes(data[:int(len(data) * share)])
    return target


def seen(path: Path, began_s: float = 0.0) -> tuple[list[float], str]:
    """The times of all pictures, and what was wrong."""
    with Film(path) as film:
        return [luma.mono_s for luma in film.lumas(lambda at_s: True, began_s)], film.trouble


def test_every_picture_comes_with_its_time(whole: Path):
    times, trouble = seen(whole, began_s=1000)
    assert times == pytest.approx([1000 + number / FPS for number in range(len(times))]) and trouble == ""
    assert len(times) == pytest.approx(SECONDS * FPS, abs=1)


def test_pictures_are_those_of_the_file_but_for_the_loop_filter(whole: Path):
    with Film(whole) as film, av.open(str(whole)) as plain:
        for luma, frame in zip(film.lumas(lambda at_s: True), plain.decode(video=0), strict=True):
            assert luma.y.shape == (180, 320)
            assert np.abs(luma.y.astype(int) - luma_of(frame, 0.0).y).mean() < 3


def test_only_wanted_pictures_come(whole: Path):
    with Film(whole) as film:
        assert [round(luma.mono_s, 3) for luma in film.lumas(lambda at_s: 1 <= at_s < 1.25)] == [1.0, 1.1, 1.2]


def test_a_torn_film_is_looked_at_as_far_as_it_goes(whole: Path, tmp_path: Path):
    times, trouble = seen(torn(converted(whole, tmp_path / "film.mp4", "-movflags", "faststart"), 0.4))
    assert 8 <= len(times) < 30 and "its end is missing" in trouble


def test_after_damage_it_goes_on_with_the_next_keyframe(whole: Path, tmp_path: Path):
    film = converted(whole, tmp_path / "film.mp4", "-movflags", "frag_keyframe+empty_moov")
    data = bytearray(film.read_bytes())
    middle = data.index(b"mdat", len(data) // 3) + 4        # the length of the first picture in a fragment
    data[middle:middle + 4] = b"\xff\xff\xff\xff"
    film.write_bytes(data)
    times, trouble = seen(film)
    assert "pictures left out because of damage: " in trouble and str(film) in trouble
    assert 20 <= len(times) < 40 and max(times) > 3.5


@pytest.mark.parametrize(("name", "how"), [("film.ts", ()), ("film.mkv", ()), ("film.mov", ()),
                                           ("film.h264", ("-bsf:v", "h264_mp4toannexb", "-f", "h264"))])
def test_other_wrappings_show_the_same(whole: Path, tmp_path: Path, name: str, how: tuple[str, ...]):
    times, trouble = seen(converted(whole, tmp_path / name, *how))
    assert len(times) == pytest.approx(SECONDS * FPS, abs=1) and trouble == "" and times[0] == 0
    assert all(later > earlier for earlier, later in pairwise(times))


def test_a_title_in_a_foreign_alphabet_is_no_obstacle(whole: Path, tmp_path: Path):
    film = converted(whole, tmp_path / "film.mkv", "-metadata", "title=caffe")
    film.write_bytes(film.read_bytes().replace(b"caffe", b"caf\xe9s"))
    assert seen(film)[1] == ""


def test_times_that_leap_back_go_on(whole: Path, tmp_path: Path):
    once = converted(whole, tmp_path / "film.ts").read_bytes()
    twice = tmp_path / "twice.ts"
    twice.write_bytes(once * 2)
    times, _ = seen(twice)
    assert len(times) >= 2 * SECONDS * FPS - 12
    assert all(0 < later - earlier < 0.5 for earlier, later in pairwise(times))


def test_b_frames_and_other_codecs_are_shown_in_order():
    for film in (footage.clip(320, 180, 10, 10, 300, b_frames=2, seconds=3),
                 footage.clip(320, 180, 10, 10, 300, codec="h265", seconds=3),
                 footage.clip(320, 180, 10, 10, 500, codec="mjpeg", seconds=2)):
        times, trouble = seen(film)
        assert trouble == "" and [round(at_s, 2) for at_s in times] == [n / 10 for n in range(len(times))]


@pytest.mark.parametrize(("name", "data"), [
    ("empty.mp4", b""), ("text.mp4", b"hello"),
    ("list.m3u8", b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:9/x.ts\n")])
def test_what_is_no_video_is_named(tmp_path: Path, name: str, data: bytes):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(FootageError, match=f"{name}: is no video that can be looked at"):
        Film(tmp_path / name)


def test_a_file_name_is_never_an_address(tmp_path: Path):
    with pytest.raises(FootageError, match="No such file"):
        Film(Path("http://127.0.0.1:9/film.mp4"))


def test_sound_alone_has_nothing_to_look_at(tmp_path: Path):
    sound = tmp_path / "sound.m4a"
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=d=1", sound], check=True)
    with pytest.raises(FootageError, match="has no video in it"):
        Film(sound)


def test_files_follow_each_other_on_one_line_of_time(whole: Path, tmp_path: Path):
    replay = FootageReplay([Variant("now", "normal", 0.1, 5)], EventMachine(8, 300))
    takes = [reel.ReelFile(whole), reel.ReelFile(tmp_path / "gone.mp4"), reel.ReelFile(whole),
             reel.ReelFile(whole, 5000.0),
             reel.ReelFile(whole, 5002.0)]
    first, gone, second, third, fourth = reel.play(takes, replay, lambda take, done_s: None)
    assert first.began_s == 0 and second.began_s == first.ended_s + reel.APART_S + reel.APART_S
    assert gone.began_s == gone.ended_s and "No such file" in gone.trouble
    assert (third.began_s, fourth.began_s) == (5000, third.ended_s)     # a clock that was set back: one after the other
    assert [len(replay.stretches), replay.stretches[-1].ended_s] == [3, fourth.ended_s]
