"""Rows of the ledger that another role deletes or changes, as all may write the shared database: what comes of it."""
import contextlib
import sqlite3
from collections.abc import Callable

import pytest

from agent.core.evidence.ledger.acts import BrowserPaired, Configured
from agent.host.clock import Instant
from agent.keeper.ledger_writer import COPIES_N, PUT_BACK_EVERY_S
from agent.keeper.main import Keeper
from agent.store import ledger, outbox
from agent.store.database import connect, transaction
from agent.store.decisions import browsers
from agent.store.folders import Folders
from tests.conftest import HandClock
from tests.rigs.device.keeper import keeper_of, kinds, rows
from tests.rigs.store.cards import codes, film


@pytest.fixture
def keeper(folders: Folders, hand_clock: HandClock) -> Keeper:
    """One that has been at work."""
    made = keeper_of(folders, hand_clock)
    made.round(asked_for_space=False)
    return made


@pytest.fixture
def role(folders: Folders):
    """The shared database as another role has it."""
    with contextlib.closing(connect(folders.root)) as db:
        yield db


def again(keeper: Keeper, folders: Folders, clock: HandClock) -> Keeper:
    keeper.db.close()
    keeper.own.close()
    return keeper_of(folders, clock)


def later(keeper: Keeper, folders: Folders, clock: HandClock) -> Keeper:
    clock.advance(PUT_BACK_EVERY_S + 1)
    return keeper


def delete_newest(role: sqlite3.Connection) -> None:
    role.execute("DELETE FROM ledger WHERE n > 3")


def truncate(role: sqlite3.Connection) -> None:
    role.execute("DELETE FROM ledger")
    role.execute("UPDATE sqlite_sequence SET seq = 0")


def rewrite(role: sqlite3.Connection) -> None:
    role.execute("UPDATE ledger SET doc = CAST(REPLACE(CAST(doc AS TEXT), 'owner', 'viewer') AS BLOB)")


@pytest.mark.parametrize("wait", [again, later], ids=["before its start", "while it runs"])
@pytest.mark.parametrize("attack", [delete_newest, truncate, rewrite])
def test_decisions_whose_rows_are_deleted_or_changed_are_put_back(keeper, role, folders: Folders,
                                                                  hand_clock: HandClock, attack: Callable, wait):
    browsers.pair(keeper.own, keeper.db, "phone", hand_clock.now())
    before = rows(keeper.db)
    assert before[-1].kind == "pairing" and not ledger.waiting(keeper.db)
    attack(role)
    keeper = wait(keeper, folders, hand_clock)
    keeper.round(asked_for_space=False)
    after = rows(keeper.db)
    known = [row for row in before if row in after]
    assert "pairing" in [row.kind for row in known] and len({row.n for row in after}) == len(after)
    assert "mend" in kinds(keeper.db) and keeper.fault is None
    told = [row["data"] for row in outbox.after(role, 0, 1000)]
    assert not told or any("put back" in each for each in told)
    assert codes(folders) <= {"row_removed", "row_edited", "boot_redated"}, "no row lies, and a gap shows"
    keeper.round(asked_for_space=False)
    assert kinds(keeper.db).count("mend") == 1, "told once"


def test_rows_that_are_gone_for_good_leave_their_numbers_and_a_check_names_them(keeper, role, folders, hand_clock):
    for _ in range(3):
        film(keeper.db, folders, hand_clock, b"video")
    keeper.round(asked_for_space=False)
    head = ledger.head(keeper.db)
    assert kinds(keeper.db)[-3:] == ["clip"] * 3
    role.execute("DELETE FROM ledger WHERE n > ?", (head.n - 3,))
    browsers.pair(keeper.own, keeper.db, "phone", hand_clock.now())
    assert rows(keeper.db)[-1].n == head.n + 1
    assert "row_removed" in codes(folders)


@pytest.mark.parametrize("far", [2**53 - 1, 2**62, 1_000_050])
def test_rows_that_a_role_puts_far_behind_stop_no_decision(keeper, role, folders, hand_clock, far):
    role.executemany("INSERT INTO ledger VALUES (?, x'', x'', x'', x'')", ((far,), (far + 1,)))
    browsers.pair(keeper.own, keeper.db, "phone", hand_clock.now())
    keeper.round(asked_for_space=False)
    browsers.pair(keeper.own, keeper.db, "another", hand_clock.now())
    assert keeper.fault is None and kinds_that_are_read(keeper.db).count("pairing") == 2


def kinds_that_are_read(db: sqlite3.Connection) -> list[str]:
    return [row.kind for row in rows(db) if row]


def test_an_act_whose_number_is_taken_back_before_it_is_signed_is_named(keeper, role, folders, hand_clock):
    def note(ver: int) -> None:
        ledger.note(role, hand_clock.now(), Configured(ver=ver, cfg={}))

    note(1)
    keeper.round(asked_for_space=False)
    note(2)
    keeper.evidence.ledger_writer.seal_some(keeper.db, lambda: True)        # it has seen that one, and not signed it
    role.execute("DELETE FROM act")
    role.execute("UPDATE sqlite_sequence SET seq = 1 WHERE name = 'act'")
    keeper.round(asked_for_space=False)
    note(3)
    keeper.round(asked_for_space=False)
    assert [row.body["ver"] for row in rows(keeper.db) if row.kind == "ward_config"] == [1, 3]
    assert codes(folders) == {"act_missing"}


def test_an_act_under_a_number_that_was_given_before_is_signed_and_named(keeper, role, folders, hand_clock):
    for ver in (1, 2):
        ledger.note(role, hand_clock.now(), Configured(ver=ver, cfg={}))
        keeper.round(asked_for_space=False)
        role.execute("UPDATE sqlite_sequence SET seq = 0 WHERE name = 'act'")
    assert [(row.act_n, row.body["ver"]) for row in rows(keeper.db) if row.kind == "ward_config"] == [(1, 1), (1, 2)]
    keeper.round(asked_for_space=False)
    assert codes(folders) == {"act_missing"} and ledger.noted_n(role) == 1


def test_the_keeper_keeps_copies_of_so_many_rows_and_no_more(keeper, folders, hand_clock: HandClock):
    own, db = keeper.own, keeper.db
    with transaction(own), transaction(db):
        for n in range(COPIES_N + 50):
            ledger.note(db, hand_clock.now(), BrowserPaired(browser=f"{n:012x}", role="viewer"))
    assert own.execute("SELECT COUNT(*) FROM ledger").fetchone()[0] == COPIES_N
    assert ledger.head(own) == ledger.head(db)


def test_acts_that_the_version_before_has_marked_are_signed(keeper, folders, hand_clock: HandClock):
    key = (folders.keys / "signing.key")
    key.rename(key.with_suffix(".away"))
    marking = keeper_of(folders, hand_clock)
    key.mkdir()                 # no key can be had: what is noted waits with its mark, as it did always
    ledger.note(marking.db, hand_clock.now(), BrowserPaired(browser="0123456789ab", role="owner"))
    key.rmdir()
    key.with_suffix(".away").rename(key)
    marking.own.execute("DROP TABLE ledger")
    marking.own.execute("PRAGMA user_version = 2")
    reborn = again(marking, folders, hand_clock)
    reborn.round(asked_for_space=False)
    assert kinds(reborn.db)[-1] == "pairing" and codes(folders) == set() and reborn.fault is None


def test_threads_that_note_at_the_same_time_follow_each_other(keeper, folders, hand_clock: HandClock):
    other = keeper_of(folders, hand_clock)
    for n in range(6):
        each = (keeper, other)[n % 2]
        browsers.pair(each.own, each.db, f"phone {n}", hand_clock.now())
    assert [row.n for row in rows(keeper.db)] == list(range(1, len(rows(keeper.db)) + 1)) and codes(folders) == set()


def test_an_act_is_signed_exactly_if_it_is_done(keeper, folders, hand_clock: HandClock):
    def fail(now: Instant) -> None:
        with transaction(keeper.own), transaction(keeper.db):
            ledger.note(keeper.db, now, BrowserPaired(browser="0123456789ab", role="owner"))
            raise ZeroDivisionError

    before = ledger.head(keeper.db)
    with pytest.raises(ZeroDivisionError):
        fail(hand_clock.now())
    assert ledger.head(keeper.db) == before and ledger.head(keeper.own).n <= before.n
    browsers.pair(keeper.own, keeper.db, "phone", hand_clock.now())
    assert ledger.head(keeper.db).n == before.n + 1 and codes(folders) == set()
