"""Maps a source's clock to the device's own, so that media time is wall time. Pure.

Cameras date their frames by their own clocks, which drift by seconds a day and jump when the camera restarts. The
mapping follows the drift invisibly slowly, and reports a jump, which ends the run.
"""
from collections.abc import Sequence
from dataclasses import replace

from agent.core.media.model import Packet

SETTLE_US = 400_000         # a run's first packets may be a burst of old ones; the latest of them are on time
JUMP_US = 2_000_000         # no frame comes from this far in the future
LAG_MAX_US = 10_000_000     # a source this far behind has another clock
SLEW = 200 / 1_000_000      # at most 12 ms a minute: below one frame in any clip
SMOOTH = 1 / 64             # one frame's jitter of arrival must not move the clock


class Jump(Exception):
    """The source's clock jumped: a new run begins."""


class Timeline:
    """One continuous run of a source. `date` returns packets with times on the device's clock."""

    def __init__(self) -> None:
        self._settling = True
        self._held: list[Packet] = []   # while it settles
        self._began_us = 0              # arrival of the first packet
        self._shift_us = float("inf")   # to add to the source's times
        self._error_us = 0.0
        self._last_dts_us = -(1 << 62)

    def date(self, packet: Packet, arrival_us: int) -> Sequence[Packet]:
        """Adds the next packet, which arrives at `arrival_us` on the device's clock. Returns the packets that can be
        dated now. While the run settles there are none; then they come all at once. Raises Jump."""
        dts_us, last_us = packet.dts_us, self._last_dts_us
        if dts_us <= last_us:
            if dts_us < last_us:
                raise Jump(f"clock went back from {last_us} to {dts_us} us")
            dts_us += 1                 # two frames with the same time are not a jump
            packet = replace(packet, dts_us=dts_us)
        self._last_dts_us = dts_us
        if self._settling:
            return self._settle(packet, arrival_us)
        # Every packet of every camera passes here, so this avoids further calls.
        late_us = arrival_us - dts_us - self._shift_us
        if late_us < -JUMP_US or late_us > LAG_MAX_US:
            raise Jump(f"clock is {late_us / 1e6:+.1f} s off")
        error_us = self._error_us + SMOOTH * (late_us - self._error_us)
        most_us = SLEW * (dts_us - last_us)
        slew_us = most_us if error_us > most_us else -most_us if error_us < -most_us else error_us
        self._shift_us += slew_us
        self._error_us = error_us - slew_us
        shift_us = round(self._shift_us)
        return (Packet(packet.data, packet.pts_us + shift_us, dts_us + shift_us, packet.key),)

    def _settle(self, packet: Packet, arrival_us: int) -> Sequence[Packet]:
        """Holds packets until the least delay is known, because no packet arrives before it was taken."""
        if not self._held:
            self._began_us = arrival_us
        self._held.append(packet)
        self._shift_us = min(self._shift_us, arrival_us - packet.dts_us)
        if arrival_us - self._began_us < SETTLE_US:
            return ()
        self._settling, held, self._held = False, self._held, []
        shift_us = round(self._shift_us)
        return [Packet(one.data, one.pts_us + shift_us, one.dts_us + shift_us, one.key) for one in held]
