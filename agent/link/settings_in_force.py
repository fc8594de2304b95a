"""The ward's settings, as far as the household allows them: in force here at once, elsewhere within seconds.

The keeper reads it from the store when it plans what to delete.
"""
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from agent.config.settings import Settings
from agent.config.ward_settings import in_effect, listens, weighed
from agent.core.household.ward_settings import Weighed
from agent.link.presence import Presence
from agent.link.report import Reporter
from agent.process import orders
from agent.store.ward_settings import NOTHING, Given

_log = logging.getLogger(__name__)


class SettingsInForce:
    """The household's own settings are the limit of the ward's."""

    def __init__(self, settings: Settings, runtime: Path, reporter: Reporter, presence: Presence,
                 reborn: Callable[[], None]) -> None:
        """`reborn` has the next birth sent."""
        self._settings, self._runtime, self._reborn = settings, runtime, reborn
        self._reporter, self._presence = reporter, presence
        self.listens = listens(settings)        # whether the household lets the ward set anything
        self.given = NOTHING

    @property
    def ver(self) -> int | None:
        """The number of the configuration that holds; None while it is not the ward's."""
        return self.given.ver if self.listens and self.given != NOTHING else None

    def weighed(self, document: Mapping[str, Any] | None = None) -> Weighed:
        """The values that this document would set; without one, those in force."""
        return weighed(self._settings, self.given.cfg if document is None else document)

    def apply(self, given: Given) -> None:
        """Put this into force; it is on the card."""
        self.given = given
        now = in_effect(self._settings, given.cfg)
        self._reporter.report_each(now.ward.health_every_s)
        self._presence.configured(now, self.ver)
        self._reborn()
        try:
            orders.set_log_level(self._runtime, now.log.level if now.log != self._settings.log else None)
        except OSError as error:
            _log.warning("%s: %s: the log level that the ward has set does not reach the other processes",
                         self._runtime, error.strerror)
