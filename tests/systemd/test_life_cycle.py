"""A recorder's life: apt brings it into an image, a phone sets it up, versions come and go, apt takes it away.

One machine, and the tests go on from one another: the image is made from a stick's folder where nothing runs and there
is no network, and then booted. tests/systemd/test_guides.py installs on a machine that runs. The packages are those of
this checkout, the camera is a real RTSP server in the house, whose network begins at the other end of a cable. What has
been recorded before a step can be read after it. Light releases and downgrades by apt are tried here in a thorough run
alone: test_update_boot.py and tests/cli/test_adopt.py have them always, without phones. So is a Debian that has nothing
of what ours needs; usually apt has installed most of it before (stock.py).
"""
import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from scripts.packaging.wheels import NoWheel
from tests.cli.cli import taimat_process
from tests.machines.debian import NotDebian
from tests.rigs.cameras import footage, rtsp
from tests.rigs.cameras.rtsp import RtspCamera
from tests.rigs.house.owner import CODE, add_camera, asks_for_the_code, opened, pair
from tests.rigs.house.phone import Phone, dial_within
from tests.rigs.machine.packaged import BROKEN, SOONER, Edit, packaged
from tests.rigs.machine.stick import STICK, Stick, take_off_line
from tests.rigs.network.lan import PLAIN_CAMERA, RECORDER
from tests.rigs.wait import HANG_S, until
from tests.systemd.booted import KEEPER, NETWORK, SETTINGS, STORE, WEB, clips
from tests.systemd.house import House
from tests.systemd.machine import Machine, NoMachine
from tests.systemd.stock import stocked

FIRST, LATER, LIGHT, BAD = "0.1.0", "0.2.0", "0.3.0", "0.4.0"
ROLES = (KEEPER, WEB, NETWORK)
ISSUE, ENROL = "/run/issue.d/taimat.issue", "enrol-taimat.service"
TITLE = "Cổng trước"
WITHIN_S = 5.0              # from the household's word to the camera's process
APT_S = 480.0                # only a hang reaches it


class Image:
    """A Debian in which nothing runs, and that has no network; `stick` is the maker's, with FIRST."""

    def __init__(self, machine: Machine, stick: Stick) -> None:
        self.machine, self.stick, self.root = machine, stick, machine.root

    def run(self, *command: str, check: bool = True) -> str:
        """What a command says."""
        return self.machine.run_at_rest(*command, check=check)


@dataclass
class Home:
    """A machine in a house, a phone and the maker's stick; `footage` has the digest of each clip seen so far."""

    machine: Machine
    phone: Phone
    stick: Stick
    camera: RtspCamera
    footage: dict[str, str] = field(default_factory=dict)

    def apt(self, *words: str) -> str:
        """What apt says; nobody is there to answer a question."""
        command = ("apt-get", "--yes", "-o", "Dpkg::Use-Pty=0", *words)
        return self.machine.run(*command, limit_s=APT_S)

    def truth(self) -> set[str]:
        """All that anything says of which version is this recorder's."""
        return {self.machine.run("taimat", "--version").split()[1], *self.named()}

    def named(self) -> set[str]:
        """The versions that the links lead to."""
        return {(self.machine.root / "opt/taimat" / name).readlink().name for name in ("current", "proven")}

    def born(self) -> dict[str, str]:
        """When each role's process was started; "0" for one that is not there."""
        return {unit: self.machine.show(unit, "ExecMainStartTimestampMonotonic") for unit in ROLES}

    def until_born_again(self, before: dict[str, str]) -> None:
        """Wait until other processes of all roles run than those."""
        for unit in ROLES:
            until(lambda unit=unit: self.machine.show(unit, "ExecMainStartTimestampMonotonic") != before[unit], unit)
            self.machine.until(unit, "ActiveState", "active")

    def clips(self) -> list[str]:
        """Files of finished clips, below the store."""
        return [clip["file"] for clip in clips(self.machine)]

    def until_recorded(self) -> None:
        """Wait for a clip that was not there before; all that was is there and as it was, says `taimat verify`, too."""
        until(lambda: set(self.clips()) - set(self.footage), "another clip")
        now = {file: digest(self.machine.root / file.lstrip("/")) for file in self.clips()}
        assert now | self.footage == now
        self.footage = now
        self.machine.run("taimat", "verify", "--json")


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory, thorough: bool) -> Iterator[Image]:
    """A fresh Debian with a stick in it, and of Debian's packages those that ours needs."""
    folder = tmp_path_factory.mktemp("life")
    try:
        first = packaged(FIRST, edit=SOONER)
        with Machine(folder, stock=None if thorough else stocked(first.deb)) as machine:
            take_off_line(machine.root, first.deb)
            stick = Stick(machine.root / STICK.lstrip("/"), folder / "gpg")
            stick.add(first.deb)
            yield Image(machine, stick)
    except (NoMachine, NotDebian, NoWheel) as reason:
        pytest.skip(f"no machine: {reason}")


@pytest.fixture(scope="module")
def installed(image: Image) -> Image:
    """After `apt install taimat`, which asks nothing."""
    image.run("apt-get", "update")
    image.run("apt-get", "install", "-y", "--no-install-recommends", "taimat")
    return image


@pytest.fixture(scope="module")
def home(installed: Image) -> Iterator[Home]:
    """It is booted in its household's network."""
    if reason := rtsp.missing():
        pytest.skip(reason)
    film, machine = footage.clip(640, 360, 10, 10, 500), installed.machine
    try:
        machine.boot()
        with (House(PLAIN_CAMERA) as house,
              RtspCamera(film, host=PLAIN_CAMERA, port=554, network_of=house.pid) as camera):
            house.plug_in(machine)
            yield Home(machine, Phone(dial_within(house.pid, RECORDER), RECORDER), installed.stick, camera)
    except NoMachine as reason:
        pytest.skip(f"no machine: {reason}")


def test_a_list_that_somebody_else_has_written_is_refused(image: Image) -> None:
    signed = image.root / STICK.lstrip("/") / "InRelease"
    right = signed.read_text()
    try:
        signed.write_text(right.replace("Origin: Taimat", "Origin: Taimot"))
        said = image.run("apt-get", "update", check=False)
        assert "not signed" in said or "signature" in said.lower()
        assert "Taimot" not in image.run("apt-cache", "policy")
    finally:
        signed.write_text(right)


def test_it_is_installed_by_its_name_where_nothing_runs(installed: Image) -> None:
    assert installed.run("taimat", "--version").split()[1] == FIRST
    said = installed.run("dpkg", "--verify", "taimat")
    assert not said.strip(), said
    assert STICK in installed.run("apt-cache", "policy", "taimat")


def test_its_files_take_their_place_on_the_disk_once(installed: Image) -> None:
    """What dpkg has laid and what runs are the same files by two names."""
    library = next((installed.root / "usr/lib/taimat/libraries").rglob("*.so*"))
    (folder,) = (installed.root / "opt/taimat/libraries").iterdir()
    assert (folder / library.relative_to(installed.root / "usr/lib/taimat/libraries")).samefile(library)
    assert [*(installed.root / "opt/taimat").rglob("*.pyc")], "no start compiles anything"


def test_its_first_boot_makes_a_recorder_that_runs(home: Home) -> None:
    assert home.truth() == {FIRST}
    for unit in (KEEPER, WEB):
        home.machine.until(unit, "ActiveState", "active")
    assert home.machine.show(NETWORK, "ActiveState") == "inactive", "there is no camera"
    assert [home.machine.show(ENROL, key) for key in ("ActiveState", "ConditionResult")] == ["inactive", "no"]
    assert home.machine.run("stat", "--format=%U:%G %a", "/etc/taimat/ward") == "root:taimat 750"
    assert 'listen = "0.0.0.0"' in home.machine.run("cat", SETTINGS)


def test_its_page_shows_nothing_but_the_form(home: Home) -> None:
    assert asks_for_the_code(opened(home.phone, "/"))
    for path in ("/events", "/cameras", "/setup", "/browsers", "/health.json", "/events.json", "/live/x.mp4"):
        assert asks_for_the_code(home.phone.get(path)), path


def test_the_code_on_the_screen_lets_a_phone_in(home: Home) -> None:
    until(lambda: home.machine.run("cat", ISSUE, check=False), "the code is on the screen")
    code = CODE.search(home.machine.run("script", "-qec", "agetty --show-issue", "/dev/null"))[0]
    assert code in home.machine.run("taimat", "pair")
    pair(home.phone, code)
    until(lambda: not home.machine.run("ls", ISSUE, check=False), "the screen is empty")
    stranger = Phone(home.phone.dial, home.phone.host)
    assert asks_for_the_code(stranger.get("/")), "the others still need a code"


def test_a_camera_from_the_page_runs_within_seconds_and_is_recorded(home: Home) -> None:
    took_s = add_camera(home.phone, TITLE, home.camera.url,
                        lambda: until(lambda: home.machine.show(NETWORK, "MainPID") != "0", "the camera's process"))
    print(f"from the word to the process: {took_s:.1f} s on an idle machine")
    assert took_s < WITHIN_S
    settings = home.machine.run("cat", SETTINGS)
    assert f'title = "{TITLE}"' in settings
    source = f'source = "{home.camera.url}"'
    home.machine.write(SETTINGS, settings.replace(source, f'{source}\nrecord = "continuous"\nmax_clip_s = 10'))
    home.until_recorded()
    assert TITLE in opened(home.phone, "/").text


def test_a_newer_package_is_tried_and_takes_over(home: Home) -> None:
    home.stick.add(packaged(LATER, edit=SOONER).deb)
    home.apt("update")
    before = home.born()
    assert f"Taimat {LATER} is tried now" in home.apt("upgrade")
    until(lambda: home.named() == {LATER}, "it is proven", 2 * HANG_S)
    assert home.truth() == {LATER}
    home.until_born_again(before)
    assert not asks_for_the_code(opened(home.phone, "/")), "the phone is still paired"
    home.until_recorded()


@pytest.mark.thorough
def test_a_light_release_takes_over(home: Home) -> None:
    bring(home, LIGHT, SOONER)
    before = home.born()
    home.machine.run("taimat", "update", "install", f"{STICK}/{LIGHT}.update", limit_s=2 * HANG_S)
    assert home.truth() == {LIGHT}
    home.until_born_again(before)
    home.until_recorded()


def bring(home: Home, version: str, edit: Edit) -> None:
    """Lay a light release onto the stick."""
    shutil.copy(packaged(version, edit=edit, is_light=True).update, home.stick.folder / f"{version}.update")


@pytest.mark.thorough
def test_one_that_does_not_work_is_taken_back(home: Home) -> None:
    bring(home, BAD, BROKEN)
    before = home.born()
    said = home.machine.run("sh", "-c", f"taimat update install {STICK}/{BAD}.update 2>&1 || echo failed",
                            limit_s=2 * HANG_S)
    assert "going back to" in said and said.endswith("failed"), said
    assert home.truth() == {LIGHT}
    assert home.machine.run("ls", "/opt/taimat/versions").split() == [LATER, LIGHT]
    home.until_born_again(before)
    home.until_recorded()


@pytest.mark.thorough
def test_whatever_apt_does_then_there_is_one_truth(home: Home) -> None:
    before = home.born()
    said = home.apt("install", "--reinstall", "taimat")
    assert f"Taimat {LIGHT} runs, and stays: it is newer than this package's {LATER}" in said
    assert home.truth() == {LIGHT} and home.born() == before
    said = home.apt("install", "--allow-downgrades", f"taimat={FIRST}")
    assert f"Taimat {FIRST} is what runs here; it has taken the place of {LIGHT}" in said
    assert home.truth() == {FIRST}
    home.until_born_again(before)
    home.until_recorded()


def test_removing_keeps_what_is_the_households_and_purging_the_footage(home: Home) -> None:
    keys = {path: digest(path) for path in (home.machine.root / STORE.lstrip("/") / "keys").rglob("*.key")}
    assert keys
    home.apt("remove", "taimat")
    assert (home.machine.root / SETTINGS.lstrip("/")).exists()
    assert "taimat" not in home.machine.run("sh", "-c", "stat --format=%U /proc/[0-9]*", check=False)
    said = home.apt("purge", "taimat")
    assert f"To delete them for good: sudo rm -r {STORE}" in said
    kept = ("-not", "-path", f"{STORE}*", "-not", "-path", "/proc/*", "-not", "-path", "/sys/*", "-not", "-path",
            f"{STICK}*", "-not", "-path", "/var/lib/apt/*")
    left = home.machine.run("find", "/", "-name", "*taimat*", *kept, check=False).split()
    assert left == ["/etc/apt/sources.list.d/taimat.sources"]
    assert not home.machine.run("systemctl", "list-units", "--no-legend", "*taimat*"), "nothing runs or has failed"
    assert {path: digest(path) for path in keys} == keys
    assert {file: digest(home.machine.root / file.lstrip("/")) for file in home.footage} == home.footage


def test_another_computer_reads_the_card(home: Home, tmp_path: Path) -> None:
    """With the program of this checkout."""
    checked = taimat_process(tmp_path, "verify", home.machine.root / STORE.lstrip("/"), "--json")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    told = json.loads(checked.stdout.splitlines()[-1])
    assert told["holds"] and told["clips_hold_n"] >= len(home.footage) > 0
