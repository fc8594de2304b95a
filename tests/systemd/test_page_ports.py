"""The page in a booted machine: at 443 and 80 for the house, without them where they are taken; its search for cameras.

The house is a cable inside the machine: what lies at its other end is in a network namespace of its own.
"""
import json
import re
import shutil
from collections.abc import Iterator

import pytest

from tests.rigs.network.lan import ONVIF_CAMERA, PLAIN_CAMERA, RECORDER
from tests.rigs.wait import until
from tests.systemd.booted import KEEPER, NETWORK, ROOT, SETTINGS, WEB, browse, demand_libraries
from tests.systemd.machine import Machine, NoMachine

SETUP, PATHS = "setup-taimat.service", ("setup-taimat.path", "setup-taimat-news.path")
FAR, HTTPS, HTTP = "far.service", "taimat-web-https.socket", "taimat-web-http.socket"
CONFIG = '[web]\nlisten = "0.0.0.0"\n[device]\nlanguage = "en"\n'
UNITS = {FAR: "/usr/bin/unshare --net /usr/bin/sleep infinity",
         "cameras.service": "/bin/sh -c 'sleep infinity | nsenter --net=/proc/$$(systemctl show --value -p MainPID "
                            "far)/ns/net python3 -m tests.rigs.network.lan'"}
SERVICE = ("[Service]\nExecStart={}\nWorkingDirectory=/usr/lib/taimat\n"
           "Environment=PYTHONPATH=/usr/lib/taimat\n")
ASK = """
import http.client, ssl, sys
secure, host, port, path = sys.argv[1] == "https", *sys.argv[2:]
line = (http.client.HTTPSConnection(host, int(port), timeout=20, context=ssl._create_unverified_context()) if secure
        else http.client.HTTPConnection(host, int(port), timeout=20))
line.request("GET", path)
answer = line.getresponse()
print(answer.status, answer.getheader("location"), "name=\\"code\\"" in answer.read().decode())
"""
SEARCH = """
import msgspec
from agent.helpers.camera_search import answer
from agent.core.contract.helper_messages import CameraQuestion
print(msgspec.json.encode(answer(CameraQuestion())).decode(), flush=True)
"""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A booted machine with the page, and a cable to a house with two cameras."""
    folder = tmp_path_factory.mktemp("ports")
    try:
        demand_libraries()
        with Machine(folder) as made:
            made.borrow("/usr", "/etc/alternatives")
            made.install(ROOT / "agent")
            shutil.copytree(ROOT / "tests/rigs", made.root / "usr/lib/taimat/tests/rigs",
                            ignore=shutil.ignore_patterns("__pycache__"))
            made.write(SETTINGS, CONFIG)
            for unit, command in UNITS.items():
                made.write(f"/etc/systemd/system/{unit}", SERVICE.format(command))
            made.write("/usr/lib/search.py", SEARCH)
            made.enable("taimat.target", KEEPER, WEB, SETUP, *PATHS)
            made.boot()
            plug_in(made)
            yield made
    except NoMachine as reason:
        pytest.skip(f"no machine: {reason}")


def plug_in(machine: Machine) -> None:
    """Lay the cable; the cameras start at its other end."""
    machine.run("systemctl", "start", FAR)
    far = machine.show(FAR, "MainPID")
    until(lambda: machine.run("readlink", f"/proc/{far}/ns/net") != machine.run("readlink", "/proc/1/ns/net"))
    machine.run("ip", "link", "add", "lan", "type", "veth", "peer", "name", "lan", "netns", far)
    machine.run("ip", "address", "add", f"{RECORDER}/24", "dev", "lan")
    machine.run("ip", "link", "set", "lan", "up")
    for address in (ONVIF_CAMERA, PLAIN_CAMERA):
        in_the_house(machine, "ip", "address", "add", f"{address}/24", "dev", "lan")
    in_the_house(machine, "ip", "link", "set", "lan", "up")
    machine.run("systemctl", "start", "cameras.service")


def in_the_house(machine: Machine, *command: str, check: bool = True) -> str:
    return machine.run("nsenter", f"--net=/proc/{machine.show(FAR, 'MainPID')}/ns/net", *command, check=check)


def ask(machine: Machine, *where: str) -> str:
    """Status, place to go on, and whether it is the pairing form; "" for no answer."""
    return in_the_house(machine, "python3", "-c", ASK, *where, check=False)


def test_the_house_finds_the_page_without_a_port(machine: Machine) -> None:
    until(lambda: ask(machine, "https", RECORDER, "443", "/pair") == "200 None True", "the page at 443")
    assert ask(machine, "https", RECORDER, "443", "/recordings") == "401 None False"
    assert ask(machine, "http", RECORDER, "80", "/recordings") == f"308 https://{RECORDER}/recordings False"
    assert ask(machine, "https", RECORDER, "8088", "/pair") == "200 None True"
    assert f"https://{RECORDER}\n" in machine.run("taimat", "pair", "-c", SETTINGS).replace(" ", "") + "\n"


def test_cameras_are_found_within_the_page_s_sandbox(machine: Machine) -> None:
    def found() -> dict[str, bool]:
        seen = machine.in_place_of(WEB, "/usr/lib/search.py").get("cameras", [])
        return {each["address"]: each.get("ready", False) for each in seen}

    until(lambda: found() == {ONVIF_CAMERA: True, PLAIN_CAMERA: True}, "both cameras")


def test_a_household_finds_its_cameras_and_they_are_recorded(machine: Machine) -> None:
    link = machine.run("taimat", "pair", "--link", "-c", SETTINGS).rpartition("/enter/")[2]
    assert browse(machine, "GET", f"/enter/{link}").startswith("303 /setup")
    assert browse(machine, "POST", "/search").startswith("303 /cameras#search")
    until(lambda: 'class="working"' not in browse(machine, "GET", "/cameras"), "the search is over")
    keys = re.findall(r'name="title-(\w{12})"', browse(machine, "GET", "/cameras"))
    assert len(keys) == 2
    form = "&".join(f"use-{key}=on&title-{key}=Camera+{number}" for number, key in enumerate(keys))
    status, waiting = browse(machine, "POST", "/cameras", form).split()[:2]
    assert status == "303" and waiting.startswith("/saving?of=")

    def goal() -> str:
        said = browse(machine, "GET", waiting.replace("/saving", "/saving.json"))
        return json.loads(said.split(" ", 2)[2])["to"] if said.startswith("200 ") else ""

    assert until(goal, "the page that knows the cameras") == "/cameras"
    machine.until(NETWORK, "ActiveState", "active")
    shown = browse(machine, "GET", "/cameras")
    assert all(f"<h2>Camera {number}</h2>" in shown for number in range(2))
    assert f"rtsp://{PLAIN_CAMERA}/stream1" in machine.run("cat", SETTINGS)


def test_ports_that_another_program_has_cost_the_page_nothing_else(machine: Machine) -> None:
    machine.run("systemctl", "stop", WEB, HTTPS, HTTP)
    for port in ("443", "80"):
        machine.run("systemd-run", "--quiet", f"--unit=thief-{port}", "python3", "-m", "http.server", port)
        until(lambda port=port: ask(machine, "http", RECORDER, port, "/"), "the other program listens")
    machine.run("systemctl", "start", WEB)
    machine.until(HTTPS, "ActiveState", "failed")
    until(lambda: ask(machine, "https", RECORDER, "8088", "/pair") == "200 None True", "the page at its own port")
    assert f"https://{RECORDER}:8088" in machine.run("taimat", "pair", "-c", SETTINGS)
    assert machine.show(WEB, "ActiveState") == "active"
