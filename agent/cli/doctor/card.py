"""The card: room, health, real speed, and how long it lasts; and the runtime folder, which must not be on it."""
import os
import sqlite3
import tempfile
import time
from pathlib import Path

from agent.cli.doctor.verdict import CheckVerdict, bad, ok, skipped, warn, worst
from agent.cli.exits import with_sudo
from agent.cli.terminal import size
from agent.config.settings import Store
from agent.core.health import forecast
from agent.core.health.facts import HostFacts
from agent.host.probes import volume
from agent.host.probes.machine import Probes
from agent.host.users import step_down
from agent.store.clips import newest
from agent.store.database import FILE, StoreError, connect

WRITTEN_B, PIECE_B = 8 * 1024 * 1024, 512 * 1024        # flushed after each piece, as the recorder does
SLOW_B_PER_S, USELESS_B_PER_S = 4e6, 1e6                # a 4 Mbit/s camera writes 0.5 MB a second
LONG_FLUSH_S = 2.0
ANSWER_S = 10.0
MEMORY_FILE_SYSTEMS = ("tmpfs", "ramfs")
INODES_MIN_N = 5000
RATE_DAYS_MAX = 1.0         # days back from which the fill rate is taken, as health does
RATE_CLIPS_MAX = 20_000
DAY_MS = 86_400_000


def examine(store: Store) -> CheckVerdict:
    """Look at the card that holds the store's folder, or will hold it."""
    folder = Path(store.folder)
    place = _nearest(folder)
    facts = _facts(place)
    verdicts = []
    if place != folder:
        verdicts.append(warn(f"{folder} is not there yet; looked at {place}", "it is made at the first start"))
    if facts.card_error or facts.card_errors_n:
        verdicts.append(bad(f"the card reports errors ({facts.card_errors_n or 'a read failed'})",
                            "copy what you need and replace the card"))
    if facts.card_missing:
        verdicts.append(bad(f"the volume for {folder} is not mounted", "plug it in and restart; see /etc/fstab"))
    step_down(folder)               # for good: each check is a process of its own
    return worst([*verdicts, _room(facts, store), _speed(place, facts), *_lasts(folder, facts, store)])


def _facts(place: Path) -> HostFacts:
    """What the probes know once the card has answered; a busy one takes longer than a single look."""
    probes, until_s = Probes(place, sample=FILE), time.monotonic() + ANSWER_S
    facts = probes.read(time.monotonic())
    while facts.disk_tot_b is None and time.monotonic() < until_s:
        facts = probes.read(time.monotonic())
    return facts


def _nearest(folder: Path) -> Path:
    """The folder, or of those above it the first that is there."""
    return next(each for each in (folder, *folder.parents) if os.path.exists(each))


def runtime(folder: Path) -> CheckVerdict:
    """Sockets belong in memory."""
    place = _nearest(folder)
    kind = _file_system(place)
    if kind in MEMORY_FILE_SYSTEMS:
        return ok(f"{folder} is in memory")
    return warn(f"{folder} is on a disk ({kind or 'unknown'}): counters there wear it and outlive a restart",
                "choose a folder below /run under [store] runtime")


def _file_system(place: Path) -> str | None:
    """Its type, from mountinfo (man 5 proc): the word behind the dash, of the deepest mount."""
    mount = volume.holding(volume.mounts(Path("/")), place.resolve())
    for line in reversed(Path("/proc/self/mountinfo").read_text().splitlines()):
        words, _, tail = line.partition(" - ")
        if mount is not None and words.split()[4] == mount.point:
            return tail.split()[0]
    return None


def _room(facts: HostFacts, store: Store) -> CheckVerdict:
    if facts.disk_free_b is None or not facts.disk_tot_b:
        return bad("the card does not say how much room it has", "restart the device; else replace the card")
    text = f"{size(facts.disk_free_b)} free of {size(facts.disk_tot_b)}"
    if facts.read_only:
        return bad(f"{text}, but mounted read-only", "restart the device; if it stays so, replace the card")
    if facts.inodes_free_n is not None and facts.inodes_free_n < INODES_MIN_N:
        return bad(f"{text}, but room for {facts.inodes_free_n} files only",
                   "delete small files that are not the recorder's")
    if facts.disk_free_b < facts.disk_tot_b * store.free_floor_pct / 200:
        return warn(f"{text}, less than half of the {store.free_floor_pct:g} % that are kept free",
                    "delete files that are not the recorder's, or use a larger card")
    return ok(text)


def _speed(place: Path, facts: HostFacts) -> CheckVerdict:
    """Write and flush for real, into a file without a name, which is gone however this ends."""
    if (facts.disk_free_b or 0) < 4 * WRITTEN_B:
        return skipped("too full for a speed test")
    longest_s, began_s = 0.0, time.monotonic()
    try:
        with tempfile.TemporaryFile(dir=place, buffering=0) as file:
            piece = os.urandom(PIECE_B)
            for _ in range(WRITTEN_B // PIECE_B):
                file.write(piece)
                flushed_s = time.monotonic()
                os.fdatasync(file)
                longest_s = max(longest_s, time.monotonic() - flushed_s)
    except PermissionError:
        return bad("can't be written by this user", f"see permissions, or: {with_sudo()}")
    except OSError as error:
        return bad(f"can't be written: {error.strerror}", "restart the device; if it stays so, replace the card")
    b_per_s = WRITTEN_B / (time.monotonic() - began_s)
    text = f"writes {b_per_s / 1e6:.1f} MB/s, the slowest flush took {1000 * longest_s:.0f} ms"
    if b_per_s < USELESS_B_PER_S:
        return bad(text, "replace the card: it can't keep up with a camera")
    if b_per_s < SLOW_B_PER_S or longest_s > LONG_FLUSH_S:
        return warn(text, "use a faster card (A1 or high endurance) if clips have gaps")
    return ok(text)


def _lasts(folder: Path, facts: HostFacts, store: Store) -> list[CheckVerdict]:
    """Days until the oldest clips must go, from what the last day's clips took."""
    if not os.path.exists(folder / FILE):       # also when this user may not look
        return []
    try:
        b_per_day = _recorded_b_per_day(connect(folder))
    except (StoreError, sqlite3.Error) as error:
        return [bad(f"the database can't be opened: {error}", "see permissions")]
    days = forecast.days_left(facts.disk_free_b, facts.disk_tot_b, store.free_floor_pct, b_per_day)
    if days is None:
        return [ok("how long it lasts shows after a few clips")]
    lasts = "more than a year" if days >= forecast.DAYS_MAX else f"{days:.0f} days"
    return [ok(f"{size(int(b_per_day or 0))} a day, {lasts} until the oldest clips make room")]


def _recorded_b_per_day(db: sqlite3.Connection) -> float | None:
    """Bytes a day of the newest day of clips; None with less than an hour of them."""
    count_b, first_ms, last_ms = 0, None, None
    for number, clip in enumerate(newest(db, None)):
        last_ms = clip.wall_ms if last_ms is None else last_ms
        if number >= RATE_CLIPS_MAX or last_ms - clip.wall_ms > RATE_DAYS_MAX * DAY_MS:
            break
        count_b, first_ms = count_b + (clip.bytes or 0), clip.wall_ms
    if first_ms is None or last_ms is None or last_ms - first_ms < forecast.LEAST_SPAN_S * 1000:
        return None
    return count_b * DAY_MS / (last_ms - first_ms)
