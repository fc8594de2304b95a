"""An archive of ar's, as Debian's packages are: read as any ar reads it, and refused wherever anything is wrong."""
import io
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.host import release_file
from agent.host.release_file import NotAnArchive
from tests.rigs.device.bundles import ar

FILES = [("debian-binary", b"2.0\n"), ("_release.json", b"{} "), ("_release.sig", bytes(64)), ("data.tar.xz", b"")]


def contents(data: bytes, most_b: int = 1 << 20) -> list[tuple[str, bytes]]:
    file = io.BytesIO(data)
    return [(name, file.read(size_b)) for name, size_b in release_file.ar_members(file, most_b)]


def test_it_reads_what_binutils_pack(tmp_path: Path):
    if not shutil.which("ar"):
        pytest.skip("ar is missing (apt install binutils)")
    for name, data in FILES:
        (tmp_path / name).write_bytes(data)
    subprocess.run(["ar", "rc", "all.ar", *(name for name, _ in FILES)], cwd=tmp_path, check=True)
    assert contents((tmp_path / "all.ar").read_bytes()) == FILES == contents(ar(FILES))


@pytest.mark.parametrize("spoil", [
    lambda data: b"", lambda data: data[1:], lambda data: data[:30], lambda data: data[:90],
    lambda data: data.replace(b"`\n", b"``", 1), lambda data: data.replace(b"4         `", b"-4        `", 1),
    lambda data: data.replace(b"4         `", b"4x        `", 1),
    lambda data: data.replace(b"debian-binary", b"debian binary", 1)])
def test_what_is_wrong_is_refused(spoil):
    with pytest.raises(NotAnArchive):
        contents(spoil(ar(FILES)))


def test_it_is_bounded():
    with pytest.raises(NotAnArchive, match="larger"):
        contents(ar(FILES), most_b=70)


@given(st.binary(max_size=300))
def test_whatever_follows_is_read_or_refused(data: bytes):
    try:
        found = contents(release_file.MAGIC + data)
    except NotAnArchive:
        return
    assert sum(len(content) for _, content in found) <= len(data)
