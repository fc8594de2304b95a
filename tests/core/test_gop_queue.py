"""A queue that is full loses whole GOPs: what comes out can be decoded, and never more waits than it may."""
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.media.gop_queue import GopQueue

PACKETS_MAX, BYTES_MAX = 20, 1000


class Piece(NamedTuple):
    gop: int
    number: int         # in the GOP; 0 is the keyframe, -1 no packet
    size_b: int = 10


def size_b(piece: Piece) -> int:
    return piece.size_b


def queue(refuses: bool) -> GopQueue[Piece]:
    return GopQueue(size_b, BYTES_MAX, PACKETS_MAX, refuses=refuses, is_packet=lambda piece: piece.number >= 0)


@pytest.mark.parametrize("refuses", [False, True])
@given(st.lists(st.tuples(st.integers(1, 30), st.integers(0, 40), st.integers(1, 200)), max_size=20))
def test_whatever_is_lost_a_packet_comes_out_behind_the_one_that_it_leans_on(refuses: bool, rounds):
    waiting, out, offered_n = queue(refuses), [], 0
    for gop, (length, popped_n, each_b) in enumerate(rounds):
        for number in range(length):
            waiting.offer(Piece(gop, number, each_b), number == 0)
            offered_n += 1
        assert len(waiting) <= PACKETS_MAX and sum(map(size_b, waiting)) <= BYTES_MAX
        out += [waiting.pop() for _ in range(min(popped_n, len(waiting)))]
    out += waiting.pop_all()
    for before, piece in zip([None, *out], out, strict=False):
        assert piece.number == 0 or before == piece._replace(number=piece.number - 1)
    assert len(waiting) == 0 and (not refuses or len(out) + waiting.dropped_n == offered_n)


def test_full_the_one_goes_on_with_the_newest_keyframe_and_the_other_with_the_oldest_packets():
    forgets, refuses = queue(False), queue(True)
    for each in (forgets, refuses):
        for number in range(PACKETS_MAX + 5):
            each.offer(Piece(0, number), number == 0)
        each.offer(Piece(1, 0), True)
    assert [piece.gop for piece in forgets.pop_all()] == [1] and forgets.dropped_n == PACKETS_MAX
    assert len(refuses.pop_all()) == PACKETS_MAX and refuses.dropped_n == 6


def test_one_that_refuses_goes_on_once_half_of_its_room_is_free():
    waiting = queue(True)
    for number in range(PACKETS_MAX + 1):
        waiting.offer(Piece(0, number), number == 0)
    for _ in range(PACKETS_MAX // 2):
        assert not waiting.offer(Piece(1, 0), True) and not waiting.insert(Piece(1, -1))
        waiting.pop()
    waiting.pop()
    assert waiting.offer(Piece(2, 0), True) and waiting.insert(Piece(2, -1)) and not waiting.insert(Piece(2, -1), 1)


def test_what_is_announced_outlives_an_overflow_and_a_keyframe_follows_it():
    waiting = queue(False)
    waiting.announce(Piece(0, -1))
    assert not waiting.offer(Piece(0, 5), False)
    waiting.announce(Piece(1, -1))
    for number in range(PACKETS_MAX + 1):
        waiting.offer(Piece(1, number), number == 0)
    waiting.offer(Piece(2, 0), True)
    assert waiting.pop_all() == [Piece(1, -1), Piece(2, 0)]


def test_some_are_popped_until_they_have_a_size():
    waiting = queue(False)
    for number in range(5):
        waiting.offer(Piece(0, number, 10), number == 0)
    assert len(waiting.pop_some(25)) == 3 and len(waiting.pop_some(25)) == 2 and waiting.pop_some(25) == []
