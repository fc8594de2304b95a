"""Judges the ward's requests: only what the ward has signed reaches the household, and only the household decides.

The link writes the rows that are read here, and an attacker may have taken it over. A row counts only if its command is
the ward's own and says the same.
"""
import contextlib
import logging
import sqlite3
from dataclasses import dataclass

from agent.config.derived import sharing_rules
from agent.config.settings import Settings
from agent.core.contract import wire
from agent.core.contract.wire.commands import ClipCancel, args
from agent.core.household.sharing_rules import Rule
from agent.host.clock import Instant
from agent.keeper.packager import Packager
from agent.keeper.ward_signature import NotGenuine, WardSignature
from agent.store import boots, membership, outbox, requests
from agent.store.damage import surviving
from agent.store.database import transaction
from agent.store.decisions import consent, decided
from agent.store.decisions.decided import RequestDecision, Word
from agent.store.requests import RequestError, WardRequest

HOUR_MS = 3_600_000
LATE_MS = 600_000           # how long after its expiry a command still counts: the keeper may have been down
REPORT_EVERY_MS = 600_000     # how often the ward gets the count of forgeries
BY_RULE: dict[Rule, Word] = {"never": "refused", "ask": "waiting", "allow": "approved"}

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class RequestJudge:
    settings: Settings
    own: sqlite3.Connection             # what the household has decided: agent/store/decisions
    packager: Packager
    signature: WardSignature
    _forged_n: int = 0                  # since the last report
    _reported_mono_ms: int | None = None

    def look(self, db: sqlite3.Connection, now: Instant) -> bool:
        """Advances all requests; whether other roles have something to look at. Raises OSError and sqlite3.Error."""
        changed = self._judge(db, now)
        self.packager.look(db)
        return changed

    def _judge(self, db: sqlite3.Connection, now: Instant) -> bool:
        """Accepts new requests, corrects rows that other roles have changed, and ends requests."""
        own = self.own
        changed = decided.tell(own, db)
        consent.refuse(own, db, now)
        if now.clock == "unset":        # whether a command has expired is unknown
            return changed
        for row in requests.open_ones(db):
            with surviving(f"request {row.n}"):
                try:
                    changed |= self._process(db, row, now)
                except NotGenuine as fault:
                    self._turn_away(db, row, str(fault))
                    changed = True
        changed |= _lapse(own, db, now)
        decided.forget(own, db, now)
        self._report_forgeries(db, now)
        return changed

    def _process(self, db: sqlite3.Connection, row: WardRequest, now: Instant) -> bool:
        known = decided.find(self.own, row.id)
        if known is None:
            decided.take_up(self.own, db, self._judged(db, row, now))
            return True
        if known.digest != row.digest:
            raise NotGenuine("altered")
        if decided.put_right(self.own, db, row.id):
            _log.error("request %d was changed to %s without a decision", row.n, row.state)
            return True
        return row.cancel is not None and self._cancel(db, row, row.cancel, now)

    def _judged(self, db: sqlite3.Connection, row: WardRequest, now: Instant) -> RequestDecision:
        order = self._genuine(db, row.command)
        try:
            if requests.request_of(row.command).digest != row.digest:
                raise NotGenuine("altered")
        except requests.WishRefused:
            raise NotGenuine("altered") from None
        if row.wall_ms >= order.exp or now.wall_ms >= order.exp + LATE_MS:
            raise NotGenuine("expired")
        word, by = self._by_rule(row)
        until_ms = now.wall_ms + round(self.settings.sharing.ask_h * HOUR_MS)
        return RequestDecision(row.id, row.digest, order.exp, until_ms, word, by=by, when=now, told=False)

    def _by_rule(self, row: WardRequest) -> tuple[Word, str | None]:
        """Returns what holds without asking, and why. The household's latest decision on its page may be stricter."""
        if membership.read(self.own) is None:
            return "refused", consent.LEAVING
        shut = consent.read_word(self.own).no_pictures
        rules = consent.NO_PICTURES if shut else sharing_rules(self.settings.sharing)
        word = BY_RULE[rules.of(row.kind, row.purpose)]
        return word, None if word == "waiting" else "rule"

    def _cancel(self, db: sqlite3.Connection, row: WardRequest, command: bytes, now: Instant) -> bool:
        """Cancels a request if the ward has signed that. The link stopped it at once, because that can do no harm."""
        try:
            order = self._genuine(db, command)
            if order.name != "clip.cancel" or args(order, ClipCancel).request != row.id:
                raise NotGenuine("other_order")
        except (NotGenuine, wire.BadPayload) as fault:
            _log.error("request %d was not cancelled by the ward: %s", row.n, fault)
            self._forged_n += 1
            requests.uncancel(db, row.id)
            return True
        with contextlib.suppress(RequestError):         # it was decided at this moment
            decided.decide(self.own, db, row.id, row.digest, "cancelled", by="ward", now=now)
        return True

    def _genuine(self, db: sqlite3.Connection, command: bytes) -> wire.Command:
        """Returns the command, which the ward has signed for this device. Raises NotGenuine and OSError."""
        try:
            order = wire.decode(wire.Command, command)
        except wire.BadPayload:
            raise NotGenuine("bad_args") from None
        self.signature.check(db, command, order.dev)
        return order

    def _turn_away(self, db: sqlite3.Connection, row: WardRequest, code: str) -> None:
        _log.error("request %d is not as the ward has signed it: %s", row.n, code)
        self._forged_n += code != "expired"
        decided.fail(self.own, row.id)
        with contextlib.suppress(RequestError):
            requests.fail(db, row.id, code)

    def _report_forgeries(self, db: sqlite3.Connection, now: Instant) -> None:
        """Reports at most once in REPORT_EVERY_MS, so that many forgeries do not fill the outbox."""
        reported_ms = self._reported_mono_ms
        if self._forged_n and (reported_ms is None or now.mono_ms - reported_ms >= REPORT_EVERY_MS):
            with transaction(db):
                outbox.append(db, "security", None, now, wire.encode(wire.SecurityData(
                    code="forged_request", n=self._forged_n)))
            self._forged_n, self._reported_mono_ms = 0, now.mono_ms


def _lapse(own: sqlite3.Connection, db: sqlite3.Connection, now: Instant) -> bool:
    """Gives up requests that waited too long for the household, if the clock is surely right."""
    late = [row for row in decided.waiting(own) if row.until_ms <= now.wall_ms]
    if not late or not boots.is_sure(db, now.boot, now.clock):
        return False
    for row in late:
        try:
            decided.decide(own, db, row.request, row.digest, "lapsed", by="time", now=now)
        except RequestError:            # it was lost with a database, or has ended
            decided.fail(own, row.request)
    return True
