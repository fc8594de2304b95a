"""A household's way by apt, in a Debian of its own without any network: a stick's folder, install, upgrade, purge."""
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.packaging import repository, wheels
from tests.machines.debian import NotDebian, index, supply
from tests.rigs.packaged import MACHINE, MOMENT_S, packaged
from tests.systemd.machine import Machine, NoMachine

LATER = "0.9.0"
LIMIT_S = 300.0
OURS = """
Types: deb
URIs: file:/srv/stick
Suites: ./
Signed-By: /srv/stick/taimat.asc
"""
DEBIANS = "Types: deb\nURIs: file:/srv/debian\nSuites: ./\nTrusted: yes\n"


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

    def runs(self) -> str:
        """The version that runs here, as taimat itself says."""
        return self.run("taimat", "--version").split()[1]


@pytest.fixture(scope="module")
def key(tmp_path_factory) -> Path:
    """A file with a secret key, as gpg exports it."""
    if not shutil.which("gpg"):
        pytest.skip("no gpg: apt install gpg")
    home = tmp_path_factory.mktemp("gpg")
    home.chmod(0o700)
    gpg = ["gpg", "--homedir", home, "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""]
    subprocess.run([*gpg, "--quick-generate-key", "Taimat tests", "ed25519", "sign", "never"], check=True)
    (home / "secret.asc").write_bytes(subprocess.run([*gpg, "--armor", "--export-secret-keys"], check=True,
                                                     capture_output=True).stdout)
    return home / "secret.asc"


@pytest.fixture(scope="module")
def offline(key: Path, tmp_path_factory) -> Iterator[Offline]:
    """With the stick of this version in it, and of Debian's packages those that it needs."""
    folder = tmp_path_factory.mktemp("offline")
    try:
        made = packaged()
        with Machine(folder) as machine:
            root = machine.root
            index(root / "srv/debian", supply(MACHINE, root / "var/lib/dpkg/status", made.deb))
            repository.add(root / "srv/stick", {path.name: path.read_bytes() for path in (made.deb, made.board)},
                           str(key), MOMENT_S)
            (root / "etc/apt/sources.list").unlink(missing_ok=True)
            (root / "etc/apt/sources.list.d/taimat.sources").write_text(f"{OURS}\n{DEBIANS}")
            yield Offline(root)
    except (NoMachine, NotDebian, wheels.NoWheel) as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def installed(offline: Offline) -> Offline:
    """After `apt install taimat`, which asks nothing."""
    offline.run("apt-get", "update")
    offline.run("apt-get", "install", "-y", "--no-install-recommends", "taimat")
    return offline


def test_a_list_that_somebody_else_has_written_is_refused(offline: Offline):
    signed = offline.root / "srv/stick/InRelease"
    right = signed.read_text()
    try:
        signed.write_text(right.replace("Origin: Taimat", "Origin: Taimot"))
        said = offline.run("apt-get", "update", check=False)
        assert "not signed" in said or "signature" in said.lower()
        assert "Taimot" not in offline.run("apt-cache", "policy")
    finally:
        signed.write_text(right)


def test_it_installs_by_its_name_and_runs(installed: Offline):
    assert installed.runs() == packaged().version
    said = installed.run("dpkg", "--verify", "taimat")
    assert not said.strip(), said
    assert "/srv/stick" in installed.run("apt-cache", "policy", "taimat")


def test_its_files_take_their_place_on_the_disk_once(installed: Offline):
    """What dpkg has laid and what runs are the same files by two names."""
    library = next((installed.root / "usr/lib/taimat/libraries").rglob("*.so*"))
    (folder,) = (installed.root / "opt/taimat/libraries").iterdir()
    assert (folder / library.relative_to(installed.root / "usr/lib/taimat/libraries")).samefile(library)
    assert [*(installed.root / "opt/taimat").rglob("*.pyc")], "no start compiles anything"


def test_an_upgrade_takes_over_and_purge_leaves_only_what_was_recorded(installed: Offline, key: Path):
    later = packaged(LATER)
    repository.add(installed.root / "srv/stick", {later.deb.name: later.deb.read_bytes()}, str(key), MOMENT_S + 60)
    installed.run("apt-get", "update")
    assert f"taimat ({LATER}" in installed.run("apt-get", "--simulate", "upgrade")
    installed.run("apt-get", "-y", "upgrade")
    assert installed.runs() == LATER
    clip = installed.root / "var/lib/taimat/clips/a.mp4"
    clip.write_bytes(b"a clip")
    (installed.root / "etc/taimat/taimat.toml").write_text("# ours\n")
    said = installed.run("apt-get", "-y", "remove", "taimat")
    assert (installed.root / "etc/taimat/taimat.toml").exists() and not (installed.root / "opt/taimat").exists()
    said = installed.run("apt-get", "-y", "purge", "taimat")
    assert "rm -r /var/lib/taimat" in said
    assert clip.read_bytes() == b"a clip"
    elsewhere = [word for path in ("/var/lib/taimat*", "/srv/*", "/var/cache/*", "/var/lib/apt/*")
                 for word in ("-not", "-path", path)]
    left = installed.run("find", "/", "-xdev", "-name", "*taimat*", *elsewhere).split()
    assert left == ["/etc/apt/sources.list.d/taimat.sources"]
