"""Maps the sound's clock to the device's own, without a click: what followed at once at the camera does so here. Pure.

A camera's sound has a clock of its own, and its stamps jitter where its samples do not. So each stretch of sound begins
where the one before ended, as its samples count, for as long as that is near to where the clock says it belongs.
"""
from collections import deque

from agent.core.media.model import Packet, Sound
from agent.core.media.mp4.entries import SOUND_B_MAX
from agent.core.media.timeline import Jump, Timeline

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

    def due(self, sound: Sound, long_us: int) -> list[Sound]:
        """The next stretch of sound, `long_us` long; returns those that have waited long enough."""
        self._waiting.append(sound)
        due: list[Sound] = []
        # A clock that jumps, either way, releases what came before.
        while self._waiting and abs(sound.pts_us - self._waiting[0].pts_us) >= self._late_us - long_us // 2:
            due.append(self._waiting.popleft())
        return due


NEAR_US = 100_000       # beyond this the ear and the eye disagree: a hole, or sound that is too much
SAMPLES_MAX = 65_536    # in one stretch
HELD_MAX = 512          # stretches that wait while the clock settles: 10 s of what cameras send


class Soundline:
    """One camera's sound of one format. `date` gives it back with times on the device's clock, never overlapping."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._timeline = Timeline()
        self._held: deque[Sound] = deque()      # what the timeline holds, too
        self._anchor_us = -(1 << 62)            # where the unbroken stretch began, on the device's clock
        self._samples_n = 0                     # what it has had since
        self.dropped_n = 0                      # stretches that had no place

    def date(self, sound: Sound, arrival_us: int) -> list[Sound]:
        """The next stretch, arriving at `arrival_us`; returns those that can be dated now, none while that settles."""
        # A recording can't tell zeros from what its card never got, and nothing that is heard is encoded so.
        if not (0 < len(sound.data) <= SOUND_B_MAX and 0 < sound.samples_n <= SAMPLES_MAX and any(sound.data)):
            self.dropped_n += 1
            return []
        if len(self._held) >= HELD_MAX:
            self._forget()
        # Sound arrives when its last sample was heard, at the earliest: that is the moment to compare with.
        end_us = sound.pts_us + self._us(sound.samples_n)
        packet = Packet(sound.data, sound.pts_us, end_us, True)
        try:
            dated = self._timeline.date(packet, arrival_us)
        except Jump:
            self._forget()
            dated = self._timeline.date(packet, arrival_us)
        self._held.append(sound)
        placed = (self._place(self._held.popleft(), packet.pts_us) for packet in dated)
        return [sound for sound in placed if sound is not None]

    def _forget(self) -> None:
        """The sound's clock jumped: what could not be dated before never can."""
        self.dropped_n += len(self._held)
        self._held.clear()
        self._timeline = Timeline()

    def _place(self, sound: Sound, told_us: int) -> Sound | None:
        """The stretch where it belongs, given where the clock says it does; None if that is taken."""
        due_us = self._anchor_us + self._us(self._samples_n)
        if told_us < due_us - NEAR_US:
            self.dropped_n += 1
            return None
        if told_us > due_us + NEAR_US:
            self._anchor_us, self._samples_n, due_us = told_us, 0, told_us
        self._samples_n += sound.samples_n
        return Sound(sound.data, due_us, sound.samples_n)

    def _us(self, samples_n: int) -> int:
        return (samples_n * 1_000_000 + self._rate_hz // 2) // self._rate_hz
