"""The live picture's bytes, in whatever pieces they come."""
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.contract.live import HEAD, LiveError, Parser, packet_head, stream_bytes
from agent.core.media.model import Packet, StreamInfo

INFO = StreamInfo("h264", 640, 360, b"\x01cfg")
PACKETS = [Packet(b"abc" * n, n * 100, n * 90, n == 0) for n in range(4)]
SENT = stream_bytes(INFO) + b"".join(packet_head(packet) + packet.data for packet in PACKETS)


@given(st.lists(st.integers(1, 40), max_size=40))
def test_pieces_do_not_matter(sizes: list[int]):
    parser, rest, got = Parser(), SENT, []
    for size in sizes:
        got += parser.feed(rest[:size])
        rest = rest[size:]
    got += parser.feed(rest)
    assert got == [INFO, *PACKETS]


@given(st.binary(min_size=22, max_size=200))
def test_garbage_is_refused_or_waits_for_more(data: bytes):
    try:
        for message in Parser().feed(data):
            assert isinstance(message, Packet | StreamInfo)
    except LiveError:
        pass


def test_a_lying_length_is_refused():
    with pytest.raises(LiveError):
        list(Parser().feed(HEAD.pack(b"P", 1, 0, 0, 2**31)))
