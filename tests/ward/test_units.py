"""The units of a ward's end, read by systemd's own tools."""
import re
import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "systemd" / "ward"
UNITS = sorted(FOLDER.glob("*.service"))
OTHERS = sorted(path for kind in ("socket", "path", "timer", "target") for path in FOLDER.glob(f"*.{kind}"))

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
    """The threshold is in tenths; only the renewal is root's."""
    threshold = 35 if unit.stem == "ward-taimat-renew" else 25
    judged = ["systemd-analyze", "security", "--offline=yes", f"--threshold={threshold}", "--no-pager", unit]
    answer = subprocess.run(judged, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout.splitlines()[-1]


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
