"""What recording costs the card: bytes that reach it for each byte of video, and flushes a minute.

A real ext4 on a loop device of its own (noatime), counted by the device. All of the agent lies on it, the database
too, and messages go to a broker. The card is flushed before each count. Video bytes are those of finished clips and of
the open one.
"""
import contextlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from scripts.benches import needs, streams
from scripts.benches.device import device, network
from scripts.benches.loopcard import Card, Written, mounted
from scripts.benches.plan import Plan, tell
from scripts.benches.processes import BenchError, bytes_under, wait_until
from scripts.benches.table import Table, Verdict
from tests.rigs.broker import Broker

MB = 1_000_000
START_S = 40


class Mode(NamedTuple):
    """One way to record, before one scene."""

    name: str
    scene: str
    record: str
    keys: dict[str, float]


# Short waits in the visits, so that there are several events and clips in the time measured.
CONTINUOUS = Mode("continuous, people", "yard", "continuous", {})
MODES = (CONTINUOUS, Mode("motion, visits", "visits", "motion", {"pre_roll_s": 1, "post_roll_s": 1, "merge_gap_s": 1}),
         Mode("motion, quiet", "quiet", "motion", {}))


class Bill(NamedTuple):
    """What one mode cost."""

    card: Written
    video_b: int
    clips_n: int
    took_s: float


def run(plan: Plan) -> Iterator[Table]:
    """Measure, and give the table."""
    needs.demand(needs.mosquitto, needs.loop_mount)
    warm_s, long_s = plan.warm_s(12), plan.long_s(90, 25)
    bills = {}
    for mode in MODES:
        tell(f"card: {mode.name}")
        with tempfile.TemporaryDirectory(prefix="taimat-bench-") as folder:
            bills[mode.name] = measure(mode, Path(folder), warm_s, long_s)
    yield tabulate(bills)


def measure(mode: Mode, folder: Path, warm_s: float, long_s: float) -> Bill:
    """One mode on a fresh card. Raises BenchError when nothing was recorded that should have been."""
    with contextlib.ExitStack() as stack:
        card = stack.enter_context(mounted(folder))
        broker = stack.enter_context(Broker(folder / "broker"))
        server = stack.enter_context(streams.camera(mode.scene))
        mine = device(folder / "device", network(server, mode.record, **mode.keys), broker, store=card.mount / "store")
        stack.enter_context(mine.agent())
        wait_until(mine.clips.exists, START_S, "the store is made", mine.log)
        if mode.scene != "quiet":
            wait_until(lambda: any(mine.clips.rglob("*.mp4*")), START_S, "a clip is begun", mine.log)
        time.sleep(warm_s)
        bill = watch(card, mine.clips, long_s)
    if mode.scene != "quiet" and not bill.video_b:
        raise BenchError(f"{mode.name}: nothing was recorded")
    return bill


def watch(card: Card, clips: Path, long_s: float) -> Bill:
    """What the card and the clips gained in this time."""
    began_s, card_0, video_0, clips_0 = time.monotonic(), card.written(), bytes_under(clips), clips_in(clips)
    time.sleep(long_s)
    video_b, written = bytes_under(clips) - video_0, card.written().since(card_0)
    return Bill(written, video_b, clips_in(clips) - clips_0, time.monotonic() - began_s)


def clips_in(clips: Path) -> int:
    """Finished clips."""
    return sum(1 for _ in clips.rglob("*.mp4"))


def tabulate(bills: dict[str, Bill]) -> Table:
    """Modes below each other."""
    table = Table("Writing to the card: ext4 on a loop device, whole agent with a broker",
                  ("", "card MB/min", "video MB/min", "card/video", "writes/min", "flushes/min", "clips/min"))
    for name, bill in bills.items():
        a_min = 60 / bill.took_s
        ratio = f"{bill.card.bytes / bill.video_b:.3f}" if bill.video_b else "-"
        mb = (f"{size_b * a_min / MB:.3f}" for size_b in (bill.card.bytes, bill.video_b))
        table.rows.append((name, *mb, ratio, f"{bill.card.writes_n * a_min:.0f}", f"{bill.card.flushes_n * a_min:.0f}",
                           f"{bill.clips_n * a_min:.1f}"))
        table.figures[name] = {**bill._asdict(), "card": bill.card._asdict()}
    always = bills[CONTINUOUS.name]
    table.verdicts.append(Verdict("continuous, card/video", 1.05, "", always.card.bytes / always.video_b))
    return table
