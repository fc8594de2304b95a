"""A recorder as a household has it: the whole machine on a card; it is started again when it asks for it."""
import contextlib
import sqlite3
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from agent.store.database import FILE
from tests.rigs.cameras import footage
from tests.rigs.powercut.cable import Cable
from tests.rigs.powercut.disk import Disk, mend
from tests.rigs.powercut.witness import Promises, Witness
from tests.rigs.wait import HANG_S, until
from tests.systemd.machine import BOOTED, RESTARTS, Machine, NoMachine

FILM = "/srv/film.mp4"              # what the cameras show lies off the card
STORE = "var/lib/taimat"
CAMERAS = ("gate", "yard")
YOUNG_S, OLD_S = 8.0, 90_000.0      # for how long a machine has been up when it boots, and when it is a day old
BOOTS_MAX_N = 20
# That a time server has answered: nothing in a container may set the clock.
SYNCHRONIZED = "/run/systemd/timesync/synchronized"


class NeedsPerson(Exception):
    """It does not come back by itself; the text says how far it came."""


@dataclass(slots=True)
class Recorder:
    """A context manager: off after it. `boots` has what e2fsck said before each boot, with its exit code.

    What it promises while it is on is noted in `promises`.
    """

    disk: Disk
    folder: Path
    cable: Cable | None = None
    promises: Promises | None = None
    film: Path = field(default_factory=lambda: footage.clip(640, 360, 10, 10, 500))
    boots: list[tuple[int, str]] = field(default_factory=list)
    later_ms: float = 0.0           # this computer's boot-time clock minus the machine's
    _machine: Machine | None = None
    _witness: Witness | None = None

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(self, *_: object) -> None:
        if self._machine:
            self.cut()

    @property
    def machine(self) -> Machine:
        """While it is on."""
        assert self._machine, "it is off"
        return self._machine

    @property
    def is_on(self) -> bool:
        """Whether it has power."""
        return self._machine is not None

    @property
    def store(self) -> Path:
        """Where its recordings are, as this computer sees them while it is on."""
        return self.disk.mount / STORE

    def switch_on(self, up_s: float = YOUNG_S) -> None:
        """Check the card as a boot does, and boot; the machine's clocks say that it has been up for `up_s`.

        Raises NeedsPerson.
        """
        code, said = mend(self.disk.device)
        self.boots.append((code, said))
        if code > 1:
            raise NeedsPerson(f"e2fsck -p: exit {code}: {said}")
        if len(self.boots) > BOOTS_MAX_N:
            raise NeedsPerson(f"{BOOTS_MAX_N} boots in a row")
        try:
            self.disk.plug_in()
        except subprocess.CalledProcessError as error:
            raise NeedsPerson(error.stderr) from None
        self._machine = machine = Machine(self.folder, self.disk.mount)
        shift_s = {name: int(up_s - time.clock_gettime(clock)) for name, clock in
                   (("boottime", time.CLOCK_BOOTTIME), ("monotonic", time.CLOCK_MONOTONIC))}
        self.later_ms = -1000 * shift_s["boottime"]
        machine.before = ("unshare", "--time", *(f"--{name}={seconds}" for name, seconds in shift_s.items()))
        machine.options = (f"--bind-ro={self.film}:{FILM}", "--bind-ro=/sys/fs/ext4", f"--bind={self.disk.device}")
        try:
            machine.boot(enough=("starting", *BOOTED))
        except (NoMachine, AssertionError) as error:
            self._gone()
            raise NeedsPerson(f"it does not boot: {error}") from None
        if self.cable:
            self.cable.plug_in(machine)
        machine.run("install", "-D", "/dev/null", SYNCHRONIZED, check=False)
        if self.promises:
            self._witness = Witness(self.disk, self.store, self.promises, self.later_ms)
            self._witness.__enter__()

    def switch_off(self) -> None:
        """In order."""
        self.machine.__exit__()
        self._gone()

    def cut(self) -> int:
        """Take its power away; returns how long the disk's log was just before."""
        log_b = self.disk.log_b()
        with contextlib.suppress(OSError, ValueError):      # it was going down itself
            self.machine.cut_power()
        self._gone()
        return log_b

    def _gone(self) -> None:
        if self._witness:
            self._witness.__exit__()        # it has the database open
        self._machine = self._witness = None
        self.disk.take_out()

    def tend(self) -> None:
        """Start it again if it has gone down to be started. Raises NeedsPerson."""
        code = self.machine.ended
        if code is not None:
            self._gone()
            if code != RESTARTS:
                raise NeedsPerson(f"it has gone down for good: {code}")
            self.switch_on()

    def until(self, condition: Callable[[], Any], what: str, limit_s: float = HANG_S) -> float:
        """Wait for it, and tend the machine meanwhile; returns the seconds. Raises NeedsPerson."""
        def look() -> bool:
            self.tend()
            return bool(condition())
        began_s = time.monotonic()
        try:
            until(look, what, limit_s)
        except AssertionError as error:
            raise NeedsPerson(str(error)) from None
        return time.monotonic() - began_s

    def until_recording(self, limit_s: float = HANG_S, cameras: tuple[str, ...] = CAMERAS) -> float:
        """Wait until pictures of all cameras come to clips, from now on; returns the seconds. Raises NeedsPerson."""
        since_s = time.time()
        return self.until(lambda: self.is_recording(since_s, cameras), "all cameras record", limit_s)

    def is_recording(self, since_s: float, cameras: tuple[str, ...] = CAMERAS) -> bool:
        """Whether each camera has an open clip that has grown since then."""
        return all(any(_grew(part, since_s) for part in self.store.glob(f"clips/*/{camera}-*.mp4.part"))
                   for camera in cameras)

    def rows(self, query: str, *values: object, database: str = FILE) -> list[sqlite3.Row]:
        """What a database says, read by this computer; nothing where it can't be read now."""
        try:
            with contextlib.closing(reading(self.store / database)) as db:
                return db.execute(query, values).fetchall()
        except (sqlite3.Error, OSError):
            return []

    def says(self, *command: str, limit_s: float = HANG_S) -> str | None:
        """What a command in the machine says; None where it fails, or takes too long."""
        try:
            return self.machine.run(*command, limit_s=limit_s)
        except (AssertionError, OSError, subprocess.TimeoutExpired):
            return None

    def finished(self) -> list[sqlite3.Row]:
        """Rows of finished clips, oldest first."""
        return self.rows("SELECT * FROM clip WHERE state IN ('done', 'recovered') ORDER BY seq")

    def events(self) -> list[sqlite3.Row]:
        """Rows of events that are over, oldest first."""
        return self.rows("SELECT * FROM event WHERE state = 'done' ORDER BY id")


def reading(path: Path) -> sqlite3.Connection:
    """A database, to be looked at alone. Raises OSError and sqlite3.Error."""
    path.stat()
    db = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, isolation_level=None, timeout=HANG_S)
    db.row_factory = sqlite3.Row
    return db


def _grew(part: Path, since_s: float) -> bool:
    try:
        status = part.stat()
    except OSError:
        return False
    return status.st_size > 0 and status.st_mtime > since_s
