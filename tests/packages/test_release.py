"""scripts/release: one run makes all that is installed from, signed, and the next run the same bytes."""
import filecmp
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.packaging import debian_packages, distributions, maker, oci, repository, wheels
from tests.rigs.machine.boot_card import image_of, stock
from tests.rigs.machine.packaged import MOMENT_S, REPO, packaged

RELEASE_S = 3000
LATER_S = 4_000_000_000         # a key is younger than the commit that it signs, or older
gpg = pytest.mark.skipif(not shutil.which("gpg"), reason="no gpg: apt install gpg")


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a secret key of gpg's."""
    folder = tmp_path_factory.mktemp("k")
    with_home = ("gpg", "--homedir", folder, "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "")
    # Made before now: gpg would count a signature of the very second in which its key was made as one of the future.
    subprocess.run([*with_home, f"--faked-system-time={MOMENT_S + 100}!", "--quick-generate-key",
                    "Maker <maker@example.org>", "ed25519", "sign", "never"], check=True)
    secret = subprocess.run([*with_home, "--armor", "--export-secret-keys"], check=True, capture_output=True).stdout
    subprocess.run(["gpgconf", "--homedir", folder, "--kill", "all"], check=True)
    (folder / "secret.asc").write_bytes(secret)
    return folder / "secret.asc"


def release(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, REPO / "scripts/release", *map(str, words)], capture_output=True, text=True,
                          env=os.environ | {"SOURCE_DATE_EPOCH": str(MOMENT_S)}, timeout=RELEASE_S)


@gpg
@pytest.mark.parametrize("moment_s", [MOMENT_S, LATER_S])
def test_a_signature_is_the_same_each_time_and_holds(key: Path, tmp_path: Path, moment_s: int):
    signed, public = repository.sign(b"a list\n", str(key), moment_s)
    assert repository.sign(b"a list\n", str(key), moment_s)[0] == signed
    (tmp_path / "public").write_bytes(public)
    subprocess.run(["gpg", "--homedir", tmp_path, "--quiet", "--import", tmp_path / "public"], check=True)
    late = ["--faked-system-time", str(moment_s + 1)] if moment_s == LATER_S else []
    held = subprocess.run(["gpg", "--homedir", tmp_path, *late, "--verify"], input=signed, capture_output=True)
    assert held.returncode == 0, held.stderr


def test_wheels_are_the_same_to_the_bit(monkeypatch):
    if not distributions.builder():
        pytest.skip("no setuptools of 71 or newer")
    before = {path.name for path in REPO.iterdir()}

    def made(umask: int) -> dict[str, str]:
        was = os.umask(umask)
        try:
            return {name: hashlib.sha256(data).hexdigest() for name, data in
                    distributions.built(REPO, MOMENT_S).items()}
        finally:
            os.umask(was)

    first = made(0o022)
    monkeypatch.setenv("TZ", "Asia/Ho_Chi_Minh")
    assert made(0o077) == first
    assert {name.split("-")[0] for name in first} == {"taimat", "taimat_ward", "taimat_conformance"}
    assert {path.name for path in REPO.iterdir()} == before, "nothing is left in the checkout"


def test_what_a_release_cannot_do_without_is_named(tmp_path: Path):
    said = release("-o", tmp_path / "out")
    assert said.returncode == 2 and "--key, --repository-key" in said.stderr
    keys = ("--key", tmp_path / "none", "--repository-key", "none")
    said = release(*keys, "--base-image", tmp_path / "base.img", "-o", tmp_path / "out")
    assert said.returncode == 2 and "--url" in said.stderr
    said = release(*keys, "-o", tmp_path / "out")
    assert said.returncode == 1 and "scripts/package --new-key" in said.stderr
    assert not (tmp_path / "out").exists()


@gpg
@pytest.mark.thorough
@pytest.mark.timeout(2 * RELEASE_S)
def test_two_releases_are_the_same_and_their_list_holds(key: Path, tmp_path: Path):
    try:
        signing = packaged(is_light=True).public.with_suffix(".key")
        recipe = maker.Recipe(REPO, "0.3.0", MOMENT_S)
        for architecture in wheels.MACHINES:        # fetched once, so that both runs have the same
            debian_packages.fetched(wheels.cache() / "debian" / architecture, architecture,
                                    oci.wishes(recipe.package(architecture)))
    except wheels.NoWheel as why:
        pytest.skip(str(why))
    base = image_of(stock(tmp_path / "stock"), tmp_path / "base.img", "dos", boot_mib=256)
    outs = [tmp_path / "one", tmp_path / "two"]
    for out in outs:
        made = release("--fast", "--key", signing, "--repository-key", key, "-o", out, "--base-image", base,
                       "--url", "https://example.org/taimat")
        assert made.returncode == 0, made.stderr
    names = sorted(path.name for path in outs[0].iterdir())
    assert filecmp.cmpfiles(*outs, [name for name in names if name != "apt"], shallow=False)[1:] == ([], [])
    apt = [path.name for path in (outs[0] / "apt").iterdir()]
    assert filecmp.cmpfiles(*(out / "apt" for out in outs), apt, shallow=False)[1:] == ([], [])
    checked = subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=outs[0], capture_output=True,
                             text=True)
    assert checked.returncode == 0, checked.stdout
    listed = {line.partition(":")[0] for line in checked.stdout.splitlines()}
    assert listed == {*names} - {"apt", "SHA256SUMS", "SHA256SUMS.asc"}
    suffixes = (".deb", ".update", ".whl", ".oci.tar", ".img.xz", "compose.yaml", "imager.json")
    assert [sum(name.endswith(each) for name in names) for each in suffixes] == [4, 2, 3, 2, 1, 1, 1]
