"""The bytes of a playing RTSP connection: frames and messages told apart wherever they are cut, junk survived."""
import tracemalloc
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.media import nal
from agent.core.protocols.rtp.audio import G711
from agent.core.protocols.rtp.receiver import JUNK_MAX_B, InterleavingError, Receiver
from agent.core.protocols.rtp.track import EncodedUnit, RtspText, TrackFormat
from agent.core.protocols.rtp.video import H264
from tests.core.rtp_material import FRAME_TICKS, frame, receive, sets, units_of
from tests.rigs.cameras.rtp import VideoSender, framed, rtp
from tests.rigs.examples import examples

RTCP = framed(1, b"\x80\xc8\0\x06" + bytes(24))
MESSAGES = [
    b"RTSP/1.0 200 OK\r\nCSeq: 9\r\nSession: 12\r\n\r\n",
    b"RTSP/1.0 200 OK\r\nCSeq: 9\r\ncontent-Length:  4 \r\n\r\n$\0\xff\xff",
    b"GET_PARAMETER rtsp://cam/ RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 10\r\n\r\npackets\r\n\r",
    b"OPTIONS * RTSP/1.0\r\n\r\n",
]


def receiver() -> Receiver:
    return Receiver({0: H264(96, 90_000, sets("h264")), 2: G711(8)})


def film(random: Random, frames_n: int) -> list[list[bytes]]:
    return [frame("h264", random, number == 0, 1, 2500) for number in range(frames_n)]


@settings(max_examples=examples(80), deadline=None)
@given(seed=st.integers(0, 1 << 32), most_b=st.sampled_from([1, 7, 1448, 50_000]))
def test_all_that_one_connection_carries_comes_out_in_order(seed, most_b):
    random, sender = Random(seed), VideoSender("h264", Random(seed))
    frames, wire, texts, sounds = film(random, 6), bytearray(), [], []
    for number, units in enumerate(frames):
        for packet in sender.send(units, number * FRAME_TICKS):
            wire += packet.wire
            match random.randint(0, 6):
                case 0:
                    texts.append(random.choice(MESSAGES))
                    wire += texts[-1]
                case 1:
                    sounds.append(random.randbytes(160))
                    wire += framed(2, rtp(sounds[-1], len(sounds), 160 * len(sounds), payload_type=8))
                case 2:
                    wire += RTCP
    ear = receiver()
    items = receive(ear, bytes(wire), random, most_b)
    assert [unit.data for unit in units_of(items) if unit.track == 0] == list(map(nal.join_lengths, frames))
    assert [(unit.data, unit.pts_us) for unit in units_of(items) if unit.track == 2] == [
        (sound, number * 20_000) for number, sound in enumerate(sounds)]
    assert [item.data for item in items if isinstance(item, RtspText)] == texts
    assert ear.junk_b == 0


@settings(max_examples=examples(80), deadline=None)
@given(seed=st.integers(0, 1 << 32), junk=st.binary(max_size=300) | st.sampled_from(
    [b"\r\n", b"RTSP/1.0 200 OK", b"HTTP/1.1 200 OK\r\n\r\n", b"GARBAGE IN\r\n\r\n", b"$", b"$\0", b"$\7\0\0"]))
def test_after_junk_the_next_frame_is_found(seed, junk):
    """Not always: junk may look like a frame's beginning, and then costs what it says is its length."""
    random, sender, ear = Random(seed), VideoSender("h264", mtu_b=900), receiver()
    items = []
    for number, units in enumerate(film(random, 80)):
        wire = b"".join(packet.wire for packet in sender.send(units, number * FRAME_TICKS))
        items += receive(ear, wire + (junk if number == 5 else b""), random)
    assert len(units_of(items)) >= 79 - 3 - 66_000 // 900
    if b"$" not in junk:
        assert len(units_of(items)) == 80 and ear.junk_b == len(junk) and not ear.lost_n


def test_a_length_that_lies_costs_little():
    random, sender, ear = Random(6), VideoSender("h264", mtu_b=900), receiver()
    items, frames = [], film(random, 60)
    for number, units in enumerate(frames):
        wire = bytearray(b"".join(packet.wire for packet in sender.send(units, number * FRAME_TICKS)))
        if number in (10, 30):      # too short by 9 bytes, too long by 200
            wire[2:4] = (int.from_bytes(wire[2:4], "big") + (-9 if number == 10 else 200)).to_bytes(2, "big")
        items += receive(ear, bytes(wire), random)
    good = [nal.join_lengths(units) for units in frames]
    found = [unit.data for unit in units_of(items)]
    assert len(found) >= 56 and found[-20:] == good[-20:]


@pytest.mark.parametrize("stream", [
    pytest.param(lambda random: random.randbytes(1000), id="noise"),
    pytest.param(lambda random: b"<html>" * 200, id="web page"),
    pytest.param(lambda random: b"RTSP/1.0 200 OK\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 900, id="endless body"),
    pytest.param(lambda random: framed(9, bytes(900)), id="a channel that nobody set up"),
])
def test_what_is_no_rtp_is_told_soon(stream):
    random, ear, fed_b = Random(8), receiver(), 0
    with pytest.raises(InterleavingError):
        while fed_b < 20 * JUNK_MAX_B:
            piece = stream(random)
            fed_b += len(piece)
            assert ear.feed(piece) == []


def test_an_endless_head_is_no_message():
    ear = receiver()
    with pytest.raises(InterleavingError):
        for _ in range(2000):
            assert ear.feed(b"RTSP/1.0 200 OK\r\n" + b"X-Thing: " + b"y" * 100) == []


@settings(max_examples=examples(150), deadline=None)
@given(seed=st.integers(0, 1 << 32), harm=st.lists(
    st.tuples(st.integers(0, 1 << 20), st.sampled_from(["flip", "cut", "insert"]), st.binary(min_size=1, max_size=40)),
    min_size=1, max_size=30))
def test_a_damaged_stream_is_survived_or_refused(seed, harm):
    random, sender = Random(seed), VideoSender("h264", Random(seed))
    wire = bytearray(b"".join(packet.wire for number, units in enumerate(film(random, 12))
                              for packet in sender.send(units, number * FRAME_TICKS)))
    for place, how, data in harm:
        at = place % len(wire)
        match how:
            case "flip":
                wire[at] ^= data[0]
            case "cut":
                del wire[at:at + len(data)]
            case "insert":
                wire[at:at] = data
    try:
        items = receive(receiver(), bytes(wire), random)
    except InterleavingError:
        return
    assert all(isinstance(item, EncodedUnit | TrackFormat | RtspText) for item in items)
    assert all(unit.dts_us <= unit.pts_us for unit in units_of(items))


def test_a_frame_that_comes_byte_by_byte_is_not_copied_again_and_again():
    ear = receiver()
    packet = framed(0, rtp(b"\x41\x80" + bytes(65_000) + b"\x80", 5, 5))
    tracemalloc.start()
    for at in range(len(packet)):
        ear.feed(packet[at:at + 1])
    peak_b = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_b < 1_000_000
