"""Real processes: killed at random moments they come back, and what was announced is there and plays."""
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import pytest

from tests.process.agent import ROOT, Agent, config, records
from tests.rigs.store.decrypted import clear
from tests.rigs.wait import HANG_S, until


def assert_announced_clips_are_whole(agent: Agent) -> None:
    announced = {message["id"]: message for message in agent.messages("clip")}
    rows = agent.clips()
    assert {clip.name for clip in rows} == set(announced)
    for clip in rows:
        path = agent.folders.clip(clip.seq, clip.name)
        assert path.stat().st_size == clip.bytes == announced[clip.name]["bytes"]
        with clear(agent.folders, clip) as video, av.open(video) as container:
            assert sum(1 for _ in container.decode(video=0)) == clip.frames


def test_every_role_that_is_killed_comes_back_and_nothing_announced_is_lost(tmp_path: Path):
    seed = random.randrange(1 << 30)
    dice = random.Random(seed)
    print("seed", seed)
    with Agent(tmp_path, config(), joined=True) as agent:
        until(lambda: set(agent.pids()) == {"capture", "keeper", "link", "web"}, "all roles run")
        for role in ["capture", "keeper", "link", "web", "capture", "capture"]:
            until(lambda role=role: role != "capture" or records(agent), "there is something to lose")
            time.sleep(dice.uniform(0.5, 4))
            victim = until(lambda role=role: agent.pids().get(role), f"{role} runs")
            os.kill(victim, signal.SIGKILL)
            until(lambda role=role, victim=victim: agent.pids().get(role) not in (None, victim), f"{role} is back")
        before = len(agent.clips())
        until(lambda: len(agent.clips()) > before, "another clip")
        code, _ = agent.interrupt()
        assert code == 0
        assert_announced_clips_are_whole(agent)
        recovered = [clip for clip in agent.clips() if clip.state == "recovered"]
        assert recovered and not list(agent.folders.clips.glob("*/*.part"))
        assert "ended (signal SIGKILL); starting it again" in agent.log


def test_a_kill_costs_at_most_two_seconds_of_the_open_clip(tmp_path: Path):
    with Agent(tmp_path, config(), joined=True) as agent:
        part = until(lambda: list(agent.folders.clips.glob("*/*.part")), "recording")[0]
        until(lambda: part.stat().st_size > 250_000, "some four seconds")
        os.kill(agent.pids()["capture"], signal.SIGKILL)
        killed_mono_s = time.clock_gettime(time.CLOCK_BOOTTIME)
        clip = until(lambda: [c for c in agent.clips() if c.state == "recovered"], "recovered")[0]
        assert killed_mono_s - (clip.mono_ms + clip.dur_ms) / 1000 < 2


def test_ctrl_c_ends_everything_within_5_s(tmp_path: Path):
    with Agent(tmp_path, config(), joined=True) as agent:
        until(lambda: list(agent.folders.clips.glob("*/*.part")), "recording")
        pids = agent.pids()
        code, took_s = agent.interrupt()
        assert code == 0 and took_s < 5
        assert not [pid for pid in pids.values() if Path(f"/proc/{pid}").exists()]
        assert [clip.state for clip in agent.clips()][-1] == "done"
        assert "Traceback" not in agent.log


def test_the_roles_end_with_a_supervisor_that_is_killed(tmp_path: Path):
    with Agent(tmp_path, config(), joined=True) as agent:
        until(lambda: len(agent.pids()) == 4, "all roles run")
        agent.process.kill()
        agent.process.wait()
        until(lambda: not agent.pids(), "no role is left behind")


def test_a_second_agent_on_the_same_store_is_refused_and_the_first_goes_on(tmp_path: Path):
    with Agent(tmp_path, config(), joined=True) as agent:
        until(lambda: list(agent.folders.clips.glob("*/*.part")), "recording")
        second = subprocess.run([sys.executable, "-m", "agent.capture", "--config", str(agent.path), "--network"],
                                cwd=ROOT, capture_output=True, text=True, timeout=HANG_S)
        assert second.returncode == 75
        assert second.stderr.count("\n") == 1 and f"process {agent.pids()['capture']} already works on" in second.stderr
        until(agent.clips, "the first still records")


def test_bad_configuration_exits_78_with_file_line_key_and_nearest_name(tmp_path: Path):
    agent = Agent(tmp_path, config() + 'prot = 1\n')
    with agent:
        assert agent.process.wait(HANG_S) == 78
        assert f"{agent.path}:17: web.prot: unknown key; did you mean port" in agent.log
        assert "Traceback" not in agent.log


def test_a_store_that_cannot_be_made_is_one_clear_line(tmp_path: Path):
    agent = Agent(tmp_path, config())
    agent.folders.root.write_text("a file in the way")
    with agent:
        assert agent.process.wait(HANG_S) == 73
        assert "choose another one under [store] folder" in agent.log and "Traceback" not in agent.log


@pytest.mark.parametrize("years", [1, -1])
def test_a_clock_step_of_a_year_deletes_nothing_and_is_told(tmp_path: Path, years: int):
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if library is None:
        pytest.skip("apt install faketime")
    clock = tmp_path / "clock"
    clock.write_text("+0")
    shift = {"LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_CACHE_DURATION": "1",
             "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    with Agent(tmp_path, config() + "enabled = false\n", shift, joined=True) as agent:
        until(agent.clips, "a clip before the step")
        before = agent.clips()
        clock.write_text(f"{years * 365 * 24:+d}h")
        told = until(lambda: agent.messages("clock"), "the step is told")[0]
        assert told["code"] == "step" and abs(told["step_ms"] - years * 365 * 86_400_000) < 60_000
        until(lambda: len(agent.clips()) > len(before) + 1, "clips after the step")
        after = agent.clips()
        assert [clip.name for clip in after[:len(before)]] == [clip.name for clip in before]
        assert [clip.seq for clip in after] == sorted(clip.seq for clip in after)
        for one, following in zip(after, after[1:], strict=False):
            assert abs(one.mono_ms + one.dur_ms - following.mono_ms) <= 2
