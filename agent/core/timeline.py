"""Maps a source's clock to the device's own, so that media time is wall time. Pure.

Cameras date their frames by clocks of their own, which drift by seconds a day and jump when the camera restarts. The map
follows the drift so slowly that no one sees it, and names a jump for what it is: the end of a run.
"""
JUMP_US = 2_000_000         # no frame comes from this far in the future
LAG_MAX_US = 10_000_000     # a source this far behind is on another clock, not late
SLEW = 200 / 1_000_000      # at most 12 ms a minute: below one frame in any clip
SMOOTH = 1 / 64             # arrival jitter of some frames must not move the clock


class Jump(Exception):
    """The source's clock jumped: what comes now belongs to a new run."""


class Timeline:
    """One unbroken run of a source. `shift` tells how far its clock is from ours."""

    def __init__(self) -> None:
        self._shift_us: float | None = None
        self._error_us = 0.0
        self._last_dts_us = 0

    def shift(self, dts_us: int, arrival_us: int) -> int:
        """Microseconds to add to this packet's times; `arrival_us` is on the device's clock. Raises Jump."""
        if self._shift_us is None:
            self._shift_us = float(arrival_us - dts_us)
        else:
            self._follow(dts_us, arrival_us)
        self._last_dts_us = dts_us
        return round(self._shift_us)

    def _follow(self, dts_us: int, arrival_us: int) -> None:
        assert self._shift_us is not None
        step_us = dts_us - self._last_dts_us
        late_us = arrival_us - dts_us - self._shift_us
        if step_us <= 0 or late_us < -JUMP_US or late_us > LAG_MAX_US:
            raise Jump(f"clock went from {self._last_dts_us} to {dts_us} us while {late_us / 1e6:+.1f} s off")
        self._error_us += SMOOTH * (late_us - self._error_us)
        most_us = SLEW * step_us
        slew_us = max(-most_us, min(most_us, self._error_us))
        self._shift_us += slew_us
        self._error_us -= slew_us
