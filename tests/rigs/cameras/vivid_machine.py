"""A machine with a V4L2 camera: the guest of guest.py with the kernel's test driver vivid."""
from pathlib import Path

from tests.rigs.machine import guest
from tests.rigs.machine.guest import NoMachine

TOOLS = {"v4l2-ctl": "v4l-utils"}
# In the order in which they need each other.
MODULES = ("rc-core", "cec", "mc", "videobuf2-common", "videodev", "videobuf2-v4l2", "videobuf2-memops",
           "videobuf2-vmalloc", "videobuf2-dma-contig", "v4l2-dv-timings", "v4l2-tpg", "vivid")


def run(command: list[str], folder: Path, limit_s: float) -> str:
    """What a command prints in the guest, started in `folder`. Raises NoMachine, or TimeoutExpired at its limit."""
    if reason := guest.missing(TOOLS):
        raise NoMachine(reason)
    return guest.run(command, folder, limit_s, MODULES)
