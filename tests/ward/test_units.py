"""The units of a ward's end, read by systemd's own tools."""
import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = sorted((Path(__file__).resolve().parents[2] / "systemd" / "ward").glob("*.service"))

pytestmark = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd")


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_has_nothing_to_complain_about_and_finds_it_shut_in(tmp_path, unit):
    copy = tmp_path / unit.name
    copy.write_text(re.sub(r"/usr/bin/taimat.*", "/bin/true", unit.read_text()))
    answer = subprocess.run(["systemd-analyze", "verify", "--recursive-errors=no", "--man=no", copy],
                            capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")
    judged = ["systemd-analyze", "security", "--offline=yes", "--threshold=25", "--no-pager", unit]
    answer = subprocess.run(judged, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout.splitlines()[-1]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_who_shares_a_folder_shares_a_user(unit):
    """A dynamic user is made anew for each name: a folder of two of them would change hands with each start."""
    text = unit.read_text()
    assert "\nStateDirectory=taimat-ward\n" not in text or "\nDynamicUser=yes\nUser=taimat-ward\n" in text
