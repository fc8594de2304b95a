"""Every decoder of what strangers send, with their inputs changed by chance for a second or two, longer if thorough.

What fails is shown as bytes: it belongs into the decoder's own tests. SECURITY.md has the same list. With atheris
installed (pip install atheris) the marked tests also have an eye on which lines are reached; TAIMAT_FUZZ_RUNS says for
how long.
"""
import importlib.util
import os
import re
import resource
import subprocess
import sys
import time
from pathlib import Path
from random import Random, SystemRandom

import pytest

from tests.rigs.fuzz.targets import SEEDS, TARGETS, changed

ROOT = Path(__file__).parents[2]
RUNS_N = os.environ.get("TAIMAT_FUZZ_RUNS", "20000")
USUAL_S, THOROUGH_S = 1.5, 60.0
LARGEST_B = 65_536          # what most doors take
GROWN_MAX_KB = 150_000      # a large decoder's grant, and what is allocated beside it


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_that_comes_in_is_more_than_refused(target: str, thorough: bool) -> None:
    for seed in SEEDS[target]:
        TARGETS[target](seed)
    chance, until_s = Random(SystemRandom().getrandbits(64)), time.monotonic() + (THOROUGH_S if thorough else USUAL_S)
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    while time.monotonic() < until_s:
        data = changed(chance.choice(SEEDS[target]), chance)[:LARGEST_B]
        try:
            TARGETS[target](data)
        except Exception as error:
            raise AssertionError(f"{target}: {data!r}") from error
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before_kb + GROWN_MAX_KB


def test_security_md_has_the_same_list() -> None:
    told = re.findall(r"^\| `(\w+)` \|", (ROOT / "SECURITY.md").read_text(), re.MULTILINE)
    assert told == [*TARGETS]


@pytest.mark.fuzz
@pytest.mark.skipif(not importlib.util.find_spec("atheris"), reason="pip install atheris")
@pytest.mark.parametrize("target", TARGETS)
def test_nothing_that_reaches_other_lines_is_more_than_refused(target: str, tmp_path: Path) -> None:
    ran = subprocess.run([sys.executable, "-m", "tests.rigs.fuzz", target, tmp_path / "corpus", f"-runs={RUNS_N}",
                          "-max_len=8192", "-timeout=10", "-rss_limit_mb=700", f"-artifact_prefix={tmp_path}/"],
                         cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert f"#{RUNS_N}" in ran.stderr
