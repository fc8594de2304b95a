"""A damaged database is set aside by the keeper, rebuilt from what can be read and from the files, and told of."""
import contextlib
import fcntl
import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.config.settings import Camera, Settings, Store
from agent.core.evidence.ledger.acts import Configured
from agent.core.evidence.ledger.row import decode
from agent.host.datagram import Outlet
from agent.host.probes.volume import Volume
from agent.host.stop import Stop
from agent.keeper import canary, repair
from agent.keeper.main import Keeper, Repaired
from agent.process.heartbeat import Heartbeat
from agent.process.role import Role
from agent.store import clips, events, identity, ledger, meta, numbers, outbox
from agent.store.database import FILE, connect, transaction
from agent.store.decisions import database as decisions
from agent.store.folders import Folders
from agent.store.numbers import noted
from tests.conftest import HandClock
from tests.core.cut_material import record
from tests.rigs.cameras.h264 import movie
from tests.rigs.store import cards, shelf
from tests.rigs.store.damage import OTHER, all_pages, pages, spoil
from tests.rigs.store.joined import WARD, join

Start = Callable[..., Keeper]


@pytest.fixture
def start(folders: Folders, hand_clock: HandClock, tmp_path: Path) -> Iterator[Start]:
    """Starts a keeper as its role does."""
    made: list[Keeper] = []

    def begin(at: Folders = folders) -> Keeper:
        settings = Settings(store=Store(folder=str(at.root), free_floor_pct=1), ward=WARD,
                            camera=[Camera(name="gate", source="picamera:0")])
        heart = Heartbeat("keeper", "keeper", tmp_path, hand_clock)
        role = Role(settings, None, at, tmp_path, hand_clock, heart, Stop())
        db, aside = repair.open_database(at)
        made.append(Keeper(role, db, decisions.connect(at), Outlet(tmp_path),
                           repaired=Repaired(aside, 0) if aside else None))
        return made[-1]

    yield begin
    for keeper in made:
        keeper.db.close()


def film(folders: Folders, clips_n: int = 3) -> list[str]:
    """Clips that play; returns their names."""
    info, packets = movie()
    with contextlib.closing(join(connect(folders.root))) as db:
        recorded = record(info, packets, packets[-1].dts_us + 100_000)
        return [name for name, _ in shelf.put_all(db, folders, [recorded] * clips_n)]


def told(db: sqlite3.Connection) -> list[str]:
    """Codes of the troubles of the card that the ward is told of."""
    return [json.loads(row["data"])["code"] for row in outbox.after(db, 0, 1000) if row["kind"] == "storage"]


def test_a_database_of_which_nothing_can_be_read_is_rebuilt_from_the_files(start, folders):
    names = film(folders)
    spoil(folders, *all_pages(folders))
    keeper = start()
    keeper.round(asked_for_space=False)
    assert keeper.fault is None and keeper.facts().database_aside == "taimat.db.damaged-1"
    kept = clips.finished(keeper.db)[::-1]
    assert [(clip.name, clip.frames) for clip in kept] == [(name, 40) for name in names]
    assert told(keeper.db) == [repair.CODE]
    assert (folders.root / f"{FILE}.damaged-1").read_bytes().startswith(OTHER)
    assert start().facts().database_aside is None


def test_the_clips_of_a_lost_database_are_adopted_in_turns_between_heartbeats(start, folders, hand_clock, monkeypatch):
    names = film(folders, 12)
    spoil(folders, *all_pages(folders))
    keeper = start()
    look = hand_clock.mono_s

    def mono_s() -> float:
        hand_clock.advance(0.5)         # whatever is asked of this card takes long
        return look()

    monkeypatch.setattr(hand_clock, "mono_s", mono_s)
    rounds = []
    while not rounds or keeper.at_work:
        keeper.round(asked_for_space=False)
        rounds.append(len(clips.finished(keeper.db)))
        assert keeper.fault is None and len(rounds) < 20
    assert rounds[0] < 6 and rounds[-1] == 12 and len(rounds) > 2
    assert {clip.name for clip in clips.finished(keeper.db, limit=20)} == set(names)
    keeper.round(asked_for_space=False)
    assert not keeper.at_work


def test_holds_and_sights_of_clips_whose_rows_are_lost_wait_for_the_clips(start, folders, hand_clock):
    film(folders)
    with contextlib.closing(connect(folders.root)) as db:
        event = events.open_row(db, "gate", "motion", hand_clock.now())
        db.execute("INSERT INTO event_clip VALUES (?, 1)", (event,))
        db.execute("PRAGMA foreign_keys = OFF")
        db.executemany("INSERT INTO hold (clip, reason) VALUES (?, 'police')", ((1,), (999,)))
    spoil(folders, *pages(folders, "clip"))
    keeper = start()
    keeper.round(asked_for_space=False)
    keeper.round(asked_for_space=False)
    assert [tuple(row) for row in keeper.db.execute("SELECT clip, reason FROM hold")] == [(1, "police")]
    assert [tuple(row) for row in keeper.db.execute("SELECT event, clip FROM event_clip")] == [(event, 1)]
    assert keeper.db.execute("SELECT COUNT(*) FROM clip").fetchone()[0] == 3


def test_a_repair_is_told_in_the_ledger_and_accuses_no_card(start, folders, hand_clock):
    film(folders)
    keeper = start()
    keeper.round(asked_for_space=False)
    before, name = keeper.evidence.ledger_writer.head, identity.named(folders.root)
    assert before.n > 3 and noted(folders.root).ledger_n == before.n and not cards.findings(folders)
    spoil(folders, *all_pages(folders))
    for _ in range(2):
        hand_clock.advance(canary.EVERY_S)
        keeper.round(asked_for_space=True)
    assert keeper.fault is None and keeper.facts().card_drops is None
    assert identity.named(folders.root) == name and name
    (mend,) = (row for row in cards.all_acts(keeper.db) if row.kind == "mend")
    assert mend.n == before.n + 1, "no number comes twice, and what there are copies of is put back"
    assert [row.kind for row in cards.all_acts(keeper.db)][:2] == ["begin", "update"]
    assert (mend.body["ledger_n"], mend.body["before_n"]) == (0, before.n) and before.hash.hex().startswith(
        mend.body["before"])
    assert "ledger_renewed" in cards.codes(folders)
    hand_clock.advance(24 * 3600)
    assert keeper.facts().database_aside is None        # it is news for a day
    reborn = start()
    reborn.round(asked_for_space=False)
    assert reborn.facts().card_drops is None and reborn.fault is None


def lose(folders: Folders) -> None:
    """Somebody, or a check of the file system, removes the database."""
    for side in ("", "-wal", "-shm"):
        (folders.root / f"{FILE}{side}").unlink(missing_ok=True)


def test_a_card_that_was_copied_whole_goes_on_as_if_nothing_had_been(start, folders, hand_clock, tmp_path):
    names = film(folders)
    keeper = start()
    keeper.round(asked_for_space=False)
    keeper.db.close()
    shutil.copytree(folders.root, tmp_path / "new card")
    hand_clock.advance(3600)
    moved = Folders(tmp_path / "new card")
    keeper = start(moved)
    for _ in range(3):
        keeper.round(asked_for_space=False)
        hand_clock.advance(canary.EVERY_S)
    facts = keeper.facts()
    assert (facts.fault, facts.card_drops, facts.card_went_back, facts.database_aside) == (None,) * 4
    assert [clip.name for clip in clips.finished(keeper.db)[::-1]] == names and not cards.findings(moved)
    film(moved, 1)
    assert clips.finished(keeper.db)[0].seq == len(names) + 1


def test_a_lost_database_is_told_once_and_accuses_no_card(start, folders, hand_clock):
    names = film(folders)
    keeper = start()
    keeper.round(asked_for_space=False)
    before = keeper.evidence.ledger_writer.head
    lose(folders)
    for _ in range(3):                              # the first finds out, the second begins anew with what is there
        keeper.round(asked_for_space=False)
        hand_clock.advance(canary.EVERY_S)
    assert keeper.fault is None and keeper.facts().database_aside == "taimat.db" and keeper.facts().card_drops is None
    assert [clip.name for clip in clips.finished(keeper.db)[::-1]] == names and told(keeper.db) == [repair.CODE]
    (mend,) = (row for row in cards.all_acts(keeper.db) if row.kind == "mend")
    assert (mend.n, mend.body["before_n"]) == (before.n + 1, before.n)
    assert cards.codes(folders) == {"ledger_renewed", "row_removed"}, "of clips' rows there are no copies"
    reborn = start()
    for _ in range(2):
        reborn.round(asked_for_space=False)
    assert reborn.facts().database_aside is None and reborn.facts().card_drops is None
    assert told(reborn.db) == [repair.CODE] and reborn.fault is None


def test_a_clip_that_was_being_written_when_the_database_went_is_shown_within_seconds(start, folders, hand_clock):
    names = film(folders)
    keeper = start()
    keeper.round(asked_for_space=False)
    written = folders.part(4, "gate-0b007001-000004")
    written.write_bytes(folders.clip(3, names[-1]).read_bytes())
    with written.open("rb") as recorder:
        fcntl.flock(recorder, fcntl.LOCK_EX)
        lose(folders)
        for _ in range(3):
            keeper.round(asked_for_space=False)
        assert len(clips.finished(keeper.db)) == 3 and not keeper.sweeper.has_seen_all
    hand_clock.advance(20)                          # the recorder has met the loss, and let its clip go
    keeper.round(asked_for_space=False)
    assert [clip.name for clip in clips.finished(keeper.db)] == ["gate-0b007001-000004", *names[::-1]]
    assert keeper.sweeper.has_seen_all and keeper.fault is None


def test_links_that_somebody_lays_into_the_store_are_told_once_and_followed_by_nobody(start, folders, hand_clock):
    film(folders)
    keeper = start()
    keeper.round(asked_for_space=False)
    secret = folders.keys / "secret"
    secret.touch()
    places = [folders.root / "new.lock", folders.root / "db/taimat.db.mended", folders.thumbs / "x.jpg",
              folders.clips / "000000/gate-0b007001-000009.mp4", folders.clips / "000000/\x1b[2J.mp4.part"]
    for place in places:
        place.symlink_to(secret)
    for _ in range(3):
        hand_clock.advance(24 * 3600)
        keeper.round(asked_for_space=False)
    assert told(keeper.db) == ["strange_link"] and keeper.fault is None and not secret.read_bytes()
    data = next(row["data"] for row in outbox.after(keeper.db, 0, 1000) if "strange_link" in row["data"])
    assert "5 links" in data and "\x1b" not in json.loads(data)["detail"]
    (folders.root / "another").symlink_to("/nowhere")
    hand_clock.advance(24 * 3600)
    keeper.round(asked_for_space=False)
    assert told(keeper.db) == ["strange_link"] * 2


def test_an_act_that_vanishes_before_a_ledger_that_begins_anew_leaves_a_hole(start, folders, hand_clock):
    film(folders)
    start().round(asked_for_space=False)
    lose(folders)
    keeper = start()
    with contextlib.closing(connect(folders.root)) as db, transaction(db):
        for ver in (2, 3):
            ledger.note(db, hand_clock.now(), Configured(ver=ver, cfg={}))
        db.execute("DELETE FROM act WHERE id = (SELECT MAX(id) FROM act)")
        ledger.note(db, hand_clock.now(), Configured(ver=4, cfg={}))
    keeper.round(asked_for_space=False)
    assert cards.codes(folders) == {"ledger_renewed", "row_removed", "act_missing"}


def test_a_repair_of_one_that_holds_nothing_keeps_the_knowledge_of_the_page(start, folders, hand_clock):
    film(folders)
    with contextlib.closing(connect(folders.root)) as db:
        ledger.note(db, hand_clock.now(), Configured(ver=2, cfg={}))
    start().round(asked_for_space=False)
    with contextlib.closing(connect(folders.root)) as db:
        given = numbers.given(db)
    for _ in range(2):
        spoil(folders, *all_pages(folders))
        keeper = start()
        keeper.round(asked_for_space=False)
        after = numbers.given(keeper.db)
        assert all(after[name] > given[name] for name in ("outbox", "event", "act")) and after["clip"] >= given["clip"]
        given = after
    assert noted(folders.root).given("outbox") > 2 * numbers.LEAP["outbox"] and keeper.facts().card_drops is None


def test_a_database_that_the_card_set_back_is_held_against_the_card_for_a_day(start, folders, hand_clock):
    film(folders)
    start().round(asked_for_space=False)
    with contextlib.closing(connect(folders.root)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        older = (folders.root / FILE).read_bytes()
        film(folders, 4)
    start().round(asked_for_space=False)
    lose(folders)
    (folders.root / FILE).write_bytes(older)
    keeper = start()
    keeper.round(asked_for_space=False)
    assert "signed rows were on it" in keeper.facts().card_drops and keeper.facts().database_aside is None
    for _ in range(canary.KEPT_N):
        assert keeper.facts().card_drops
        hand_clock.advance(canary.EVERY_S)
        keeper.round(asked_for_space=False)
    assert keeper.facts().card_drops is None and keeper.fault is None


def test_what_the_ward_proves_of_a_card_is_told_for_a_day_and_signed(start, folders, hand_clock):
    film(folders)
    keeper = start()
    keeper.round(asked_for_space=False)
    with transaction(keeper.db):
        meta.put(keeper.db, numbers.WENT_BACK, "10481")      # as the link does
    head = keeper.evidence.ledger_writer.head
    for _ in range(2):
        keeper.round(asked_for_space=False)
    assert "10481" in keeper.facts().card_went_back
    mend, = (decode(line.doc) for line in ledger.lines(keeper.db, head.n))
    assert (mend.kind, mend.body["ward_n"], mend.body["ledger_n"]) == ("mend", 10_481, head.n)
    assert cards.codes(folders) == {"ledger_renewed"}
    hand_clock.advance(24 * 3600)
    assert keeper.facts().card_went_back is None


def test_a_repair_that_loses_no_row_of_the_ledger_leaves_nothing_to_find(start, folders):
    film(folders)
    start().round(asked_for_space=False)
    spoil(folders, 1)
    keeper = start()
    for _ in range(2):
        keeper.round(asked_for_space=False)
    assert keeper.repaired and "mend" in [decode(line.doc).kind for line in ledger.lines(keeper.db)]
    assert not cards.findings(folders) and keeper.facts().card_drops is None


def test_damage_that_the_keeper_meets_at_work_is_mended_and_its_round_goes_on(start, folders):
    names = film(folders)
    keeper = start()
    keeper.round(asked_for_space=False)
    spoil(folders, *pages(folders, "clip"))
    keeper.round(asked_for_space=True)
    assert keeper.fault is not None and keeper.repaired
    keeper.round(asked_for_space=False)
    assert keeper.fault is None and [clip.name for clip in clips.finished(keeper.db)[::-1]] == names
    assert told(keeper.db) == [repair.CODE]


def test_damage_that_another_role_meets_is_mended_when_it_says_so(start, folders, hand_clock):
    with contextlib.closing(connect(folders.root)) as db:
        for _ in range(200):
            events.open_row(db, "yard", "motion", hand_clock.now())
    keeper = start()
    damaged = pages(folders, "event")
    spoil(folders, damaged[len(damaged) // 2])
    keeper.examine()
    left = [event.id for event in events.latest(keeper.db, limit=1000)]
    assert keeper.repaired and 50 < len(left) < 200 and {left[0], left[-1]} == {1, 200}
    keeper.examine()            # nothing is wrong with the new one
    assert len(list(folders.root.glob(f"{repair.ASIDE}[0-9]"))) == 1


def test_a_volume_that_is_mounted_late_is_taken_up_with_what_is_on_it(start, folders, tmp_path):
    """The keeper began on what was there; then the store's folder is another one: it ends, and begins anew on that."""
    keeper = start()
    keeper.round(asked_for_space=False)
    late = Folders(tmp_path / "late").create()
    names = film(late)
    folders.root.rename(tmp_path / "was")
    late.root.rename(folders.root)
    keeper.round(asked_for_space=False)
    assert keeper.role.stop.is_set()
    keeper = start()
    keeper.round(asked_for_space=False)
    assert keeper.fault is None and not keeper.repaired
    assert [clip.name for clip in clips.finished(keeper.db)[::-1]] == names


def test_a_keeper_on_the_wrong_volume_touches_nothing(start, folders):
    keeper = start(Folders(folders.root, Volume(folders.root, "TAIMAT")))       # which is not mounted here
    names = film(folders)
    keeper.round(asked_for_space=True)
    assert "TAIMAT" in keeper.fault and "not mounted" in keeper.fault
    assert [clip.sha256 for clip in clips.finished(keeper.db)] == [None] * len(names) and told(keeper.db) == []
