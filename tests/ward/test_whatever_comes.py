"""No message ends the ingest, whatever it is, and none keeps another device's event from its receipt."""
import json
import sqlite3

import pytest
import sqlalchemy as sql
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.contract import wire
from agent.core.contract.wire.inbound import DEPTH_MAX, is_too_deep
from agent.mqtt.messages import Arrived
from agent.ward import database, register
from agent.ward.device_cache import DeviceCache
from tests.rigs.examples import examples
from tests.ward.reception import DEV, GOOD, reception

NEIGHBOUR = "c-0123456789ab"
WHATS = ("evt", "status", "birth", "health", "rsp/ops/01JDX0000000000000000000AB")


def said(ours, what, payload, dev=DEV):
    """That a device has said this; a commit follows."""
    ours.receive(Arrived(f"cam/v1/w07/{dev}/{what}", payload, False, None, None))
    ours.commit()


def nested(message, depth, opens=b"[", closes=b"]"):
    """The message as JSON with one more field, so many levels deep."""
    return json.dumps(message).encode()[:-1] + b',"more":' + opens * depth + b"0" + closes * depth + b"}"


def event(seq, dev=DEV, **data):
    return {**GOOD["evt"], "id": f"{dev}/{seq}", "seq": seq, "data": {
        "mono_ms": 5, "kind": "command", "id": "01JDX0000000000000000000AB", "st": "done", **data}}


def owed(ours):
    """The receipts by device: seqs that were taken, and the codes of those that were not."""
    found = {}
    while (each := ours.receipts.next()) is not None:
        found[each[0]] = each[1].also, {reject.seq: reject.code for reject in each[1].reject}
    return found


def test_however_deep_a_message_nests_the_ingest_goes_on():
    ours, _, _ = reception()
    for depth in (*range(1, 40), *range(880, 1010), 2000, 3900):
        said(ours, "evt", nested(event(depth), depth))
        for what in ("status", "birth", "health"):
            said(ours, what, nested(GOOD[what], depth))
    said(ours, "evt", json.dumps(event(1, NEIGHBOUR)).encode(), NEIGHBOUR)
    told = owed(ours)
    assert told[NEIGHBOUR] == ([1], {})
    taken, refused = told[DEV]
    assert taken == list(range(1, DEPTH_MAX)) and set(refused.values()) == {"too_deep"}


PIECES = st.sampled_from([b"[", b"]", b"{", b"}", b'"', b"\\", b'\\"', b"\\\\", b'"a"', b":", b",", b"1", b"\\u00"])


@given(st.lists(PIECES, max_size=200).map(b"".join) | st.binary(max_size=300), st.integers(0, 60))
def test_depth_is_what_a_parser_would_find(inner, depth):
    whole = b"[" * depth + b'"' + json.dumps(inner.decode("latin-1")).encode()[1:] + b"]" * depth
    assert is_too_deep(whole) == (depth > DEPTH_MAX), "brackets in a text are text"
    is_too_deep(inner)


def test_a_text_that_never_ends_is_read_once():
    assert not is_too_deep(b'"\\' * 30_000)
    assert not is_too_deep(b'"' + b'\\"' * 30_000)


@given(st.lists(st.tuples(st.sampled_from(WHATS), st.binary(max_size=200) | st.lists(PIECES).map(b"".join)
                          | st.sampled_from([json.dumps(each).encode() for each in GOOD.values()])), max_size=6))
@settings(max_examples=examples(60))
def test_after_anything_at_all_the_neighbour_gets_its_receipt(messages):
    ours, _, _ = reception()
    for what, payload in messages:
        ours.receive(Arrived(f"cam/v1/w07/{DEV}/{what}", payload, True, None, None))
    said(ours, "evt", json.dumps(event(1, NEIGHBOUR)).encode(), NEIGHBOUR)
    assert owed(ours)[NEIGHBOUR] == ([1], {})


def test_what_we_stumble_over_is_set_aside_alone(monkeypatch, caplog):
    """A fault of our own that one message brings out, while it is read or while it is committed."""
    def stumbles(known, birth, text):
        raise ZeroDivisionError
    monkeypatch.setattr(register, "with_birth", stumbles)
    monkeypatch.setattr("agent.ward.ward_side.answer_in", lambda text: 1 / 0)
    ours, book, _ = reception()
    for seq in range(2, 20):
        ours.receive(Arrived(f"cam/v1/w07/{NEIGHBOUR}/evt", json.dumps(event(seq, NEIGHBOUR, kind="motion")).encode(),
                             False, None, None))
        if seq == 9:
            ours.receive(Arrived(f"cam/v1/w07/{DEV}/birth", json.dumps(GOOD["birth"]).encode(), True, None, None))
            ours.receive(Arrived(f"cam/v1/w07/{DEV}/evt", json.dumps(event(1)).encode(), False, None, None))
    ours.commit()
    assert owed(ours) == {NEIGHBOUR: (list(range(2, 20)), {}), DEV: ([], {1: "fault"})}
    assert book.devices[DEV].birth is None and book.devices[NEIGHBOUR].reach.top == 19
    for what in ("birth", "evt"):
        assert any(DEV in line and f"/{what}" in line and "ZeroDivisionError" in line for line in caplog.messages), what


@pytest.mark.parametrize("error", [UnicodeEncodeError("utf-8", "x", 0, 1, "surrogates"), OverflowError("too large"),
                                   sqlite3.DataError("string or blob too big")])
def test_what_the_database_cannot_hold_is_set_aside_alone(monkeypatch, error):
    ours, _, _ = reception()
    put = database.put

    def picky(db, table, rows, replace):
        if table is database.event and any(row["seq"] == 7 for row in rows):
            raise error if not isinstance(error, sqlite3.Error) else sql.exc.DataError("INSERT", {}, error)
        put(db, table, rows, replace)
    monkeypatch.setattr("agent.ward.events.put", picky)
    for seq in range(1, 12):
        ours.receive(Arrived(f"cam/v1/w07/{DEV}/evt", json.dumps(event(seq)).encode(), False, None, None))
    ours.commit()
    assert owed(ours) == {DEV: ([1, 2, 3, 4, 5, 6, 8, 9, 10, 11], {7: "fault"})}


def test_a_database_that_is_away_sets_nothing_aside(tmp_path):
    ours, _, _ = reception()
    engine = database.open_engine(f"sqlite:///{tmp_path}/ward.db")
    ours._cache = DeviceCache(engine)
    ours.receive(Arrived(f"cam/v1/w07/{DEV}/evt", json.dumps(event(1)).encode(), False, None, None))
    with engine.begin() as db:
        db.exec_driver_sql("ALTER TABLE event RENAME TO away")
    with pytest.raises(database.DatabaseFault):
        ours.commit()
    assert owed(ours) == {}


@pytest.mark.parametrize("kind", [wire.Ack, wire.Command, wire.WardState])
def test_a_device_and_a_forwarder_read_nothing_that_nests_too_deep(kind):
    for depth in range(DEPTH_MAX, 1200, 7):
        with pytest.raises(wire.BadPayload):
            wire.decode(kind, b'{"args":' + b"[" * depth + b"]" * depth + b"}")
