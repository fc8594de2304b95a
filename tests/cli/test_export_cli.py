"""`taimat export --film`: the real command on a store that was filled as capture fills it."""
import hashlib
import json
import sqlite3
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import typer

from agent.cli.typed import moment_ms
from agent.store.folders import Folders
from tests.cli.cli import taimat, write_config
from tests.core.cut_material import packets_of, record, record_all
from tests.core.mp4_material import encode
from tests.rigs.store.shelf import put

LAST_US = 66_667
STREAM, PACKETS = encode("h264")
NOON = datetime.now().replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)
PAST_MS = int(NOON.timestamp() * 1000) - PACKETS[0].pts_us // 1000        # from the monotonic clock to the wall's


@pytest.fixture
def config(tmp_path: Path, folders: Folders, db: sqlite3.Connection) -> Path:
    """A store with five seconds of the camera "gate", from yesterday, in four clips."""
    clips = record_all(STREAM, PACKETS, [0, 15, 30, 60], PACKETS[-1].dts_us + LAST_US)
    for clip in clips:
        put(db, folders, clip, offset_ms=PAST_MS)
    return write_config(tmp_path)


def at(seconds: float, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """So long after the recording began, as a person writes it."""
    return datetime.fromtimestamp(PAST_MS / 1000 + PACKETS[0].pts_us / 1e6 + seconds).strftime(form)


def test_a_time_is_written_and_told(tmp_path: Path, config: Path):
    done = taimat(tmp_path, "export", "--film", "-c", config, "--from", at(-10), "--to", at(10, "%H:%M:%S"))
    (film,) = tmp_path.glob("gate-*.mp4")
    assert done.returncode == 0, done.stderr
    assert [each.data for each in packets_of(film.read_bytes())] == [packet.data for packet in PACKETS]
    lines = done.stdout.splitlines()
    assert film.name == f"gate-{at(0, '%Y%m%d-%H%M%S')}.mp4" and film.name in lines[0]
    assert lines[1:4] == [f"first   {at(0)}", f"last    {at(5)}", "plays   5.0 s, 75 frames"]
    assert lines[4] == f"sha256  {hashlib.sha256(film.read_bytes()).hexdigest()}"
    assert [line.partition(" ")[0] for line in lines[5:]] == ["missing", "missing"]
    assert all(line.endswith("nothing was recorded") for line in lines[5:])
    again = ("export", "--film", "-c", config, "--from", at(-10), "--to", at(10))
    refused = taimat(tmp_path, *again)
    assert refused.returncode == 73 and "already there" in refused.stderr
    assert taimat(tmp_path, *again, "--force").returncode == 0


def test_programs_get_one_object_a_file(tmp_path: Path, config: Path):
    done = taimat(tmp_path, "export", "--film", "-c", config, "--last", "2d", "--camera", "gate", "-o", "f.mp4",
                  "--json")
    (told,) = [json.loads(line) for line in done.stdout.splitlines()]
    film = tmp_path / "f.mp4"
    assert told["sha256"] == hashlib.sha256(film.read_bytes()).hexdigest() and told["bytes"] == film.stat().st_size
    assert (told["frames"], told["dur_ms"], len(told["clips"]), told["clock_sure"]) == (75, 5000, 4, True)
    assert len(told["missing"]) == 2 and told["stretches"][0]["at_us"] == 0


def test_a_clip_by_its_name(tmp_path: Path, config: Path):
    listed = taimat(tmp_path, "clips", "-c", config).stdout.splitlines()
    name = Path(listed[1].split("\t")[-1]).name
    done = taimat(tmp_path, "export", "--film", name, "-c", config, "-o", "f.mp4")
    assert done.returncode == 0, done.stderr
    assert [each.data for each in packets_of((tmp_path / "f.mp4").read_bytes())] == [
        packet.data for packet in PACKETS[15:30]]


def test_a_gap_shorter_than_a_second_is_told_by_its_length(tmp_path: Path, folders: Folders, db: sqlite3.Connection):
    put(db, folders, record(STREAM, PACKETS[:12], PACKETS[12].dts_us), offset_ms=PAST_MS)
    put(db, folders, record(STREAM, PACKETS[15:], PACKETS[-1].dts_us + LAST_US), offset_ms=PAST_MS)
    done = taimat(tmp_path, "export", "--film", "-c", write_config(tmp_path), "--from", at(0), "--to", at(5))
    assert done.returncode == 0, done.stderr
    told = [line for line in done.stdout.splitlines() if line.startswith("missing")]
    assert told == [f"missing 0.2 s at {at(0.8)}: nothing was recorded"]


def test_damage_is_told_and_is_a_warning(tmp_path: Path, folders: Folders, db: sqlite3.Connection):
    name, path = put(db, folders, record(STREAM, PACKETS, PACKETS[-1].dts_us + LAST_US), offset_ms=PAST_MS)
    path.write_bytes(path.read_bytes()[:path.stat().st_size // 2])
    done = taimat(tmp_path, "export", "--film", name, "-c", write_config(tmp_path))
    assert done.returncode == 1 and f"clip {name} is damaged" in done.stdout


@pytest.mark.parametrize(("words", "said"), [
    ([], "say which time"),
    (["--last", "10m", "--from", "14:00"], "say which time"),
    (["--to", "14:00"], "--to needs --from"),
    (["--from", "yesterday"], "--from takes a moment"),
    (["--last", "soon"], "--last takes a length"),
    (["--from", "14:00", "--to", "13:00"], "nothing lies between"),
    (["--last", "10m", "--camera", "gaet"], "there is no camera called gaet; known: gate"),
    (["gate-0b007001-000099"], "there is no clip gate-0b007001-000099"),
])
def test_wishes_that_can_not_be_are_answered_with_what_can(tmp_path: Path, config: Path, words: list[str], said: str):
    done = taimat(tmp_path, "export", "--film", "-c", config, *words)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.replace("│", " ").split())


def test_a_time_without_a_recording_is_answered_with_what_there_is(tmp_path: Path, config: Path):
    done = taimat(tmp_path, "export", "--film", "-c", config, "--last", "10m")
    assert done.returncode == 73
    assert f"its recordings lie between {at(0)} and {at(5)}: taimat clips list" in done.stderr


def test_moments_are_read_in_the_machines_own_zone():
    day_ms = int(datetime(2026, 11, 25, 9, 30).timestamp() * 1000)
    for text in ("2026-11-25 14:00", "2026-11-25T14:00:00", " 14:00 ", "14:00:00"):
        assert moment_ms(text, "--from", day_ms) == int(datetime(2026, 11, 25, 14).timestamp() * 1000)
    with pytest.raises(typer.BadParameter, match="--to takes a moment"):
        moment_ms("25:00", "--to", day_ms)
