"""The unit files read by systemd's own tools, without starting anything. How they behave is in test_boot.py."""
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from agent.capture.labeller import PROGRAM, SOCKET
from agent.cli.run import FEW_ARENAS
from tests.rigs.wait import HANG_S

UNITS = Path(__file__).parents[2] / "systemd"
ROLES = sorted(path.name for path in UNITS.glob("taimat-*.service"))
HELPERS = sorted(path.name for kind in ("enrol", "label", "rescue", "setup", "update")
                 for path in UNITS.glob(f"{kind}-*.service"))
PATHS = sorted(path.name for path in UNITS.glob("*.path"))
SOCKETS = sorted(path.name for path in UNITS.glob("*.socket"))
SERVICES = [*ROLES, *HELPERS]
CAMERA = "taimat-capture@.service"


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """The finished command with its output; skips the test where its tool is missing."""
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is missing")
    return subprocess.run(command, capture_output=True, text=True, timeout=HANG_S)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The units with a program that every machine has, for `verify` also looks whether the program exists."""
    folder = shutil.copytree(UNITS, tmp_path / "units")
    for unit in folder.glob("*.service"):
        unit.write_text(re.sub(r"/usr/bin/python3 -P.*", "/bin/true", unit.read_text()))
    return folder


@pytest.mark.parametrize("unit", [*SERVICES, *PATHS, *SOCKETS, "taimat.target", "taimat.slice"])
def test_systemd_finds_nothing_to_complain_about(copy: Path, unit: str) -> None:
    answer = run("systemd-analyze", "verify", "--recursive-errors=no", "--man=no", copy / unit)
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")


LISTS = {"CapabilityBoundingSet", "Environment", "InaccessiblePaths", "ReadWritePaths"}    # a second line adds to these


def settings(path: Path) -> set[str]:
    return set(re.findall(r"^(\w+)=", path.read_text(), re.MULTILINE))


@pytest.mark.parametrize("unit", SERVICES)
def test_what_all_units_share_takes_nothing_back(unit: str) -> None:
    """The shared files are read after the unit, so a unit's own value of the same setting would have no effect."""
    shared = [path for folder in UNITS.glob("*-.service.d") if unit.startswith(folder.name.removesuffix(".service.d"))
              for path in folder.glob("*.conf")]
    lost = {name for path in shared for name in settings(path) & settings(UNITS / unit)}
    assert not lost - LISTS


@pytest.mark.parametrize("unit", SERVICES)
def test_exposure_is_low(unit: str) -> None:
    """The threshold is in tenths: 1.5 where pictures are made, 2.0 elsewhere."""
    threshold = 15 if "capture" in unit else 20
    answer = run("systemd-analyze", "security", "--offline=yes", f"--threshold={threshold}", "--no-pager", UNITS / unit)
    assert answer.returncode == 0, answer.stdout.splitlines()[-1]


@pytest.mark.parametrize("unit", ROLES)
def test_each_unit_runs_its_role_for_the_target_with_limits(unit: str) -> None:
    text = (UNITS / unit).read_text()
    start = {CAMERA: "capture --camera %i", "taimat-capture-network.service": "capture --network"}.get(
        unit, unit.removeprefix("taimat-").removesuffix(".service"))
    assert f"\nExecStart=/usr/bin/python3 -P -m agent.{start}\n" in text
    assert "\nWantedBy=taimat.target\n" in text
    for limit in ("WatchdogSec", "TimeoutStopSec", "MemoryHigh", "MemoryMax", "TasksMax", "CPUWeight", "IOWeight"):
        assert re.search(rf"^{limit}=\d", text, re.MULTILINE), f"{limit}= is missing"


def variables(text: str) -> list[str]:
    """What a unit file puts into the environment, NAME=VALUE."""
    return [word for line in re.findall(r"^Environment=(.*)$", text, re.MULTILINE) for word in line.split()]


def test_how_every_role_lives_is_said_once_and_taimat_run_starts_roles_alike() -> None:
    life = variables((UNITS / "taimat-.service.d/10-life.conf").read_text())
    assert {f"{name}={value}" for name, value in FEW_ARENAS.items()} <= set(life)
    names = [word.partition("=")[0] for word in life]
    for unit in ROLES:
        own = [word.partition("=")[0] for word in variables((UNITS / unit).read_text())]
        assert len({*names, *own}) == len(names) + len(own), unit      # of two the last one would hold, unseen


def test_the_page_s_sockets_are_as_closed_as_the_page() -> None:
    service = (UNITS / "taimat-web.service").read_text()
    house = next(line for line in service.splitlines() if line.startswith("IPAddressAllow=localhost"))
    pages = [name for name in SOCKETS if name.startswith("taimat-web")]
    assert len(pages) == 2
    for name in pages:
        text = (UNITS / name).read_text()
        assert f"{house}\n" in text and "\nIPAddressDeny=any\n" in text and name in service


def test_what_parses_video_to_name_an_event_is_asked_by_capture_alone_and_sees_nothing_else() -> None:
    door, service = ((UNITS / name).read_text() for name in ("label-taimat.socket", "label-taimat@.service"))
    assert f"ListenStream=/run/taimat/{SOCKET}\n" in door and "SocketUser=taimat-capture\n" in door
    assert f"-m {PROGRAM}\n" in service and "MaxConnections=1\n" in door
    for line in ("DynamicUser=yes", "PrivateNetwork=yes", "TemporaryFileSystem=/var /run", "OOMScoreAdjust=1000"):
        assert f"\n{line}\n" in service


def test_a_hung_camera_records_again_within_half_a_minute() -> None:
    text = (UNITS / CAMERA).read_text() + (UNITS / "taimat-.service.d/10-life.conf").read_text()
    seconds = {key: int(value) for key, value in re.findall(r"^(\w+Sec)=(\d+)$", text, re.MULTILINE)}
    assert seconds["WatchdogSec"] + seconds["TimeoutAbortSec"] + seconds["RestartSec"] <= 30
    assert seconds["RestartMaxDelaySec"] <= 10


def test_only_camera_devices_are_opened_to_the_camera_unit() -> None:
    allowed = re.findall(r"^DeviceAllow=(\S+)", (UNITS / CAMERA).read_text(), re.MULTILINE)
    assert allowed == ["char-video4linux", "char-media", "char-dma_heap"]


def test_users_and_folders_can_be_made(tmp_path: Path) -> None:
    users = run("systemd-sysusers", f"--root={tmp_path}", UNITS / "taimat.sysusers.conf")
    assert users.returncode == 0, users.stderr
    for name in re.findall(r"^User=(\S+)$", "".join((UNITS / unit).read_text() for unit in SERVICES), re.MULTILINE):
        assert f"\n{name}:" in "\n" + (tmp_path / "etc/passwd").read_text()
    dry = () if os.geteuid() == 0 else ("--dry-run",)       # giving folders away needs root
    folders = run("systemd-tmpfiles", f"--root={tmp_path}", "--create", *dry, UNITS / "taimat.tmpfiles.conf")
    assert folders.returncode == 0, folders.stderr
    if not dry:
        modes = {path: oct((tmp_path / path).stat().st_mode)[-4:] for path in
                 ("var/lib/taimat", "var/lib/taimat/clips", "var/lib/taimat/exports", "var/lib/taimat/keys",
                  "var/lib/taimat/cameras", "run/taimat", "run/taimat/keys", "etc/taimat")}
        assert list(modes.values()) == ["3770", "2770", "2750", "0700", "2750", "2750", "2750", "0750"]
