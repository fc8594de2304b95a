"""A card that takes writes and keeps none is found out: at work by reading past the cache, at a start by the books."""
from pathlib import Path

import pytest

from agent.keeper.canary import EVERY_S, PAGE_B, Canary
from agent.store import outbox
from agent.store.database import connect, transaction
from agent.store.folders import Folders
from agent.store.numbers import PAGE
from tests.rigs.powercut.disk import logged_disk, missing

CARD_B = 32 << 20


def test_a_card_that_is_well_is_looked_at_now_and_then_and_says_nothing(folders, db, hand_clock):
    canary = Canary(folders)
    pages = []
    for _ in range(3):
        canary.look(db, hand_clock.now())
        canary.look(db, hand_clock.now())       # not due
        pages.append((folders.root / PAGE).read_bytes())
        hand_clock.advance(EVERY_S)
    assert canary.trouble is None and len(set(pages)) == 3 and {len(page) for page in pages} == {PAGE_B}
    again = Canary(folders)
    again.look(db, hand_clock.now())
    assert again.trouble is None


@pytest.mark.needs.with_args(missing)
def test_a_card_that_forgets_what_it_took_is_found_at_the_next_look(tmp_path: Path, hand_clock):
    with logged_disk(tmp_path / "disk", CARD_B) as disk:
        folders = Folders(disk.mount / "store").create()
        db = connect(folders.root)
        canary = Canary(folders)
        canary.look(db, hand_clock.now())
        disk.trouble("drop")
        for _ in range(2):
            assert canary.trouble is None
            hand_clock.advance(EVERY_S)
            canary.look(db, hand_clock.now())
        disk.trouble()
        db.close()
    assert canary.trouble == "page 2 was written, page 1 is there"


def test_a_database_that_is_behind_the_page_has_lost_what_was_flushed(folders, db, hand_clock):
    with transaction(db):
        for _ in range(5):
            outbox.append(db, "motion", "gate", hand_clock.now(), "{}")
    Canary(folders).look(db, hand_clock.now())
    with transaction(db):                       # as the card would have it that dropped the last two commits
        db.execute("DELETE FROM outbox WHERE seq > 3")
        db.execute("UPDATE sqlite_sequence SET seq = 3 WHERE name = 'outbox'")
    reborn = Canary(folders)
    reborn.look(db, hand_clock.now())
    assert reborn.trouble == "outbox 5 was on it, 3 is"


@pytest.mark.parametrize("page", [b"", b"\xa5" * PAGE_B, b'{"number":', b"null"])
def test_a_page_that_is_none_says_nothing_and_is_written_anew(folders, db, hand_clock, page):
    (folders.root / PAGE).write_bytes(page)
    canary = Canary(folders)
    canary.look(db, hand_clock.now())
    hand_clock.advance(EVERY_S)
    canary.look(db, hand_clock.now())
    assert canary.trouble is None
