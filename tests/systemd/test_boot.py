"""The units under a real systemd: life, death and what each role's sandbox lets through.

Everything but two words of the stand-in (see standin.py) is true of any agent: to try the real one, install it in
`machine` instead.
"""
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rigs.wait import until
from tests.systemd import standin
from tests.systemd.machine import Machine, NoMachine

HERE = Path(__file__).parent
FIRMWARE = HERE.parents[1] / "firmware_cfg"
PROBE = "/usr/lib/probe.py"
CAMERA, NETWORK = "taimat-capture@front-gate.service", "taimat-capture-network.service"
KEEPER, LINK, WEB = "taimat-keeper.service", "taimat-link.service", "taimat-web.service"
ROLES = (CAMERA, NETWORK, KEEPER, LINK, WEB)
# The units wait 20 to 60 s for progress; here the mechanism is tried, test_units.py reads the figures.
IMPATIENT = "[Service]\nWatchdogSec=5\nTimeoutAbortSec=2\n"


def insert_a_slow_card(machine: Machine) -> None:
    """Mount /var/lib/taimat as firmware_cfg/fstab.data does, 2 s late. Memory plays the card: there are no disks."""
    _, folder, _, options, *_ = (FIRMWARE / "fstab.data").read_text().splitlines()[-1].split()
    # noexec goes too: what the units refuse by themselves must show.
    kept = [option for option in options.split(",") if option not in ("errors=remount-ro", "noexec")]
    machine.write("/etc/fstab", f"tmpfs {folder} tmpfs {','.join(kept)},x-systemd.requires=slow-card.service 0 0\n")
    machine.write("/etc/systemd/system/slow-card.service",
                  "[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\nExecStart=/usr/bin/sleep 2\n")


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A booted machine with all roles enabled."""
    if os.geteuid() != 0:
        pytest.skip("booting a machine needs root")
    for tool in ("systemd-nspawn", "debootstrap", "nsenter"):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is missing (apt install systemd-container debootstrap util-linux)")
    try:
        folder = tmp_path_factory.mktemp("machine")
        with Machine(folder) as made:
            made.install(standin.lay(folder / "agent"))
            made.write("/etc/taimat/taimat.toml", "")
            made.write("/etc/systemd/system/taimat-.service.d/90-impatient.conf", IMPATIENT)
            for kind in ("system", "journald"):
                drop_in = f"usr/lib/systemd/{kind}.conf.d/90-taimat.conf"
                made.write(f"/{drop_in}", (FIRMWARE / "board" / "root" / drop_in).read_text())
            insert_a_slow_card(made)
            made.enable("taimat.target", *ROLES)
            made.boot()
            yield made
    except NoMachine as reason:
        pytest.skip(f"no machine: {reason}")


def test_all_roles_start_at_boot_and_nothing_fails(machine: Machine) -> None:
    for unit in ROLES:
        machine.until(unit, "ActiveState", "active")
    assert machine.run("systemctl", "--failed", "--plain", "--no-legend") == ""


def test_the_folders_are_made_on_the_card_not_beneath_it(machine: Machine) -> None:
    assert machine.run("stat", "--file-system", "--format=%T", "/var/lib/taimat/clips") == "tmpfs"


def test_the_system_files_take_effect(machine: Machine) -> None:
    for key in ("RuntimeWatchdogUSec", "RebootWatchdogUSec"):
        assert machine.run("systemctl", "show", "--value", "--property", key) == "30s"
    assert re.search("Runtime Journal .* max 16M", machine.journal())


def test_a_role_without_progress_is_killed_with_its_stack_and_comes_back(machine: Machine) -> None:
    before, keeper = machine.show(CAMERA, "MainPID"), machine.show(KEEPER, "MainPID")
    machine.write("/etc/taimat/orders/front-gate", "hang")
    until(lambda: machine.show(CAMERA, "MainPID") not in (before, "0"), "a new process")
    machine.write("/etc/taimat/orders/front-gate", "")
    machine.until(CAMERA, "ActiveState", "active")
    journal = machine.journal("--unit", CAMERA)
    assert "killing process" in journal.lower() and "status=6/ABRT" in journal
    assert "Fatal Python error: Aborted" in journal and "in main" in journal
    assert machine.show(KEEPER, "MainPID") == keeper


@pytest.mark.parametrize("signal", ["KILL", "STOP"])
def test_a_role_that_is_killed_or_frozen_is_replaced(machine: Machine, signal: str) -> None:
    before = machine.show(LINK, "MainPID")
    # The main process alone: asked for all of them, systemd may find the group gone that the first one left.
    machine.run("systemctl", "kill", "--kill-whom", "main", "--signal", signal, LINK)
    until(lambda: machine.show(LINK, "MainPID") not in (before, "0"), "a new process")
    machine.until(LINK, "ActiveState", "active")


def test_a_role_without_usable_configuration_stays_down_alone(machine: Machine) -> None:
    machine.write("/etc/taimat/orders/web", "misconfigured")
    machine.until(WEB, "ActiveState", "failed")      # a restart would read "activating" here
    assert machine.show(WEB, "ExecMainStatus") == "78"
    assert [machine.show(unit, "ActiveState") for unit in (CAMERA, NETWORK, KEEPER, LINK)] == ["active"] * 4
    machine.write("/etc/taimat/orders/web", "")
    machine.run("systemctl", "start", WEB)


def test_the_target_stops_and_starts_all_roles(machine: Machine) -> None:
    machine.run("systemctl", "stop", "taimat.target")
    for unit in ROLES:
        machine.until(unit, "ActiveState", "inactive")
    machine.run("systemctl", "start", "taimat.target")
    for unit in ROLES:
        machine.until(unit, "ActiveState", "active")


# What each sandbox answers; what all roles share is in EVERYWHERE.
EVERYWHERE = {"store": "ok", "database": "ok", "beat": "ok", "boot_id": "ok", "settings": "ok",
              "settings_write": "EROFS", "execute": "EACCES", "household_read": "ok", "squat": "EACCES"}
NO_NETWORK = {**dict.fromkeys(("inet", "lan", "internet", "listen", "this_machine", "cameras_ask"), "EAFNOSUPPORT"),
              "isolated": "ok"}
HOUSE_ONLY = {"inet": "ok", "lan": "ok", "internet": "EPERM", "listen": "ok", "isolated": "EISCONN",
              "cameras_ask": "EPERM", "udev": "EAFNOSUPPORT", "this_machine": "EPERM"}
NO_DEVICES = {"device": "ENOENT", "mailbox": "ENOENT"}
NO_HELP = {"rescue_ask": "EACCES"}
# What is the keeper's alone.
NO_KEY = {"key_read": "EACCES", "keys_swap": "EPERM", "credential": "ENOENT", "household_write": "EACCES",
          "household_swap": "EPERM", "lock_swap": "EPERM", "keeper_squat": "EACCES"}
MAY_ASK, MAY_NOT_ASK = {"keys_ask": "ok"}, {"keys_ask": "EACCES"}        # the keeper, for the key of a clip
CLIPS = {"clips_list": "ok", "clips_write": "ok"}
FILMS, LOOKS, IS_BLIND = ({"video": said, "video_squat": wrote} for said, wrote in (
    ("ok", "ok"), ("ok", "EACCES"), ("EACCES", "EACCES")))       # who makes the cameras' sockets, who may ask there
NOTHING_RELEASED = {"exports_list": "EACCES", "exports_write": "EACCES", "updates_write": "EACCES"}
SANDBOXES = {
    CAMERA: {**NO_NETWORK, **NO_KEY, **MAY_NOT_ASK, **CLIPS, **FILMS, **NOTHING_RELEASED, "udev": "ok",
             "device": "EPERM", "mailbox": "EACCES", "rescue_ask": "ok"},
    NETWORK: {**HOUSE_ONLY, **NO_DEVICES, **NO_KEY, **MAY_NOT_ASK, **NO_HELP, **CLIPS, **FILMS,
              **NOTHING_RELEASED},
    KEEPER: {**NO_NETWORK, **NO_DEVICES, **NO_HELP, **MAY_ASK, **CLIPS, **LOOKS, "udev": "EAFNOSUPPORT",
             **dict.fromkeys((*NO_KEY, *NOTHING_RELEASED), "ok")},
    LINK: {**HOUSE_ONLY, **NO_DEVICES, **NO_KEY, **MAY_NOT_ASK, **NO_HELP, **IS_BLIND, "internet": "ok",
           "database": "EACCES", "clips_list": "EACCES", "clips_write": "EACCES", "exports_list": "ok",
           "exports_write": "EACCES", "updates_write": "ok"},
    WEB: {**HOUSE_ONLY, **NO_DEVICES, **NO_KEY, **NO_HELP, **MAY_ASK, **LOOKS, **NOTHING_RELEASED, "clips_list": "ok",
          "clips_write": "EROFS", "this_machine": "ok", "cameras_ask": "ok", "database": "EACCES"},
}


@pytest.fixture(scope="module")
def tempting(machine: Machine) -> Machine:
    """The machine with everything that a sandbox must refuse within reach: a key, devices for all, a way out."""
    machine.write("/etc/credstore/taimat.keeper.token", "secret", 0o600)
    machine.write(PROBE, (HERE / "probe.py").read_text())
    for name in ("keys/signing.key", "keeper.lock"):
        machine.run("install", "-m", "600", "-o", "taimat-keeper", "/dev/null", f"/var/lib/taimat/{name}")
    # nspawn lets nobody make device nodes, so a copy of the one that it has plays the firmware's mailbox.
    machine.run("sh", "-c", "chmod 666 /dev/net/tun && touch /dev/vcio && mount --bind /dev/net/tun /dev/vcio")
    machine.run("sh", "-c", "ip link set lo up && ip address add 192.168.7.1/24 dev lo && ip route add default dev lo")
    return machine


@pytest.mark.parametrize("unit", ROLES)
def test_each_sandbox_lets_through_what_the_role_needs_and_no_more(tempting: Machine, unit: str) -> None:
    assert tempting.in_place_of(unit, PROBE) == EVERYWHERE | SANDBOXES[unit]


def test_the_temptations_are_real(tempting: Machine) -> None:
    """Outside of a sandbox all of it succeeds, so a refusal above is the sandbox's."""
    answers = json.loads(tempting.run("python3", PROBE))
    refused = {name: said for name, said in answers.items() if said != "ok"}
    assert refused == {"isolated": "EISCONN", "credential": "ENOENT"}      # a way out; credentials go to units only
