"""What is cut out of clips: every frame of the range, bit-exactly and once, from a keyframe on."""
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.media.model import AudioInfo, Packet, Sound, StreamInfo
from tests.core.cut_material import films, packets_of, record, record_all
from tests.core.mp4_material import STREAMS, encode, ffprobe
from tests.core.sound_material import START_US, hear
from tests.rigs.examples import examples

SECOND = 1_000_000
LAST_US = 66_667
CAMERA = StreamInfo("h264", 64, 48, encode("h264")[0].config)
G711 = AudioInfo("pcma", 8000, 1)


def payloads(packets):
    return [packet.data for packet in packets]


@pytest.mark.parametrize("name", STREAMS)
def test_a_run_in_four_clips_comes_out_as_if_it_were_one(name):
    stream, packets = encode(name)
    end_us = packets[-1].dts_us + LAST_US
    clips = record_all(stream, packets, [0, 15, 30, 60], end_us)
    ((film, data),) = films(clips, 0, end_us + SECOND)
    found = packets_of(data)
    assert payloads(found) == payloads(packets)
    assert [each.key for each in found] == [packet.key for packet in packets]
    for each, packet in zip(found, packets, strict=True):
        assert each.pts_s == pytest.approx((packet.pts_us - packets[0].pts_us) / SECOND, abs=0.0002)
    assert len(film.stretches) == 1 and film.stretches[0].begin_us == pytest.approx(packets[0].pts_us, abs=1000)


@pytest.mark.parametrize("name", STREAMS)
def test_it_begins_with_the_keyframe_before_and_ends_with_what_is_shown_before_the_end(name):
    stream, packets = encode(name)
    clips = record_all(stream, packets, [0, 45], packets[-1].dts_us + LAST_US)
    begin_us, end_us = packets[22].pts_us + 1500, packets[70].pts_us + 1500
    ((_, data),) = films(clips, begin_us, end_us)
    last = max(number for number, packet in enumerate(packets) if packet.pts_us < end_us)
    assert payloads(packets_of(data)) == payloads(packets[15:last + 1])


@pytest.mark.parametrize("name", ["h264", "h265", "h264-b-frames-uneven"])
def test_ffprobe_knows_all_without_a_warning(name, tmp_path):
    stream, packets = encode(name)
    clips = record_all(stream, packets, [0, 15, 30], packets[-1].dts_us + LAST_US)
    ((film, data),) = films(clips, packets[20].pts_us, packets[50].pts_us)
    path = tmp_path / "cut.mp4"
    path.write_bytes(data)
    assert int(ffprobe(path, "-count_frames", "-show_entries", "stream=nb_read_frames")) == film.frames_n
    assert float(ffprobe(path, "-show_entries", "format=duration")) == pytest.approx(film.dur_us / SECOND, abs=0.001)
    assert "2025-11-25T01:10:00" in ffprobe(path, "-show_entries", "format_tags=creation_time")


@pytest.mark.parametrize("codec", ["aac", "pcma", "pcmu"])
@pytest.mark.parametrize("starts", [[0], [0, 15, 30, 60]])
def test_sound_goes_along_and_stays_where_it_was(codec, starts):
    stream, packets = encode("h264")
    audio, sounds = hear(codec)
    clips = record_all(stream, packets, starts, packets[-1].dts_us + LAST_US, audio, sounds)
    ((film, data),) = films(clips, packets[20].pts_us, packets[65].pts_us - 5000)
    begin_us, end_us = packets[15].pts_us, packets[65].pts_us
    wanted = [sound for sound in sounds
              if begin_us <= sound.pts_us and sound.pts_us + sound.samples_n * SECOND / audio.rate_hz <= end_us + 500]
    heard = packets_of(data, "audio")
    assert payloads(heard) == payloads(wanted) and film.sounds_n == len(wanted) > 20
    for each, sound in zip(heard, wanted, strict=True):
        assert each.pts_s == pytest.approx((sound.pts_us - begin_us) / SECOND, abs=0.0035)


def test_a_gap_is_closed_and_told():
    stream, packets = encode("h264")
    first = record(stream, packets[:30], packets[30].dts_us)
    second = record(stream, packets[45:], packets[-1].dts_us + LAST_US)
    ((film, data),) = films([first, second], 0, 1 << 50)
    assert payloads(packets_of(data)) == payloads(packets[:30] + packets[45:])
    told = [(each.begin_us, each.end_us, each.at_us) for each in film.stretches]
    assert told == [pytest.approx((packets[0].pts_us, packets[30].pts_us, 0), abs=1100),
                    pytest.approx((packets[45].pts_us, packets[-1].pts_us + LAST_US, 2 * SECOND), abs=1100)]
    assert film.dur_us == pytest.approx(4 * SECOND, abs=100)


def test_sound_does_not_lag_behind_after_many_gaps():
    stream, packets = encode("h264")
    audio, sounds = hear("aac")
    clips = [record(stream, packets[start:start + 5], packets[start + 5].dts_us, audio,
                    [each for each in sounds if packets[start].pts_us <= each.pts_us < packets[start + 5].pts_us])
             for start in (0, 15, 30, 45)]
    ((film, data),) = films(clips, 0, 1 << 50)
    by_data = {sound.data: sound.pts_us for sound in sounds}
    for each in packets_of(data, "audio"):
        heard_us = by_data[each.data]
        stretch = next(one for one in film.stretches if one.begin_us - 1000 <= heard_us < one.end_us + 1000)
        assert each.pts_s == pytest.approx((stretch.at_us + heard_us - stretch.begin_us) / SECOND, abs=0.005)


@pytest.mark.parametrize("kept", [0.4, 0.8])
def test_of_a_torn_clip_all_that_is_whole_is_taken(kept):
    stream, packets = encode("h264")
    whole = record(stream, packets[:45], packets[45].dts_us)
    torn = whole._replace(data=whole.data[:int(len(whole.data) * kept)])
    rest = record(stream, packets[45:], packets[-1].dts_us + LAST_US)
    ((film, data),) = films([torn, rest], 0, 1 << 50)
    found = payloads(packets_of(data))
    lost_n = len(packets) - len(found)
    assert 5 < lost_n < 40 and found == payloads(packets[:45 - lost_n] + packets[45:])
    assert len(film.stretches) == 2


def test_an_open_clip_gives_what_it_has():
    stream, packets = encode("h264")
    ((_, data),) = films([record(stream, packets, 0, finished=False)], 0, 1 << 50)
    found = payloads(packets_of(data))
    assert len(found) > 60 and found == payloads(packets[:len(found)])


def test_another_encoding_begins_another_film():
    stream, packets = encode("h264")
    other, others = encode("h265")
    late = [Packet(each.data, each.pts_us + 5 * SECOND, each.dts_us + 5 * SECOND, each.key) for each in others]
    clips = [record(stream, packets, late[0].dts_us), record(other, late, late[-1].dts_us + LAST_US)]
    (_, before), (_, after) = films(clips, packets[30].pts_us, 1 << 50)
    assert payloads(packets_of(before)) == payloads(packets[30:]) and payloads(packets_of(after)) == payloads(late)


def test_a_clip_without_sound_is_silence_between_two_with_it():
    stream, packets = encode("h264")
    audio, sounds = hear("pcma")
    end_us = packets[-1].dts_us + LAST_US
    clips = record_all(stream, packets, [0, 30, 60], end_us, audio, sounds)
    clips[1] = record(stream, packets[30:60], packets[60].dts_us)
    ((_, data),) = films(clips, 0, end_us)
    heard = packets_of(data, "audio")
    after = [each for each in heard if each.pts_s > 3.5]
    wanted = [sound for sound in sounds if packets[60].pts_us <= sound.pts_us]
    assert payloads(after) == payloads(wanted)[:len(after)] and len(after) >= len(wanted) - 1
    assert after[0].pts_s == pytest.approx((wanted[0].pts_us - START_US) / SECOND, abs=0.0035)


def test_nothing_comes_of_a_range_without_a_frame():
    stream, packets = encode("h264")
    clip = record(stream, packets, packets[-1].dts_us + LAST_US)
    assert films([clip], 0, packets[0].pts_us - 2000) == []
    assert films([clip], packets[-1].pts_us + SECOND, 1 << 50) == []
    assert films([], 0, 1 << 50) == []


@st.composite
def recordings(draw):
    """A camera's frames, whole milliseconds apart, and clips as (first frame, end) that overlap or leave holes."""
    gaps_ms = draw(st.lists(st.integers(20, 400), min_size=2, max_size=40))
    keys = {0, *draw(st.sets(st.integers(1, len(gaps_ms) - 1)))}
    times = [1000]
    for gap_ms in gaps_ms:
        times.append(times[-1] + gap_ms)
    starts = sorted(draw(st.sets(st.sampled_from(sorted(keys)), min_size=1, max_size=5)))
    ends, latest = [], 0
    for start in starts:
        latest = draw(st.integers(max(start + 1, latest), len(gaps_ms)))
        ends.append(latest)
    return times, keys, list(zip(starts, ends, strict=True))


def expected(times, keys, spans, begin_ms, end_ms):
    """The numbers of the frames that belong to the range."""
    taken = {}
    for number, (start, end) in enumerate(spans):
        next_start = spans[number + 1][0] if number + 1 < len(spans) else end
        taken |= dict.fromkeys(range(start, min(end, next_start)), start)
    seen = max((number for number, time in enumerate(times) if time <= begin_ms), default=-1)
    first = max(key for key in keys if key <= seen) if seen in taken else seen + 1
    return [number for number in sorted(taken) if number >= first and times[number] < end_ms]


@settings(max_examples=examples(150))
@given(recording=recordings(), begin_ms=st.integers(0, 9000), long_ms=st.integers(1, 9000))
def test_of_any_clips_and_any_range_exactly_its_frames_come_out(recording, begin_ms, long_ms):
    times, keys, spans = recording
    packets = [Packet(b"\0\0\0\x05\x65" + number.to_bytes(4), time * 1000, time * 1000, number in keys)
               for number, time in enumerate(times[:-1])]
    sounds = [Sound(b"s" + number.to_bytes(4), number * 20_000, 160) for number in range(50, times[-1] // 20)]
    clips = [record(CAMERA, packets[start:end], times[end] * 1000, G711,
                    [each for each in sounds if times[start] * 1000 <= each.pts_us < times[end] * 1000])
             for start, end in spans]
    wanted = expected(times, keys, spans, begin_ms, begin_ms + long_ms)
    made = films(clips, begin_ms * 1000, (begin_ms + long_ms) * 1000)
    assert bool(made) == bool(wanted)
    for film, cut in made:
        found = packets_of(cut)
        assert payloads(found) == [packets[number].data for number in wanted]
        assert all(before.dts_s < after.dts_s for before, after in pairwise(found))
        judge_sound(film, packets_of(cut, "audio"), {sound.data: sound.pts_us for sound in sounds})


def judge_sound(film, heard, began_us):
    """Each stretch of sound once and in order, beside the picture beside which it was recorded, and none missing."""
    told = [began_us[each.data] for each in heard]
    assert told == sorted(set(told))
    placed = {at_us: stretch for stretch in film.stretches for at_us in began_us.values()
              if stretch.begin_us <= at_us and at_us + 20_000 <= stretch.end_us}
    assert told == sorted(placed)
    for each, at_us in zip(heard, told, strict=True):
        stretch = placed[at_us]
        assert each.pts_s == pytest.approx((stretch.at_us + at_us - stretch.begin_us) / SECOND, abs=0.004)
