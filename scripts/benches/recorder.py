"""CPU of recording alone, without looking: against ffmpeg -c copy of the same stream to the same container.

Both receive 1080p with 4 Mbit/s over RTSP and write it as fragmented MP4. ffmpeg flushes nothing and has no database;
we do. They take turns, each alone on the camera.
"""
import contextlib
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from scripts.benches import needs, streams
from scripts.benches.capture import Rival, Turn, take_turn
from scripts.benches.device import device, network
from scripts.benches.plan import Plan, tell
from scripts.benches.processes import running
from scripts.benches.table import Spread, Table, Verdict
from tests.rigs.rtsp import RtspCamera

KBPS = 4000
ALONE = "\ntamper = false\n[camera.motion]\nenabled = false"
FRAGMENTS = "frag_keyframe+empty_moov+default_base_moof"


def copy(server: RtspCamera, place: Path) -> AbstractContextManager[int]:
    """ffmpeg."""
    command = ["ffmpeg", "-v", "error", "-nostdin", "-rtsp_transport", "tcp", "-i", server.url, "-c", "copy",
               "-movflags", FRAGMENTS, "-f", "mp4", place / "film.mp4"]
    return running("ffmpeg", command, place)


def ours(server: RtspCamera, place: Path) -> AbstractContextManager[int]:
    """Our capture process, which only records."""
    return device(place, network(server, "continuous", sub=False) + ALONE).role("capture", "--network")


COPY, OURS = Rival("ffmpeg copy", "yard", copy, True), Rival("taimat, recording alone", "yard", ours, True)


def run(plan: Plan) -> Iterator[Table]:
    """Measure, and give the table."""
    needs.demand()
    warm_s, long_s, rounds_n = plan.warm_s(10), plan.long_s(45, 15), plan.rounds(3)
    turns: dict[str, list[Turn]] = {COPY.name: [], OURS.name: []}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="taimat-bench-")))
        server = stack.enter_context(streams.camera("yard", with_sub=False, kbps=KBPS))
        for number in range(rounds_n):
            for rival in (COPY, OURS):
                tell(f"recorder: round {number + 1} of {rounds_n}, {rival.name}")
                place = folder / f"{number}-{rival.name.replace(' ', '-')}"
                place.mkdir()
                turns[rival.name].append(take_turn(rival, server, place, warm_s, long_s))
    yield tabulate(turns)


def tabulate(turns: dict[str, list[Turn]]) -> Table:
    """Side by side."""
    spent = {name: Spread(tuple(turn.cpu_s_per_min for turn in rounds)) for name, rounds in turns.items()}
    table = Table("CPU of recording 1080p, 4 Mbit/s, to fragmented MP4",
                  ("", "CPU s/min", "x copy", "wake-ups/s", "MB/min"))
    for name, rounds in turns.items():
        wakeups, written = (Spread(tuple(values)) for values in list(zip(*rounds, strict=True))[1:])
        table.rows.append((name, spent[name].text(), spent[name].over(spent[COPY.name]).text(), wakeups.text(0),
                           written.text(1)))
        table.figures[name] = [turn._asdict() for turn in rounds]
    table.verdicts.append(Verdict(OURS.name, 1.3, "x copy", spent[OURS.name].over(spent[COPY.name]).median))
    return table
