"""The keeper signs what was done: in order, once, with its own key; after a kill at any moment the chain goes on."""
import contextlib
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from hypothesis import given, settings
from hypothesis import strategies as st

from agent import __version__
from agent.config.derived import digest
from agent.config.settings import Camera
from agent.core.evidence.ledger.acts import CameraPaused, Updated
from agent.host.clock import SystemClock
from agent.keeper.key import FILE, KeyFault, load_or_make
from agent.keeper.ledger_writer import BATCH_N, LedgerWriter
from agent.store import clips, events, ledger, meta, pause, privacy
from agent.store.database import connect, transaction
from agent.store.decisions import browsers
from agent.store.decisions import database as decisions
from agent.store.folders import Folders
from tests.conftest import HandClock
from tests.rigs.device.keeper import WINDY, keeper_of, kinds, rows
from tests.rigs.examples import examples
from tests.rigs.store.cards import codes, film, look

REPO = Path(__file__).parents[2]


def test_a_clip_s_row_tells_what_was_filmed_and_how(folders, hand_clock):
    keeper = keeper_of(folders, hand_clock, serial="10000000abcdef01")
    name = film(keeper.db, folders, hand_clock, b"video")
    seq = clips.get(keeper.db, name).seq
    event = events.open_row(keeper.db, "gate", "motion", hand_clock.now())
    events.tie(keeper.db, event, seq)
    events.finish(keeper.db, event, 1000, 0.1, 1, [], "2", None, settings="0123456789ab")
    keeper.round(asked_for_space=False)
    (row,) = (row for row in rows(keeper.db) if row.kind == "clip")
    told = row.body
    assert (told["clip"], told["camera"], told["bytes"], told["serial"]) == (name, "gate", 5, "10000000abcdef01")
    assert (told["boot"], told["mono_ms"], told["clock"], told["offset_ms"]) == (
        "0b007001", 1_000_000, "ntp", hand_clock.wall_ms - int(hand_clock.mono * 1000))
    assert (told["settings"], told["detector"]) == ("0123456789ab", "2")
    assert "masks" not in told, "the camera was set to something that this keeper does not know"
    assert clips.get(keeper.db, name).sha256 == told["sha256"] and codes(folders) == set()


def test_a_clip_s_row_names_the_masks(folders, hand_clock):
    keeper = keeper_of(folders, hand_clock)
    film(keeper.db, folders, hand_clock, b"video")
    keeper.round(asked_for_space=False)
    (told,) = (row.body for row in rows(keeper.db) if row.kind == "clip")
    assert len(told["masks"]) == 16 and told["masked_by"] == "paint" and told["settings"] == digest(WINDY)


def test_what_roles_do_is_a_row_and_its_act_waits_until_then(folders, hand_clock):
    keeper = keeper_of(folders, hand_clock, camera=Camera(name="gate", source="rtsp://x/y", masks=WINDY.masks,
                                                          privacy_mask="camera"))
    db, now = keeper.db, hand_clock.now()
    with transaction(db):
        pause.note(db, "gate", "schedule", now)
        pause.note(db, "gate", "schedule", now)
        pause.note(db, "gate", None, now)
    token = browsers.pair(keeper.own, db, "a phone", now)
    assert kinds(db) == ["begin", "pause", "pause", "pairing"], "the keeper's are signed at once"
    with contextlib.closing(connect(folders.root)) as capture, transaction(capture):
        pause.note(capture, "gate", "schedule", now)
        pause.note(capture, "gate", None, now)
    assert len(ledger.waiting(db)) == 2 and codes(folders) == set()
    keeper.round(asked_for_space=False)
    assert kinds(db)[4:] == ["update", "consent", "masks", "clock", "day_key", "pause", "pause"]
    assert [row.body.get("paused") for row in rows(db)[-2:]] == [True, False]
    assert token not in str(rows(db)[3].body) and ledger.waiting(db) == []
    hand_clock.advance(5)
    hand_clock.wall_ms += 3_600_000
    keeper.round(asked_for_space=False)
    assert rows(db)[-1].body == {"code": "step", "offset_ms": hand_clock.wall_ms - int(hand_clock.mono * 1000),
                                 "step_ms": 3_600_000}
    assert codes(folders) == set()


def test_what_the_household_agrees_to_and_what_software_it_is_are_rows_when_they_change(folders, hand_clock):
    for keys in ({}, {}, {"audio": True, "off": ["Mon-Fri 07:00-17:00"]}, {"enabled": False}):
        keeper = keeper_of(folders, hand_clock, camera=Camera(name="gate", source="picamera:0", **keys))
        keeper.round(asked_for_space=False)
    told = [row.body for row in rows(keeper.db) if row.kind == "consent"]
    assert [body["cameras"]["gate"] for body in told] == [
        "motion", "motion, with sound, off Mon-Fri 07:00-17:00", "off"]
    assert told[0]["keep_h"] == 240 and "ward" not in told[0]
    assert [row.body for row in rows(keeper.db) if row.kind == "update"] == [{"version": __version__}]
    assert privacy.note_software(keeper.db, "9.9", hand_clock.now())
    assert rows(keeper.db)[-1].body == {"version": "9.9", "was": __version__}


def test_a_deletion_is_a_row_with_all_clips_that_went_together(folders, hand_clock):
    keeper = keeper_of(folders, hand_clock)
    names = [film(keeper.db, folders, hand_clock, b"x" * n) for n in range(1, 4)]
    keeper.round(asked_for_space=False)
    hand_clock.advance(11 * 86_400)
    keeper.round(asked_for_space=True)
    assert [row.body for row in rows(keeper.db) if row.kind == "deletion"] == [{"clips": names, "why": "age"}]
    assert codes(folders) == set() and not look(folders).shelf.files


def test_an_act_that_is_rolled_back_is_none_and_leaves_no_gap(folders, hand_clock):
    keeper = keeper_of(folders, hand_clock)
    with pytest.raises(ZeroDivisionError), transaction(keeper.db) as db:
        pause.note(db, "gate", "schedule", hand_clock.now())
        raise ZeroDivisionError
    with transaction(keeper.db) as db:
        pause.note(db, "gate", "unreadable", hand_clock.now())
    keeper.round(asked_for_space=False)
    assert kinds(keeper.db) == ["begin", "pause", "update", "consent", "clock", "day_key"] and codes(folders) == set()


def test_the_key_is_the_keeper_s_alone_and_stays(folders, hand_clock):
    keeper = keeper_of(folders, hand_clock)
    keeper.round(asked_for_space=False)
    path = folders.keys / FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(folders.keys.stat().st_mode) == 0o700
    key = load_pem_private_key(path.read_bytes(), None).public_key().public_bytes_raw()
    assert meta.get(keeper.db, ledger.KEY) == rows(keeper.db)[0].body["key"] == key.hex()
    again = keeper_of(folders, hand_clock)
    again.round(asked_for_space=False)
    assert again.facts().ledger.key == keeper.facts().ledger.key and kinds(again.db).count("begin") == 1
    assert path.read_bytes().count(b"PRIVATE KEY") == 2 and len(list(folders.keys.glob("*.key"))) == 1


def test_a_key_that_can_not_be_used_is_named_never_replaced_and_nothing_is_lost(folders, hand_clock):
    keeper = keeper_of(folders, hand_clock)
    keeper.round(asked_for_space=False)
    good = (folders.keys / FILE).read_bytes()
    (folders.keys / FILE).write_bytes(b"nonsense")
    with pytest.raises(KeyFault, match="taimat verify"):
        load_or_make(folders.keys)
    again = keeper_of(folders, hand_clock)
    film(again.db, folders, hand_clock, b"video")
    again.round(asked_for_space=False)
    assert "signing.key" in again.facts().key_fault and clips.finished(again.db)[0].sha256
    assert codes(folders) == set() and len(ledger.waiting(again.db)) >= 1, "marked, until there is a key"
    (folders.keys / FILE).write_bytes(good)
    again.round(asked_for_space=False)
    assert again.facts().key_fault is None and ledger.waiting(again.db) == [] and codes(folders) == set()


def test_another_key_is_told_in_the_ledger(folders, hand_clock):
    keeper_of(folders, hand_clock).round(asked_for_space=False)
    (folders.keys / FILE).unlink()
    hand_clock.advance(5)
    again = keeper_of(folders, hand_clock)
    film(again.db, folders, hand_clock, b"video")
    again.round(asked_for_space=False)
    assert "key" in kinds(again.db) and codes(folders) == {"key_changed"}


def test_a_step_while_no_keeper_was_there_is_told_by_the_next_one(folders, hand_clock):
    hand_clock.state = "saved"
    keeper = keeper_of(folders, hand_clock)
    film(keeper.db, folders, hand_clock, b"video")
    keeper.round(asked_for_space=False)
    hand_clock.advance(60)
    hand_clock.wall_ms -= 3_600_000
    film(keeper.db, folders, hand_clock, b"more")
    again = keeper_of(folders, hand_clock)
    again.round(asked_for_space=False)
    assert [row.body["step_ms"] for row in rows(again.db) if row.kind == "clock"] == [-3_600_000]
    assert codes(folders) == set()


def test_many_acts_are_signed_in_batches_that_hold_nobody_up(folders, hand_clock):
    db = connect(folders.root)
    with transaction(db):
        for n in range(BATCH_N * 3 + 1):
            ledger.note(db, hand_clock.now(), CameraPaused(camera="gate", paused=n % 2 == 0, by="schedule"))
    assert LedgerWriter(folders, hand_clock, decisions.connect(folders)).seal_some(db) == BATCH_N * 3 + 2
    assert codes(folders) == set()


def test_another_role_s_word_for_the_keeper_s_own_act_is_told_as_what_it_is(folders, hand_clock):
    keeper, link = keeper_of(folders, hand_clock), connect(folders.root)
    keeper.round(asked_for_space=False)
    known = len(rows(keeper.db))
    ledger.note(link, hand_clock.now(), Updated(version="9.9"))
    (folders.keys / FILE).rename(folders.keys / "away")
    (folders.keys / FILE).mkdir()                              # so it is marked, as by the version before
    ledger.note(keeper_of(folders, hand_clock).db, hand_clock.now(), Updated(version="2.0"))
    (folders.keys / FILE).rmdir()
    (folders.keys / "away").rename(folders.keys / FILE)
    copied = tuple(link.execute("SELECT * FROM act ORDER BY id DESC LIMIT 1").fetchone())
    link.execute("INSERT INTO act VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (copied[0] + 1, *copied[1:]))
    keeper.round(asked_for_space=False)
    link.execute("INSERT INTO act VALUES (?, ?, ?, ?, ?, ?, ?, ?)", copied)      # once more, after it was signed
    keeper.round(asked_for_space=False)
    assert keeper.fault is None
    assert [(row.kind, row.body) for row in rows(keeper.db)[known:]] == [
        ("unauthorised", {"claimed": "update", "body": {"version": "9.9"}}), ("update", {"version": "2.0"}),
        ("unauthorised", {"claimed": "update", "body": {"version": "2.0"}})]


def test_an_act_that_is_no_json_holds_up_no_other(folders, hand_clock):
    keeper = keeper_of(folders, hand_clock)
    bodies = ("{", "7", '{"a":0.5}', '{"a":' + 90_000 * "[")
    for body in bodies:
        keeper.db.execute("INSERT INTO act (kind, boot, mono_ms, wall_ms, clock, body) "
                          "VALUES ('delivery', 'b', 1, 1, 'ntp', ?)", (body,))
    keeper.round(asked_for_space=False)
    assert keeper.fault is None
    assert [row.body for row in rows(keeper.db)[-4:]] == [{"unreadable": body} for body in bodies]


LIFE = """
import sys
from pathlib import Path
from agent.core.evidence.ledger.acts import CameraPaused
from agent.host.clock import SystemClock
from agent.keeper.ledger_writer import LedgerWriter
from agent.store import ledger
from agent.store.database import connect, transaction
from agent.store.decisions import browsers
from agent.store.decisions import database as decisions
from agent.store.folders import Folders
folders, clock = Folders(Path(sys.argv[1])), SystemClock()
db, own, n = connect(folders.root), decisions.connect(folders), 0
link, writer = connect(folders.root), LedgerWriter(folders, clock, own)
db.signer = writer
while True:
    with transaction(own), transaction(db):
        ledger.note(db, clock.now(), CameraPaused(camera="gate", paused=n % 2 == 0, by="page"))
    ledger.note(link, clock.now(), CameraPaused(camera="gate", paused=n % 2 == 0, by="schedule"))
    n += 1
    if n % 3 == 0:
        writer.seal_some(db)
        print(n, flush=True)
"""


def test_a_kill_at_any_moment_leaves_a_chain_that_goes_on(folders):
    for number in range(6):
        life = subprocess.Popen([sys.executable, "-c", LIFE, folders.root], stdout=subprocess.PIPE, cwd=REPO)
        assert life.stdout.readline()
        threading.Event().wait(0.003 * number)
        life.send_signal(signal.SIGKILL)
        life.wait()
        life.stdout.close()
        assert codes(folders) == set()
    db = connect(folders.root)
    LedgerWriter(folders, SystemClock(), decisions.connect(folders)).seal_some(db)
    assert max(row.act_n for row in rows(db)) == ledger.noted_n(db) and codes(folders) == set()
    assert kinds(db).count("begin") == 1 and set(kinds(db)) == {"begin", "pause"}


def test_a_keeper_that_is_killed_before_any_statement_signs_all_the_same(folders, thorough):
    """Usually before every third."""
    step = 1 if thorough else 3
    code = f"from tests.keeper.killed import die_everywhere; die_everywhere({str(folders.root)!r}, {step})"
    ran = subprocess.run([sys.executable, "-c", code], cwd=REPO, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr      # a process of its own: one with threads must not fork


STEPS = st.lists(st.one_of(st.sampled_from(["film", "pause", "pair", "round", "restart"]),
                           st.integers(1, 4 * 86_400), st.integers(-100_000, -1)), min_size=3, max_size=20)


@settings(max_examples=examples(15))
@given(steps=STEPS)
def test_a_real_store_that_lived_honestly_holds(tmp_path_factory, steps):
    clock, folders = HandClock(state="saved"), Folders(tmp_path_factory.mktemp("card") / "store").create()
    keeper = keeper_of(folders, clock)
    for n, step in enumerate(steps):
        match step:
            case "film":
                film(keeper.db, folders, clock, bytes([n]) * 9)
            case "pause":
                with transaction(keeper.db):
                    pause.note(keeper.db, "gate", "schedule" if n % 2 else None, clock.now())
            case "pair":
                browsers.pair(keeper.own, keeper.db, "phone", clock.now())
            case "round":
                keeper.round(asked_for_space=True)
            case "restart":
                keeper.db.close()
                keeper = keeper_of(folders, clock)
            case int() if step > 0:
                clock.advance(step)
            case int():
                clock.wall_ms += step * 1000
        assert codes(folders) == set()
    keeper.db.close()
