"""Checks the card: room, health, real speed, and how long it lasts; and the runtime folder, which must not be on it."""
import os
import re
import sqlite3
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import psutil

from agent.cli.doctor import CheckVerdict, bad, ok, skipped, warn, worst
from agent.cli.exits import with_sudo
from agent.cli.processes import processes
from agent.cli.terminal import size
from agent.config.settings import Store
from agent.core.health import forecast
from agent.core.health.facts import HostFacts
from agent.host.probes import volume
from agent.host.probes.machine import Probes
from agent.host.users import step_down
from agent.store.card_fault import NO_ROOM, fault_of
from agent.store.clips import newest
from agent.store.database import FILE, FOLDER, StoreConnection, StoreError, connect
from agent.store.distrust import writer
from agent.store.folders import Folders

WRITTEN_B, PIECE_B = 8 * 1024 * 1024, 512 * 1024        # flushed after each piece, as the recorder does
SLOW_B_PER_S, USELESS_B_PER_S = 4e6, 1e6                # a 4 Mbit/s camera writes 0.5 MB a second
LONG_FLUSH_S = 2.0
ANSWER_S = 10.0
HELD_S = 5.0                # longer than a commit takes
MEMORY_FILE_SYSTEMS = ("tmpfs", "ramfs")
INODES_MIN_N = 5000
RATE_DAYS_MAX = 1.0         # the newest day gives the fill rate, as in health
RATE_CLIPS_MAX = 20_000
DAY_MS = 86_400_000
DU_WITHIN_S = 10            # for our folders, and again for all others
NAMED_N = 3
DEPTH = 2                   # below the mount: /home/anna is precise enough


def examine(store: Store) -> CheckVerdict:
    folder = Path(store.folder)
    place = _nearest(folder)
    facts = _facts(place)
    verdicts = []
    if place != folder:
        verdicts.append(warn(f"{folder} does not exist yet; checked {place}", "the first start makes it"))
    if facts.card_error or facts.card_errors_n:
        verdicts.append(bad(f"the card reports errors ({facts.card_errors_n or 'a read failed'})",
                            "copy what you need and replace the card"))
    if facts.card_missing:
        verdicts.append(bad(f"the volume for {folder} is not mounted", "plug it in and restart; see /etc/fstab"))
    step_down(folder)               # for good: each check is a process of its own
    return worst([*verdicts, _room(place, facts, store), _speed(place, facts), *_lasts(folder, facts, store)])


def _facts(place: Path) -> HostFacts:
    """Reads the probes until the card has answered; a busy one takes longer than one read."""
    probes, until_s = Probes(place, sample=FILE), time.monotonic() + ANSWER_S
    facts = probes.read(time.monotonic())
    while facts.disk_tot_b is None and time.monotonic() < until_s:
        facts = probes.read(time.monotonic())
    return facts


def _nearest(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if os.path.exists(path))


def runtime(folder: Path) -> CheckVerdict:
    place = _nearest(folder)
    mount = volume.holding(volume.mounts(Path("/")), place.resolve())
    types = {disk.mountpoint: disk.fstype for disk in psutil.disk_partitions(all=True)}     # the latest mount of each
    kind = types.get(mount.point) if mount else None
    if kind in MEMORY_FILE_SYSTEMS:
        return ok(f"{folder} is in memory")
    return warn(f"{folder} is on a disk ({kind or 'unknown'}): counters there wear it and outlive a restart",
                "choose a folder below /run under [store] runtime")


def _room(place: Path, facts: HostFacts, store: Store) -> CheckVerdict:
    if facts.disk_free_b is None or not facts.disk_tot_b:
        return bad("the card does not report its size", "restart the device; else replace the card")
    text = f"{size(facts.disk_free_b)} free of {size(facts.disk_tot_b)}"
    if facts.read_only:
        return bad(f"{text}, but mounted read-only", "restart the device; if it stays so, replace the card")
    if facts.inodes_free_n is not None and facts.inodes_free_n < min(INODES_MIN_N, (facts.inodes_tot_n or 0) // 30):
        return _full(place, f"room for only {facts.inodes_free_n} files", files=True)
    if facts.disk_free_b < facts.disk_tot_b * store.free_floor_pct / 200:
        return _full(place, f"the card is full ({text})")
    return ok(text)


def _full(place: Path, text: str, files: bool = False) -> CheckVerdict:
    are_most, said = _strangers(place, files)
    return bad(f"{text}: {said}", "delete these or move them to another disk: then it records again by itself"
               if are_most else "use a larger card, or release clips that need not be kept (taimat clips holds)")


def _strangers(store: Path, files: bool) -> tuple[bool, str]:
    """Whether others use most of the store's file system, and who, by bytes or by number of `files`.

    The total is right even if this user may not look everywhere: everything in use except the recorder's own.
    """
    its, found = Folders(store.resolve()), os.statvfs(store)
    own = [its.clips, its.thumbs, its.exports, its.household, its.cameras, its.keys, its.root / FOLDER]
    own = [folder for folder in own if folder.exists() and (its.root / FOLDER).exists()]
    mount = volume.holding(volume.mounts(Path("/")), its.root)
    used = found.f_files - found.f_ffree if files else (found.f_blocks - found.f_bfree) * found.f_frsize
    ours, _, ours_seen = _usage(own, files, "-s")
    theirs, some = used - sum(ours.values()), "" if ours_seen else "up to "
    by_folder, denied, all_seen = _usage([Path(mount.point) if mount else store], files, f"-d{DEPTH}",
                                         *(f"--exclude={folder}" for folder in own))
    alone = Counter(by_folder)
    for path, much in by_folder.items():
        alone[path.parent] -= much          # a listed folder does not count for its parent
    said = [f"{path} {_much(much, files)}" for path, much in alone.most_common(NAMED_N)]
    more = " ..." * (len(denied) > NAMED_N)
    said += [f"this user may not look into {', '.join(denied[:NAMED_N])}{more}"] * bool(denied)
    said += ["there was no time to look at all"] * (not all_seen)
    return 2 * theirs > used, f"{some}{_much(theirs, files)} are not the recorder's: {', '.join(said)}"


def _usage(places: Iterable[Path], files: bool, *options: str) -> tuple[dict[Path, int], list[str], bool]:
    """Runs du(1): usage by folder, the unreadable folders, and whether there was time for all.

    It follows no link, skips other file systems, and counts a file with two names once.
    """
    if not places:
        return {}, [], True
    command = ["timeout", f"{DU_WITHIN_S}", "du", "-0x", "--inodes" if files else "-B1", *options, "--",
               *map(str, places)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False,
                          env={**os.environ, "LC_ALL": "C"})
    lines = (line.partition("\t") for line in done.stdout.split("\0") if "\t" in line)
    denied = re.findall(r"cannot read directory '(.*)': Permission denied", done.stderr)
    return {Path(path): int(much) for much, _, path in lines}, denied, done.returncode in (0, 1)


def _much(much: int, files: bool) -> str:
    return f"{much} files" if files else size(much)


def _speed(place: Path, facts: HostFacts) -> CheckVerdict:
    """Writes and flushes a file without a name, which vanishes even after a crash."""
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
    """Forecasts the days until the oldest clips must go, from the size of the newest day's clips."""
    if not os.path.exists(folder / FILE):       # also when this user may not look
        return []
    try:
        db = connect(folder)
        b_per_day, held = _recorded_b_per_day(db), _held(db)
    except (StoreError, sqlite3.Error) as error:
        if fault_of(error, folder) in NO_ROOM:
            return []               # another verdict says so
        return [bad(f"the database can't be opened: {error}", "see permissions")]
    days = forecast.days_left(facts.disk_free_b, facts.disk_tot_b, store.free_floor_pct, b_per_day)
    if days is None:
        return [*held, ok("how long it lasts shows after a few clips")]
    lasts = "more than a year" if days >= forecast.DAYS_MAX else f"{days:.0f} days"
    return [*held, ok(f"{size(int(b_per_day or 0))} a day, {lasts} until the oldest clips make room")]


def _held(db: StoreConnection) -> list[CheckVerdict]:
    """Whether a process blocks the database for all others; a commit takes only moments."""
    until_s = time.monotonic() + HELD_S
    while (pid := writer(db.path)) is not None:
        if time.monotonic() > until_s:
            role = next((process.role for process in processes() if process.pid == pid), "not a part of Taimat")
            return [warn(f"process {pid or '?'} ({role}) holds the database: new recordings are listed later",
                         "restart the device; if it comes back, tell a technician which process it is")]
        time.sleep(0.1)
    return []


def _recorded_b_per_day(db: sqlite3.Connection) -> float | None:
    """Bytes a day, from the newest day of clips; None with less than an hour of them."""
    count_b, first_ms, last_ms = 0, None, None
    for number, clip in enumerate(newest(db, None)):
        last_ms = clip.wall_ms if last_ms is None else last_ms
        if number >= RATE_CLIPS_MAX or last_ms - clip.wall_ms > RATE_DAYS_MAX * DAY_MS:
            break
        count_b, first_ms = count_b + (clip.bytes or 0), clip.wall_ms
    if first_ms is None or last_ms is None or last_ms - first_ms < forecast.LEAST_SPAN_S * 1000:
        return None
    return count_b * DAY_MS / (last_ms - first_ms)
