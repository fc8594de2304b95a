"""An image is made from a stick's folder, in a Debian of its own without any network, where nothing of ours runs.

A machine that runs is upgraded and purged in tests/systemd/test_life_cycle.py.
"""
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.packaging import wheels
from tests.machines.debian import NotDebian
from tests.rigs.packaged import packaged
from tests.rigs.stick import STICK, Stick, take_off_line
from tests.systemd.machine import Machine, NoMachine

LIMIT_S = 300.0


class Offline:
    """A Debian that only has what lies in its own folders."""

    def __init__(self, root: Path) -> None:
        """Below `root`; nothing runs in it but what is asked for."""
        self.root = root

    def run(self, *command: str, check: bool = True) -> str:
        """What a command says to both outputs, without nspawn's own words. Nobody is there to answer a question."""
        done = subprocess.run(
            ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--private-network", "--resolv-conf=off",
             "--pipe", "-D", self.root, "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8",
             "sh", "-c", 'exec "$@" 2>&1', "-", *command],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT_S)
        assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def offline(tmp_path_factory) -> Iterator[Offline]:
    """With the stick of this version in it, and of Debian's packages those that it needs."""
    folder = tmp_path_factory.mktemp("offline")
    try:
        made = packaged()
        with Machine(folder) as machine:
            take_off_line(machine.root, made.deb)
            Stick(machine.root / STICK.lstrip("/"), folder / "gpg").add(made.deb, made.board)
            yield Offline(machine.root)
    except (NoMachine, NotDebian, wheels.NoWheel) as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def installed(offline: Offline) -> Offline:
    """After `apt install taimat`, which asks nothing."""
    offline.run("apt-get", "update")
    offline.run("apt-get", "install", "-y", "--no-install-recommends", "taimat")
    return offline


def test_a_list_that_somebody_else_has_written_is_refused(offline: Offline):
    signed = offline.root / STICK.lstrip("/") / "InRelease"
    right = signed.read_text()
    try:
        signed.write_text(right.replace("Origin: Taimat", "Origin: Taimot"))
        said = offline.run("apt-get", "update", check=False)
        assert "not signed" in said or "signature" in said.lower()
        assert "Taimot" not in offline.run("apt-cache", "policy")
    finally:
        signed.write_text(right)


def test_it_installs_by_its_name_and_runs(installed: Offline):
    assert installed.run("taimat", "--version").split()[1] == packaged().version
    said = installed.run("dpkg", "--verify", "taimat")
    assert not said.strip(), said
    assert STICK in installed.run("apt-cache", "policy", "taimat")


def test_its_files_take_their_place_on_the_disk_once(installed: Offline):
    """What dpkg has laid and what runs are the same files by two names."""
    library = next((installed.root / "usr/lib/taimat/libraries").rglob("*.so*"))
    (folder,) = (installed.root / "opt/taimat/libraries").iterdir()
    assert (folder / library.relative_to(installed.root / "usr/lib/taimat/libraries")).samefile(library)
    assert [*(installed.root / "opt/taimat").rglob("*.pyc")], "no start compiles anything"
