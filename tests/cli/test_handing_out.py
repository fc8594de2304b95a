"""`taimat export` and `taimat verify`: the real commands, with the real keeper beside them or without one."""
import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from agent.host.clock import SystemClock
from agent.store import clips, holds
from agent.store.folders import Folders
from tests.cli.cli import environment, taimat, write_config
from tests.core.cut_material import record_all
from tests.core.mp4_material import encode
from tests.rigs.store.shelf import put
from tests.rigs.wait import HANG_S, until

LAST_US = 66_667
STREAM, PACKETS = encode("h264")
NOON = datetime.now().replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)
PAST_MS = int(NOON.timestamp() * 1000) - PACKETS[0].pts_us // 1000
SPAN = ("--from", f"{NOON:%Y-%m-%d %H:%M:%S}", "--to", f"{NOON + timedelta(seconds=5):%H:%M:%S}")


@pytest.fixture
def config(tmp_path: Path, folders: Folders, own: sqlite3.Connection, db: sqlite3.Connection) -> Path:
    """A store with five seconds of the camera "gate", from yesterday at noon, in four clips."""
    for clip in record_all(STREAM, PACKETS, [0, 15, 30, 60], PACKETS[-1].dts_us + LAST_US):
        put(db, folders, clip, offset_ms=PAST_MS)
    held = [clips.get(db, path.stem) for path in folders.clips.rglob("*.mp4")]
    holds.place(own, db, held, "the test needs them, however full this disk is", None, SystemClock().now(), 10**9)
    return write_config(tmp_path)


@pytest.fixture
def keeper(tmp_path: Path, config: Path, db: sqlite3.Connection) -> Iterator[None]:
    """At work beside the command, as on a device."""
    process = subprocess.Popen([sys.executable, "-m", "agent.keeper", "--config", config], env=environment(tmp_path),
                               cwd=tmp_path, stderr=subprocess.DEVNULL)
    until(lambda: db.execute("SELECT COUNT(*) FROM ledger").fetchone()[0] >= 5, "the keeper has signed what there is")
    yield
    process.terminate()
    process.wait(HANG_S)


def test_a_package_is_made_and_told_and_verified(tmp_path: Path, config: Path, keeper: None):
    done = taimat(tmp_path, "export", "-c", config, *SPAN, "--case", "12/2026", "--officer", "Lê Văn Tám", "-o", "out")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "wrote   out" and lines[1].startswith("film    gate-") and lines[-1].startswith("signed  row ")
    key = lines[-1].rpartition(" ")[2]
    ran = taimat(tmp_path, "verify", "out", "--key", key)
    assert ran.returncode == 0 and "all of it holds" in ran.stdout and "files that hold: 4 of 4" in ran.stdout
    assert "--key" in taimat(tmp_path, "verify", "out").stdout, "whose key it is nobody can tell from the export"
    other = taimat(tmp_path, "verify", "out", "--key", "0" * 16)
    assert other.returncode == 1 and "key_foreign" in other.stdout
    card = taimat(tmp_path, "verify", tmp_path / "store", "--json")
    assert card.returncode == 0, card.stdout


def test_programs_get_what_was_made_and_what_does_not_hold(tmp_path: Path, config: Path, keeper: None):
    done = taimat(tmp_path, "export", "-c", config, *SPAN, "--json", "-o", "out")
    told = json.loads(done.stdout)
    assert told["package"] == "out" and told["signed"] and told["claim"]["wish"]["camera"] == "gate"
    head = f"{told['n']}:{told['head'][:32]}"
    film = tmp_path / "out" / told["claim"]["films"][0]["file"]
    film.write_bytes(film.read_bytes()[:-1])
    ran = taimat(tmp_path, "verify", "out", "--json", "--head", head, "--head", f"{told['n'] + 9}:{'0' * 32}")
    finding, result = [json.loads(line) for line in ran.stdout.splitlines()]
    assert ran.returncode == 1 and (finding["code"], finding["clip"]) == ("file_truncated", film.name)
    assert (result["holds"], result["files_n"], result["files_hold_n"], result["heads_compared_n"],
            result["heads_hold_n"], result["device"]) == (False, 4, 3, 1, 1, told["device"])
    said = taimat(tmp_path, "verify", "out", "--head", head, "--head", f"{told['n'] + 9}:{'0' * 32}").stdout
    assert f"file_truncated\t\t{film.name}\t1 of" in said and "heads that agree: 1 of 1; 1 lie outside" in said


def test_without_a_keeper_the_remedy_is_named_and_nothing_is_left(tmp_path: Path, config: Path):
    before = sorted(path.name for path in tmp_path.iterdir())
    done = taimat(tmp_path, "export", "-c", config, *SPAN, "-o", "out")
    assert done.returncode == 73 and "keeper, which signs exports, is not running: start it" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_an_unsigned_one_says_so_everywhere(tmp_path: Path, config: Path):
    done = taimat(tmp_path, "export", "-c", config, *SPAN, "--unsigned", "-o", "out")
    assert done.returncode == 0 and "nobody signed this export" in done.stdout
    assert "NOT SIGNED" in (tmp_path / "out" / "summary.en.html").read_text()
    assert "KHÔNG CÓ CHỮ KÝ" in (tmp_path / "out" / "summary.vi.html").read_text()
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["signed"] is False
    ran = taimat(tmp_path, "verify", "out", "--json")
    assert ran.returncode == 1 and json.loads(ran.stdout.splitlines()[0])["code"] == "export_unsigned"
    own = subprocess.run([sys.executable, "-I", tmp_path / "out" / "verify.py"], capture_output=True, text=True)
    assert own.returncode == 1 and "FAILS manifest.json" in own.stdout and "Traceback" not in own.stderr


@pytest.mark.parametrize(("words", "code", "said"), [
    (["-r", "age1nobody"], 73, "age1nobody is no key to seal for"),
    (["-R", "nobody.txt"], 73, "nobody.txt"),
    (["--case", "x" * 201], 2, "--case takes up to 200 letters"),
    (["--officer", "a\nb"], 2, "--officer takes up to 200 letters on one line"),
    (["-o", "nowhere/out"], 73, "there is no such folder"),
    (["-o", "taimat.toml"], 73, "already there"),
])
def test_wishes_that_can_not_be_are_answered_with_what_can(tmp_path: Path, config: Path, words, code, said):
    pytest.importorskip("pyrage")
    done = taimat(tmp_path, "export", "-c", config, *SPAN, "--unsigned", *words)
    assert done.returncode == code and said in " ".join(done.stderr.replace("│", " ").split())


def test_a_sealed_one_or_a_film_is_no_folder_to_check(tmp_path: Path):
    for name, remedy in (("x.tar.age", "age -d"), ("x.mp4", "name its folder")):
        (tmp_path / name).write_bytes(b"x")
        ran = taimat(tmp_path, "verify", tmp_path / name)
        assert ran.returncode == 73 and remedy in ran.stderr
