"""Security events: each code is told once and then counted, for a storm must not fill the outbox."""
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from msgspec import Struct

from agent.core.contract import wire
from agent.host.clock import Clock
from agent.link.store_thread import StoreThread
from agent.store.link_questions import tell_ward


class EventWriter:
    """Has the keeper write; `written` is called when it has."""

    def __init__(self, store: StoreThread, written: Callable[[], None]) -> None:
        self._store, self._written = store, written

    def write(self, kind: Literal["security", "health_hist"], data: Struct) -> None:
        """Have an event written, dated now."""
        self._store.ask(tell_ward(kind, wire.encode(data).decode()), lambda _: self._written())


EVERY_S = 600.0         # the same code again after this long, with its count

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class CodeCount:
    """One code since its last event."""

    told_mono_s: float
    n: int = 0
    detail: str | None = None


class Audit:
    """Writes security events into the outbox. Codes are constants of this program, so their number is bounded."""

    def __init__(self, writer: EventWriter, clock: Clock) -> None:
        self._writer, self._clock = writer, clock
        self._tallies: dict[str, CodeCount] = {}
        self.seen_n = 0

    def note(self, code: str, detail: str | None = None, seq: int | None = None) -> None:
        """Tell or count an event with this code; `seq` is the message that it is about."""
        self.seen_n += 1
        tally = self._tallies.get(code)
        if tally is None:
            self._tallies[code] = CodeCount(self._clock.mono_s())
            self._tell(wire.SecurityData(code=code, detail=detail, seq=seq))
        else:
            tally.n, tally.detail = tally.n + 1, detail

    def turn(self) -> None:
        """Tell what was only counted, when it is time."""
        now_mono_s = self._clock.mono_s()
        for code, tally in list(self._tallies.items()):
            if now_mono_s - tally.told_mono_s < EVERY_S:
                continue
            del self._tallies[code]
            if tally.n:
                self._tallies[code] = CodeCount(now_mono_s)
                self._tell(wire.SecurityData(code=code, n=tally.n, detail=tally.detail))

    def _tell(self, data: wire.SecurityData) -> None:
        _log.warning("security: %s%s (%d)", data.code, f": {data.detail}" if data.detail else "", data.n)
        self._writer.write("security", data)
