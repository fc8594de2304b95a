"""The home sink's thread."""
import logging
from typing import Literal

from agent.core.contract.facts import Message
from agent.core.health.report import Report
from agent.home.broker import HomeContext, remove
from agent.link.home.mailbox import Mailbox
from agent.link.home.sink import HomeSink
from agent.link.side_thread import SideThread
from agent.link.store_thread import StoreThread
from agent.store import home
from agent.store.link_questions import show_home

MOVED_S = 30.0              # for a broker that is not ours any more
PATIENT_S = 7 * 86_400.0    # for one that is switched off just now

_log = logging.getLogger(__name__)


class HomeThread(SideThread):
    """Shows the device to the household's Home Assistant; or, once that is switched off, takes it away again."""

    def __init__(self, home: HomeContext) -> None:
        super().__init__("home")
        self._home, self._mailbox = home, Mailbox()
        self._reported: Report | None = None
        self._sink: HomeSink | None = None

    def hear(self, piece: Message) -> None:
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

    def _wake(self) -> None:
        self._mailbox.ring()

    def _work(self) -> None:
        store = StoreThread(self._home.folders.root, self._home.runtime)
        try:
            before, now = store.wait_for(home.shown, None), None
            if self._home.home.enabled:
                now = self._home.shown
            if before and (now is None or now.where != before.where):
                self._clear(before, MOVED_S if now else PATIENT_S)
            if not self._over.is_set():
                store.wait_for(show_home(now), None)
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
