"""Makes requests of what the ward wants: the household's rule decides them, or they wait for the household."""
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from agent.config.derived import sharing_rules
from agent.config.settings import Settings
from agent.core.contract.wire.commands import LONGEST_MS, ClipCancel, ClipExport, Snapshot
from agent.host.clock import Instant
from agent.link.requests.tus import usable
from agent.link.verdict import CommandRefused, Outcome
from agent.store import requests
from agent.store.requests import RequestError, WardRequest

HOUR_MS = 3_600_000
AHEAD_MS = 60_000               # that the ward's clock may be ahead of ours


@dataclass(frozen=True, slots=True)
class RequestPolicy:
    """`changed` is called when a request is new or has ended."""

    settings: Settings
    changed: Callable[[], None]

    def request(self, order_id: str, wish: Snapshot | ClipExport) -> Outcome:
        """The ward wants pictures; it is answered by what becomes of the request, at once or later."""
        return Outcome(write=lambda db, now: self._open(db, now, order_id, wish), then=self.changed)

    def cancel(self, wish: ClipCancel) -> Outcome:
        """The ward does not want a request any more."""
        return Outcome(write=lambda db, now: _cancel(db, now, wish.request), then=self.changed)

    def _open(self, db: sqlite3.Connection, now: Instant, order_id: str, wish: Snapshot | ClipExport) -> None:
        request = self._made(now, order_id, wish)
        rule = sharing_rules(self.settings.sharing).of(request.kind, request.purpose)
        if rule == "never":
            raise CommandRefused("no_consent")
        if requests.find(db, order_id):     # older than the answers that are kept
            return
        try:
            requests.add(db, request, now, approved=rule == "allow")
        except RequestError:
            raise CommandRefused("too_many") from None

    def _made(self, now: Instant, order_id: str, wish: Snapshot | ClipExport) -> WardRequest:
        if wish.cam not in {camera.name for camera in self.settings.camera}:
            raise CommandRefused("unknown_camera")
        if not usable(wish.upload):
            raise CommandRefused("bad_upload")
        begin_ms, end_ms = _span_ms(wish, now) if isinstance(wish, ClipExport) else (None, None)
        return WardRequest(id=order_id, kind="snapshot" if begin_ms is None else "clip", camera=wish.cam,
                       begin_ms=begin_ms, end_ms=end_ms, case_no=wish.case, purpose=wish.purpose,
                       officer=wish.officer, basis=wish.basis, upload=wish.upload, receipt_key=wish.receipt_key,
                       until_ms=now.wall_ms + round(self.settings.sharing.ask_h * HOUR_MS))


def _span_ms(wish: ClipExport, now: Instant) -> tuple[int, int]:
    begin_ms, end_ms = (round(moment.timestamp() * 1000) for moment in (wish.begin, wish.end))
    if begin_ms >= end_ms:
        raise CommandRefused("no_range")
    if end_ms - begin_ms > LONGEST_MS:
        raise CommandRefused("too_long")
    if end_ms > now.wall_ms + AHEAD_MS:
        raise CommandRefused("in_future")
    return begin_ms, end_ms


def _cancel(db: sqlite3.Connection, now: Instant, request_id: str) -> None:
    if requests.find(db, request_id) is None:
        raise CommandRefused("no_such_request")
    try:
        requests.decide_within(db, request_id, "cancelled", "ward", now)
    except RequestError:
        raise CommandRefused("too_late") from None
