"""Takes the configuration that the ward wants: checked, kept, put into effect, and reported, all without a restart.

It is retained, so it comes again with each connection. The same one is answered from memory; an older one, which
somebody may have kept for this, is refused. What the broker has no more goes on to hold.
"""
import functools
import hashlib
import logging
import sqlite3
from collections.abc import Callable
from typing import NamedTuple

from agent.core.contract import wire
from agent.core.evidence.ledger import Configured
from agent.core.household.ward_settings import BadSetting, Weighed, demand
from agent.host.clock import Clock, Instant
from agent.link.audit import Audit
from agent.link.settings_in_force import SettingsInForce
from agent.link.store_thread import StoreThread
from agent.link.verifier import BUSY, UNCHECKED, Verifier
from agent.mqtt.connection import Outgoing
from agent.store import ledger, outbox
from agent.store import ward_settings as wardconfig
from agent.store.database import transaction
from agent.store.ward_settings import Given

DOCUMENTS_A_MINUTE = 30
WHAT = "cfg/desired"
PASSING = (UNCHECKED, BUSY, "store")        # the same document may fare better the next time
SUSPICIOUS = ("unsigned", "other_device", "unknown_key", "bad_signature", "old_version")    # security events, too

_log = logging.getLogger(__name__)


class Refusal(NamedTuple):
    """Why a document is not taken."""

    code: str
    key: str | None = None      # what it is about


class Configuration:
    """Works on the loop's thread; the store's thread reads and writes."""

    def __init__(self, topics: wire.Topics, clock: Clock, audit: Audit, store: StoreThread, verifier: Verifier,
                 in_effect: SettingsInForce, written: Callable[[], None]) -> None:
        """`written` is called when an event may have been written."""
        self._topics, self._clock, self._audit, self._written = topics, clock, audit, written
        self._store, self._verifier, self._in_effect = store, verifier, in_effect
        self._refused: tuple[str, wire.Reported] | None = None      # the last document, by its digest, and the answer
        self._ready: wire.Reported | None = None
        self._minute_mono_s, self._minute_n = float("-inf"), 0

    def take(self, payload: bytes) -> None:
        """A document has come, or the broker's word that there is none any more. Raises BadPayload."""
        digest = hashlib.sha256(payload).hexdigest()
        if not payload:
            return
        if self._in_effect.ver is not None and digest == self._in_effect.given.digest:
            self._ready = self._applied()
        elif self._refused and digest == self._refused[0]:
            self._ready = self._refused[1]
        elif self._too_many():
            self._audit.note("config_storm")
        else:
            self._look_into(payload, digest)

    def up(self) -> None:
        """A connection has come up: say what holds, for the broker may have forgotten, or the household's file changed.
        """
        if self._in_effect.ver is not None:
            self._ready = self._applied()

    def due(self) -> list[Outgoing]:
        """What is to be reported now."""
        report, self._ready = self._ready, None
        return [Outgoing(self._topics.cfg_reported, wire.encode(report), retain=True)] if report else []

    def _look_into(self, payload: bytes, digest: str) -> None:
        desired = wire.decode(wire.Desired, payload)
        given = Given(ver=desired.ver, cfg=desired.cfg, digest=digest)
        if refusal := self._judge(desired, given):
            self._refuse(given, refusal)
        else:
            self._verifier.check(payload, functools.partial(self._checked, given))

    def _judge(self, desired: wire.Desired, given: Given) -> Refusal | None:
        """By all that can be said without its signature."""
        if not self._in_effect.listens:
            return Refusal("not_allowed")
        if desired.sig is None:
            return Refusal("unsigned")
        if desired.dev != self._topics.dev:
            return Refusal("other_device")
        if not given.overtakes(self._in_effect.given):
            return Refusal("old_version")
        try:
            demand(desired.cfg)
        except BadSetting as bad:
            return Refusal(bad.code, bad.key[:64])
        return None

    def _checked(self, given: Given, code: str | None) -> None:
        if code:
            self._refuse(given, Refusal(code))
            return
        job = functools.partial(_keep, given=given, outcome=self._in_effect.weighed(given.cfg), now=self._clock.now())
        if not self._store.ask(job, functools.partial(self._kept, given)):
            self._kept(given, None)

    def _kept(self, given: Given, taken: bool | None) -> None:
        """`taken` is whether it is on the card; None where the card failed."""
        if not taken:
            self._refuse(given, Refusal("store" if taken is None else "old_version"))
            return
        self._written()
        self._in_effect.take(given)
        _log.info("the ward has set %s; what holds: %s", given.cfg, self._in_effect.weighed().values)
        self._ready = self._applied()

    def _applied(self) -> wire.Reported:
        ver, holds = self._in_effect.given.ver, self._in_effect.weighed()
        return wire.Reported(v=wire.VERSION, ver=ver, st="applied", cfg_ver=ver, cfg=holds.values,
                             clamped=dict(holds.clamped) or None)

    def _refuse(self, given: Given, refusal: Refusal) -> None:
        if refusal.code in SUSPICIOUS:
            self._audit.note(refusal.code, WHAT)
        holds = self._in_effect.weighed().values if self._in_effect.listens else None
        self._ready = wire.Reported(v=wire.VERSION, ver=given.ver, st="refused", code=refusal.code, key=refusal.key,
                                    cfg_ver=self._in_effect.ver, cfg=holds)
        self._refused = None if refusal.code in PASSING else (given.digest, self._ready)

    def _too_many(self) -> bool:
        now_mono_s = self._clock.mono_s()
        if now_mono_s - self._minute_mono_s >= 60:
            self._minute_mono_s, self._minute_n = now_mono_s, 0
        self._minute_n += 1
        return self._minute_n > DOCUMENTS_A_MINUTE


def _keep(db: sqlite3.Connection, given: Given, outcome: Weighed, now: Instant) -> bool:
    """Keep it, with the event and the ledger's row about it; False where something newer is there by now."""
    with transaction(db):
        known = wardconfig.read(db)
        if not given.overtakes(known):
            return False
        wardconfig.put(db, given)
        if given.ver != known.ver:
            told = wire.ConfigData(ver=given.ver, cfg=given.cfg, clamped=dict(outcome.clamped))
            outbox.append(db, "config", None, now, wire.encode(told))
            ledger.note(db, now, Configured(ver=given.ver, cfg=given.cfg))
    return True
