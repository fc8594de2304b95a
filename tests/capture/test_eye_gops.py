"""What an eye holds of a stream: enough to look back by one GOP, never more than its bounds, nothing out of order."""
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from agent.capture.motion_feed.gop_buffer import BYTES_MAX, PACKETS_MAX, GopBuffer, TimedPacket
from agent.core.media.model import Packet


def shot(number: int, key: bool, size_b: int = 1) -> TimedPacket:
    return TimedPacket(Packet(bytes(size_b), number, number, key), float(number))


def push(gops: GopBuffer, packets_n: int, gop: int, first: int = 0, size_b: int = 1) -> None:
    """That many packets, a keyframe every `gop`."""
    for number in range(first, first + packets_n):
        gops.push(shot(number, number % gop == 0, size_b))


def waiting(gops: GopBuffer) -> list[int]:
    """All that waits, taken."""
    return [one.packet.dts_us for one in iter(gops.next, None)]


def test_a_closer_look_begins_with_the_newest_keyframe_or_the_one_before():
    gops = GopBuffer()
    push(gops, 25, 10)
    assert not gops.waiting
    gops.follow()
    assert waiting(gops) == list(range(20, 25))
    gops.follow(before=True)
    push(gops, 2, 10, first=25)
    assert waiting(gops) == list(range(10, 27))


def test_what_does_not_lean_on_a_keyframe_is_not_held():
    gops = GopBuffer()
    for number in range(5):
        gops.push(shot(number, False))
    gops.follow(before=True)
    assert waiting(gops) == []


def test_of_a_gop_too_long_to_be_held_nothing_is_decoded_and_nothing_counts_as_lost():
    gops = GopBuffer()
    push(gops, PACKETS_MAX + 50, 10 * PACKETS_MAX)
    gops.follow(before=True)
    push(gops, 50, 10 * PACKETS_MAX, first=PACKETS_MAX + 50)
    assert waiting(gops) == [] and gops.dropped_n == 0
    push(gops, 3, 1000, first=2000)
    assert waiting(gops) == [2000, 2001, 2002]


def test_a_decoder_that_is_a_gop_late_goes_on_with_the_newest_keyframe():
    gops = GopBuffer()
    gops.follow()
    push(gops, 35, 10)
    assert waiting(gops) == list(range(30, 35)) and gops.dropped_n == 30


def test_who_stops_has_nothing_waiting_and_drops_nothing():
    gops = GopBuffer()
    gops.follow()
    push(gops, 5, 10)
    gops.stop()
    push(gops, 20, 10, first=5)
    assert waiting(gops) == [] and gops.dropped_n == 0


steps = st.lists(st.one_of(st.sampled_from(["key", "next", "follow", "follow before", "stop"]),
                           st.integers(1, BYTES_MAX // 3)), max_size=200)


@given(steps)
def test_whatever_happens_what_waits_is_bounded_and_leans_on_what_came_before(found):
    gops, number, last = GopBuffer(), 0, -1
    for step in found:
        if step == "next":
            taken = gops.next()
            if taken is not None:
                assert taken.packet.key or taken.packet.dts_us == last + 1
                last = taken.packet.dts_us
        elif step in ("follow", "follow before"):
            gops.follow(before=step == "follow before")
        elif step == "stop":
            gops.stop()
        else:
            number += 1
            gops.push(shot(number, step == "key", 1 if step == "key" else step))
    left = [one.packet for one in iter(gops.next, None)]
    assert len(left) <= 2 * PACKETS_MAX and sum(len(packet.data) for packet in left) <= 2 * BYTES_MAX + BYTES_MAX // 3
    assert all(one.key or one.dts_us == before.dts_us + 1 for before, one in pairwise(left))
