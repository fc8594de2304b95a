"""The heartbeat of a role: facts for other roles, and systemd's watchdog, both only while the role makes progress."""
import contextlib
import logging
import os
import resource
from collections.abc import Sequence
from pathlib import Path

import msgspec

from agent.core.contract.facts import Beat, CameraFacts, LinkFacts, UnitOwnFacts
from agent.host.clock import Clock
from agent.host.datagram import Outlet
from agent.host.files import write_whole
from agent.host.prctl import MemoryUpkeep
from agent.host.runtime import inbox, own
from agent.host.stop import Stop
from agent.host.systemd import notify
from agent.process import orders
from agent.process.orders import LogLevel
from agent.store.card_fault import OWN

EVERY_S = 5.0
CAMERAS_EVERY_S = 2.0       # of a unit with cameras: people see by it whether they record
AGAIN_S = 0.5               # if a listener's inbox was full: a flooded one has room now and then
LISTENERS = ("link", "web", "run", "update", "enrol")     # those that run
WOKEN = "TAIMAT_WOKEN"       # in the environment of a process that slept as another program: no new start
PATIENCE = "WATCHDOG_USEC"  # in the environment of a unit with a watchdog: sd_watchdog_enabled(3)
PAGE_B = resource.getpagesize()
STATM, STATM_B = "/proc/self/statm", 256        # read at once: a text file needs three times the calls

_log = logging.getLogger(__name__)


def count_start(runtime: Path, role: str, unit: str) -> int:
    """Returns how often this unit has started since boot, including this start, by a count in memory."""
    new_n = 0 if os.environ.pop(WOKEN, None) else 1
    with contextlib.suppress(OSError, ValueError):
        path = own(runtime, role) / f"{unit}.starts"
        count = int(path.read_text()) + new_n if path.exists() else 1
        write_whole(path, str(count).encode())
        return count
    return 1


class Heartbeat:
    """Beats when its owner's main loop calls it; if the owner hangs, the beats stop, and the watchdog ends the process.

    The first beat sends READY=1: until then, a slow card or a long recovery counts as starting.
    """

    def __init__(self, role: str, unit: str, runtime: Path, clock: Clock, stop: Stop | None = None) -> None:
        """`stop` is set when another role asks this unit to restart."""
        self._role, self._unit, self._runtime, self._clock, self._stop = role, unit, runtime, clock, stop
        self._outlet, self._log_level = Outlet(runtime), LogLevel(runtime)
        self._every_s = CAMERAS_EVERY_S if role == "capture" else EVERY_S
        self._born_mono_s, self._born = clock.mono_s(), clock.now()
        self._due_mono_s, self._upkeep = self._born_mono_s, MemoryUpkeep(self._born_mono_s)
        self._starts_n = count_start(runtime, role, unit)
        self._ready, self._status = False, None

    def due(self) -> bool:
        """Whether `beat` would send now, so that the owner only gathers its facts then."""
        return self.wait_s() <= 0

    def wait_s(self) -> float:
        """Returns the seconds until `beat` sends again; 0 if it is time."""
        return max(0.0, self._due_mono_s - self._clock.mono_s())

    def beat(self, cameras: Sequence[CameraFacts] = (), facts: UnitOwnFacts | None = None) -> None:
        """Sends one heartbeat if it is time; the owner's main loop calls it often."""
        now_mono_s = self._clock.mono_s()
        if now_mono_s < self._due_mono_s:
            return
        self._due_mono_s = now_mono_s + self._every_s
        self._outlet.send(Beat(
            role=self._role, unit=self._unit, pid=os.getpid(), mono_s=now_mono_s, up_s=now_mono_s - self._born_mono_s,
            rss_b=_rss_b(), cpu_s=sum(os.times()[:2]), starts_n=self._starts_n,
            cameras=list(cameras), facts=facts), *LISTENERS)
        if self._outlet.met_full:
            self._due_mono_s = now_mono_s + AGAIN_S
        usual = [f"{PATIENCE}={os.environ[PATIENCE]}"] if PATIENCE in os.environ else []    # the porter asked for more
        status = f"STATUS={_standing(cameras, facts)}"
        news = () if status == self._status else (status,)
        notify(*(() if self._ready else ("READY=1", *usual)), *news, "WATCHDOG=1")
        self._ready, self._status = True, status
        self._log_level.apply()
        self._upkeep.turn(now_mono_s)
        if self._stop and orders.is_restart_asked(self._runtime, self._unit, self._born, int(now_mono_s * 1000)):
            _log.warning("asked to restart: ending")
            self._stop.set()
        if self._stop and OWN in (getattr(facts, "card_fault", None), *(camera.write_fault for camera in cameras)):
            _log.error("out of open files or of memory, which is no fault of the card: restarting")
            self._stop.set()

    def handed_on(self, facts: UnitOwnFacts) -> tuple[str, str, list[str]]:
        """Returns what another program needs to go on beating for this unit: when the unit began, by the boot-time
        clock; a heartbeat in JSON without its times; the sockets to which it goes."""
        beat = msgspec.to_builtins(Beat(role=self._role, unit=self._unit, pid=os.getpid(), mono_s=0, up_s=0,
                                        starts_n=self._starts_n, facts=facts))
        untimed = {key: value for key, value in beat.items() if key not in ("mono_s", "up_s")}
        return (str(self._born_mono_s), msgspec.json.encode(untimed).decode(),
                [str(inbox(self._runtime, role)) for role in LISTENERS])


def _standing(cameras: Sequence[CameraFacts], facts: UnitOwnFacts | None) -> str:
    """Returns a line for `systemctl status`: what the unit's cameras and its broker do, and what is wrong."""
    said = [f"{camera.camera} {camera.fault or camera.state}" for camera in cameras]
    if isinstance(facts, LinkFacts) and facts.broker:
        said.append(f"broker {facts.broker}, {facts.outbox_n or 0} messages wait")
    if facts and facts.config_fault:
        said.append("the last good configuration is in use")
    if facts and facts.card_fault:
        said.append(facts.card_fault)
    return "; ".join(said)


def _rss_b() -> int | None:
    with contextlib.suppress(OSError, IndexError, ValueError), open(STATM, "rb", buffering=0) as file:
        return int(file.read(STATM_B).split()[1]) * PAGE_B
    return None
