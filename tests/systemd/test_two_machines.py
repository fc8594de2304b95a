"""A ward and a household's recorder, each from a fresh Debian, as the guides say: from nothing to footage handed over.

Two boots with a cable between them, and the tests go on from one another. Somebody sits at each machine and types the
guides' blocks, the household has a phone, and its camera is a real RTSP server in the house. The ward's machine does
not know its own name, as behind many routers. A thorough run types the rest of the ward's guide, too.
"""
import json
import re
import shutil
import subprocess
import time
import zipfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from scripts.packaging.wheels import NoWheel
from tests.machines.debian import NotDebian, supply
from tests.rigs.cameras import footage, rtsp
from tests.rigs.cameras.rtsp import RtspCamera
from tests.rigs.house import owner
from tests.rigs.house.owner import opened
from tests.rigs.house.phone import Phone, dial_within
from tests.rigs.machine.boot_card import debs, image_of, stock
from tests.rigs.machine.guides import ROOT, blocks
from tests.rigs.machine.packaged import MACHINE, packaged
from tests.rigs.network.lan import PLAIN_CAMERA, RECORDER
from tests.rigs.wait import HANG_S, Stopwatch, until
from tests.systemd.booted import KEEPER, LINK, SETTINGS, SETUP, clips
from tests.systemd.house import House
from tests.systemd.machine import Machine, NoMachine
from tests.systemd.stock import DPKG, stocked
from tests.systemd.typist import TYPING_S, USER, Typist

GUIDES = ROOT / "docs/guide"
HOST, WARD, ADDRESS, SERIAL = "ward.example", "w07", "192.168.77.2", "HH-0412"
INGEST, INTAKE, SERVE, DESK, PROXY, BROKER = SERVICES = (
    *(f"ward-taimat-{name}.service" for name in ("ingest", "intake", "serve", "desk", "proxy")), "mosquitto.service")
OWNERS = {INGEST: "taimat-ward", INTAKE: "taimat-ward", SERVE: "taimat-ward-authority", DESK: "taimat-ward",
          PROXY: "ward-taimat-proxy", BROKER: "mosquitto"}
RELOAD, RENEW, BACKUP = "ward-taimat-proxy-reload.path", "ward-taimat-renew.service", "ward-taimat-backup.service"
ETC, STATE, AUTHORITY = "/etc/taimat-ward", "/var/lib/taimat-ward", "/var/lib/taimat-ward-authority"
BACKUPS, FINDINGS = "/var/backups/taimat-ward", f"{AUTHORITY}/findings.json"
DATABASE, BROKERS_CACHE = f"{STATE}/ward.db", "/var/lib/mosquitto/mosquitto.db"
WATCHER, ROWS = "watcher.service", "/srv/rows"
DOCTOR = "sudo taimat ward doctor\n"
ENROL, FOLDER, BOOT = "enrol-taimat.service", "/etc/taimat/ward", "/boot/firmware"
CARD = f"/media/{USER}/bootfs"
OF_WARD = ("curl", "mosquitto-clients")       # of Debian, beside what ours needs
OUT_S = 5.0                     # from the word to revoke until broker and proxy keep a device out
# A container's kernel may know no FAT, so a folder plays the boot partition. The set-up is the real one in its sandbox;
# only the list of mounts is another.
SET_UP = "[Service]\nExecStart=\nExecStart=/usr/bin/python3 -P /srv/set_up.py\n"
SET_UP_PROGRAM = """
from pathlib import Path
from agent.privileged.setup.main import NoticePlaces, Setup
from agent.host import log
log.set_up("setup", "info")
Setup(notice=NoticePlaces(mounts=Path("/srv/mounts"))).run()
"""
MOUNTS = f"36 25 179:1 / {BOOT} rw - vfat /dev/mmcblk0p1 rw\n"
# That a time server has answered: nothing in a container may set the clock.
SYNCHRONIZED = "/run/systemd/timesync/synchronized"
CAMERA = """
[[camera]]
name = "gate"
source = "{}"
record = "both"
max_clip_s = 10
"""
KNOCK = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
AT_THE_DOOR = f"""
import http.client, ssl
context = ssl.create_default_context(cafile="{FOLDER}/current/ca.pem")
context.load_cert_chain("{FOLDER}/current/device.pem", "{FOLDER}/current/device.key")
line = http.client.HTTPSConnection("{HOST}", 8443, timeout=20, context=context)
line.request("OPTIONS", "/exports", headers={{"Tus-Resumable": "1.0.0"}})
print(line.getresponse().status)
"""


@dataclass
class Pair:
    """Somebody at each machine, and the household's phone; `dev` is the recorder's id once it is enrolled."""

    ward: Typist
    recorder: Typist
    house: House
    camera: RtspCamera
    phone: Phone
    dev: str = ""
    typed: set[str] = field(default_factory=set)

    def follow(self, guide: str, words: str, ours: Mapping[str, str] | None = None, at: Typist | None = None) -> str:
        """Type the one block of a guide that has these words, at the ward unless told otherwise; what it says.

        Only names stand there that are `ours`: of the device, a folder, a moment; the passphrase, which a terminal
        asks for, comes from a file.
        """
        (block,) = (each for each in blocks(GUIDES / guide) if each.language == "sh" and words in each.text)
        self.typed.add(block.name)
        text = block.text.replace("taimat ward init ", "taimat ward init --passphrase-file /root/passphrase ")
        for theirs, own in {**(ours or {}), "c-7f3a9c21b04d c-0123456789ab": self.dev, "c-7f3a9c21b04d": self.dev,
                            "c-0123456789ab": self.dev}.items():
            text = text.replace(theirs, own)
        return (at or self.ward).type(text)

    def switch_on(self) -> None:
        """Boot the recorder, in a house with a time server."""
        self.recorder.machine.boot()
        self.connect()

    def connect(self) -> None:
        """Lay the recorder's cable."""
        self.house.plug_in(self.recorder.machine, RECORDER)
        self.recorder.machine.run("install", "-D", "/dev/null", SYNCHRONIZED)

    def has(self, path: str, text: str) -> None:
        """Wait until a file of the recorder's says so; what root's helpers have done until then is in what is said."""
        file = self.recorder.machine.root / path.lstrip("/")
        try:
            until(lambda: file.exists() and text in file.read_text(), f"{path}: {text}")
        except AssertionError as error:
            journal = self.recorder.machine.journal("--unit", "enrol-taimat*", "--unit", "setup-taimat*", "--lines=60")
            raise AssertionError(f"{error}\n{journal}") from None

    def row(self) -> dict[str, Any]:
        """What the desk shows of the household's device; a look is at most some seconds old. Empty before the first.

        One watcher writes the changes down: a start of it for each look would cost more than all else here.
        """
        machine, shown = self.ward.machine, self.ward.machine.root / ROWS.lstrip("/")
        if not shown.exists():
            machine.run("systemd-run", "--quiet", f"--unit={WATCHER}", "--property=Restart=always",
                        f"--property=StandardOutput=append:{ROWS}", "taimat", "ward", "watch", "--desk", "--json")
        lines = shown.read_text().rpartition("\n")[0].splitlines() if shown.exists() else ()
        return next((row for row in map(json.loads, reversed(lines)) if row["serial"] == SERIAL), {})

    def at_the_door(self) -> str:
        """What the proxy answers the recorder."""
        return self.recorder.machine.run("python3", "-c", AT_THE_DOOR)

    def approve(self) -> None:
        """The household looks at what is asked for, and lets it leave."""
        link = until(lambda: re.search(r'href="(/requests/\d+/approve)"', opened(self.phone, "/requests").text),
                     "the household is asked")
        form = dict(re.findall(r'name="(n|digest)" value="(\w+)"', opened(self.phone, link[1]).text))
        assert self.phone.post("/requests", do="approve", **form).status == 200

    def requests(self) -> list[dict[str, object]]:
        """All requests, newest first."""
        said = self.ward.machine.run("taimat", "ward", "request", "list", "--json")
        return [json.loads(line) for line in said.splitlines()]


def move_in(ward: Typist, recorder: Typist) -> None:
    """Both at once: Debian on two fresh machines, our packages at home."""
    made = packaged()
    of_ward = supply(MACHINE, ward.machine.root / DPKG, made.ward, *OF_WARD)
    of_recorder = supply(MACHINE, recorder.machine.root / DPKG, made.deb)
    with ThreadPoolExecutor() as both:
        for done in (both.submit(ward.move_in, [made.ward], of_ward, "curl"),
                     both.submit(recorder.move_in, [made.deb], of_recorder)):
            done.result()


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, thorough: bool) -> Iterator[Pair]:
    """Two machines that nobody has touched yet, and a camera that films already."""
    if reason := rtsp.missing():
        pytest.skip(reason)
    try:
        with ExitStack() as ends:
            made = packaged()
            stocks = (None, None) if thorough else (stocked(made.ward, *OF_WARD), stocked(made.deb))
            machines = [ends.enter_context(Machine(tmp_path_factory.mktemp(name), stock=stock))
                        for name, stock in zip(("ward", "recorder"), stocks, strict=True)]
            house = ends.enter_context(House(PLAIN_CAMERA))
            film = footage.clip(640, 360, 10, 10, 500)
            camera = ends.enter_context(RtspCamera(film, host=PLAIN_CAMERA, port=554, network_of=house.pid))
            ward = Typist(machines[0], "ward")
            recorder = Typist(machines[1], "taimat", f"{ADDRESS} {HOST}\n")
            ward.machine.write("/root/passphrase", "a passphrase for a test\n", 0o600)
            recorder.machine.write("/srv/mounts", MOUNTS)
            recorder.machine.write("/srv/set_up.py", SET_UP_PROGRAM)
            recorder.machine.write(f"/etc/systemd/system/{SETUP}.d/90-mounts.conf", SET_UP)
            move_in(ward, recorder)
            house.plug_in(ward.machine, ADDRESS)
            yield Pair(ward, recorder, house, camera, Phone(dial_within(house.pid, RECORDER), RECORDER))
    except (NoMachine, NotDebian, NoWheel) as reason:
        pytest.skip(f"no machine: {reason}")


def test_a_ward_is_made_by_its_guide(pair: Pair) -> None:
    for words in ("taimat ward init", "taimat ward backup"):
        pair.follow("ward.md", words)
    assert "ward-taimat-ingest" in pair.follow("ward.md", "sudo journalctl")


def test_each_runs_in_its_sandbox_as_its_user(pair: Pair) -> None:
    machine = pair.ward.machine
    machine.run("systemctl", "start", *SERVICES)        # some end while nobody asks
    for unit in (*SERVICES, RELOAD):
        machine.until(unit, "ActiveState", "active")
        assert machine.show(unit, "NRestarts") in ("0", "")
    for unit, user in OWNERS.items():
        assert machine.run("stat", "--format=%U", f"/proc/{machine.show(unit, 'MainPID')}") == user
    dropins = {word for unit in SERVICES for word in machine.show(unit, "DropInPaths").split()}
    assert {Path(path).parent.name for path in dropins} == {"ward-taimat-.service.d", "mosquitto.service.d"}
    until(lambda: "connected" in machine.journal("--unit", INGEST), "the broker is found")
    assert machine.run("curl", "-sS", "http://127.0.0.1:9467/metrics").strip() == "taimat_ward_proxy_up 1"
    assert machine.show(INTAKE, "OOMPolicy") == "continue", "a check that takes too much ends alone"
    assert [machine.show("nginx", key) for key in ("UnitFileState", "ActiveState")] == ["disabled", "inactive"]


def test_the_doctor_finds_all_well_but_a_clock_that_nobody_disciplines(pair: Pair) -> None:
    """It is this computer's, and may be in order."""
    said = pair.ward.machine.run("sh", "-c", "taimat ward doctor --json || true", limit_s=HANG_S)
    found = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert len(found) > 10 and {each["part"] for each in found if not each["ok"]} <= {"clock"}, said


def test_nobody_reads_a_key_of_the_ward_s_who_does_not_need_it(pair: Pair) -> None:
    machine = pair.ward.machine
    told = machine.run("find", ETC, AUTHORITY, "-type", "f", "(", "-name", "*.key", "-o", "-name", "*.pem", ")",
                       "-printf", "%P %m %U:%G %u:%g\n")
    modes = {words[0]: (words[1], words[3]) for line in told.splitlines() if len(words := line.split()) == 4}
    assert modes["keys/broker.key"] == ("640", "root:mosquitto")
    assert modes["keys/door.key"] == ("640", "root:ward-taimat-proxy")
    for name in ("keys/ingest.key", "keys/ops.key", "keys/desk.key", "keys/reader.key", "command.pem", "receipt.pem"):
        assert modes[name] == ("600", "root:root"), name
    for path in (f"{ETC}/command.pem", f"{AUTHORITY}/issuing.key"):
        assert "Permission denied" in machine.run("sh", "-c", f"runuser -u nobody -- cat {path} 2>&1", check=False)


def test_the_sockets_open_for_the_proxy_alone(pair: Pair) -> None:
    machine = pair.ward.machine
    for name in ("intake", "serve", "desk"):
        path = f"/run/ward-taimat-{name}.sock"
        assert machine.run("stat", "--format=%U:%G %a", path) == "root:ward-taimat-proxy 660"
        with pytest.raises(AssertionError, match="PermissionError"):
            machine.run("runuser", "--user", "nobody", "--", "python3", "-c", KNOCK, path)


def test_a_list_becomes_cards(pair: Pair, tmp_path: Path) -> None:
    """The packages are for boards, which the names say; the recorder here has another processor."""
    pair.follow("ward.md", "taimat ward enrol")
    home, card = pair.ward.home, stock(pair.ward.machine.root / CARD.lstrip("/"))
    (home / "dist").mkdir()
    debs(home / "dist")
    assert "no mistake found" in pair.follow("ward.md", "taimat ward card")
    pair.ward.machine.run("chown", "-R", f"{USER}:", CARD)          # the desktop mounts it for the technician
    image_of(stock(tmp_path / "flashed"), home / "recorder.img", "dos")
    pair.ward.machine.run("chown", f"{USER}:", f"/home/{USER}/recorder.img")
    assert pair.follow("card.md", "taimat ward card").count("no mistake found") == 2
    assert (card / "taimat/enrol.toml").read_bytes() == (home / "cards" / SERIAL / "enrol.toml").read_bytes()


def test_a_recorder_is_its_ward_s_by_its_card_though_the_power_is_cut(pair: Pair) -> None:
    machine = pair.recorder.machine
    shutil.copytree(pair.ward.machine.root / CARD.lstrip("/"), machine.root / BOOT.lstrip("/"))
    pair.connect()
    pair.follow("card.md", "apt install --no-install-recommends ./taimat_*.deb", at=pair.recorder)
    until(lambda: list((machine.root / FOLDER.lstrip("/")).glob("2*/device.key")), "a key is made")
    machine.cut_power()
    with Stopwatch() as took:
        pair.switch_on()
        pair.has(SETTINGS, f'ward = "{WARD}"')
    print(f"from the boot to a configuration with the ward in it: {took.wall_s:.1f} s, {took.fair_s:.1f} s idle")
    until(lambda: not (machine.root / FOLDER.lstrip("/") / "enrol.toml").exists(), "the claim is destroyed")
    assert not (machine.root / BOOT.lstrip("/") / "taimat/enrol.toml").exists()
    pair.dev = json.loads(machine.run("cat", f"{FOLDER}/current/enrolment.json"))["dev"]
    until(lambda: pair.row().get("dev") == pair.dev, "the desk knows it")
    key = f"{FOLDER}/current/device.key"
    assert machine.run("stat", "--dereference", "--format=%U:%G %a", key) == "root:taimat-exports 640"
    for user, may in (("taimat-link", True), ("taimat-web", False), ("taimat-capture", False), ("nobody", False)):
        group = "nogroup" if user == "nobody" else "taimat"
        read = machine.run("setpriv", f"--reuid={user}", f"--regid={group}", "--init-groups", "cat", key, check=False)
        assert bool(read) is may, user
    assert machine.show(LINK, "ActiveState") == "inactive", "its household has not joined"


def test_its_row_turns_green_and_its_household_joins(pair: Pair) -> None:
    machine = pair.recorder.machine
    machine.write(SETTINGS, machine.run("cat", SETTINGS) + CAMERA.format(pair.camera.url))
    owner.pair(pair.phone, (pair.ward.home / "cards" / SERIAL / "taimat-code.txt").read_text().strip())
    until(lambda: clips(machine), "the first clip")
    until(lambda: pair.row().get("lights") == dict.fromkeys(("camera", "card", "clock", "broker"), "good"), "green")
    keeper = machine.show(KEEPER, "MainPID")
    machine.run("systemctl", "restart", ENROL)
    machine.until(ENROL, "ActiveState", "inactive")
    assert machine.show(KEEPER, "MainPID") == keeper, "a role restarts for nothing"
    form = dict(re.findall(r'name="(ward|text)" value="([^"]*)"', opened(pair.phone, "/sharing/join").text))
    pair.phone.post("/sharing/join", **form)
    until(lambda: pair.row()["state"] == "online", "the ward sees it")
    assert pair.dev in pair.follow("ward.md", "taimat ward watch")


def test_a_central_subscriber_s_first_minutes(pair: Pair) -> None:
    assert pair.dev in pair.follow("../reference/subscriber.md", "mosquitto_sub")
    heard = pair.ward.type(f"mosquitto_sub -h localhost -p 8883 --cafile ca.pem --cert reader.pem --key reader.key "
                           f"-C 1 -t 'cam/v1/{WARD}/+/evt'")
    assert json.loads(heard)["source"].startswith(f"/cam/{WARD}/{pair.dev}")
    (program,) = (block for block in blocks(GUIDES / "../reference/subscriber.md") if block.language == "python")
    (pair.ward.home / "reader.py").write_text(program.text)
    words = ("runuser", "--login", USER, "-c", f"exec python3 -u reader.py localhost {WARD}")
    with subprocess.Popen(["nsenter", "--all", "--target", pair.ward.machine.leader, *words], stdout=subprocess.PIPE,
                          text=True, stderr=subprocess.DEVNULL) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == f"{pair.dev} online\n"
            assert re.fullmatch(rf"{pair.dev} \w+ 20\S+Z\n", process.stdout.readline())
        finally:
            process.terminate()
            process.wait(HANG_S)


@pytest.mark.thorough
def test_the_ward_sets_something_and_changes_its_command_key(pair: Pair) -> None:
    assert "health_int_s=60" in pair.follow("ward.md", "taimat ward configure")
    assert "done" in pair.follow("ward.md", "taimat ward rotate command")


def test_footage_is_asked_for_agreed_to_delivered_and_checked_with_stock_tools(pair: Pair) -> None:
    began, ended = (datetime.fromtimestamp(time.time() - ago_s, UTC).isoformat(timespec="seconds") for ago_s in (9, 1))
    moments = {"--from '2026-11-25 14:00' --to 14:20": f"--from {began} --to {ended}"}
    with ThreadPoolExecutor() as officers:
        asked = officers.submit(pair.follow, "ward.md", "taimat ward request clip", moments)
        pair.approve()
        assert "here, and checked" in asked.result()
    (request,) = pair.requests()
    folder = f"{STATE}/exports/{request['place']}"
    said = pair.follow("ward.md", "taimat verify", {f"{STATE}/exports/YEAR/CASE/ID": folder})
    assert "Signature Verified Successfully" in said
    (film,) = (pair.ward.home / "export").glob("*.mp4")
    shown = subprocess.run(["ffprobe", "-v", "error", "-of", "json", "-count_packets", "-show_entries",
                            "format=duration:stream=codec_name,nb_read_packets", film], capture_output=True, check=True)
    (stream,), length_s = (found := json.loads(shown.stdout))["streams"], float(found["format"]["duration"])
    assert stream["codec_name"] == "h264" and int(stream["nb_read_packets"]) >= 70 and length_s >= 7


@pytest.mark.thorough
def test_an_officer_asks_at_the_desk_and_takes_home_what_came(pair: Pair) -> None:
    phrase = re.search(r"\b\w{5}(-\w{5}){3}\b", pair.follow("ward.md", "taimat ward officer add"))[0]
    desk, key = f"https://{HOST}:8445", f"/home/{USER}/desk-tran-van-binh.p12"
    shown = ("--resolve", f"{HOST}:8445:127.0.0.1", "--cacert", f"{ETC}/public/ca.pem", "--cert-type", "P12", "--cert",
             f"{key}:{phrase}")

    def officer(path: str, *words: str) -> str:
        return pair.ward.machine.run("curl", "-sS", *shown, "-H", f"Origin: {desk}", *words, f"{desk}{path}")

    once = until(lambda: re.search(r'name="once" value="(\w+)"', officer(f"/requests/new?dev={pair.dev}")), "the form")
    form = {"once": once[1], "dev": pair.dev, "kind": "snapshot", "cam": "gate", "case": "093/2026", "purpose": "theft",
            "basis": "BLTTHS 2015, điều 107"}
    words = [word for name, text in form.items() for word in ("--data-urlencode", f"{name}={text}")]
    address = officer("/requests/new", "-o", "/dev/null", "-w", "%{redirect_url}", *words).removeprefix(desk)
    pair.approve()
    until(lambda: pair.requests()[0]["state"] == "done", "the picture is here")
    assert pair.requests()[0]["officer"] == "Trần Văn Bình"
    officer(f"{address}/package", "-X", "POST", "-o", "/srv/package.zip")
    with zipfile.ZipFile(pair.ward.machine.root / "srv/package.zip") as package:
        assert {Path(name).name for name in package.namelist()} == {"snapshot.jpg", "request.json", "receipt.json"}
    pair.follow("ward.md", "taimat ward officer remove")
    assert officer("/", "-o", "/dev/null", "-w", "%{http_code}") == "400"


@pytest.mark.thorough
def test_what_is_asked_for_can_be_taken_back(pair: Pair) -> None:
    assert pair.dev in pair.follow("ward.md", "taimat ward request snapshot")
    newest = str(pair.requests()[0]["id"])
    assert "cancelled" in pair.follow("ward.md", "taimat ward request cancel", {" ID ": f" {newest} "})
    assert pair.dev in pair.follow("ward.md", "sqlite3")


def test_a_device_that_is_thrown_out_is_out_at_once(pair: Pair) -> None:
    assert pair.at_the_door() == "204"
    log = pair.ward.machine.root / "var/log/mosquitto/mosquitto.log"
    with Stopwatch() as watch:
        print(pair.follow("ward.md", "taimat ward revoke"))
        until(lambda: pair.at_the_door() == "400", "it is out at the proxy")
        until(lambda: f"{pair.dev} already connected, closing old connection" in log.read_text(), "and at the broker")
    print(f"out at broker and proxy after {watch.wall_s:.1f} s, {watch.fair_s:.1f} s idle")
    assert watch.fair_s < OUT_S
    assert "certificate revoked" in pair.ward.machine.journal("--unit", PROXY)
    until(lambda: "has revoked this device" in pair.recorder.machine.journal("--unit", LINK), "its link is told")
    until(lambda: pair.row()["state"] == "offline", "the desk shows it")
    for unit in (PROXY, BROKER):
        assert [pair.ward.machine.show(unit, key) for key in ("NRestarts", "ActiveState")] == ["0", "active"], unit


def test_a_recorder_that_goes_to_another_household_is_another_device(pair: Pair) -> None:
    machine, home = pair.recorder.machine, pair.ward.home
    pair.follow("ward.md", "taimat ward handover")
    machine.run("taimat", "reset", "--factory", "--yes")
    pair.has(SETTINGS, "#[[camera]]")                   # the very first configuration
    assert WARD not in machine.run("cat", SETTINGS) and not machine.run("ls", FOLDER)
    assert not list((machine.root / "var/lib/taimat/clips").rglob("*.mp4"))
    machine.until(KEEPER, "ActiveState", "active")
    shutil.copy(home / "cards" / SERIAL / "enrol.toml", machine.root / BOOT.lstrip("/") / "taimat")
    machine.run("systemctl", "start", SETUP)
    pair.has(SETTINGS, f'ward = "{WARD}"')
    until(lambda: pair.row()["dev"] not in ("", pair.dev), "the ward knows it by another id")
    assert pair.row()["household"] == "Hộ ông Tư"


@pytest.mark.thorough
def test_every_block_for_a_ward_and_its_devices_was_typed(pair: Pair) -> None:
    all_blocks = {block.name for block in blocks(GUIDES / "ward.md")
                  if block.needs in ("ward", "card", "device") and block.text != DOCTOR}
    assert all_blocks <= pair.typed


@pytest.mark.parametrize("unit", [RENEW, BACKUP])
def test_what_root_does_each_day_runs_in_its_sandbox(pair: Pair, unit: str) -> None:
    machine = pair.ward.machine
    assert machine.show(unit.replace(".service", ".timer"), "ActiveState") == "active"
    machine.run("systemctl", "start", unit, limit_s=HANG_S)
    assert machine.show(unit, "Result") == "success", machine.journal("--unit", unit)


def test_backups_are_there_and_for_root_alone(pair: Pair) -> None:
    told = pair.ward.machine.run("find", BACKUPS, "-name", "*.tar", "-printf", "%m %u\n").splitlines()
    assert len(told) >= 2 and {*told} == {"600 root"}, "the guide's and the timer's"


def test_the_doctor_looks_in_its_sandbox_and_the_desk_may_read_what_it_finds(pair: Pair) -> None:
    """In a container nobody can say whether the clock is right, so something is always found."""
    machine = pair.ward.machine
    machine.run("rm", "-f", FINDINGS)
    assert machine.show("ward-taimat-doctor.timer", "ActiveState") == "active"
    machine.run("systemctl", "start", "ward-taimat-doctor.service", check=False, limit_s=HANG_S)
    said = json.loads(machine.run("runuser", "-u", "taimat-ward", "--", "cat", FINDINGS))
    assert len(said["found"]) > 10 and {each["part"] for each in said["found"] if not each["ok"]} <= {"clock"}, said


def test_a_broker_that_can_not_read_its_cache_starts_without(pair: Pair) -> None:
    machine = pair.ward.machine
    machine.run("systemctl", "stop", BROKER)
    machine.run("sh", "-c", f"echo a card that was pulled > {BROKERS_CACHE}")
    machine.run("systemctl", "start", BROKER, check=False)
    machine.until(BROKER, "ActiveState", "active")
    assert "was pulled" in machine.run("cat", f"{BROKERS_CACHE}.broken")
    assert machine.show(BROKER, "LimitNOFILE") == "65536"


def test_what_the_ward_has_gathered_outlives_its_package(pair: Pair) -> None:
    machine = pair.ward.machine
    machine.run("systemctl", "stop", WATCHER)
    said = machine.run("apt-get", "--yes", "purge", "taimat-ward", limit_s=TYPING_S)
    for kept in (STATE, AUTHORITY, ETC):
        assert any(line.endswith(f"to delete it for good: sudo rm -r {kept}") for line in said.splitlines()), said
    machine.run("test", "-s", DATABASE, "-a", "-s", f"{AUTHORITY}/issuing.key", "-a", "-s", f"{ETC}/command.pem")
    assert not machine.run("systemctl", "list-units", "--all", "--state=loaded", "--no-legend", "ward-taimat-*")
    assert not machine.run("find", "/usr/lib/taimat-ward", check=False)
    machine.until(BROKER, "ActiveState", "active")
