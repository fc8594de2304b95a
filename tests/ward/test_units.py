"""The units of a ward's end, read by systemd's own tools."""
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "systemd" / "ward"
UNITS = sorted(FOLDER.glob("*.service"))
OTHERS = sorted(path for kind in ("socket", "path", "timer", "target") for path in FOLDER.glob(f"*.{kind}"))

ASKS_AND_SETS = """
import ctypes
from agent.host import clock_state
print(clock_state._kernel_state() is not None, ctypes.CDLL(None).adjtimex(ctypes.byref(clock_state.Timex(modes=1))))
"""

pytestmark = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd")


@pytest.mark.parametrize("unit", [*UNITS, *OTHERS], ids=lambda unit: unit.name)
def test_systemd_has_nothing_to_complain_about(tmp_path, unit):
    copy = shutil.copytree(FOLDER, tmp_path / "units")
    for service in copy.glob("*.service"):
        service.write_text(re.sub(r"/usr/(bin/taimat|sbin/nginx).*", "/bin/true", service.read_text()))
    answer = subprocess.run(["systemd-analyze", "verify", "--recursive-errors=no", "--man=no", copy / unit.name],
                            capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_it_is_shut_in(unit):
    """The threshold is in tenths; some are root's."""
    threshold = 35 if "\nUser=" not in unit.read_text() else 25
    judged = ["systemd-analyze", "security", "--offline=yes", f"--threshold={threshold}", "--no-pager", unit]
    answer = subprocess.run(judged, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout.splitlines()[-1]


def test_the_ingest_may_ask_whether_the_clock_is_right():
    """chrony leaves no file that says so, as timesyncd does: the kernel does. The same call would set it."""
    lines = (FOLDER / "ward-taimat-ingest.service").read_text().splitlines()
    assert "CapabilityBoundingSet=" in lines and lines.index("SystemCallFilter=adjtimex clock_adjtime") > lines.index(
        "SystemCallFilter=@system-service"), "a list of what is allowed, and this added to it"
    shared = (FOLDER / "ward-taimat-.service.d/10-sandbox.conf").read_text()
    assert "ProtectClock" not in shared, "which would refuse the question"
    without = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs")
    answer = subprocess.run([*without, sys.executable, "-c", ASKS_AND_SETS], capture_output=True, text=True,
                            check=False, cwd=FOLDER.parents[1])
    assert answer.stdout == "True -1\n", answer.stderr


def test_users_and_folders_can_be_made(tmp_path):
    users = subprocess.run(["systemd-sysusers", f"--root={tmp_path}", FOLDER / "taimat-ward.sysusers.conf"],
                           capture_output=True, text=True, check=False)
    assert users.returncode == 0, users.stderr
    made = (tmp_path / "etc/passwd").read_text()
    named = re.findall(r"^User=(\S+)$", "".join(unit.read_text() for unit in UNITS), re.MULTILINE)
    assert set(named) == {"taimat-ward", "taimat-ward-authority", "ward-taimat-proxy"}
    assert all(f"\n{name}:" in f"\n{made}" for name in named)


def test_nothing_of_a_recorders_takes_hold_of_a_wards_unit():
    """systemd reads PREFIX-.service.d for each unit whose name begins so."""
    prefixes = [folder.name.removesuffix(".service.d") for folder in FOLDER.parent.glob("*-.service.d")]
    assert prefixes and not [unit for unit in UNITS if unit.name.startswith(tuple(prefixes))]
