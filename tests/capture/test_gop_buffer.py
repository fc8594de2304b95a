"""A GOP buffer holds enough to look back by one GOP, never more than its bounds, nothing out of order."""
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from agent.capture.main_decoder import BYTES_MAX, PACKETS_MAX, GopBuffer, TimedPacket
from agent.core.media.model import Packet


def timed(number: int, key: bool, size_b: int = 1) -> TimedPacket:
    return TimedPacket(Packet(bytes(size_b), number, number, key), float(number), begins=key)


def push(buffer: GopBuffer, packets_n: int, gop: int, first: int = 0, size_b: int = 1) -> None:
    """That many packets, a keyframe every `gop`."""
    for number in range(first, first + packets_n):
        buffer.push(timed(number, number % gop == 0, size_b))


def waiting(buffer: GopBuffer) -> list[int]:
    """All that waits, taken."""
    return [one.packet.dts_us for one in iter(buffer.next, None)]


def test_a_closer_look_begins_with_the_newest_keyframe_or_the_one_before():
    buffer = GopBuffer()
    push(buffer, 25, 10)
    assert not buffer.waiting
    buffer.follow()
    assert waiting(buffer) == list(range(20, 25))
    buffer.follow(before=True)
    push(buffer, 2, 10, first=25)
    assert waiting(buffer) == list(range(10, 27))


def test_short_gops_of_one_stretch_are_held_together():
    buffer = GopBuffer()
    for number in range(25):
        buffer.push(timed(number, number % 5 == 0)._replace(begins=number % 10 == 0))
    buffer.follow()
    assert waiting(buffer) == list(range(20, 25))
    buffer.follow(before=True)
    assert waiting(buffer) == list(range(10, 25))


def test_what_does_not_lean_on_a_keyframe_is_not_held():
    buffer = GopBuffer()
    for number in range(5):
        buffer.push(timed(number, False))
    buffer.follow(before=True)
    assert waiting(buffer) == []


def test_of_a_gop_too_long_to_be_held_nothing_is_decoded_and_nothing_counts_as_lost():
    buffer = GopBuffer()
    push(buffer, PACKETS_MAX + 50, 10 * PACKETS_MAX)
    buffer.follow(before=True)
    push(buffer, 50, 10 * PACKETS_MAX, first=PACKETS_MAX + 50)
    assert waiting(buffer) == [] and buffer.dropped_n == 0
    push(buffer, 3, 1000, first=2000)
    assert waiting(buffer) == [2000, 2001, 2002]


def test_a_decoder_that_is_a_gop_late_goes_on_with_the_newest_keyframe():
    buffer = GopBuffer()
    buffer.follow()
    push(buffer, 35, 10)
    assert waiting(buffer) == list(range(30, 35)) and buffer.dropped_n == 30


def test_who_stops_has_nothing_waiting_and_drops_nothing():
    buffer = GopBuffer()
    buffer.follow()
    push(buffer, 5, 10)
    buffer.stop()
    push(buffer, 20, 10, first=5)
    assert waiting(buffer) == [] and buffer.dropped_n == 0


steps = st.lists(st.one_of(st.sampled_from(["key", "next", "follow", "follow before", "stop"]),
                           st.integers(1, BYTES_MAX // 3)), max_size=200)


@given(steps)
def test_whatever_happens_what_waits_is_bounded_and_leans_on_what_came_before(found):
    buffer, number, last = GopBuffer(), 0, -1
    for step in found:
        if step == "next":
            taken = buffer.next()
            if taken is not None:
                assert taken.packet.key or taken.packet.dts_us == last + 1
                last = taken.packet.dts_us
        elif step in ("follow", "follow before"):
            buffer.follow(before=step == "follow before")
        elif step == "stop":
            buffer.stop()
        else:
            number += 1
            buffer.push(timed(number, step == "key", 1 if step == "key" else step))
    left = [one.packet for one in iter(buffer.next, None)]
    assert len(left) <= 2 * PACKETS_MAX and sum(len(packet.data) for packet in left) <= 2 * BYTES_MAX + BYTES_MAX // 3
    assert all(one.key or one.dts_us == before.dts_us + 1 for before, one in pairwise(left))
