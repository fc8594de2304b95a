"""The digest of a folder: what a shell prints for it, and another one for any other content."""
import hashlib
import subprocess
from pathlib import Path

import pytest

from agent.host.tree import digest

SHELL = "find -type f -printf '%P\\n' | LC_ALL=C sort | xargs sha256sum"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.py", "a/b.py", "a-b.py", "a/Z.py", "empty", "a/c/d.so"):
        (tmp_path / "t" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "t" / name).write_text(name if name != "empty" else "")
    return tmp_path / "t"


def test_it_is_what_a_shell_says(folder: Path):
    said = subprocess.run(SHELL, shell=True, cwd=folder, check=True, capture_output=True).stdout
    assert digest(folder) == hashlib.sha256(said).hexdigest()


def test_byte_code_does_not_count_and_all_else_does(folder: Path):
    before = digest(folder)
    (folder / "a/__pycache__").mkdir()
    (folder / "a/__pycache__/b.cpython-313.pyc").write_bytes(b"x")
    assert digest(folder) == before
    (folder / "a/b.py").rename(folder / "a/x.py")
    assert digest(folder) != before


def test_a_link_in_it_is_refused(folder: Path):
    (folder / "link").symlink_to("a.py")
    with pytest.raises(OSError, match="link is not a plain file"):
        digest(folder)
