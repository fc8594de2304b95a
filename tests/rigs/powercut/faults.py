"""What befalls a card while its recorder is on: it fails in places or for a time, is full, slow, lies, or goes back."""
import contextlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agent.store.database import FILE
from agent.store.decisions.database import FILE as DECISIONS
from tests.rigs.powercut.life import Life
from tests.rigs.powercut.places import Ranges
from tests.rigs.powercut.recorder import OLD_S, YOUNG_S

Where = Callable[[Life], Ranges | None]
FULL_B = 1 << 20
FILL = "home/films"                 # what somebody else has put on the card
APART_S = 30.0
STALL_S = 30.0
MEET_S = 100.0                      # a file that is written seldom: SQLite's checkpoints
ROOM_S = 20.0


@dataclass(frozen=True, slots=True)
class Fault:
    """`bring` returns when the card is well again. A card that `lies` may lose what it had promised, not its recorder.

    After the cut it has what it had `age_s` seconds before; with `only`, that holds for these files of the store.
    """

    bring: Callable[[Life], None] = lambda life: None
    phase: str = "recording"
    within_s: float = 0.0           # it comes up to so long after what the phase is about has begun
    up_s: float = OLD_S
    prepare: Callable[[Path], None] = lambda root: None
    lies: bool = False
    age_s: float = 0.0
    only: str = ""


def files(*patterns: str) -> Where:
    """The blocks that these files of the store have when it begins."""
    return lambda life: life.disk.extents(*(path for each in patterns for path in life.recorder.store.glob(each)))


def everything(life: Life) -> None:
    """The whole card."""


def journal(life: Life) -> Ranges:
    """The file system's journal."""
    return life.disk.journal()


def metadata(life: Life) -> Ranges:
    """What the file system has for itself, but for the journal."""
    return life.disk.metadata()


def data(life: Life) -> Ranges:
    """All that is neither."""
    return life.disk.data()


def fails(where: Where, seconds: float, what: str = "EIO", on: str = "", times: int = 1) -> Callable[[Life], None]:
    """Writes there fail, for so long from the first one on, some time apart; or whatever else of `Disk.trouble`."""
    def bring(life: Life) -> None:
        for number in range(times):
            time.sleep(APART_S if number else 0)
            met_n, gives_up_s = life.disk.refused_n(), time.monotonic() + MEET_S
            life.disk.trouble(what, where=where(life), on=on)
            while what.isalpha() and life.disk.refused_n() == met_n and time.monotonic() < gives_up_s:
                time.sleep(0.02)
            time.sleep(seconds)
            life.disk.trouble()
    return bring


def unreadable(where: Where, seconds: float) -> Callable[[Life], None]:
    """Reads there fail for so long; what the kernel has read before, it has forgotten."""
    def bring(life: Life) -> None:
        life.disk.trouble("EIO", where=where(life), on="r", for_s=seconds)
        Path("/proc/sys/vm/drop_caches").write_text("1")
        time.sleep(seconds)
        life.disk.trouble()
    return bring


def fill(root: Path, left_b: int = 0) -> None:
    """Files of another program take all room but `left_b`, and but the blocks that ext4 reserves for root."""
    folder = root / FILL
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / str(time.time_ns())).open("wb") as file, contextlib.suppress(OSError):
        room_b = os.statvfs(root).f_bavail * os.statvfs(root).f_frsize - left_b
        while room_b > 0:
            os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, min(room_b, FULL_B))
            room_b -= FULL_B


def fills(seconds: float = 0.0) -> Callable[[Life], None]:
    """The card is filled up; after so many seconds, if any, there is room again."""
    def bring(life: Life) -> None:
        fill(life.disk.mount)
        if seconds:
            time.sleep(seconds)
            for path in (life.disk.mount / FILL).iterdir():
                path.unlink()
    return bring


def stalls(life: Life) -> None:
    """One write takes very long, and all behind it."""
    life.disk.trouble(str(STALL_S))
    time.sleep(1.0)
    life.disk.trouble()
    time.sleep(STALL_S)


WAL, DB, PARTS = f"{FILE}-wal", FILE, "clips/*/*.part"
OWN = (f"keys/{DECISIONS}", f"keys/{DECISIONS}-wal")
FAULTS = {
    "WAL 3 s": Fault(fails(files(WAL), 3)),
    "WAL 8 s": Fault(fails(files(WAL), 8)),
    "WAL 5 s, twice": Fault(fails(files(WAL), 5, times=2)),
    "database 5 s": Fault(fails(files(DB), 5)),
    "database and WAL 5 s": Fault(fails(files(DB, WAL), 5)),
    "keeper's database 8 s in hold": Fault(fails(files(*OWN), 8), "hold", 3),
    "open clips 3 s": Fault(fails(files(PARTS), 3)),
    "open clips 12 s": Fault(fails(files(PARTS), 12)),
    "data 2.5 s": Fault(fails(data, 2.5)),
    "data 5 s": Fault(fails(data, 5)),
    "data 12 s": Fault(fails(data, 12)),
    "data 25 s": Fault(fails(data, 25)),
    "data 5 s, twice": Fault(fails(data, 5, times=2)),
    "journal 2.5 s": Fault(fails(journal, 2.5)),
    "journal 8 s": Fault(fails(journal, 8)),
    "metadata 8 s": Fault(fails(metadata, 8)),
    "everything 2.5 s": Fault(fails(everything, 2.5)),
    "everything 8 s": Fault(fails(everything, 8)),
    "everything 25 s": Fault(fails(everything, 25)),
    "everything 8 s, young boot": Fault(fails(everything, 8), up_s=YOUNG_S),
    "everything 25 s, twice": Fault(fails(everything, 25, times=2)),
    "no room in data 5 s": Fault(fails(data, 5, "ENOSPC")),
    "database unreadable 8 s": Fault(unreadable(files(DB, WAL), 8)),
    "old clips unreadable 8 s": Fault(unreadable(files("clips/*/*.mp4"), 8)),
    "full by others": Fault(fills()),
    "full for 20 s": Fault(fills(ROOM_S)),
    "full at start": Fault(prepare=fill),
    "slow 0.3 s": Fault(fails(everything, 20, "0.3")),
    "stalls 30 s": Fault(stalls),
    "forgets writes 8 s": Fault(fails(everything, 8, "drop"), lies=True),
    "forgets data 8 s": Fault(fails(data, 8, "drop"), lies=True),
    "forgets flushes 20 s": Fault(fails(everything, 20, "drop", "f"), lies=True),
    "back by 10 s": Fault(age_s=10, lies=True),
    "back by 30 s": Fault(age_s=30, lies=True),
    "databases back by 10 s": Fault(age_s=10, only="db", lies=True),
    "data 5 s in update": Fault(fails(data, 5), "update", 10),
    "everything 8 s in update": Fault(fails(everything, 8), "update", 10),
    "data 5 s in rollback": Fault(fails(data, 5), "rollback", 20),
    "data 5 s in repair": Fault(fails(data, 5), "repair", 3),
    "data 5 s in installation": Fault(fails(data, 5), "installation", 15),
    "WAL 5 s in hold": Fault(fails(files(WAL, *OWN), 5), "hold", 4),
    "data 5 s in hold": Fault(fails(data, 5), "hold", 3),
    "data 5 s in erase": Fault(fails(data, 5), "erase", 4),
    "data 5 s in keys": Fault(fails(data, 5), "keys", 3),
    "data 5 s in upload": Fault(fails(data, 5), "upload", 4),
}
