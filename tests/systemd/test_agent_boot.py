"""The agent itself under its units: four users in four sandboxes record, hash, send and show; killed, hung, misled.

One boot, and the tests go on from one another. What each sandbox refuses is in test_boot.py.
"""
import hashlib
import io
import json
from collections.abc import Iterator
from typing import Any

import av
import pytest

from agent.core.evidence.encrypted import MAGIC
from tests.rigs.wait import Stopwatch, until
from tests.systemd.booted import (
    CAMERA,
    CONFIG,
    KEEPER,
    LINK,
    NETWORK,
    OTHERS,
    SETTINGS,
    STORE,
    SUBSCRIBER,
    WEB,
    clips,
    conditions,
    demand_libraries,
    fetch,
    furnish,
    health,
    open_parts,
    stem,
    until_recording,
)
from tests.systemd.machine import Machine, NoMachine

WRONG = CONFIG.replace("loop", "lop")

MAY = """
import json, os, sys
letters = (("r", os.R_OK), ("w", os.W_OK))
print(json.dumps(["".join(letter for letter, how in letters if os.access(path, how)) for path in sys.argv[1:]]))
"""

REHEARSE = f"""
import msgspec
from agent.helpers.rehearsal import Rehearsal
from agent.config.settings import Camera
from agent.core.contract.rehearsal import RehearsalQuestion
camera = Camera(name="gate", source="file:/srv/gate.mp4")
draft = msgspec.structs.replace(camera, masks=[[(0, 0), (1, 0), (1, 1), (0, 1)]], privacy_mask="transcode")
*_, answer = Rehearsal(RehearsalQuestion(
    store="{STORE}", runtime="/run/taimat", now=msgspec.to_builtins(camera), draft=msgspec.to_builtins(draft),
    since_ms=0, budget_s=60.0)).words()
print(msgspec.json.encode(answer).decode(), flush=True)
"""

# The page's unit, with less patience: it sleeps after three seconds.
DROWSY = """
import sys
from functools import partial
from agent.process import role
from agent.web.main import serve
sys.exit(role.main("web", partial(serve, quiet_s=3.0)))
"""
DROWSY_UNIT = "[Service]\nExecStart=\nExecStart=/usr/bin/python3 -P /usr/lib/drowsy.py\n"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A booted machine that records."""
    folder = tmp_path_factory.mktemp("agent")
    try:
        demand_libraries()
        with Machine(folder) as made:
            furnish(made)
            made.boot()
            yield made
    except NoMachine as reason:
        pytest.skip(f"no machine: {reason}")


def beats(machine: Machine) -> dict[str, dict[str, Any]]:
    """The newest heartbeat of each unit, as the page has heard it."""
    return {unit["unit"]: unit["beat"] for unit in health(machine).get("units", ()) if unit["beat"]}


def until_replaced(machine: Machine, unit: str, pid: str) -> None:
    """Wait until another process than `pid` is the unit's and has reported READY."""
    until(lambda: machine.show(unit, "MainPID") not in (pid, "0"), "a new process")
    machine.until(unit, "ActiveState", "active")


def test_each_role_gets_ready_as_a_user_of_its_own(machine: Machine) -> None:
    for unit in (NETWORK, *OTHERS):
        machine.until(unit, "ActiveState", "active")
    pids = [machine.show(unit, "MainPID") for unit in (NETWORK, *OTHERS)]
    users = [machine.run("stat", "--format=%U:%G", f"/proc/{pid}") for pid in pids]
    assert users == [f"taimat-{role}:taimat" for role in ("capture", "keeper", "link", "web")]
    assert [machine.show(unit, "NRestarts") for unit in (NETWORK, *OTHERS)] == ["0"] * 4, machine.journal()


def test_heartbeats_of_all_roles_cross_the_sandboxes(machine: Machine) -> None:
    all_well = {role: {"state": "ok", "restarts_n": 0} for role in ("capture", "keeper", "link", "web")}
    until(lambda: health(machine).get("roles") == all_well, "all roles are ok")
    until(lambda: beats(machine)["link"]["facts"].get("broker") == "connected", "the broker is found")
    # A container has no controllers; and on a busy computer its network comes up so late that it is missed for a while.
    until(lambda: set(conditions(machine)) <= {"memory_unlimited"}, "nothing is wrong")
    report = health(machine)
    assert [(each["camera"], each["state"], each["recording"]) for each in report["cameras"]] == [("gate", "ok", True)]
    until(lambda: '"online":true' in machine.journal("--unit", SUBSCRIBER), "the ward sees it")


def test_status_shows_the_whole_recorder_to_root(machine: Machine) -> None:
    told = json.loads(machine.run("taimat", "status", "--json", check=False))
    assert {unit: str(pid) for unit, pid in told["roles"].items()} == {
        name: machine.show(unit, "MainPID") for name, unit in (
            ("capture@network", NETWORK), ("keeper", KEEPER), ("link", LINK), ("web", WEB))}
    assert [(each["camera"], each["state"]) for each in told["report"]["cameras"]] == [("gate", "ok")]
    assert told["report"]["roles"].keys() == {"capture", "keeper", "link", "web"}


def test_a_page_without_visitors_sleeps_and_the_next_one_sees_all_at_once(machine: Machine) -> None:
    place = f"/etc/systemd/system/{WEB}.d"
    machine.write("/usr/lib/drowsy.py", DROWSY)
    machine.write(f"{place}/95-drowsy.conf", DROWSY_UNIT)
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", WEB)
    machine.until(WEB, "StatusText", "asleep until a visitor comes")
    pid, fed = machine.show(WEB, "MainPID"), machine.show(WEB, "WatchdogTimestampMonotonic")
    assert "agent/web/porter.py" in machine.run("cat", f"/proc/{pid}/cmdline")
    until(lambda: machine.show(WEB, "WatchdogTimestampMonotonic") != fed, "fed while it sleeps")
    seen = until(lambda: health(machine), "the page")
    assert {role: told["state"] for role, told in seen["roles"].items()} == dict.fromkeys(
        ("capture", "keeper", "link", "web"), "ok")
    assert [(each["camera"], each["state"]) for each in seen["cameras"]] == [("gate", "ok")]
    assert (machine.show(WEB, "MainPID"), machine.show(WEB, "NRestarts")) == (pid, "0")
    machine.until(WEB, "WatchdogUSec", "12s")               # it has more patience with one that wakes
    machine.until(WEB, "StatusText", "asleep until a visitor comes")
    assert [each["restarts_n"] for role, each in until(lambda: health(machine), "again")["roles"].items()
            if role == "web"] == [1]                        # ours
    machine.run("rm", "-r", place)
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", WEB)


def test_a_wrong_setting_keeps_the_last_good_ones_and_is_told(machine: Machine) -> None:
    machine.write(SETTINGS, WRONG)
    machine.run("systemctl", "restart", "taimat.target")

    until(lambda: "config_rejected" in conditions(machine), "config_rejected")
    told = conditions(machine)["config_rejected"]
    assert told and told.startswith(f"{SETTINGS}:5: camera[1].lop: unknown key; did you mean loop")
    until_recording(machine)
    machine.write(SETTINGS, CONFIG)


def test_settings_are_read_again_by_the_same_process(machine: Machine) -> None:
    def cameras() -> set[str]:
        return {part.name.partition("-")[0] for part, _ in open_parts(machine)}

    pid, gate, ward = machine.show(NETWORK, "MainPID"), *CONFIG.split("[ward]")
    for settings, expected in ((gate + gate.replace("gate", "yard", 1) + "[ward]" + ward, {"gate", "yard"}),
                               (CONFIG, {"gate"})):
        machine.write(SETTINGS, settings)
        machine.run("systemctl", "reload", NETWORK)
        until(lambda expected=expected: cameras() == expected, f"{expected} record")
    assert machine.show(NETWORK, "MainPID") == pid


def test_a_camera_of_its_own_records_without_any_network(machine: Machine) -> None:
    machine.run("systemctl", "stop", NETWORK)
    assert clips(machine)[-1]["state"] == "done" and not open_parts(machine)
    machine.run("systemctl", "start", CAMERA)
    until_recording(machine)
    camera, keeper, page, own = (machine.run("readlink", f"/proc/{pid}/ns/net") for pid in (
        *(machine.show(unit, "MainPID") for unit in (CAMERA, KEEPER, WEB)), 1))
    assert page == own and len({camera, keeper, own}) == 3
    until(lambda: "capture@gate" in beats(machine), "its heartbeat arrives")


def test_the_watchdog_is_fed_while_it_records(machine: Machine) -> None:
    fed = machine.show(CAMERA, "WatchdogTimestampMonotonic")
    until(lambda: machine.show(CAMERA, "WatchdogTimestampMonotonic") != fed, "fed again")


@pytest.mark.parametrize(("signal", "within_s"), [("KILL", 15), ("STOP", 30)])
def test_a_camera_that_is_killed_or_hangs_is_back_and_its_clip_is_kept(
        machine: Machine, signal: str, within_s: float) -> None:
    part, pid = until_recording(machine), machine.show(CAMERA, "MainPID")
    with Stopwatch() as watch:
        machine.run("systemctl", "kill", "--kill-whom", "main", "--signal", signal, CAMERA)
        until_replaced(machine, CAMERA, pid)
        until_recording(machine, but=part)
    assert watch.fair_s < within_s
    clip = next(clip for clip in clips(machine) if clip["name"] == stem(part))
    assert clip["state"] == "recovered" and clip["frames"] >= 10 and clip["bytes"] > 50_000
    assert ("Watchdog timeout" in machine.journal("--unit", CAMERA)) == (signal == "STOP")


def test_a_clip_is_hashed_announced_and_shown_in_the_clear(machine: Machine) -> None:
    # Not the first: a camera that starts before the keeper has made a key records in the clear.
    clip = until(lambda: next((clip for clip in reversed(clips(machine)) if clip["sha256"]), None), "the keeper hashes")
    until(lambda: clip["name"] in machine.journal("--unit", SUBSCRIBER), "the ward hears")
    assert clip["name"] in machine.run("taimat", "clips", "list", "--json"), "as a technician lists it"
    on_card = (machine.root / clip["file"].lstrip("/")).read_bytes()
    assert hashlib.sha256(on_card).hexdigest() == clip["sha256"] and on_card.startswith(MAGIC)
    with av.open(io.BytesIO(fetch(machine, f"/clips/{clip['name']}.mp4"))) as film:
        assert sum(1 for _ in film.decode(video=0)) == clip["frames"]


def test_other_settings_are_tried_on_encrypted_recordings_within_the_page_s_sandbox(machine: Machine) -> None:
    machine.write("/usr/lib/rehearse.py", REHEARSE)
    answer: dict[str, Any] = machine.in_place_of(WEB, "/usr/lib/rehearse.py")
    assert answer["looked_s"] > 3 and answer["now_n"] >= 1 and answer["missed_n"] == answer["now_n"]
    assert answer["cost"]["cpu_pct"] > 0


def test_all_is_signed_while_it_goes_on_with_a_key_that_is_the_keeper_s_alone(machine: Machine) -> None:
    result = json.loads(machine.run("taimat", "verify", "--json", "-c", SETTINGS).splitlines()[-1])
    assert result["holds"] and result["clips_hold_n"] >= 1 and result["rows"] == [[1, result["last_n"]]]
    assert machine.run("stat", "-c", "%a %U", f"{STORE}/keys/signing.key").split() == ["600", "taimat-keeper"]


def test_the_keeper_recovers_the_clip_of_a_camera_that_is_gone(machine: Machine) -> None:
    part = until_recording(machine)
    machine.run("systemctl", "kill", "--kill-whom", "main", "--signal", "KILL", CAMERA)
    machine.run("systemctl", "stop", CAMERA)
    machine.write(SETTINGS, CONFIG.replace("gate", "yard", 1))
    machine.run("systemctl", "restart", KEEPER)
    until(lambda: clips(machine)[-1]["name"] == stem(part), "recovered")
    assert clips(machine)[-1]["state"] == "recovered" and not open_parts(machine)
    machine.write(SETTINGS, CONFIG)
    machine.run("systemctl", "restart", KEEPER, CAMERA)


# What each role may do to the database, the clips, the pictures, the key, what was released and the settings.
ACCESS = {CAMERA: ["rw", "rw", "rw", "", "", "r"], KEEPER: ["rw", "rw", "rw", "rw", "rw", "r"],
          LINK: ["r", "", "", "", "r", "r"], WEB: ["r", "r", "r", "", "", "r"]}


@pytest.mark.parametrize("unit", ACCESS)
def test_what_all_roles_have_made_together_is_open_to_those_who_need_it(machine: Machine, unit: str) -> None:
    def may(*paths: str) -> list[str]:
        inside = ["nsenter", "--mount", "--target", machine.show(unit, "MainPID")]
        user = ["setpriv", "--reuid", machine.show(unit, "User"), "--regid", "taimat", "--init-groups"]
        return json.loads(machine.run(*inside, *user, "python3", "-c", MAY, *paths))
    database, *rest = ACCESS[unit]
    until(lambda: machine.show(unit, "MainPID") != "0", f"{unit} runs")
    assert may(*(f"{STORE}/{name}" for name in ("clips", "thumbs", "keys", "exports")), SETTINGS) == rest
    assert may(*(f"{STORE}/db/taimat.db{part}" for part in ("", "-wal", "-shm"))) == [database] * 3
    assert may(clips(machine)[0]["file"])[0].startswith("r") == rest[0].startswith("r")


def test_the_target_stops_all_within_10_s_and_the_open_clip_is_whole(machine: Machine) -> None:
    part = until_recording(machine)
    machine.run("systemctl", "stop", "taimat.target")
    for unit in (CAMERA, *OTHERS):
        machine.until(unit, "ActiveState", "inactive")
        assert machine.show(unit, "Result") == "success"
    assert not open_parts(machine)
    assert (clips(machine)[-1]["name"], clips(machine)[-1]["state"]) == (stem(part), "done")


def test_a_card_that_is_read_only_at_the_start_is_named_and_used_once_it_is_well(machine: Machine) -> None:
    card = "/run/card"      # memory plays it
    machine.run("sh", "-c", f"mkdir {card} && mount -t tmpfs card {card} && cp -a {STORE}/. {card} && "
                f"mount --bind {card} {STORE} && mount -o remount,ro {card}")
    machine.run("systemctl", "start", "--no-block", "taimat.target")
    until(lambda: "card_read_only" in conditions(machine), "card_read_only")
    machine.until(NETWORK, "ActiveState", "active")
    machine.run("mount", "-o", "remount,rw", card)
    until(lambda: any(each["recording"] for each in health(machine).get("cameras", ())), "recording")
    machine.run("systemctl", "stop", "taimat.target")
    for unit in (NETWORK, *OTHERS):
        machine.until(unit, "ActiveState", "inactive")
    machine.run("umount", STORE, card)


def test_what_root_has_made_in_the_foreground_the_units_go_on_with(machine: Machine) -> None:
    machine.run("sh", "-c", f"rm -r {STORE} && systemd-tmpfiles --create /usr/lib/tmpfiles.d/taimat.conf")
    machine.run("systemd-run", "--unit=foreground", "--property=KillSignal=SIGINT", "--property=KillMode=mixed",
                "taimat", "run")
    until_recording(machine)
    machine.run("systemctl", "stop", "foreground")
    machine.run("systemctl", "start", "taimat.target")
    until_recording(machine)
    assert [machine.show(unit, "ActiveState") for unit in (NETWORK, *OTHERS)] == ["active"] * 4


def test_without_any_good_settings_all_stay_down(machine: Machine) -> None:
    machine.write(SETTINGS, WRONG)
    machine.run("sh", "-c", f"rm {STORE}/taimat.toml.last-good.*")
    machine.run("systemctl", "restart", "taimat.target")
    for unit in (NETWORK, *OTHERS):
        machine.until(unit, "ActiveState", "failed")      # a restart would read "activating" here
        assert machine.show(unit, "ExecMainStatus") == "78"
    assert f"{SETTINGS}:5: camera[1].lop" in machine.journal("--unit", WEB)
