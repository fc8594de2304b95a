"""A store with 100,000 clips: what retention, the page, the export and a start have to read of it, and for how long.

Rows are written through the store's own doors, files are empty but as large as their rows say. Four cameras over fifty
days, a boot each night. Times are CPU time of this process, medians; a cold card makes each first one slower.
"""
import contextlib
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from agent.config.settings import Store
from agent.core.household.day_lane import WallSpan
from agent.host.clock import Instant, SystemClock
from agent.host.stop import Stop
from agent.keeper import deletion
from agent.keeper.deletion import PASS_N
from agent.keeper.evidence import ClipStatement, hash_some
from agent.keeper.ledger_writer import LedgerWriter
from agent.look.words import PageWords
from agent.store import boots, clips, events, meta, retention_queries
from agent.store.boots import Dates
from agent.store.clips import reaching_into
from agent.store.database import connect, transaction
from agent.store.decisions import database as decisions
from agent.store.folders import CLIPS_A_FOLDER, Folders
from agent.store.recordings import camera_day, days_with_footage
from agent.store.retention_queries import Space
from agent.web.live.pages import home_rows
from agent.web.recordings.present_day import DayQuery, day_of, lane_view, listing, pieces_of
from agent.web.server import words
from scripts.benches.plan import Plan, tell
from scripts.benches.table import Spread, Table, Verdict
from tests.rigs.store.cards import film

CLIPS_N, QUICK_N, SIGNED_N = 100_000, 10_000, 10_000
DAYS_N = 50
CAMERAS = ("gate", "yard", "road", "shop")      # the last one records all the time
DAY_MS = 86_400_000
BEGIN_MS = 1_790_000_000_000
LONG_MS, SIZE_B = 15_000, 4_000_000
HEAD = ("", "ms", "rows")


def run(plan: Plan) -> Iterator[Table]:
    """Measure, and give the table."""
    count_n, rounds_n = QUICK_N if plan.quick else CLIPS_N, plan.rounds(9)
    with tempfile.TemporaryDirectory(prefix="taimat-bench-") as place:
        folders = Folders(Path(place) / "store").create()
        tell(f"shelf: a store with {count_n} clips")
        with contextlib.closing(connect(folders.root)) as db:
            fill(db, folders, count_n)
            with contextlib.closing(decisions.connect(folders)) as own:
                table = read(own, db, folders, count_n, rounds_n)
        tell("shelf: a start, and a check")
        start(table, folders)
        signed = Folders(Path(place) / "signed").create()
        fill_signed(signed, SIGNED_N // (10 if plan.quick else 1))
        check(table, signed)
    yield table


def moment(number: int, count_n: int) -> Instant:
    """When the clip of this number began; each day is a boot."""
    at_ms = number * DAYS_N * DAY_MS // count_n
    return Instant(f"{at_ms // DAY_MS:08x}", at_ms % DAY_MS, BEGIN_MS + at_ms, "ntp")


def fill(db: sqlite3.Connection, folders: Folders, count_n: int) -> None:
    """Finished clips, an event for each one that is kept for its event, files, and the open clips of a cut."""
    with transaction(db):
        for day in range(DAYS_N):
            boots.date(db, f"{day:08x}", BEGIN_MS + day * DAY_MS)
        for number in range(count_n):
            camera, now = CAMERAS[number % 4], moment(number, count_n)
            kind = "continuous" if camera == CAMERAS[-1] else "motion"
            seq, name = clips.open_row(db, camera, kind, now, "h264", 1920, 1080)
            if kind == "motion":
                event = events.open_row(db, camera, "motion", now)
                events.tie(db, event, seq)
                events.finish(db, event, 5_000, 0.5, 1, [[0.1, 0.2, 0.3, 0.4]], "2", f"{seq}.jpg")
            if number < count_n - len(CAMERAS):
                clips.finish(db, seq, "done", LONG_MS, SIZE_B, 225)
            place(folders, seq, name, number < count_n - len(CAMERAS))
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def fill_signed(folders: Folders, count_n: int) -> None:
    """Tiny clips, each with its row in the ledger."""
    with contextlib.closing(connect(folders.root)) as db:
        with transaction(db):
            for number in range(count_n):
                film(db, folders, SystemClock(), number.to_bytes(4, "big"))
        while hash_some(db, folders, Stop(), SystemClock(), ClipStatement()):
            pass
        with contextlib.closing(decisions.connect(folders)) as own:
            sealer = LedgerWriter(folders, SystemClock(), own)
            while sealer.seal_some(db):
                pass


def place(folders: Folders, seq: int, name: str, finished: bool) -> None:
    """The clip's file."""
    path = folders.clip(seq, name) if finished else folders.part(seq, name)
    if seq % CLIPS_A_FOLDER in (0, 1):
        path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(SIZE_B if finished else 0)


def read(own: sqlite3.Connection, db: sqlite3.Connection, folders: Folders, count_n: int, rounds_n: int) -> Table:
    """What is read while everything runs."""
    now, room_b = moment(count_n, count_n), count_n * SIZE_B
    settings = Store(keep_days=DAYS_N, keep_continuous_days=DAYS_N / 2)
    young = Store(keep_days=365, keep_continuous_days=365)
    middle_ms, said = BEGIN_MS + DAYS_N // 2 * DAY_MS, words.load("en")

    def plan(wanted: Store, free_b: int, most_n: int = PASS_N) -> int:
        sums_b = retention_queries.bytes_by_camera(db)
        need = deletion.need(wanted, sums_b, Space(room_b, 2 * room_b, 10_000, 100_000))
        meta.put(own, deletion.LINE, "")        # nothing is deleted, so the next plan finds the same clips
        return (len(deletion.by_age(own, db, folders, wanted, sums_b, now=now, enough_n=most_n))
                + sum(1 for _ in islice(deletion.for_space(db, wanted, sums_b, need._replace(bytes=free_b)), most_n)))

    ways: dict[str, tuple[Callable[[], int], float]] = {
        "plan: nothing has to go": (lambda: plan(young, 0), 50),
        "plan: 1 % is needed": (lambda: plan(young, room_b // 100), 50),
        "plan: an eighth is too old, and 1 % is needed": (lambda: plan(settings, room_b // 100), 50),
        "plan: every clip is needed, and in one pass": (lambda: plan(young, 2 * room_b, count_n), 0),
        "a day of one camera": (lambda: len(reaching_into(db, "gate", middle_ms, middle_ms + DAY_MS)), 20),
        "what each records in a day": (lambda: len(retention_queries.recording_rates(db)), 0),
        "page: home": (lambda: len(home_rows(db, folders, CAMERAS)[0].events), 20),
        "page: a day of all cameras": (lambda: a_day(db, middle_ms, now.wall_ms, said), 50),
        "page: a month": (lambda: sum(days_with_footage(db, CAMERAS, month(middle_ms))), 200),
        "page: events": (lambda: len(listing(db, None, 24).events), 20),
        "page: events of one camera": (lambda: len(listing(db, "gate", 24, count_n // 2).events), 20),
        "clips of one camera": (lambda: len(clips.finished(db, "shop", 100)), 20)}
    table = Table(f"A store with {count_n:,} clips", HEAD)
    for name, (way, limit_ms) in ways.items():
        took, found_n = measure(way, rounds_n)
        table.rows.append((name, took.text(1), f"{found_n:,}"))
        table.figures[name] = took.values
        if limit_ms:
            table.verdicts.append(Verdict(name, limit_ms, "ms", took.median))
    return table


def a_day(db: sqlite3.Connection, begin_ms: int, now_ms: int, said: PageWords) -> int:
    """What the page reads and works out of a day; returns how many clips and events were in it."""
    span, dates, shown_n = WallSpan(begin_ms, begin_ms + DAY_MS), Dates(db), 0
    for camera in CAMERAS:
        found = camera_day(db, dates, camera, span, now_ms)
        pieces = pieces_of(found, span, now_ms, camera == CAMERAS[-1])
        lane_view(camera, pieces, found, DayQuery(day_of(begin_ms)), said)
        shown_n += len(found.footage) + len(found.events)
    return shown_n


def month(begin_ms: int) -> list[WallSpan]:
    """The days of one."""
    return [WallSpan(begin_ms + n * DAY_MS, begin_ms + (n + 1) * DAY_MS) for n in range(31)]


def measure(way: Callable[[], int], rounds_n: int) -> tuple[Spread, int]:
    """CPU milliseconds of each round, and what it found."""
    times_ms, found_n = [], 0
    for _ in range(rounds_n):
        began_s = time.process_time()
        found_n = way()
        times_ms.append(1000 * (time.process_time() - began_s))
    return Spread(tuple(times_ms)), found_n


def start(table: Table, folders: Folders) -> None:
    """A start after a cut, and the daily sweep."""
    name = "start: recovery"
    took_s, grown_mb = inside(table, folders, name, "recovery")
    table.verdicts += [Verdict(name, 5, "s", took_s), Verdict(f"{name}, memory", 5, "MB", grown_mb)]
    inside(table, folders, "once a day: sweep", "once_a_day")


def check(table: Table, folders: Folders) -> None:
    """What taimat verify does with a card."""
    inside(table, folders, "taimat verify, rows and tiny clips", "verify")


def inside(table: Table, folders: Folders, name: str, what: str) -> tuple[float, float]:
    """Do it in a process of its own: a row, and the seconds and MB of memory that it took."""
    said = subprocess.run([sys.executable, "-m", "scripts.benches.shelf_inside", folders.root, what],
                          capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]).stdout
    took_s, found_n, grown_mb = (float(word) for word in said.split())
    table.rows.append((f"{name}, {grown_mb:.1f} MB more", f"{1000 * took_s:.1f}", f"{found_n:,.0f}"))
    table.figures[name] = {"s": took_s, "grown_mb": grown_mb}
    return took_s, grown_mb
