"""A small city on this machine: real broker, real ingest, real sessions; what its figures say is so."""
import io
import itertools
import re
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import msgspec
import psutil
import pytest
import sqlalchemy as sql
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from agent.core.delivery.backoff import Waits
from agent.core.delivery.outbox import OutboxPace
from agent.ward import database
from scripts.benches.city_simulation.city import simulate
from scripts.benches.city_simulation.figures import SimulationFigures, spread, targets
from scripts.benches.city_simulation.ingest import kept_events
from scripts.benches.city_simulation.plan import CityPlan
from scripts.benches.city_simulation.show import show
from tests.cli.cli import REPO, environment
from tests.rigs.wait import HANG_S, Stopwatch

WAITS = Waits(start_s=0.3, lost_s=1.5, step_s=0.5, longest_s=2.0, hopeless_s=(1.0, 2.0))
SMALL = CityPlan(devices_n=30, events_per_s=20, steady_s=3, restart=True, health_every_s=2, down_s=2, waits=WAITS,
                 pace=OutboxPace(again_s=2.0))


def left_in(folder: Path) -> list[str]:
    """What a simulation that had this folder has there, and processes that work there."""
    return [*(path.name for path in folder.iterdir()),
            *(process.info["name"] for process in psutil.process_iter(["name", "cmdline"])
              if any(str(folder) in word for word in process.info["cmdline"] or ()))]


class Lived(NamedTuple):
    """What came out of a day with a restart, and how many times slower than an idle one the machine was."""

    figures: SimulationFigures
    slowness: float


@pytest.fixture(scope="module")
def lived(tmp_path_factory) -> Lived:
    folder, heard = tmp_path_factory.mktemp("city"), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(folder))
        with Stopwatch() as watch:
            figures = simulate(SMALL, heard.append)
    assert "30 of 30 devices are there" in heard and not left_in(folder)
    return Lived(figures, watch.slowness)


def test_everybody_comes_and_all_that_they_say_is_taken_in(lived):
    arrival, steady, slowness = lived.figures.arrival, lived.figures.steady, lived.slowness
    assert 1 <= arrival.connects_each <= slowness
    assert 30 / slowness < steady.health_sent_n == steady.health_taken_n
    assert 20 * 2 / slowness <= steady.events_n <= steady.offers_n and steady.faults == {}
    assert steady.health_lag.most_s < 10 * slowness and 0 < steady.event_lag.p50_s < 5 * slowness
    assert steady.broker.rss_b > 5_000_000 and steady.ingest.cpu_pct > 0


def test_after_a_restart_all_are_back_and_every_event_is_there_once(lived):
    restart, kept = lived.figures.restart, lived.figures.kept
    assert restart.faults["closed"] >= 30 and restart.knocks_each > 0
    assert restart.connects_each >= 1 and 0 <= restart.back.p50_s <= restart.back.most_s < 60 * lived.slowness
    assert restart.event_lag.most_s > SMALL.down_s / 2, "events that happened while the broker was away came late"
    assert kept.made_n == lived.figures.steady.events_n + restart.events_n == kept.kept_n
    assert kept.missing_n == kept.waiting_n == 0


def unmet(figures: SimulationFigures) -> set[str]:
    """The promises that were not kept: of pace, as a busy machine may not."""
    return {each.what for each in targets(figures) if not each.met}


def test_the_table_has_every_figure_and_each_promise_with_its_outcome(lived):
    figures, console = lived.figures, Console(width=120, record=True, file=io.StringIO())
    console.print(show(figures))
    text = console.export_text()
    assert "30 devices, 20 events a second" in text
    for promise in targets(figures):
        assert f"{promise.what} <= {promise.limit:g}" in text
    late = msgspec.structs.replace(figures, restart=msgspec.structs.replace(
        figures.restart, connects_each=1.5), kept=msgspec.structs.replace(figures.kept, missing_n=2))
    assert unmet(late) == unmet(figures) | {"events lost", "connects each"}


def test_what_the_database_has_not_is_missed_and_what_nobody_made_does_not_hide_it(tmp_path):
    url = f"sqlite:///{tmp_path}/ward.db"
    there = [("c-000000000001", 1), ("c-000000000001", 3), ("c-000000000002", 1), ("c-00000000000f", 1)]
    alike = {"kind": "motion", "boot": "b", "mono_ms": 5, "clock": "ntp", "hist": False, "taken_ms": 1, "message": "{}"}
    with database.open_engine(url).begin() as db:
        db.execute(sql.insert(database.event), [{"dev": dev, "seq": seq, **alike} for dev, seq in there])
    assert kept_events(url, {"c-000000000001": 3, "c-000000000002": 1}) == (3, 1)


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_a_spread_is_made_of_durations_that_there_were(durations_s):
    found = spread(durations_s)
    assert found.p50_s <= found.p99_s <= found.most_s == max(durations_s)
    assert {found.p50_s, found.p99_s} <= set(durations_s)
    assert sum(each <= found.p50_s for each in durations_s) * 2 >= len(durations_s)


def allow_300_files() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (300, 300))


def command(*words: str) -> list[str | Path]:
    return [sys.executable, REPO / "scripts" / "simulate", *words]


def test_too_few_open_files_are_named_with_the_remedy(tmp_path):
    ran = subprocess.run(command("--devices", "500"), cwd=tmp_path, env=environment(tmp_path), capture_output=True,
                         text=True, timeout=HANG_S, preexec_fn=allow_300_files)
    assert ran.returncode == 69 and "Traceback" not in ran.stderr
    assert "500 devices need 700 open files, and this shell allows 300" in ran.stderr and "prlimit" in ran.stderr


def test_ended_in_the_middle_it_leaves_nothing_behind(tmp_path):
    process = subprocess.Popen(command("--devices", "4"), cwd=tmp_path, stderr=subprocess.PIPE, text=True,
                               env={**environment(tmp_path), "TMPDIR": str(tmp_path)})
    said = list(itertools.takewhile(lambda line: "everybody comes" not in line, process.stderr))
    assert process.poll() is None and "mosquitto" in left_in(tmp_path), said
    process.send_signal(signal.SIGTERM)
    assert process.wait(HANG_S) == 130 and not re.search("Traceback|Error", process.stderr.read())
    process.stderr.close()
    assert not left_in(tmp_path)
