"""The bench runs: it lists what it has, says what it misses, and a tiny measurement leaves figures and nothing else."""
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from scripts.benches.table import Spread, Table, Verdict
from tests.rigs import broker, rtsp
from tests.rigs.wait import HANG_S

ROOT = Path(__file__).parents[2]


def bench(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, ROOT / "scripts" / "bench", *words], capture_output=True, text=True,
                          timeout=HANG_S, env={**os.environ, **environment})


def at_work_under(folder: Path) -> list[int]:
    return [process.pid for process in psutil.process_iter(["cmdline"])
            if any(str(folder) in word for word in process.info["cmdline"] or ())]


def test_it_lists_every_bench_that_there_is():
    listed = {line.split()[0] for line in bench("--list").stdout.splitlines()}
    files = {path.stem for path in (ROOT / "scripts" / "benches").glob("*.py") if "def run(" in path.read_text()}
    assert listed == files | {"motion", "tamper", "eye"}


def test_an_unknown_name_is_answered_with_the_known_ones():
    answer = bench("captur")
    assert answer.returncode == 2
    assert "no bench called captur" in answer.stderr and "there are capture, " in answer.stderr


def test_what_is_missing_is_named_with_its_remedy(tmp_path: Path):
    answer = bench("capture", PATH=str(tmp_path))
    assert answer.returncode == 2
    assert "apt install ffmpeg" in answer.stderr and "Traceback" not in answer.stderr


def test_ratios_are_taken_pair_by_pair():
    assert Spread((2.0, 9.0, 4.0)).over(Spread((1.0, 3.0, 4.0))).values == (2.0, 3.0, 1.0)


@pytest.mark.parametrize(("measured", "word"), [(160.0, "met"), (160.1, "MISSED")])
def test_a_table_tells_whether_its_target_is_met(measured: float, word: str):
    table = Table("t", ("", "PSS"), [("all", str(measured))], [Verdict("sum", 160, "MB", measured)])
    assert table.text().splitlines()[-1].endswith(word)
    assert table.plain()["targets"][0]["met"] == (word == "met")


@pytest.mark.skipif(not broker.MOSQUITTO, reason="no mosquitto")
@pytest.mark.skipif(bool(rtsp.missing()), reason="no RTSP server")
def test_a_tiny_run_measures_all_roles_and_leaves_nothing_running():
    with tempfile.TemporaryDirectory(prefix="b") as short:          # a socket's path may have 107 bytes
        place, json_file = Path(short), Path(short, "figures.json")
        answer = bench("memory", "--seconds", "1", "--json", json_file, TMPDIR=short)
        assert answer.returncode == 0, answer.stderr
        (table,) = json.loads(json_file.read_text())
        assert not at_work_under(place)
        assert [path.name for path in place.iterdir()] == ["figures.json"]
    assert set(table["figures"]) == {"capture", "keeper", "link", "web", "supervisor", "all roles"}
    for figures in table["figures"].values():
        assert 3_000_000 < figures["private_b"] <= figures["pss_b"] <= figures["rss_b"] < 1_000_000_000
    assert "all roles together <= 160 MB PSS" in answer.stdout
