"""A recorder's life on a Pi-like machine: from the package on a stick to its purge, as its owner and its ward see it.

One machine, and the tests go on from one another. What each step takes is measured by `scripts/bench machine`.
"""
import io
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest

from scripts.benches import streams
from scripts.packaging.wheels import NoWheel
from tests.machines.debian import NotDebian, supply
from tests.machines.emulated import Emulated
from tests.machines.foreign import ARCHITECTURE
from tests.machines.guest import guest
from tests.machines.recorder import ROLES, SLOW_S, install, look, offer_swap, phone, recorded, set_up
from tests.rigs.cameras import rtsp
from tests.rigs.house.owner import asks_for_the_code, opened
from tests.rigs.house.phone import Phone
from tests.rigs.machine.packaged import Edit, Packaged, packaged
from tests.rigs.mqtt import broker
from tests.rigs.mqtt.broker import Broker
from tests.rigs.wait import until
from tests.rigs.ward.receiver import Ingest

pytestmark = [pytest.mark.machine, pytest.mark.timeout(3 * 3600)]

LATER, BAD = "0.8.0", "0.9.0"
GATE, YARD = "Cổng trước", "Sân sau"
SIZE = (1280, 720)
FILM = (*SIZE, 15, 30, 1500)            # width, height, fps, GOP, kbit/s
KEPT = ("done", "recovered")
TARGET_CARD_B = 300_000_000
ROOM_B = 200_000_000            # of 512 MB, for apt and a release's trial beside the roles
OPEN_MS = 9_000                 # with five seconds of pre-roll in them
TRIAL_S = 1800.0                # that of a board takes up to five minutes, and one more to go back
ENDS_AT_ONCE = Edit("agent/keeper/__main__.py", "from ", "raise SystemExit('this keeper does not work')\nfrom ")
Clips = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def made() -> Packaged:
    """The package of this checkout."""
    if why := rtsp.missing() or ("" if broker.MOSQUITTO else "no mosquitto"):
        pytest.skip(why)
    try:
        return packaged(machine=ARCHITECTURE)
    except NoWheel as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def machine(made: Packaged) -> Iterator[Emulated]:
    """With a fresh card, and the package's needs on a stick."""
    try:
        fresh = guest()
        needs = supply(ARCHITECTURE, fresh.status, made.deb)
    except NotDebian as reason:
        pytest.skip(str(reason))
    with tempfile.TemporaryDirectory(prefix="tm") as folder, Emulated(Path(folder), fresh) as emulated:
        emulated.stick(needs)
        emulated.boot(by_instructions=True)
        offer_swap(emulated)
        yield emulated


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Ingest]]:
    """A broker on this computer with its port, and who listens there."""
    folder = tmp_path_factory.mktemp("ward")
    with Broker(folder / "broker") as made, Ingest(made.port, folder) as ingest:
        yield made.port, ingest


@pytest.fixture(scope="module")
def own(machine: Emulated, ward: tuple[int, Ingest]) -> Iterator[Phone]:
    """The owner's paired phone; two cameras show people who come and go."""
    film = streams.visits(*FILM)
    with rtsp.RtspCamera(film) as gate, rtsp.RtspCamera(film) as yard:
        paired = set_up(machine, {GATE: gate.port, YARD: yard.port}, ward[0])
        machine.cut_power()         # until here all waits were as long as a board's; from here on the cameras' time is
        machine.boot()              # the machine's, too
        yield paired


def clips(machine: Emulated) -> Clips:
    """All clips by name, as the store has them."""
    return {clip["name"]: clip for clip in recorded(machine)["clips"]}


def open_ones(machine: Emulated) -> set[str]:
    """The clips that have been open for so long that their beginning must be on the card."""
    now = recorded(machine)
    return {clip["name"] for clip in now["clips"]
            if clip["state"] == "open" and clip["boot"] == now["boot"] and now["mono_ms"] - clip["mono_ms"] > OPEN_MS}


def told(ingest: Ingest, kind: str) -> dict[str, dict[str, Any]]:
    """What the ward has been told of clips or motion, by the clip's id or the event's number; with the camera."""
    found = [event for event in ingest.events() if event["data"]["kind"] == kind]
    return {str(event["data"].get("id") or event["data"].get("event")):
            {**event["data"], "camera": event["source"].rpartition("/")[2]} for event in found}


def goes_on(machine: Emulated, ingest: Ingest) -> None:
    """Wait until both cameras are recorded in this boot, and a clip that begins from now on is announced."""
    known = set(clips(machine))

    def both() -> bool:
        now = recorded(machine)
        return len({clip["camera"] for clip in now["clips"]
                    if clip["boot"] == now["boot"] and clip["name"] not in known}) == 2
    until(both, "both cameras are recorded", SLOW_S)
    until(lambda: set(told(ingest, "clip")) - known, "a new clip is announced", SLOW_S)


def version(machine: Emulated) -> str:
    return machine.run("taimat --version").split()[1]


def active(machine: Emulated) -> set[str]:
    """The roles that run."""
    lines = machine.run("systemctl list-units --plain --no-legend --state=active 'taimat-*.service'").splitlines()
    return {line.split()[0].removesuffix(".service") for line in lines}


def test_apt_installs_it_and_asks_nothing(machine: Emulated, made: Packaged) -> None:
    took = install(machine, made.deb)
    assert version(machine) == made.version
    assert took.card_b <= TARGET_CARD_B, took
    until(lambda: active(machine) == {"taimat-keeper", "taimat-web"}, "keeper and page run", SLOW_S)


def test_before_pairing_the_page_shows_the_form_alone(machine: Emulated) -> None:
    stranger = phone(machine)
    assert asks_for_the_code(opened(stranger, "/", SLOW_S))
    assert asks_for_the_code(stranger.get("/recordings"))


def test_the_wards_broker_gets_health_motion_and_clips(own: Phone, ward: tuple[int, Ingest]) -> None:
    _, ingest = ward
    until(lambda: len({clip["camera"] for clip in told(ingest, "clip").values()}) == 2, "clips of both", SLOW_S)
    assert len({motion["camera"] for motion in told(ingest, "motion").values()}) == 2

    def all_is_well() -> bool:
        health = ingest.last("health") or {}        # the first reports know less
        return ([each["st"] for each in health.get("cams", ())] == ["ok", "ok"]
                and set(health.get("roles", {}).values()) == {"ok"})
    until(all_is_well, "both cameras and all roles are well", SLOW_S)


def test_the_owner_plays_what_was_recorded(own: Phone, ward: tuple[int, Ingest]) -> None:
    name, clip = next(iter(told(ward[1], "clip").items()))
    with av.open(io.BytesIO(own.read(f"/clips/{name}.mp4"))) as film:
        pictures = [(frame.width, frame.height) for frame in film.decode(video=0)]
    assert pictures == [SIZE] * clip["frames"]
    assert 'data-id="' in own.get("/recordings").text


def test_all_roles_fit_beside_each_other(machine: Emulated, own: Phone) -> None:
    seen = look(machine)
    assert set(seen.pss_b) == set(ROLES) == active(machine)
    assert seen.available_b >= ROOM_B, f"{seen}; what the roles take is told by scripts/bench machine"
    assert (seen.restarts_n, seen.oom_n, seen.swapped_b) == (0, 0, 0)


def test_a_reboot_in_order_closes_every_clip(machine: Emulated, own: Phone, ward: tuple[int, Ingest]) -> None:
    before = clips(machine)
    machine.reboot()
    goes_on(machine, ward[1])
    now = clips(machine)
    assert {now[name]["state"] for name, clip in before.items() if clip["state"] != "recovered"} == {"done"}
    said = [json.loads(message.payload) for message in ward[1].all("/status") if message.payload]
    assert "shutdown" in {status.get("why") for status in said}


def test_a_power_cut_takes_nothing_that_was_announced(machine: Emulated, own: Phone, ward: tuple[int, Ingest]) -> None:
    _, ingest = ward
    opened_ones = until(lambda: open_ones(machine), "a clip has been open for a while", SLOW_S)
    machine.cut_power()
    announced, motions = told(ingest, "clip"), told(ingest, "motion")
    machine.boot()
    goes_on(machine, ingest)
    now = clips(machine)
    for name, clip in announced.items():
        assert now[name]["state"] in KEPT and now[name]["bytes"] == clip["bytes"], name
    assert {now[name]["state"] for name in opened_ones} <= {*KEPT}, "what was open is completed"
    assert int(max(motions, key=int)) <= recorded(machine)["events_n"]
    newest = max(announced, key=lambda name: announced[name]["start_ms"])
    with av.open(io.BytesIO(own.read(f"/clips/{newest}.mp4"))) as film:
        assert sum(1 for _ in film.decode(video=0)) == announced[newest]["frames"]


def test_a_signed_light_release_takes_over(machine: Emulated, own: Phone, ward: tuple[int, Ingest]) -> None:
    update(machine, packaged(LATER, ARCHITECTURE))
    assert version(machine) == LATER
    goes_on(machine, ward[1])
    assert ward[1].last("birth")["agent"] == LATER


def test_one_that_is_not_well_is_taken_back(machine: Emulated, own: Phone, ward: tuple[int, Ingest]) -> None:
    said = update(machine, packaged(BAD, ARCHITECTURE, ENDS_AT_ONCE))
    assert "unhealthy_rolled_back" in said
    assert version(machine) == LATER
    goes_on(machine, ward[1])
    assert active(machine) == set(ROLES)


def test_purge_leaves_what_was_recorded(machine: Emulated, own: Phone) -> None:
    machine.run("systemctl stop 'taimat-*'")
    listed = "find /var/lib/taimat/clips -type f -printf '%P %s\\n' | sort"
    before = machine.run(listed)
    said = machine.run("DEBIAN_FRONTEND=noninteractive apt-get purge -y taimat </dev/null")
    assert "sudo rm -r /var/lib/taimat" in said
    assert before and machine.run(listed) == before
    assert not machine.run("ls -d /opt/taimat /etc/taimat /usr/lib/taimat", check=False)
    assert not active(machine)


def update(machine: Emulated, release: Packaged) -> str:
    """`taimat update install` of the light release; what it says."""
    machine.put(f"/root/{release.update.name}", release.update.read_bytes())
    return machine.run(f"taimat update install /root/{release.update.name} 2>&1", check=False, limit_s=TRIAL_S)

