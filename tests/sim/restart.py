"""A start after a cut: `python -m tests.sim.restart PLACE MONO_S` starts the agent on the store there and ends at once.

MONO_S is the script's time at the cut.
"""
import os
import sys
from pathlib import Path

from agent.store.folders import Folders
from tests.sim.day import STORE
from tests.sim.judge import Agent, clock_after

if __name__ == "__main__":
    place, mono_s = Path(sys.argv[1]), float(sys.argv[2])
    agent = Agent(Folders(place / STORE).create(), clock_after(mono_s, boot="0b00700a", off_s=20), place)
    agent.keeper.round(asked_for_space=False)
    assert not list(agent.faults())
    os._exit(0)
