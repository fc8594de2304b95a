"""A month of a machine's health in a store, as the keeper would have noted it: warm days, a card that fills, gaps."""
import contextlib
import math
import sqlite3

from agent.core.contract.facts import HealthSample
from agent.core.health.history import HOUR_N, SAMPLE_EVERY_MS
from agent.host.clock import Instant
from agent.store import absences, health_history
from agent.store.database import connect, transaction
from agent.store.folders import Folders

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
BOOT_DAYS = 10              # the machine was started anew so often
OFF_HOURS = range(50, 56)   # the recorder was off, counted back from now
NO_NETWORK = range(5, 8)    # likewise
CLOCK_UNSURE = range(12, 14)


def sample(hours_ago: float, mono_ms: int, sensors: bool = True) -> HealthSample:
    """What the keeper would have seen then. `sensors`: the machine tells its temperature and what it writes."""
    filled_mb = max(6_500, 60_000 - int((30 * 24 - hours_ago) * 120))
    return HealthSample(
        mono_ms, "saved" if int(hours_ago) in CLOCK_UNSURE else "ntp",
        round(52 + 8 * math.sin(hours_ago / 24 * 2 * math.pi), 1) if sensors else None, 64_000, filled_mb,
        mono_ms // 4_000 if sensors else None, int(hours_ago) not in NO_NETWORK, None)


def live_through(folders: Folders, now: Instant, days_n: int = 30, sensors: bool = True,
                 camera: str = "gate") -> None:
    """Write it all down, up to an hour ago, and a camera that sent no picture for a while each day."""
    with contextlib.closing(connect(folders.root)) as db, transaction(db):
        for hours_ago in range(24 * days_n, 0, -1):
            if hours_ago not in OFF_HOURS:
                _an_hour(db, now, hours_ago, sensors)
        for days_ago in range(days_n, 0, -1):
            absences.note_camera(db, camera, 600 + 60 * days_ago, True, _then(now, days_ago * DAY_MS - 2 * HOUR_MS))


def _an_hour(db: sqlite3.Connection, now: Instant, hours_ago: int, sensors: bool) -> None:
    first = _then(now, hours_ago * HOUR_MS)
    health_history.add(db, [sample(hours_ago - n / HOUR_N, first.mono_ms + n * SAMPLE_EVERY_MS, sensors)
                            for n in range(HOUR_N)], first)


def _then(now: Instant, ago_ms: int) -> Instant:
    """That moment, in a boot of its own for every BOOT_DAYS."""
    boot_n, into_ms = divmod(30 * DAY_MS - ago_ms, BOOT_DAYS * DAY_MS)
    return Instant(f"0b{boot_n:06}", into_ms, now.wall_ms - ago_ms, now.clock)
