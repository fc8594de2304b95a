"""Browsers: the paired ones, pairing by the device's code, and the count of wrong codes."""
import hashlib
import hmac
import logging
import secrets
import sqlite3

from agent.core.household import access
from agent.host.clock import Clock
from agent.store import browsers
from agent.store.browsers import pairing_code
from agent.store.database import transaction
from agent.web.store_pool import CardTrouble, StorePool

TRUSTED_S = 60.0            # then a token is looked up again: a browser that was un-paired is out within a minute
REMEMBERED_N = 200

_log = logging.getLogger(__name__)


class Browsers:
    """Decides about browsers in the network; those on the device itself need no pairing. Belongs to the event loop."""

    def __init__(self, pool: StorePool, clock: Clock) -> None:
        self._pool, self._clock = pool, clock
        self._lock = access.PairingLock()
        self._seen: dict[bytes, float] = {}         # digest of a token -> when the store last knew it
        self.failures_n = 0

    async def code(self) -> str:
        """The device's pairing code. Raises CardTrouble."""
        return await self._pool.ask(pairing_code)

    async def knows(self, token: str) -> bool:
        """Whether `token` is a paired browser's. A browser that was paired stays so while the card does not answer."""
        digest, now_mono_s = hashlib.sha256(token.encode()).digest(), self._clock.mono_s()
        seen_mono_s = self._seen.get(digest)
        if seen_mono_s is not None and now_mono_s - seen_mono_s < TRUSTED_S:
            return True
        try:
            known = await self._pool.ask(browsers.knows, token)
        except CardTrouble:
            return seen_mono_s is not None
        if known:
            self._remember(digest, now_mono_s)
        else:
            self._seen.pop(digest, None)
        return known

    async def pair(self, typed: str, browser: str) -> str | None:
        """A new browser's token, or None: wrong code, or locked after too many. Raises CardTrouble."""
        code = await self.code()
        right = hmac.compare_digest(access.tidy(typed).encode(), code.encode())
        was_locked = self._lock.locked(self._clock.mono_s())
        self._lock, admitted = self._lock.step(right, self._clock.mono_s())
        if not admitted:
            self._note_failure(was_locked)
            return None
        token = secrets.token_urlsafe(32)
        await self._pool.ask(_enter, token, browser, self._clock)
        _log.info("a browser was paired: %s", browser[:80])
        return token

    def _note_failure(self, was_locked: bool) -> None:
        self.failures_n += 1
        _log.warning("a wrong pairing code was tried (%d since the start)", self.failures_n)
        if self._lock.locked(self._clock.mono_s()) and not was_locked:
            _log.warning("pairing is locked for %d s after %d wrong codes", access.LOCKED_S, access.TRIES_N)

    def _remember(self, digest: bytes, now_mono_s: float) -> None:
        self._seen[digest] = now_mono_s
        if len(self._seen) > REMEMBERED_N:
            del self._seen[next(iter(self._seen))]


def _enter(db: sqlite3.Connection, token: str, browser: str, clock: Clock) -> None:
    with transaction(db):
        browsers.pair(db, token, browser, clock.now())
