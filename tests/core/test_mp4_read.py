"""Torn, damaged and hostile files: what is whole is found, the rest costs a bounded number of reads and no surprise."""
import io

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.media.mp4.boxes import MOOF, Mp4Error
from agent.core.media.mp4.head import Index
from agent.core.media.mp4.read import Mp4Head, Sample, fragments, read_head, samples
from agent.core.media.mp4.salvage import salvage
from tests.core.mp4_material import STREAMS, close, encode, in_fragments, judge, mended, read_at, write
from tests.rigs.examples import examples


def decoded_n(data: bytes) -> int:
    with av.open(io.BytesIO(data), format="mp4") as container:
        return sum(1 for _ in container.decode(video=0))


def all_samples(data: bytes) -> tuple[Mp4Head, list[Sample]]:
    file = read_at(data)
    head = read_head(file)
    return head, [sample for fragment in fragments(file, head) for sample in samples(file, head, fragment)]


@pytest.mark.parametrize("name", STREAMS)
def test_all_that_was_written_is_read_back(name):
    stream, packets = encode(name)
    movie, part = write(stream, packets, wall_ms=1_764_033_000_000)
    for data in (part, close(movie, part)):
        head, found = all_samples(data)
        read = head.plan.stream
        assert (read.codec, read.width, read.height) == (stream.codec, stream.width, stream.height)
        assert read.config == stream.config
        assert (head.plan.wall_s, head.plan.timescale) == (1_764_033_000, 90_000)
        assert [data[at.offset:at.offset + at.size_b] for at in found] == [packet.data for packet in packets]
        assert [sample.key for sample in found] == [packet.key for packet in packets]
        for sample, packet in zip(found, packets, strict=True):
            assert abs(sample.pts * 100 - (packet.pts_us - packets[0].pts_us) * 9) <= 50
            assert abs(sample.dts * 100 - (packet.dts_us - packets[0].dts_us) * 9) <= 50


@pytest.mark.parametrize("name", ["h264", "h265-b-frames-uneven"])
def test_salvage_of_a_whole_file_is_its_close(name):
    movie, part = write(*encode(name), index_entries_max=3)
    closed = close(movie, part)
    assert mended(part) == closed and mended(closed) == closed
    assert salvage(read_at(part)).duration_us == movie.duration_us
    assert salvage(read_at(part)).frames_n == movie.frames_n


def test_a_file_cut_at_any_byte_keeps_every_whole_fragment(thorough: bool):
    """Usually at every fifth, and next to each end of a fragment."""
    stream, packets = encode("h264-uneven")
    packets = packets[:24]
    _, part = write(stream, packets, most_n=5, index_entries_max=2)
    ends, frames_n = [], [len(group) for group in in_fragments(packets, 5)]
    for fragment in fragments(read_at(part), read_head(read_at(part))):
        ends.append(fragment.offset + fragment.size_b)
    assert len(ends) == len(frames_n) and ends[-1] == len(part)
    near = {end + n for end in ends for n in (-1, 0, 1)}
    for cut in sorted({*range(0, len(part), 1 if thorough else 5)} | near):
        whole_n = sum(end <= cut for end in ends)
        if whole_n:
            found = salvage(read_at(part[:cut]))
            assert (found.size_b, found.frames_n) == (ends[whole_n - 1], sum(frames_n[:whole_n]))
        else:
            with pytest.raises(Mp4Error):
                salvage(read_at(part[:cut]))


@pytest.mark.parametrize("name", ["h264", "h264-b-frames-uneven", "h265"])
@pytest.mark.parametrize("kept", [0.3, 0.77, 0.99])
def test_what_is_salvaged_decodes_to_the_last_frame(name, kept):
    part = write(*encode(name))[1]
    torn = part[:int(len(part) * kept)]
    assert decoded_n(mended(torn)) == salvage(read_at(torn)).frames_n > 5


def test_a_hole_of_zeros_ends_the_recording():
    part = bytearray(write(*encode("h264"))[1])
    whole = list(fragments(read_at(bytes(part)), read_head(read_at(bytes(part)))))
    hole = whole[7].offset + 400
    part[hole:hole + 4096] = bytes(len(part[hole:hole + 4096]))
    assert salvage(read_at(bytes(part))).size_b == whole[7].offset


@pytest.mark.parametrize("name", ["h264", "h265-b-frames-uneven"])
def test_a_sector_that_never_got_to_the_card_ends_the_recording_before_its_fragment(name):
    stream, packets = encode(name)
    part = write(stream, packets)[1]
    _, *others = fragments(read_at(part), read_head(read_at(part)))
    for at in range(others[0].offset - others[0].offset % 512 + 512, len(part), 512):
        torn = part[:at] + bytes(len(part[at:at + 512])) + part[at + 512:]
        kept_b = salvage(read_at(torn), check_from=0).size_b
        assert kept_b == max(each.offset for each in others if each.offset <= at)
        whole = all_samples(torn[:kept_b])[1]
        assert [torn[sample.offset:sample.offset + sample.size_b] for sample in whole] == [
            packet.data for packet in packets[:len(whole)]]


def test_what_was_flushed_long_ago_is_not_read_again():
    part = bytearray(write(*encode("h264"))[1])
    third = list(fragments(read_at(bytes(part)), read_head(read_at(bytes(part)))))[2]
    end = third.offset + third.size_b
    part[end - 40:end] = bytes(40)
    assert salvage(read_at(bytes(part)), check_from=end - 1).size_b == third.offset
    assert salvage(read_at(bytes(part))).size_b == len(part)
    assert salvage(read_at(bytes(part)), check_from=end).size_b == len(part)


def test_a_frame_that_claims_to_last_for_hours_ends_the_recording():
    part = bytearray(write(*encode("h264"))[1])
    last = list(fragments(read_at(bytes(part)), read_head(read_at(bytes(part)))))[-1]
    part[last.offset + MOOF.size:last.offset + MOOF.size + 4] = b"\xff" * 4
    assert salvage(read_at(bytes(part))).size_b == last.offset


def test_fragments_of_an_older_recording_do_not_count():
    part = write(*encode("h264"))[1]
    second = list(fragments(read_at(part), read_head(read_at(part))))[1]
    assert salvage(read_at(part + part[second.offset:second.offset + second.size_b])).size_b == len(part)


@pytest.mark.parametrize("torn_at", range(0, 3072, 512))
def test_a_final_head_written_by_halves_is_mended(torn_at):
    movie, part = write(*encode("h264"))
    head = movie.final_head()
    for torn in (head[:torn_at] + part[torn_at:], part[:torn_at] + head[torn_at:] + part[len(head):]):
        assert mended(torn) == close(movie, part)


@settings(max_examples=examples(400))
@given(flips=st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 255)), min_size=1, max_size=4),
       early=st.booleans(), kept=st.integers(0, 10**6))
def test_flipped_bytes_never_surprise(flips, early, kept):
    data = bytearray(write(*encode("h264"), index_entries_max=2)[1])
    for place, mask in flips:
        data[place % (1500 if early else len(data))] ^= mask
    judge(bytes(data[:1 + kept % len(data)]))
    judge(bytes(data))


@given(noise=st.binary(max_size=600), where=st.integers(0, 1200))
def test_garbage_never_surprises(noise, where):
    judge(noise)
    part = write(*encode("h265"), index_entries_max=2)[1]
    judge(part[:where] + noise)
    judge(part[:where] + noise + part[where:])


@given(steps=st.lists(st.tuples(st.integers(1, 10**6), st.integers(1, 10**6), st.booleans()), min_size=1, max_size=80),
       most=st.integers(1, 12))
def test_an_index_is_bounded_and_tells_the_whole_file(steps, most):
    index, base, at_b, keys = Index(most), 0, 0, {}
    for duration, size_b, key in steps:
        index.add(base, duration, size_b, key)
        keys[base, at_b] = key
        base, at_b = base + duration, at_b + size_b
    references = index.references()
    assert 1 <= len(references) <= most
    assert sum(reference.duration for reference in references) == base
    assert sum(reference.size_b for reference in references) == at_b
    if sum(keys.values()) >= most:
        assert len(references) >= (most + 1) // 2      # merging is not more than needed
    base, at_b = 0, 0
    for number, reference in enumerate(references):
        assert reference.key == keys[base, at_b] and (reference.key or number == 0)
        base, at_b = base + reference.duration, at_b + reference.size_b


@given(count=st.integers(1, 300), most=st.integers(1, 12))
def test_an_index_is_as_fine_at_the_end_as_at_the_start(count, most):
    index = Index(most)
    for number in range(count):
        index.add(number, 1, 1000, True)
    *whole, last = [reference.duration for reference in index.references()]
    assert len(set(whole)) <= 1 and last <= max(whole, default=count)
