"""A household takes back what its ward is told, at the keeper's desk, while everything is under way: how soon the last
byte is at the broker, and at the intake. Keeper and link are processes, and root is not there at all.
"""
import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent.core.contract.decisions import SOCKET, ChangeSettings, DecisionAnswer
from agent.core.contract.facts import Poke
from agent.core.contract.setup import SetSharing, SetWard
from agent.core.evidence.ledger.row import decode
from agent.core.household.consent import KINDS_OF
from agent.host.sockets import ask
from agent.store import ledger
from agent.store.decisions import browsers
from agent.store.decisions import database as decisions
from tests.rigs.mqtt.broker import Broker
from tests.rigs.pki import Authority
from tests.rigs.wait import Stopwatch, until
from tests.rigs.ward.handover import DEV, House
from tests.rigs.ward.taking_back import WITHIN_S, busy, from_us, is_quiet
from tests.rigs.ward.tus import Tus


@pytest.fixture
def tus(tmp_path: Path) -> Iterator[Tus]:
    with Tus(Authority(tmp_path / "pki", "ward")) as tus:
        yield tus


@pytest.fixture
def house(tmp_path: Path, broker: Broker, tus: Tus) -> Iterator[House]:
    with House(tmp_path / "house", broker, tus, 'allow = ["theft"]') as house:
        yield house


def say(house: House, change: Any) -> None:
    """A tap on the page, whose pokes only hurry: the page is not in this test."""
    with contextlib.closing(decisions.connect(house.folders)) as own:
        token = browsers.pair(own, house.db, "phone", house.rig.clock.now())
    until((house.rig.runtime / SOCKET).exists, "the keeper's desk is open")
    question = msgspec.json.encode(ChangeSettings(token=token, change=change)) + b"\n"
    assert msgspec.json.decode(ask(house.rig.runtime / SOCKET, question), type=DecisionAnswer).why == "no_setup"


def test_who_leaves_is_heard_of_no_more_within_5_s_in_the_middle_of_everything(house, broker, tus, record_property):
    tus.gate.clear()
    order = house.clip()
    until(lambda: order in tus.uploads, "the upload has begun")
    with busy(house):
        until(lambda: len(house.ward.events()) > 20)
        with Stopwatch() as watch:
            say(house, SetWard(enabled=False))
            until(lambda: f"Received DISCONNECT from {DEV}" in broker.log.read_text())
        tus.gate.set()
        assert is_quiet(house, lambda: from_us(broker))
        until(lambda: order not in tus.uploads, "the intake forgets what it has")
        assert is_quiet(house, lambda: len(tus.asked))
        assert not tus.receipts
    assert watch.fair_s < WITHIN_S
    record_property("left_s", watch.wall_s)
    assert house.ward.last("/status")["why"] == "consent_withdrawn" and house.rig.waiting_n() == 0
    assert not any(house.ward.all(tail)[-1].payload for tail in ("/birth", "/health"))
    rows = [row for line in ledger.lines(house.db) if (row := decode(line.doc))]
    assert [row.body.get("by") for row in rows if row.kind == "consent"][-1] == "page"


@pytest.mark.parametrize("part", KINDS_OF)
def test_a_part_that_is_taken_back_is_heard_of_no_more_within_5_s(house, part, record_property):
    def heard() -> list[Any]:
        events = [event["seq"] for event in house.ward.events() if event["data"]["kind"] in KINDS_OF[part]]
        reports = [each.payload for each in house.ward.all("/health") if each.payload and part == "health"]
        return events + reports

    with busy(house):
        until(lambda: len(house.ward.events()) > 20 and house.ward.last("/health"))
        with Stopwatch() as watch:
            say(house, SetSharing(**{part: "never"}))
            until(lambda: house.ward.last("/birth").get("withheld") == [part])
        assert watch.fair_s < WITHIN_S
        record_property("withheld_s", watch.wall_s)
        assert is_quiet(house, lambda: len(heard()))
        others = [event["data"]["kind"] for event in house.ward.events()][-5:]
    assert others and not set(others) & set(KINDS_OF[part]), "the rest goes on"


def test_no_more_pictures_stops_an_upload_within_5_s(house, tus):
    tus.gate.clear()
    order, asked = house.clip(), house.clip(purpose="missing-person")
    until(lambda: order in tus.uploads, "the upload has begun")
    house.hears(asked, "waiting_consent")
    with Stopwatch() as watch:
        say(house, SetSharing(default="never", never=[], ask=[], allow=[], snapshots="never"))
        house.rig.outlet.send(Poke(what="requests"), "link")
        for each in (order, asked):
            assert house.hears(each, "refused")["code"] == "refused"
    tus.gate.set()
    assert watch.fair_s < WITHIN_S
    until(lambda: order not in tus.uploads, "the intake was told to forget it")
    late = house.clip()
    assert house.hears(late, "refused")["code"] == "no_consent" and json.loads(house.ward.all(late)[-1].payload)
