"""A ward's card in a booted recorder: from the bundle on its boot partition to a broker with mutual TLS.

Some kernels that tests run on know no FAT, so a folder plays the partition, and the set-up is told that it is one.
"""
import json
import shutil
from collections.abc import Iterator

import pytest

from tests.rigs.pki import Authority
from tests.rigs.wait import Stopwatch, until
from tests.rigs.warddoor import ROOTS_NAME
from tests.systemd.machine import Machine, NoMachine
from tests.systemd.test_agent_boot import (
    KEEPER,
    LINK,
    NETWORK,
    ROOT,
    SERVICE,
    SETTINGS,
    WEB,
    demand_libraries,
    furnish,
)
from tests.systemd.test_setup_boot import ISSUE, PATHS, SETUP

ENROL, WARD, BROKER = "enrol-taimat.service", "ward.service", "broker.service"
HOME, FOLDER, BUNDLE = "/srv/ward", "/etc/taimat/ward", "/boot/firmware/taimat/enrol.toml"
ADDRESS, DEVICE = "192.0.2.7", "/var/lib/taimat/household/device"
CAMERA = '[[camera]]\nname = "gate"\nsource = "file:/srv/gate.mp4"\nloop = true\nrecord = "continuous"   # cổng\n'
# The real set-up in its real sandbox; only the list of mounts is another.
SET_UP = "[Service]\nExecStart=\nExecStart=/usr/bin/python3 -P /srv/set_up.py\n"
SET_UP_PROGRAM = """
from pathlib import Path
from agent.cli.setup.main import NoticePlaces, Setup
from agent.host import log
log.set_up("setup", "info")
Setup(notice=NoticePlaces(mounts=Path("/srv/mounts"))).run()
"""
MOUNTS = "36 25 179:1 / /boot/firmware rw - vfat /dev/mmcblk0p1 rw\n"
OPEN = f"""
import sys, time
sys.path[:0] = ["/srv", "/opt/taimat/current"]
import msgspec
from pathlib import Path
from tests.rigs.warddoor import WardDoor
with WardDoor(Path("{HOME}"), "{ADDRESS}", 8883, (8444, 8443)) as ward:
    Path("{HOME}/bundle.toml").write_text(ward.bundle(join=True, title="Ngã tư", site="HH-07-0412"))
    while True:
        time.sleep(0.2)
        Path("{HOME}/ready.json").write_bytes(msgspec.json.encode(ward.ready[-1:]))
        Path("{HOME}/asks.json").write_bytes(msgspec.json.encode(ward.asks))
"""
MOSQUITTO = f"""
listener 8883 {ADDRESS}
allow_anonymous true
cafile {HOME}/{ROOTS_NAME}.pem
certfile {HOME}/broker.pem
keyfile {HOME}/broker.key
require_certificate true
use_identity_as_username true
use_username_as_clientid true
user root
log_type all
"""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A booted recorder, and on an address of its own a ward with doors and a broker."""
    folder = tmp_path_factory.mktemp("enrolled")
    try:
        demand_libraries()
        with Machine(folder) as made:
            furnish(made)
            made.write(SETTINGS, CAMERA)
            (made.root / "srv/tests/rigs").mkdir(parents=True)
            for name in ("pki.py", "warddoor.py"):
                shutil.copy(ROOT / "tests/rigs" / name, made.root / "srv/tests/rigs")
            Authority(made.root / HOME.lstrip("/"), ROOTS_NAME).issue("broker", address=ADDRESS)
            made.write("/srv/open.py", OPEN)
            made.write("/srv/mosquitto.conf", MOSQUITTO)
            made.write("/srv/mounts", MOUNTS)
            made.write("/srv/set_up.py", SET_UP_PROGRAM)
            made.write(f"/etc/systemd/system/{SETUP}.d/90-mounts.conf", SET_UP)
            unit = SERVICE.replace("DynamicUser=yes\n", f"ExecStartPre=-/usr/sbin/ip address add {ADDRESS}/32 dev lo\n")
            made.write(f"/etc/systemd/system/{WARD}", unit.format("/usr/bin/python3 /srv/open.py"))
            made.write(f"/etc/systemd/system/{BROKER}", unit.format("/usr/sbin/mosquitto -c /srv/mosquitto.conf"))
            made.enable(SETUP, *PATHS, ENROL, WARD)
            (made.root / "boot/firmware/taimat").mkdir(parents=True)
            made.boot()
            has(made, f"{HOME}/bundle.toml", "claim")
            yield made
    except NoMachine as reason:
        pytest.skip(f"no machine: {reason}")


def machine_file(machine: Machine, path: str) -> str:
    """What a file of the machine says; "" where there is none."""
    file = machine.root / path.lstrip("/")
    return file.read_text() if file.exists() else ""


def has(machine: Machine, path: str, text: str) -> None:
    """Wait until the file says so; what root's helpers have done until then is in what is said."""
    try:
        until(lambda: text in machine_file(machine, path), path)
    except AssertionError as error:
        journal = machine.journal("--unit", "enrol-taimat*", "--unit", "setup-taimat*", "--unit", WARD, "--lines=60")
        raise AssertionError(f"{error}\n{journal}") from None


def test_without_a_bundle_nothing_of_it_runs(machine: Machine) -> None:
    for unit in (NETWORK, KEEPER, WEB):
        machine.until(unit, "ActiveState", "active")
    assert (machine.show(ENROL, "ActiveState"), machine.show(ENROL, "ConditionResult")) == ("inactive", "no")
    assert machine.run("stat", "--format=%U:%G %a", FOLDER) == "root:taimat 750"


def test_a_power_cut_in_the_midst_of_it_and_the_recorder_is_enrolled(machine: Machine) -> None:
    shutil.copy(machine.root / HOME.lstrip("/") / "bundle.toml", machine.root / BUNDLE.lstrip("/"))
    machine.run("systemctl", "start", SETUP)
    until(lambda: list((machine.root / FOLDER.lstrip("/")).glob("2*/device.key")), "a key is made")
    machine.cut_power()
    with Stopwatch() as took:
        machine.boot()
        has(machine, SETTINGS, 'ward = "w07"')
    print(f"from the boot to a configuration with the ward in it: {took.wall_s:.1f} s, {took.fair_s:.1f} s idle")
    until(lambda: not (machine.root / FOLDER.lstrip("/") / "enrol.toml").exists(), "the claim is destroyed")
    assert not any((machine.root / "boot/firmware/taimat").iterdir())
    key = f"{FOLDER}/current/device.key"
    assert machine.run("stat", "--dereference", "--format=%U:%G %a", key) == "root:taimat-exports 640"
    assert "# cổng" in machine_file(machine, SETTINGS) and 'site = "HH-07-0412"' in machine_file(machine, SETTINGS)
    for user, may in (("taimat-link", True), ("taimat-web", False), ("taimat-capture", False), ("nobody", False)):
        group = "nogroup" if user == "nobody" else "taimat"
        read = machine.run("setpriv", f"--reuid={user}", f"--regid={group}", "--init-groups", "cat", key, check=False)
        assert bool(read) is may, user


def test_its_link_is_taken_by_the_broker_and_the_ward_hears_four_words(machine: Machine) -> None:
    machine.run("systemctl", "start", BROKER)
    machine.until(LINK, "ActiveState", "active")
    dev = json.loads(machine_file(machine, f"{FOLDER}/current/enrolment.json"))["dev"]
    until(lambda: f"as {dev}" in machine.journal("--unit", BROKER), "the broker takes it")

    def works() -> dict[str, object]:
        (ready,) = json.loads(machine_file(machine, f"{HOME}/ready.json") or "[{}]") or [{}]
        return ready if ready.get("camera") and ready.get("card") and ready.get("broker") else {}

    until(works, "camera, card and broker are good")
    assert "clock" in works()           # which a container has no time server for


def test_a_role_restarts_for_nothing_and_the_daily_look_ends_at_once(machine: Machine) -> None:
    keeper = machine.show(KEEPER, "MainPID")
    machine.run("systemctl", "restart", ENROL)
    machine.until(ENROL, "ActiveState", "active")
    assert machine.show(KEEPER, "MainPID") == keeper
    assert len(json.loads(machine_file(machine, f"{HOME}/asks.json"))) <= 2


def test_a_reset_recorder_is_nobody_s_and_starts_as_on_its_first_day(machine: Machine) -> None:
    key, device = (machine.root / f"{FOLDER}/current/device.key".lstrip("/")), machine_file(machine, DEVICE)
    assert device and key.exists()
    assert "--factory" in machine.run("sh", "-c", "taimat reset 2>&1", check=False)
    assert "Aborted" in machine.run("sh", "-c", "echo no | taimat reset --factory 2>&1", check=False)
    assert key.exists() and 'ward = "w07"' in machine_file(machine, SETTINGS)
    machine.run("taimat", "reset", "--factory", "--yes")
    has(machine, SETTINGS, "#[[camera]]")               # the very first configuration
    assert "w07" not in machine_file(machine, SETTINGS) and not any((machine.root / FOLDER.lstrip("/")).iterdir())
    machine.until(KEEPER, "ActiveState", "active")
    until(lambda: machine_file(machine, DEVICE) not in ("", device), "it has another id")
    assert not list((machine.root / "var/lib/taimat/clips").rglob("*.mp4"))
    until(lambda: machine.run("cat", ISSUE, check=False), "and shows a pairing code")
