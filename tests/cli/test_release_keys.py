"""A practice run: the maker's key is stolen, and a release signed by the next one, from the safe, replaces it."""
import itertools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.core.release import ReleaseRefused
from agent.privileged.update import root
from scripts.packaging import signer
from tests.cli.cli import REPO
from tests.rigs.device.bundles import Maker
from tests.rigs.device.updating import KILLER, NEW, OLD, Device, Killed

NEWER = "3.0.0"


def told(current: Maker, following: Maker, ver: int = 1) -> dict[str, object]:
    return {"ver": ver, "current": hexed(current), "next": hexed(following)}


def hexed(maker: Maker) -> str:
    return maker.key.public_key().public_bytes_raw().hex()


@pytest.fixture
def safe(tmp_path: Path) -> Maker:
    """The maker with the next key."""
    return Maker(tmp_path / "safe")


@pytest.fixture
def later(tmp_path: Path) -> Maker:
    """And with the one after that."""
    return Maker(tmp_path / "later")


@pytest.fixture
def device(tmp_path: Path, safe: Maker) -> Iterator[Device]:
    """It knows the maker's current key and the next one."""
    with Device(tmp_path) as made:
        made.maker.public.write_bytes(made.maker.public.read_bytes() + safe.public.read_bytes())
        yield made


def code(device: Device, bundle: bytes) -> str | None:
    """Of installing it from a stick; None if it runs now."""
    stick = device.folder / "stick.tar"
    stick.write_bytes(bundle)
    try:
        return root.install(device.root, stick).code
    except ReleaseRefused as refused:
        return refused.code


def test_a_release_by_the_next_key_revokes_the_stolen_one(device: Device, safe: Maker, later: Maker):
    stolen = device.maker
    assert code(device, safe.bundle(NEW)) == "bad_signature", "the next key signs only what changes the keys"
    assert code(device, stolen.bundle(NEW, keys=told(stolen, later))) == "bad_signature", "a thief locks nobody out"
    assert code(device, safe.bundle(NEW, keys=told(safe, later))) is None and device.named() == (NEW, NEW)
    assert code(device, stolen.bundle(NEWER)) == code(device, stolen.bundle(NEWER, keys=told(stolen, safe, 9)))
    assert code(device, stolen.bundle(NEWER)) == "bad_signature"
    assert code(device, safe.bundle(NEWER, keys=told(safe, later))) is None, "each release says so again"
    stolen.public.write_bytes(stolen.public.read_bytes()[:len(later.public.read_bytes())])
    assert code(device, stolen.bundle("4.0.0")) is None, "another file starts anew: the technician's way back"


def package(*words: object) -> str:
    """What scripts/package says."""
    done = subprocess.run([sys.executable, REPO / "scripts/package", *words], capture_output=True, text=True)
    return done.stdout + done.stderr


def release(folder: Path, key: Path, version: str, moment_s: int) -> bytes:
    """As scripts/package --key makes it, with a tiny agent."""
    signs = signer.read(key, moment_s)
    return Maker(folder, signs.key).bundle(version, keys=signs.keys)


def test_a_maker_rotates_and_devices_follow(tmp_path: Path):
    key, spare, public = (tmp_path / name for name in ("release.key", "release.key.next", "release.pem"))
    assert f"Move {spare} to a safe." in package("--new-key", key)
    in_safe, stolen = spare.rename(tmp_path / "safe"), tmp_path / "stolen.key"
    stolen.write_bytes(key.read_bytes())
    stolen.with_suffix(".pem").write_bytes(public.read_bytes())
    package("--new-key", key)
    assert not spare.exists() and public.read_bytes() == stolen.with_suffix(".pem").read_bytes(), "nothing is missing"
    assert "bring it here" in package("--rotate-key", key) and stolen.read_bytes() == key.read_bytes()

    with Device(tmp_path) as device:
        device.maker.public.write_bytes(public.read_bytes())        # as the package brings it
        assert code(device, release(tmp_path / "1", key, NEW, 1)) is None
        in_safe.rename(spare)
        package("--rotate-key", key)
        assert code(device, release(tmp_path / "2", key, NEWER, 2)) is None
        assert code(device, release(tmp_path / "3", stolen, "4.0.0", 3)) == "bad_signature"
        assert code(device, release(tmp_path / "4", key, "4.0.0", 4)) is None
        package("--rotate-key", key)
        assert code(device, release(tmp_path / "5", key, "5.0.0", 5)) is None, "and once more, with the key after that"


def test_keys_that_do_not_fit_each_other_sign_nothing(tmp_path: Path):
    key, public = tmp_path / "release.key", tmp_path / "release.pem"
    package("--new-key", key)
    (tmp_path / "release.key.next").replace(key)                    # a rotation that was cut off
    assert f"{public} does not have the public halves" in package("--key", key)
    package("--new-key", key)
    assert signer.read(key, 1).public() == public.read_bytes()
    public.write_text("spoiled")
    assert f"{public}: not an Ed25519 public key" in package("--new-key", key)


def test_keys_are_changed_at_once_and_whole_wherever_the_power_goes(device: Device, safe: Maker, later: Maker):
    change, kept = safe.bundle(OLD, keys=told(safe, later)), device.root.doors.release_keys
    for effects_n in itertools.count():
        kept.unlink(missing_ok=True)
        KILLER.after(effects_n)
        try:
            assert code(device, change) == "not_newer"
            break
        except Killed:
            KILLER.after(None)
        root.work(device.root)              # what was cut off is ended first
        assert code(device, change) == "not_newer" and code(device, device.maker.bundle(NEW)) == "bad_signature"
    KILLER.after(None)
    assert effects_n > 3
    kept.write_bytes(b"spoiled")
    assert code(device, device.maker.bundle(NEW)) == code(device, safe.bundle(NEW)) == "no_release_key"
