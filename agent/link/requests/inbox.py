"""Writes down what the ward wants of pictures, as it has signed it: the keeper and the household decide on it."""
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from agent.config.settings import Settings
from agent.core.contract.wire.commands import ClipCancel
from agent.host.clock import Instant
from agent.link.verdict import CommandRefused, Outcome
from agent.store import requests, wishes
from agent.store.requests import RequestError

AHEAD_MS = 60_000               # that the ward's clock may be ahead of ours


@dataclass(frozen=True, slots=True)
class RequestInbox:
    """`changed` is called when a request is new or has ended."""

    settings: Settings
    changed: Callable[[], None]

    def request(self, command: bytes) -> Outcome:
        """The ward wants pictures; it is answered by what becomes of the request, at once or later."""
        return Outcome(write=lambda db, now: self._open(db, now, command), then=self.changed)

    def cancel(self, command: bytes, wish: ClipCancel) -> Outcome:
        """The ward does not want a request any more."""
        return Outcome(write=lambda db, _now: _cancel(db, wish.request, command), then=self.changed)

    def _open(self, db: sqlite3.Connection, now: Instant, command: bytes) -> None:
        try:
            request = wishes.request_of(command)
        except wishes.WishRefused as refusal:
            raise CommandRefused(str(refusal)) from None
        if request.camera not in {camera.name for camera in self.settings.camera}:
            raise CommandRefused("unknown_camera")
        if request.end_ms is not None and request.end_ms > now.wall_ms + AHEAD_MS:
            raise CommandRefused("in_future")
        if requests.find(db, request.id):       # older than the answers that are kept
            return
        try:
            requests.add(db, request, now)
        except RequestError:
            raise CommandRefused("too_many") from None


def _cancel(db: sqlite3.Connection, request_id: str, command: bytes) -> None:
    if requests.find(db, request_id) is None:
        raise CommandRefused("no_such_request")
    try:
        requests.cancel(db, request_id, command)
    except RequestError:
        raise CommandRefused("too_late") from None
