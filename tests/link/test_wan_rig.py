"""The emulated line itself: late, narrow, lossy, cut; otherwise what its figures would prove of the link is nothing."""
import socket
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rigs.network import wan
from tests.rigs.network.bad_line import Lane, Line
from tests.rigs.network.wan import WARD, Wan
from tests.rigs.wait import HANG_S, Stopwatch

PORT = 5000


def test_a_packet_is_as_late_as_the_line_is_long_and_narrow():
    lane = Lane(1)
    lane.become(Line(delay_s=0.1, rate_bps=8000))
    lane.send(b"x" * 100, 10.0)
    lane.send(b"y" * 50, 10.0)
    assert (lane.due(10.19), round(lane.wait_s(10.0), 3)) == ([], 0.2)
    assert lane.due(10.201) == [b"x" * 100] and lane.due(10.251) == [b"y" * 50]


def test_what_has_no_room_before_the_narrow_place_is_dropped():
    lane = Lane(1)
    lane.become(Line(rate_bps=8000, buffer_b=1000))
    for _ in range(30):
        lane.send(b"x" * 100, 0.0)
    assert (lane.dropped_n, len(lane.due(60.0))) == (19, 11)


def test_a_cut_takes_what_is_on_the_line():
    lane = Lane(1)
    lane.become(Line(delay_s=1.0))
    lane.send(b"on the way", 0.0)
    lane.become(Line(up=False))
    lane.send(b"into the void", 0.5)
    lane.become(Line(delay_s=1.0))
    lane.send(b"after it", 2.0)
    assert lane.due(9.0) == [b"after it"] and lane.lost_n == 2


@given(st.integers(0, 1000), st.lists(st.tuples(st.floats(0, 1), st.floats(0, 0.5), st.booleans()), max_size=60))
def test_packets_keep_their_order_and_a_seed_loses_the_same_ones(seed, sendings):
    runs = []
    for _ in range(2):
        lane, now_s, came = Lane(seed), 0.0, []
        for number, (pause_s, delay_s, up) in enumerate(sendings):
            now_s += pause_s
            lane.become(Line(delay_s=delay_s, loss=0.3, rate_bps=1e5, up=up))
            lane.send(bytes([number]) * 40, now_s)
            came += lane.due(now_s)
        came += lane.due(now_s + 10)
        assert came == sorted(came)
        assert len(came) + lane.lost_n + lane.dropped_n == len(sendings)
        runs.append(came)
    assert runs[0] == runs[1]


def count(server):
    """Answer each connection with the number of bytes that came."""
    while True:
        caller, _ = server.accept()
        with caller:
            size_b = 0
            while data := caller.recv(65_536):
                size_b += len(data)
            caller.sendall(str(size_b).encode())


@pytest.fixture
def line():
    with Wan(5) as line:
        with line.ward():
            server = socket.create_server((WARD, PORT))
        threading.Thread(target=count, args=(server,), daemon=True).start()
        yield line


def send(line, size_b):
    """How long a connection took, and how long until the other end has `size_b` bytes: at least, and at most."""
    began_s = time.monotonic()
    with Stopwatch() as watch:
        with Stopwatch() as connecting, line.device():
            ours = socket.create_connection((WARD, PORT), HANG_S)
        connected_s = time.monotonic() - began_s
        with ours:
            ours.sendall(b"x" * size_b)
            ours.shutdown(socket.SHUT_WR)
            assert int(ours.recv(100)) == size_b
    return (connected_s, connecting.fair_s), (time.monotonic() - began_s, watch.fair_s)


@pytest.mark.needs.with_args(wan.missing)
def test_the_kernels_tcp_meets_the_line_that_was_asked_for(line):
    line.become(Line(delay_s=0.15))
    (least_s, most_s), _ = send(line, 10)
    assert least_s >= 0.3 and most_s < 0.6
    line.become(Line(delay_s=0.01, rate_bps=4e6))
    _, (least_s, most_s) = send(line, 250_000)
    assert least_s > 0.5 and most_s < 2.0
    line.become(Line(delay_s=0.02, rate_bps=4e6, loss=0.05))
    send(line, 100_000)
    gone = line.become(Line(up=False))
    assert 0 < gone["up"]["lost_n"] + gone["down"]["lost_n"] < 0.15 * gone["up"]["packets_n"]
    mended = threading.Timer(1.2, line.become, [Line()])
    mended.start()
    (least_s, most_s), _ = send(line, 10)
    assert least_s > 1.2 and most_s < 5
