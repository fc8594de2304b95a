"""Asks the planner which clips are to go, with the store's sums and the card's room in hand. Reads only.

`sums_b` is what each camera has, as stock.bytes_by_camera tells: a hundred thousand clips are added up once a pass.
"""
import sqlite3
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from agent.config.limits import limits
from agent.config.settings import Store
from agent.core.retention import Doomed, Shelf, going_order, last_too_old, make_room, to_free_b, to_free_n
from agent.host.clock import Instant
from agent.store import stock
from agent.store.space import Space

DAY_MS = 24 * 3600 * 1000
PASS_N = 1000                   # clips a pass: its owner has a heart to beat in between


def too_old(db: sqlite3.Connection, settings: Store, sums_b: Mapping[str, int], now: Instant) -> Iterator[Doomed]:
    """Clips that are older than their kind is kept; only to be asked while the clock may be believed."""
    for camera in sums_b:
        for kind, keep_days in (("motion", settings.keep_days), ("continuous", settings.keep_continuous_days)):
            dates = stock.dates(db, camera, kind, now.clock)
            if last_seq := last_too_old(dates, int(keep_days * DAY_MS), now.wall_ms, PASS_N):
                yield from (Doomed(*clip, "age") for clip in stock.upto(db, camera, kind, last_seq))


class Need(NamedTuple):
    """What clips have to give back."""

    bytes: int
    files_n: int


def need(settings: Store, sums_b: Mapping[str, int], space: Space) -> Need:
    """What is missing on the card, or above the quota."""
    wanted = limits(settings)
    return Need(to_free_b(sum(sums_b.values()), wanted.quota_b, space.free_b, space.total_b, wanted.floor_pct),
                to_free_n(space.free_n, space.total_n))


def for_space(db: sqlite3.Connection, settings: Store, sums_b: Mapping[str, int], missing: Need) -> Iterator[Doomed]:
    """Clips that go because that is missing."""
    newest_seq, ages_faster = stock.newest_seq(db), settings.keep_days / settings.keep_continuous_days
    shelves = (Shelf(camera, size_b, stock.handed_out(db, camera),
                     going_order(*(stock.others(db, camera, kind) for kind in stock.KINDS), newest_seq, ages_faster))
               for camera, size_b in sums_b.items())
    return make_room(shelves, *missing)
