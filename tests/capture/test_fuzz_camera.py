"""What comes in from cameras, as fuzzing would have it: films, parameter sets, talk and answers, with bytes changed.

The marked tests need atheris (pip install atheris); TAIMAT_FUZZ_RUNS says how long. What they find belongs below.
"""
import importlib.util
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.rigs.fuzz_camera import SEEDS, TARGETS

ROOT = Path(__file__).parents[2]
RUNS_N = os.environ.get("TAIMAT_FUZZ_RUNS", "20000")
GROWN_MAX_KB = 150_000      # a large decoder's grant, and what is allocated beside it
EDIT = st.tuples(st.integers(0, 1 << 16), st.sampled_from(["set", "flip", "cut", "repeat"]), st.integers(0, 255))


def changed(data: bytes, edits: list[tuple[int, str, int]]) -> bytes:
    """The data with these changes, each somewhere."""
    text = bytearray(data)
    for where, how, value in edits:
        at = where % max(1, len(text))
        if how == "cut":
            del text[at:at + value]
        elif how == "repeat":
            text[at:at] = text[at:at + value]
        elif text:
            text[at] = value if how == "set" else text[at] ^ 1 << value % 8
    return bytes(text)


@pytest.mark.parametrize("target", TARGETS)
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None)
@given(data=st.data(), edits=st.lists(EDIT, max_size=8))
def test_changed_bytes_raise_what_is_declared(target: str, data: st.DataObject, edits: list[tuple[int, str, int]]):
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    TARGETS[target](changed(data.draw(st.sampled_from(SEEDS[target])), edits))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before_kb + GROWN_MAX_KB


@pytest.mark.fuzz
@pytest.mark.skipif(not importlib.util.find_spec("atheris"), reason="pip install atheris")
@pytest.mark.parametrize("target", TARGETS)
def test_nothing_that_a_camera_sends_is_more_than_refused(target: str, tmp_path: Path):
    ran = subprocess.run([sys.executable, "-m", "tests.rigs.fuzz", target, tmp_path / "corpus", f"-runs={RUNS_N}",
                          "-max_len=8192", "-timeout=10", "-rss_limit_mb=700", f"-artifact_prefix={tmp_path}/"],
                         cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert f"#{RUNS_N}" in ran.stderr
