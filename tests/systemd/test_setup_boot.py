"""Root's part of the set-up under a real systemd: a machine that nobody has configured, and what its household changes.

One boot, and the tests go on from one another. How a text is changed is in tests/cli/test_setup_changes.py.
"""
import contextlib
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.core.contract.journal import MESSAGE_IDS
from tests.rigs.cameras import footage
from tests.rigs.wait import HANG_S, Stopwatch, until
from tests.systemd.booted import (
    ISSUE,
    KEEPER,
    LINK,
    NETWORK,
    PATHS,
    ROOT,
    SETTINGS,
    SETUP,
    WEB,
    clips,
    demand_libraries,
)
from tests.systemd.machine import Machine, NoMachine

CAMERA = "taimat-capture@webcam.service"
AS_PAGE = ("setpriv", "--reuid", "taimat-web", "--regid", "taimat", "--init-groups")
WITHIN_S = 5.0              # from the household's word to the camera's process
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
TRIAL_S = 20.0              # then it is tried again
APPRISE = Path("/usr/lib/python3/dist-packages/apprise")
SAY = """
import socket, sys
with socket.socket(socket.AF_UNIX) as line:
    line.settimeout(10)
    line.connect("/run/taimat/keeper/decisions.sock")
    line.sendall(sys.argv[1].encode() + b"\\n")
    print(line.recv(65536).decode())
"""
# A service that takes notifications, as ntfy's publish API has it; what has come is in a file, a line each.
NTFY = """
import http.server

class Take(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        with open("/srv/arrived", "ab") as arrived:
            arrived.write(body.replace(b"\\n", b" ") + b"\\n")
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

http.server.HTTPServer(("192.0.2.7", 8080), Take).serve_forever()
"""
FILE_CAMERA = """
# Do chú Ba gắn, xem lại sau Tết.
[[camera]]
name = "gate"
source = "file:/srv/gate.mp4"
loop = true
record = "continuous"
max_clip_s = 10
"""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A booted machine with the units that a package lays, and no configuration."""
    folder = tmp_path_factory.mktemp("setup")
    try:
        demand_libraries()
        with Machine(folder) as made:
            made.borrow("/usr", "/etc/alternatives")
            made.install(ROOT / "agent")
            made.write("/usr/lib/say.py", SAY)
            shutil.copy(footage.clip(640, 360, 10, 10, 500), made.root / "srv/gate.mp4")
            made.enable("taimat.target", KEEPER, WEB, SETUP, *PATHS)
            made.boot()
            yield made
    except NoMachine as reason:
        pytest.skip(f"no machine: {reason}")


def say(machine: Machine, **question: Any) -> dict[str, Any]:
    """The answer of the keeper's desk to the page; the keeper may be starting anew for what was changed before."""
    asked = (*AS_PAGE, "python3", "/usr/lib/say.py", json.dumps(question))
    return json.loads(until(lambda: machine.run(*asked, check=False), "the keeper answers"))


@pytest.fixture(scope="module")
def token(machine: Machine) -> str:
    """Of a browser that was paired with the code on the screen."""
    until(lambda: machine.run("cat", ISSUE, check=False), "the code is on the screen")
    code = re.search(r"code:\s+(\S+)", machine.run("script", "-qec", "agetty --show-issue", "/dev/null"))[1]
    assert code == re.search(r"[0-9A-Z]{4}-[0-9A-Z]{4}", machine.run("taimat", "pair"))[0]
    return say(machine, ask="pair", code=code, browser="phone")["token"]


def change(machine: Machine, token: str, **change: Any) -> dict[str, Any]:
    """Ask for a change, and what became of it."""
    answer = say(machine, ask="settings", token=token, change=change)
    return result(machine, answer["change"])


def result(machine: Machine, change_id: str) -> dict[str, Any]:
    """Root's answer, as the page reads it."""
    path = f"/run/taimat/setup/{change_id}.json"
    until(lambda: machine.run("ls", path, check=False), "root answers")
    return json.loads(machine.run(*AS_PAGE, "cat", path))


def up(machine: Machine) -> list[str]:
    """Units of ours that run."""
    lines = machine.run("systemctl", "list-units", "--plain", "--no-legend", "--state=active", "taimat-*.service")
    return [line.split()[0] for line in lines.splitlines()]


def becomes(machine: Machine, unit: str, state: str) -> None:
    """Wait until the unit is so; what root has done until then is in what is said."""
    try:
        machine.until(unit, "ActiveState", state)
    except AssertionError as error:
        journal = machine.journal("--unit", "setup-taimat*", "--unit", unit, "--output=short-monotonic", "--lines=40")
        marks = machine.run("ls", "-lA", "--full-time", "/run/taimat/setup", "/run/taimat-setup", "/etc/taimat")
        raise AssertionError(f"{error}\n{journal}\n{marks}") from None


def settings(machine: Machine) -> str:
    return machine.run("cat", SETTINGS)


def edit(machine: Machine, text: str) -> None:
    """As root's editor does: another file in its place, which no role may read by itself."""
    machine.write(SETTINGS, text, 0o600)


def settled(machine: Machine) -> None:
    """Wait until root has looked at all there is."""
    until(lambda: machine.show(SETUP, "ActiveState") in ("inactive", "failed"), "set-up is over")


def test_a_machine_without_a_configuration_gets_one_and_its_page(machine: Machine) -> None:
    for unit in (KEEPER, WEB):
        becomes(machine, unit, "active")
    assert machine.run("stat", "--format=%U:%G %a", SETTINGS) == "root:taimat 640"
    assert 'listen = "0.0.0.0"' in settings(machine) and "#[[camera]]" in settings(machine)
    settled(machine)
    assert up(machine) == [KEEPER, WEB]
    assert json.loads(machine.run("cat", "/run/taimat/setup/found.json")) == {"cameras": []}
    assert machine.run("stat", "--format=%U:%G %a", "/run/taimat-setup") == "taimat-keeper:taimat 700"


def test_the_code_goes_from_the_screen_with_the_first_browser(machine: Machine, token: str) -> None:
    until(lambda: not machine.run("ls", ISSUE, check=False), "the screen is empty")


def test_a_new_camera_runs_within_seconds_and_a_removed_one_does_not(machine: Machine, token: str) -> None:
    with Stopwatch() as took:
        answer = change(machine, token, change="add_camera", name="webcam", title="Cổng trước",
                        source="v4l2:/dev/video7")
        until(lambda: machine.show(CAMERA, "MainPID") != "0", "the camera's process")
    assert answer == {"id": answer["id"], "done": True}
    print(f"from the word to the process: {took.wall_s:.1f} s, {took.fair_s:.1f} s on an idle machine")
    assert took.fair_s < WITHIN_S
    becomes(machine, CAMERA, "active")
    assert 'title = "Cổng trước"' in settings(machine)
    assert change(machine, token, change="remove_camera", name="webcam")["done"]
    until(lambda: up(machine) == [KEEPER, WEB], "it is stopped")


def test_what_the_owner_writes_is_recorded_at_once_and_kept(machine: Machine, token: str) -> None:
    edit(machine, settings(machine) + FILE_CAMERA)
    becomes(machine, NETWORK, "active")
    assert machine.run("stat", "--format=%U:%G %a", SETTINGS) == "root:taimat 640"
    until(lambda: clips(machine), "a clip")
    before = machine.show(NETWORK, "MainPID")
    ids = [say(machine, ask="settings", token=token, change=each)["change"] for each in (
        {"change": "change_camera", "name": "gate", "title": "Sân sau"}, {"change": "device", "title": "Nhà bà Sáu"},
        {"change": "add_camera", "name": "bep", "source": "rtsp://me:s3cret@127.0.0.1:9/1"})]
    assert all(result(machine, each)["done"] for each in ids)
    for said in ('title = "Sân sau"', 'title = "Nhà bà Sáu"', 'name = "bep"', "# Do chú Ba gắn, xem lại sau Tết."):
        assert said in settings(machine)
    settled(machine)
    assert machine.show(NETWORK, "MainPID") == before       # told, not started anew: it records
    assert "s3cret" not in machine.journal("--unit", SETUP)
    told = json.loads(until(lambda: machine.journal("CAMERA=bep", "--output=json", "--lines=1"), "its fault is logged"))
    assert (told["_SYSTEMD_UNIT"], told["SYSLOG_IDENTIFIER"]) == (NETWORK, NETWORK.removesuffix(".service"))
    assert told["MESSAGE"].startswith("capture@network: bep: no picture: ")
    assert told["MESSAGE_ID"] == MESSAGE_IDS["%s: no picture: %s"]
    assert "gate" not in machine.journal("CAMERA=bep")
    assert "s3cret" not in machine.run("sh", "-c", "cat /run/taimat/setup/*.json")
    assert machine.run("taimat", "config", "show").count("[[camera]]") == 2


def test_a_change_is_undone_days_are_set_and_a_recorder_goes_on(machine: Machine, token: str) -> None:
    until(lambda: up(machine) == [NETWORK, KEEPER, WEB], "all is up")
    before, recorder = settings(machine), machine.show(NETWORK, "MainPID")
    made = say(machine, ask="settings", token=token, change={"change": "store", "keep_days": 5})["change"]
    assert result(machine, made)["done"] and settings(machine).endswith("keep_days = 5")
    secret = change(machine, token, change="home", host="192.168.1.5", user="taimat", password="geheim")
    assert secret["done"] and "geheim" not in settings(machine)
    (file,) = machine.run("sh", "-c", "ls /etc/taimat/home.password.*").splitlines()
    assert machine.run("stat", "--format=%U:%G %a", file) == "root:taimat 640"
    assert machine.run(*AS_PAGE, "cat", "/etc/taimat/taimat.toml.before", check=False) == ""
    assert change(machine, token, change="undo", of=secret["id"])["done"]
    assert "keep_days = 5" in settings(machine) and "192.168.1.5" not in settings(machine)
    assert change(machine, token, change="undo", of=made)["problem"] == "not_last"
    settled(machine)
    assert machine.show(NETWORK, "MainPID") == recorder and before != settings(machine)


def test_a_vpn_is_let_in_and_out_again_and_the_house_stays(machine: Machine, token: str) -> None:
    units = ("taimat-web.service", "taimat-web-http.socket", "taimat-web-https.socket")

    def heard(unit: str) -> list[str]:
        return machine.show(unit, "IPAddressAllow").split()

    house = {unit: heard(unit) for unit in units}
    assert "10.0.0.0/8" in house[WEB] and change(machine, token, change="web", afar=["100.64.0.0/10"])["done"]
    until(lambda: all(set(heard(unit)) == {*house[unit], "100.64.0.0/10"} for unit in units), "the VPN is let in")
    assert change(machine, token, change="web", afar=[])["done"]
    until(lambda: all(set(heard(unit)) == set(house[unit]) for unit in units), "it is let in no more")
    becomes(machine, WEB, "active")


def test_prometheus_is_answered_on_this_machine_while_the_settings_say_so(machine: Machine) -> None:
    good = settings(machine)
    ask = ("curl", "--silent", "--fail", "--max-time", "5", "http://127.0.0.1:9467/metrics")
    assert "127.0.0.1/32" not in machine.show(LINK, "IPAddressAllow")
    edit(machine, good + "\n[metrics]\nport = 9467\n")
    becomes(machine, LINK, "active")
    until(lambda: 'taimat_role_state{role="keeper",state="ok"} 1' in machine.run(*ask, check=False), "it is answered")
    assert "127.0.0.1/32" in machine.show(LINK, "IPAddressAllow")
    edit(machine, good)
    becomes(machine, LINK, "inactive")
    until(lambda: "127.0.0.1/32" not in machine.show(LINK, "IPAddressAllow"), "it may no longer be asked")
    assert not machine.run(*ask, check=False)


def tried(machine: Machine, token: str) -> str:
    """What has arrived of a trial; root may start the link anew for the change, and then people press again."""
    until(lambda: say(machine, ask="try_notify", token=token, to="Mai").get("change"), "a trial is ordered")
    came = machine.root / "srv/arrived"
    with contextlib.suppress(AssertionError):
        until(lambda: came.exists(), "it arrives", TRIAL_S)
    return came.read_text() if came.exists() else ""


def test_a_phone_gets_its_trial_from_the_link_in_its_sandbox(machine: Machine, token: str) -> None:
    if not APPRISE.exists():
        pytest.skip("no apprise: apt install apprise")
    machine.write(CERTIFICATES, Path(CERTIFICATES).read_text())        # Debian's ca-certificates, which Apprise demands
    machine.write("/srv/ntfy.py", NTFY)
    machine.run("ip", "address", "add", "192.0.2.7/32", "dev", "lo")
    machine.run("systemd-run", "--unit=ntfy", "--service-type=exec", "python3", "/srv/ntfy.py")
    # A link that takes its time to stop, so that what is changed next arrives while it is being restarted.
    machine.write(f"/etc/systemd/system/{LINK}.d/slow.conf", "[Service]\nExecStop=/bin/sleep 5\n")
    machine.run("systemctl", "daemon-reload")
    added = change(machine, token, change="notify", name="Mai", url="ntfy://192.0.2.7:8080/secret-topic")
    assert added["done"] and "secret-topic" not in settings(machine)
    becomes(machine, LINK, "active")
    arrived = until(lambda: tried(machine, token), "it arrives", 2 * HANG_S)
    assert json.loads(arrived.splitlines()[0])["topic"] == "secret-topic"
    assert "secret-topic" not in machine.journal("--boot")
    until(lambda: machine.show(LINK, "ActiveState") == "active", "it is up")
    machine.run("systemctl", "restart", "--no-block", LINK)
    assert machine.show(LINK, "ActiveState") == "deactivating"
    assert change(machine, token, change="remove_notify", name="Mai")["done"]
    becomes(machine, LINK, "inactive")


def test_a_broken_file_is_left_alone_and_stops_nothing(machine: Machine, token: str) -> None:
    good = settings(machine)
    running = [NETWORK, KEEPER, WEB]
    until(lambda: up(machine) == running, "all is up again")
    edit(machine, good.replace("loop = true", 'loop = "yes'))
    answer = change(machine, token, change="device", language="en")
    assert (answer["done"], answer["problem"]) == (False, "broken_file")
    assert re.search(r"taimat.toml:\d+:", answer["detail"])
    assert 'loop = "yes' in settings(machine) and up(machine) == running
    machine.cut_power()
    machine.boot()
    for unit in (KEEPER, WEB, NETWORK):         # by the last good configuration
        becomes(machine, unit, "active")
    assert "the last good configuration counts" in machine.journal("--boot", "--unit", SETUP)
    before = machine.show(KEEPER, "MainPID")
    edit(machine, good)
    until(lambda: machine.show(KEEPER, "MainPID") not in (before, "0"), "the keeper reads the good file")
    answer = change(machine, token, change="device", language="en")
    assert answer["done"]


def test_a_webcam_that_comes_later_is_proposed_and_not_recorded(machine: Machine) -> None:
    machine.run("sh", "-c", "mount -t tmpfs kernel /sys/class && mkdir -p /sys/class/video4linux/video3 && "
                "printf 'HD Webcam C270: HD Webcam\\n' >/sys/class/video4linux/video3/name")
    machine.run("sh", "-c", "mkdir -p /dev/v4l/by-id && touch /dev/video3 && "
                "ln -s ../../video3 /dev/v4l/by-id/usb-046d_HD_Webcam_C270-video-index0")
    found = {"kind": "v4l2", "source": "v4l2:/dev/v4l/by-id/usb-046d_HD_Webcam_C270-video-index0",
             "title": "HD Webcam C270", "detail": "HD Webcam C270: HD Webcam"}
    until(lambda: json.loads(machine.run("cat", "/run/taimat/setup/found.json"))["cameras"] == [found], "it is seen")
    assert "C270" not in settings(machine)


def test_a_role_that_is_switched_off_is_stopped(machine: Machine, token: str) -> None:
    good = settings(machine)
    edit(machine, good.replace("[web]", "[web]\nenabled = false") + '\n[home]\nenabled = true\nhost = "127.0.0.1"\n')
    becomes(machine, WEB, "inactive")
    becomes(machine, LINK, "active")
    edit(machine, good)
    becomes(machine, WEB, "active")


def test_no_edit_is_missed_however_fast_they_come(machine: Machine, thorough: bool) -> None:
    """A watched folder that stirs all the time, and edits at any moment of what it sets off."""
    good = settings(machine)
    stir = "for n in $(seq 30); do touch /dev/v4l/by-id/x; rm /dev/v4l/by-id/x; sleep 0.1; done"
    machine.run("systemd-run", "--quiet", "--unit=stir", "sh", "-c", stir)
    for number in range(12 if thorough else 2):
        edit(machine, good.replace("[web]", "[web]\nenabled = false") if number % 2 else good)
        becomes(machine, WEB, "inactive" if number % 2 else "active")
    edit(machine, good)
    becomes(machine, WEB, "active")
