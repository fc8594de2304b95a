"""A Pi camera's capture process on libcamera's virtual camera: our share beside the encoder's, memory and start-up.

The real capture role records 1280x720 at 15 with x264 and looks at 320x180 five times a second. CPU is read from the
threads' own clocks; inside the camera's event loop, the calls to the encoder and to us are timed by the same clock.
What is left of the process's time are libcamera's own threads, and here those draw the picture.
"""
import json
import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from scripts.benches.needs import Missing
from scripts.benches.plan import Plan, tell
from scripts.benches.table import Spread, Table, Verdict
from tests.rigs.picamera import environment

ROOT = Path(__file__).resolve().parents[2]
EVENT_LOOP, LISTENER, SENSOR = "thread_func", "listen", "virtual-sensor"     # threads of picamera2, and one of the rig
BENCH = "bench"
PARTS = ("encoder", "ours", "picamera2", "pattern and libcamera")
CONFIG = """[store]
folder = "{place}/store"
runtime = "{place}/run"
[[camera]]
name = "gate"
source = "picamera:0"
"""
ENDS_WITHIN_S = 60
SCENES = {"quiet": "nobody there", "yard": "people all the time"}
MEMORY = {"bars": "with x264 (Pi 5, PC)", "board": "encoded outside of it (Zero 2 W, 3, 4)"}
UNITS = "taimat-.service.d/10-life.conf", "taimat-capture@.service"
LIBRARIES = Path("/usr/lib")


def run(plan: Plan) -> list[Table]:
    """Measure CPU for each scene, taking turns, and memory without footage in it. Raises Missing."""
    try:
        interpreter = environment.python(wheels=True)
    except environment.NoPicamera as missing:
        raise Missing(f"picamera2 can't run here: {missing}") from None
    shares: dict[str, list[dict[str, float]]] = {scene: [] for scene in SCENES}
    for number in range(plan.rounds(3)):
        for scene in SCENES:
            tell(f"Pi camera, {scene}, round {number + 1}")
            seen = _measure(interpreter, scene, plan.warm_s(15), plan.long_s(30, 10))
            shares[scene].append(parts(seen["costs_s"]))
    tell("Pi camera, memory")
    for folder in (interpreter.parents[1], LIBRARIES):
        _forget(folder)
    return [_cpu(shares), _memory({name: _measure(interpreter, name, plan.warm_s(15), 5) for name in MEMORY})]


def _measure(interpreter: Path, scene: str, warm_s: float, measure_s: float) -> dict[str, Any]:
    """One run of the capture role in a process of its own. Raises CalledProcessError and TimeoutExpired."""
    with tempfile.TemporaryDirectory(prefix="b") as place:
        config = Path(place, "taimat.toml")
        config.write_text(CONFIG.format(place=place))
        command = [interpreter, "-m", "scripts.benches.picamera_inside", config, scene, warm_s, measure_s]
        done = subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True, check=True,
                              timeout=warm_s + measure_s + ENDS_WITHIN_S, env={**os.environ, **_units_environment()})
    return {**json.loads(done.stdout.strip().rpartition("\n")[2]), "measure_s": measure_s}


def _units_environment() -> dict[str, str]:
    """What the systemd units set, for it decides on threads and memory."""
    lines = [line for name in UNITS
             for line in re.findall(r"^Environment=(.*)$", (ROOT / "systemd" / name).read_text(), re.M)]
    return dict(word.split("=", 1) for line in lines for word in line.split())


def _forget(folder: Path) -> None:
    """Put the shared libraries under `folder` out of the kernel's cache, to be read again as after a boot.

    Of a file just written, Linux 6.18 maps up to 2 MB around each page that is touched: OpenCV alone counts 20 MB more.
    """
    for path in folder.rglob("*.so*"):
        if not path.is_file():
            continue
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def parts(costs_s: dict[str, float]) -> dict[str, float]:
    """CPU seconds of each of PARTS, out of what picamera_inside.py counted."""
    threads = {name: spent_s for name, spent_s in costs_s.items() if name.startswith("thread ")}
    loop_s, listener_s, rig_s = (sum(spent_s for name, spent_s in threads.items() if part in name)
                                 for part in (EVENT_LOOP, LISTENER, SENSOR))
    bench_s = threads.get(f"thread {BENCH}", 0.0)
    ours_s = costs_s["take"] + sum(threads.values()) - loop_s - listener_s - rig_s - bench_s
    glue_s = loop_s - costs_s["encode"] - costs_s["take"] + listener_s - costs_s["redraw"]
    drawing_s = costs_s["process"] - costs_s["encode"] - ours_s - glue_s - bench_s
    return dict(zip(PARTS, (costs_s["encode"], ours_s, glue_s, drawing_s), strict=True))


def _cpu(shares: dict[str, list[dict[str, float]]]) -> Table:
    table = Table("CPU of the capture process beside its encoder (x264), 1280x720 at 15, in % of the encoder's",
                  ("", *SCENES.values()))
    for part in PARTS:
        spreads = [Spread(tuple(100 * each[part] / each["encoder"] for each in shares[scene])) for scene in SCENES]
        table.rows.append((part, *(spread.text(1) for spread in spreads)))
        table.figures[part] = {scene: spread.median for scene, spread in zip(SCENES, spreads, strict=True)}
    table.verdicts.append(Verdict("ours, nobody there", 10, "% of the encoder's", table.figures["ours"]["quiet"]))
    table.notes.append("ours: masks, small pictures, packets, motion, recorder; picamera2: its event loop and listener")
    return table


def _memory(seen: dict[str, dict[str, Any]]) -> Table:
    table = Table("The capture process of a Pi camera: PSS, libcamera's pattern and its buffers included, and start-up",
                  ("", "PSS MB", "CPU s to the first packet"))
    for name, what in MEMORY.items():
        pss_mb, started_s = seen[name]["pss_mb"], seen[name]["started_s"]
        table.rows.append((what, f"{pss_mb:.1f}", f"{started_s:.2f}"))
        table.figures[name] = {"pss_mb": pss_mb, "started_s": started_s}
        table.verdicts.append(Verdict(f"PSS {what}", 95, "MB", pss_mb))
    table.notes.append("4 MB are the virtual camera's pattern, 6 MB its buffers, which on a Pi are the driver's")
    table.verdicts.append(Verdict("start-up", 0.6, "CPU s", seen["bars"]["started_s"]))
    return table
