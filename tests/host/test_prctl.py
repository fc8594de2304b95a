"""What the kernel itself says of a process's memory, in a process of its own."""
import ctypes
import gc
import mmap
import os
import re
import subprocess
import sys
from pathlib import Path

from agent.host.prctl import MemoryUpkeep

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


def rss_kb(file: Path) -> int:
    """How much of this file the process has in its page table."""
    blocks = Path("/proc/self/smaps").read_text().split(f" {file}\n")[1:]
    return sum(int(re.search(r"Rss: +(\d+)", block)[1]) for block in blocks)


def test_pages_of_a_file_that_nobody_writes_are_unmapped_and_come_back(tmp_path: Path):
    file, data = tmp_path / "library", os.urandom(1 << 20)
    file.write_bytes(data)
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, mmap.MAP_PRIVATE, mmap.PROT_READ) as mapped:
        cold = MemoryUpkeep()
        assert mapped[:] == data and rss_kb(file) == 1024
        cold.unmap()
        assert rss_kb(file) == 0
        assert mapped[:] == data


def test_what_the_loader_may_be_at_work_on_stays_until_the_next_time(tmp_path: Path):
    file, cold = tmp_path / "library", MemoryUpkeep()
    file.write_bytes(bytes(1 << 20))
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, mmap.MAP_PRIVATE, mmap.PROT_READ) as mapped:
        assert not any(mapped[:])
        cold.unmap()
        assert rss_kb(file) == 1024
        cold.unmap()
        assert rss_kb(file) == 0


def test_pages_that_the_loader_has_changed_are_kept(tmp_path: Path):
    file = tmp_path / "library"
    file.write_bytes(bytes(1 << 20))
    with file.open("r+b") as opened, mmap.mmap(opened.fileno(), 0, mmap.MAP_PRIVATE) as mapped:
        mapped[4096:4105] = b"relocated"
        place = ctypes.addressof(ctypes.c_char.from_buffer(mapped))
        assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(place), 1 << 20, mmap.PROT_READ) == 0
        cold = MemoryUpkeep()
        cold.unmap()
        cold.unmap()
        assert bytes((ctypes.c_char * 9).from_address(place + 4096)) == b"relocated"
        gc.collect()                    # the view that gave the address
