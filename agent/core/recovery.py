"""The ladder for a Pi or USB camera that stays dead: what is tried next, and when. Pure: history in, the next step out.

Opening it again is the pump's and goes on all the time. Each step here ends the process, so a process that died by
itself counts as a step, too. After the last one a fresh process is tried once an hour: nothing is tried in a loop.
"""
from dataclasses import dataclass
from enum import Enum

from msgspec import Struct

from agent.core.household.pause import TRUSTED, Moment

HEALTHY_AFTER_S = 60.0                          # a picture that lasts this long takes us back to the ground
HUNG_MS = 20_000                                # a process that died sooner did not die of its camera
PATIENCE_S = (60.0, 180.0, 180.0, 300.0)        # without a picture, before the first, second, ... step
HOPELESS_PATIENCE_S = 3600.0
REBOOTS_MAX_N = 3                               # in a row, without a picture in between
REBOOT_AGAIN_MS = 24 * 3_600_000
REBOOT_UP_MS = 600_000                          # a machine just started is left alone: somebody may be at work on it
# What no driver and no reboot cures: a camera that is not plugged in, refuses us, or can't be encoded here.
NO_CURE = ("camera_not_found", "camera_auth", "camera_certificate", "encoder_missing", "masks_unsafe")


class Step(Enum):
    """What is done about a dead camera, besides opening it again and again."""

    PROCESS = "process"         # this process ends; systemd starts another
    DRIVER = "driver"           # the camera's driver lets go of it and takes it anew
    REBOOT = "reboot"           # the machine restarts


@dataclass(frozen=True, slots=True)
class Allowed:
    """How far we may go: by the settings, and because somebody is there to do it."""

    driver: bool
    reboot: bool


class Reboots(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """One camera's past on this installation, kept across restarts of the machine."""

    seen: bool = False          # it has given a lasting picture at least once
    in_a_row_n: int = 0         # restarts of the machine because of it, without a lasting picture since
    boot: str = ""              # when the last of them was ordered
    wall_ms: int = 0
    clock: str = "unset"

    def may_again(self, now: Moment) -> bool:
        """Whether the machine may be restarted once more because of this camera."""
        if not self.seen or self.in_a_row_n >= REBOOTS_MAX_N:
            return False
        return now.mono_ms >= REBOOT_UP_MS and self.day_passed(now)

    def day_passed(self, now: Moment) -> bool:
        """Whether the last restart that was ordered, if there was one, has certainly been 24 hours ago.

        It has if this boot alone has lasted so long, or if the wall clock says so and could be relied upon both times.
        """
        by_wall = self.clock in TRUSTED and now.clock in TRUSTED and now.wall_ms - self.wall_ms >= REBOOT_AGAIN_MS
        return not self.boot or now.mono_ms >= REBOOT_AGAIN_MS or by_wall

    def another(self, now: Moment) -> "Reboots":
        """The past, once a restart is ordered."""
        return Reboots(seen=True, in_a_row_n=self.in_a_row_n + 1, boot=now.boot, wall_ms=now.wall_ms, clock=now.clock)

    def picture(self) -> "Reboots":
        """The past, once the camera has given a lasting picture. When the last restart was is kept."""
        return Reboots(seen=True, boot=self.boot, wall_ms=self.wall_ms, clock=self.clock)


@dataclass(frozen=True, slots=True)
class Position:
    """Where on the ladder a camera is."""

    step: Step | None       # the one taken last; None: on the ground
    n: int                  # how many of them were taken
    spent: bool             # there is no further one


@dataclass(frozen=True, slots=True)
class Ladder:
    """The steps that are open to one camera now."""

    steps: tuple[Step, ...]

    @classmethod
    def of(cls, fault: str | None, allowed: Allowed, past: Reboots, now: Moment) -> "Ladder":
        """The steps for a camera with this fault (a condition's code; None when it only gives nothing)."""
        steps = [Step.PROCESS, Step.PROCESS]
        if fault not in NO_CURE:
            steps += [Step.DRIVER] * allowed.driver
            steps += [Step.REBOOT] * (allowed.reboot and past.may_again(now))
        return cls(tuple(steps))

    def due(self, taken_n: int) -> Step | None:
        """The step after these; None when there is no further one.

        A restart of the machine that is allowed again is caught up on: a process that lives has not had it.
        """
        return None if self._spent(taken_n) else self.steps[min(taken_n, len(self.steps) - 1)]

    def next(self, taken_n: int, silent_s: float, stuck: bool) -> Step | None:
        """The step to take now, in a process that has been without a picture for `silent_s`.

        With `stuck` no other attempt of this process can succeed, so waiting for one is no use.
        """
        step = self.due(taken_n)
        if step is None:
            return Step.PROCESS if silent_s >= HOPELESS_PATIENCE_S else None
        return step if stuck or silent_s >= PATIENCE_S[min(taken_n, len(PATIENCE_S) - 1)] else None

    def position(self, taken_n: int, past: Reboots) -> Position:
        """Where we are after what was done so far."""
        if taken_n == 0:
            return Position(Step.REBOOT if past.in_a_row_n else None, past.in_a_row_n, spent=False)
        return Position(self.steps[min(taken_n, len(self.steps)) - 1], taken_n, self._spent(taken_n))

    def _spent(self, taken_n: int) -> bool:
        return taken_n >= len(self.steps) and self.steps[-1] is not Step.REBOOT


class Held(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """How far up the ladder this boot has come: what one process leaves to the next."""

    boot: str = ""
    taken_n: int = 0                    # steps since the last lasting picture
    open_ms: int | None = None          # when the process began that has it; None once it ended in order

    def begin(self, ladder: Ladder, now: Moment) -> tuple["Held", Step | None]:
        """Another process begins. Returns what it holds, and a step that is overdue: it is taken before all else.

        A process that hung, and was killed before it could take its step, has all the same brought about a new one. But
        nobody has asked for the driver or the reboot that were due.
        """
        if self.boot != now.boot:
            return Held(boot=now.boot, open_ms=now.mono_ms), None
        died = self.open_ms is not None and now.mono_ms - self.open_ms >= HUNG_MS
        due = ladder.due(self.taken_n)
        overdue = due if died and due in (Step.DRIVER, Step.REBOOT) else None
        taken_n = self.taken_n + (died and overdue is None)
        return Held(boot=now.boot, taken_n=taken_n, open_ms=now.mono_ms), overdue

    def step(self) -> "Held":
        """A step was taken, and the process ends."""
        return Held(boot=self.boot, taken_n=self.taken_n + 1)

    def well(self) -> "Held":
        """The camera has a lasting picture."""
        return Held(boot=self.boot, open_ms=self.open_ms)

    def stopped(self) -> "Held":
        """The process was told to stop, which is nobody's fault."""
        return Held(boot=self.boot, taken_n=self.taken_n)
