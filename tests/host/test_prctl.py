"""Small pages only: what the kernel itself says of it, in a process of its own."""
import subprocess
import sys

PROGRAM = """
import ctypes
from agent.host.prctl import SMALL_PAGES_ONLY, small_pages_only

def told():
    return [line.split()[1] for line in open("/proc/self/status") if line.startswith("THP_enabled")]

ctypes.CDLL(None).prctl(SMALL_PAGES_ONLY, 0, 0, 0, 0)       # what a parent asked for is inherited
print(told(), small_pages_only(), told())
"""


def test_a_process_that_asks_for_small_pages_gets_no_large_ones():
    said = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True).stdout.strip()
    assert said in ("['1'] True ['0']", "[] False []"), said        # the latter: a kernel without large pages
