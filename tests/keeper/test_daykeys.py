"""The keys of days: made before they are needed, destroyed with the last that they open, and given out at a desk."""
import os
import socket
import sqlite3
from pathlib import Path

import msgspec
import pytest

from agent.core.evidence.encrypted import DamagedError, FileHead, LockedError
from agent.keeper.link_desk import open_key_socket
from agent.keeper.sweeper import DAY_MS, DayKeys
from agent.store import clips, events
from agent.store.decisions import days
from agent.store.decisions.days import install_household
from agent.store.encryption.ciphers import new_file, new_private, public_of, unwrap
from agent.store.encryption.file_keys import FOLDER, SOCKET, KeyQuestion, Keyring, private_file
from agent.store.folders import Folders
from tests.conftest import HandClock
from tests.rigs.store.cards import all_acts
from tests.rigs.store.holder import Holder
from tests.rigs.store.vault import Vault
from tests.rigs.wait import HANG_S


@pytest.fixture
def keys(folders: Folders) -> DayKeys:
    return DayKeys(folders)


def on_card(folders: Folders) -> list[str]:
    return sorted(os.listdir(folders.keys / FOLDER))


def acts(db: sqlite3.Connection) -> list[tuple[str, int]]:
    return [(row.body["code"], row.body["day"]) for row in all_acts(db) if row.kind == "day_key"]


def encrypted_clip(own, db, clock: HandClock) -> clips.Clip:
    """A finished clip's row, encrypted for today."""
    seq, name = clips.open_row(db, "gate", "motion", clock.now(), "h264", 320, 180, days.newest(own).id)
    clips.finish(db, seq, "done", 1000, 100, 10)
    return clips.get(db, name)


def test_a_key_lasts_a_day_and_the_file_is_the_keepers_alone(keys, own, db, folders, hand_clock):
    for hours in (0, 1, 22.9, 0.2):
        hand_clock.advance(hours * 3600)
        keys.renew(own, db, hand_clock.now())
    assert [key.id for key in days.living(own)] == [1, 2] and acts(db) == [("made", 1), ("made", 2)]
    assert on_card(folders) == ["000001.key", "000002.key"]
    for day in (1, 2):
        path = private_file(folders.keys, day)
        assert public_of(path.read_bytes()) == days.living(own)[day - 1].public
        assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_while_the_database_is_held_no_file_is_made(keys, own, db, folders, hand_clock):
    db.execute("PRAGMA busy_timeout = 0")
    with Holder(folders.root, "writer"):
        for _ in range(3):
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                keys.renew(own, db, hand_clock.now())
    assert on_card(folders) == []
    keys.renew(own, db, hand_clock.now())
    assert on_card(folders) == ["000001.key"]


@pytest.mark.parametrize(("state", "later_s", "made_n"), [
    ("ntp", 3600, 1), ("rtc", 3600, 1), ("saved", 3600, 2), ("ntp", 25 * 3600, 2), ("ntp", -60, 2)])
def test_after_a_reboot_a_key_goes_on_only_if_right_clocks_say_that_it_is_young(keys, own, db, hand_clock, state,
                                                                               later_s, made_n):
    keys.renew(own, db, hand_clock.now())
    hand_clock.boot, hand_clock.mono, hand_clock.state = "0b007002", 20.0, state
    hand_clock.wall_ms += later_s * 1000
    keys.renew(own, db, hand_clock.now())
    assert len(days.living(own)) == made_n


def test_a_key_is_destroyed_with_the_last_that_it_opens_and_never_the_one_in_use(keys, own, db, folders, hand_clock):
    keys.renew(own, db, hand_clock.now())
    first, second = encrypted_clip(own, db, hand_clock), encrypted_clip(own, db, hand_clock)
    hand_clock.advance(DAY_MS / 1000)
    keys.renew(own, db, hand_clock.now())
    clips.condemn(db, [first.name], "age")
    clips.bury(db, [first.seq])
    clips.condemn(db, [second.name], "age")
    assert keys.destroy_unused(own, db, hand_clock.now()) == 0
    clips.bury(db, [second.seq])
    assert keys.destroy_unused(own, db, hand_clock.now()) == 1
    assert on_card(folders) == ["000002.key"] and acts(db)[-1] == ("destroyed", 1)
    assert own.execute("SELECT gone FROM day_key WHERE id = 1").fetchone()["gone"]
    assert keys.destroy_unused(own, db, hand_clock.now()) == 0


def test_a_picture_keeps_its_key_too(keys, own, db, hand_clock):
    keys.renew(own, db, hand_clock.now())
    event = events.open_row(db, "gate", "motion", hand_clock.now())
    events.finish(db, event, 1, 0, 0, [], "1", "x.jpg", day_key=1)
    hand_clock.advance(DAY_MS / 1000)
    keys.renew(own, db, hand_clock.now())
    assert days.in_use(db) == {1}
    db.execute("UPDATE event SET thumb = NULL")
    assert days.in_use(db) == set()


def test_a_cut_between_a_key_s_file_and_its_row_uses_no_number_twice(keys, own, db, folders, hand_clock):
    keys.renew(own, db, hand_clock.now())
    stray = private_file(folders.keys, 2)
    stray.write_bytes(new_private())
    hand_clock.advance(DAY_MS / 1000)
    keys.renew(own, db, hand_clock.now())
    assert [key.id for key in days.living(own)] == [1, 3]


def test_the_household_can_open_every_day_once_it_has_a_key(keys, own, db, folders, hand_clock):
    keys.renew(own, db, hand_clock.now())
    household = new_private()
    install_household(own, db, public_of(household), hand_clock.now())
    hand_clock.advance(DAY_MS / 1000)
    keys.renew(own, db, hand_clock.now())
    for key in days.living(own):
        wrapped = key.for_household
        assert unwrap(wrapped[:32], wrapped[32:], household, f"day {key.id}") == \
            private_file(folders.keys, key.id).read_bytes()


@pytest.fixture
def desk(folders: Folders, tmp_path: Path, keys, own, db, hand_clock):
    keys.renew(own, db, hand_clock.now())
    made = open_key_socket(tmp_path, folders)
    yield tmp_path
    made.close()


def made_file(own) -> tuple[FileHead, bytes]:
    return new_file(1, 1, days.newest(own).public, "gate-0b007001-000001")


def test_the_desk_gives_the_key_of_a_file_and_of_no_other(desk, own, db, folders, tmp_path):
    head, key = made_file(own)
    stranger = Keyring(Folders(tmp_path / "elsewhere"), desk)       # can't read the keeper's files
    assert stranger.file_key(head, "gate-0b007001-000001") == key
    with pytest.raises(DamagedError, match="another file"):
        stranger.file_key(head, "gate-0b007001-000002")
    private_file(folders.keys, 1).unlink()
    with pytest.raises(LockedError, match="it was erased"):
        stranger.file_key(head, "gate-0b007001-000001")


def test_the_desk_answers_nonsense_with_a_reason_and_goes_on(desk, own, db):
    for question in (b"\n", b"{}\n", b"[1]\n", b"x" * 2000 + b"\n", b'{"day": 1e99}\n',
                     msgspec.json.encode(KeyQuestion(1, b"short", b"", "gate")) + b"\n"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(HANG_S)
            line.connect(str(desk / SOCKET))
            line.sendall(question)
            assert msgspec.json.decode(line.recv(4096))["why"]
    head, key = made_file(own)
    assert Keyring(Folders(desk / "elsewhere"), desk).file_key(head, "gate-0b007001-000001") == key


def test_a_key_that_a_file_still_needs_stays_whatever_the_rows_say(folders, own, db, hand_clock):
    vault = Vault(db, folders, hand_clock)
    keys = DayKeys(folders)
    seq, name, _ = vault.record()
    hand_clock.advance(DAY_MS / 1000)
    keys.renew(own, db, hand_clock.now())
    db.execute("UPDATE clip SET state = 'deleted', day_key = NULL")
    assert keys.destroy_unused(own, db, hand_clock.now()) == 0
    folders.clip(seq, name).unlink()
    assert keys.destroy_unused(own, db, hand_clock.now()) == 1


def test_a_household_s_key_is_told_and_other_roles_can_set_none(keys, own, db, hand_clock):
    keys.renew(own, db, hand_clock.now())
    db.execute("INSERT INTO meta (key, value) VALUES ('household_key', ?)", ("42" * 32,))
    keys.renew(own, db, hand_clock.now())
    assert [day.for_household for day in days.public(own)] == [None]
    install_household(own, db, public_of(new_private()), hand_clock.now())
    keys.renew(own, db, hand_clock.now())
    assert days.public(own)[0].for_household is not None
    assert [row.kind for row in all_acts(db)][-1] == "household_key"
    assert db.execute("SELECT COUNT(*) FROM outbox WHERE kind = 'security'").fetchone()[0] == 1
