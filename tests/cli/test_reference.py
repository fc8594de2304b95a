"""docs/reference is made from the code; it must be made again when the code changes."""
import re
import subprocess
import sys

from agent.config.source import NETWORK, RAW, parse_source
from tests.cli.cli import REPO
from tests.rigs.wait import HANG_S


def test_the_reference_is_up_to_date():
    said = subprocess.run([sys.executable, REPO / "scripts" / "reference", "--check"],
                          capture_output=True, text=True, timeout=HANG_S)
    assert said.returncode == 0, said.stderr


def test_every_form_of_a_source_is_in_the_reference_and_valid():
    told = (REPO / "docs/reference/config.md").read_text()
    forms = re.findall(r"^\| `(\w+:[^`]+)` \|", told, re.MULTILINE)
    assert {parse_source(form).scheme for form in forms} == {*NETWORK, *RAW, "file"}
    assert "/dev/video0" not in " ".join(forms), "the guide forbids it"
