"""A keeper that packs requests of the ward, and the check of what it has packed."""
import subprocess
import sys
from pathlib import Path

from agent.keeper.main import Keeper
from tests.rigs.device.keeper import keeper_of
from tests.rigs.store.exports import BEGIN_MS, END_MS
from tests.rigs.store.joined import WARD
from tests.rigs.store.shelf import OFFSET_MS
from tests.rigs.wait import HANG_S
from tests.rigs.ward.requests import ask


def keeper_at_end(folders, clock) -> Keeper:
    """A keeper's life a second after the footage."""
    clock.wall_ms = END_MS + 1000
    clock.mono = (clock.wall_ms - OFFSET_MS) / 1000
    return keeper_of(folders, clock, ward=WARD)


def wanted(keeper: Keeper, **given) -> str:
    """A request for all of it, approved; its id."""
    now = keeper.role.clock.now()
    return ask(keeper.db, now=now, approved=True, **{"begin_ms": BEGIN_MS, "end_ms": END_MS} | given).id


def files(keeper: Keeper) -> set[str]:
    """Names of what lies there for the ward, or is on its way to."""
    return {path.name for path in keeper.role.folders.exports.iterdir()}


def checked(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """What the package's own checker says, in a Python that has nothing but its standard library."""
    return subprocess.run([sys.executable, "-I", "-S", folder / "verify.py", *words], capture_output=True, text=True,
                          timeout=HANG_S, cwd="/")
