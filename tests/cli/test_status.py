"""`taimat status`: one screen, by what the roles say: a keeper that runs, and what a link has left."""
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.config.load import load
from agent.core.contract.facts import Beat, CameraFacts, LinkFacts
from agent.host.clock import SystemClock
from agent.process.monitor import monitor_of
from agent.store import events
from agent.store.database import FILE, connect
from tests.cli.cli import environment, taimat, write_config
from tests.rigs.wait import HANG_S, Stopwatch, until

WITHIN_S = 1.5      # a second is promised, with the link's answer; here nobody answers, so the wait is whole


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (secret := tmp_path / "secret").write_text("x")
    ward = f'[ward]\nenabled = true\nhost = "127.0.0.1"\nward = "phuong-1"\nuser = "c-1"\npassword_file = "{secret}"\n'
    return write_config(tmp_path, "rtsp://127.0.0.1/1", f'title = "Sân"\n{ward}')


@pytest.fixture
def keeper(tmp_path: Path, config: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The real role at work."""
    process = subprocess.Popen([sys.executable, "-m", "agent.keeper", "--config", config], env=environment(tmp_path))
    try:
        until(lambda: (load(config) and list(Path(load(config).store.folder).glob("keeper.lock"))), "it has the store")
        yield process
    finally:
        process.terminate()
        process.wait(HANG_S)


def leave_word(config: Path, age_s: float = 0, **camera: object) -> None:
    """What the link does when it is asked: it leaves what it knows of all roles. `age_s`: so long ago."""
    settings, clock = load(config), SystemClock()
    monitor = monitor_of(settings, Path(settings.store.folder), clock)
    now_mono_s = clock.mono_s() - age_s
    for role, more in (("capture", {"cameras": [CameraFacts(camera="yard", **camera)]}), ("keeper", {}), ("web", {}),
                       ("link", {"facts": LinkFacts(broker="connected", outbox_n=3)})):
        unit = "capture@network" if role == "capture" else role
        monitor.receive(Beat(role=role, unit=unit, pid=1, mono_s=now_mono_s, up_s=500.0, **more), now_mono_s)
    monitor.look(now_mono_s)
    (Path(settings.store.runtime) / "link").mkdir(parents=True, exist_ok=True)
    monitor.leave_known(Path(settings.store.runtime), "link", now_mono_s)


def test_it_shows_roles_cameras_the_ward_and_the_last_event(tmp_path: Path, config: Path, keeper):
    leave_word(config, state="ok", width=1920, height=1080, fps=15.0, kbps=2000.0, recording=True)
    db = connect(Path(load(config).store.folder))
    events.open_row(db, "yard", "motion", SystemClock().now())
    db.close()
    with Stopwatch() as watch:
        said = taimat(tmp_path, "status", "-c", config)
    assert watch.fair_s < WITHIN_S
    assert "keeper · " in said.stdout and "link does not run" in said.stdout and said.returncode == 2
    assert "Sân: ok 1920x1080 15.0 pictures/s 2.0 Mbit/s, recording" in said.stdout
    assert "connected, 3 messages wait" in said.stdout and "motion at Sân, 20" in said.stdout
    told = json.loads(taimat(tmp_path, "status", "--json", "-c", config).stdout)
    assert told["roles"]["keeper"] == keeper.pid and told["roles"]["link"] is None
    assert told["report"]["cameras"][0]["state"] == "ok" and told["last"]["camera"] == "yard"


def test_what_is_wrong_stands_there_with_its_remedy_and_no_password(tmp_path: Path, config: Path, keeper):
    leave_word(config, state="retrying", fault="camera_auth", detail="the camera refuses the password")
    said = taimat(tmp_path, "status", "-c", config).stdout
    assert "Sân: retrying, the camera refuses the password" in said


def test_what_a_link_left_that_hangs_since_is_not_shown_as_the_present(tmp_path: Path, config: Path, keeper):
    leave_word(config, age_s=60, state="ok")
    assert re.search(r"as it was 6\d s ago: nobody has answered since", taimat(tmp_path, "status", "-c", config).stdout)


def test_a_recorder_at_rest_says_that_nobody_answers(tmp_path: Path, config: Path):
    said = taimat(tmp_path, "status", "-c", config)
    assert said.returncode == 2 and "no role answers: taimat doctor says why" in said.stdout
    assert not os.path.exists(Path(load(config).store.folder) / FILE), "a look makes no store"
