"""The live picture's bytes, in whatever pieces they come."""
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.livewire import LiveError, LivePacket, LiveStream, Parser, packet_head, stream_bytes

SENT = (stream_bytes("h264", 640, 360, b"\x01cfg")
        + b"".join(packet_head(n * 100, n * 90, n == 0, len(b"abc" * n)) + b"abc" * n for n in range(4)))


@given(st.lists(st.integers(1, 40), max_size=40))
def test_pieces_do_not_matter(sizes: list[int]):
    parser, rest, got = Parser(), SENT, []
    for size in sizes:
        got += parser.feed(rest[:size])
        rest = rest[size:]
    got += parser.feed(rest)
    assert got[0] == LiveStream(codec="h264", width=640, height=360, config=b"\x01cfg")
    assert got[1:] == [LivePacket(b"abc" * n, n * 100, n * 90, n == 0) for n in range(4)]


@given(st.binary(min_size=22, max_size=200))
def test_garbage_is_refused_or_waits_for_more(data: bytes):
    try:
        for message in Parser().feed(data):
            assert isinstance(message, LivePacket | LiveStream)
    except LiveError:
        pass


def test_a_lying_length_is_refused():
    with pytest.raises(LiveError):
        list(Parser().feed(packet_head(0, 0, True, 2**31)))
