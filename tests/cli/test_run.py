"""`taimat run`: it ends in time, and says with one line and an exit code why it can't begin."""
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agent.cli.processes import at_work, processes
from agent.host.files import Lock
from agent.store.folders import Folders
from tests.cli.cli import environment, taimat_process, write_config
from tests.rigs.cameras import footage
from tests.rigs.wait import HANG_S, Stopwatch, until

HEAVY = ["av", "cv2", "numpy", "paho", "starlette", "msgspec"]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path, f"file:{footage.clip(640, 360, fps=10, gop=20, kbps=400)}", "loop = true\n")


def start(tmp_path: Path, config: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-m", "agent", "run", "-c", str(config)], cwd=tmp_path,
                            env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_it_runs_every_role_refuses_a_second_one_and_ends_within_5_s_of_ctrl_c(tmp_path: Path, config: Path):
    running = start(tmp_path, config)
    try:
        until(lambda: set(at_work(tmp_path / "store")) == {"capture@network", "keeper", "link"}, "all roles")
        assert "agent.cli.run" in Path(f"/proc/{running.pid}/cmdline").read_text()
        second = taimat_process(tmp_path, "run", "-c", config)
        assert second.returncode == 75 and f"process {running.pid} already works on" in second.stderr
    finally:
        with Stopwatch() as watch:
            running.send_signal(signal.SIGINT)
            output = running.communicate(timeout=HANG_S)[0]
    assert watch.fair_s < 5 and running.returncode == 0 and "Traceback" not in output
    until(lambda: not at_work(tmp_path / "store"), "no role")
    assert not [each for each in processes() if each.config == str(config)]


def test_a_role_that_works_elsewhere_on_the_store_is_named(tmp_path: Path, config: Path):
    folders = Folders(tmp_path / "store").create()
    keeper = subprocess.Popen([sys.executable, "-m", "agent.keeper", "--config", str(config)], cwd=tmp_path,
                              env=environment(tmp_path), stderr=subprocess.DEVNULL)
    try:
        until(lambda: at_work(folders.root) == {"keeper": keeper.pid}, "the keeper")
        said = taimat_process(tmp_path, "run", "-c", config)
    finally:
        keeper.terminate()
        keeper.wait(HANG_S)
    assert said.returncode == 75 and f"process {keeper.pid} already works on" in said.stderr
    assert "as keeper" in said.stderr


def test_a_lock_file_of_a_dead_process_names_nobody(tmp_path: Path):
    folders = Folders(tmp_path / "store").create()
    Lock(folders.lock("keeper")).release()          # holds our own process id, and we are no keeper
    assert at_work(folders.root) == {}


def test_a_folder_that_cant_be_a_store_is_told_with_73(tmp_path: Path, config: Path):
    (tmp_path / "store").write_text("a file in the folder's place")
    said = taimat_process(tmp_path, "run", "-c", config)
    assert said.returncode == 73 and "[store] folder" in said.stderr and "Traceback" not in said.stderr


def test_roles_take_over_the_process_and_say_what_is_missing(tmp_path: Path, config: Path):
    said = taimat_process(tmp_path, "capture", "-c", config)
    assert said.returncode == 2 and "--camera NAME" in said.stderr
    said = taimat_process(tmp_path, "capture", "--camera", "nobody", "-c", config)
    assert said.returncode == 78 and "nobody" in said.stdout + said.stderr


def test_the_command_starts_without_the_rooms_it_does_not_need(tmp_path: Path):
    ask = f"import sys, agent.__main__; print([name for name in {HEAVY} if name in sys.modules])"
    said = subprocess.run([sys.executable, "-c", ask], env=environment(tmp_path), capture_output=True, text=True,
                          timeout=HANG_S)
    assert said.stdout.strip() == "[]", said.stderr
