"""Films of keyframes alone: each of them once, at its time, for as long as until the next one."""
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.media.model import Packet, StreamInfo
from agent.core.media.mp4.cut import cut_keys
from tests.core.cut_material import Clip, key_films, packets_of, record, record_all
from tests.core.mp4_material import STREAMS, encode, ffprobe
from tests.core.sound_material import hear
from tests.rigs.examples import examples

SECOND, MS = 1_000_000, 1000
LAST_US = 66_667
CAMERA = StreamInfo("h264", 64, 48, encode("h264")[0].config)


@pytest.mark.parametrize("name", STREAMS)
def test_every_keyframe_of_a_run_comes_at_its_time(name):
    stream, packets = encode(name)
    audio, sounds = hear("aac")
    end_us = packets[-1].dts_us + LAST_US
    clips = record_all(stream, packets, [0, 30, 60], end_us, audio, sounds)
    ((film, data),) = key_films(clips, 0, end_us + SECOND)
    keys = [packet for packet in packets if packet.key]
    found = packets_of(data)
    assert [each.data for each in found] == [key.data for key in keys] and all(each.key for each in found)
    for each, key in zip(found, keys, strict=True):
        assert each.pts_s == pytest.approx((key.pts_us - packets[0].pts_us) / SECOND, abs=0.0015)
    assert film.dur_us == pytest.approx(end_us - packets[0].dts_us, abs=1500)
    assert len(film.stretches) == 1 and packets_of(data, "audio") == [] and film.sounds_n == 0


@pytest.mark.parametrize("name", ["h264", "h265", "h264-b-frames-uneven"])
def test_ffmpeg_decodes_it_without_a_warning(name, tmp_path):
    stream, packets = encode(name)
    clips = record_all(stream, packets, [0, 15, 30], packets[-1].dts_us + LAST_US)
    ((film, data),) = key_films(clips, packets[20].pts_us, packets[50].pts_us)
    path = tmp_path / "keys.mp4"
    path.write_bytes(data)
    assert int(ffprobe(path, "-count_frames", "-show_entries", "stream=nb_read_frames")) == film.frames_n == 3
    assert float(ffprobe(path, "-show_entries", "format=duration")) == pytest.approx(film.dur_us / SECOND, abs=0.001)


@pytest.mark.parametrize("finished", [True, False])
def test_with_a_step_they_are_so_far_apart_and_little_is_read_of_a_finished_clip(finished):
    stream, packets = long_run()
    clip = record(stream, packets, packets[-1].dts_us + LAST_US, finished=finished)
    read: list[int] = []
    counted = clip.strip
    whole = counted.read_at

    def read_at(offset: int, size_b: int) -> bytes:
        read.append(offset)
        return whole(offset, size_b)

    (film,) = cut_keys([type(counted)(read_at, counted.head, counted.begin_us)], 0, 1 << 50, 10 * SECOND)
    assert film.frames_n == pytest.approx(12, abs=2) and film.dur_us == pytest.approx(120 * SECOND, abs=SECOND)
    assert (len(read) < 120) is finished


def test_an_index_that_does_not_fit_its_file_is_not_believed():
    """A file that was changed behind its head gives what is whole in it."""
    stream, packets = long_run()
    clip = record(stream, packets, packets[-1].dts_us + LAST_US)
    torn = clip._replace(data=clip.data[:len(clip.data) // 2])
    ((film, data),) = key_films([torn], 0, 1 << 50, 10 * SECOND)
    keys = {packet.data for packet in packets if packet.key}
    assert 4 <= film.frames_n <= 7 and {each.data for each in packets_of(data)} <= keys


def long_run() -> tuple[StreamInfo, list[Packet]]:
    """Two minutes at two pictures a second, a keyframe every two."""
    return CAMERA, [Packet(b"\0\0\0\x05\x65" + n.to_bytes(4), n * 500 * MS, n * 500 * MS, n % 4 == 0)
                    for n in range(240)]


@st.composite
def recordings(draw) -> tuple[list[int], set[int], list[tuple[int, int]]]:
    """When frames come (ms), which are keyframes, and clips as (first frame, end): they overlap or leave holes."""
    gaps_ms = draw(st.lists(st.integers(20, 400), min_size=2, max_size=40))
    keys = {0, *draw(st.sets(st.integers(1, len(gaps_ms) - 1)))}
    times = [1000]
    for gap_ms in gaps_ms:
        times.append(times[-1] + gap_ms)
    spans: list[tuple[int, int]] = []
    for start in sorted(draw(st.sets(st.sampled_from(sorted(keys)), min_size=1, max_size=5))):
        spans.append((start, draw(st.integers(max(start + 1, spans[-1][1] if spans else 0), len(gaps_ms)))))
    return times, keys, spans


def clips_of(times: list[int], keys: set[int], spans: list[tuple[int, int]]) -> list[Clip]:
    """These clips; each frame bears its number."""
    packets = [Packet(b"\0\0\0\x05\x65" + number.to_bytes(4), time * MS, time * MS, number in keys)
               for number, time in enumerate(times[:-1])]
    return [record(CAMERA, packets[start:end], times[end] * MS) for start, end in spans]


@settings(max_examples=examples(150))
@given(recording=recordings(), begin_ms=st.integers(0, 9000), long_ms=st.integers(1, 9000))
def test_of_any_clips_and_any_range_exactly_its_keyframes_come_out_in_time(recording, begin_ms, long_ms):
    times, keys, spans = recording
    end_ms = begin_ms + long_ms
    taken: dict[int, int] = {}      # of each keyframe: until when it is shown
    for number, (start, end) in enumerate(spans):
        stop = min(end, spans[number + 1][0]) if number + 1 < len(spans) else end
        own = [key for key in sorted(keys) if start <= key < stop]
        for key, after in zip(own, [*own[1:], stop], strict=True):
            taken[key] = times[after]
    wanted = [key for key, until in taken.items() if until > begin_ms and times[key] < end_ms]
    made = key_films(clips_of(times, keys, spans), begin_ms * MS, end_ms * MS)
    assert bool(made) == bool(wanted)
    for film, data in made:
        found = packets_of(data)
        assert [int.from_bytes(each.data[5:]) for each in found] == wanted
        at_ms = [(each.pts_s * 1000, times[key]) for each, key in zip(found, wanted, strict=True)]
        for stretch in film.stretches:
            for placed_ms, filmed_ms in at_ms:
                if stretch.begin_us // MS <= filmed_ms < stretch.end_us // MS:
                    assert placed_ms - stretch.at_us / MS == pytest.approx(filmed_ms - stretch.begin_us / MS, abs=1)
        shown_ms = sum((each.end_us - each.begin_us) / MS for each in film.stretches)
        assert film.dur_us / MS == pytest.approx(shown_ms, abs=1 + len(film.stretches))
        told_ms = sum(min(taken[key], end_ms) - times[key] for key in wanted)
        assert shown_ms == pytest.approx(told_ms, abs=2 + len(wanted))
