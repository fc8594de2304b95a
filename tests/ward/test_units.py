"""The units of a ward's end, read by systemd's own tools."""
import re
import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "systemd" / "ward"
UNITS = sorted(FOLDER.glob("*.service"))
OTHERS = sorted(path for kind in ("socket", "path") for path in FOLDER.glob(f"*.{kind}"))

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
    judged = ["systemd-analyze", "security", "--offline=yes", "--threshold=25", "--no-pager", unit]
    answer = subprocess.run(judged, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout.splitlines()[-1]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_who_shares_a_folder_shares_a_user(unit):
    """A dynamic user is made anew for each name: a folder of two of them would change hands with each start."""
    text = unit.read_text()
    assert "\nStateDirectory=taimat-ward\n" not in text or "\nDynamicUser=yes\nUser=taimat-ward\n" in text
