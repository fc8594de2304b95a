"""A long recording: does memory grow, is a frame lost, does media time stay wall time?

One camera, recorded all the time, the whole agent with a broker. Frames are missing where a clip's length has room for
more than it holds. Media time is compared with the monotonic clock as seen from outside: clips turn up in the store as
they begin, and the first and the last that did lie as far apart as the clips between them are long.
"""
import contextlib
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import linear_regression
from typing import NamedTuple

from agent.store.database import FILE
from scripts.benches import needs, streams
from scripts.benches.device import device, network, roles
from scripts.benches.plan import Plan, tell
from scripts.benches.processes import memory_b, wait_until
from scripts.benches.table import Table, Verdict
from tests.rigs.mqtt.broker import Broker

ROLES = ("capture", "keeper", "link", "web")
START_S = 40
SETTLE_SHARE = 0.25         # of the time: memory still fills what it is bounded by
LOOK_S = 0.02
SAMPLE_S = 10.0
HOUR_S = 3600
MB = 1_000_000
SLOPE_MAX_MB = 1.0          # an hour; less can't be told from the allocator's moods in two hours


class Begun(NamedTuple):
    """When a clip turned up."""

    seq: int
    mono_s: float


class Soaked(NamedTuple):
    """What was seen."""

    memory: dict[str, list[tuple[float, float]]]        # role -> (seconds, RSS in MB)
    begun: list[Begun]
    lengths_ms: dict[int, int]
    frames_n: dict[int, int]


def run(plan: Plan) -> Iterator[Table]:
    """Measure, and give the table."""
    needs.demand(needs.mosquitto)
    long_s = plan.long_s(2 * HOUR_S, 200)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="taimat-bench-")))
        broker = stack.enter_context(Broker(folder / "broker"))
        server = stack.enter_context(streams.camera("calm"))
        mine = device(folder / "device", network(server, "continuous"), broker)
        supervisor = stack.enter_context(mine.agent())
        wait_until(lambda: any(mine.clips.rglob("*.part")), START_S, "a clip is open", mine.log)
        yield tabulate(watch(mine.store, roles(supervisor), long_s), long_s)


def watch(store: Path, pids: dict[str, int], long_s: float) -> Soaked:
    """Look on for this long."""
    began_s = sampled_s = time.monotonic()
    memory: dict[str, list[tuple[float, float]]] = {role: [] for role in ROLES}
    begun: list[Begun] = []
    with contextlib.closing(sqlite3.connect(f"file:{store / FILE}?mode=ro", uri=True)) as db:
        while (now_s := time.monotonic()) - began_s < long_s:
            newest = db.execute("SELECT max(seq) FROM clip").fetchone()[0] or 0
            if not begun or newest > begun[-1].seq:
                begun.append(Begun(newest, time.monotonic()))
                tell(f"soak: {now_s - began_s:.0f} of {long_s:.0f} s, {len(begun)} clips")
            if now_s - sampled_s >= SAMPLE_S:
                sampled_s = now_s
                for role in ROLES:
                    memory[role].append((now_s - began_s, memory_b(pids[role])[2] / MB))
            time.sleep(LOOK_S)
        rows = db.execute("SELECT seq, dur_ms, frames FROM clip WHERE dur_ms IS NOT NULL").fetchall()
    return Soaked(memory, begun, {seq: ms for seq, ms, _ in rows}, {seq: n for seq, _, n in rows})


def tabulate(seen: Soaked, long_s: float) -> Table:
    """Roles below each other, and the clips' sums. The clip that was open at the beginning does not count."""
    table = Table(f"{long_s / 60:.0f} minutes of recording", ("", "RSS MB at first", "at last", "slope MB/hour"))
    slopes = {}
    for role, samples in seen.memory.items():
        settled = [each for each in samples if each[0] >= SETTLE_SHARE * long_s]
        slopes[role] = linear_regression(*zip(*settled, strict=True)).slope * HOUR_S
        table.rows.append((role, f"{settled[0][1]:.1f}", f"{settled[-1][1]:.1f}", f"{slopes[role]:+.2f}"))
    first, last = seen.begun[1], seen.begun[-1]
    between = range(first.seq, last.seq)
    media_s = sum(seen.lengths_ms[seq] for seq in between) / 1000
    clock_s = last.mono_s - first.mono_s
    missing_n = sum(round(seen.lengths_ms[seq] * streams.MAIN[2] / 1000) - seen.frames_n[seq] for seq in between)
    table.notes.append(f"{len(between)} clips: {media_s:.2f} s of video in {clock_s:.2f} s, "
                       f"{sum(seen.frames_n[seq] for seq in between)} frames")
    table.verdicts += [
        Verdict("frames missing", 0, "", missing_n),
        Verdict("video against the monotonic clock", 0.1, "s an hour", abs(media_s - clock_s) * HOUR_S / clock_s),
        *(Verdict(f"slope of {role}", SLOPE_MAX_MB, "MB an hour", slope) for role, slope in slopes.items())]
    table.figures = {"memory_mb": seen.memory, "media_s": media_s, "clock_s": clock_s, "missing_n": missing_n}
    return table
