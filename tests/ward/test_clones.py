"""Two devices with one certificate are found, and no device is taken for two: by Hypothesis, and over a real broker."""
import itertools
import os
import subprocess
import sys
from dataclasses import replace

import pytest
import sqlalchemy as sql
from hypothesis import given
from hypothesis import strategies as st

from agent.ward import database
from agent.ward.desk.rows import Known, rows
from agent.ward.quota import HOUR_MS, SHOWN_MS, read_excesses
from agent.ward.register import LASTS_MS, BootTurns, DeviceRecord
from tests.rigs.device.link_role import ROOT, LinkRig
from tests.rigs.mqtt.broker import Broker
from tests.rigs.mqtt.certified import certified, furnish, swapped
from tests.rigs.pki import Authority
from tests.rigs.wait import until
from tests.rigs.ward.ingest import WardIngest
from tests.rigs.ward.reporting_device import Teller
from tests.ward.reception import DEV, GOOD, arrived, reception

LIVES = st.lists(st.tuples(st.integers(1, 4), st.booleans()), min_size=1, max_size=12)


def life(boots):
    """What one card says, boot after boot, connection after connection; a new card counts these anew."""
    conn = 0
    for boot, (conns_n, is_new_card) in enumerate(boots):
        conn = 0 if is_new_card else conn
        for _ in range(conns_n):
            conn += 1
            yield f"{boot:08x}", conn


def found(words):
    """After each word, whether that was the turn of a second one."""
    turns = itertools.accumulate(enumerate(words, 1), lambda seen, word: seen.step(*word[1], now_ms=word[0]),
                                 initial=BootTurns())
    return [later.found_ms > before.found_ms for before, later in itertools.pairwise(turns)]


@given(LIVES, st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=6))
def test_no_device_is_taken_for_two_however_it_flaps_and_whatever_comes_again(boots, again):
    """A broker sends again, in its order, what nobody has acknowledged, and may be cut off in the midst of that."""
    words = list(life(boots))
    heard, at = [], 0
    for back, on in again:
        upto = min(len(words), at + 1 + on % 5)
        heard += words[at:upto]
        at = max(0, upto - back)
    heard += words[at:]
    assert not any(found(heard))


@given(st.lists(st.sampled_from((0, 1)), min_size=1, max_size=30), st.tuples(st.integers(0, 9), st.integers(0, 9)))
def test_two_are_found_once_each_has_come_back_twice(turns, conns):
    """Whoever's turn it is makes a new connection, for the other one has thrown it out."""
    counts = [itertools.count(1 + conn) for conn in conns]
    words = [(("aaaaaaaa", "bbbbbbbb")[who], next(counts[who])) for who in turns]
    changes_n = len(list(itertools.groupby(turns))) - 1
    assert any(found(words)) == (changes_n >= 3)


def test_it_stands_for_an_hour_in_the_figures_and_a_day_at_the_desk():
    ours, book, clock = reception()

    def says(boot, conn):
        ours.receive(arrived("status", {**GOOD["status"], "online": True, "boot": boot, "conn": conn}))
        ours.commit()

    for conn, boot in enumerate(("aaaaaaaa", "bbbbbbbb", "aaaaaaaa", "bbbbbbbb"), 1):
        assert not book.devices.get(DEV, DeviceRecord(DEV, 0)).turns.is_of_two(clock.wall_ms)
        says(boot, conn)

    def alarms():
        devices = book.devices.values()
        (row,) = rows(Known(now_ms=clock.wall_ms, devices=devices, overs=read_excesses(book._engine, clock.wall_ms)))
        return row.alarms

    assert book.devices[DEV].turns.is_of_two(clock.wall_ms) and alarms() == ["cloned"]
    clock.wall_ms += LASTS_MS
    assert not book.devices[DEV].turns.is_of_two(clock.wall_ms) and alarms() == ["cloned"]
    clock.wall_ms += SHOWN_MS["cloned"] - HOUR_MS
    assert alarms() == []


def test_once_it_is_thrown_out_there_is_nothing_left_to_do():
    ours, book, clock = reception()
    for conn, boot in enumerate(("aaaaaaaa", "bbbbbbbb") * 2, 1):
        ours.receive(arrived("status", {**GOOD["status"], "online": True, "boot": boot, "conn": conn}))
    ours.receive(replace(arrived("status", {}), payload=b""))
    ours.commit()
    overs = read_excesses(book._engine, clock.wall_ms)
    (row,) = rows(Known(now_ms=clock.wall_ms, devices=book.devices.values(), overs=overs))
    assert row.why == "removed" and row.alarms == []


@pytest.mark.parametrize(("boots", "cloned_n"), [(("9f2c1a7e", "77777777") * 2, 1), (("9f2c1a7e",) * 4, 0)],
                         ids=["a copied card", "a Wi-Fi that flaps"])
def test_over_a_broker_the_ingest_names_it_though_it_is_killed_after_each_turn(tmp_path, boots, cloned_n):
    with Broker(tmp_path / "broker") as broker, WardIngest(tmp_path / "ward", broker.port) as ward:
        until(lambda: ward.figures().get("taimat_ward_connected") == 1.0)
        for conn, boot in enumerate(boots, 1):
            with Teller(broker.port) as device:         # throws the one before it out
                device.say("status", device.status(conn=conn, boot=boot))
                device.say("evt", device.event(conn))
                until(lambda wanted=conn, device=device: wanted in device.receipts()["taken"])
            ward.kill()
            ward.start()
        until(lambda: ward.figures().get("taimat_ward_cloned_devices") == cloned_n)
        assert ("two devices use its certificate" in ward.log.read_text()) == bool(cloned_n)


class CopiedCard(LinkRig):
    """A link on a machine with another boot than this one: another file is laid over the kernel's word."""

    def start(self) -> "CopiedCard":
        (boot := self.folder / "boot_id").write_text("77777777-0000-4000-8000-000000000000\n")
        own = f'mount --bind {boot} /proc/sys/kernel/random/boot_id && exec "$@"'
        link = (sys.executable, "-m", *self.started_as, "--config", self.config)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(["unshare", "--mount", "sh", "-c", own, "sh", *link], cwd=ROOT, stderr=log)
        return self


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount")
def test_two_real_links_with_one_certificate_are_named_until_one_is_gone(tmp_path):
    authority, broker = Authority(tmp_path / "pki", "ward-ca"), Broker(tmp_path / "broker")
    furnish(broker, "mosquitto.conf", authority, swapped("acl.in", {"@WARD@": "w07"}))
    with broker, WardIngest(tmp_path / "ward", broker.port, ward=certified(authority, "ingest")) as ward, \
            LinkRig(tmp_path / "own", broker.port, account := certified(authority, DEV)) as own:
        until(lambda: (row := ward.device(DEV)) and row.online)
        with CopiedCard(tmp_path / "copy", broker.port, account):
            until(lambda: ward.figures()["taimat_ward_cloned_devices"] == 1)
        # Not by its number: each of the two goes on behind the numbers of the other.
        own.append(data='{"event":77,"phase":"start","start_ms":5}')
        until(lambda: own.waiting_n() == 0, "the one that is left goes on")
        until(lambda: any('"event":77' in row.message for row in ward.rows(sql.select(database.event))), "it came")
    assert "two devices use" in ward.log.read_text()
    assert "was its card copied" in own.log.read_text(), "its household's recorder says so, too"
