"""A number that others know never comes again: not after the database was lost, nor after an older one came back."""
import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator

import msgspec
import pytest

from agent.core.evidence.ledger.acts import Updated
from agent.keeper.canary import Canary
from agent.store import clips, events, ledger, meta, numbers, outbox
from agent.store.database import FILE, connect, transaction
from agent.store.folders import Folders
from agent.store.numbers import BEHIND, BELIEVED_MAX, CONN, LEAP, PAGE, Note, given, noted
from tests.conftest import HandClock
from tests.rigs.store.cards import go_behind_the_card
from tests.rigs.store.joined import join
from tests.rigs.store.users import Premises

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="other users need root")


def work(db: sqlite3.Connection, clock: HandClock, n: int) -> dict[str, int]:
    """Have `n` of each number given; returns the last ones."""
    with transaction(db):
        for _ in range(n):
            outbox.append(db, "motion", "gate", clock.now(), "{}")
            events.open_row(db, "gate", "motion", clock.now())
            ledger.note(db, clock.now(), Updated(version="2"))
            clips.open_row(db, "gate", "motion", clock.now(), "h264", 320, 180)
            meta.count_up(db, CONN)
    return given(db)


def lived(folders: Folders, clock: HandClock) -> dict[str, int]:
    """A store that has worked, been noted, and worked on since; the last numbers."""
    with contextlib.closing(join(connect(folders.root))) as db:
        work(db, clock, 40)
        Canary(folders).note(db, clock.now())
        return work(db, clock, 7)


def fresh(folders: Folders, clock: HandClock) -> dict[str, int]:
    """The first numbers that a database gives now."""
    with contextlib.closing(join(connect(folders.root))) as db:
        return work(db, clock, 1)


def gone(folders: Folders) -> None:
    for side in ("", "-wal", "-shm"):
        (folders.root / f"{FILE}{side}").unlink(missing_ok=True)


def emptied(folders: Folders) -> None:
    os.truncate(folders.root / FILE, 0)


def test_a_number_is_given_once_whatever_becomes_of_the_database(folders, hand_clock):
    assert lived(folders, hand_clock) == dict.fromkeys(LEAP, 47)
    for lose in (gone, emptied):
        before = fresh(folders, hand_clock)
        lose(folders)
        after = fresh(folders, hand_clock)
        assert all(after[name] > before[name] for name in LEAP), lose
        with contextlib.closing(connect(folders.root)) as db:
            Canary(folders).note(db, hand_clock.now())


def test_an_older_database_goes_on_behind_what_came_after_it_and_the_keeper_is_to_know(folders, hand_clock):
    with contextlib.closing(join(connect(folders.root))) as db:
        work(db, hand_clock, 40)
    shutil.copyfile(folders.root / FILE, folders.root / "older")
    before = lived(folders, hand_clock)
    os.replace(folders.root / "older", folders.root / FILE)
    after = fresh(folders, hand_clock)
    assert all(after[name] > before[name] for name in LEAP)
    with contextlib.closing(connect(folders.root)) as db:
        assert meta.get(db, BEHIND) == "outbox 80 was on it, 40 is"
    assert fresh(folders, hand_clock) == {name: number + 1 for name, number in after.items()}     # no second leap


@as_root
@pytest.mark.parametrize("role", ["capture", "keeper"])
@pytest.mark.parametrize("lose", [gone, emptied])
def test_whichever_writer_is_first_with_a_new_database_repeats_no_number(hand_clock, role, lose):
    with Premises() as home:
        before = home.as_role("keeper", lambda: lived(home.folders, hand_clock))
        lose(home.folders)
        home.as_role(role, lambda: connect(home.folders.root).close())
        for each in ("keeper", "capture"):

            def go_on() -> dict[str, int]:
                with contextlib.closing(connect(home.folders.root)) as db:
                    if role == "capture":
                        go_behind_the_card(home.folders, hand_clock)
                    return work(db, hand_clock, 1)

            after = home.as_role(each, go_on)
            assert all(after[name] > before[name] for name in LEAP if name != "outbox")
            assert after["outbox"] >= before["outbox"]


@as_root
def test_a_page_that_another_role_has_laid_is_not_believed(hand_clock):
    note = msgspec.json.encode(Note(1, "", 0, 0, 10**9, numbers={"event": 10**9}))
    with Premises() as home:
        home.as_role("web", lambda: (home.folders.root / PAGE).write_bytes(note) and None)
        assert home.as_role("capture", lambda: noted(home.folders.root)) is None
        home.as_role("keeper", lambda: connect(home.folders.root).close())
        home.as_role("keeper", lambda: Canary(home.folders).note(connect(home.folders.root), hand_clock.now()))
        assert home.as_role("capture", lambda: noted(home.folders.root)).numbers["event"] == 0


@pytest.mark.parametrize("page", [
    b"", b"\xa5" * 4096, b'{"number":1', b"null", b"[]",
    b'{"number":1,"boot":"","mono_ms":0,"ledger_n":0,"outbox_seq":9e99}',
    msgspec.json.encode(Note(1, "", 0, 0, 2**63 - 1, numbers={"event": 2**63 - 1, "clip": -5, CONN: BELIEVED_MAX + 1})),
], ids=["empty", "noise", "torn", "null", "a list", "a float", "beyond all counting"])
def test_a_page_that_tells_nothing_is_no_hindrance(folders, hand_clock, page):
    (folders.root / PAGE).write_bytes(page)
    assert fresh(folders, hand_clock) == dict.fromkeys(LEAP, 1)


def test_the_page_of_the_version_before_tells_of_messages_alone(folders, hand_clock):
    (folders.root / PAGE).write_bytes(b'{"number":4,"boot":"a","mono_ms":5,"ledger_n":7,"outbox_seq":41}')
    assert fresh(folders, hand_clock) == {**dict.fromkeys(LEAP, 1), "outbox": 40 + LEAP["outbox"] + 1}


def test_all_that_the_page_tells_lies_in_one_sector(folders, hand_clock):
    with contextlib.closing(connect(folders.root)) as db:
        for name in LEAP:
            numbers.put(db, name, BELIEVED_MAX)
        Canary(folders).note(db, hand_clock.now())
    assert len((folders.root / PAGE).read_bytes().rstrip(b"\0")) < 512
    assert noted(folders.root).numbers == dict.fromkeys(LEAP, BELIEVED_MAX)


def test_clips_go_on_behind_those_on_the_card_beside_an_older_database(folders, hand_clock):
    with contextlib.closing(connect(folders.root)) as db:
        work(db, hand_clock, 3)
    path = folders.clip(731, "gate-0b007001-000731")
    path.parent.mkdir()
    path.touch()
    with contextlib.closing(connect(folders.root)) as db:
        go_behind_the_card(folders, hand_clock)
        assert clips.open_row(db, "gate", "motion", hand_clock.now(), "h264", 320, 180)[0] == 732


def test_a_card_that_can_only_be_read_is_opened_though_its_database_is_behind(folders, hand_clock, monkeypatch):
    lived(folders, hand_clock)
    (folders.root / PAGE).write_bytes(msgspec.json.encode(Note(1, "", 0, 0, 10**6)))
    monkeypatch.setattr("agent.store.database._is_read_only", lambda path: True)
    with contextlib.closing(connect(folders.root)) as db:
        assert given(db)["outbox"] == 47


def leap_with(db: sqlite3.Connection, ward_n: int, out: tuple[int, ...] = (), refused: tuple[int, ...] = ()) -> bool:
    with transaction(db):
        return numbers.overtake(db, ward_n, out, refused)


@pytest.fixture
def waiting(db, hand_clock: HandClock) -> Iterator[Callable[[], list[int]]]:
    """Five messages that wait: the function tells under which numbers."""
    join(db)
    work(db, hand_clock, 5)
    yield lambda: [row["seq"] for row in outbox.after(db, 0, 100)]


def test_what_waits_goes_on_behind_what_the_ward_has(db, hand_clock, waiting):
    assert leap_with(db, 900)
    first = 900 + LEAP["outbox"] + 1
    assert waiting() == list(range(first, first + 5))
    assert outbox.append(db, "motion", "gate", hand_clock.now(), "{}") == first + 5
    after = given(db)
    assert after["event"] == 5 + LEAP["event"] and after["clip"] == 5 + LEAP["clip"] and after["act"] == 5


def test_what_is_under_way_keeps_its_number_unless_it_is_refused(db, waiting):
    assert leap_with(db, 900, out=(1, 2, 3), refused=(2,))
    moved = waiting()
    assert moved[:2] == [1, 3] and len(moved) == 5 and moved[2] > 900


def test_refused_alone_goes_on_behind_a_leap(db, waiting):
    assert leap_with(db, 0, out=(1, 2, 3, 4, 5), refused=(4,))
    assert waiting() == [1, 2, 3, 5, 5 + LEAP["outbox"] + 1]


@pytest.mark.parametrize("ward_n", [0, 4, 5, BELIEVED_MAX + 1, 2**63 - 1])
def test_a_ward_that_is_not_ahead_or_can_t_be_changes_nothing(db, waiting, ward_n):
    before = given(db)
    assert not leap_with(db, ward_n)
    assert waiting() == [1, 2, 3, 4, 5] and given(db) == before


def test_however_far_a_ward_says_that_it_is_numbers_do_not_end(db, hand_clock, waiting):
    for ward_n in (BELIEVED_MAX, BELIEVED_MAX + 1, given(db)["outbox"] + 1):
        leap_with(db, ward_n)
    seq = outbox.append(db, "motion", "gate", hand_clock.now(), "{}")
    assert seq is not None and seq < 2**53


def begin(db: sqlite3.Connection, clock: HandClock, seq: int | None = None) -> int:
    with transaction(db):
        return clips.open_row(db, "gate", "motion", clock.now(), "h264", 320, 180, seq=seq)[0]


def test_numbers_that_are_reserved_are_nobody_else_s_and_later_clips_have_higher_ones(db, hand_clock):
    begin(db, hand_clock)
    with transaction(db):
        ranges = [numbers.reserve(db) for _ in range(5)]
    reserved = [number for each in ranges for number in each]
    assert len(set(reserved)) == 5 * numbers.RANGE_N
    assert begin(db, hand_clock) == 2                               # nothing is used up while nobody needs them
    assert begin(db, hand_clock, seq=ranges[0][7]) == ranges[0][7]
    later = begin(db, hand_clock)
    assert later == 2000 and later not in reserved
    with transaction(db):
        assert numbers.reserve(db).start > later
    numbers.put(db, "clip", ranges[-1][0])
    while (number := begin(db, hand_clock)) < 4002:                 # by thousands, every other is passed over
        assert number not in reserved and number // 1000 % 2 == 0
    assert number == 4002


@pytest.mark.parametrize("spoiled", ["", "x", "-5", "9" * 30])
def test_a_spoiled_note_of_what_is_reserved_is_as_good_as_none(db, hand_clock, spoiled):
    with transaction(db):
        meta.put(db, numbers.RESERVED, spoiled)
        assert numbers.reserve(db) == range(1000, 1000 + numbers.RANGE_N)


def test_a_counter_that_was_set_back_gives_no_clip_s_number_again(db, hand_clock):
    begin(db, hand_clock)
    numbers.put(db, "clip", 0)
    assert begin(db, hand_clock) == 2
