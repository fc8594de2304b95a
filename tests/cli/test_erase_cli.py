"""`taimat clips erase` and `taimat household-key`: real commands, a real keeper, encrypted clips."""
import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from agent.cli.clips import erase
from agent.host.clock import SystemClock
from agent.store import clips, holds
from agent.store.encryption import file_keys
from agent.store.folders import Folders
from tests.cli.cli import REPO, environment, taimat, write_config
from tests.core.cut_material import packets_of
from tests.rigs.store.vault import Vault
from tests.rigs.wait import HANG_S, until


@pytest.fixture
def vault(db: sqlite3.Connection, folders: Folders) -> Vault:
    return Vault(db, folders, SystemClock())


@contextlib.contextmanager
def keeper(home: Path, config: Path, db: sqlite3.Connection) -> Iterator[None]:
    """The real role, once it has signed what there is."""
    (home / "run").mkdir(exist_ok=True)
    process = subprocess.Popen([sys.executable, "-m", "agent.keeper", "--config", config], env=environment(home),
                               cwd=REPO, stderr=subprocess.DEVNULL)
    try:
        until(lambda: not clips.unhashed(db), "the keeper signs the clips")
        yield
    finally:
        process.terminate()
        process.wait(HANG_S)


def test_what_is_erased_is_gone_and_so_is_its_key(tmp_path: Path, vault: Vault, db, folders):
    names = [vault.record()[1] for _ in range(3)]
    config = write_config(tmp_path)
    with keeper(tmp_path, config, db):
        done = taimat(tmp_path, "clips", "erase", "--all", "--yes", "-c", config)
        assert (done.returncode, done.stderr) == (0, ""), done
        assert done.stdout.startswith("erased  3 clips (")
        until(lambda: not any(day.id == 1 for day in file_keys.living(folders)), "the key is destroyed")
    assert not list(folders.clips.glob("*/*")) and not file_keys.private_file(folders.keys, 1).exists()
    assert [day.id for day in file_keys.living(folders)] == [2]
    assert [clips.get(db, name).why for name in names] == ["erased"] * 3
    verified = taimat(tmp_path, "verify", folders.root, "-c", config)
    assert verified.returncode == 0, verified.stdout


def test_without_a_keeper_it_is_out_of_sight_at_once_and_gone_later(tmp_path: Path, vault: Vault, db, folders,
                                                                    monkeypatch):
    seq, name, _ = vault.record()
    monkeypatch.setattr("agent.cli.clips.WAIT_S", 0.1)
    config = write_config(tmp_path)
    with pytest.raises(typer.Exit) as ended:
        erase(everything=True, yes=True, config=config)
    assert ended.value.exit_code == 1
    assert clips.get(db, name).state == "deleting" and folders.clip(seq, name).exists()
    with keeper(tmp_path, config, db):
        until(lambda: clips.get(db, name).state == "deleted", "the keeper finishes it")
        until(lambda: not any(day.id == 1 for day in file_keys.living(folders)), "today's key has gone with it")
    assert not folders.clip(seq, name).exists()


def test_a_hold_is_respected_unless_it_is_told_otherwise(tmp_path: Path, vault: Vault, own, db):
    name = vault.record()[1]
    holds.place(own, db, [clips.get(db, name)], "case 7", None, vault.clock.now(), 1 << 40)
    config = write_config(tmp_path)
    done = taimat(tmp_path, "clips", "erase", "--all", "--yes", "-c", config)
    assert done.returncode == 0
    assert "on hold, so not erased: 1 clip" in done.stdout and "nothing to erase" in done.stdout
    assert clips.get(db, name).state == "done"


@pytest.mark.parametrize(("words", "told"), [
    ((), "--all for all there is"), (("--all", "--from", "12:00"), "--all for all there is"),
    (("--to", "12:00"), "--to needs --from"), (("--from", "soon"), "takes a moment"),
    (("--from", "12:00", "--to", "11:00"), "comes after")])
def test_what_was_not_meant_erases_nothing(tmp_path: Path, vault: Vault, words, told):
    done = taimat(tmp_path, "clips", "erase", "--yes", *words, "-c", write_config(tmp_path))
    assert done.returncode == 2 and told in " ".join(done.stderr.split())


def test_it_asks_first(tmp_path: Path, vault: Vault, db):
    name = vault.record()[1]
    done = taimat(tmp_path, "clips", "erase", "--all", "-c", write_config(tmp_path))
    assert done.returncode == 1 and "Erase 1 clip (" in done.stdout and clips.get(db, name).state == "done"


def test_a_card_opens_with_the_households_key_alone(tmp_path: Path, vault: Vault, db, folders):
    config, secret_file = write_config(tmp_path), tmp_path / "secret"
    name = vault.record()[1]
    made = taimat(tmp_path, "household-key", "-c", config)
    assert made.returncode == 0 and len(made.stdout.split()[0]) == 39
    secret_file.write_text(made.stdout.split()[0].lower())
    refused = taimat(tmp_path, "household-key", "-c", config)
    assert refused.returncode == 2 and "--replace" in refused.stderr
    asked = taimat(tmp_path, "household-key", "--replace", "-c", config)
    assert asked.returncode == 1 and "will no longer open any recording on this device" in asked.stdout
    with keeper(tmp_path, config, db):
        until(lambda: file_keys.living(folders)[-1].for_household, "the keeper wraps the day's key")
    shutil.rmtree(folders.keys)
    locked = taimat(tmp_path, "export", "--film", name, "-c", config, "-o", "film.mp4")
    assert locked.returncode == 73 and "--household-key" in locked.stderr
    wrong = tmp_path / "wrong"
    wrong.write_text("0" * 32)
    for file, told in ((wrong, "not the household's key of this device"), (config, "has 32 letters"),
                       (tmp_path / "none", "No such file")):
        failed = taimat(tmp_path, "export", "--film", name, "-c", config, "-o", "film.mp4", "--household-key", file)
        assert failed.returncode in (2, 73) and told in " ".join(failed.stderr.replace("│", " ").split()), failed.stderr
    done = taimat(tmp_path, "export", "--film", name, "-c", config, "-o", "film.mp4", "--household-key", secret_file)
    assert done.returncode == 0, done.stderr
    assert len(packets_of((tmp_path / "film.mp4").read_bytes())) == 40
    assert os.listdir(folders.root / "keys") == [] if folders.keys.exists() else True
