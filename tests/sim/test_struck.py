"""Whatever a failing card does to one place of the database: recording goes on, and everybody soon works again."""
import contextlib
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from agent.core.contract.facts import Poke
from agent.keeper import room
from agent.keeper.damage import ASIDE
from agent.store import damage, row_check
from agent.store.database import connect
from agent.store.folders import Folders
from tests.conftest import HandClock
from tests.rigs.store import cards
from tests.rigs.store.damage import spoil_row
from tests.sim import struck
from tests.sim.day import STORE
from tests.sim.struck import Household

TRIALS_N, THOROUGH_N = 8, 120
TURNS_N = 8                 # of seven seconds
DEAF_N = 3                  # turns in which a camera may be without its database
# What a row of the ledger that the damage took, or one that it cost its clip, leads to.
NAMED = {"clip_without_row", "clip_redated", "row_edited", "row_removed", "act_missing", "ledger_renewed",
         "chain_broken", "boot_redated", "row_foreign", "row_malformed"}
SPOILED = {"no text": "CAST(X'FFFE41' AS TEXT)", "no JSON": "'{{'", "far": str(1 << 60), "far back": str(-(1 << 60)),
           "bytes": "X'00FF'", "a word": "'abc'", "nothing": "NULL"}


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The place of a household's store, closed."""
    place = tmp_path_factory.mktemp("lived")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "BALLAST_B", 65_536)
        yield struck.live(place).root.parent


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    """What is met here is no other test's affair."""
    before = damage.DOUBT.tell, damage.DOUBT.met_n
    yield
    damage.DOUBT.tell, damage.DOUBT.met_n = before


def later() -> HandClock:
    return HandClock("0b00700a", 5000.0, HandClock.wall_ms + 10_000_000)


@contextlib.contextmanager
def copied(lived: Path, place: Path) -> Iterator[Folders]:
    shutil.copytree(lived / STORE, place / STORE)
    yield Folders(place / STORE)
    shutil.rmtree(place)


def complaints(place: Path) -> list[str]:
    """Everything that does not hold of a household that starts on this store."""
    household = Household(place, later())
    try:
        turns, recorded = zip(*((household.turn(), household.recorded_n) for _ in range(TURNS_N)), strict=True)
        wrong = [*turns[-2], *turns[-1], *_verified(household)]
        deaf_n = sum(n < len(household.writers) for n in recorded)
        return wrong if deaf_n <= DEAF_N else [*wrong, f"no recording in {deaf_n} turns: {turns}"]
    finally:
        household.close()


def _verified(household: Household) -> list[str]:
    """What was signed holds or is named; a check that meets damage says so, and once it is mended it can be made."""
    try:
        found = cards.codes(household.folders)
    except sqlite3.DatabaseError:
        household.outlet.send(Poke(what="database"), "keeper")      # as any role that reads there
        household.clock.advance(60)
        household.turn()
        found = cards.codes(household.folders)
    return [f"taimat verify: {code}" for code in found - NAMED]


def test_a_store_that_nothing_has_happened_to_has_no_spoiled_row(lived, tmp_path):
    with copied(lived, tmp_path / "t") as folders:
        assert complaints(tmp_path / "t") == []
        with contextlib.closing(connect(folders.root)) as db:
            assert list(row_check.spoiled(db, row_check.forms_of())) == []
            assert not (folders.keys / ASIDE).exists()


def test_random_bytes_in_any_sector_of_the_database_end_nobodys_work(lived, tmp_path, thorough):
    by_kind = struck.sectors(Folders(lived / STORE))
    kinds = Random(1).sample(sorted(by_kind), len(by_kind))
    wrong = {}
    for seed in range(THOROUGH_N if thorough else TRIALS_N):
        dice = Random(seed)
        sector = dice.choice(by_kind[kinds[seed % len(kinds)]])
        with copied(lived, tmp_path / str(seed)) as folders:
            struck.strike(folders, sector, dice)
            if found := complaints(tmp_path / str(seed)):
                wrong[seed] = sector, found
    assert not wrong


def test_random_bytes_in_the_schema_end_nobodys_work(lived, tmp_path, thorough):
    schema = [sector for kind, found in struck.sectors(Folders(lived / STORE)).items() for sector in found
              if kind.startswith("sqlite_schema")]
    wrong = {}
    for seed in range(THOROUGH_N if thorough else 3):
        dice = Random(f"schema {seed}")
        with copied(lived, tmp_path / str(seed)) as folders:
            struck.strike(folders, dice.choice(schema), dice)
            if found := complaints(tmp_path / str(seed)):
                wrong[seed] = found
    assert not wrong


def test_a_row_that_holds_in_any_column_what_nobody_has_written_ends_nobodys_work(lived, tmp_path, thorough):
    cases = [(form.name, column, what) for form in row_check.forms_of().values() for column in form.columns
             for what in SPOILED if form.name not in row_check.EXEMPT]
    tried_n, wrong = 0, {}
    for seed, (table, column, what) in enumerate(Random(2).sample(cases, len(cases))):
        with copied(lived, tmp_path / str(seed)) as folders:
            try:
                spoil_row(folders, table, column, SPOILED[what], -1 - seed % 2)
            except (sqlite3.Error, IndexError):         # not even SQLite takes that, or there is no row
                continue
            tried_n += 1
            if found := complaints(tmp_path / str(seed)):
                wrong[table, column, what] = found
        if tried_n == (len(cases) if thorough else TRIALS_N):
            break
    assert not wrong and tried_n >= TRIALS_N
