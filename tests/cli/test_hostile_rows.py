"""Rows that a lost role has written, as the household's commands list them: text on a terminal, and nothing else."""
import sqlite3
from pathlib import Path

import pytest

from agent.store.folders import Folders
from tests.cli.cli import on_terminal, taimat, write_config
from tests.rigs.store.hostile_rows import fill, overwrite
from tests.rigs.ward.requests import ask

# Clear the screen, set the title, hide what follows, go to the line's start, turn the letters round, end the line.
EVIL = "x\x1b[2J\x1b]0;t\x07\x9b2J\x1b[8m\r\u202eflow\u2066\n9\twaits for you\t\u200b\x00"[:-1]
COMMANDS = (("clips", "list"), ("clips", "holds"), ("events",), ("requests", "list"), ("requests", "show", "1"))

@pytest.fixture
def config(tmp_path: Path, folders: Folders, db: sqlite3.Connection) -> Path:
    fill(db)
    return write_config(tmp_path)


@pytest.mark.parametrize("number", [2**50, 2**63 - 1, -2**62, -1])
def test_a_date_that_no_calendar_has_hides_no_other_row(tmp_path: Path, config: Path, db: sqlite3.Connection,
                                                        number: int) -> None:
    overwrite(db, number, "x")
    true = ask(db, officer="Captain Lê")
    for command in COMMANDS:
        said = taimat(tmp_path, *command, "-c", config)
        assert said.returncode in (0, 2) and "Traceback" not in said.stderr, command      # 2: it is passed over
    assert "waits for you" in taimat(tmp_path, "requests", "list", "-c", config).stdout
    assert "Captain Lê" in taimat(tmp_path, "requests", "show", str(true.n), "-c", config).stdout


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_row_speaks_to_the_terminal_or_makes_a_line(tmp_path: Path, config: Path, db: sqlite3.Connection,
                                                       command: tuple[str, ...]) -> None:
    overwrite(db, 1, "x")
    clean_n = len(taimat(tmp_path, *command, "-c", config).stdout.splitlines())
    overwrite(db, 1, EVIL)
    piped, shown = taimat(tmp_path, *command, "-c", config).stdout, on_terminal(tmp_path, 200, *command, "-c", config)
    for text in (piped, shown):
        assert not [letter for letter in text if not letter.isprintable() and letter not in "\n\t\xa0"]
    assert len(piped.splitlines()) == clean_n and "flow" in piped
    assert not [line for line in shown.splitlines() if line.startswith("9")]
