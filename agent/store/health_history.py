"""The machine's health, one hour of samples per row: written by the keeper, read for the page's day and month."""
import sqlite3
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from agent.core.contract.facts import HealthSample
from agent.core.health.forecast import ILL_DAY_POINTS, ILL_OF_DAYS_N
from agent.core.health.history import DAY_MS, DatedSample
from agent.core.household.day_lane import WallSpan
from agent.host.clock import Instant, at
from agent.store.boots import Dates
from agent.store.row_check import sound

ROWS_MAX = 800              # 33 days of continuous running: 0.8 MB
ROW_MS_MAX = 7_200_000      # a row covers one hour, or two if the keeper was delayed

_decoder = msgspec.json.Decoder(list[HealthSample])


def add(db: sqlite3.Connection, samples: Sequence[HealthSample], now: Instant) -> None:
    """Stores these samples, all of this boot and in order; the oldest rows go. Within the caller's transaction."""
    first = at(now, samples[0].mono_ms)
    number = db.execute(
        "INSERT INTO health (boot, mono_ms, wall_ms, clock, samples) VALUES (?, ?, ?, ?, ?)",
        (first.boot, first.mono_ms, first.wall_ms, samples[0].clock, msgspec.json.encode(samples).decode())).lastrowid
    db.execute("DELETE FROM health WHERE n <= ? - ?", (number, ROWS_MAX))


def ill_days(db: sqlite3.Connection) -> int:
    """Counts the days, of the newest rows, on which the card was in trouble. Raises sqlite3.Error."""
    return db.execute(
        "SELECT COUNT(*) FROM (SELECT 1 FROM health, json_each(iif(json_valid(samples), samples, '[]')) "
        "WHERE n > (SELECT MAX(n) FROM health) - ? AND type = 'array' "
        "GROUP BY wall_ms / ? HAVING SUM(json_extract(value, '$[8]')) >= ?)",
        (ILL_OF_DAYS_N * 24, DAY_MS, ILL_DAY_POINTS)).fetchone()[0]


def within(db: sqlite3.Connection, dates: Dates, span: WallSpan, lately: Sequence[HealthSample],
           now: Instant) -> Iterator[DatedSample]:
    """Yields the samples of that time, hour by hour in order of their dates; `lately` are those that no row has yet."""
    known = sound(db, "health", "SELECT n, boot, mono_ms, wall_ms FROM health")
    rows = [(begin_ms, n) for n, boot, mono_ms, wall_ms in known
            if span.begin_ms - ROW_MS_MAX <= (begin_ms := dates.wall_ms(boot, mono_ms, wall_ms)) < span.end_ms]
    for _, number in sorted(rows):
        # The keeper may have dropped the row meanwhile.
        for row in sound(db, "health", "SELECT boot, mono_ms, wall_ms, samples FROM health WHERE n = ?", (number,)):
            first = Instant(row["boot"], row["mono_ms"], row["wall_ms"], "")
            yield from _dated(dates, span, _decoder.decode(row["samples"]), first)
    yield from _dated(dates, span, lately, now)


def _dated(dates: Dates, span: WallSpan, samples: Iterable[HealthSample], moment: Instant) -> Iterator[DatedSample]:
    for sample in samples:
        wall_ms = dates.wall_ms(moment.boot, sample.mono_ms, moment.wall_ms + sample.mono_ms - moment.mono_ms)
        if span.begin_ms <= wall_ms < span.end_ms:
            yield DatedSample(wall_ms, moment.boot, sample)
