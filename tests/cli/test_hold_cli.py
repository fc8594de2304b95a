"""`taimat clips hold`, `release` and `holds`, on a store that was filled through its own doors."""
import json
import sqlite3
from pathlib import Path

from agent.host.clock import SystemClock
from agent.store import clips, holds
from agent.store.database import transaction
from agent.store.folders import Folders
from tests.cli.cli import taimat, write_config


def add_clip(db: sqlite3.Connection, camera: str = "gate", size_b: int = 3_400_000) -> str:
    with transaction(db):
        seq, name = clips.open_row(db, camera, "motion", SystemClock().now(), "h264", 640, 360)
        clips.finish(db, seq, "done", 12_300, size_b, 184)
    return name


def test_a_clip_is_held_listed_and_released(tmp_path: Path, folders: Folders, db: sqlite3.Connection):
    name, config = add_clip(db), write_config(tmp_path)
    said = taimat(tmp_path, "clips", "hold", f"{name}.mp4", "--reason", "case 7", "-c", config)
    assert (said.returncode, said.stderr) == (0, "") and said.stdout.startswith("held  1 clip (3.4 MB), until ")
    listed = taimat(tmp_path, "clips", "holds", "-c", config).stdout.rstrip("\n").split("\t")
    assert listed[:3] == [name, "3.4 MB", "case 7"]
    (told,) = map(json.loads, taimat(tmp_path, "clips", "holds", "--json", "-c", config).stdout.splitlines())
    assert (told["clip"], told["camera"], told["bytes"], told["reason"]) == (name, "gate", 3_400_000, "case 7")
    released = taimat(tmp_path, "clips", "release", name, "-c", config)
    assert released.stdout == f"released  {name}: case 7\n" and holds.placed(db) == []
    again = taimat(tmp_path, "clips", "release", name, "-c", config)
    assert again.returncode == 2 and "is not held" in again.stderr


def test_all_that_was_recorded_in_a_time_is_held(tmp_path: Path, folders: Folders, db: sqlite3.Connection):
    names = {add_clip(db), add_clip(db, "yard")}
    config = write_config(tmp_path)
    since = ("--from", "2020-01-01 00:00", "--reason", "case 7", "-c", config)
    assert taimat(tmp_path, "clips", "hold", "--camera", "yard", *since).returncode == 0
    assert {hold.clip.camera for hold in holds.placed(db)} == {"yard"}
    assert "held  2 clips (6.8 MB)" in taimat(tmp_path, "clips", "hold", *since, "--for", "12h").stdout
    assert {hold.clip.name for hold in holds.placed(db)} == names


def test_above_the_ceiling_the_remedy_is_told(tmp_path: Path, folders: Folders, db: sqlite3.Connection):
    name = add_clip(db, size_b=1 << 50)
    said = taimat(tmp_path, "clips", "hold", name, "--reason", "case 7", "-c", write_config(tmp_path))
    assert said.returncode == 73 and "hold_max_pct" in said.stderr and "taimat clips holds" in said.stderr
    assert holds.placed(db) == []


def test_wishes_that_cannot_be_are_told_what_would_be(tmp_path: Path, folders: Folders, db: sqlite3.Connection):
    name, config = add_clip(db), write_config(tmp_path)
    for words, told in (((name, "--from", "14:00", "--reason", "x"), "say which"), (("--reason", "x"), "say which"),
                        (("nobody-0b007001-000009", "--reason", "x"), "there is no clip"),
                        ((name, "--reason", "  "), "--reason takes"), ((name,), "--reason"),
                        (("--from", "2019-01-01 00:00", "--to", "2019-01-02 00:00", "--reason", "x"), "nothing was")):
        said = taimat(tmp_path, "clips", "hold", *words, "-c", config)
        assert said.returncode == 2 and told in " ".join(said.stderr.split()), (words, said.stderr)
