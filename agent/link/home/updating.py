"""The update entity's button in Home Assistant: the same word as `taimat update approve`."""
import functools
import logging
from collections.abc import Callable

from agent.core.contract.facts import Poke
from agent.core.contract.home.discovery import INSTALL
from agent.home.context import HomeContext
from agent.host.datagram import Outlet
from agent.link.store_thread import StoreThread
from agent.mqtt.connection import Arrived
from agent.store import updates
from agent.store.updates import UpdateOrder

_log = logging.getLogger(__name__)


class Updating:
    """Carries the household's word to the store, by the store's thread; the link goes on from there."""

    def __init__(self, home: HomeContext, store: StoreThread, changed: Callable[[], None]) -> None:
        """`changed` is called when the word is on the card."""
        self._store, self._outlet, self._changed = store, Outlet(home.runtime), changed

    def take(self, message: Arrived) -> None:
        """Obey the button. A retained press is refused: it would approve whatever is ordered next."""
        if message.retained or message.payload != INSTALL.encode():
            _log.info("a press of the update button was refused: retained, or not %s", INSTALL)
            return
        self._store.ask(functools.partial(updates.decide, approve=True), self._decided)

    def _decided(self, order: UpdateOrder | None) -> None:
        if order:
            self._outlet.send(Poke(what="updates"), "link")
        self._changed()
