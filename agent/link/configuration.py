"""The configuration that the ward wants: checked, kept, put into effect, and reported, all without a restart.

It is retained, so it comes again with each connection. The same one is answered from memory; an older one, which
somebody may have kept for this, is refused. What the broker has no more goes on to hold.
"""
import hashlib
import logging
from collections.abc import Callable
from typing import NamedTuple

from agent.core.contract import wire
from agent.core.household.ward_settings import BadSetting, check_allowed
from agent.core.rate import RateLimit
from agent.link.audit import Audit
from agent.link.flow import Flow, FlowRunner, SignatureCheck, StoreJob
from agent.link.settings_in_force import SettingsInForce
from agent.link.verifier import BUSY, UNCHECKED
from agent.mqtt.connection import Outgoing
from agent.store.link_questions import keep_configuration
from agent.store.ward_settings import Given

DOCUMENTS_A_MINUTE = 30
WHAT = "cfg/desired"
PASSING = (UNCHECKED, BUSY, "store")        # the same document may fare better the next time
SUSPICIOUS = ("unsigned", "other_device", "unknown_key", "bad_signature", "old_version")    # security events, too

_log = logging.getLogger(__name__)


class DocumentRefusal(NamedTuple):
    """Why a document does not hold."""

    code: str
    key: str | None = None      # what it is about


class Configuration:
    """Runs one flow for each document that is new."""

    def __init__(self, topics: wire.Topics, audit: Audit, flows: FlowRunner, in_force: SettingsInForce,
                 written: Callable[[], None]) -> None:
        """`written` is called when an event may have been written."""
        self._topics, self._clock, self._audit, self._flows = topics, flows.clock, audit, flows
        self._in_force, self._written = in_force, written
        self._refused: tuple[str, wire.Reported] | None = None      # the last document, by its digest, and the answer
        self._ready: wire.Reported | None = None
        self._rate = RateLimit(DOCUMENTS_A_MINUTE)

    def receive(self, payload: bytes) -> None:
        """A document has come, or the broker's word that there is none any more. Raises BadPayload."""
        digest = hashlib.sha256(payload).hexdigest()
        if not payload:
            return
        if self._in_force.ver is not None and digest == self._in_force.given.digest:
            self._ready = self._applied()
        elif self._refused and digest == self._refused[0]:
            self._ready = self._refused[1]
        elif not self._rate.allows(self._clock.mono_s()):
            self._audit.note("config_storm")
        else:
            self._flows.start(self._life(payload, wire.decode(wire.Desired, payload), digest))

    def up(self) -> None:
        """A connection has come up: say what holds, for the broker may have forgotten, or the household's file changed.
        """
        if self._in_force.ver is not None:
            self._ready = self._applied()

    def due(self) -> list[Outgoing]:
        """The report that waits to be sent, if there is one."""
        report, self._ready = self._ready, None
        return [Outgoing(self._topics.cfg_reported, wire.encode(report), retain=True)] if report else []

    def _life(self, payload: bytes, desired: wire.Desired, digest: str) -> Flow:
        """One document from check to report: it holds once it is on the card."""
        given = Given(ver=desired.ver, cfg=desired.cfg, digest=digest, payload=payload.decode(errors="replace"))
        refusal = self._judge(desired, given)
        if refusal is None and (code := (yield SignatureCheck(payload))):
            refusal = DocumentRefusal(code)
        if refusal:
            self._refuse(given, refusal)
            return
        kept = yield StoreJob(keep_configuration(payload, dict(self._in_force.weighed(given.cfg).clamped)))
        if not kept:
            self._refuse(given, DocumentRefusal("store" if kept is None else "old_version"))
            return
        self._written()
        self._in_force.apply(given)
        _log.info("the ward has set %s; in force now: %s", given.cfg, self._in_force.weighed().values)
        self._ready = self._applied()

    def _judge(self, desired: wire.Desired, given: Given) -> DocumentRefusal | None:
        """The refusal of a document by all that can be said without its signature; None if it may hold."""
        if not self._in_force.listens:
            return DocumentRefusal("not_allowed")
        if desired.sig is None:
            return DocumentRefusal("unsigned")
        if desired.dev != self._topics.dev:
            return DocumentRefusal("other_device")
        if not given.overtakes(self._in_force.given):
            return DocumentRefusal("old_version")
        try:
            check_allowed(desired.cfg)
        except BadSetting as bad:
            return DocumentRefusal(bad.code, bad.key[:64])
        return None

    def _applied(self) -> wire.Reported:
        ver, holds = self._in_force.given.ver, self._in_force.weighed()
        return wire.Reported(v=wire.VERSION, ver=ver, st="applied", cfg_ver=ver, cfg=holds.values,
                             clamped=dict(holds.clamped) or None)

    def _refuse(self, given: Given, refusal: DocumentRefusal) -> None:
        if refusal.code in SUSPICIOUS:
            self._audit.note(refusal.code, WHAT)
        holds = self._in_force.weighed().values if self._in_force.listens else None
        self._ready = wire.Reported(v=wire.VERSION, ver=given.ver, st="refused", code=refusal.code, key=refusal.key,
                                    cfg_ver=self._in_force.ver, cfg=holds)
        self._refused = None if refusal.code in PASSING else (given.digest, self._ready)
