"""Whether the store lies where it belongs, by the kernel's mounts, fstab and udev's notes."""
import os
import tempfile
from pathlib import Path

import pytest

from agent.host.probes.volume import Volume
from agent.store.folders import Folders, VolumeGuard, VolumeMissing

ON_ROOT = "22 1 179:2 / / rw,noatime - ext4 /dev/root rw\n"
ON_DISK = ON_ROOT + "30 22 8:1 / /mnt/disk rw,noatime - ext4 /dev/sda1 rw\n"
WANTED = "PARTUUID=1-02 / ext4 defaults 0 1\nLABEL=TAIMAT /mnt/disk ext4 noatime,nofail 0 2\n"
LABELLED = "S:disk/by-label/TAIMAT\nE:ID_FS_UUID=1f0c-77aa\nE:ID_FS_LABEL=TAIMAT\n"


def volume(root: Path, mounts: str, name: str = "", fstab: str = "", udev: str = "") -> Volume:
    """A store at /mnt/disk/taimat on a system of these files."""
    for path, text in (("proc/self/mountinfo", mounts), ("etc/fstab", fstab), ("run/udev/data/b8:1", udev)):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return Volume(Path("/mnt/disk/taimat"), name, root)


@pytest.mark.parametrize(("mounts", "name", "fstab", "udev"), [
    (ON_ROOT, "", "", ""),                      # a card for everything
    (ON_DISK, "", WANTED, ""),
    (ON_DISK, "TAIMAT", "", LABELLED),
    (ON_DISK, "1f0c-77aa", "", LABELLED),
    (ON_DISK, "TAIMAT", "", ""),                # no udev: nobody can tell
    ("", "TAIMAT", WANTED, ""),                 # no /proc: nobody can tell
], ids=["one card", "as fstab says", "label", "uuid", "no udev", "no proc"])
def test_a_store_where_it_belongs(tmp_path, mounts, name, fstab, udev):
    assert volume(tmp_path, mounts, name, fstab, udev).astray() == ""


@pytest.mark.parametrize(("mounts", "name", "fstab", "udev", "says"), [
    (ON_ROOT, "", WANTED, "", "of /etc/fstab for /mnt/disk/taimat is not mounted"),
    (ON_ROOT, "TAIMAT", "", "", "TAIMAT for /mnt/disk/taimat is not mounted"),
    (ON_DISK, "TAIMAT", WANTED, "E:ID_FS_LABEL=HOLIDAYS\n", "mounted at /mnt/disk is HOLIDAYS, not TAIMAT"),
], ids=["fstab wants one", "a named one", "another one"])
def test_a_store_astray_says_what_is_there_and_what_to_do(tmp_path, mounts, name, fstab, udev, says):
    trouble = volume(tmp_path, mounts, name, fstab, udev).astray()
    assert says in trouble and "plug" in trouble


def test_mounts_are_read_when_asked_or_when_the_store_lies_on_another_device(tmp_path, tmp_path_factory):
    here, store = tmp_path_factory.mktemp("here"), tmp_path / "store"
    store.symlink_to(here)
    guard = VolumeGuard(Folders(store, volume(tmp_path, ON_DISK, "TAIMAT", udev=LABELLED)))
    guard.check()
    volume(tmp_path, ON_ROOT)                   # the disk is gone, but the folder lies where it lay
    guard.check()
    with pytest.raises(VolumeMissing):
        guard.check(anew=True)
    volume(tmp_path, ON_DISK)
    guard.check()
    volume(tmp_path, ON_ROOT)
    with tempfile.TemporaryDirectory(dir="/dev/shm") as elsewhere:
        assert os.stat(elsewhere).st_dev != os.stat(here).st_dev
        store.unlink()
        store.symlink_to(elsewhere)
        for _ in range(2):
            with pytest.raises(VolumeMissing):
                guard.check()
