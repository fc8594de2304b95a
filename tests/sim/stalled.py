"""A card that stalls: `python -m tests.sim.stalled PLACE` films for a moment in real time, to a recorder's thread.

In the end it prints, as JSON, how long the camera was held up at most and what became of the clip.
"""
import json
import sys
import time
from pathlib import Path

from agent.host.clock import SystemClock
from agent.host.datagram import Outlet
from agent.store.folders import Folders
from tests.rigs.wait import HANG_S
from tests.sim.parts import YARD, Writer
from tests.sim.promise import read

FRAMES_N, FRAME_S = 30, 0.05


def live(place: Path) -> dict[str, object]:
    """Film, and wait for the recorder as long as it takes."""
    folders = Folders(place / "store").create()
    writer, slowest_s = Writer(YARD, folders, SystemClock(), Outlet(place)), 0.0
    writer.recorder.start()
    for number in range(FRAMES_N):
        time.sleep(FRAME_S)
        began_s = time.monotonic()
        writer.take()
        if number == FRAMES_N - 1:
            writer.clip_writer.end(int(writer.clock.mono_s() * 1e6))
        writer.clip_writer.send()
        slowest_s = max(slowest_s, time.monotonic() - began_s)
    writer.recorder.finish(HANG_S)
    clips = read(folders).clips.values()
    return {"slowest_s": slowest_s, "frames": [row["frames"] for row in clips],
            "states": [row["state"] for row in clips], "fault": writer.recorder.fault}


if __name__ == "__main__":
    print(json.dumps(live(Path(sys.argv[1]))))
