"""`taimat rescue card`: root watches the store's file system, and restarts the machine if it has given up.

After a failed write to its journal, ext4 refuses everything until it is mounted again. Kernel 6.12 then starts no
program from it either, so this process waits in memory and imports nothing later. agent/core/card_ladder.py decides
how many restarts are left. No role asks for one, because on such a card no role may start.
"""
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from agent.host import rescue
from agent.host.clock import Clock, Instant, SystemClock
from agent.host.probes.volume import Abort
from agent.host.raw_card import RawCard
from agent.store import restarts

LOOK_EVERY_S = 5.0
RENEW_MS = 3_600_000            # at most so much of a boot's running time is lost if the power fails
RB_AUTOBOOT = 0x01234567        # linux/reboot.h


class CardRescue:
    def __init__(self, store: Path, clock: Clock, restart: Callable[[], None], places: list[Path] | None = None,
                 root: Path = Path("/")) -> None:
        self.store, self.clock, self.restart, self.root = store, clock, restart, root
        self.places = restarts.places() if places is None else places
        self._budget, self._abort = restarts.load_budget(self.places), Abort(store, root)
        self._card = RawCard.below(store, root)
        self._renewed_ms: int | None = None
        self._since_ms: int | None = None       # when it gave up

    def look(self) -> None:
        """Keeps the budget while the card works; else restarts in time, or shows that no restart is left."""
        now = self.clock.now()
        if not self._abort.seen():
            self._since_ms = None
            if self._renewed_ms is None or now.mono_ms - self._renewed_ms >= RENEW_MS:
                self._renewed_ms = now.mono_ms
                self._budget = restarts.renew_budget(self.places, self._budget, now)
            (self.root / rescue.GIVEN_UP).unlink(missing_ok=True)
            return
        self._since_ms = now.mono_ms if self._since_ms is None else self._since_ms
        if self._budget.at(now).is_spent:
            self._give_up("it may have restarted for that three times within a day of running")
        elif now.mono_ms - self._since_ms >= self._budget.patience_ms(self._card.takes_writes()):
            self._since_ms = None
            self._spend(now)

    def end(self) -> None:
        """Notes an orderly end, so the next boot knows that this one did not crash."""
        restarts.write_budget(self.places[0], self._budget.ended(self.clock.now()))

    def _spend(self, now: Instant) -> None:
        spent = self._budget.restarted(now)
        noted = [str(place) for place in self.places if restarts.write_budget(place, spent)]
        if noted or self._budget.at(now).ahead:
            self._budget = spent
            print(f"the file system of {self.store} has given up: the machine restarts, "
                  f"noted in {', '.join(noted) or 'advance only'}", flush=True)
            self.restart()
        else:
            self._give_up("no place keeps a note of it, so it might restart all day")

    def _give_up(self, why: str) -> None:
        mark = self.root / rescue.GIVEN_UP
        if not mark.exists():
            print(f"the file system of {self.store} has given up, and the machine does not restart: {why}", flush=True)
            mark.touch()


def restart_machine(command: str = "systemctl") -> None:
    """Restarts in order, or at once if even systemctl cannot start."""
    try:
        _, status = os.waitpid(os.posix_spawnp(command, [command, "reboot"], os.environ), 0)
        problem = f"it ended with {status}" if status else ""
    except OSError as error:
        problem = str(error.strerror)
    if problem:
        print(f"no orderly restart: {command}: {problem}", flush=True)
        ctypes.CDLL(None).reboot(RB_AUTOBOOT)


def main() -> None:
    """Watches the file system of the named folder until SIGTERM."""
    watch = CardRescue(Path(sys.argv[1]), SystemClock(), restart_machine)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        while True:
            watch.look()
            time.sleep(LOOK_EVERY_S)
    finally:
        watch.end()


if __name__ == "__main__":
    main()
