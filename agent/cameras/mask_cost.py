"""What privacy masks cost where video arrives encoded: painted here, for a moment, on the camera's own packets."""
import time
from collections.abc import Sequence
from typing import NamedTuple

from agent.cameras import Sink
from agent.cameras.reencode import Reencoder
from agent.config.settings import Camera
from agent.core.media.model import Packet, StreamInfo
from agent.host.clock import SystemClock

PACKETS_MAX, BYTES_MAX = 150, 16 << 20      # that are kept for it


class MaskingCost(NamedTuple):
    """What painting one camera takes."""

    cpu_pct: float          # of one core
    busy_pct: float         # of the time, at the speed at which the camera sends


class _Nobody(Sink):
    """Ignores everything: only the time is measured."""


def measure(camera: Camera, info: StreamInfo, packets: Sequence[Packet]) -> MaskingCost | None:
    """What these packets take, while nothing else runs in this process; None for less than half a second of them.

    Raises SourceError.
    """
    times_us = [packet.dts_us for packet in packets]
    span_s = (times_us[-1] - times_us[0]) / 1e6 if times_us else 0.0
    if span_s < 0.5:
        return None
    workshop, cpu_s, began_s = Reencoder(camera, _Nobody(), SystemClock()), time.process_time(), time.perf_counter()
    workshop.stream(info)
    for packet in packets:
        workshop.packet(packet)
    workshop.flush()
    video_s = span_s * len(packets) / (len(packets) - 1)
    return MaskingCost(100 * (time.process_time() - cpu_s) / video_s, 100 * (time.perf_counter() - began_s) / video_s)
