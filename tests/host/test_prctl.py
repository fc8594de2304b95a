"""What the kernel itself says of a process's memory, in a process of its own."""
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
FREED = """
from pathlib import Path
from agent.host.prctl import give_back_memory

def own_mb():
    return int(next(line for line in Path("/proc/self/smaps_rollup").read_text().splitlines()
                    if line.startswith("Private_Dirty:")).split()[1]) / 1024

blocks = [bytes([number % 251]) * 8_000 for number in range(5_000)]
blocks[:-1] = []                # one is left at the end, and keeps all below it
before = own_mb()
give_back_memory()
print(before - own_mb())
"""


def test_a_process_that_asks_for_small_pages_gets_no_large_ones():
    said = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True).stdout.strip()
    assert said in ("['1'] True ['0']", "[] False []"), said        # the latter: a kernel without large pages


def test_free_memory_below_what_is_used_goes_back_to_the_kernel():
    done = subprocess.run([sys.executable, "-c", FREED], capture_output=True, text=True, check=True)
    assert float(done.stdout) > 30
