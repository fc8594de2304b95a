"""docs/reference is made from the code; it must be made again when the code changes."""
import subprocess
import sys

from tests.cli.cli import REPO
from tests.rigs.wait import HANG_S


def test_the_reference_is_up_to_date():
    said = subprocess.run([sys.executable, REPO / "scripts" / "reference", "--check"],
                          capture_output=True, text=True, timeout=HANG_S)
    assert said.returncode == 0, said.stderr
