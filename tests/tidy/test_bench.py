"""The bench runs: it lists what it has, says what it misses, and a tiny measurement leaves figures and nothing else."""
import importlib
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

import av
import cv2
import psutil
import pytest

from scripts.benches import copied, cost, latency, machine, results, streams
from scripts.benches.others import Others
from scripts.benches.table import Spread, Table, Verdict
from scripts.benches.turn import ROLES, RoleCost, Turn
from tests.machines.recorder import Installed, Look
from tests.rigs.cameras import rtsp
from tests.rigs.mqtt import broker
from tests.rigs.wait import HANG_S

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs" / "bench" / "RESULTS.md"


def bench(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, ROOT / "scripts" / "bench", *words], capture_output=True, text=True,
                          timeout=HANG_S, env={**os.environ, **environment})


def at_work_under(folder: Path) -> list[int]:
    return [process.pid for process in psutil.process_iter(["cmdline"])
            if any(str(folder) in word for word in process.info["cmdline"] or ())]


def test_it_lists_every_bench_that_there_is():
    listed = {line.split()[0] for line in bench("--list").stdout.splitlines()}
    files = {path.stem for path in (ROOT / "scripts" / "benches").glob("*.py") if "def run(" in path.read_text()}
    assert listed == files | {"motion", "tamper", "eye", "label"}


def test_an_unknown_name_is_answered_with_the_known_ones():
    answer = bench("costs")
    assert answer.returncode == 2
    assert "no bench called costs" in answer.stderr and "there are cost, " in answer.stderr


def test_what_is_missing_is_named_with_its_remedy(tmp_path: Path):
    answer = bench("cost", PATH=str(tmp_path))
    assert answer.returncode == 2
    assert "apt install ffmpeg" in answer.stderr and "Traceback" not in answer.stderr


def test_ratios_are_taken_pair_by_pair():
    assert Spread((2.0, 9.0, 4.0)).over(Spread((1.0, 3.0, 4.0))).values == (2.0, 3.0, 1.0)


@pytest.mark.parametrize(("measured", "word"), [(160.0, "met"), (160.1, "MISSED")])
def test_a_table_tells_whether_its_target_is_met(measured: float, word: str):
    table = Table("t", ("", "PSS"), [("all", str(measured))], [Verdict("sum", 160, "MB", measured)])
    assert table.text().splitlines()[-1].endswith(word)
    assert table.plain()["targets"][0]["met"] == (word == "met")


def test_a_doubt_is_no_judgement():
    verdict = Verdict("sum", 160, "MB", 1.0, "others took 40 % of the machine")
    assert verdict.text().endswith("NOT JUDGED: others took 40 % of the machine")
    assert not Table("t", ("",), [], [verdict]).plain()["targets"][0]["met"]


def turns(floors: float, motion: float, others: float = 0.0, rounds_n: int = 3) -> cost.Turns:
    """Turns in which a camera costs so many F, and with motion so many. The bench's own files hide 2 MB of each role.
    """
    def turn(rival: cost.Rival) -> Turn:
        if rival.name.startswith("motion"):
            return Turn({"motion": RoleCost(0.2 * motion * rival.cameras_n, 28, 50e6, 40e6)}, 0.2, 0.0, others)
        each, shown_b = 0.2 * floors * rival.cameras_n / 5, 30e6 if rival.python != "shared" else 28e6
        roles = {role: RoleCost(each, 2.0, shown_b + 1.7e6 * rival.cameras_n, 20e6) for role in (*ROLES, "supervisor")}
        return Turn(roles, 0.2, 15.0, others)

    return {rival.name: [turn(rival)] * rounds_n for rival in cost.RIVALS}


def words(table: Table) -> dict[str, str]:
    return {verdict.what: verdict.word for verdict in table.verdicts}


def test_a_kind_that_is_never_told_is_a_row_and_makes_p95_endless():
    told = [latency.Delay(kind, 0.5, 0.01, 0.01) for kind in latency.KINDS[1:] for _ in range(4)]
    table = latency.tabulate(told, [kind for kind in latency.KINDS for _ in range(4)], Others())
    assert table.rows[0][:2] == (latency.KINDS[0], "0 of 4: never")
    assert len(table.rows) == len(latency.KINDS) + 4
    assert set(words(table).values()) == {"MISSED"}


@pytest.mark.timeout(1200)              # copied and compiled once
def test_a_copy_of_the_interpreter_shares_its_libraries_with_nobody():
    """This process maps the same libraries from where they were copied."""
    libraries = ("libavcodec", "cv2.abi3", "_multiarray_umath", "_rust.abi3")
    code = f"{copied.WARM}import sys; print('ready', flush=True); sys.stdin.read()"
    assert av and cv2
    with copied.copied(sys.executable) as python, subprocess.Popen(
            [python.command, "-c", code], env={**os.environ, **python.environment}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE) as alone:
        while (line := alone.stdout.readline()) != "ready\n":
            assert line, "it ended"
        maps = re.split(r"(?m)^(?=[0-9a-f]+-[0-9a-f]+ )", Path(f"/proc/{alone.pid}/smaps").read_text())
        alone.stdin.close()
    found = {name: [text for text in maps if name in text.partition("\n")[0]]
             for name in (*libraries, "bin/python3")}
    for name, pieces in found.items():
        assert pieces, name
        rss_kb, pss_kb = (sum(int(re.search(rf"^{what}:\s+(\d+)", text, re.M)[1]) for text in pieces)
                          for what in ("Rss", "Pss"))
        assert rss_kb == pss_kb > 0, name


def test_the_machines_table_counts_the_ballast_whole_units_and_a_viewer():
    def look(pss_b: float, peak_b: float) -> Look:
        return Look({role: int(pss_b) for role in machine.ROLES}, {role: int(peak_b) for role in machine.ROLES}, 0,
                    500_000_000, 200_000_000, 0, 0)

    seconds = Spread((16.0, 17.0))
    lived = machine.Lived(Installed(76, 59_000_000, 298_000_000, 0, 30), 14_000_000, seconds, seconds,
                          look(30e6, 84.7e6), [look(35e6, 60e6)], [look(40e6, 90e6)], 24.0)
    table = machine.tabulate(lived)
    rows = {row[0]: row[1] for row in table.rows}
    assert rows["taken of the card by all of it; with the ballast, which comes minutes later"] == "298.0; 306.0"
    assert next(text for name, text in rows.items() if name.startswith("web")) == "40.0; 84.7; 90.0"
    told = words(table)
    assert told["taken of the card, with the ballast"] == told["all units together, while a phone watches"] == "MISSED"


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "scripts" / "benches").glob("*.py")))
def test_every_bench_can_be_imported(name: str):
    """A module that it needs may have moved."""
    importlib.import_module(f"scripts.benches.{name}")


@pytest.mark.parametrize("name", ["shelf", pytest.param("week", marks=pytest.mark.thorough)])
def test_a_small_bench_runs_through(name: str):
    """What it calls may have changed; others need half a minute or more, a card of their own, or a city.

    tests/link/test_week.py lives most of the same week.
    """
    answer = bench("--quick", "--rounds", "1", name)
    assert answer.returncode == 0, answer.stderr


def test_the_cost_of_a_household_is_judged_in_pairs():
    cheap, dear = turns(floors=1.25, motion=2.4), turns(floors=3.2, motion=3.0)
    assert set(words(cost.one_camera(cheap)).values()) == {"met"}
    assert words(cost.one_camera(dear))["taimat, calm"] == "MISSED"
    assert words(cost.one_camera(dear))["taimat against motion, street"] == "MISSED"
    assert words(cost.several(dear))["each further camera, CPU"] == "MISSED"
    assert words(cost.several(cheap))["four cameras against motion"] == "met"
    assert words(cost.several(dear))["four cameras against motion"] == "MISSED"
    assert set(words(cost.by_role(cheap)).values()) == {"met"}


def test_the_table_says_how_much_shared_files_hide():
    assert "the same code seems 8.0 MB smaller" in " ".join(cost.by_role(turns(1.4, 2.4)).notes)


@pytest.mark.parametrize(("more", "why"), [({"others": 0.3}, "others took up to 30 %"), ({"rounds_n": 2}, "2 of 3")])
def test_a_busy_machine_and_too_few_rounds_are_not_judged(more: dict[str, float], why: str):
    made = turns(1.4, 2.4, **more)
    for table in (cost.one_camera(made), cost.several(made), cost.by_role(made)):
        assert all(why in word for word in words(table).values())


def test_results_hold_each_table_its_picture_and_what_is_missed(tmp_path: Path):
    made = turns(1.6, 2.4)
    tables = [cost.one_camera(made), cost.several(made), cost.by_role(made)]
    results.write(tables, ["card: only root may"], tmp_path, took_s=60)
    text = (tmp_path / "RESULTS.md").read_text()
    assert "- One camera: target: taimat, motion switched off <= 1.5 F: 1.6, MISSED" in text
    assert "- not measured: card: only root may" in text and f"Python {platform.python_version()}" in text
    pictures = {path.name: path.read_text() for path in tmp_path.glob("*.svg")}
    assert len(pictures) == 3 and all(f"]({name})" in text for name in pictures)
    assert all(ElementTree.fromstring(picture).tag.endswith("svg") for picture in pictures.values())


@pytest.mark.parametrize(("readme", "says"), [("README.md", r"(\d+)\s+MB\s+of\s+memory"),
                                              ("docs/guide/household.vi.md", r"khoảng\s+(\d+)\s+MB\s+bộ\s+nhớ")])
def test_readme_says_of_memory_what_was_measured(readme: str, says: str):
    """As the package installs it, while nobody looks at the page."""
    row = r"^\| all four roles, page asleep, under Debian's Python \| ([\d.]+)"
    measured_mb = float(re.search(row, RESULTS.read_text(), re.M)[1])
    told_mb = int(re.search(says, (ROOT / readme).read_text())[1])
    assert abs(told_mb - measured_mb) <= 0.05 * measured_mb, f"{readme} says {told_mb} MB, {RESULTS} {measured_mb}"


@pytest.mark.skipif(not broker.MOSQUITTO, reason="no mosquitto")
@pytest.mark.needs.with_args(rtsp.missing)
@pytest.mark.timeout(1200)
def test_a_tiny_run_measures_and_leaves_nothing_running():
    with streams.camera("visitors"):
        pass                            # its films are made once, and take longer than a bench may here
    with tempfile.TemporaryDirectory(prefix="b") as short:          # a socket's path may have 107 bytes
        place, json_file = Path(short), Path(short, "figures.json")
        answer = bench("latency", "--rounds", "1", "--out", place / "out", "--json", json_file, TMPDIR=short)
        assert answer.returncode == 0, answer.stderr
        (table,) = json.loads(json_file.read_text())
        assert not at_work_under(place)
        assert {path.name for path in place.iterdir()} == {"figures.json", "out"}
        assert "## Latency" in (place / "out" / "RESULTS.md").read_text()
    assert table["figures"]["visits"] == 1
    for delay in table["figures"]["delays"]:
        assert 0 <= delay["confirmed_s"] < latency.LATE_S and delay["row_s"] + delay["told_s"] < 10
    assert "NOT JUDGED" in answer.stdout
