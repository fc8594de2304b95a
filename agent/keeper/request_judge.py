"""Judges the ward's requests: the household is asked only what the ward has signed, and its own word alone counts.

The link, which may be somebody else's by now, writes the rows that are looked at here. A row is worth nothing unless
its command is the ward's own, and says the same.
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
from agent.keeper.pack import Packager
from agent.keeper.ward_signature import NotGenuine, WardSignature
from agent.store import boots, membership, outbox, requests
from agent.store.damage import surviving
from agent.store.database import transaction
from agent.store.decisions import consent, decided
from agent.store.decisions.decided import RequestDecision, Word
from agent.store.requests import RequestError, WardRequest

HOUR_MS = 3_600_000
LATE_MS = 600_000           # that the keeper may look at a command after its end: it may have been down
TOLD_EVERY_MS = 600_000     # the ward is told of forgeries, with their count
BY_RULE: dict[Rule, Word] = {"never": "refused", "ask": "waiting", "allow": "approved"}

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class RequestJudge:
    """A part of the keeper's round."""

    settings: Settings
    own: sqlite3.Connection             # what the household has decided: agent/store/decisions
    packager: Packager
    signature: WardSignature
    _forged_n: int = 0                  # since the ward was told
    _told_mono_ms: int | None = None

    def look(self, db: sqlite3.Connection, now: Instant) -> bool:
        """Bring all of them as far as they may go; returns whether the other roles have something to look at.

        Raises OSError and sqlite3.Error.
        """
        changed = self._judge(db, now)
        self.packager.look(db)
        return changed

    def _judge(self, db: sqlite3.Connection, now: Instant) -> bool:
        """Take up what is new, put right what others have changed, end what is over."""
        own = self.own
        changed = decided.tell(own, db)
        consent.refuse(own, db, now)
        if now.clock == "unset":        # nobody can tell whether a command has expired
            return changed
        for row in requests.open_ones(db):
            with surviving(f"request {row.n}"):
                try:
                    changed |= self._see_to(db, row, now)
                except NotGenuine as fault:
                    self._turn_away(db, row, str(fault))
                    changed = True
        changed |= _lapse(own, db, now)
        decided.forget(own, db, now)
        self._tell_forgeries(db, now)
        return changed

    def _see_to(self, db: sqlite3.Connection, row: WardRequest, now: Instant) -> bool:
        known = decided.find(self.own, row.id)
        if known is None:
            decided.take_up(self.own, db, self._judged(db, row, now))
            return True
        if known.digest != row.digest:
            raise NotGenuine("altered")
        if decided.put_right(self.own, db, row.id):
            _log.error("request %d was said to be %s, which nobody has decided", row.n, row.state)
            return True
        return row.cancel is not None and self._cancel(db, row, row.cancel, now)

    def _judged(self, db: sqlite3.Connection, row: WardRequest, now: Instant) -> RequestDecision:
        """A request that is new, with the word of the household's rule."""
        order = self._genuine(db, row.command)
        try:
            if requests.request_of(row.command).digest != row.digest:
                raise NotGenuine("altered")
        except requests.WishRefused:
            raise NotGenuine("altered") from None
        if row.wall_ms >= order.exp or now.wall_ms >= order.exp + LATE_MS:
            raise NotGenuine("expired")
        word, by = self._by_rule(row)
        return RequestDecision(row.id, row.digest, order.exp,
                               now.wall_ms + round(self.settings.sharing.ask_h * HOUR_MS), word, by, now, told=False)

    def _by_rule(self, row: WardRequest) -> tuple[Word, str | None]:
        """What holds without asking, and by what; the household's newest word on its page may be stricter."""
        if membership.read(self.own) is None:
            return "refused", consent.LEAVING
        shut = consent.read_word(self.own).no_pictures
        rules = consent.NO_PICTURES if shut else sharing_rules(self.settings.sharing)
        word = BY_RULE[rules.of(row.kind, row.purpose)]
        return word, None if word == "waiting" else "rule"

    def _cancel(self, db: sqlite3.Connection, row: WardRequest, command: bytes, now: Instant) -> bool:
        """The link has stopped at once, for that lessens what leaves; the ledger tells it by the ward's signature."""
        try:
            order = self._genuine(db, command)
            if order.name != "clip.cancel" or args(order, ClipCancel).request != row.id:
                raise NotGenuine("other_order")
        except (NotGenuine, wire.BadPayload) as fault:
            _log.error("request %d was not cancelled by the ward: %s", row.n, fault)
            self._forged_n += 1
            requests.uncancel(db, row.id)
            return True
        with contextlib.suppress(RequestError):         # somebody has decided in this very moment
            decided.decide(self.own, db, row.id, row.digest, "cancelled", "ward", now)
        return True

    def _genuine(self, db: sqlite3.Connection, command: bytes) -> wire.Command:
        """The command, which the ward has signed for this device. Raises NotGenuine, and OSError."""
        try:
            order = wire.decode(wire.Command, command)
        except wire.BadPayload:
            raise NotGenuine("bad_args") from None
        self.signature.demand(db, command, order.dev)
        return order

    def _turn_away(self, db: sqlite3.Connection, row: WardRequest, code: str) -> None:
        _log.error("request %d is not the ward's, or not as it has signed it: %s", row.n, code)
        self._forged_n += code != "expired"
        decided.fail(self.own, row.id)
        with contextlib.suppress(RequestError):
            requests.fail(db, row.id, code)

    def _tell_forgeries(self, db: sqlite3.Connection, now: Instant) -> None:
        """At most once in TOLD_EVERY_MS, for a storm must not fill the outbox."""
        if self._forged_n and (self._told_mono_ms is None or now.mono_ms - self._told_mono_ms >= TOLD_EVERY_MS):
            with transaction(db):
                outbox.append(db, "security", None, now, wire.encode(wire.SecurityData(
                    code="forged_request", n=self._forged_n)))
            self._forged_n, self._told_mono_ms = 0, now.mono_ms


def _lapse(own: sqlite3.Connection, db: sqlite3.Connection, now: Instant) -> bool:
    """Give up those that waited too long for the household; only a clock that is right tells."""
    late = [each for each in decided.waiting(own) if each.until_ms <= now.wall_ms]
    if not late or not boots.is_sure(db, now.boot, now.clock):
        return False
    for each in late:
        try:
            decided.decide(own, db, each.request, each.digest, "lapsed", "time", now)
        except RequestError:            # it is gone with a lost database, or at another end
            decided.fail(own, each.request)
    return True
