"""Files that our writer makes are what other programs expect: bytes, times, frames, seeking."""
import struct
import subprocess
from fractions import Fraction
from types import SimpleNamespace

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.media.mp4.read import fragments, read_head, samples
from agent.core.media.mp4.write import Movie
from tests.core.mp4_material import STREAMS, close, encode, ffprobe, read_at, write
from tests.rigs.wait import HANG_S

US = Fraction(1, 1_000_000)


@pytest.fixture(params=STREAMS)
def clip(request, tmp_path):
    """A finished file with the packets that are in it."""
    stream, packets = encode(request.param)
    path = tmp_path / "clip.mp4"
    path.write_bytes(close(*write(stream, packets, wall_ms=1_764_033_000_000)))
    return SimpleNamespace(path=path, stream=stream, packets=packets)


def test_bytes_and_times_come_out_as_they_went_in(clip):
    with av.open(str(clip.path)) as container:
        video = container.streams.video[0]
        assert video.codec_context.extradata == clip.stream.config
        assert (video.width, video.height) == (clip.stream.width, clip.stream.height)
        found = [packet for packet in container.demux(video) if packet.size]
        first = clip.packets[0].pts_us
        assert [bytes(packet) for packet in found] == [packet.data for packet in clip.packets]
        assert [packet.is_keyframe for packet in found] == [packet.key for packet in clip.packets]
        for ours, theirs in zip(clip.packets, found, strict=True):
            assert theirs.pts == round((ours.pts_us - first) * US * 90_000)
            assert abs(theirs.dts - (ours.dts_us - first) * US * 90_000) <= 1


def test_every_frame_decodes(clip):
    with av.open(str(clip.path)) as container:
        shown = [frame.pts for frame in container.decode(video=0)]
    first = clip.packets[0].pts_us
    assert shown == sorted(round((packet.pts_us - first) * US * 90_000) for packet in clip.packets)


@pytest.mark.parametrize("finished", [False, True])
def test_ffprobe_knows_all_without_a_warning(clip, finished):
    if not finished:
        clip.path.write_bytes(write(clip.stream, clip.packets)[1])
    duration = ffprobe(clip.path, "-show_entries", "format=duration")
    frames = ffprobe(clip.path, "-count_frames", "-show_entries", "stream=nb_read_frames")
    wall_s = float((clip.packets[-1].dts_us + 66_667 - clip.packets[0].dts_us) * US)
    assert int(frames) == len(clip.packets)
    assert abs(float(duration) - wall_s) < (0.001 if finished else 0.08)     # else it goes by the frames


def test_decoding_is_silent(clip):
    to_nowhere = ["-fps_mode", "passthrough", "-enc_time_base", "1/90000", "-f", "null", "-"]
    command = ["ffmpeg", "-v", "warning", "-i", clip.path, *to_nowhere]
    done = subprocess.run(command, capture_output=True, timeout=HANG_S, check=True)
    assert done.stderr == b""


@pytest.mark.parametrize("entries", [1, 3, 256])
def test_a_seek_lands_on_the_keyframe_before(clip, entries):
    clip.path.write_bytes(close(*write(clip.stream, clip.packets, index_entries_max=entries)))
    with av.open(str(clip.path)) as container:
        every = {frame.pts: frame.to_ndarray().tobytes() for frame in container.decode(video=0)}
    first = clip.packets[0]
    keys = [round((packet.pts_us - first.pts_us) * US * 90_000) for packet in clip.packets if packet.key]
    for wanted in (0, 95_000, 200_000, max(every) - 1):
        with av.open(str(clip.path)) as container:
            container.seek(wanted, stream=container.streams.video[0])
            frame = next(container.decode(video=0))
            assert frame.pts <= wanted and frame.pts in keys
            assert frame.to_ndarray().tobytes() == every[frame.pts]
            if entries == 256 or first.pts_us != first.dts_us:
                assert frame.pts == max(key for key in keys if key <= wanted)


def test_the_time_it_was_made_is_told(clip):
    assert "2025-11-25T01:10:00" in ffprobe(clip.path, "-show_entries", "format_tags=creation_time")


def test_the_head_of_the_close_tells_durations_and_keyframes():
    stream, packets = encode("h264")
    clip = close(*write(stream, packets, most_n=6, index_entries_max=8))
    mvhd, mehd, sidx = (clip.index(kind) + 4 for kind in (b"mvhd", b"mehd", b"sidx"))
    assert struct.unpack_from(">Q", clip, mvhd + 24) == struct.unpack_from(">Q", clip, mehd + 4) == (450_000,)
    entries = list(struct.iter_unpack(">III", clip[sidx + 32:clip.index(b"moof") - 4]))
    assert [entry[1:] for entry in entries] == 5 * [(90_000, 0x9000_0000)]      # seconds that begin with a keyframe
    assert sum(entry[0] for entry in entries) == len(clip) - clip.index(b"moof") + 4


def test_heads_of_start_and_close_are_equally_long():
    stream, packets = encode("h264")
    for entries in (0, 1, 2, 5, 256):
        movie, part = write(stream, packets, index_entries_max=entries)
        assert part.startswith(movie.init_segment()) and len(movie.final_head()) == len(movie.init_segment())


def test_a_fragment_may_begin_between_keyframes_and_hold_one_frame(tmp_path):
    stream, packets = encode("h264-b-frames")
    path = tmp_path / "live.mp4"
    path.write_bytes(write(stream, packets, most_n=1, index_entries_max=0)[1])
    with av.open(str(path)) as container:
        assert sum(1 for _ in container.decode(video=0)) == len(packets)


def frame(time_us: int, key: bool = False) -> SimpleNamespace:
    return SimpleNamespace(data=b"\0\0\0\1\x65", pts_us=time_us, dts_us=time_us, key=key)


@given(start_us=st.integers(0, 2**45), most_n=st.integers(1, 9),
       gaps_us=st.lists(st.integers(1, 5_000_000), min_size=2, max_size=60))
def test_rounding_never_drifts(start_us, gaps_us, most_n):
    times = [start_us]
    for gap in gaps_us:
        times.append(times[-1] + gap)
    stream, _ = encode("h264")
    movie, part = write(stream, [frame(at) for at in times[:-1]], most_n, last_us=gaps_us[-1])
    head = read_head(read_at(part))
    found = [sample for part_of in fragments(read_at(part), head) for sample in samples(read_at(part), head, part_of)]
    exact = [(at - start_us) * US * 90_000 for at in times]
    for sample, begin, end in zip(found, exact, exact[1:], strict=False):
        assert abs(sample.dts - begin) <= Fraction(1, 2) and abs(sample.dts + sample.duration - end) <= Fraction(1, 2)
    assert len(found) == len(gaps_us)
    assert abs(movie.duration_us - (times[-1] - start_us)) <= 12        # a tick has 11 us


def test_what_no_mp4_can_hold_is_refused():
    stream, _ = encode("h264")
    for times, end in (((5_000, 4_000), 6_000), ((0, 1_000), 500), ((0,), 14 * 3600 * 1_000_000)):
        with pytest.raises(ValueError, match="fragment 1"):
            Movie(stream).fragment([frame(at) for at in times], end)
    movie = Movie(stream)
    movie.fragment([frame(0), frame(2_000)], 9_000)
    with pytest.raises(ValueError, match="fragment 2"):
        movie.fragment([frame(1_000)], 9_000)
    movie.fragment([frame(3_000)], 9_000)       # a guess that was too long does no harm
    assert movie.duration_us == 9_000
    with pytest.raises(ValueError, match="5000 entries"):
        Movie(stream, index_entries_max=5000)
