"""CPU of recording and looking, in units of F, the least that receiving the stream costs; beside Debian's motion.

F is `ffmpeg -rtsp_transport tcp -c copy -f segment` on the same main stream: it receives and writes, and does nothing
else. All take turns, round by round, each alone on the camera; what counts is the whole process tree's time after a
warm-up.
"""
import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from scripts.benches import needs, streams
from scripts.benches.device import device, network
from scripts.benches.plan import Plan, tell
from scripts.benches.processes import BenchError, bytes_under, cpu_s, running, wakeups_n
from scripts.benches.table import Spread, Table, Verdict
from tests.rigs.rtsp import RtspCamera

LEAST_SHARE = 0.7           # of the main stream's bytes; who always records and wrote less did not do its work
MOTION_CONF = """daemon off
setup_mode off
log_level 5
target_dir {folder}
netcam_url {sub}
netcam_high_url {main}
netcam_params rtsp_transport=tcp
netcam_high_params rtsp_transport=tcp
width 640
height 360
framerate 5
movie_output on
movie_passthrough on
movie_codec mp4
movie_max_time 60
picture_output off
pre_capture 3
post_capture 25
event_gap 8
webcontrol_port 0
stream_port 0
"""


class Turn(NamedTuple):
    """One competitor's measured time."""

    cpu_s_per_min: float
    wakeups_per_s: float
    mb_per_min: float


Start = Callable[[RtspCamera, Path], AbstractContextManager[int]]


class Rival(NamedTuple):
    """Who takes a turn, before which scene."""

    name: str
    scene: str
    start: Start
    records_always: bool


def floor(server: RtspCamera, place: Path) -> AbstractContextManager[int]:
    """F."""
    command = ["ffmpeg", "-v", "error", "-nostdin", "-rtsp_transport", "tcp", "-i", server.url, "-c", "copy",
               "-f", "segment", "-segment_time", "60", "-reset_timestamps", "1", place / "%d.mp4"]
    return running("ffmpeg", command, place)


def motion(server: RtspCamera, place: Path) -> AbstractContextManager[int]:
    """Debian's motion: looks at the sub-stream, writes the main stream as it comes while something moves."""
    (place / "motion.conf").write_text(MOTION_CONF.format(folder=place, main=server.url, sub=server.sub_url))
    return running("motion", [needs.MOTION, "-n", "-c", place / "motion.conf"], place)


def ours(server: RtspCamera, place: Path) -> AbstractContextManager[int]:
    """Our capture process: the main stream recorded all the time, the sub-stream looked at."""
    return device(place, network(server, "continuous")).role("capture", "--network")


def ours_alone(server: RtspCamera, place: Path) -> AbstractContextManager[int]:
    """Our capture process where the camera has no sub-stream: pictures come from the main one."""
    return device(place, network(server, "continuous", sub=False)).role("capture", "--network")


FLOOR = Rival("ffmpeg copy (F)", "yard", floor, True)
OURS, THEIRS = Rival("taimat, people", "yard", ours, True), Rival("motion, people", "yard", motion, False)
OURS_QUIET, THEIRS_QUIET = Rival("taimat, quiet", "quiet", ours, True), Rival("motion, quiet", "quiet", motion, False)
ALONE = Rival("taimat, no sub-stream, people", "yard", ours_alone, True)
ALONE_QUIET = Rival("taimat, no sub-stream, quiet", "quiet", ours_alone, True)
RIVALS = (FLOOR, OURS, THEIRS, OURS_QUIET, THEIRS_QUIET, ALONE, ALONE_QUIET)


def run(plan: Plan) -> Iterator[Table]:
    """Measure, and give the table."""
    needs.demand(needs.motion)
    warm_s, long_s, rounds_n = plan.warm_s(10), plan.long_s(45, 15), plan.rounds(3)
    turns: dict[str, list[Turn]] = {rival.name: [] for rival in RIVALS}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="taimat-bench-")))
        servers = {scene: stack.enter_context(streams.camera(scene)) for scene in ("yard", "quiet")}
        for number in range(rounds_n):
            for rival in RIVALS:
                tell(f"capture: round {number + 1} of {rounds_n}, {rival.name}")
                place = folder / f"{number}-{rival.name.replace(' ', '-')}"
                place.mkdir()
                turns[rival.name].append(take_turn(rival, servers[rival.scene], place, warm_s, long_s))
    yield tabulate(turns, long_s)


def take_turn(rival: Rival, server: RtspCamera, place: Path, warm_s: float, long_s: float) -> Turn:
    """One turn. Raises BenchError when the competitor ends, or does not record what it should."""
    with rival.start(server, place) as pid:
        time.sleep(warm_s)
        before = time.monotonic(), cpu_s(pid), wakeups_n(pid), bytes_under(place)
        time.sleep(long_s)
        after = time.monotonic(), cpu_s(pid), wakeups_n(pid), bytes_under(place)
    took_s, spent_s, wakeups, size_b = (now - then for now, then in zip(after, before, strict=True))
    if rival.records_always and size_b < LEAST_SHARE * streams.MAIN[4] * 125 * took_s:
        raise BenchError(f"{rival.name} wrote {size_b} bytes in {took_s:.0f} s: that is not the whole stream")
    return Turn(spent_s * 60 / took_s, wakeups / took_s, size_b * 60e-6 / took_s)


def tabulate(turns: dict[str, list[Turn]], long_s: float) -> Table:
    """The turns side by side."""
    spent = {name: Spread(tuple(turn.cpu_s_per_min for turn in rounds)) for name, rounds in turns.items()}
    unit = spent[FLOOR.name]
    table = Table("CPU of capture: 1080p15 main stream, 2 Mbit/s, GOP 30; 640x360 sub-stream at 5 fps; RTSP over TCP",
                  ("", "CPU s/min", "x F", "wake-ups/s", "writes MB/min"))
    for name, rounds in turns.items():
        wakeups, written = (Spread(tuple(values)) for values in list(zip(*rounds, strict=True))[1:])
        table.rows.append((name, spent[name].text(), spent[name].over(unit).text(1), wakeups.text(0), written.text(1)))
        table.figures[name] = [turn._asdict() for turn in rounds]
    for mine, theirs in ((OURS, THEIRS), (OURS_QUIET, THEIRS_QUIET)):
        ours_f, against = spent[mine.name].over(unit), spent[mine.name].over(spent[theirs.name])
        table.verdicts += [Verdict(mine.name, 4, "F", ours_f.median),
                           Verdict(f"{mine.name} against {theirs.name}", 1, "x", against.median)]
    table.verdicts.append(Verdict(ALONE_QUIET.name, 5, "F", spent[ALONE_QUIET.name].over(unit).median))
    table.notes.append(f"{len(unit.values)} rounds of {long_s:g} s each; medians (min-max), ratios pair by pair; "
                       "taimat records all the time, motion while something moves")
    return table
