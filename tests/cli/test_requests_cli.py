"""`taimat requests`, on a store that was filled through its own doors."""
import json
import sqlite3
from pathlib import Path

from agent.host.clock import SystemClock
from agent.store import clips, requests
from agent.store.database import transaction
from agent.store.folders import Folders
from tests.cli.cli import taimat, write_config
from tests.rigs.ward.requests import ask


def record(db: sqlite3.Connection) -> str:
    """Twelve seconds of the camera "gate", just now."""
    with transaction(db):
        seq, name = clips.open_row(db, "gate", "motion", SystemClock().now(), "h264", 640, 360)
        clips.finish(db, seq, "done", 12_000, 3_000_000, 180)
    return name


def test_the_household_sees_who_asks_and_what_would_leave(tmp_path: Path, folders: Folders, db: sqlite3.Connection):
    name, config = record(db), write_config(tmp_path)
    now = SystemClock().now()
    ask(db, begin_ms=now.wall_ms - 60_000, end_ms=now.wall_ms + 60_000)
    listed = taimat(tmp_path, "requests", "-c", config).stdout.splitlines()
    assert listed[0].split("\t")[:2] == ["1", "waits for you"] and "approve or refuse" in " ".join(listed)
    shown = taimat(tmp_path, "requests", "show", "1", "-c", config).stdout
    for told in ("Trần Văn B", "W07-2026-0093", "BLTTHS 2015, điều 107", "12.0 s of video, about 3.0 MB", name,
                 "ward07.example.invalid"):
        assert told in shown, shown
    (told,) = map(json.loads, taimat(tmp_path, "requests", "list", "--json", "-c", config).stdout.splitlines())
    assert (told["n"], told["state"], told["clips"], told["footage_ms"]) == (1, "waiting", [name], 12_000)


def test_a_word_is_given_once_and_an_approval_can_be_taken_back(tmp_path: Path, folders: Folders,
                                                                db: sqlite3.Connection):
    config, asked = write_config(tmp_path), ask(db)
    unasked = taimat(tmp_path, "requests", "approve", "1", "-c", config)
    assert unasked.returncode == 2 and "--yes" in unasked.stderr and requests.get(db, 1).state == "waiting"
    said = taimat(tmp_path, "requests", "approve", "1", "--yes", "-c", config)
    assert (said.returncode, said.stderr) == (0, "") and said.stdout.startswith("approved  request 1: gate, ")
    found = requests.find(db, asked.id)
    assert (found.state, found.decided_by) == ("approved", "command")
    assert taimat(tmp_path, "requests", "refuse", "1", "-c", config).stdout.startswith("refused  request 1")
    late = taimat(tmp_path, "requests", "approve", "1", "-y", "-c", config)
    assert late.returncode == 73 and "request 1 is refused already" in late.stderr
    assert "refused, by taimat requests" in taimat(tmp_path, "requests", "show", "1", "-c", config).stdout


def test_what_is_not_there_is_said(tmp_path: Path, folders: Folders, db: sqlite3.Connection):
    said = taimat(tmp_path, "requests", "refuse", "7", "-c", write_config(tmp_path))
    assert said.returncode == 2 and "there is no request 7" in said.stderr
    ask(db, kind="snapshot", begin_ms=None, end_ms=None)
    assert "one picture of the moment when you agree" in taimat(
        tmp_path, "requests", "show", "1", "-c", tmp_path / "taimat.toml").stdout


def test_words_of_the_ward_are_shown_as_they_are(tmp_path: Path, folders: Folders, db: sqlite3.Connection):
    ask(db, officer="[bold]Captain[/bold] [link=https://evil.example]B[/link]")
    shown = taimat(tmp_path, "requests", "show", "1", "-c", write_config(tmp_path)).stdout
    assert "[bold]Captain[/bold] [link=https://evil.example]B[/link]" in shown
