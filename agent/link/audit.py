"""Security events: each code is sent once and then only counted, so that a storm cannot fill the outbox."""
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from msgspec import Struct

from agent.core.contract import wire
from agent.host.clock import Clock
from agent.link.store_thread import StoreThread
from agent.store.link_questions import tell_ward

EVERY_S = 600.0         # a code that came again is sent with its count after this long

_log = logging.getLogger(__name__)


class EventWriter:
    """Asks the keeper to write events, dated now; `written` is called when it has."""

    def __init__(self, store: StoreThread, written: Callable[[], None]) -> None:
        self._store, self.written = store, written

    def write(self, kind: Literal["security", "health_hist"], data: Struct) -> None:
        self._store.ask(tell_ward(kind, wire.encode(data).decode()), lambda _: self.written())


@dataclass(slots=True)
class CodeCount:
    """How often one code has come since its last event."""

    sent_mono_s: float
    n: int = 0
    detail: str | None = None


class Audit:
    """Writes security events into the outbox. Codes are constants of this program, so their number is bounded."""

    def __init__(self, writer: EventWriter, clock: Clock) -> None:
        self.writer, self._clock = writer, clock
        self._counts: dict[str, CodeCount] = {}
        self.seen_n = 0

    def note(self, code: str, detail: str | None = None, seq: int | None = None) -> None:
        """Sends or counts an event with this code; `seq` is the message that it is about."""
        self.seen_n += 1
        count = self._counts.get(code)
        if count is None:
            self._counts[code] = CodeCount(self._clock.mono_s())
            self._send(wire.SecurityData(code=code, detail=detail, seq=seq))
        else:
            count.n, count.detail = count.n + 1, detail

    def turn(self) -> None:
        now_mono_s = self._clock.mono_s()
        for code, count in list(self._counts.items()):
            if now_mono_s - count.sent_mono_s < EVERY_S:
                continue
            del self._counts[code]
            if count.n:
                self._counts[code] = CodeCount(now_mono_s)
                self._send(wire.SecurityData(code=code, n=count.n, detail=count.detail))

    def _send(self, data: wire.SecurityData) -> None:
        _log.warning("security: %s%s (%d)", data.code, f": {data.detail}" if data.detail else "", data.n)
        self.writer.write("security", data)
