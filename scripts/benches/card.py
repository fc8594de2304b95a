"""What recording costs the card: bytes that reach it for each byte of video, flushes, and what a day comes to.

A real ext4 on a loop device of its own (noatime), counted by the device. All of the agent lies on it, the database
too, and messages go to a broker. The card is flushed before each count. Video bytes are those of finished clips and of
the open one. The kernel counts how often we ask for a flush; the device has about two for each, for the file system
flushes before and after its journal's commit.
"""
import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from agent.capture.clipfile import ClipFile
from agent.store import meta
from agent.store.database import FILE, PAGE_B, connect
from scripts.benches import needs, streams
from scripts.benches.device import device, network
from scripts.benches.latency import subscriber
from scripts.benches.loopcard import Card, Written, mounted
from scripts.benches.others import SHARE_MAX, others
from scripts.benches.plan import Plan, tell
from scripts.benches.processes import BenchError, bytes_under, syscalls_n, tree, wait_until
from scripts.benches.table import Bar, Table, Verdict
from tests.rigs.mqtt.broker import Broker

MB = 1_000_000
START_S = 40
FRAGMENT_S = 0.9        # two of them are `sync_every_s`


class Mode(NamedTuple):
    """One way to record, before one scene."""

    name: str
    scene: str
    kbps: int
    record: str
    keys: dict[str, float]


# Events with all settings as they are come every 25 s instead of every seven minutes, as 200 of a day do: what lies
# between them, the calm scene tells. With the visitors waits are short, so that there are as many clips as can be.
HEAVY = {"pre_roll_s": 1, "post_roll_s": 1, "merge_gap_s": 1}
CONTINUOUS = Mode("continuous, 4 Mbit/s", "people", 4000, "continuous", {})
CHEAP = Mode("continuous, 2 Mbit/s", "people", 2000, "continuous", {})
EVENTS = Mode("events, 4 Mbit/s", "rare", 4000, "motion", {})
CALM = Mode("calm", "calm", 2000, "motion", {})
QUOTED = (CONTINUOUS, CHEAP, CALM)
MODES = (*QUOTED, EVENTS, Mode("events, 2 Mbit/s", "rare", 2000, "motion", {}),
         Mode("an event every 12 s, 2 Mbit/s", "visitors", 2000, "motion", HEAVY))
SYNCS = "syscalls:sys_enter_fdatasync,syscalls:sys_enter_fsync"
A_DAY_MIN = 24 * 60
LOG_B = 1000 * PAGE_B       # where SQLite begins it anew


class Bill(NamedTuple):
    """What one mode cost."""

    card: Written
    video_b: int
    clips_n: int
    syncs_n: int
    took_s: float
    others: float = 0.0         # the share of the machine that others took meanwhile

    @property
    def ratio(self) -> float:
        """Bytes on the card for each byte of video."""
        return self.card.bytes / self.video_b if self.video_b else float("inf")


def run(plan: Plan) -> Iterator[Table]:
    """Measure, and give the table."""
    needs.demand(needs.mosquitto, needs.loop_mount, needs.perf)
    warm_s, long_s = (20.0, 50.0) if plan.brief else (plan.warm_s(20, 20), plan.long_s(120, 50))
    bills = {}
    for mode in QUOTED if plan.brief or plan.quick else MODES:
        tell(f"card: {mode.name}")
        with tempfile.TemporaryDirectory(prefix="taimat-bench-") as folder:
            bills[mode.name] = measure(mode, Path(folder), warm_s, long_s)
    with tempfile.TemporaryDirectory(prefix="taimat-bench-") as folder:
        bills[f"a clip's file alone, {CHEAP.kbps // 1000} Mbit/s"] = bare(CHEAP.kbps, Path(folder), long_s)
    yield tabulate(bills)


def measure(mode: Mode, folder: Path, warm_s: float, long_s: float) -> Bill:
    """One mode on a fresh card. Raises BenchError when nothing was recorded that should have been."""
    with contextlib.ExitStack() as stack:
        card = stack.enter_context(mounted(folder))
        broker = stack.enter_context(Broker(folder / "broker"))
        stack.enter_context(subscriber(broker.port))        # else the outbox would grow
        server = stack.enter_context(streams.camera(mode.scene, kbps=mode.kbps))
        mine = device(folder / "device", network(server, mode.record, **mode.keys), broker, store=card.mount / "store")
        supervisor = stack.enter_context(mine.agent())
        wait_until(mine.clips.exists, START_S, "the store is made", mine.log)
        if mode.scene != CALM.scene:
            wait_until(lambda: any(mine.clips.rglob("*.mp4*")), START_S, "a clip is begun", mine.log)
        season(mine.store)
        time.sleep(warm_s)
        with others() as beside:
            bill = watch(card, mine.clips, tree(supervisor), long_s)
    if mode.scene != CALM.scene and not bill.video_b:
        raise BenchError(f"{mode.name}: nothing was recorded")
    return bill._replace(others=beside.share)


def bare(kbps: int, folder: Path, long_s: float) -> Bill:
    """A clip's file alone, appended to and flushed as the recorder does it: no recorder can cost less."""
    with mounted(folder) as card, contextlib.closing(ClipFile(card.mount / "clips" / "bare.part")) as file:
        before, began_s, syncs_n = card.written(), time.monotonic(), 0
        while (pieces_n := round((time.monotonic() - began_s) / FRAGMENT_S)) * FRAGMENT_S < long_s:
            time.sleep(max(0.0, began_s + (pieces_n + 1) * FRAGMENT_S - time.monotonic()))
            file.append(os.urandom(round(kbps * 1000 / 8 * FRAGMENT_S)))
            if pieces_n % 2:
                file.sync()
                syncs_n += 1
        return Bill(card.written().since(before), file.size_b, 0, syncs_n, time.monotonic() - began_s)


def season(store: Path) -> None:
    """Let the database's log have its length, as it has after a few hours: as long as it grows, each commit costs more.
    """
    with contextlib.closing(connect(store)) as db:
        while (store / f"{FILE}-wal").stat().st_size < LOG_B:
            meta.put(db, "bench", os.urandom(20_000).hex())


def watch(card: Card, clips: Path, pids: list[int], long_s: float) -> Bill:
    """What the card and the clips gained in this time, and how often these processes asked for a flush."""
    began_s, card_0, video_0, clips_0 = time.monotonic(), card.written(), bytes_under(clips), clips_in(clips)
    syncs_n = syscalls_n(pids, long_s, SYNCS)
    video_b, written = bytes_under(clips) - video_0, card.written().since(card_0)
    return Bill(written, video_b, clips_in(clips) - clips_0, syncs_n, time.monotonic() - began_s)


def clips_in(clips: Path) -> int:
    """Finished clips."""
    return sum(1 for _ in clips.rglob("*.mp4"))


def tabulate(bills: dict[str, Bill]) -> Table:
    """Modes below each other."""
    table = Table("Card: ext4 on a loop device, the whole agent with a broker",
                  ("", "card MB/min", "video MB/min", "card/video", "kB more a clip", "writes/min", "syncs/min",
                   "flushes/min", "clips/min"))
    for name, bill in bills.items():
        a_min = 60 / bill.took_s
        ratio = f"{bill.ratio:.3f}" if bill.video_b else "-"
        more = f"{(bill.card.bytes - bill.video_b) / bill.clips_n / 1000:.0f}" if bill.clips_n else "-"
        mb = (f"{size_b * a_min / MB:.3f}" for size_b in (bill.card.bytes, bill.video_b))
        counts = (bill.card.writes_n, bill.syncs_n, bill.card.flushes_n)
        table.rows.append((name, *mb, ratio, more, *(f"{count * a_min:.0f}" for count in counts),
                           f"{bill.clips_n * a_min:.1f}"))
        table.figures[name] = {**bill._asdict(), "card": bill.card._asdict()}
    calm = bills[CALM.name]
    share = max(bill.others for bill in bills.values())
    doubt = f"others took up to {100 * share:.0f} % of the machine" if share > SHARE_MAX else ""
    if events := bills.get(EVENTS.name):
        table.verdicts.append(Verdict(f"{EVENTS.name}: card/video", 1.05, "", events.ratio, doubt))
    table.bars = [Bar(name, bill.card.bytes * 60e-6 / bill.took_s) for name, bill in bills.items()]
    table.scale = "MB/min"
    for mode in (CONTINUOUS, CHEAP):
        bill = bills[mode.name]
        table.verdicts += [Verdict(f"{mode.name}: card/video", 1.02, "", bill.ratio, doubt),
                           Verdict(f"{mode.name}: syncs a minute", 32, "", bill.syncs_n * 60 / bill.took_s, doubt)]
    table.verdicts += [
        Verdict("calm: a day", 2, "MB", calm.card.bytes * 60 / calm.took_s * A_DAY_MIN / MB, doubt),
        Verdict("calm: syncs a minute", 0, "", calm.syncs_n * 60 / calm.took_s, doubt)]
    return table
