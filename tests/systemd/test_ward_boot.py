"""A ward from nothing: its package on a fresh Debian, what the guide says, and what then runs.

One boot, and the tests go on from one another: somebody types the blocks of the guides that need a ward, services
answer in their sandboxes, a device brings a picture and is thrown out, apt takes the package away.
"""
import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from scripts.packaging import maker
from tests.machines.debian import NotDebian, index, supply
from tests.rigs.guides import ROOT, Block, blocks
from tests.rigs.intake import PICTURE, metadata
from tests.rigs.packaged import MOMENT_S
from tests.rigs.stick import DEBIANS
from tests.rigs.wait import HANG_S, until
from tests.systemd.machine import Machine, NoMachine

USER, HOST, WARD = "pi", "ward.example", "w07"
INGEST, INTAKE, SERVE, DESK, PROXY, BROKER = SERVICES = (
    *(f"ward-taimat-{name}.service" for name in ("ingest", "intake", "serve", "desk", "proxy")), "mosquitto.service")
OWNERS = {INGEST: "taimat-ward", INTAKE: "taimat-ward", SERVE: "taimat-ward-authority", DESK: "taimat-ward",
          PROXY: "ward-taimat-proxy", BROKER: "mosquitto"}
RELOAD, RENEW, BACKUP = "ward-taimat-proxy-reload.path", "ward-taimat-renew.service", "ward-taimat-backup.service"
BESIDE = ("curl", "mosquitto-clients", "sudo")
APT_S = 300.0
SETUP, STATE, AUTHORITY = "/etc/taimat-ward", "/var/lib/taimat-ward", "/var/lib/taimat-ward-authority"
BACKUPS, FINDINGS = "/var/backups/taimat-ward", f"{AUTHORITY}/findings.json"
DATABASE, BROKERS_CACHE = f"{STATE}/ward.db", "/var/lib/mosquitto/mosquitto.db"
REQUEST = "01J00000000000000000000000"
ASK = """
import sys, time
from agent.ward.database import open_engine
from agent.ward.requests import PictureRequest, PictureRequests
now_ms = time.time_ns() // 1_000_000
PictureRequests(open_engine("sqlite:////var/lib/taimat-ward/ward.db")).add(PictureRequest(
    id=sys.argv[1], dev=sys.argv[2], kind="snapshot", cam="gate", case_no="1/2026", purpose="theft", officer="An",
    basis="BLTTHS", made_ms=now_ms, until_ms=now_ms + 86_400_000, command="{}", state="sent"))
"""
YES = "y\n" * 9                  # to whatever a command asks
DOCTOR = "sudo taimat ward doctor\n"
KNOCK = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"


def story(name: str) -> list[Block]:
    """The guide's blocks for somebody at a ward's machine, as he reads them; the doctor has a test of his own."""
    return [block for block in blocks(ROOT / "docs" / "guide" / name) if block.needs == "ward" and block.text != DOCTOR]


class Ward:
    """The machine, and a technician at it; once it is enrolled, a device's certificate lies in /srv/device."""

    def __init__(self, machine: Machine) -> None:
        self.machine, self.dev = machine, ""

    def type(self, block: Block) -> None:
        """Into a login shell, as it stands there; the passphrase, which a terminal asks for, comes from a file."""
        text = block.text.replace("taimat ward init ", "taimat ward init --passphrase-file /root/passphrase ")
        self.machine.run("runuser", "--login", USER, "-c", f"set -e -o pipefail\n{text}", stdin=YES, limit_s=APT_S)

    def curl(self, *words: str) -> tuple[int, str]:
        """Status and body of what a device gets for this, with its certificate."""
        own = ("--cacert", "/srv/device/ca.pem", "--cert", "/srv/device/device.pem", "--key", "/srv/device/device.key",
               "-H", "Tus-Resumable: 1.0.0")
        said = self.machine.run("curl", "-sS", "-w", "\n%{http_code}", *own, *words)
        body, _, status = said.rpartition("\n")
        return int(status), body

    def tells(self, topic: str, payload: dict[str, object], *more: str) -> None:
        """What the device publishes, with its certificate."""
        self.machine.run("mosquitto_pub", "-V", "mqttv5", "-h", HOST, "-p", "8883", "--cafile", "/srv/device/ca.pem",
                         "--cert", "/srv/device/device.pem", "--key", "/srv/device/device.key", "-q", "1", *more,
                         "-t", f"cam/v1/{WARD}/{self.dev}/{topic}", "-m", json.dumps(payload))


def furnish(machine: Machine, deb: Path) -> None:
    """Debian's packages in a folder instead of the network, a default user with sudo, ours in the home folder."""
    files = supply("amd64", machine.root / "var/lib/dpkg/status", deb, *BESIDE)
    index(machine.root / DEBIANS.lstrip("/"), files)
    for path in (machine.root / "etc/apt/sources.list.d").iterdir():
        path.unlink()
    machine.write("/etc/apt/sources.list", f"deb [trusted=yes] file:{DEBIANS} ./\n")
    machine.write("/etc/hostname", "ward\n")
    machine.write("/etc/hosts", f"127.0.0.1 localhost ward {HOST}\n")
    machine.write("/root/passphrase", "a passphrase for a test\n", 0o600)
    machine.boot()
    machine.run("sh", "-c", f"apt-get -qq update && apt-get -qq install {' '.join(BESIDE)} && "
                f"useradd -m -s /bin/bash -G sudo {USER}", limit_s=APT_S)
    machine.write(f"/etc/sudoers.d/{USER}", f"{USER} ALL=(ALL) NOPASSWD: ALL\n", 0o440)
    (machine.root / "home" / USER / deb.name).write_bytes(deb.read_bytes())


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    """A machine that nobody has touched yet, with the package in the home folder."""
    folder = tmp_path_factory.mktemp("ward")
    ((name, data),) = maker.Recipe(ROOT, maker.version(ROOT), MOMENT_S, is_fast=True).ward().items()
    (folder / name).write_bytes(data)
    try:
        with Machine(folder) as machine:
            furnish(machine, folder / name)
            yield Ward(machine)
    except (NoMachine, NotDebian) as reason:
        pytest.skip(f"no machine: {reason}")


@pytest.mark.parametrize("block", story("ward.md"), ids=lambda block: block.name)
def test_the_guides_commands_do_what_they_are_there_for(ward: Ward, block: Block) -> None:
    ward.type(block)


def test_each_runs_in_its_sandbox_as_its_user(ward: Ward) -> None:
    for unit in (*SERVICES, RELOAD):
        ward.machine.until(unit, "ActiveState", "active")
        assert ward.machine.show(unit, "NRestarts") in ("0", "")
    for unit, owner in OWNERS.items():
        assert ward.machine.run("stat", "--format=%U", f"/proc/{ward.machine.show(unit, 'MainPID')}") == owner
    dropins = {word for unit in SERVICES for word in ward.machine.show(unit, "DropInPaths").split()}
    assert {Path(path).parent.name for path in dropins} == {"ward-taimat-.service.d", "mosquitto.service.d"}
    until(lambda: "connected" in ward.machine.journal("--unit", INGEST), "the broker is found")
    assert ward.machine.run("curl", "-sS", "http://127.0.0.1:9467/metrics").strip() == "taimat_ward_proxy_up 1"
    assert ward.machine.show(INTAKE, "OOMPolicy") == "continue", "a check that takes too much ends alone"


def test_the_doctor_finds_all_well_but_a_clock_that_nobody_disciplines(ward: Ward) -> None:
    """It is this computer's, and may be in order."""
    said = ward.machine.run("sh", "-c", "taimat ward doctor --json || true", limit_s=HANG_S)
    found = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert len(found) > 10 and {each["part"] for each in found if not each["ok"]} <= {"clock"}, said


def test_nobody_reads_a_key_who_does_not_need_it(ward: Ward) -> None:
    told = ward.machine.run("find", SETUP, AUTHORITY, "-type", "f", "(", "-name", "*.key", "-o", "-name", "*.pem", ")",
                            "-printf", "%P %m %U:%G %u:%g\n")
    modes = {words[0]: (words[1], words[3]) for line in told.splitlines() if len(words := line.split()) == 4}
    assert modes["keys/broker.key"] == ("640", "root:mosquitto")
    assert modes["keys/door.key"] == ("640", "root:ward-taimat-proxy")
    for name in ("keys/ingest.key", "keys/ops.key", "keys/desk.key", "keys/reader.key", "command.pem", "receipt.pem"):
        assert modes[name] == ("600", "root:root"), name
    for path in (f"{SETUP}/command.pem", f"{AUTHORITY}/issuing.key"):
        assert "Permission denied" in ward.machine.run("sh", "-c", f"runuser -u nobody -- cat {path} 2>&1", check=False)


def test_the_sockets_open_for_the_proxy_alone(ward: Ward) -> None:
    for name in ("intake", "serve", "desk"):
        path = f"/run/ward-taimat-{name}.sock"
        assert ward.machine.run("stat", "--format=%U:%G %a", path) == "root:ward-taimat-proxy 660"
        with pytest.raises(AssertionError, match="PermissionError"):
            ward.machine.run("runuser", "--user", "nobody", "--", "python3", "-c", KNOCK, path)


def test_a_card_becomes_a_device_by_its_claim(ward: Ward) -> None:
    """As `enrol-taimat` does it: a key of its own, a request for a certificate, the claim of the guide's first row."""
    bundle = next(path for path in (ward.machine.root / f"home/{USER}/cards").rglob("*.toml"))
    told = dict(re.findall(r'^(\w+) = "([^"]*)"$', bundle.read_text(), re.MULTILINE))
    key = ec.generate_private_key(ec.SECP256R1())
    csr = x509.CertificateSigningRequestBuilder(x509.Name([])).sign(key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    ask = {"claim": told["claim"], "serial": told["serial"], "csr": csr.public_bytes(pem).decode()}
    ward.machine.write("/srv/ask.json", json.dumps(ask))
    ward.machine.run("install", "-D", f"{SETUP}/public/ca.pem", "/srv/device/ca.pem")
    said = ward.machine.run("curl", "-sS", "--fail-with-body", "--cacert", "/srv/device/ca.pem", "--json",
                            "@/srv/ask.json", f"https://{HOST}:8444/enrol")
    grant = json.loads(said)
    ward.dev = grant["dev"]
    ward.machine.write("/srv/device/device.pem", grant["chain"])
    ward.machine.write("/srv/device/device.key", key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode(), 0o600)
    ward.tells("status", {"v": 1, "online": True, "boot": "9f2c1a7e", "conn": 1, "ts": time.time_ns() // 1_000_000,
                          "clock": "ntp", "mode": "active"}, "--retain")
    until(lambda: ward.dev in ward.machine.run("taimat", "ward", "watch", "--once", "--json"), "the ward sees it")


@pytest.mark.parametrize("block", story("subscriber.md"), ids=lambda block: block.name)
def test_a_subscribers_first_minutes(ward: Ward, block: Block) -> None:
    ward.type(block)


def test_twenty_lines_of_python_hear_what_happens(ward: Ward) -> None:
    (program,) = (block for block in blocks(ROOT / "docs/guide/subscriber.md") if block.language == "python")
    ward.machine.write(f"/home/{USER}/reader.py", program.text)
    words = ("runuser", "--login", USER, "-c", f"exec python3 -u reader.py {HOST} {WARD}")
    with subprocess.Popen(["nsenter", "--all", "--target", ward.machine.leader, *words], stdout=subprocess.PIPE,
                          text=True) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == f"{ward.dev} online\n"
            ward.tells("evt", {"specversion": "1.0", "id": f"{ward.dev}/1", "source": f"/cam/{WARD}/{ward.dev}/gate",
                               "type": "cam.motion.v1", "time": "2026-11-24T23:20:50.123Z", "seq": 1,
                               "boot": "9f2c1a7e", "clock": "ntp",
                               "data": {"mono_ms": 1, "kind": "motion", "event": 1, "phase": "start", "hist": False}})
            assert process.stdout.readline() == f"{ward.dev} motion 2026-11-24T23:20:50.123Z\n"
        finally:
            process.terminate()
            process.wait(HANG_S)


def test_a_picture_comes_through_the_proxy_and_is_signed_for(ward: Ward) -> None:
    ward.machine.write("/srv/ask.py", ASK)
    ward.machine.run("env", "PYTHONPATH=/usr/lib/taimat-ward", "python3", "/srv/ask.py", REQUEST, ward.dev)
    (ward.machine.root / "srv/picture.jpg").write_bytes(PICTURE.data)
    url = f"https://{HOST}:8443/exports"
    told = metadata({"request": REQUEST, "kind": "snapshot", "sha256": PICTURE.sha256})
    until(lambda: ward.curl("-X", "OPTIONS", url)[0] == 204, "the proxy answers")
    assert ward.curl("-X", "POST", "-H", f"Upload-Length: {len(PICTURE.data)}", "-H", f"Upload-Metadata: {told}",
                     url)[0] == 201
    assert ward.curl("-X", "PATCH", "-H", "Content-Type: application/offset+octet-stream", "-H", "Upload-Offset: 0",
                     "--data-binary", "@/srv/picture.jpg", f"{url}/{REQUEST}")[0] == 204
    until(lambda: ward.curl(f"{url}/{REQUEST}/receipt")[0] == 200, "the receipt")
    receipt = json.loads(ward.curl(f"{url}/{REQUEST}/receipt")[1])
    assert (receipt["dev"], receipt["sha256"]) == (ward.dev, PICTURE.sha256)
    kept = f"{STATE}/exports/{time.gmtime().tm_year}/1-2026/{REQUEST}/snapshot.jpg"
    assert ward.machine.run("sha256sum", kept).split()[0] == PICTURE.sha256


@pytest.mark.parametrize("unit", [RENEW, BACKUP])
def test_what_root_does_each_day_runs_in_its_sandbox(ward: Ward, unit: str) -> None:
    assert ward.machine.show(unit.replace(".service", ".timer"), "ActiveState") == "active"
    ward.machine.run("systemctl", "start", unit, limit_s=HANG_S)
    assert ward.machine.show(unit, "Result") == "success", ward.machine.journal("--unit", unit)


def test_backups_are_there_and_for_root_alone(ward: Ward) -> None:
    told = ward.machine.run("find", BACKUPS, "-name", "*.tar", "-printf", "%m %u\n").splitlines()
    assert len(told) >= 2 and {*told} == {"600 root"}, "the guide's and the timer's"


def test_the_doctor_looks_in_its_sandbox_and_the_desk_may_read_what_it_finds(ward: Ward) -> None:
    """In a container nobody can say whether the clock is right, so something is always found."""
    ward.machine.run("rm", "-f", FINDINGS)
    assert ward.machine.show("ward-taimat-doctor.timer", "ActiveState") == "active"
    ward.machine.run("systemctl", "start", "ward-taimat-doctor.service", check=False, limit_s=HANG_S)
    said = json.loads(ward.machine.run("runuser", "-u", "taimat-ward", "--", "cat", FINDINGS))
    assert len(said["found"]) > 10 and {each["part"] for each in said["found"] if not each["ok"]} <= {"clock"}, said


def test_debians_own_nginx_is_not_there_beside_the_wards_proxy(ward: Ward) -> None:
    assert ward.machine.show("nginx.service", "UnitFileState") == "disabled"
    assert ward.machine.show("nginx.service", "ActiveState") == "inactive"


def test_a_broker_that_can_not_read_its_cache_starts_without(ward: Ward) -> None:
    machine = ward.machine
    machine.run("systemctl", "stop", BROKER)
    machine.run("sh", "-c", f"echo a card that was pulled > {BROKERS_CACHE}")
    machine.run("systemctl", "start", BROKER, check=False)
    machine.until(BROKER, "ActiveState", "active")
    assert "was pulled" in machine.run("cat", f"{BROKERS_CACHE}.broken")
    assert machine.show(BROKER, "LimitNOFILE") == "65536"


def test_a_device_that_goes_to_another_household_is_out_at_once(ward: Ward) -> None:
    until(lambda: ward.curl("-X", "OPTIONS", f"https://{HOST}:8443/exports")[0] == 204, "it is in")
    ward.machine.run("taimat", "ward", "handover", "HH-0412", "--household", "Hộ ông Tư", "--output", "/root/cards")
    until(lambda: ward.curl("-X", "OPTIONS", f"https://{HOST}:8443/exports")[0] == 400, "it is out at the proxy")
    assert "certificate revoked" in ward.machine.journal("--unit", PROXY)
    with pytest.raises(AssertionError, match="mosquitto_pub"):
        ward.tells("status", {})
    assert ward.machine.show(PROXY, "NRestarts") == "0" and ward.machine.show(PROXY, "ActiveState") == "active"


def test_what_the_ward_has_gathered_outlives_its_package(ward: Ward) -> None:
    said = ward.machine.run("apt-get", "--yes", "purge", "taimat-ward", limit_s=APT_S)
    for kept in (STATE, AUTHORITY, SETUP):
        assert any(line.endswith(f"to delete it for good: rm -r {kept}") for line in said.splitlines()), said
    ward.machine.run("test", "-s", DATABASE, "-a", "-s", f"{AUTHORITY}/issuing.key", "-a", "-s", f"{SETUP}/command.pem")
    assert not ward.machine.run("systemctl", "list-units", "--all", "--no-legend", "ward-taimat-*")
    assert not ward.machine.run("find", "/usr/lib/taimat-ward", check=False)
    ward.machine.until(BROKER, "ActiveState", "active")
