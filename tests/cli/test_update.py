"""`taimat update` as root runs it: a release is opened as a stranger's, built, tried by heartbeats, kept or taken back.
"""
import itertools
import json
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent import __version__
from agent.cli.doctor import machine as doctor
from agent.cli.doctor.verdict import CheckVerdict
from agent.cli.update import root
from agent.cli.update.bundle import unpack
from agent.cli.update.work import RESTART
from agent.config.settings import Settings, Update
from agent.core.key_slots import begin
from agent.core.release import ReleaseRefused
from agent.host import command_key
from agent.host.clock import SystemClock
from agent.host.files import AlreadyRunning, Lock
from agent.host.updates import Result, bundle
from agent.store.schema import SCHEMA
from tests.cli.cli import REPO
from tests.rigs.bundles import Maker, tar, wheel
from tests.rigs.updating import KILLER, NEW, OLD, ORDER, QUICK, Device, Killed

KEPT = "0.9.0"


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    with Device(tmp_path) as made:
        yield made


def result(device: Device) -> Result | None:
    return device.root.doors.result(ORDER)


def test_a_release_is_built_tried_and_takes_over_and_two_versions_stay(device: Device):
    device.make(KEPT)
    device.order(device.maker.bundle(NEW))
    assert root.work(device.root) == result(device) == Result(id=ORDER, version=NEW)
    assert device.named() == (NEW, NEW) and device.versions() == [OLD, NEW]
    assert device.commands[-1] == RESTART and device.lives_n == 2
    assert root.work(device.root) is None and not device.root.doors.under_way()


def test_a_release_that_is_not_well_is_taken_back(device: Device):
    device.ill.add(NEW)
    device.order(device.maker.bundle(NEW))
    impatient = replace(device.root, pace=replace(QUICK, deadline_s=1.0))
    assert root.work(impatient) == result(device) == Result(id=ORDER, version=NEW, code="unhealthy_rolled_back")
    assert device.named() == (OLD, OLD) and device.versions() == [OLD] and device.lives_n == 3


def test_a_release_that_says_it_cannot_work_here_is_not_tried(device: Device):
    calls = device.run

    def run(command, within_s):
        if command[1:3] == ["update", "ready"]:
            raise subprocess.CalledProcessError(1, command)
        calls(command, within_s)

    device.order(device.maker.bundle(NEW))
    assert root.work(replace(device.root, run=run)).code == "not_ready"
    assert device.named() == (OLD, OLD) and device.versions() == [OLD] and device.lives_n == 1


@pytest.mark.parametrize("end", ["process", "power"])
def test_cut_off_before_any_effect_it_ends_with_one_version_that_works(tmp_path: Path, end: str):
    """A process that was killed is started again; a machine that lost its power starts, and asks anew what was lost."""
    codes = set()
    for effects_n in itertools.count():
        with Device(tmp_path / str(effects_n)) as device:
            device.order(device.maker.bundle(NEW))
            KILLER.after(effects_n)
            try:
                root.work(device.root)
                break
            except Killed:
                KILLER.after(None)
            if end == "power":
                device.power_cut()
                root.boot(device.root)
            root.work(device.root)
            if result(device) is None:              # nothing had begun: the link asks again
                device.order(device.maker.bundle(NEW))
                root.work(device.root)
            told = result(device)
            codes.add(told.code)
            assert device.named() == ((OLD, OLD) if told.code else (NEW, NEW))
            assert device.versions() == ([OLD] if told.code else [OLD, NEW])
            assert not device.root.doors.under_way() and not (device.root.prefix / "wheels").exists()
    assert effects_n > 15 and codes == {None, "interrupted"}


def test_a_version_that_takes_the_machine_down_gets_two_more_starts(device: Device):
    calls = device.run

    def run(command, within_s):
        calls(command, within_s)
        if list(command) == RESTART:
            raise Killed

    device.order(device.maker.bundle(NEW))
    crashing = replace(device.root, run=run)
    for _ in range(3):
        with pytest.raises(Killed):
            root.work(crashing)
        assert device.named() == (NEW, OLD)
        root.boot(device.root)
    assert device.named() == (OLD, OLD) and result(device).code == "unhealthy_rolled_back"
    assert root.work(device.root) is None


def test_a_technician_installs_and_goes_back(device: Device, tmp_path: Path):
    (tmp_path / "stick.tar").write_bytes(device.maker.bundle(NEW))
    assert root.install(device.root, tmp_path / "stick.tar") == Result(id="", version=NEW)
    assert root.rollback(device.root).version == OLD
    assert device.named() == (OLD, OLD) and device.versions() == [OLD, NEW]
    assert root.rollback(device.root).version == NEW


def test_with_one_version_there_is_no_way_back(device: Device):
    with pytest.raises(ReleaseRefused, match="install a bundle"):
        root.rollback(device.root)


def test_two_do_not_work_on_versions_at_once(device: Device, tmp_path: Path):
    device.root.doors.told.mkdir()
    lock = Lock(device.root.doors.told / "update.lock")
    with pytest.raises(AlreadyRunning):
        root.install(device.root, tmp_path / "stick.tar")
    lock.release()


def spoiled(maker: Maker, case: str) -> bytes:
    built = wheel(maker.folder, NEW)
    told, data = maker.told(NEW, [built]), built.read_bytes()
    right = [("release.json", told), ("release.sig", maker.sign(told)), (built.name, data)]
    forger = Maker(maker.folder / "forger")
    return {
        "another key": lambda: forger.bundle(NEW),
        "a signature for something else": lambda: tar([right[0], ("release.sig", maker.key.sign(told)), right[2]]),
        "no signature": lambda: tar([right[0], right[2]]),
        "another order": lambda: tar([right[1], right[0], right[2]]),
        "another wheel": lambda: tar([*right[:2], (built.name, data[:-1] + b"x")]),
        "a file too many": lambda: tar([*right, ("extra.whl", b"x")]),
        "a file twice": lambda: tar([*right, right[2]]),
        "a file too few": lambda: tar(right[:2]),
        "cut short": lambda: tar(right)[:len(data) // 2 + 3000],
        "not a tar archive": lambda: b"\x01" * 4096,
        "nothing": lambda: b"",
        "a link": lambda: tar(right, tarfile.SYMTYPE),
        "a device": lambda: tar(right, tarfile.CHRTYPE),
        "a way out": lambda: maker.bundle(NEW, files={"../../../tmp/x.whl": "0" * 64}),
        "no wheel": lambda: maker.bundle(NEW, files={"setup.sh": "0" * 64}),
        "another form": lambda: maker.bundle(NEW, v=2),
        "a version that is a path": lambda: maker.bundle(NEW, version="../../x"),
        "old": lambda: maker.bundle(NEW, version=OLD),
        "a newer Python": lambda: maker.bundle(NEW, needs={"python": "4.0", "schema": 1}),
        "a store of no return": lambda: maker.bundle(NEW, needs={"python": "3.11", "schema": SCHEMA + 1}),
    }[case]()


@pytest.mark.parametrize(("case", "code"), [
    ("another key", "bad_signature"), ("a signature for something else", "bad_signature"),
    ("no signature", "bad_bundle"), ("another order", "bad_bundle"), ("another wheel", "bad_bundle"),
    ("a file too many", "bad_bundle"), ("a file twice", "bad_bundle"), ("a file too few", "bad_bundle"),
    ("cut short", "bad_bundle"), ("not a tar archive", "bad_bundle"), ("nothing", "bad_bundle"),
    ("a link", "bad_bundle"), ("a device", "bad_bundle"), ("a way out", "bad_bundle"), ("no wheel", "bad_bundle"),
    ("another form", "bad_bundle"), ("a version that is a path", "bad_bundle"), ("old", "not_newer"),
    ("a newer Python", "wrong_python"), ("a store of no return", "no_way_back")])
def test_a_bundle_that_is_not_right_changes_nothing(device: Device, case: str, code: str):
    device.order(spoiled(device.maker, case))
    assert root.work(device.root).code == result(device).code == code
    assert device.named() == (OLD, OLD) and device.versions() == [OLD] and not device.commands
    assert not (device.root.prefix / "wheels").exists() and not device.root.doors.under_way()


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> tuple[Maker, bytes, bytes]:
    maker = Maker(tmp_path_factory.mktemp("maker"))
    return maker, maker.bundle(NEW), (maker.folder / f"taimat-{NEW}-py3-none-any.whl").read_bytes()


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_is_changed_in_a_bundle_no_other_byte_comes_out_of_it(right, tmp_path_factory, data):
    maker, whole, wheel_bytes = right
    at = data.draw(st.integers(0, len(whole) - 1))
    piece = data.draw(st.binary(min_size=1, max_size=40))
    into, changed = tmp_path_factory.mktemp("into"), whole[:at] + piece + whole[at + data.draw(st.integers(0, 40)):]
    (into / "bundle").write_bytes(changed)
    (into / "out").mkdir()
    slots = begin([maker.key.public_key().public_bytes_raw().hex()])
    with (into / "bundle").open("rb") as file:
        try:
            unpack(file, slots, command_key.verifies, into / "out", lambda *_: None)
        except ReleaseRefused:
            return
    (only,) = (into / "out").iterdir()
    assert only.read_bytes() == wheel_bytes


@pytest.mark.parametrize(("rule", "code"), [("never", "forbidden"), ("ask", None)])
def test_the_rule_never_binds_root_too(tmp_path: Path, rule: str, code: str | None):
    """Whether the household has been asked is the link's part, for there its word is kept."""
    with Device(tmp_path, rule) as device:
        device.order(device.maker.bundle(NEW))
        assert root.work(device.root).code == code


def test_without_the_maker_s_key_nothing_counts(device: Device):
    device.maker.public.unlink()
    device.order(device.maker.bundle(NEW))
    assert root.work(device.root).code == "no_release_key"


def test_a_link_in_the_place_of_the_bundle_or_of_the_request_is_not_followed(device: Device):
    data = device.maker.bundle(NEW)
    (device.folder / "elsewhere").write_bytes(data)
    device.order(data)
    bundle(device.folder / "store", "a" * 64).unlink()
    bundle(device.folder / "store", "a" * 64).symlink_to(device.folder / "elsewhere")
    assert root.work(device.root).code == "bad_bundle"
    request = device.root.doors.asked / "install"
    device.order(data, "b" * 64)
    request.rename(device.folder / "request")
    request.symlink_to(device.folder / "request")
    assert root.work(device.root) is None and not request.is_symlink()


def asked(**other: object) -> str:
    return json.dumps({"id": ORDER, "sha256": "a" * 64, "boot": SystemClock().boot, "mono_ms": 1} | other)


@pytest.mark.parametrize("text", ["", "{}", "x" * 5000, asked(), asked(id="../../x"), asked(sha256="../x"),
                                  asked(boot="00000000")])
def test_a_request_that_is_none_is_dropped(device: Device, text: str):
    (device.root.doors.asked / "install").write_text(text)
    assert root.work(device.root) is None and not list(device.root.doors.asked.iterdir())


def test_a_card_without_room_is_said_before_anything_is_written(device: Device, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(root, "SPARE_B", 1 << 60)
    device.order(device.maker.bundle(NEW))
    assert root.work(device.root).code == "no_room" and not device.commands


def test_doctor_says_whether_a_release_could_be_installed(device: Device):
    def told() -> CheckVerdict:
        return doctor.updates(Update(release_key=str(device.maker.public)), device.root.prefix, device.root.doors)

    assert told().state == "ok" and f"{OLD} runs;" in told().text
    device.make(NEW)
    device.root.updater(Settings()).versions.point("current", NEW)
    assert f"{NEW} runs on trial, {OLD} takes over" in told().text
    device.root.doors.asked.rmdir()
    assert told().state == "warn" and "systemd-tmpfiles" in told().remedy
    device.maker.public.write_text("no key")
    assert told().state == "warn" and "[update] release_key" in told().text


DEBIAN = "/usr/bin/python3"


def lacks() -> str:
    """What Debian's Python lacks to build and to run the agent; "" for nothing."""
    needed = "import cryptography, msgspec, pip, setuptools, venv, av, cv2, paho, starlette"
    tried = subprocess.run([DEBIAN, "-c", f"{needed}; assert setuptools.__version__ >= '70.1'"],
                           capture_output=True, text=True)
    return tried.stderr.strip().rpartition("\n")[2]


@pytest.mark.skipif(bool(lacks()), reason=f"Debian's packages are incomplete: {lacks()}")
def test_a_release_of_this_checkout_is_built_signed_installed_and_says_itself_that_it_is_ready(tmp_path: Path):
    """The maker's tool makes the key and the bundle; the version is this one, with Debian's packages below it."""
    for words in (["--new-key", "own.key"], ["--key", "own.key", "-o", "own.tar"]):
        subprocess.run([DEBIAN, REPO / "scripts/package", *words], cwd=tmp_path, check=True, capture_output=True)
    with Device(tmp_path, first="0.0.1") as device:
        shutil.move(tmp_path / "own.pem", device.maker.public)
        really = replace(device.root, run=device.run_really, python=DEBIAN)
        assert root.install(really, tmp_path / "own.tar") == Result(id="", version=__version__)
        program = device.root.prefix / "current/bin/taimat"
        shown = subprocess.run([program, "--version"], env={"PATH": "/usr/bin"}, capture_output=True, text=True)
    assert shown.stdout == f"taimat {__version__}\n"
