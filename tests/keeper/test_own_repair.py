"""The keeper's own database is damaged: what the household has decided goes on, and so do the marks of its acts."""
import contextlib
import random

import pytest

from agent.keeper import renewal
from agent.keeper.repair import OWN_ASIDE, open_own
from agent.store import meta
from agent.store.database import transaction
from agent.store.decisions import database as decisions
from agent.store.decisions.database import mark
from tests.rigs.store.cut_at_call import cut_before


def test_a_damaged_one_goes_on_with_its_key_and_its_rows(folders):
    with contextlib.closing(decisions.connect(folders)) as own, transaction(own):
        before = mark(own)(b"an act")
        meta.put(own, "pairing_code", "AB12CD34")
        own.executemany("INSERT INTO browser VALUES (?, 'phone', 1, 1, 'owner')", ((f"{n:064x}",) for n in range(50)))
    path = folders.keys / decisions.FILE
    spoiled = random.Random(1).randbytes(1024) + path.read_bytes()[1024:]
    path.write_bytes(spoiled)
    own, aside = open_own(folders)
    assert aside == OWN_ASIDE and (folders.keys / OWN_ASIDE).read_bytes() == spoiled
    assert mark(own)(b"an act") == before and meta.get(own, "pairing_code") == "AB12CD34"
    assert own.execute("SELECT COUNT(*) FROM browser").fetchone()[0] == 50
    own.close()
    own, aside = open_own(folders)
    assert aside is None
    own.close()


def test_one_of_which_nothing_is_left_begins_anew(folders):
    decisions.connect(folders).close()
    path = folders.keys / decisions.FILE
    path.write_bytes(b"\xa5" * path.stat().st_size)
    own, aside = open_own(folders)
    assert aside and len(mark(own)(b"an act")) == 32 and not list(own.execute("SELECT * FROM browser"))
    own.close()


@pytest.mark.parametrize("lasts_to", [("os.fsync", 0), ("rename_durably", 0), ("os.rename", 0), ("os.rename", 1),
                                      ("os.rename", 2), ("sync_folder", 0), ("rename_durably", 1)],
                         ids=lambda step: f"{step[0]} {step[1]}")
def test_a_cut_at_any_step_loses_nothing_that_the_household_has_decided(folders, monkeypatch, lasts_to):
    logged = decisions.connect(folders)         # its log and index lie beside it
    meta.put(logged, "first", "AB")
    logged.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    meta.put(logged, "second", "CD")            # in the log alone
    path = folders.keys / decisions.FILE
    path.write_bytes(b"\xa5" * 1024 + path.read_bytes()[1024:])
    before = path.read_bytes()
    with cut_before(monkeypatch, renewal, *lasts_to):
        open_own(folders)
    own, _ = open_own(folders)
    assert (meta.get(own, "first"), meta.get(own, "second")) == ("AB", "CD")
    assert (folders.keys / OWN_ASIDE).read_bytes() == before
    own.close()
    logged.close()
