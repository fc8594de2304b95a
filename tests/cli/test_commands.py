"""The list of commands: each can be loaded and says of itself what the list says; `--help` loads none of them."""
import subprocess
import sys
from pathlib import Path

import pytest

from agent.__main__ import group
from tests.cli.cli import environment, taimat, taimat_process, write_config
from tests.rigs.wait import HANG_S


@pytest.mark.parametrize("name", [name for name, each in group().commands.items() if not each.hidden])
def test_a_command_says_of_itself_what_the_list_says(name: str):
    listed = group().commands[name]
    assert listed.load().help == listed.help


@pytest.mark.parametrize("name", [name for name, each in group().commands.items() if not each.hidden])
def test_a_command_starts_in_a_process_of_its_own(tmp_path: Path, name: str):
    said = taimat_process(tmp_path, name, "--help")
    assert said.returncode == 0 and f"taimat {name} " in said.stdout and not said.stderr


def test_the_list_of_commands_needs_none_of_them(tmp_path: Path):
    said = subprocess.run([sys.executable, "-X", "importtime", "-m", "agent", "--help"], env=environment(tmp_path),
                          capture_output=True, text=True, timeout=HANG_S)
    loaded = {line.rpartition("|")[2].strip() for line in said.stderr.splitlines()}
    assert {each for each in loaded if each.startswith("agent")} == {"agent"}
    assert "rescue" not in said.stdout and "doctor" in said.stdout


@pytest.mark.parametrize("command", ["clips", "requests"])
def test_a_list_hands_its_configuration_on(tmp_path: Path, db, command: str):
    config = write_config(tmp_path)
    assert taimat(tmp_path, command, "-c", config).returncode == 0
    assert taimat(tmp_path, command, "-c", config, "list").returncode == 0


def test_a_snapshot_needs_the_running_recorder(tmp_path: Path, folders):
    said = taimat(tmp_path, "snapshot", "yard", "-c", write_config(tmp_path, "rtsp://127.0.0.1/"))
    assert said.returncode == 73 and "is Taimat running" in said.stderr
