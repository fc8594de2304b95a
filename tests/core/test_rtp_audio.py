"""Sound over RTP: AAC frames alone, together and in pieces; G.711 as it comes."""
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.protocols.rtp.audio import G711, Aac
from agent.core.protocols.rtp.receiver import Receiver
from agent.core.protocols.rtp.track import EncodedUnit
from tests.rigs.cameras.rtp import AacSender, cut, framed, rtp

LC_16K = bytes.fromhex("1408")


@pytest.mark.parametrize(("config", "clock_rate", "samples_n", "ticks"), [
    ("1408", 16_000, 1024, 1024),           # AAC-LC, 16 kHz, mono
    ("1190", 48_000, 1024, 1024),           # 48 kHz, stereo
    ("140c", 16_000, 960, 960),             # short frames
    ("2b8a08", 44_100, 1024, 2048),         # HE-AAC: SBR doubles 22.05 kHz
    ("17800fa008", 8_000, 1024, 1024),      # the rate in figures
    ("", 16_000, 1024, 1024),
])
def test_frames_that_come_together_follow_each_other_in_time(config, clock_rate, samples_n, ticks):
    track = Aac(97, clock_rate, bytes.fromhex(config))
    units = Receiver({2: track}).feed(b"".join(AacSender().send([b"a", b"b", b"c"], 7)))
    assert [unit.pts_us for unit in units] == [number * ticks * 1_000_000 // clock_rate for number in range(3)]
    assert track.samples_n == samples_n


@given(seed=st.integers(0, 1 << 32), start=st.integers(0, (1 << 32) - 1))
def test_frames_come_out_as_they_were_packed(seed, start):
    random, sender = Random(seed), AacSender(mtu_b=700)
    groups = [[random.randbytes(random.randint(1, 300 if count > 1 else 3000)) for _ in range(count)]
              for count in random.choices((1, 1, 2, 5), k=10)]
    wire, frames = b"", []
    for group in groups:
        wire += b"".join(sender.send(group, start + 1024 * len(frames)))
        frames += group
    receiver = Receiver({2: Aac(97, 16_000, LC_16K)})
    units = [item for piece in cut(wire, random, 900) for item in receiver.feed(piece)]
    assert units == [EncodedUnit(2, frame, number * 64_000, number * 64_000, True)
                     for number, frame in enumerate(frames)]
    assert receiver.junk_n == 0


def test_a_frame_with_a_missing_piece_is_dropped():
    sender = AacSender(mtu_b=500)
    whole, torn, after = (sender.send([bytes((number,)) * 1600], 1024 * number) for number in (1, 2, 3))
    for missing in range(4):
        ear = Receiver({2: Aac(97, 16_000, LC_16K)})
        wire = b"".join([*whole, *(piece for at, piece in enumerate(torn) if at != missing), *after])
        assert [unit.data[0] for unit in ear.feed(wire)] == [1, 3]
        assert ear.lost_n == 1


def test_other_header_lengths_are_read_as_sdp_tells_them():
    receiver = Receiver({2: Aac(97, 16_000, LC_16K, size_length=6, index_length=2, index_delta_length=4)})
    headers = 3 << 12 | 0 << 10 | 5 << 4 | 0        # 6 + 2 bits, then 6 + 4 bits
    payload = (18).to_bytes(2, "big") + (headers << 6).to_bytes(3, "big") + b"aaabbbbb"
    assert [unit.data for unit in receiver.feed(framed(2, rtp(payload, 1, 0, payload_type=97)))] == [b"aaa", b"bbbbb"]


def test_header_lengths_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="headers of 0, 3 and 3 bits"):
        Aac(97, 16_000, LC_16K, size_length=0)


def test_g711_is_a_frame_a_packet():
    receiver = Receiver({4: G711(8)})
    wire = b"".join(framed(4, rtp(bytes((number,)) * 160, number, 160 * number, payload_type=8)) for number in range(3))
    assert receiver.feed(wire) == [EncodedUnit(4, bytes((number,)) * 160, number * 20_000, number * 20_000, True)
                                   for number in range(3)]


@given(st.lists(st.binary(max_size=40), max_size=30), st.integers(1, 16), st.integers(0, 8))
def test_nonsense_is_survived(payloads, size_length, index_length):
    receiver = Receiver({2: Aac(97, 16_000, LC_16K, size_length, index_length, index_length)})
    for number, payload in enumerate(payloads):
        receiver.feed(framed(2, rtp(payload, number, number, payload_type=97)))
