"""SQLite and PostgreSQL keep the same book: what was committed is read again, once, whoever comes back."""
import sqlite3
from datetime import UTC, datetime

import pytest
import sqlalchemy as sql

from agent.ward import database, events, register, ward_side
from agent.ward.device_cache import Came, DeviceCache, read_devices
from agent.ward.register import Arrival
from tests.rigs.device.link_role import LinkRig
from tests.rigs.mqtt.broker import Broker
from tests.rigs.wait import until
from tests.rigs.ward import postgres
from tests.rigs.ward.ingest import WardIngest

TIME = datetime(2026, 11, 24, 23, 20, 50, tzinfo=UTC)
DEV, OTHER = "c-000000000001", "c-000000000002"
NEEDS_POSTGRES = pytest.mark.skipif(bool(postgres.missing()), reason=postgres.missing())


@pytest.fixture(scope="module")
def server():
    with postgres.Postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=NEEDS_POSTGRES)])
def engine(request, tmp_path):
    url = f"sqlite:///{tmp_path}/ward.db" if request.param == "sqlite" else request.getfixturevalue("server").url
    engine = database.open_engine(url)
    yield engine
    with engine.begin() as db:
        for table in (database.device, database.event, database.health_history, database.pruned, database.to_city):
            db.execute(table.delete())
    engine.dispose()


def note(book, dev, seq, kind="motion", boot="b"):
    event = ward_side.Event(specversion="1.0", id=f"{dev}/{seq}", type=f"cam.{kind}.v1", source="/cam", seq=seq,
                            boot=boot, clock="ntp", data=ward_side.EventData(mono_ms=5, kind=kind), time=TIME)
    book.remember_event(Came(dev, event, f'{{"seq":{seq},"text":"mắt"}}', Arrival(2000)))


def test_an_event_is_new_once_and_safe_each_time(engine):
    book = DeviceCache(engine)
    for seq in (1, 2, 2, 5):
        note(book, DEV, seq)
    note(book, OTHER, 1)
    done = book.commit()
    assert [came.event.id for came in done.new] == [f"{DEV}/1", f"{DEV}/2", f"{DEV}/5", f"{OTHER}/1"]
    assert sorted(done.safe) == [(DEV, 1), (DEV, 2), (DEV, 2), (DEV, 5), (OTHER, 1)]
    again = DeviceCache(engine)
    for seq in (5, 3):
        note(again, DEV, seq)
    done = again.commit()
    assert [came.event.id for came in done.new] == [f"{DEV}/3"] and sorted(done.safe) == [(DEV, 3), (DEV, 5)]
    assert [(hole.first, hole.last) for hole in again.devices[DEV].reach.gaps] == [(4, 4)]


def test_a_device_is_read_as_it_was_kept(engine):
    book = DeviceCache(engine)
    status = ward_side.Status(online=True, boot="b", conn=2**62, clock="ntp")
    birth = ward_side.Birth(boot="b", conn=1, mono_ms=1, clock="ntp", agent="1")
    health = ward_side.Health(seq=1, boot="b", clock="rtc", mono_ms=1, int_s=30)
    for change in (lambda known: register.with_status(known, status, Arrival(1000, 60)),
                   lambda known: register.with_birth(known, birth, '{"a":"ngõ"}'),
                   lambda known: register.with_health(known, health, '{"cond":[]}', Arrival(1500))):
        book.remember(DEV, change, 1000)
    note(book, DEV, 9)
    book.commit()
    assert list(read_devices(engine)) == [book.devices[DEV]] and DeviceCache(engine).devices == book.devices


def test_what_another_ingest_took_is_not_missing(engine):
    ours, theirs = DeviceCache(engine), DeviceCache(engine)
    for book, seq in ((ours, 1), (theirs, 2), (ours, 4), (theirs, 3), (ours, 7), (theirs, 5)):
        note(book, DEV, seq)
        book.commit()
    (hole,) = DeviceCache(engine).devices[DEV].reach.gaps
    assert (hole.first, hole.last) == (6, 6)
    (known,) = ours.devices[DEV].reach.gaps
    assert (known.first, known.last) == (5, 6), "so far as it has looked"
    assert ours.ask({DEV: [known]}, 99_000) == {DEV: []} and ours.ask({DEV: [hole]}, 99_000) == {DEV: [hole]}
    assert theirs.ask({DEV: [hole]}, 99_000) == {DEV: []}, "it has been asked for"


def test_what_two_ingests_are_told_of_a_device_stays(engine):
    ours, theirs = DeviceCache(engine), DeviceCache(engine)
    status = ward_side.Status(online=True, boot="b", conn=3)
    ours.remember(DEV, lambda known: register.with_status(known, status, Arrival(1000)), 1000)
    note(theirs, DEV, 9)
    ours.commit()
    theirs.commit()
    (device,) = read_devices(engine)
    assert (device.standing.conn, device.reach.top) == (3, 9)


def test_the_history_has_one_report_in_five_minutes_and_ends(engine):
    book = DeviceCache(engine)
    for now_ms in (0, 1000, 299_999, 300_000, 400_000, 900_000):
        book.remember_health(DEV, f'{{"at":{now_ms}}}', now_ms)
    book.commit()
    book.forget_history(300_000)
    with engine.connect() as db:
        rows = list(db.execute(database.health_history.select().order_by(database.health_history.c.slot_ms)))
    assert [(row.slot_ms, row.message) for row in rows] == [(300_000, '{"at":300000}'), (900_000, '{"at":900000}')]


def test_a_copy_of_an_event_that_was_deleted_is_no_new_event(engine):
    book = DeviceCache(engine)
    for seq in (1, 2, 3, 5, 6):
        note(book, DEV, seq, boot="b" if seq < 6 else "c")
    book.commit()
    assert [book.forget_events(2001, 3), book.forget_events(2001, 3), book.forget_events(2001, 3)] == [3, 2, 0]
    for seq in (1, 4, 5, 6, 7):
        note(book, DEV, seq, boot="b")
    done = book.commit()
    assert [came.event.seq for came in done.new] == [4, 7], "4 had never come"
    assert done.safe == [(DEV, 1), (DEV, 4), (DEV, 5), (DEV, 7)], "a copy gets its receipt"
    assert done.reused == [(DEV, 6)], "another boot's, so another event"
    with engine.connect() as db:
        stretches = db.execute(sql.select(database.pruned.c["first", "last", "boot"]).order_by(database.pruned.c.first))
        assert list(map(tuple, stretches)) == [(1, 3, "b"), (5, 5, "b"), (6, 6, "c")]


def test_proofs_and_what_the_city_has_not_got_are_not_deleted(engine):
    book = DeviceCache(engine, for_city=True)
    for seq, kind in enumerate(("motion", "consent", "command", "delivery", "clip"), 1):
        note(book, DEV, seq, kind)
    book.commit()
    assert book.forget_events(2001, 9) == 0
    with engine.begin() as db:
        first, *_, last = events.waiting_marks(db, 9)
        events.settle_marks(db, [first])
        events.set_aside(db, last, "schema")
    assert book.forget_events(2000, 9) == 0 and book.forget_events(2001, 9) == 2
    assert DeviceCache(engine).forget_events(2001, 9) == 0
    with engine.connect() as db:
        assert sorted(db.execute(sql.select(database.event.c.kind)).scalars()) == ["command", "consent", "delivery"]


def test_a_database_of_another_version_is_left_alone(engine):
    url = engine.url.render_as_string(hide_password=False)
    for number, said in ((99, f"tables 99, known up to {database.VERSION}"), (1, "before its first release.*move it")):
        with engine.begin() as db:
            db.execute(database.version.update().values(version=number))
        with pytest.raises(database.DatabaseFault, match=said):
            database.open_engine(url)
    with engine.begin() as db:
        db.execute(database.version.update().values(version=database.VERSION))


def test_a_place_without_a_database_is_named_with_the_remedy(tmp_path):
    with pytest.raises(database.DatabaseFault, match=r"unable to open.*see \[database\] url"):
        database.open_engine(f"sqlite:///{tmp_path}/no/ward.db")
    with pytest.raises(database.DatabaseFault, match="unable to open"):
        database.open_engine(f"sqlite:///{tmp_path}/ward.db", read_only=True)
    assert not list(tmp_path.iterdir()), "a reader makes no file"
    sqlite3.connect(tmp_path / "ward.db").execute("CREATE TABLE t (a)")
    with pytest.raises(database.DatabaseFault, match="taimat ward ingest"):
        database.open_engine(f"sqlite:///{tmp_path}/ward.db", read_only=True)


@NEEDS_POSTGRES
def test_a_password_is_not_told():
    with pytest.raises(database.DatabaseFault) as caught:
        database.open_engine("postgresql://somebody:secret@127.0.0.1:1/name")
    assert "secret" not in str(caught.value) and "somebody" in str(caught.value)


@NEEDS_POSTGRES
def test_with_a_server_that_is_killed_in_between_nothing_is_lost(tmp_path):
    with postgres.Postgres() as server, Broker(tmp_path / "broker") as broker, \
            WardIngest(tmp_path / "ward", broker.port, server.url) as ward, \
            LinkRig(tmp_path / "link", broker.port) as rig:
        seqs = [rig.append() for _ in range(20)]
        until(lambda: rig.waiting_n() == 0)
        server.stop()
        seqs += [rig.append() for _ in range(20)]
        until(lambda: ward.figures()["taimat_ward_database_up"] == 0)
        assert rig.waiting_n() == 20
        server.start()
        until(lambda: rig.waiting_n() == 0, "the outbox is empty")
        assert ward.seqs() == seqs
