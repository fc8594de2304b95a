"""How the machine was: an hour of samples a row, written by the keeper, read for the page's day and month.

Rows are dated like all others (store.boots), so an hour whose clock was not set yet finds its place later.
"""
import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from agent.core.contract.facts import HealthSample
from agent.core.health.history import DatedSample
from agent.core.household.day_lane import WallSpan
from agent.host.clock import Instant, at
from agent.store.boots import Dates

ROWS_MAX = 800              # 33 days of a machine that always runs: 0.8 MB
ROW_MS_MAX = 7_200_000      # a row tells of an hour, of two where somebody held the keeper up

_decoder = msgspec.json.Decoder(list[HealthSample])


def add(db: sqlite3.Connection, samples: Sequence[HealthSample], now: Instant) -> None:
    """Keep these, all of this boot and in order; the oldest rows make room. Within the caller's transaction."""
    first = at(now, samples[0].mono_ms)
    number = db.execute(
        "INSERT INTO health (boot, mono_ms, wall_ms, clock, samples) VALUES (?, ?, ?, ?, ?)",
        (first.boot, first.mono_ms, first.wall_ms, samples[0].clock, msgspec.json.encode(samples).decode())).lastrowid
    db.execute("DELETE FROM health WHERE n <= ? - ?", (number, ROWS_MAX))


def within(db: sqlite3.Connection, dates: Dates, span: WallSpan, lately: Sequence[HealthSample],
           now: Instant) -> Iterator[DatedSample]:
    """The samples of that time, an hour after the other in the order of their dates.

    `lately` are those of this boot that no row has yet.
    """
    rows = [(begin_ms, n) for n, boot, mono_ms, wall_ms in db.execute("SELECT n, boot, mono_ms, wall_ms FROM health")
            if span.begin_ms - ROW_MS_MAX <= (begin_ms := dates.wall_ms(boot, mono_ms, wall_ms)) < span.end_ms]
    for _, number in sorted(rows):
        row = db.execute("SELECT boot, mono_ms, wall_ms, samples FROM health WHERE n = ?", (number,)).fetchone()
        if row:                 # the keeper may have made room meanwhile
            first = Instant(row["boot"], row["mono_ms"], row["wall_ms"], "")
            yield from _dated(dates, span, _samples(row["samples"]), first)
    yield from _dated(dates, span, lately, now)


def _dated(dates: Dates, span: WallSpan, samples: Iterable[HealthSample], told: Instant) -> Iterator[DatedSample]:
    """Those within the span; `told` is a moment of their boot by both clocks, as they were."""
    for each in samples:
        wall_ms = dates.wall_ms(told.boot, each.mono_ms, told.wall_ms + each.mono_ms - told.mono_ms)
        if span.begin_ms <= wall_ms < span.end_ms:
            yield DatedSample(wall_ms, told.boot, each)


def _samples(text: str) -> Iterator[HealthSample]:
    """Those of a row; none of one that somebody has spoiled."""
    with contextlib.suppress(msgspec.DecodeError):
        yield from _decoder.decode(text)
