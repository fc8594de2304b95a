"""What privacy masks cost where video arrives encoded: painted here, for a moment, on the camera's own packets."""
import os
import time
from collections.abc import Sequence
from typing import NamedTuple

from agent.cameras import SourceError
from agent.cameras.reencode import Reencoder
from agent.cli.doctor.verdict import CheckVerdict, bad, ok, warn
from agent.config.privacy import declared, transcodes
from agent.config.settings import Camera
from agent.core.media.model import Packet, StreamInfo
from agent.core.vision.luma import Luma
from agent.host.clock import SystemClock

PACKETS_MAX, BYTES_MAX = 150, 16 << 20      # that are kept for it
TIGHT_PCT, TOO_MUCH_PCT = 60, 90            # of the time: beyond, the pictures come faster than they are painted
REMEDY = ("set the camera to fewer pictures a second or a smaller picture; or set the mask in its own menu, and "
          'privacy_mask = "camera"')


class Cost(NamedTuple):
    """What painting one camera takes."""

    cpu_pct: float          # of one core
    busy_pct: float         # of the time, at the speed at which the camera sends


class _Nobody:
    """A sink that ignores everything: only the time is measured."""

    def stream(self, info: StreamInfo) -> None:
        """Not looked at."""

    def packet(self, packet: Packet) -> None:
        """Not looked at."""

    def wants_luma(self, mono_s: float) -> bool:
        """Never."""
        return False

    def wants_main_luma(self) -> bool:
        """Never."""
        return False

    def luma(self, picture: Luma) -> None:
        """Not asked for."""


def verdict(camera: Camera, info: StreamInfo, packets: Sequence[Packet]) -> list[CheckVerdict]:
    """What there is to say of the camera's masks, nothing for one that needs none of this.

    `packets` are what the camera sent, from a keyframe on.
    """
    if declared(camera):
        return [ok(f"{len(camera.masks)} masks, by the camera itself as you declare: see the live page")]
    if not transcodes(camera):
        return []
    try:
        cost = measure(camera, info, packets)
    except SourceError as error:
        return [bad(f"masks: {error.what}", error.remedy)]
    if cost is None:
        return [warn("masks: too little came to measure what painting costs", "look again")]
    text = (f"painting the masks (decode, paint, x264) takes {cost.cpu_pct:.0f} % of one of {os.cpu_count() or 1} "
            f"cores, and {cost.busy_pct:.0f} % of the time")
    if cost.busy_pct > TOO_MUCH_PCT:
        return [bad(f"{text}: pictures will be missing", REMEDY)]
    return [warn(f"{text}: little is left for a busy scene", REMEDY)] if cost.busy_pct > TIGHT_PCT else [ok(text)]


def measure(camera: Camera, info: StreamInfo, packets: Sequence[Packet]) -> Cost | None:
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
    return Cost(100 * (time.process_time() - cpu_s) / video_s, 100 * (time.perf_counter() - began_s) / video_s)
