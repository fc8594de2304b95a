"""When the keeper makes space, and the numbers of the stock: how much there is, what is held, how long it lasts."""
import logging
import sqlite3
from dataclasses import dataclass, field

from agent.config.derived import in_effect, limits
from agent.config.settings import Settings, Store
from agent.core.health.forecast import days_kept
from agent.host.clock import Instant
from agent.keeper.deletion import PASS_N, drop_pictures, retain
from agent.keeper.room import renew_ballast
from agent.keeper.sweeper import Sweeper
from agent.keeper.timekeeper import Timekeeper
from agent.keeper.ward_signature import WardSignature
from agent.store import absences, clips, events, holds, retention_queries
from agent.store.database import transaction
from agent.store.folders import Folders
from agent.store.holds import Hold
from agent.store.retention_queries import Space

EVERY_S = 60.0
ROWS_OF_DELETED_CLIPS_MAX = 20_000
EVENTS_MAX = 100_000
RATES_EVERY_S = 600.0
NAMED_N = 3                     # holds named in a condition's line

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Stock:
    clips_n: int = 0
    clips_b: int = 0
    held_b: int = 0
    over: str | None = None                                     # the holds, if they take more than they may
    kept_days: dict[str, float] = field(default_factory=dict)   # by camera
    next_rates_mono_s: float = 0.0

    def count(self, db: sqlite3.Connection) -> None:
        self.clips_n, self.clips_b = clips.totals(db)

    def weigh(self, db: sqlite3.Connection, space: Space, settings: Store, now: Instant) -> None:
        """Compares what is held with the limit, and now and then computes how long footage will stay."""
        self.held_b = holds.total_b(db)
        ceiling_b = space.holds_b(limits(settings))
        self.over = _named(holds.placed(db)) if self.held_b > ceiling_b else None
        if now.mono_ms / 1000 >= self.next_rates_mono_s:
            self.next_rates_mono_s = now.mono_ms / 1000 + RATES_EVERY_S
            room_b = max(space.room_b(limits(settings)) - self.held_b, 0)
            rates = retention_queries.recording_rates(db)
            self.kept_days = days_kept(room_b, rates, settings.keep_days, settings.keep_continuous_days)


@dataclass(slots=True)
class Retention:
    """Makes space when it is due or requested, and counts the stock."""

    settings: Settings                      # the household's own
    folders: Folders
    timekeeper: Timekeeper
    sweeper: Sweeper
    signature: WardSignature
    stock: Stock = field(default_factory=Stock)
    deleted_n: int = field(default=0, init=False)
    next_mono_s: float = field(default=0.0, init=False)
    helpless: bool = field(default=False, init=False)       # the last pass could not free enough space

    def is_due(self, now: Instant) -> bool:
        """Whether a pass is due, also at once if the card falls short, so no recorder needs to ask. Raises OSError."""
        short = Space.of(self.folders).short(limits(self.settings.store))
        return now.mono_ms / 1000 >= self.next_mono_s or (short and not self.helpless)

    def make_room(self, own: sqlite3.Connection, db: sqlite3.Connection, now: Instant) -> None:
        """Runs one pass. Raises OSError and sqlite3.Error."""
        self.next_mono_s = now.mono_ms / 1000 + EVERY_S
        settings = in_effect(self.settings, self.signature.configuration(db)).store
        self.sweeper.finish_erasure(own, db, now)
        gone = retain(own, db, self.folders, settings, now, may_delete_by_age=self.timekeeper.may_delete(now))
        self.deleted_n += len(gone)
        if len(gone) >= PASS_N:
            self.next_mono_s = 0.0          # there may be more
        if gone:
            _log.info("deleted %d clips (%.1f MB)", len(gone), sum(clip.bytes for clip in gone) / 1e6)
        clips.forget_deleted(db, ROWS_OF_DELETED_CLIPS_MAX)
        with transaction(db):
            drop_pictures(self.folders, events.forget(db, EVENTS_MAX))
            absences.forget(db)
        renew_ballast(self.folders, settings.free_floor_pct)
        space = Space.of(self.folders)
        self.helpless = space.short(limits(settings))
        self.stock.count(db)
        self.stock.weigh(db, space, settings, now)


def _named(held: list[Hold]) -> str:
    more_n = len(held) - NAMED_N
    return ", ".join([f"{hold.clip.name} ({hold.reason})" for hold in held[:NAMED_N]]
                     + ([f"and {more_n} more"] if more_n > 0 else []))
