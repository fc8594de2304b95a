"""The command's completion for bash, zsh and fish: the words are there at once, and Typer offers the values."""
import contextlib
import itertools
import os
import pty
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent.store import clips
from agent.store.database import transaction
from scripts.packaging import recorder as recorder_package
from scripts.packaging import ward as ward_package
from tests.cli.cli import REPO, environment, write_config
from tests.conftest import HandClock
from tests.rigs.wait import HANG_S, until

DEBIAN = REPO / "scripts/packaging/debian"
FILE = DEBIAN / "recorder/completion"
# What bash does at a Tab; `compopt` works only there.
TAB = """source "$0"
compopt() { :; }
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_taimat "$1"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def offered(*typed: str, env: dict[str, str] | None = None) -> list[str]:
    """What stands to choose when Tab is pressed behind `taimat` and these words, the last of them not finished."""
    said = subprocess.run(["bash", "-u", "-c", TAB, str(FILE), "taimat", *typed], capture_output=True, text=True,
                          timeout=HANG_S, env=env or {"PATH": "/usr/bin:/bin"})
    assert not said.stderr
    return said.stdout.split()


@pytest.mark.parametrize(("typed", "expected"), [
    (["cl"], ["clips"]), (["clips", "h"], ["hold", "holds"]), (["clips", "list", "--la"], ["--last"]),
    (["config", ""], ["check", "init", "show"]), (["clips", "list", ""], []), (["pause", "yard", "--f"], ["--for"]),
    (["--vers"], ["--version"]), (["rescue", "--"], ["--help", "--version"]), (["no-such", "cl"], ["clips"]),
    (["clips", "--config", "/etc/passw"], ["/etc/passwd"]), (["verify", "/etc/hostn"], ["/etc/hostname"]),
    (["config", "init", "/etc/hostn"], ["/etc/hostname"])])
def test_what_may_follow_is_offered(typed: list[str], expected: list[str]):
    assert sorted(each for each in offered(*typed) if not each.endswith("-")) == expected


def test_each_command_is_offered_with_its_options_as_it_has_them():
    listed = subprocess.run(["bash", "-c", 'source "$0"; declare -f _taimat_words', str(FILE)], capture_output=True,
                            text=True, check=True).stdout
    assert all(name in offered("") for name in ("run", "clips", "doctor", "update")) and "rescue" not in offered("")
    assert "completion" not in listed


def test_it_takes_no_time_and_starts_nothing():
    began_s = time.process_time()
    for _ in range(5):
        assert "clips" in offered("")       # the path has no taimat and no Python of ours
    assert time.process_time() - began_s < 5 * 0.2


@pytest.fixture
def recorder(tmp_path: Path, db: sqlite3.Connection, hand_clock: HandClock) -> dict[str, str]:
    """The environment of a shell on a recorder with two cameras and a clip, with `taimat` on its path."""
    with transaction(db):
        seq, _ = clips.open_row(db, "gate", "motion", hand_clock.now(), "h264", 640, 360)
        clips.finish(db, seq, "done", 12_300, 3_400_000, 184)
    config = write_config(tmp_path, more="".join(f'[[camera]]\nname = "{name}"\ntitle = "{title}"\nsource = "rtsp://a.b/1"\n'
                                                 for name, title in (("gate", "Cổng"), ("yard", "$(touch hacked)"))))
    program = tmp_path / "bin" / "taimat"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -W ignore -m agent "$@"\n')
    program.chmod(0o755)
    return environment(tmp_path) | {"PATH": f"{program.parent}:{os.environ['PATH']}", "TAIMAT_CONFIG": str(config)}


VALUES = [(["events", "--camera", ""], ["gate", "yard"]), (["clips", "list", "--camera", "g"], ["gate"]),
          (["snapshot", ""], ["gate", "yard"]), (["pause", "gate", "y"], ["yard"]),
          (["events", "--kind", "ta"], ["tamper"]), (["clips", "hold", "gate-"], ["gate-0b007001-000001"]),
          (["export", "gate-"], ["gate-0b007001-000001"]), (["tune", "--sensitivity", "n"], ["normal"]),
          (["clips", "release", "x"], []), (["requests", "show", ""], []),
          (["ward", "configure", "--set", "r"], ["retention_d="])]


def asked(shell: str, typed: list[str], env: dict[str, str]) -> list[str]:
    """What Typer answers to a shell's question. zsh gets a call with "value":"help", fish value and help a line."""
    words = " ".join(["taimat", *typed])
    question = {"COMP_WORDS": words, "COMP_CWORD": str(len(typed))} if shell == "bash" else {
        "_TYPER_COMPLETE_ARGS": words, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    done = subprocess.run(["taimat"], env=env | question | {"_TAIMAT_COMPLETE": f"complete_{shell}"}, text=True,
                          capture_output=True, timeout=HANG_S)
    assert not done.stderr and done.returncode == 0
    if shell == "zsh":
        assert done.stdout.startswith("_arguments '*: :((" if '"' in done.stdout else "_files")
        return [line.partition(":")[0].strip('"') for line in re.findall(r'"[^"]*"(?::"[^"]*")?', done.stdout)]
    return [line.partition("\t")[0] for line in done.stdout.splitlines() if line]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize(("typed", "expected"), [
    *VALUES, (["cli"], ["clips"]), (["update", "r"], ["refuse", "rollback"])], ids=itertools.count())
def test_typer_answers(recorder: dict[str, str], shell: str, typed: list[str], expected: list[str]):
    assert sorted(asked(shell, typed, recorder)) == expected


@pytest.mark.parametrize(("typed", "expected"), VALUES, ids=itertools.count())      # a long name is a long folder
def test_bash_offers_values(recorder: dict[str, str], typed: list[str], expected: list[str]):
    assert sorted(offered(*typed, env=recorder)) == expected


def test_what_cannot_be_read_offers_nothing_and_says_nothing(recorder: dict[str, str], tmp_path: Path):
    config = Path(recorder["TAIMAT_CONFIG"])
    config.write_text("[store\n")
    assert asked("bash", ["events", "--camera", ""], recorder) == []
    config.unlink()
    assert asked("zsh", ["clips", "hold", ""], recorder) == []
    assert asked("fish", ["events", "-c", str(tmp_path), "--camera", ""], recorder) == []


def test_a_strangers_row_gives_a_shell_nothing_to_evaluate(recorder: dict[str, str], db: sqlite3.Connection):
    with transaction(db):
        db.execute("UPDATE clip SET name = ?", ("$(touch hacked)",))
    assert asked("zsh", ["clips", "hold", ""], recorder) == []


LIGHT = ("clips", "events", "export", "snapshot", "busy", "pause", "resume", "requests")


@pytest.mark.parametrize("command", LIGHT)
def test_a_command_with_values_is_asked_without_its_large_libraries(command: str):
    code = (f"import sys; from agent.__main__ import group; group().commands['{command}'].load(); "
            "print([name for name in ('cv2', 'numpy', 'av', 'cryptography.x509', 'segno') if name in sys.modules])")
    said = subprocess.run([sys.executable, "-c", code], env=environment(REPO), text=True, capture_output=True,
                          timeout=HANG_S)
    assert said.stdout == "[]\n", said.stderr


def skip_without(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is missing: apt install {shell}")


def test_fish_itself_offers_values(recorder: dict[str, str]):
    skip_without("fish")
    script = f"source {DEBIAN}/completion.fish; complete -C 'taimat events --camera '"
    said = subprocess.run(["fish", "--no-config", "-c", script], env=recorder, text=True, capture_output=True,
                          timeout=HANG_S)
    assert sorted(said.stdout.split()) == ["gate", "yard"], said.stderr


def test_zsh_itself_offers_values_at_the_first_tab(recorder: dict[str, str], tmp_path: Path):
    """At a terminal, because zsh completes nowhere else; the file lies where zsh looks, as the package brings it."""
    skip_without("zsh")
    (tmp_path / "functions").mkdir()
    shutil.copy(DEBIAN / "completion.zsh", tmp_path / "functions" / "_taimat")
    mine, its = pty.openpty()
    os.set_blocking(mine, False)
    screen = bytearray()

    def shows(*words: bytes) -> bool:
        with contextlib.suppress(BlockingIOError):
            screen.extend(os.read(mine, 65_536))
        return all(word in screen for word in words)

    with subprocess.Popen(["zsh", "-f", "-i"], stdin=its, stdout=its, stderr=its, cwd=tmp_path, start_new_session=True,
                          env=recorder | {"TERM": "dumb"}) as zsh:
        try:
            os.write(mine, b"fpath=(functions $fpath); autoload -U compinit; compinit -u -d dump; echo is-''ready\n")
            until(lambda: shows(b"is-ready"), "zsh is ready")
            os.write(mine, b"taimat events --camera \t")
            until(lambda: shows(b"gate", b"yard"), "both cameras on the screen")
        finally:
            zsh.kill()


def test_the_packages_bring_them_where_the_shells_look():
    there = {"usr/share/bash-completion/completions/taimat", "usr/share/zsh/vendor-completions/_taimat",
             "usr/share/fish/vendor_completions.d/taimat.fish", "usr/share/man/man1/taimat.1.gz"}
    for files in (recorder_package.beside(REPO, [], "0.3.0", 0), ward_package.build(REPO, "0.3.0", 0).files):
        assert there <= files.keys() and all(files[name].data for name in there)
