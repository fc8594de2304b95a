"""H.264 and H.265 over RTP: what a camera's encoder made is what comes out, at once, or not at all."""
import tracemalloc
from collections.abc import Sequence
from itertools import pairwise
from random import Random

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.media import nal
from agent.core.protocols.rtp.receiver import Receiver
from agent.core.protocols.rtp.track import EncodedUnit, TrackFormat
from agent.core.protocols.rtp.video import H264
from tests.core.mp4_material import STREAMS, encode
from tests.core.rtp_material import FRAME_TICKS, NOTE, TRACKS, frame, receive, sets, units_of
from tests.rigs.cameras import footage
from tests.rigs.cameras.h264 import movie
from tests.rigs.cameras.rtp import Sent, VideoSender, framed, rtp
from tests.rigs.examples import examples

CODECS = ("h264", "h265")
CODEC = st.sampled_from(CODECS)
SEED = st.integers(0, 1 << 32)


def film(codec: str, random: Random, frames_n: int, slices_n: int, size_b: int = 3000) -> list[list[bytes]]:
    return [frame(codec, random, number % 5 == 0, slices_n, size_b) for number in range(frames_n)]


def ticks(us: int) -> int:
    return -(-us * 9 // 100)


def joined(packets: Sequence[Sent]) -> bytes:
    return b"".join(packet.wire for packet in packets)


@pytest.mark.parametrize("name", STREAMS)
def test_real_streams_come_out_as_they_were_encoded(name: str):
    stream, packets = encode(name)
    sender, random = VideoSender(stream.codec, mtu_b=500), Random(7)
    wire = b"".join(joined(sender.send(nal.split_lengths(packet.data), ticks(packet.pts_us))) for packet in packets)
    track = TRACKS[stream.codec](96, 90_000)
    items = receive(Receiver({0: track}), wire, random)
    assert items[0] == TrackFormat(0, stream) and track.info == stream
    units = units_of(items[1:])
    assert [(unit.data, unit.key) for unit in units] == [(packet.data, packet.key) for packet in packets]
    for unit, packet in zip(units, packets, strict=True):
        assert abs(unit.pts_us - (packet.pts_us - packets[0].pts_us)) <= 20
    # The encoder told its decode times, too: after the first ones, which are before the beginning, they are the same.
    for unit, packet in list(zip(units, packets, strict=True))[3:]:
        assert abs(unit.dts_us - (packet.dts_us - packets[0].pts_us)) <= 20


@pytest.mark.parametrize(("codec", "b_frames"), [("h264", 0), ("h264", 2), ("h265", 0)])
def test_real_footage_with_the_sets_in_sdp_only(codec: str, b_frames: int):
    path = footage.clip(640, 360, 15, 30, 500, codec, b_frames, seconds=6)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        known, prefix_b = nal.from_extradata(codec, bytes(stream.codec_context.extradata))
        packets = [(nal.rewrap(bytes(one), prefix_b), one.pts, one.dts, one.is_keyframe, one.time_base)
                   for one in container.demux(stream) if one.size]
    sender, receiver = VideoSender(codec), Receiver({0: TRACKS[codec](96, 90_000, known)})
    items = [item for data, pts, _, _, base in packets
             for item in receive(receiver, joined(sender.send(nal.split_lengths(data), int(pts * base * 90_000))))]
    assert items[0] == TrackFormat(0, nal.describe(codec, known))
    units = units_of(items)
    assert [(unit.data, unit.key) for unit in units] == [(data, key) for data, _, _, key, _ in packets]
    begin = packets[0][1] * packets[0][4]
    assert all(abs(unit.dts_us - (dts * base - begin) * 1_000_000) < 30
               for unit, (_, _, dts, _, base) in list(zip(units, packets, strict=True))[b_frames:])


@settings(max_examples=examples(60), deadline=None)
@given(codec=CODEC, seed=SEED, start=st.integers(0, (1 << 32) - 1), slices_n=st.integers(1, 3),
       marker=st.sampled_from(["last", "never", "slice"]), most_b=st.sampled_from([1, 40, 1448, 100_000]))
def test_any_packing_and_any_cut_is_undone(codec, seed, start, slices_n, marker, most_b):
    random = Random(seed)
    frames = film(codec, random, 12, slices_n, 60 if most_b == 1 else 3000)
    sender = VideoSender(codec, random, marker, sequence=random.randint(0, 0xFFFF))
    wire = b"".join(joined(sender.send(units, start + number * FRAME_TICKS)) for number, units in enumerate(frames))
    receiver = Receiver({0: TRACKS[codec](96, 90_000)})
    units = units_of(receive(receiver, wire, random, most_b))
    # Without a marker that can be trusted the last frame's end is not seen yet.
    at_once = marker == "last" or (marker == "slice" and slices_n == 1)
    expected = frames if at_once else frames[:-1]
    assert [unit.data for unit in units] == [nal.join_lengths(one) for one in expected]
    assert [unit.key for unit in units] == [number % 5 == 0 for number in range(len(expected))]
    assert all(unit.pts_us == unit.dts_us == number * FRAME_TICKS * 100 // 9 for number, unit in enumerate(units))
    assert (receiver.lost_n, receiver.dropped_n, receiver.junk_n, receiver.junk_b) == (0, 0, 0, 0)


@settings(max_examples=examples(100), deadline=None)
@given(codec=CODEC, seed=SEED, slices_n=st.integers(1, 3), share=st.sampled_from([0.01, 0.1, 0.5]))
def test_a_lost_packet_costs_its_frame_and_no_other(codec, seed, slices_n, share):
    random = Random(seed)
    frames = film(codec, random, 25, slices_n)
    sender = VideoSender(codec, random, mtu_b=700, sequence=65_500)
    wire, expected, lost_n = bytearray(), [], 0
    latest: list[Sent] = []
    for number, units in enumerate(frames):
        packets = sender.send(units, number * FRAME_TICKS)
        safe = number < 2 or number == len(frames) - 1
        gone = {at for at in range(len(packets)) if not safe and random.random() < share}
        lost_n += len(gone)
        for at, packet in enumerate(packets):
            if at not in gone:
                wire += packet.wire
                latest = [*latest[-20:], packet]
            if random.random() < 0.05 and latest:       # one that was sent before; it must change nothing
                wire += random.choice(latest).wire
        slices_from = len(units) - slices_n
        if not any(packets[at].units.stop > slices_from for at in gone):
            kept = range(packets[max(gone)].units.stop if gone else 0, len(units))
            expected.append((number, nal.join_lengths(units[at] for at in kept)))
    receiver = Receiver({0: TRACKS[codec](96, 90_000)})
    found = units_of(receive(receiver, bytes(wire), random))
    assert [(unit.pts_us * 9 // 100 // (FRAME_TICKS - 1), unit.data) for unit in found] == expected
    assert receiver.lost_n == lost_n


@pytest.mark.parametrize("codec", CODECS)
def test_with_a_marker_a_frame_waits_for_nothing(codec: str):
    sender, receiver = VideoSender(codec), Receiver({0: TRACKS[codec](96, 90_000, sets(codec))})
    frames = film(codec, Random(1), 5, 1)
    for number, units in enumerate(frames):
        *most, last = sender.send(units, number * FRAME_TICKS)
        early = receiver.feed(joined(most))
        # Only the first one waited, to see what the marker is worth.
        assert len(units_of(early)) == (number == 1)
        assert [item.data for item in receiver.feed(last.wire)] == [nal.join_lengths(units)] * (number > 0)


@pytest.mark.parametrize("codec", CODECS)
def test_a_camera_that_begins_to_mark_every_slice_costs_one_frame(codec: str):
    random, sender = Random(3), VideoSender(codec, marker="slice")
    frames = film(codec, random, 2, 1) + film(codec, random, 5, 3)
    receiver = Receiver({0: TRACKS[codec](96, 90_000)})
    wire = b"".join(joined(sender.send(units, number * FRAME_TICKS)) for number, units in enumerate(frames))
    data = [unit.data for unit in units_of(receive(receiver, wire))]
    assert data[:2] == [nal.join_lengths(units) for units in frames[:2]]
    assert nal.join_lengths(frames[2]).startswith(data[2])
    assert data[3:] == [nal.join_lengths(units) for units in frames[3:-1]]
    assert receiver.dropped_n == 1


def test_parameter_sets_with_the_time_of_the_frame_before_belong_to_the_next():
    random, sender = Random(5), VideoSender("h264")
    receiver = Receiver({0: H264(96, 90_000)})
    frames = [frame("h264", random, number == 0, 1, 900) for number in range(4)]
    wire = b""
    for number, units in enumerate(frames):
        wire += joined(sender.send(units, number * FRAME_TICKS))
        wire += joined(VideoSender("h264", sequence=sender.sequence).send([NOTE["h264"]], number * FRAME_TICKS))
        sender.sequence += 1
    data = [unit.data for unit in units_of(receive(receiver, wire))]
    assert data[2:] == [nal.join_lengths([NOTE["h264"], *units]) for units in frames[2:]]


def test_a_change_of_format_comes_before_the_frame_that_needs_it():
    (small, few), (large, more) = encode("h264"), movie(seconds=1)
    sender, receiver = VideoSender("h264"), Receiver({0: H264(96, 90_000, sets("h264"))})
    items = []
    for number, packet in enumerate((*few[:3], *more[:3])):
        items += receive(receiver, joined(sender.send(nal.split_lengths(packet.data), number * FRAME_TICKS)))
    kinds = [item.info if isinstance(item, TrackFormat) else "unit" for item in items]
    assert kinds == [small, "unit", "unit", "unit", large, "unit", "unit", "unit"]


@pytest.mark.parametrize("codec", CODECS)
def test_frames_that_nobody_can_decode_yet_are_dropped_and_counted(codec: str):
    random, sender = Random(9), VideoSender(codec)
    frames = [frame(codec, random, False, 1, 500) for _ in range(3)] + film(codec, random, 3, 1)
    receiver = Receiver({0: TRACKS[codec](96, 90_000, [sets(codec)[0][:3], b""])})       # SDP's are broken
    wire = b"".join(joined(sender.send(units, number * FRAME_TICKS)) for number, units in enumerate(frames))
    assert [unit.data for unit in units_of(receive(receiver, wire))] == list(map(nal.join_lengths, frames[3:]))
    assert receiver.dropped_n == 3


@pytest.mark.parametrize("fragmented", [False, True])
def test_nal_units_that_are_sent_as_one_with_start_codes_are_told_apart(fragmented: bool):
    units = [*sets("h264"), b"\x65\x88" + b"\x55" * 900]
    lump = b"\0\0\0\1".join(units)
    sender = VideoSender("h264", mtu_b=300 if fragmented else 1400)
    receiver = Receiver({0: H264(96, 90_000)})
    wire = b"".join(joined(sender.send([lump], number * FRAME_TICKS)) for number in range(3))
    wire += joined(sender.send([b"\0\0\0\1" + unit for unit in units], 3 * FRAME_TICKS))
    found = units_of(receive(receiver, wire))
    assert [(unit.data, unit.key) for unit in found] == [(nal.join_lengths(units), True)] * 4


def test_a_clock_set_anew_comes_out_as_the_jump_it_is():
    random, sender = Random(11), VideoSender("h264")
    receiver = Receiver({0: H264(96, 90_000)})
    begins = (4_000_000_000, 5_000, 5_000 + 90_000 * 3600, 5_000)
    stamps = [begin + number * FRAME_TICKS for begin in begins for number in range(6)]
    wire = b"".join(joined(sender.send(frame("h264", random, number % 6 == 0, 1, 99), stamp))
                    for number, stamp in enumerate(stamps))
    units = units_of(receive(receiver, wire))
    steps = [after.dts_us - before.dts_us for before, after in pairwise(units)]
    assert len(units) == len(stamps) and all(unit.pts_us == unit.dts_us for unit in units)
    assert [number for number, step in enumerate(steps, 1) if step not in (66_666, 66_667)] == [6, 12, 18]
    assert steps[11] > 3_598_000_000 and steps[17] < -3_598_000_000


def test_packets_of_other_types_are_not_ours():
    sender, receiver = VideoSender("h264"), Receiver({0: H264(96, 90_000, sets("h264"))})
    frames = film("h264", Random(2), 4, 1)
    wire = b""
    for number, units in enumerate(frames):
        for packet in sender.send(units, number * FRAME_TICKS):
            wire += packet.wire + framed(0, rtp(b"\x41\xff", 7, 99, True, payload_type=98))
            wire += framed(0, rtp(b"", 7, 7)[:11]) + framed(0, bytes(20)) + framed(1, b"\x80\xc8" + bytes(26))
    assert [unit.data for unit in units_of(receive(receiver, wire))] == list(map(nal.join_lengths, frames))
    assert receiver.junk_n > 0 and receiver.lost_n == 0


def test_a_sender_that_begins_anew_is_followed():
    random, sender, receiver = Random(4), VideoSender("h264"), Receiver({0: H264(96, 90_000)})
    frames, wire = film("h264", random, 20, 1), b""
    for number, units in enumerate(frames):
        sender.sequence += 20_000 if number == 10 else 0
        wire += joined(sender.send(units, number * FRAME_TICKS))
    assert [unit.data for unit in units_of(receive(receiver, wire))] == list(map(nal.join_lengths, frames))
    assert receiver.lost_n == 0


@pytest.mark.parametrize(("tail", "packets_n"), [
    (b"\x1c\x05" + b"x" * 1400, 12_000), (b"\x18" + b"\x00\x01\x06" * 400, 900), (b"\x06" + b"x" * 1400, 12_000)])
def test_a_frame_without_an_end_is_dropped_before_it_fills_the_memory(tail: bytes, packets_n: int):
    receiver = Receiver({0: H264(96, 90_000, sets("h264"))})
    receiver.feed(framed(0, rtp(b"\x1c\x85\x80", 0, 5)))
    tracemalloc.start()
    for number in range(1, packets_n):
        assert receiver.feed(framed(0, rtp(tail, number, 5))) == []
    peak_b = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_b < 12_000_000 and 1 <= receiver.dropped_n <= 3


@settings(max_examples=examples(200), deadline=None)
@given(codec=CODEC, packets=st.lists(st.tuples(
    st.sampled_from([0, 1, 1, 1, 2, 60_000]), st.integers(0, 3), st.booleans(),
    st.binary(max_size=30) | st.sampled_from([24, 28, 29, 25, 48 << 1, 49 << 1, 50 << 1, 0x41, 0x65, 0x67]).flatmap(
        lambda kind: st.binary(max_size=30).map(lambda body: bytes((kind,)) + body))), max_size=60))
def test_nonsense_in_good_packets_is_survived(codec, packets):
    receiver = Receiver({0: TRACKS[codec](96, 90_000, sets(codec))})
    sequence = stamp = 0
    items = []
    for step, later, marker, payload in packets:
        sequence, stamp = sequence + step, stamp + later * 3000
        items += receiver.feed(framed(0, rtp(payload, sequence, stamp, marker)))
    units_of(items)
    assert all(isinstance(item, EncodedUnit | TrackFormat) for item in items)
    # Another format begins another run, with times of its own: nonsense may bring one within a single frame.
    for before, after in pairwise(items):
        assert isinstance(before, TrackFormat) or isinstance(after, TrackFormat) or before.dts_us < after.dts_us
