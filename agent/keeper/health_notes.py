"""The keeper samples the machine's health every five minutes; the page shows it by day and month.

docs/design/health.md has the reasons. Samples wait in memory and go onto the card once an hour and at an orderly end,
because each write wears the card. Until then they are in the heartbeat. A power cut loses those that wait.
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
    probes: Probes
    waiting: list[HealthSample] = field(default_factory=list)
    next_mono_ms: int = 0
    reach: ReachFacts = ReachFacts()
    heard_mono_ms: int = 0
    card_ill: int = 0                   # the worst since the last sample
    card_ill_days: int | None = None

    def receive(self, reach: ReachFacts, now: Instant) -> None:
        self.reach, self.heard_mono_ms, self.card_ill = reach, now.mono_ms, max(self.card_ill, reach.card_ill)

    def look(self, now: Instant) -> None:
        """Takes a sample, if it is time. Touches no card that hangs."""
        if now.mono_ms < self.next_mono_ms:
            return
        self.next_mono_ms = now.mono_ms + SAMPLE_EVERY_MS
        reach = self.reach if now.mono_ms - self.heard_mono_ms < REACH_FOR_MS else ReachFacts()
        seen = sample(self.probes.read(now.mono_ms / 1000), reach, now.mono_ms, now.clock, self.card_ill)
        self.card_ill = 0
        self.waiting = [*self.waiting, seen][-WAITING_N_MAX:]

    def write(self, db: sqlite3.Connection, now: Instant, at_end: bool = False) -> None:
        """Writes what waits, if it is an hour's samples or at the end. Raises sqlite3.Error, and keeps them then."""
        if self.card_ill_days is None:
            self.card_ill_days = health_history.ill_days(db)
        if not self.waiting or (len(self.waiting) < HOUR_N and not at_end):
            return
        with transaction(db):
            for first in range(0, len(self.waiting), HOUR_N):
                health_history.add(db, self.waiting[first:first + HOUR_N], now)
        self.waiting, self.card_ill_days = [], None
