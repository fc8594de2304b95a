"""A wall time as a date. Any number in a row can be shown."""
from datetime import datetime, tzinfo

DAYS_MS = 2 * 24 * 3_600_000             # the largest offset of a zone, with a margin for its computation
# the years 5 and 9999: times beyond them are shown as these
FIRST_MS, LAST_MS = -62_000_000_000_000, 253_402_300_799_999


def moment(wall_ms: int, zone: tzinfo | None = None) -> datetime:
    """Returns the time in the zone, or in the machine's own zone, in which the last days may exceed the calendar."""
    seconds, ms = divmod(int(min(max(wall_ms, FIRST_MS), LAST_MS if zone else LAST_MS - DAYS_MS)), 1000)
    return datetime.fromtimestamp(seconds, zone).replace(microsecond=1000 * ms)
