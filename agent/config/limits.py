"""What the settings say of the card's room, in bytes, as the planner wants it."""
from agent.config.settings import Store
from agent.core.retention import Limits

GB = 1_000_000_000


def limits(store: Store) -> Limits:
    """The limits that these settings set."""
    return Limits(int(store.quota_gb * GB), store.free_floor_pct, store.hold_max_pct)
