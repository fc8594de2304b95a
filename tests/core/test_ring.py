"""The pre-roll ring keeps whole GOPs and its bounds."""
from hypothesis import given
from hypothesis import strategies as st

from agent.core.media.model import Packet
from agent.core.media.ring import Ring


def packets(pattern: str, size_b: int = 100, step_us: int = 100_000) -> list[Packet]:
    """K is a keyframe, p is not; one every 0.1 s."""
    return [Packet(bytes(size_b), n * step_us, n * step_us, kind == "K") for n, kind in enumerate(pattern)]


def filled(pattern: str, seconds: float, bytes_max: int = 1_000_000) -> Ring:
    ring = Ring(seconds, bytes_max)
    for packet in packets(pattern):
        ring.push(packet)
    return ring


def test_what_leans_on_a_keyframe_we_never_saw_is_not_kept():
    assert [p.dts_us for p in filled("ppKp", 9).since(0)] == [200_000, 300_000]


def test_since_begins_at_the_keyframe_at_or_before():
    ring = filled("KpppKpppKppp", 9)
    assert ring.since(750_000)[0].dts_us == 400_000
    assert ring.since(800_000)[0].dts_us == 800_000
    assert ring.since(-5)[0].dts_us == 0


def test_old_gops_go_once_the_rest_is_long_enough():
    ring = filled("Kppppppppp" * 5, 2.0)
    assert ring.since(0)[0].dts_us == 2_000_000


def test_too_many_bytes_cost_whole_gops_and_are_counted():
    ring = filled("KpppKpppKppp", 60, bytes_max=900)
    assert ring.since(0)[0].key and ring.bytes <= 900 and ring.overflow_n == 4


@given(st.text("Kpppp", max_size=200), st.floats(0, 10), st.integers(100, 5000))
def test_bounds_hold_and_what_is_kept_can_be_decoded(pattern: str, seconds: float, bytes_max: int):
    ring = Ring(seconds, bytes_max)
    for packet in packets(pattern):
        ring.push(packet)
        kept = ring.since(0)
        assert ring.bytes == sum(len(p.data) for p in kept) <= bytes_max
        assert not kept or kept[0].key
        assert kept == sorted(kept, key=lambda p: p.dts_us)
        assert ring.newest_gop() == (ring.since(packet.pts_us) if kept else [])
