"""What the keeper tells of its stock in the heartbeat: how much there is, what is on hold, how long footage stays."""
import sqlite3
from dataclasses import dataclass, field

from agent.config.derived import limits
from agent.config.settings import Store
from agent.core.health.forecast import days_kept
from agent.host.clock import Instant
from agent.store import clips, holds
from agent.store import retention_queries as stock
from agent.store.holds import Hold
from agent.store.space import Space

FLOWS_EVERY_S = 600.0
NAMED_N = 3                 # holds named in a condition's line


@dataclass(slots=True)
class Stock:
    """The numbers as of the last count."""

    clips_n: int = 0
    clips_b: int = 0
    held_b: int = 0
    over: str | None = None                                     # which holds take more than they may
    kept_days: dict[str, float] = field(default_factory=dict)
    next_flows_mono_s: float = 0.0

    def count(self, db: sqlite3.Connection) -> None:
        """Count the clips."""
        self.clips_n, self.clips_b = clips.totals(db)

    def weigh(self, db: sqlite3.Connection, space: Space, settings: Store, now: Instant) -> None:
        """Compare what is held with what may be, and now and then tell how long footage will stay."""
        self.held_b = holds.total_b(db)
        ceiling_b = space.holds_b(limits(settings))
        self.over = _named(holds.placed(db)) if self.held_b > ceiling_b else None
        if now.mono_ms / 1000 >= self.next_flows_mono_s:
            self.next_flows_mono_s = now.mono_ms / 1000 + FLOWS_EVERY_S
            room_b = max(space.room_b(limits(settings)) - self.held_b, 0)
            self.kept_days = days_kept(room_b, stock.flows(db), settings.keep_days, settings.keep_continuous_days)

    def facts(self) -> dict[str, float | int | str | bool | None]:
        """For the heartbeat."""
        return {"clips_n": self.clips_n, "clips_b": self.clips_b, "held_b": self.held_b, "holds_over": self.over,
                **{f"kept_days.{camera}": round(days, 1) for camera, days in self.kept_days.items()}}


def _named(held: list[Hold]) -> str:
    """Those that last longest, in one line."""
    more_n = len(held) - NAMED_N
    return ", ".join([f"{hold.clip.name} ({hold.reason})" for hold in held[:NAMED_N]]
                     + ([f"and {more_n} more"] if more_n > 0 else []))
