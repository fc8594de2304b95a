"""A ward that is told of people and vehicles alone: what goes when, what never does, and that no number is missing."""
import contextlib
import json
import sqlite3
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from agent.core.contract.facts import Poke
from agent.core.household.labels import PEOPLE, WORD_MS, EventWord
from agent.host.clock import Instant
from agent.store import announce, boots, clips, events, membership, outbox
from agent.store.database import transaction
from agent.store.decisions import consent
from agent.store.decisions import database as decisions
from agent.store.folders import Folders
from agent.store.outbox import Settled, settle_deferred
from tests.conftest import HandClock
from tests.link.agreement import JOINED, agree, never
from tests.rigs.device.link_role import LinkRig
from tests.rigs.mqtt.broker import Broker
from tests.rigs.store.joined import join
from tests.rigs.wait import until
from tests.rigs.ward.receiver import Ingest

NARROW = replace(JOINED, only=[*PEOPLE])


def choose(db: sqlite3.Connection, only: Sequence[str]) -> None:
    """The household's choice, as the shared database has it."""
    known = membership.read(db)
    assert known is not None
    with transaction(db):
        membership.put(db, replace(known, only=[*only]))


def begin(db: sqlite3.Connection, now: Instant, label: str | None = None) -> int:
    """Something moves; `label` is "" where nobody will tell what."""
    with transaction(db):
        boots.remember(db, now.boot)
        event = events.open_row(db, "gate", "motion", now)
        if label == "":
            events.label(db, event, None)
        announce.motion_start(db, "gate", event, now, 0.5, [], [], None)
    return event


def end(db: sqlite3.Connection, event: int, now: Instant) -> None:
    """It is over."""
    with transaction(db):
        events.finish(db, event, 4000, 0.5, 1, [], "1", None)
        row = events.get(db, event)
        assert row is not None
        announce.motion_end(db, row, now)


def name(db: sqlite3.Connection, event: int, word: Any, now: Instant) -> None:
    """Its word has come; None: nobody will tell."""
    with transaction(db):
        events.label(db, event, EventWord(word, 0.8) if word else None)
        row = events.get(db, event)
        if word and row is not None:
            announce.label(db, row, now)


def record(db: sqlite3.Connection, shown: Collection[int], now: Instant) -> None:
    """A clip that shows these events is whole."""
    with transaction(db):
        seq, clip_name = clips.open_row(db, "gate", "motion", now, "h264", 320, 180)
        for event in shown:
            events.tie(db, event, seq)
        clips.finish(db, seq, "done", 5000, 1000, 75)
        clip = clips.get(db, clip_name)
        assert clip is not None
        announce.clip_done(db, clip, now)


def told(db: sqlite3.Connection) -> list[tuple[int, str, Any]]:
    """Number, kind and events of all in the outbox."""
    rows = [(row["seq"], row["kind"], json.loads(row["data"])) for row in outbox.after(db, 0, 100)]
    return [(seq, kind, data.get("events", data.get("event"))) for seq, kind, data in rows]


@pytest.fixture
def ward(db: sqlite3.Connection) -> sqlite3.Connection:
    """A store whose ward is told of people and vehicles alone."""
    join(db)
    choose(db, PEOPLE)
    return db


def test_a_person_is_told_once_that_is_known_and_an_animal_never_and_no_number_is_missing(ward, hand_clock: HandClock):
    cat, man = begin(ward, hand_clock.now()), begin(ward, hand_clock.now())
    end(ward, man, hand_clock.now())
    end(ward, cat, hand_clock.now())
    assert settle_deferred(ward, hand_clock.now()) == Settled(left_n=4) and told(ward) == []
    name(ward, cat, "animal", hand_clock.now())
    name(ward, man, "person", hand_clock.now())
    assert settle_deferred(ward, hand_clock.now()) == Settled(released_n=3, dropped_n=3)
    assert told(ward) == [(1, "motion", man), (2, "motion", man), (3, "label", man)]
    assert settle_deferred(ward, hand_clock.now()) == Settled()


def test_a_word_keeps_back_and_no_lack_of_one_does(ward, hand_clock: HandClock):
    nameless = begin(ward, hand_clock.now(), label="")
    settle_deferred(ward, hand_clock.now())
    assert told(ward) == [(1, "motion", nameless)], "at once where nobody will tell"
    end(ward, nameless, hand_clock.now())
    late, lost = begin(ward, hand_clock.now()), begin(ward, hand_clock.now())
    hand_clock.advance(4)
    end(ward, late, hand_clock.now())
    with transaction(ward):
        events.cut(ward, lost, 1000)
    settle_deferred(ward, hand_clock.now())
    assert [event for _, _, event in told(ward)] == [nameless, nameless, lost], "a dead recorder tells nothing later"
    hand_clock.advance(WORD_MS / 1000 - 1)
    assert settle_deferred(ward, hand_clock.now()) == Settled(left_n=2)
    hand_clock.advance(1)
    assert settle_deferred(ward, hand_clock.now()) == Settled(released_n=2)
    name(ward, late, "animal", hand_clock.now())
    assert settle_deferred(ward, hand_clock.now()) == Settled(dropped_n=1) and len(told(ward)) == 5


def test_tampering_is_told_at_once(ward, hand_clock: HandClock):
    with transaction(ward):
        event = events.open_row(ward, "gate", "tamper", hand_clock.now(), code="covered")
        announce.tamper_start(ward, "gate", event, hand_clock.now(), "covered", 0.9, "")
    assert told(ward) == [(1, "tamper", event)]
    record(ward, [event], hand_clock.now())
    settle_deferred(ward, hand_clock.now())
    assert told(ward)[1:] == [(2, "clip", [event])]


def test_a_clip_is_told_with_the_people_that_it_shows_or_not_at_all(ward, hand_clock: HandClock):
    cat, man = begin(ward, hand_clock.now()), begin(ward, hand_clock.now())
    for shown in ([cat], [cat, man], []):
        record(ward, shown, hand_clock.now())
    name(ward, cat, "animal", hand_clock.now())
    assert settle_deferred(ward, hand_clock.now()) == Settled(dropped_n=4, left_n=2), "the second waits for the man"
    name(ward, man, "vehicle", hand_clock.now())
    settle_deferred(ward, hand_clock.now())
    assert told(ward) == [(1, "motion", man), (2, "clip", [man]), (3, "label", man)]


def test_of_an_event_that_goes_on_as_the_household_allows_all_again_the_end_follows_its_begin(
        ward, hand_clock: HandClock):
    cat, man = begin(ward, hand_clock.now()), begin(ward, hand_clock.now())
    choose(ward, [])
    end(ward, cat, hand_clock.now())
    end(ward, man, hand_clock.now())
    dog = begin(ward, hand_clock.now())
    for event, word in ((cat, "animal"), (man, "person"), (dog, "animal")):
        name(ward, event, word, hand_clock.now())
    settle_deferred(ward, hand_clock.now())
    assert [(kind, event) for _, kind, event in told(ward)] == [
        ("motion", dog), ("label", dog), ("motion", man), ("motion", man), ("label", man)]


def test_the_choice_forgets_what_waits_of_others_and_leaving_or_taking_back_what_waits_for_a_word(
        db: sqlite3.Connection, folders: Folders, hand_clock: HandClock):
    with contextlib.closing(decisions.connect(folders)) as own:
        never(own)
        never(db)
        consent.agree(own, db, JOINED, hand_clock.now())
        consent.follow(own, db, hand_clock.now())
        cat, man = begin(db, hand_clock.now()), begin(db, hand_clock.now())
        for event, word in ((cat, "animal"), (man, "person")):
            name(db, event, word, hand_clock.now())
            record(db, [event], hand_clock.now())
        consent.agree(own, db, NARROW, hand_clock.now())
        assert [event for _, _, event in told(db)] == [man, man, [man]]
        for agreed in (replace(NARROW, told=["status"]), replace(NARROW, ward=None)):
            consent.agree(own, db, NARROW, hand_clock.now())
            consent.follow(own, db, hand_clock.now())
            hand_clock.advance(1)
            begin(db, hand_clock.now())
            assert len(outbox.oldest_deferred(db, 0, 10)) == 1
            consent.agree(own, db, agreed, hand_clock.now())
            assert outbox.oldest_deferred(db, 0, 10) == []


def test_the_ward_knows_of_the_choice_and_gets_people_without_a_gap(tmp_path: Path):
    with Broker(tmp_path / "broker") as broker, Ingest(broker.port, tmp_path) as heard, \
            LinkRig(tmp_path / "link", broker.port) as rig:
        with contextlib.closing(decisions.connect(Folders(rig.folder / "store"))) as own:
            never(own)
        agree(rig, NARROW)
        rig.outlet.send(Poke(what="membership"), "link")
        until(lambda: (heard.last("/birth") or {}).get("only") == [*PEOPLE])
        for word in ("animal", "person", "nothing", "vehicle"):
            event = begin(rig.db, rig.clock.now())
            end(rig.db, event, rig.clock.now())
            name(rig.db, event, word, rig.clock.now())
            rig.outlet.send(Poke(what="outbox"), "link")
        got = until(lambda: heard.events() if len(heard.events()) == 6 else None, "two events of three messages")
        assert [each["seq"] for each in got] == [1, 2, 3, 4, 5, 6]
        assert [each["data"]["label"] for each in got if each["data"]["kind"] == "label"] == ["person", "vehicle"]
        agree(rig, JOINED)
        rig.outlet.send(Poke(what="membership"), "link")
        until(lambda: "only" not in heard.last("/birth"))
