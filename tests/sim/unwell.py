"""A card that is unwell for a while: `python -m tests.sim.unwell PLACE` films three times, whatever calls come to.

In the end it prints, as JSON, what the parts complained of meanwhile and what they still complain of.
"""
import json
import os
import sys
from pathlib import Path

from agent.capture.recorder import RETRY_AFTER_S
from tests.sim.day import Day

TIMES_N, RETRIES_N = 3, 4


def live(day: Day) -> None:
    """Three events and their clips, with enough time in between for a card to be tried again."""
    for _ in range(TIMES_N):
        day.see()
        day.film(1.6, day.gate, day.yard)
        day.lose_sight(picture=False)
        day.gate.end()
        day.yard.end()
        day.keep()
        for _ in range(RETRIES_N):
            day.wait(2 * RETRY_AFTER_S)
            day.gate.work()
            day.yard.work()
            day.keep()


if __name__ == "__main__":
    day = Day(Path(sys.argv[1]))
    live(day)
    before, day.faults = day.faults, set()
    day.note_faults()
    print(json.dumps({"faults": sorted(before), "still": sorted(day.faults)}), flush=True)
    os._exit(0)
