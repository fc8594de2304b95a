"""docs/reference is made from the code; it must be made again when the code changes."""
import subprocess
import sys

from tests.tools.cli import REPO


def test_the_reference_is_up_to_date():
    said = subprocess.run([sys.executable, REPO / "scripts" / "reference", "--check"],
                          capture_output=True, text=True, timeout=60)
    assert said.returncode == 0, said.stderr
