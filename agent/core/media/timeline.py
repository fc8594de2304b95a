"""Maps the clock of a source, and that of its sound, to the device's own, so that media time is wall time. Pure.

Cameras date their frames by their own clocks, which drift by seconds a day and jump when the camera restarts. The
mapping follows the drift invisibly slowly, and reports a jump, which ends the run.

The sound has a clock of its own, and its time stamps jitter although its samples do not. So each piece of sound begins
at the end of the one before, by the count of samples, as long as that is near to its time by the clock.
"""
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from agent.core.media.model import Packet, Sound
from agent.core.media.mp4.traks import SOUND_B_MAX

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


# the longest interval that counts: after a longer one the picture stood still, and sound does not wait for it
LATE_US_MAX = 1_000_000


class InStep:
    """Delays sound as long as pictures are delayed: by the time between two of them, to the nearest piece of sound.
    The sound's own times give its delay, so no clock is needed."""

    def __init__(self) -> None:
        self._waiting: deque[Sound] = deque()
        self._seen_us: int | None = None
        self._late_us = LATE_US_MAX     # until it is measured

    def picture(self, dts_us: int) -> None:
        last_us, self._seen_us = self._seen_us, dts_us
        if last_us is not None:
            self._late_us = min(max(0, dts_us - last_us), LATE_US_MAX)

    def due(self, sound: Sound, long_us: int) -> list[Sound]:
        """Adds the next piece of sound, `long_us` long. Returns the pieces that have waited long enough."""
        self._waiting.append(sound)
        due: list[Sound] = []
        # A clock that jumps in either direction releases the earlier sound.
        while self._waiting and abs(sound.pts_us - self._waiting[0].pts_us) >= self._late_us - long_us // 2:
            due.append(self._waiting.popleft())
        return due


NEAR_US = 100_000       # beyond this, sound and picture visibly differ: there is a hole, or too much sound
SAMPLES_MAX = 65_536    # in one piece
HELD_MAX = 512          # pieces that wait while the clock settles: 10 s of a camera's usual rate


class Soundline:
    """One camera's sound of one format. `date` returns it with times on the device's clock, without overlaps."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._timeline = Timeline()
        self._held: deque[Sound] = deque()      # the timeline holds these, too
        self._anchor_us = -(1 << 62)            # start of the continuous sound, on the device's clock
        self._samples_n = 0                     # samples since then
        self.dropped_n = 0                      # pieces that had no place

    def date(self, sound: Sound, arrival_us: int) -> list[Sound]:
        """Adds a piece that arrives at `arrival_us`. Returns those that can be dated; none while the clock settles."""
        # A recording cannot distinguish zeros from data that its card lost, and no audible sound is encoded as zeros.
        if not (0 < len(sound.data) <= SOUND_B_MAX and 0 < sound.samples_n <= SAMPLES_MAX and any(sound.data)):
            self.dropped_n += 1
            return []
        if len(self._held) >= HELD_MAX:
            self._forget()
        # Sound arrives after its last sample at the earliest, so that moment is compared.
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
        self.dropped_n += len(self._held)
        self._held.clear()
        self._timeline = Timeline()

    def _place(self, sound: Sound, clock_us: int) -> Sound | None:
        due_us = self._anchor_us + self._us(self._samples_n)
        if clock_us < due_us - NEAR_US:
            self.dropped_n += 1
            return None
        if clock_us > due_us + NEAR_US:
            self._anchor_us, self._samples_n, due_us = clock_us, 0, clock_us
        self._samples_n += sound.samples_n
        return Sound(sound.data, due_us, sound.samples_n)

    def _us(self, samples_n: int) -> int:
        return (samples_n * 1_000_000 + self._rate_hz // 2) // self._rate_hz
