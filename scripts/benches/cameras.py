"""Several network cameras in one capture process: what each further one costs, beside Debian's motion.

Each camera is an RTSP server of its own with a quiet scene: a main stream that is recorded all the time and a
sub-stream that is looked at. System calls are counted in a time of their own, behind the one for the processor.
"""
import contextlib
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from scripts.benches import needs, streams
from scripts.benches.capture import FLOOR, MOTION_CONF, take_turn
from scripts.benches.device import device, network
from scripts.benches.plan import Plan, tell
from scripts.benches.processes import cpu_s, memory_b, running, syscalls_n, wakeups_n
from scripts.benches.table import Spread, Table, Verdict
from tests.rigs.rtsp import RtspCamera

COUNTS = (1, 2, 4, 8)
AGAINST = (1, 4)            # as many cameras as motion gets, too
COUNT_S = 10.0              # how long system calls are counted
START_S = 4.0               # by then the cameras have been recorded for two seconds and more
MB = 1_000_000


class Cost(NamedTuple):
    """What a number of cameras took; `start_cpu_s` of the first START_S, recording included."""

    cpu_s_per_min: float
    wakeups_per_s: float
    syscalls_per_min: float
    pss_b: float
    start_cpu_s: float


def run(plan: Plan) -> Iterator[Table]:
    """Measure, and give the table."""
    needs.demand(needs.motion, needs.perf)
    warm_s, long_s, rounds_n = plan.warm_s(12), plan.long_s(40, 15), plan.rounds(3)
    floors: list[float] = []
    ours: dict[int, list[Cost]] = {count: [] for count in COUNTS}
    theirs: dict[int, list[Cost]] = {count: [] for count in AGAINST}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="taimat-bench-")))
        servers = [stack.enter_context(streams.camera("quiet")) for _ in range(max(COUNTS))]
        for number in range(rounds_n):
            tell(f"cameras: round {number + 1} of {rounds_n}")
            place = folder / f"{number}"
            (place / "floor").mkdir(parents=True)
            floors.append(take_turn(FLOOR, servers[0], place / "floor", warm_s, long_s).cpu_s_per_min)
            for count in COUNTS:
                ours[count].append(taimat(servers[:count], place / f"taimat-{count}", warm_s, long_s))
            for count in AGAINST:
                theirs[count].append(motion(servers[:count], place / f"motion-{count}", warm_s, long_s))
    yield tabulate(Spread(tuple(floors)), ours, theirs, long_s)


def taimat(servers: Sequence[RtspCamera], place: Path, warm_s: float, long_s: float) -> Cost:
    """Our capture process with these cameras."""
    with device(place, [network(server, "continuous") for server in servers]).role("capture", "--network") as pid:
        return measure(pid, warm_s, long_s)


def motion(servers: Sequence[RtspCamera], place: Path, warm_s: float, long_s: float) -> Cost:
    """Debian's motion with these cameras: one process, a file for each."""
    place.mkdir()
    for number, server in enumerate(servers):
        text = MOTION_CONF.format(folder=place, main=server.url, sub=server.sub_url)
        (place / f"camera{number}.conf").write_text(f"camera_id {number + 1}\n{text}" if number else text)
    others = "".join(f"camera {place}/camera{number}.conf\n" for number in range(1, len(servers)))
    (place / "motion.conf").write_text((place / "camera0.conf").read_text() + others)
    with running("motion", [needs.MOTION, "-n", "-c", place / "motion.conf"], place) as pid:
        return measure(pid, warm_s, long_s)


def measure(pid: int, warm_s: float, long_s: float) -> Cost:
    """What a process costs at first, and once it has settled."""
    time.sleep(START_S)
    start_cpu_s = cpu_s(pid)
    time.sleep(max(0.0, warm_s - START_S))
    began_s, cpu_0_s, wakeups_0 = time.monotonic(), cpu_s(pid), wakeups_n(pid)
    time.sleep(long_s)
    took_s, cpu, wakeups = time.monotonic() - began_s, cpu_s(pid) - cpu_0_s, wakeups_n(pid) - wakeups_0
    syscalls = syscalls_n(pid, COUNT_S) * 60 / COUNT_S
    return Cost(cpu * 60 / took_s, wakeups / took_s, syscalls, memory_b(pid)[0], start_cpu_s)


def tabulate(unit: Spread, ours: dict[int, list[Cost]], theirs: dict[int, list[Cost]], long_s: float) -> Table:
    """Numbers of cameras below each other."""
    table = Table("Network cameras in one process: 1080p15 main recorded, 640x360 sub-stream at 5 fps, quiet scenes",
                  ("", "CPU s/min", "x F", "wake-ups/s each", "syscalls/min each", "PSS MB", "start CPU s"))
    table.rows.append((FLOOR.name, unit.text(), "1.0", "", "", "", ""))
    for who, costs in (("taimat", ours), ("motion", theirs)):
        for count, rounds in costs.items():
            cpu, wakeups, syscalls, pss, start = (Spread(values) for values in zip(*rounds, strict=True))
            table.rows.append((f"{who}, {count}", cpu.text(), cpu.over(unit).text(1), f"{wakeups.median / count:.0f}",
                               f"{syscalls.median / count:.0f}", f"{pss.median / MB:.1f}", start.text()))
            table.figures[f"{who} {count}"] = [cost._asdict() for cost in rounds]
    table.verdicts += verdicts(unit, ours, theirs)
    table.notes.append(f"{len(unit.values)} rounds of {long_s:g} s each; medians (min-max), ratios pair by pair; "
                       "taimat records all the time, motion while something moves")
    return table


def verdicts(unit: Spread, ours: dict[int, list[Cost]], theirs: dict[int, list[Cost]]) -> Iterator[Verdict]:
    """The targets."""
    def spread(costs: list[Cost], field: str) -> Spread:
        return Spread(tuple(getattr(cost, field) for cost in costs))

    cpu = {count: spread(costs, "cpu_s_per_min") for count, costs in ours.items()}
    least, most, four = min(COUNTS), max(COUNTS), max(AGAINST)
    further_n = most - least
    further = Spread(tuple((high - low) / further_n
                           for low, high in zip(cpu[least].values, cpu[most].values, strict=True)))
    grown_b = spread(ours[most], "pss_b").median - spread(ours[least], "pss_b").median
    against = cpu[four].over(spread(theirs[four], "cpu_s_per_min"))
    yield Verdict("one camera", 2.5, "F", cpu[least].over(unit).median)
    yield Verdict("each further camera", 1.7, "F", further.over(unit).median)
    yield Verdict("each further camera", 8, "MB PSS", grown_b / further_n / MB)
    yield Verdict("four cameras", 8, "F", cpu[four].over(unit).median)
    yield Verdict("four cameras against motion", 0.75, "x", against.median)
    yield Verdict("system calls a minute of one camera", 20_000, "", spread(ours[least], "syscalls_per_min").median)
    yield Verdict("wake-ups a second of one camera", 40, "", spread(ours[least], "wakeups_per_s").median)
    yield Verdict("memory of a process with one camera", 70, "MB PSS", spread(ours[least], "pss_b").median / MB)
    yield Verdict("start of a process with one camera", 0.6, "CPU s", spread(ours[least], "start_cpu_s").median)
