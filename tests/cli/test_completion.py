"""The command's completion for bash: real bash, fast, and without starting the command."""
import subprocess
import time

import pytest

from tests.cli.cli import REPO
from tests.rigs.wait import HANG_S

FILE = REPO / "scripts/packaging/debian/recorder/completion"
# What bash does at a Tab; `compopt` works only there.
TAB = """source "$0"
compopt() { :; }
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_taimat
printf '%s\\n' "${COMPREPLY[@]}"
"""


def offered(*typed: str) -> list[str]:
    """What stands to choose when Tab is pressed behind `taimat` and these words, the last of them not finished."""
    said = subprocess.run(["bash", "-u", "-c", TAB, str(FILE), "taimat", *typed], capture_output=True, text=True,
                          timeout=HANG_S, env={"PATH": "/usr/bin:/bin"})
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
