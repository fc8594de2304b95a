"""When the board's encoder is asked for a keyframe: at night, when counting frames no longer keeps to the time.

A file of its own, for it needs no picamera2: its tests run on any computer.
"""
from agent.cameras.encode import GOP_US

SLOW = 1.5          # times the usual frame time: from here on counting frames no longer keeps to the time
AHEAD = 3           # two frames are under way when we ask, and the next one may be too late to ask


class KeyWatch:
    """Watches the times of encoded frames. By day it never asks, for the encoder's own period is exact."""

    def __init__(self, fps: int) -> None:
        self._usual_us = 1_000_000 / fps
        self._last_us = self._key_us = 0
        self._asked = False

    def due(self, pts_us: int, key: bool) -> bool:
        """Whether to ask for a keyframe, now that the frame of this time has come."""
        step_us, self._last_us = pts_us - self._last_us, pts_us
        if key:
            self._key_us, self._asked = pts_us, False
            return False
        slow = step_us > SLOW * self._usual_us
        if self._asked or not slow or pts_us - self._key_us < GOP_US - AHEAD * step_us:
            return False
        self._asked = True
        return True
