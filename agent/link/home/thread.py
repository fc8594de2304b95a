"""The home sink's thread: whatever goes wrong at home, the ward's link goes on."""
import logging
import threading
from typing import Literal

from agent.core.contract.facts import Beat, Poke
from agent.core.health.report import Report
from agent.home.context import HomeContext
from agent.home.removal import remove
from agent.link.home.mailbox import Mailbox
from agent.link.home.sink import HomeSink
from agent.link.store_thread import StoreThread
from agent.store import home
from agent.store.database import StoreError

AGAIN_S = 60.0
MOVED_S = 30.0              # for a broker that is not ours any more
PATIENT_S = 7 * 86_400.0    # for one that is switched off just now
ENDING_S = 2.0

_log = logging.getLogger(__name__)


class HomeThread(threading.Thread):
    """Shows the device to the household's Home Assistant; or, once that is switched off, takes it away again."""

    def __init__(self, home: HomeContext) -> None:
        super().__init__(name="home", daemon=True)
        self._home, self._mailbox, self._over = home, Mailbox(), threading.Event()
        self._reported: Report | None = None
        self._sink: HomeSink | None = None

    def hear(self, piece: Beat | Poke) -> None:
        """Pass on a message of another role."""
        self._mailbox.put(piece)

    def report(self, report: Report | None) -> None:
        """Pass on the newest report if it is another one."""
        if report is not None and report is not self._reported:
            self._reported = report
            self._mailbox.put(report)

    def state(self) -> tuple[Literal["off", "connected", "unreachable"], str | None]:
        """For the heartbeat: whether the household's broker is reached, and why not."""
        sink = self._sink
        if sink is None:
            return "off", None
        return "unreachable" if sink.fault else "connected", sink.fault

    def end(self) -> None:
        """Tell the thread to end."""
        self._over.set()
        self._mailbox.ring()

    def leave(self) -> None:
        """Wait until the thread has ended; a broker that hangs is not waited for."""
        self.end()
        self.join(ENDING_S)

    def run(self) -> None:
        """Work until told to end. A fault of ours must not end the role that carries the ward's events."""
        while not self._over.is_set():
            try:
                return self._work()
            except StoreError as error:
                _log.error("%s", error)
            except Exception:
                _log.exception("the home sink failed; it starts anew in %.0f s", AGAIN_S)
            self._over.wait(AGAIN_S)
        return None

    def _work(self) -> None:
        store = StoreThread(self._home.folders.root)
        try:
            before, now = store.wait_for(home.shown, None), None
            if self._home.home.enabled:
                now = self._home.shown
            if before and (now is None or now.where != before.where):
                self._clear(before, MOVED_S if now else PATIENT_S)
            if not self._over.is_set():
                store.wait_for(lambda db: home.remember(db, now), None)
                if now:
                    self._sink = HomeSink(self._home, store, self._mailbox, before)
                    self._sink.run(self._over)
        finally:
            store.close()

    def _clear(self, before: home.RetainedTopics, within_s: float) -> None:
        fault = remove(self._home, before, self._over, within_s, f"taimat-{self._home.own_id}")
        if fault is None:
            _log.info("removed from Home Assistant at %s:%d", *before.where)
        elif not self._over.is_set():
            _log.warning("still shown by Home Assistant at %s:%d (%s): delete the device there", *before.where, fault)
