"""Lets bytes out at the pace that core.uplink allows: the kernel keeps it, and tells what becomes of them."""
import socket
import struct
from collections.abc import Callable

from agent.core.uplink import Sight, Uplink

PIECE_B = 16 << 10              # a TLS record: so much may be under way in the kernel unsent when somebody says stop
UNSENT_B = 32 << 10
SO_MAX_PACING_RATE = 47         # not in Python's socket module
TCP_NOTSENT_LOWAT = 25
# struct tcp_info of linux/tcp.h, up to where its fields have been since 4.9: rtt, min_rtt in µs, delivery_rate in B/s.
INFO_B, RTT, MIN_RTT, DELIVERY_RATE = 168, 68, 148, 160


class Flow:
    """The way out of one upload. It lives longer than its connections: what was learned of the line stays."""

    def __init__(self, share: float, mono_s: Callable[[], float]) -> None:
        """`share` of the line is ours, 0..1."""
        self._uplink, self._mono_s = Uplink(share), mono_s
        self._socket: socket.socket | None = None

    def take(self, connected: socket.socket) -> None:
        """From now on this connection is used. Raises OSError."""
        self._socket = connected
        connected.setsockopt(socket.IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_B)
        self._pace(connected)

    def send(self, data: bytes, send: Callable[[memoryview], object], may_go_on: Callable[[], None]) -> None:
        """Have all of it sent by `send`, a little at a time; `may_go_on` waits, or raises, before each."""
        with memoryview(data) as rest:
            for at in range(0, len(rest), PIECE_B):
                may_go_on()
                send(rest[at:at + PIECE_B])
                self._look()

    def _look(self) -> None:
        assert self._socket is not None
        info = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, INFO_B)
        if len(info) < INFO_B:
            return
        (rtt_us,), (base_us,) = struct.unpack_from("=I", info, RTT), struct.unpack_from("=I", info, MIN_RTT)
        (arrives_b_s,) = struct.unpack_from("=Q", info, DELIVERY_RATE)
        self._uplink.see(self._mono_s(), Sight(rtt_us / 1e6, base_us / 1e6, float(arrives_b_s)))
        self._pace(self._socket)

    def _pace(self, connected: socket.socket) -> None:
        connected.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, int(self._uplink.rate_b_s))
