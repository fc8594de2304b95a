"""Keeps sound in step with pictures that are told late: each only when the next one comes. Pure."""
from collections import deque

from agent.core.model import Sound

LATE_US_MAX = 1_000_000     # a picture that was longer in coming stood still: no sound waits for that


class InStep:
    """Holds sound back as long as pictures are: for the time between two of them, to the nearest stretch of sound.

    The sound's own times tell how long it has waited, so no clock is asked.
    """

    def __init__(self) -> None:
        self._waiting: deque[Sound] = deque()
        self._seen_us: int | None = None
        self._late_us = LATE_US_MAX     # until it is known

    def picture(self, dts_us: int) -> None:
        """A picture was told."""
        last_us, self._seen_us = self._seen_us, dts_us
        if last_us is not None:
            self._late_us = min(max(0, dts_us - last_us), LATE_US_MAX)

    def take(self, sound: Sound, long_us: int) -> list[Sound]:
        """The next stretch of sound, `long_us` long; returns those that have waited long enough."""
        self._waiting.append(sound)
        due: list[Sound] = []
        # A clock that jumps, either way, releases what came before.
        while self._waiting and abs(sound.pts_us - self._waiting[0].pts_us) >= self._late_us - long_us // 2:
            due.append(self._waiting.popleft())
        return due
