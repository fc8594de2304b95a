"""A signed export of what is being recorded just now: its clip is ended for it, and nothing is missing."""
import contextlib
import os
import signal
import time
from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from agent.core.evidence.ledger.claim import STILL_RECORDED, Manifest
from agent.host.clock import SystemClock
from agent.store.export import signature
from tests.cli.cli import taimat
from tests.process.agent import Agent, config, records
from tests.rigs.wait import Stopwatch, until

CONTINUOUS = config().replace("max_clip_s = 10", "max_clip_s = 900")     # a clip is a minute long


@pytest.fixture
def agent(tmp_path: Path):
    with Agent(tmp_path, CONTINUOUS) as agent:
        until(lambda: "keeper" in agent.pids() and age_s(agent) > 3, "it has recorded for a while")
        yield agent


def age_s(agent: Agent) -> float:
    """For how long the open clip has been recorded."""
    if not records(agent):
        return 0.0
    with contextlib.closing(agent.db()) as db:
        begin = db.execute("SELECT MAX(mono_ms) FROM clip WHERE state = 'open'").fetchone()[0]
    return SystemClock().mono_s() - begin / 1000 if begin else 0.0


def export(agent: Agent, tmp_path: Path, seconds: float) -> tuple[Manifest, str]:
    """The manifest of the last seconds, and what was said."""
    begin = datetime.fromtimestamp(time.time() - seconds).strftime("%Y-%m-%d %H:%M:%S")
    done = taimat(tmp_path, "export", "-c", agent.path, "--from", begin, "--case", "12/2026", "-o",
                  tmp_path / "package")
    assert done.returncode == 0, done.stderr
    return msgspec.json.decode((tmp_path / "package/manifest.json").read_bytes(), type=Manifest), done.stdout


def test_it_has_all_up_to_now_and_the_recording_goes_on_without_a_missing_frame(agent: Agent, tmp_path: Path):
    with Stopwatch() as watch:
        manifest, said = export(agent, tmp_path, 2.0)
    assert watch.fair_s < signature.PATIENCE_S
    assert STILL_RECORDED not in said and not any(gap.why for gap in manifest.claim.gaps)
    assert sum(film.dur_ms for film in manifest.claim.films) > 1_000
    until(lambda: records(agent), "it records on")
    first = agent.clips()[0]
    with contextlib.closing(agent.db()) as db:
        second = db.execute("SELECT mono_ms FROM clip ORDER BY seq LIMIT 1 OFFSET 1").fetchone()
    assert abs(second["mono_ms"] - first.mono_ms - first.dur_ms) < 100, "10 pictures a second, and none is missing"


def test_a_recorder_that_hangs_does_not_hold_it_up_and_it_says_what_is_missing(
        agent: Agent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    export(agent, tmp_path, 2.0)                # now there is a clip that can be signed
    (tmp_path / "package").rename(tmp_path / "earlier")
    until(lambda: age_s(agent) > 1, "the next clip")
    monkeypatch.setattr(signature, "PATIENCE_S", 3.0)
    os.kill(agent.pids()["capture"], signal.SIGSTOP)
    begin_ms = agent.clips()[0].wall_ms
    with Stopwatch() as watch:
        manifest, said = export(agent, tmp_path, time.time() - begin_ms / 1000)
    assert watch.fair_s < 20 and STILL_RECORDED in said
    assert manifest.claim.gaps[-1].why == STILL_RECORDED
