"""The keeper looks at the machine every five minutes, for the page's day and month: docs/design/health.md.

What it sees waits in memory and goes onto the card once an hour and at an orderly end, because each note costs the card
a write. Until then the heartbeat carries it. A power cut loses what waits.
"""
import sqlite3
from dataclasses import dataclass, field

from agent.core.contract.facts import HealthSample, ReachFacts
from agent.core.health.history import HOUR_N, REACH_FOR_MS, SAMPLE_EVERY_MS, WAITING_N_MAX, sample
from agent.host.clock import Instant
from agent.host.probes.machine import Probes
from agent.store import health_history
from agent.store.database import transaction


@dataclass(slots=True)
class HealthNotes:
    """Of one process, so of one boot."""

    probes: Probes
    waiting: list[HealthSample] = field(default_factory=list)
    next_mono_ms: int = 0
    reach: ReachFacts = ReachFacts()
    heard_mono_ms: int = 0
    card_ill: int = 0                   # at worst since the last sample
    card_ill_days: int | None = None

    def hear(self, reach: ReachFacts, now: Instant) -> None:
        """Who can be reached, by the word of a role that has the network."""
        self.reach, self.heard_mono_ms, self.card_ill = reach, now.mono_ms, max(self.card_ill, reach.card_ill)

    def look(self, now: Instant) -> None:
        """Look, if it is time. Touches no card that hangs."""
        if now.mono_ms < self.next_mono_ms:
            return
        self.next_mono_ms = now.mono_ms + SAMPLE_EVERY_MS
        reach = self.reach if now.mono_ms - self.heard_mono_ms < REACH_FOR_MS else ReachFacts()
        seen = sample(self.probes.read(now.mono_ms / 1000), reach, now.mono_ms, now.clock, self.card_ill)
        self.card_ill = 0
        self.waiting = [*self.waiting, seen][-WAITING_N_MAX:]

    def write(self, db: sqlite3.Connection, now: Instant, at_end: bool = False) -> None:
        """Write what waits, if there is an hour of it, or at the end. Raises sqlite3.Error, and keeps it then."""
        if self.card_ill_days is None:
            self.card_ill_days = health_history.ill_days(db)
        if not self.waiting or (len(self.waiting) < HOUR_N and not at_end):
            return
        with transaction(db):
            for first in range(0, len(self.waiting), HOUR_N):
                health_history.add(db, self.waiting[first:first + HOUR_N], now)
        self.waiting, self.card_ill_days = [], None
