"""The recovery ladder for a dead Pi or USB camera: what to try next, and when. Pure: history in, the next step out.

The pump tries to open the camera all the time. Each step here ends the process, so a process that died counts as a
step, too. After the last step a new process is tried once an hour, so that no step loops.
"""
from dataclasses import dataclass
from enum import Enum

from msgspec import Struct
from msgspec.structs import replace

from agent.core.household.pause import TRUSTED, Moment

HEALTHY_AFTER_S = 60.0                          # a picture that lasts this long resets the ladder
HUNG_MS = 20_000                                # a process that died sooner did not die because of its camera
PATIENCE_S = (60.0, 180.0, 180.0, 300.0)        # time without a picture before the first, second, ... step
HOPELESS_PATIENCE_S = 3600.0
REBOOTS_MAX_N = 3                               # in a row, without a picture in between
REBOOT_AGAIN_MS = 24 * 3_600_000
NIGHT_MIN = (190, 220)       # from 3:10 to 3:40, before the system's own restart
REBOOT_UP_MS = 600_000  # a machine that just started is not restarted, because a person may work on it
# Faults that no driver and no reboot cures: a missing camera, one that refuses us, or one that cannot be encoded.
NO_CURE = ("camera_not_found", "camera_auth", "camera_certificate", "encoder_missing", "masks_unsafe")


class Step(Enum):
    """A step for a dead camera, besides opening it again."""

    PROCESS = "process"         # this process ends; systemd starts another
    DRIVER = "driver"           # the camera's driver is unbound and bound again
    REBOOT = "reboot"           # the machine restarts


@dataclass(frozen=True, slots=True)
class Allowed:
    """Which steps are possible: by the settings, and because root's helper runs."""

    driver: bool
    reboot: bool


class Reboots(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """A camera's history, kept across restarts of the machine."""

    seen: bool = False          # it has given a lasting picture once
    in_a_row_n: int = 0         # restarts of the machine because of it, without a lasting picture since
    boot: str = ""              # of the last such restart
    wall_ms: int = 0
    clock: str = "unset"
    encoded: bool = False       # the board's encoder has encoded this camera once
    for_encoder_n: int = 0      # restarts in a row because that encoder was gone

    def may_again(self, now: Moment) -> bool:
        if not self.seen or self.in_a_row_n >= REBOOTS_MAX_N:
            return False
        return now.mono_ms >= REBOOT_UP_MS and self.day_passed(now)

    def day_passed(self, now: Moment) -> bool:
        """Whether the last restart was certainly 24 hours ago, or there was none. It was if this boot has lasted that
        long, or if the wall clock says so and was trustworthy both times."""
        by_wall = self.clock in TRUSTED and now.clock in TRUSTED and now.wall_ms - self.wall_ms >= REBOOT_AGAIN_MS
        return not self.boot or now.mono_ms >= REBOOT_AGAIN_MS or by_wall

    def may_for_encoder(self, now: Moment, minute: int) -> bool:
        """Whether the machine may restart because the board's encoder is gone: at night, when least is lost. `minute`
        counts from midnight."""
        at_night = now.clock in TRUSTED and NIGHT_MIN[0] <= minute < NIGHT_MIN[1]
        return at_night and self.encoded and self.for_encoder_n < REBOOTS_MAX_N and self.day_passed(now)

    def another(self, now: Moment, for_encoder: bool = False) -> "Reboots":
        """Returns the history with one more restart, because there is no picture, or the encoder is gone."""
        counts = {"for_encoder_n": self.for_encoder_n + 1} if for_encoder else {"in_a_row_n": self.in_a_row_n + 1}
        return replace(self, seen=True, boot=now.boot, wall_ms=now.wall_ms, clock=now.clock, **counts)

    def picture(self) -> "Reboots":
        """Returns the history after a lasting picture. The time of the last restart stays."""
        return replace(self, seen=True, in_a_row_n=0)

    def encodes(self) -> "Reboots":
        """Returns the history after the board's encoder has worked."""
        return replace(self, encoded=True, for_encoder_n=0)


@dataclass(frozen=True, slots=True)
class Position:
    step: Step | None       # the last one; None: no step was taken
    n: int                  # number of steps
    spent: bool             # no step is left


@dataclass(frozen=True, slots=True)
class Ladder:
    """The steps that a camera has now."""

    steps: tuple[Step, ...]

    @classmethod
    def of(cls, fault: str | None, allowed: Allowed, past: Reboots, now: Moment) -> "Ladder":
        """Returns the steps for a camera with this fault (a condition's code; None if it only gives no picture)."""
        steps = [Step.PROCESS, Step.PROCESS]
        if fault not in NO_CURE:
            steps += [Step.DRIVER] * allowed.driver
            steps += [Step.REBOOT] * (allowed.reboot and past.may_again(now))
        return cls(tuple(steps))

    def due(self, taken_n: int) -> Step | None:
        """Returns the step after these; None if no step is left. A restart of the machine that is allowed again is
        due, because a process that lives has not had it."""
        return None if self._spent(taken_n) else self.steps[min(taken_n, len(self.steps) - 1)]

    def next(self, taken_n: int, silent_s: float, stuck: bool) -> Step | None:
        """Returns the step to take now, in a process that has had no picture for `silent_s`. With `stuck` this process
        can no longer succeed, so it does not wait."""
        step = self.due(taken_n)
        if step is None:
            return Step.PROCESS if silent_s >= HOPELESS_PATIENCE_S else None
        return step if stuck or silent_s >= PATIENCE_S[min(taken_n, len(PATIENCE_S) - 1)] else None

    def position(self, taken_n: int, past: Reboots) -> Position:
        if taken_n == 0:
            return Position(Step.REBOOT if past.in_a_row_n else None, past.in_a_row_n, spent=False)
        return Position(self.steps[min(taken_n, len(self.steps)) - 1], taken_n, self._spent(taken_n))

    def _spent(self, taken_n: int) -> bool:
        return taken_n >= len(self.steps) and self.steps[-1] is not Step.REBOOT


class Held(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """The steps of this boot so far, which one process passes to the next."""

    boot: str = ""
    taken_n: int = 0                    # steps since the last lasting picture
    open_ms: int | None = None          # start of the running process; None after an orderly end

    def begin(self, ladder: Ladder, now: Moment) -> tuple["Held", Step | None]:
        """Begins another process. Returns its state, and an overdue step to take first.

        A process that hung and was killed before its step has brought about a new process. But a due driver or reboot
        step was not requested yet.
        """
        if self.boot != now.boot:
            return Held(boot=now.boot, open_ms=now.mono_ms), None
        died = self.open_ms is not None and now.mono_ms - self.open_ms >= HUNG_MS
        due = ladder.due(self.taken_n)
        overdue = due if died and due in (Step.DRIVER, Step.REBOOT) else None
        taken_n = self.taken_n + (died and overdue is None)
        return Held(boot=now.boot, taken_n=taken_n, open_ms=now.mono_ms), overdue

    def step(self) -> "Held":
        return Held(boot=self.boot, taken_n=self.taken_n + 1)

    def well(self) -> "Held":
        return Held(boot=self.boot, open_ms=self.open_ms)

    def stopped(self) -> "Held":
        return Held(boot=self.boot, taken_n=self.taken_n)
