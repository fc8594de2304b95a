"""Recordings with sound: what went in comes out, also of torn files; a promise of sound not kept costs nothing."""
import hashlib
import io
import subprocess
from random import Random

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.media.model import AudioInfo, Packet, Sound, StreamInfo
from agent.core.media.mp4.boxes import Mp4Error
from agent.core.media.mp4.read import fragments, read_head, samples, sounds
from agent.core.media.mp4.salvage import salvage
from agent.core.media.mp4.write import Movie
from tests.core.mp4_material import close, encode, ffprobe, judge, mended, read_at, write
from tests.core.sound_material import START_US, hear, record
from tests.rigs.examples import examples
from tests.rigs.wait import HANG_S

CODECS = ("aac", "pcma", "pcmu")


def heard_in(data: bytes) -> list[bytes]:
    """The sound of a file, stretch by stretch, as our reader finds it."""
    file = read_at(data)
    return [data[at.offset:at.offset + at.size_b] for fragment in fragments(file, read_head(file))
            for at in sounds(file, fragment)]


def seen_in(data: bytes) -> list[bytes]:
    """Likewise the pictures."""
    file = read_at(data)
    head = read_head(file)
    return [data[at.offset:at.offset + at.size_b] for fragment in fragments(file, head)
            for at in samples(file, head, fragment)]


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("video", ["h264", "h264-b-frames-uneven", "h265"])
def test_all_that_was_written_is_read_back(codec: str, video: str):
    movie, part = record(codec, video)
    for data in (part, close(movie, part)):
        plan = read_head(read_at(data)).plan
        assert plan.audio == hear(codec)[0] and plan.stream.codec == encode(video)[0].codec
        assert heard_in(data) == [sound.data for sound in hear(codec)[1]][:movie.sounds_n] and movie.sounds_n > 40
        assert seen_in(data) == [packet.data for packet in encode(video)[1]]


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("video", ["h264", "h264-b-frames"])
def test_other_programs_find_both_at_the_right_time(codec: str, video: str, tmp_path):
    path, info = tmp_path / "clip.mp4", hear(codec)[0]
    path.write_bytes(close(*record(codec, video, offset_us=30_000)))
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        found = [packet for packet in container.demux(stream) if packet.size]
        assert (stream.codec_context.sample_rate, stream.codec_context.extradata or b"") == (info.rate_hz, info.config)
    assert [bytes(packet) for packet in found] == heard_in(path.read_bytes())
    first, stretch = 30_000 * info.rate_hz // 1_000_000, hear(codec)[1][0].samples_n
    assert [packet.pts for packet in found] == [first + n * stretch for n in range(len(found))]
    assert [float(line) for line in ffprobe(path, "-show_entries", "stream=duration").split()] == pytest.approx(
        [5, 5], abs=0.1)
    done = subprocess.run(["ffmpeg", "-v", "error", "-xerror", "-i", path, "-f", "null", "-"], capture_output=True,
                          timeout=HANG_S, check=True)
    assert done.stderr == b""


def test_a_hole_in_the_sound_is_a_hole_in_the_file(tmp_path):
    stream, packets = encode("h264")
    info, heard = hear("aac")
    kept = [*heard[:10], *heard[20:30], *heard[45:60]]
    movie = Movie(stream, audio=info)
    part = movie.init_segment() + movie.fragment(packets[:15], packets[15].dts_us, kept[:20])
    part += movie.fragment(packets[15:], packets[-1].dts_us + 66_667, kept[20:])
    path = tmp_path / "clip.mp4"
    path.write_bytes(close(movie, part))
    with av.open(str(path)) as container:
        begins = [packet.pts // 1024 for packet in container.demux(audio=0) if packet.size]
    assert begins == [*range(10), *range(20, 30), *range(45, 60)]


def test_wrong_times_of_sound_end_no_recording():
    stream, packets = encode("h264")
    movie = Movie(stream, audio=hear("aac")[0])
    wild = [Sound(b"\1", packets[0].pts_us + us, 1024) for us in (0, -9_000_000, 5_000, 64_000, 10, 128_000)]
    part = movie.init_segment() + movie.fragment(packets[:15], packets[15].dts_us, wild)
    part += movie.fragment(packets[15:], packets[-1].dts_us + 66_667, wild)
    assert len(heard_in(part)) == 12 and salvage(read_at(part)).frames_n == len(packets)


@pytest.mark.parametrize("video", ["h264", "h264-b-frames"])
def test_sound_that_never_came_is_not_promised(video: str, tmp_path):
    stream, packets = encode(video)
    info = hear("aac")[0]
    movie, part = write(stream, packets, audio=info)
    closed, path = close(movie, part), tmp_path / "clip.mp4"
    assert read_head(read_at(part)).plan.audio == info and read_head(read_at(closed)).plan.audio is None
    assert mended(part) == closed and mended(closed) == closed
    path.write_bytes(closed)
    assert ffprobe(path, "-show_entries", "stream=codec_type") == "video\n"
    assert (b"sidx" in closed) == (video == "h264")
    silent = close(*write(stream, packets))
    assert closed[len(movie.final_head()):] == silent[-(len(closed) - len(movie.final_head())):]


@pytest.mark.parametrize("codec", ["aac", "pcma"])
def test_a_file_cut_at_any_byte_keeps_every_whole_fragment(codec: str, thorough: bool):
    """Usually at every fifth, and next to each end of a fragment."""
    _, part = record(codec, packets_n=20, index_entries_max=2)
    whole = list(fragments(read_at(part), read_head(read_at(part))))
    assert whole[-1].samples_n == 0 and whole[-1].sounds_n and len(whole) == 5
    ends = [fragment.offset + fragment.size_b for fragment in whole]
    near = {end + n for end in ends for n in (-1, 0, 1)}
    for cut in sorted({*range(0, len(part), 1 if thorough else 5)} | near):
        whole_n = sum(end <= cut for end in ends)
        if not whole_n:
            with pytest.raises(Mp4Error):
                salvage(read_at(part[:cut]))
            continue
        found = salvage(read_at(part[:cut]))
        assert (found.size_b, found.frames_n) == (ends[whole_n - 1], sum(one.samples_n for one in whole[:whole_n]))
        if cut % 95 == 0:
            assert len(heard_in(mended(part[:cut]))) == sum(one.sounds_n for one in whole[:whole_n])


def test_what_is_salvaged_decodes_to_its_last_stretch():
    part = record("aac", "h264-uneven")[1]
    torn = mended(part[:int(len(part) * 0.7)])
    with av.open(io.BytesIO(torn), format="mp4") as container:
        decoded = [frame.samples for frame in container.decode(audio=0)]
    assert sum(decoded) == 1024 * len(heard_in(torn)) > 30_000


@pytest.mark.parametrize("codec", ["aac", "pcmu"])
@pytest.mark.parametrize("video", ["h264", "h265-b-frames-uneven"])
def test_salvage_of_a_whole_file_is_its_close(codec: str, video: str):
    movie, part = record(codec, video, index_entries_max=3)
    closed = close(movie, part)
    assert mended(part) == closed and mended(closed) == closed
    assert salvage(read_at(part)).duration_us == movie.duration_us


def test_zeros_where_sound_should_be_end_the_recording():
    part = bytearray(record("pcma")[1])
    file = read_at(bytes(part))
    whole = list(fragments(file, read_head(file)))
    lost = list(sounds(file, whole[4]))[2]
    part[lost.offset:lost.offset + lost.size_b] = bytes(lost.size_b)
    assert salvage(read_at(bytes(part))).size_b == whole[4].offset


@settings(max_examples=examples(300))
@given(flips=st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 255)), min_size=1, max_size=4),
       early=st.booleans(), kept=st.integers(0, 10**6), codec=st.sampled_from(["aac", "pcma"]))
def test_flipped_bytes_never_surprise(flips, early: bool, kept: int, codec: str):
    data = bytearray(record(codec, index_entries_max=2)[1])
    for place, mask in flips:
        data[place % (2200 if early else len(data))] ^= mask
    judge(bytes(data[:1 + kept % len(data)]))
    judge(bytes(data))


@given(noise=st.binary(max_size=600), where=st.integers(0, 1800))
def test_garbage_never_surprises(noise: bytes, where: int):
    part = record("aac", "h265", index_entries_max=2)[1]
    judge(part[:where] + noise)
    judge(part[:where] + noise + part[where:])


@pytest.mark.parametrize(("codec", "reorder_us", "digest"), [
    ("h264", 0, "507816ad8e56a690"), ("h264", 40_000, "f3d5070aefd22e83"),
    ("h265", 0, "a7d0e7e0263f10d8"), ("h265", 40_000, "3d25f4b46f21a69b")])
def test_without_sound_every_byte_is_as_it_was_before_there_was_any(codec: str, reorder_us: int, digest: str):
    dice, at_us, packets = Random(5), START_US, []
    for number in range(400):
        size = dice.randrange(5, 3000)
        data = (size - 4).to_bytes(4, "big") + dice.randbytes(size - 4)
        packets.append(Packet(data, at_us + (reorder_us if number % 3 == 0 else 0), at_us, number % 30 == 0))
        at_us += dice.randrange(30_000, 90_000)
    fragments_of: list[list[Packet]] = []
    for packet in packets:
        if not fragments_of or packet.key or packet.dts_us - fragments_of[-1][0].dts_us >= 300_000:
            fragments_of.append([])
        fragments_of[-1].append(packet)
    movie = Movie(StreamInfo(codec, 640, 360, b"\1configrecord"), wall_ms=1_764_033_000_000, reorder_us=reorder_us,
                  index_entries_max=158)
    ends = [group[0].dts_us for group in fragments_of[1:]] + [packets[-1].dts_us + 66_667]
    clip = close(movie, movie.init_segment() + b"".join(map(movie.fragment, fragments_of, ends)))
    assert hashlib.sha256(clip).hexdigest().startswith(digest)


def test_a_stereo_rate_beyond_the_entrys_field_is_told_by_the_track():
    stream, packets = encode("h264")
    info = AudioInfo("aac", 96_000, 2, bytes.fromhex("1010"))
    assert read_head(read_at(write(stream, packets, audio=info)[1])).plan.audio == info
