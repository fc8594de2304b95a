"""A keeper that is killed before each of its statements."""
import os
import signal
from pathlib import Path

from agent.store import clips, ledger
from agent.store.database import connect
from agent.store.folders import Folders
from tests.conftest import HandClock
from tests.rigs.device.keeper import keeper_of, kinds
from tests.rigs.store.cards import codes, film


def die_at(statement_n: int, folders: Folders, clock: HandClock) -> bool:
    """One round of a keeper in a process of its own that is killed before its n-th statement. Whether it was."""
    child = os.fork()
    if child == 0:
        left = iter(range(statement_n))
        keeper = keeper_of(folders, clock)
        keeper.db.set_trace_callback(lambda _: next(left, None) is None and os.kill(os.getpid(), signal.SIGKILL))
        keeper.round(asked_for_space=True)
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def die_everywhere(root: str, step: int) -> None:
    """Kill a keeper before its first statement, the next one `step` later, until one gets through its round."""
    folders, clock = Folders(Path(root)), HandClock()
    db, statement_n, killed = connect(folders.root), 1, True
    while killed:
        if not clips.unhashed(db):
            film(db, folders, clock, b"video %d" % statement_n)
        killed = die_at(statement_n, folders, clock)
        assert codes(folders) == set(), f"killed before statement {statement_n}"
        clock.advance(3 * 86_400)
        statement_n += step
    assert statement_n > 30 and ledger.waiting(db) == [] and "deletion" in kinds(db)
    assert all(clip.sha256 for clip in clips.finished(db))
