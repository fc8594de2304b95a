"""Every reader of network cameras under the unit that is shipped, in a house with real RTSP servers: it records, the
clip plays, and `taimat doctor` says of each what the unit can do. One boot, and the tests go on from one another.

V4L2 has no place here: a container has no camera's node. Files that play a camera are in test_agent_boot.py.
"""
import io
import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import av
import pytest

from tests.rigs.cameras import footage, rtsp
from tests.rigs.cameras.rtsp import RtspCamera
from tests.rigs.network.lan import ONVIF_CAMERA, PLAIN_CAMERA, RECORDER
from tests.rigs.wait import until
from tests.systemd.booted import KEEPER, NETWORK, ROOT, SETTINGS, WEB, clips, demand_libraries, fetch
from tests.systemd.house import House
from tests.systemd.machine import Machine, NoMachine

pytestmark = pytest.mark.needs.with_args(rtsp.missing)
# Of the last one's address ours learns with its first answer that it knows UDP alone, and leaves it to libav.
READERS = {"own": (PLAIN_CAMERA, 'reader = "own"'), "libav": (PLAIN_CAMERA, 'reader = "libav"'),
           "udp": (PLAIN_CAMERA, 'transport = "udp"'), "auto": (ONVIF_CAMERA, "")}
CAMERA = """
[[camera]]
name = "{}"
source = "rtsp://{}:554/main"
{}
record = "continuous"
max_clip_s = 10
"""


def settings(*readers: str) -> str:
    """These cameras."""
    return "".join(CAMERA.format(name, *READERS[name]) for name in readers)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A booted recorder in a house with two cameras; one of them sends by UDP alone."""
    folder, film = tmp_path_factory.mktemp("readers"), footage.clip(640, 360, 10, 10, 500)
    try:
        demand_libraries()
        with ExitStack() as stack:
            house = stack.enter_context(House(PLAIN_CAMERA, ONVIF_CAMERA))
            for address, udp_only in ((PLAIN_CAMERA, False), (ONVIF_CAMERA, True)):
                stack.enter_context(RtspCamera(film, host=address, port=554, network_of=house.pid, udp_only=udp_only))
            made = stack.enter_context(Machine(folder))
            made.borrow("/usr", "/etc/alternatives")
            made.install(ROOT / "agent")
            made.write(SETTINGS, settings(*READERS))
            made.enable("taimat.target", NETWORK, KEEPER, WEB)
            made.boot()
            house.plug_in(made, RECORDER)
            yield made
    except NoMachine as reason:
        pytest.skip(f"no machine: {reason}")


@pytest.mark.parametrize("reader", READERS)
def test_it_records_and_a_clip_plays(machine: Machine, reader: str) -> None:
    def finished() -> list[dict[str, Any]]:
        return [clip for clip in clips(machine) if clip["camera"] == reader and clip["sha256"]]
    clip = until(finished, f"{reader} records; {machine.journal('--unit', NETWORK, '--lines=20')}")[0]
    with av.open(io.BytesIO(fetch(machine, f"/clips/{clip['name']}.mp4"))) as film:
        assert sum(1 for _ in film.decode(video=0)) == clip["frames"] > 50


def test_root_s_other_commands_read_as_capture(machine: Machine) -> None:
    said = machine.run("env", "PYTHONPATH=/opt/taimat/current:/opt/taimat/current/libraries", "python3", "-c",
                       "from agent.host.apart import apart; import os; print(apart(os.getresuid, list[int], int))")
    user = machine.run("id", "-u", "taimat-capture")
    assert said == f"[{user}, {user}, {user}]"
    assert json.loads(machine.run("taimat", "discover", "--at", PLAIN_CAMERA, "--json", check=False))["address"]
    film = machine.run("sh", "-c", "cd /var/lib/taimat/clips/*/ && ls | grep own- | head -1")
    looked = machine.run("taimat", "tune", "--camera", "own", "--last", "1h", "--json", limit_s=600)
    assert film and json.loads(looked.splitlines()[0])["looks_n"] > 20


def test_doctor_looks_with_the_unit_s_user_and_limits(machine: Machine) -> None:
    machine.run("sh", "-c", "(taimat doctor --json > /srv/told; touch /srv/over) > /dev/null 2>&1 &")
    looks = ("pgrep", "-u", "taimat-capture", "-f", "agent.cli.doctor.camera")      # systemd-run is root's
    pid = until(lambda: machine.run(*looks, check=False), "it looks at a camera").split()[0]
    status, user = machine.run("cat", f"/proc/{pid}/status"), machine.run("id", "-u", "taimat-capture")
    assert re.findall(r"^(?:Uid|Seccomp|NoNewPrivs|CapPrm|CapBnd):\t(.*)$", status, re.MULTILINE) == [
        "\t".join([user] * 4), "0" * 16, "0" * 16, "1", "2"]
    unit = machine.run("ps", "-o", "unit=", "-p", pid)
    for rule in ("IPAddressAllow", "IPAddressDeny", "RestrictAddressFamilies", "SupplementaryGroups", "MemoryMax"):
        assert set(machine.show(unit, rule).split()) == set(machine.show(NETWORK, rule).split())
    until(lambda: (machine.root / "srv/over").exists(), "it has looked at all")
    assert {each: state for each, (state, _) in told(machine).items()} == dict.fromkeys(READERS, "ok"), told(machine)


def told(machine: Machine) -> dict[str, tuple[str, str]]:
    """State and text of the doctor's verdict on each camera."""
    found = map(json.loads, (machine.root / "srv/told").read_text().splitlines())
    return {each["check"].removeprefix("camera "): (each["state"], each["text"]) for each in found
            if each["check"].startswith("camera ")}


def test_doctor_says_what_the_unit_may_not(machine: Machine) -> None:
    """A drop-in that takes the cameras' network away holds for the doctor, whose root could reach them. And a role that
    somebody stopped is named. A camera at each address is enough."""
    machine.write(SETTINGS, settings("own", "auto"))
    dropin = f"/etc/systemd/system/{NETWORK}.d/50-none.conf"
    machine.write(dropin, "[Service]\nIPAddressAllow=\nIPAddressAllow=127.0.0.53\n")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "stop", KEEPER)
    machine.run("sh", "-c", "taimat doctor --json > /srv/told", check=False)
    machine.run("sh", "-c", f"rm {dropin} && systemctl daemon-reload && systemctl start {KEEPER}")
    assert {state for state, _ in told(machine).values()} == {"bad"}, told(machine)
    assert {text.rpartition(": ")[2] for _, text in told(machine).values()} <= {
        f"{address} does not answer" for address in (PLAIN_CAMERA, ONVIF_CAMERA)}
    roles = next(each for each in map(json.loads, (machine.root / "srv/told").read_text().splitlines())
                 if each["check"] == "roles")
    assert roles["state"] == "bad" and "keeper does not run: inactive" in roles["text"], roles
    assert "web does not run" not in roles["text"] and f"sudo systemctl restart {KEEPER}" in roles["remedy"], roles


def test_a_knock_from_the_house_at_libav_s_door_is_not_let_in(machine: Machine) -> None:
    """The relay's door is at the recorder's own address for the moment until libav has knocked: then it is closed."""
    listening = machine.run("ss", "-Hltn", "src", RECORDER)
    assert listening == "", listening
