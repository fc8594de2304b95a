"""In a process of its own: what a start with this store takes. Prints seconds, what was found, and MB that it took."""
import re
import sys
import time
from pathlib import Path

from agent.cli.verify import read_card
from agent.core.evidence.ledger.card_check import check_card
from agent.core.evidence.ledger.check import check
from agent.host.clock import SystemClock
from agent.host.command_key import verifies
from agent.keeper.deletion import finish_deletion
from agent.store import boots, clips
from agent.store.clip_recovery import recover_camera
from agent.store.database import connect
from agent.store.decisions import database as decisions
from agent.store.encryption.file_keys import Keyring
from agent.store.folders import Folders
from scripts.benches.processes import BenchError
from scripts.benches.shelf import CAMERAS
from tests.rigs.store.cards import swept


def recovery(folders: Folders) -> int:
    """What capture and the keeper do before anything else. Returns how many clips were closed."""
    db, clock = connect(folders.root), SystemClock()
    open_n = len(clips.in_state(db, "open"))
    boots.remember(db, clock.now().boot)
    for camera in CAMERAS:
        recover_camera(db, folders, camera, clock)
    finish_deletion(decisions.connect(folders), db, folders, clock.now())
    return open_n - len(clips.in_state(db, "open"))


def once_a_day(folders: Folders) -> int:
    """The sweep. Returns how many rows and files had no other side."""
    return sum(swept(connect(folders.root), folders, SystemClock().now(), Keyring(folders).file_key))


def verify(folders: Folders) -> int:
    """The check of a card. Returns how many rows hold; raises BenchError if something does not."""
    seen = read_card(folders.root, lambda clips_n: None)
    checked = check(seen.lines, verifies, told_key=seen.key, waiting=seen.waiting, noted_n=seen.noted_n)
    if found := [*checked.findings, *check_card(checked, seen.shelf)]:
        raise BenchError(f"an honest card: {found[0]}")
    return len(checked.rows)


def main(root: str, what: str) -> None:
    """Measure and print."""
    before_kb, began_s = most_kb(), time.monotonic()
    found_n = {"recovery": recovery, "once_a_day": once_a_day, "verify": verify}[what](Folders(Path(root)))
    print(time.monotonic() - began_s, found_n, (most_kb() - before_kb) / 1000)


def most_kb() -> int:
    """The most memory that this process ever had (proc(5), VmHWM)."""
    return int(re.search(r"^VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.M)[1])


if __name__ == "__main__":
    main(*sys.argv[1:])
