"""`taimat update` as root runs it: a release is opened as a stranger's, laid, tried by heartbeats, kept or taken back.
"""
import functools
import itertools
import json
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.cli.doctor import CheckVerdict
from agent.cli.doctor import machine as doctor
from agent.config.settings import Settings, Update
from agent.core.contract.facts import RefusedVersion
from agent.core.key_slots import begin
from agent.core.release import UNITS, ReleaseRefused
from agent.host import command_key
from agent.host.clock import SystemClock
from agent.host.files import AlreadyRunning, Lock
from agent.host.updates import Result, bundle
from agent.privileged.update import root
from agent.privileged.update.bundle import unpack
from agent.privileged.update.work import RESTART
from agent.store.schema import SCHEMA
from scripts.packaging.wheels import NoWheel
from tests.rigs.device.bundles import HOME, MACHINE, PACKERS, Maker, agent, ar, data_files, libraries, tar
from tests.rigs.device.updating import KILLER, NEW, OLD, ORDER, QUICK, Device, Killed
from tests.rigs.examples import examples
from tests.rigs.machine.packaged import packaged

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
    assert device.named() == (NEW, NEW) and device.versions() == [OLD, NEW] and not device.leftovers()
    assert device.commands[-1] == RESTART and device.lives_n == 2 and device.says() == f"taimat {NEW}, shelf 1\n"
    assert root.work(device.root) is None and not device.root.doors.under_way()


def test_a_release_that_is_not_well_is_taken_back(device: Device):
    device.ill.add(NEW)
    device.order(device.maker.bundle(NEW))
    impatient = replace(device.root, pace=replace(QUICK, deadline_s=1.0))
    assert root.work(impatient) == result(device) == Result(id=ORDER, version=NEW, code="unhealthy_rolled_back")
    assert device.named() == (OLD, OLD) and device.versions() == [OLD] and device.lives_n == 3
    assert device.root.doors.refused() == RefusedVersion(NEW, "camera gate")


def test_a_release_whose_keeper_dies_again_and_again_is_taken_back_long_before_the_deadline(device: Device, caplog):
    device.dying.add(NEW)
    device.order(device.maker.bundle(NEW))
    patient = replace(device.root, pace=replace(QUICK, deadline_s=10_000.0, look_s=0.05))
    assert root.work(patient) == result(device) == Result(id=ORDER, version=NEW, code="unhealthy_rolled_back")
    assert device.named() == (OLD, OLD) and "does not work: keeper dies again and again" in caplog.text
    refused = patient.doors.refused()
    assert (refused.version, refused.unit) == (NEW, "keeper") and "s3cret" not in refused.why
    assert refused.why.startswith("keeper dies again and again; its last words: taimat-keeper.service: ImportError: ")
    device.dying.clear()
    device.order(device.maker.bundle("3.0.0"))
    assert root.work(device.root).code is None and patient.doors.refused() is None


def test_a_release_that_says_it_cannot_work_here_is_not_tried(device: Device):
    calls = device.run

    def run(command, within_s):
        if command[1:3] == ["update", "ready"]:
            raise subprocess.CalledProcessError(1, command)
        calls(command, within_s)

    device.order(device.maker.bundle(NEW))
    assert root.work(replace(device.root, versions=replace(device.root.versions, run=run))).code == "not_ready"
    assert device.named() == (OLD, OLD) and device.versions() == [OLD] and device.lives_n == 1


@pytest.mark.parametrize("name", PACKERS)
def test_its_files_may_be_packed_in_three_ways(device: Device, name: str):
    told, data = parts(device.maker)
    *head, _ = device.maker.members(told, b"")
    device.order(ar([*head, (name, PACKERS[name](data))]))
    assert root.work(device.root).code is None and device.says() == f"taimat {NEW}, shelf 1\n"


def test_a_light_release_shares_the_libraries_that_are_there(device: Device):
    device.order(device.maker.bundle(NEW, light=True))
    assert root.work(device.root).code is None and len(device.shelves()) == 1
    assert device.says() == f"taimat {NEW}, shelf 1\n" and device.says(OLD) == f"taimat {OLD}, shelf 1\n"
    device.order(device.maker.bundle("3.0.0", light=True, size=3))
    assert root.work(device.root).code == "incomplete" and device.named() == (NEW, NEW)
    device.order(device.maker.bundle("3.0.0", size=3))
    assert root.work(device.root).code is None and device.says() == "taimat 3.0.0, shelf 3\n"
    assert len(device.shelves()) == 2 and device.says(NEW) == f"taimat {NEW}, shelf 1\n"
    device.order(device.maker.bundle("4.0.0", light=True, size=3))
    assert root.work(device.root).code is None and len(device.shelves()) == 1, "libraries that no version has are gone"


def test_byte_code_is_made_with_the_paths_that_the_files_have(device: Device):
    device.order(device.maker.bundle(NEW))
    root.work(device.root)
    folder = device.root.versions.root / "versions" / NEW
    for path, name in ((folder / "agent", "__init__"), (folder / "libraries", "shelf")):
        (made,) = path.glob(f"__pycache__/{name}.*.pyc")
        assert f"{path.resolve()}/{name}.py".encode() in made.read_bytes()


@pytest.mark.parametrize("end", ["process", "power"])
def test_cut_off_before_any_effect_it_ends_with_one_version_that_works(tmp_path: Path, end: str, thorough: bool):
    """A process that was killed is started again; a machine that lost its power starts, and asks anew what was lost.

    Usually before every sixth effect, each end before others.
    """
    codes = set()
    for effects_n in itertools.count() if thorough else itertools.count(3 * (end == "power"), 6):
        with Device(tmp_path / str(effects_n)) as device:
            device.order(device.maker.bundle(NEW, size=2))
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
                device.order(device.maker.bundle(NEW, size=2))
                root.work(device.root)
            told = result(device)
            codes.add(told.code)
            assert device.named() == ((OLD, OLD) if told.code else (NEW, NEW))
            assert device.versions() == ([OLD] if told.code else [OLD, NEW])
            assert not device.root.doors.under_way() and not device.leftovers()
            assert device.says(OLD) == f"taimat {OLD}, shelf 1\n" and len(device.shelves()) == len(device.versions())
    assert effects_n > 15 and codes == {None, "interrupted"}


def test_a_version_that_takes_the_machine_down_gets_two_more_starts(device: Device):
    calls = device.run

    def run(command, within_s):
        calls(command, within_s)
        if list(command) == RESTART:
            raise Killed

    device.order(device.maker.bundle(NEW))
    crashing = replace(device.root, versions=replace(device.root.versions, run=run))
    for _ in range(3):
        with pytest.raises(Killed):
            root.work(crashing)
        assert device.named() == (NEW, OLD)
        root.boot(device.root)
    assert device.named() == (OLD, OLD) and result(device).code == "unhealthy_rolled_back"
    assert root.work(device.root) is None


def test_a_technician_installs_and_goes_back(device: Device, tmp_path: Path):
    (tmp_path / "stick.deb").write_bytes(device.maker.bundle(NEW))
    assert root.install(device.root, tmp_path / "stick.deb") == Result(id="", version=NEW)
    assert root.rollback(device.root).version == OLD
    assert device.named() == (OLD, OLD) and device.versions() == [OLD, NEW]
    assert root.rollback(device.root).version == NEW


def test_with_one_version_there_is_no_way_back(device: Device):
    with pytest.raises(ReleaseRefused, match="install a release"):
        root.rollback(device.root)


def test_two_do_not_work_on_versions_at_once(device: Device, tmp_path: Path):
    lock = Lock(device.root.doors.told / "update.lock")
    with pytest.raises(AlreadyRunning):
        root.install(device.root, tmp_path / "stick.deb")
    lock.release()


def parts(maker: Maker) -> tuple[bytes, bytes]:
    """What is told of a right release, and its files."""
    code, shelf = agent(NEW), libraries()
    return maker.told(NEW, code, shelf), tar(data_files(code, shelf))


def spoiled(maker: Maker, case: str) -> bytes:
    code, shelf = agent(NEW), libraries()
    told, data = parts(maker)
    right, files = maker.members(told, data), data_files(code, shelf)
    lacking = maker.told(NEW, code, libraries(9))
    forger = Maker(maker.folder / "forger")

    def other(name: str, content: bytes) -> bytes:
        return ar([(each, content if each == name else old) for each, old in right])

    def holding(*more: tuple[str, bytes], kind: bytes = tarfile.REGTYPE) -> bytes:
        return ar(maker.members(lacking, tar([*data_files(code, libraries(9)), *more], kind)))

    return {
        "another key": lambda: forger.bundle(NEW),
        "a signature for something else": lambda: other("_release.sig", maker.key.sign(told)),
        "no signature": lambda: ar([each for each in right if each[0] != "_release.sig"]),
        "another order": lambda: ar([right[0], right[2], right[1], *right[3:]]),
        "a package without them": lambda: ar([right[0], *right[3:]]),
        "another file": lambda: ar(maker.members(told, tar(data_files({**code, "__init__.py": b"x"}, shelf)))),
        "another library": lambda: ar(maker.members(lacking, tar(data_files(code, libraries(8))))),
        "a file too many": lambda: ar(maker.members(told, tar(data_files({**code, "extra.py": b"x"}, shelf)))),
        "a file twice": lambda: ar(maker.members(told, tar([*files, files[0]]))),
        "a file where a folder is": lambda: ar(maker.members(told, tar([*files, (f"{HOME}agent/cli", b"x")]))),
        "a file too few": lambda: ar(maker.members(told, tar(files[1:]))),
        "no files": lambda: ar(right[:3]),
        "cut short": lambda: ar(right)[:-40],
        "cut short while packed": lambda: other("data.tar.xz", right[-1][1][:200]),
        "not packed": lambda: other("data.tar.xz", data),
        "packed in another way": lambda: ar([*right[:-1], ("data.tar.zst", b"\x28\xb5\x2f\xfd")]),
        "not an archive": lambda: b"\x01" * 4096,
        "nothing": lambda: b"",
        "a link": lambda: holding((f"{HOME}agent/link.py", b""), kind=tarfile.LNKTYPE),
        "a device": lambda: holding((f"{HOME}agent/link.py", b""), kind=tarfile.CHRTYPE),
        "a way out": lambda: holding((f"{HOME}agent/../../../../etc/cron.d/x", b"x")),
        "byte code": lambda: holding((f"{HOME}libraries/__pycache__/shelf.cpython-313.pyc", b"x")),
        "another form": lambda: maker.bundle(NEW, v=1),
        "a version that is a path": lambda: maker.bundle(NEW, version="../../x"),
        "of another machine": lambda: maker.bundle(NEW, architecture="arm64" if MACHINE == "amd64" else "amd64"),
        "old": lambda: maker.bundle(NEW, version=OLD),
        "a newer Python": lambda: maker.bundle(NEW, needs={"python": "4.0", "schema": 1, "units": 1}),
        "a store of no return": lambda: maker.bundle(NEW, needs={"python": "3.11", "schema": SCHEMA + 1, "units": 1}),
        "other units": lambda: maker.bundle(NEW, needs={"python": "3.11", "schema": 1, "units": UNITS + 1}),
        "code that is none": lambda: ar(maker.members(maker.told(NEW, bad := {**code, "x.py": b"def"}, shelf),
                                                      tar(data_files(bad, shelf)))),
        "no command": lambda: ar(maker.members(maker.told(NEW, bare := {"x.py": b""}, shelf),
                                               tar(data_files(bare, shelf)))),
    }[case]()


CASES = {
    **dict.fromkeys(("another key", "a signature for something else"), "bad_signature"),
    **dict.fromkeys(("no signature", "another order", "a package without them", "another file", "another library",
                     "a file too many", "a file twice", "a file where a folder is", "a file too few", "no files",
                     "cut short", "cut short while packed", "not packed", "packed in another way", "not an archive",
                     "nothing", "a link", "a device", "a way out", "byte code", "another form",
                     "a version that is a path", "no command"), "bad_bundle"),
    "of another machine": "wrong_machine", "old": "not_newer", "a newer Python": "wrong_python",
    "a store of no return": "no_way_back", "other units": "needs_package", "code that is none": "not_ready"}


@pytest.mark.parametrize(("case", "code"), CASES.items())
def test_a_bundle_that_is_not_right_changes_nothing(device: Device, case: str, code: str):
    device.order(spoiled(device.maker, case))
    assert root.work(device.root).code == result(device).code == code
    assert device.named() == (OLD, OLD) and device.versions() == [OLD] and not device.commands
    assert len(device.shelves()) == 1 and not device.leftovers() and not device.root.doors.under_way()


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> tuple[Maker, dict[str, bytes]]:
    maker = Maker(tmp_path_factory.mktemp("maker"))
    told, data = parts(maker)
    *head, _ = maker.members(told, b"")
    return maker, {name: ar([*head, (name, pack(data))]) for name, pack in PACKERS.items()}


@settings(max_examples=examples(200), suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_is_changed_in_a_bundle_no_other_byte_comes_out_of_it(right, tmp_path_factory, data):
    maker, files = right
    whole = files[data.draw(st.sampled_from(sorted(files)))]
    at = data.draw(st.integers(0, len(whole) - 1))
    piece = data.draw(st.binary(min_size=1, max_size=40))
    into, changed = tmp_path_factory.mktemp("into"), whole[:at] + piece + whole[at + data.draw(st.integers(0, 40)):]
    (into / "bundle").write_bytes(changed)
    (into / "out").mkdir()
    slots = begin([maker.key.public_key().public_bytes_raw().hex()])
    with (into / "bundle").open("rb") as file:
        try:
            unpack(file, slots, command_key.verifies, into / "out", lambda *_: ("agent", "libraries"))
        except ReleaseRefused:
            return
    found = {str(path.relative_to(into / "out")): path.read_bytes() for path in (into / "out").rglob("*")
             if path.is_file()}
    expected = {"agent": agent(NEW), "libraries": libraries()}
    assert found == {f"{tree}/{path}": content for tree, held in expected.items() for path, content in held.items()}


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


def test_without_a_setting_the_key_counts_that_the_package_has_brought(device: Device):
    config = device.root.config
    config.write_text("".join(line for line in config.read_text().splitlines(True) if "release_key" not in line))
    device.order(device.maker.bundle(NEW))
    assert root.work(device.root).code == "no_release_key"
    (device.package / "release.pem").write_bytes(device.maker.public.read_bytes())
    device.order(device.maker.bundle(NEW))
    assert root.work(device.root).code is None


def test_a_link_in_the_place_of_the_bundle_or_of_the_request_is_not_followed(device: Device):
    data = device.maker.bundle(NEW)
    (device.folder / "elsewhere").write_bytes(data)
    device.order(data)
    bundle(device.folder / "store", "a" * 64).unlink()
    bundle(device.folder / "store", "a" * 64).symlink_to(device.folder / "elsewhere")
    assert root.work(device.root).code == "download"        # there is no bundle that could be bad
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
    assert root.work(device.root).code == "no_room" and not device.commands and device.versions() == [OLD]


def test_doctor_says_whether_a_release_could_be_installed(device: Device):
    def told() -> CheckVerdict:
        return doctor.updates(Update(release_key=str(device.maker.public)), device.root.versions, device.root.doors)

    assert told().state == "ok" and f"{OLD} runs;" in told().text
    device.make(NEW)
    device.root.updater(Settings()).versions.point("current", NEW)
    assert f"{NEW} runs on trial, {OLD} takes over" in told().text
    device.root.doors.asked.rmdir()
    assert told().state == "warn" and "systemd-tmpfiles" in told().remedy
    device.maker.public.write_text("no key")
    assert told().state == "warn" and "[update] release_key" in told().text


DEBIAN = "/usr/bin/python3"


@functools.cache
def lacks() -> str:
    """What of Debian's packages its Python lacks to run the agent; "" for nothing."""
    needed = "import cryptography, jinja2, msgspec, numpy, paho, psutil, rich, segno, starlette, typer, uvicorn"
    try:
        tried = subprocess.run([DEBIAN, "-c", needed], capture_output=True, text=True)
    except OSError as error:
        return str(error)
    return tried.stderr.strip().rpartition("\n")[2]


@pytest.mark.needs.with_args(lacks)
def test_releases_of_this_checkout_are_installed_and_say_themselves_that_they_are_ready(tmp_path: Path):
    """The maker's tool makes them; first the whole package, whose libraries the light one then shares."""
    try:
        first, second = packaged("8.0.0"), packaged("8.0.1")
    except NoWheel as reason:
        pytest.skip(str(reason))
    with Device(tmp_path) as device:
        device.maker.public.write_bytes(first.public.read_bytes())
        assert root.install(device.root, second.update).code == "incomplete"
        assert root.install(device.root, first.deb) == Result(id="", version="8.0.0")
        assert root.install(device.root, second.update) == Result(id="", version="8.0.1")
        assert device.says() == "taimat 8.0.1\n" and device.says("8.0.0") == "taimat 8.0.0\n"
        code = "import av, cv2; print(av.__file__, cv2.__file__)"
        place = device.root.versions.root / "current/libraries"
        own = {"PYTHONPATH": str(place)}
        said = subprocess.run([DEBIAN, "-P", "-c", code], env=own, capture_output=True, text=True)
        assert said.stdout.count(str(place)) == 2, said.stderr
