"""apt and `taimat update` in any order: what runs is what `current` says, and whatever dpkg does to its files."""
import itertools
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.core.release import ReleaseRefused
from agent.host import tree
from agent.host.files import AlreadyRunning, Lock
from agent.host.updates import Result
from agent.privileged.update import adoption, root
from agent.privileged.update.adoption import TRY, adopt
from agent.privileged.update.work import RESTART
from tests.rigs.device.updating import KILLER, NEW, OLD, QUICK, Device, Killed

NEWEST = "3.0.0"
IMPATIENT = replace(QUICK, deadline_s=1.0)


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    with Device(tmp_path) as made:
        yield made


def install(device: Device, version: str, **other: object) -> str | None:
    """What a technician does with a file of this version; returns the code."""
    (device.folder / "stick.update").write_bytes(device.maker.bundle(version, light=True, **other))
    return root.install(device.root, device.folder / "stick.update").code


def names(device: Device) -> tuple[int, int]:
    """How many names the files of the running version have that dpkg brought: two, its own and ours."""
    folder = device.root.versions.root / "current"
    return tuple((folder / path).stat().st_nlink for path in ("agent/__init__.py", "libraries/shelf.py"))


def test_the_first_package_runs_at_once_at_no_space(tmp_path: Path):
    with Device(tmp_path, first="") as device:
        assert device.apt(OLD) == f"Taimat {OLD} is what runs here."
        assert device.named() == (OLD, OLD) and device.says() == f"taimat {OLD}, shelf 1\n"
        assert names(device) == (2, 2) and not device.leftovers()


def test_a_newer_package_is_tried_and_taken_back_like_any_release(device: Device):
    device.ill.add(NEW)
    assert "is tried now" in device.apt(NEW, before=OLD)
    assert device.commands[-1] == TRY and device.named() == (OLD, OLD) and device.says() == f"taimat {OLD}, shelf 1\n"
    assert adoption.standing(device.root).startswith("an update is under way")
    impatient = replace(device.root, pace=IMPATIENT)
    assert root.work(impatient) == Result(id="", version=NEW, code="unhealthy_rolled_back")
    assert device.named() == (OLD, OLD) and device.versions() == [OLD] and root.work(impatient) is None
    assert adoption.standing(device.root).startswith(f"apt has brought {NEW}, which was not well here")
    device.ill.clear()
    device.apt(NEW, before=NEW)         # apt install --reinstall
    assert root.work(device.root).code is None and device.named() == (NEW, NEW)
    assert adoption.standing(device.root) == ""
    assert device.versions() == [OLD, NEW] and names(device) == (2, 2)


def test_dpkg_may_replace_and_remove_its_files(device: Device):
    device.maker.lay(device.package, NEW, size=2)
    assert device.says() == f"taimat {OLD}, shelf 1\n"
    shutil.rmtree(device.package)
    assert device.says() == f"taimat {OLD}, shelf 1\n"


def test_apt_then_taimat_then_apt(device: Device):
    assert install(device, NEWEST) is None
    said = device.apt(NEW, before=OLD)
    assert said == f"Taimat {NEWEST} runs, and stays: it is newer than this package's {NEW}."
    assert device.named() == (NEWEST, NEWEST) and device.versions() == [OLD, NEWEST] and root.work(device.root) is None
    device.apt(NEWEST, before=NEW)
    assert device.named() == (NEWEST, NEWEST) and names(device) == (2, 2), "it is dpkg's now, and takes no space"
    assert root.rollback(device.root).version == OLD
    device.apt(NEWEST, before=NEWEST)
    assert root.work(device.root).code is None and device.named() == (NEWEST, NEWEST)


def test_taimat_installs_what_apt_has_brought_and_was_not_well(device: Device):
    device.ill.add(NEW)
    device.apt(NEW, before=OLD)
    root.work(replace(device.root, pace=IMPATIENT))
    assert install(device, NEWEST) is None and device.named() == (NEWEST, NEWEST)


def test_the_same_package_again_repairs_what_is_spoiled(device: Device):
    spoiled = device.root.versions.root / "versions" / OLD / "agent/__init__.py"
    spoiled.unlink()
    spoiled.write_text("raise SystemExit('rotten')\n")
    shutil.rmtree(device.root.versions.root / "current/libraries/shelf.libs")
    device.apt(OLD, before=OLD)
    assert device.commands[-1] == RESTART and "rotten" not in spoiled.read_text()
    assert device.says() == f"taimat {OLD}, shelf 1\n" and names(device) == (2, 2) and not device.leftovers()
    assert (device.root.versions.root / "current/libraries/shelf.libs/lib-1.so.2").exists()
    lives_n = device.lives_n
    device.apt(OLD, before=OLD)
    assert device.lives_n == lives_n, "nobody is disturbed where all was well"
    (device.root.versions.root / "current").unlink()
    device.apt(OLD, before=OLD)
    assert device.named() == (OLD, OLD)


def test_who_installs_an_older_package_goes_back_if_that_version_can_go_on(device: Device):
    device.apt(NEW, before=OLD)
    root.work(device.root)
    said = device.apt(OLD, before=f"{NEW}-1~bpo13+1")
    assert said == f"Taimat {OLD} is what runs here; it has taken the place of {NEW}."
    assert device.named() == (OLD, OLD) and device.commands[-1] == RESTART
    device.apt(NEW, before=OLD)
    root.work(device.root)
    said = device.apt(OLD, before=NEW, ready=1)
    assert said.startswith(f"Taimat {NEW} runs, and stays: {OLD} says that it can't work here")
    assert device.named() == (NEW, NEW)


def test_an_image_has_nobody_to_ask(device: Device):
    device.booted.rmdir()
    device.ill.add(NEW)
    assert device.apt(NEW, before=OLD) == f"Taimat {NEW} is what runs here." and device.named() == (NEW, NEW)
    assert not [command for command in device.commands if command[0] == "systemctl"]
    device.root.doors.told.joinpath("work.json").write_text(f'{{"was": "{OLD}", "version": "{OLD}", "step": "trial"}}')
    device.apt(NEWEST, before=NEW)
    assert device.named() == (NEWEST, NEWEST) and root.work(device.root) is None


def test_where_somebody_has_ended_the_roles_it_is_not_tried_either(device: Device):
    device.runs = False
    device.apt(NEW, before=OLD)
    assert device.named() == (NEW, NEW) and RESTART not in device.commands


def test_on_another_file_system_it_is_copied(tmp_path: Path):
    elsewhere = Path(tempfile.mkdtemp(dir="/dev/shm"))
    try:
        if elsewhere.stat().st_dev == tmp_path.stat().st_dev:
            pytest.skip("there is one file system here")
        with Device(tmp_path, first="") as device:
            device.maker.lay(elsewhere, OLD)
            adopt(replace(device.root, package=elsewhere))
            assert device.says() == f"taimat {OLD}, shelf 1\n" and names(device) == (1, 1)
    finally:
        shutil.rmtree(elsewhere)


def test_a_package_that_was_spoiled_on_the_card_is_not_laid(device: Device):
    device.maker.lay(device.package, NEW)
    (device.package / "libraries/shelf.py").write_text("x")
    with pytest.raises(ReleaseRefused, match="apt install --reinstall") as refused:
        adopt(device.root, OLD)
    assert refused.value.code == "not_ready", "no bundle is at fault"
    assert device.named() == (OLD, OLD) and device.versions() == [OLD]


def test_an_update_that_is_under_way_is_waited_for(device: Device, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(adoption, "BUSY_S", 0.1)
    device.apt(NEW, before=OLD)
    with pytest.raises(AlreadyRunning, match="dpkg --configure taimat"):
        device.apt(NEWEST, before=NEW)
    root.work(device.root)
    lock = Lock(device.root.doors.told / "update.lock")
    with pytest.raises(AlreadyRunning):
        device.apt(NEWEST, before=NEW)
    lock.release()
    device.apt(NEWEST, before=NEW)
    assert root.work(device.root).code is None and device.named() == (NEWEST, NEWEST)


@pytest.mark.parametrize(("first_n", "case"), [*enumerate(["first", "newer", "same", "older", "image"])])
def test_cut_off_before_any_effect_something_works_and_dpkg_ends_it(
        tmp_path: Path, first_n: int, case: str, thorough: bool):
    """After a power cut `dpkg --configure -a` calls the script again, or nobody does.

    Usually before every fifth effect, each case before others.
    """
    for effects_n in itertools.count() if thorough else itertools.count(first_n, 5):
        with Device(tmp_path / str(effects_n), first="" if case == "first" else OLD) as device:
            if case == "older":
                device.runs = False         # without a trial
                device.apt(NEW, before=OLD)
                device.runs = True
            if case == "image":
                device.booted.rmdir()
            wanted, before = {"newer": (NEW, OLD), "image": (NEW, OLD), "same": (OLD, OLD), "older": (OLD, NEW),
                              "first": (OLD, "")}[case]
            device.maker.lay(device.package, wanted, size=2)
            KILLER.after(effects_n)
            try:
                adopt(device.root, before)
                break
            except Killed:
                KILLER.after(None)
            if case != "first":
                assert device.says().startswith("taimat ")
            if case == "newer" and device.root.doors.under_way():
                root.boot(device.root)
                assert root.work(device.root).code is None
            adopt(device.root, before)
            root.work(device.root)
            assert device.named() == (wanted, wanted) and device.says() == f"taimat {wanted}, shelf 2\n"
            assert not device.leftovers()
    KILLER.after(None)
    assert effects_n > 8


def test_folders_change_places_without_a_gap_and_a_failure_is_told(tmp_path: Path):
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "what").write_text(name)
    tree.put(tmp_path / "new", tmp_path / "old")
    assert (tmp_path / "old/what").read_text() == "new" and not (tmp_path / "new").exists()
    with pytest.raises(FileNotFoundError):
        tree.put(tmp_path / "none", tmp_path / "old")
