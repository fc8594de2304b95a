"""A clip's fragments: how long they get, and which of them are flushed."""
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from agent.core.media.fragments import LONGEST_B, LONGEST_US, ROUNDING_US, Fragmenter
from agent.core.media.model import AudioInfo, Packet, Sound, StreamInfo

INFO = StreamInfo("h264", 640, 360, b"\1cfg")
AAC = AudioInfo("aac", 16_000, 1, b"\x14\x08")
BEGIN_US = 7_000_000
SECOND_US = 1_000_000


class Written(NamedTuple):
    """A fragment that is complete."""

    begin_us: int       # in the clip, as is the end
    end_us: int
    size_b: int
    flush: bool


def film(fps: float, seconds: float, gop_s: float = 2.0, packet_b: int = 1000) -> Iterator[Packet]:
    """What a camera sends, its times rounded to the millisecond as many do it."""
    for n in range(round(fps * seconds)):
        at_us = BEGIN_US + round(n * 1000 / fps) * 1000
        yield Packet(bytes(packet_b), at_us, at_us, n % round(fps * gop_s) == 0)


def written(clip: Fragmenter, packets: Iterator[Packet]) -> list[Written]:
    found = []
    for packet in packets:
        if fragment := clip.add(packet):
            begin_us = found[-1].end_us if found else 0
            assert packet.dts_us - BEGIN_US - clip.dur_us in range(-20, 20), "the packet that ends it begins the next"
            found.append(Written(begin_us, clip.dur_us, len(fragment), clip.flush_due))
    return found


def made(fps: float, seconds: float, flush_every_s: float = 1.8, **keys: float) -> list[Written]:
    first = next(film(fps, 1))
    return written(Fragmenter(INFO, first, 0, 120, flush_every_s), film(fps, seconds, **keys))


@pytest.mark.parametrize("gop_s", [0.5, 1, 2, 3.7, 60])
@pytest.mark.parametrize("fps", [2, 7, 10, 12, 15, 20, 25, 29.97, 60])
def test_no_more_is_unflushed_than_may_be_at_any_time(fps: float, gop_s: float):
    flushed = [0, *(each.end_us for each in made(fps, 60, gop_s=gop_s) if each.flush)]
    gaps = [end - begin for begin, end in zip(flushed, flushed[1:], strict=False)]
    assert max(gaps) <= 1.8 * SECOND_US + ROUNDING_US
    assert min(gaps) > 1.8 * SECOND_US - 2 * SECOND_US / fps, "and none is flushed earlier than it must"


@pytest.mark.parametrize("fps", [10, 15, 25, 30])
def test_usual_cameras_need_33_flushes_a_minute(fps: float):
    assert sum(each.flush for each in made(fps, 60.1)) == 33


@pytest.mark.parametrize("flush_every_s", [0.2, 1.8, 5])
def test_fragments_are_short_and_none_reaches_across_a_keyframe(flush_every_s: float):
    found = made(15, 30, flush_every_s, gop_s=2)
    assert all(each.end_us - each.begin_us < LONGEST_US + SECOND_US / 15 for each in found)
    begins = {round(each.begin_us / 1e6, 2) for each in found}
    assert begins >= {float(second) for second in range(0, 30, 2)}


def test_few_fragments_are_made_of_a_usual_stream():
    assert len(made(15, 60)) <= 95


def test_a_camera_with_large_pictures_makes_shorter_fragments():
    found = made(25, 10, packet_b=80_000)           # 16 Mbit/s
    assert max(each.size_b for each in found) < LONGEST_B + 2_000
    assert made(25, 10, packet_b=2 * LONGEST_B)     # one picture that is larger goes alone


@pytest.mark.parametrize(("last_s", "flushed"), [(1.4, False), (1.7, True)])
def test_pictures_that_wait_for_their_sound_do_not_wait_unflushed(last_s: float, flushed: bool):
    clip = Fragmenter(INFO, next(film(10, 1)), 0, 120, 1.8, AAC)
    clip.add_sound(Sound(b"sound", BEGIN_US, 1024))
    assert not any(each.flush for each in written(clip, film(10, last_s)))
    assert clip.end(BEGIN_US + int(last_s * SECOND_US)) and clip.awaits_sound() and clip.flush_due is flushed


def test_the_end_of_a_clip_is_flushed_with_its_head_alone():
    clip = Fragmenter(INFO, next(film(10, 1)), 0, 120, 1.8)
    written(clip, film(10, 1.7))
    assert clip.end(BEGIN_US + int(1.7 * SECOND_US)) and not clip.flush_due
