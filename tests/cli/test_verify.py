"""`taimat verify` on real cards: its exit codes, words and JSON, and that it leaves no trace on what it looks at."""
import hashlib
import json
import sqlite3
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from agent.core.evidence.ledger.acts import CameraPaused
from agent.core.evidence.ledger.row import decode
from agent.keeper.ledger_writer import LedgerWriter
from agent.store import ledger
from agent.store.database import FILE, connect, transaction
from agent.store.decisions import database as decisions
from agent.store.folders import Folders
from tests.cli.cli import taimat, write_config
from tests.conftest import HandClock
from tests.rigs.device.keeper import keeper_of
from tests.rigs.store.cards import film


@pytest.fixture
def card(folders: Folders, hand_clock: HandClock) -> Folders:
    """Three clips, signed, by a recorder that has ended."""
    keeper = keeper_of(folders, hand_clock)
    for content in (b"one", b"two", b"three"):
        film(keeper.db, folders, hand_clock, content)
        hand_clock.advance(10)
        keeper.round(asked_for_space=False)
    keeper.db.close()
    keeper.own.close()
    return folders


def lines_of(printed: str) -> list[dict]:
    return [json.loads(line) for line in printed.splitlines()]


def snapshot(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in folder.rglob("*") if path.is_file()}


def test_a_card_that_holds_is_said_to_and_stays_as_it_is(tmp_path, card):
    before = snapshot(card.root)
    ran = taimat(tmp_path, "verify", card.root)
    assert ran.returncode == 0 and ran.stderr == ""
    assert "all of it holds: signed rows: 1 to 8; clips that hold: 3 of 3" in ran.stdout and "--head" in ran.stdout
    (result,) = lines_of(taimat(tmp_path, "verify", "--json", "-c", write_config(tmp_path)).stdout)
    assert (result["holds"], result["rows"], result["clips_hold_n"]) == (True, [[1, 8]], 3)
    assert snapshot(card.root) == before


def test_what_does_not_hold_is_named_with_its_place(tmp_path, card):
    path = sorted(card.clips.rglob("*.mp4"))[1]
    path.write_bytes(b"TWO")
    ran = taimat(tmp_path, "verify", card.root)
    assert ran.returncode == 1 and "clips that hold: 2 of 3" in ran.stdout
    assert f"clip_edited\t7\t{path.stem}\t" in ran.stdout
    finding, result = lines_of(taimat(tmp_path, "verify", card.root, "--json").stdout)
    assert (finding["code"], finding["n"], finding["clip"]) == ("clip_edited", 7, path.stem)
    assert not result["holds"] and result["clips_hold_n"] == 2


def test_a_head_that_the_ward_kept_shows_a_tail_that_was_cut_with_care(tmp_path, card):
    db = sqlite3.connect(card.root / FILE)
    n, seen = db.execute("SELECT n, hex(hash) FROM ledger ORDER BY n DESC").fetchone()
    head = f"{n}:{seen[:32].lower()}"
    assert "heads that agree: 1 of 1" in taimat(tmp_path, "verify", card.root, "--head", head).stdout
    last = json.loads(db.execute("SELECT doc FROM ledger WHERE n = ?", (n,)).fetchone()[0])
    db.executescript(f"DELETE FROM ledger WHERE n = {n}; "
                     f"DELETE FROM clip WHERE name = '{last['body']['clip']}'; "
                     f"UPDATE sqlite_sequence SET seq = seq - 1 WHERE name = 'act'")
    db.close()
    next(card.clips.rglob(last["body"]["clip"] + ".mp4")).unlink()
    assert taimat(tmp_path, "verify", card.root).returncode == 0
    finding, result = lines_of(taimat(tmp_path, "verify", card.root, "--json", "--head", head).stdout)
    assert finding["code"] == "tail_cut" and result["heads_hold_n"] == 0


def test_what_another_key_signed_is_refused_by_the_key_s_name(tmp_path, card):
    key = lines_of(taimat(tmp_path, "verify", card.root, "--json").stdout)[0]["keys"][0]
    assert taimat(tmp_path, "verify", card.root, "--key", key).returncode == 0
    other = taimat(tmp_path, "verify", card.root, "--key", "0" * 16, "--json")
    assert lines_of(other.stdout)[0]["code"] == "key_foreign" and other.returncode == 1


def test_a_card_from_a_recorder_that_died_is_read_with_what_is_in_its_log(tmp_path, card, hand_clock):
    db = connect(card.root)
    db.execute("PRAGMA wal_autocheckpoint = 0")
    film(db, card, hand_clock, b"four")
    with transaction(db):
        ledger.note(db, hand_clock.now(), CameraPaused(camera="gate", paused=True, by="page"))
    LedgerWriter(card, hand_clock, decisions.connect(card)).seal_some(db)
    dead = tmp_path / "dead"
    (dead / "clips" / "000000").mkdir(parents=True)
    (dead / FILE).parent.mkdir()
    for path in card.clips.rglob("*.mp4"):
        (dead / "clips" / "000000" / path.name).write_bytes(path.read_bytes())
    for name in (FILE, f"{FILE}-wal"):
        (dead / name).write_bytes((card.root / name).read_bytes())
    live, copied = (lines_of(taimat(tmp_path, "verify", folder, "--json").stdout)[-1] for folder in (card.root, dead))
    assert live == copied and live["holds"] and live["last_n"] == 9
    assert sorted(path.name for path in (dead / FILE).parent.iterdir()) == ["taimat.db", "taimat.db-wal"]
    db.close()


@pytest.mark.parametrize(("words", "said", "code"), [
    (("--head", "12"), "9f2c1a7e", 2), (("--head", "x:00112233445566778899"), "a row's number", 2),
    (("--key", "zz"), "fingerprint", 2)])
def test_a_head_or_key_that_is_none_is_answered_with_what_would_be_one(tmp_path, card, words, said, code):
    ran = taimat(tmp_path, "verify", card.root, *words)
    assert ran.returncode == code and said in ran.stderr and "Traceback" not in ran.stderr


def test_a_folder_that_is_no_store_or_one_of_another_schema_is_named_with_the_remedy(tmp_path):
    ran = taimat(tmp_path, "verify", tmp_path)
    assert ran.returncode == 73 and f"there is no {FILE} here" in ran.stderr
    for number, told in ((0, "holds nothing"), (3, "before its first release"), (99, "update this one")):
        (tmp_path / FILE).parent.mkdir(exist_ok=True)
        sqlite3.connect(tmp_path / FILE).executescript(
            f"CREATE TABLE IF NOT EXISTS meta (key TEXT, value TEXT); PRAGMA user_version = {number}")
        ran = taimat(tmp_path, "verify", tmp_path)
        assert ran.returncode == 73 and told in ran.stderr


def test_the_rows_can_be_checked_with_stock_tools_alone(tmp_path, card):
    db, prev = sqlite3.connect(card.root / FILE), bytes(32)
    rows = db.execute("SELECT doc, prev, hash, sig FROM ledger ORDER BY n").fetchall()
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(json.loads(rows[0][0])["body"]["key"]))
    for doc, before, row_hash, sig in rows:
        assert before == prev and hashlib.sha256(prev + doc).digest() == row_hash and decode(doc)
        key.verify(sig, b"taimat ledger 1\n" + row_hash)
        prev = row_hash
