"""A ward's end under its units: four services in four sandboxes, a picture through the proxy, a device that is revoked.

One boot, and the tests go on from one another.
"""
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rigs.certified import FILES
from tests.rigs.intake import DEV, PICTURE, metadata
from tests.rigs.pki import Authority
from tests.rigs.proxy import MISSING
from tests.rigs.wait import until
from tests.systemd.machine import UNITS, Machine, NoMachine
from tests.systemd.test_agent_boot import ROOT, SERVICE

INGEST, INTAKE, FORWARD, PROXY = (f"ward-taimat-{name}.service" for name in ("ingest", "intake", "forward", "proxy"))
RELOAD = "ward-taimat-proxy-reload.path"
KEY = "/run/credentials/ward-taimat-intake.service/receipt.pem"
CONFIG = """
[ward]
ward = "w07"
port = 1883
tls = false

[ops]
command_key = "/etc/taimat-ward/command.pem"

[intake]
url = "https://localhost:8443/exports"
crl = "/etc/taimat-ward/ward.crl.pem"
receipt_key = "/etc/taimat-ward/receipt.pem"
free_gb = 0

[city]
host = "localhost"
port = 1883
tls = false
"""
LIBRARIES = "cryptography, msgspec, paho.mqtt, prometheus_client, rich, sqlalchemy, starlette, typer, uvicorn"
ASK = """
import sys, time
from agent.ward.database import open_engine
from agent.ward.requests import PictureRequest, PictureRequests
now_ms = time.time_ns() // 1_000_000
PictureRequests(open_engine("sqlite:////var/lib/taimat-ward/ward.db")).add(PictureRequest(
    id=sys.argv[1], dev=sys.argv[2], kind="snapshot", cam="gate", case_no="1/2026", purpose="theft", officer="An",
    basis="BLTTHS", made_ms=now_ms, until_ms=now_ms + 86_400_000, command="{}", state="sent"))
"""
KNOCK = "import socket; socket.socket(socket.AF_UNIX).connect('/run/ward-taimat-intake.sock')"
DYNAMIC = range(61_184, 65_520)      # user ids that systemd gives for a while
REQUEST = "01J00000000000000000000000"


def demand_libraries() -> None:
    """Raises NoMachine with what is missing of that which a ward's end needs."""
    tried = subprocess.run(["/usr/bin/python3", "-c", f"import {LIBRARIES}"], capture_output=True, text=True)
    lacking = [tried.stderr.strip().rpartition("\n")[2]] if tried.returncode else []
    lacking += [MISSING] if MISSING else []
    lacking += [] if Path("/usr/sbin/mosquitto").exists() else ["mosquitto"]
    if lacking:
        raise NoMachine(f"Debian's packages are incomplete, see scripts/test: {', '.join(lacking)}")


def furnish(machine: Machine, authority: Authority) -> None:
    """Install the agent, the recorder's units and the ward's, certificates, and a broker."""
    machine.borrow("/usr", "/etc/alternatives")
    machine.install(ROOT / "agent")
    for unit in (UNITS / "ward").iterdir():
        machine.write(f"/etc/{'sysusers.d' if unit.suffix == '.conf' else 'systemd/system'}/{unit.name}",
                      unit.read_text())
    machine.write("/etc/taimat-ward/ward.toml", CONFIG)
    machine.write("/etc/taimat-ward/nginx.conf", (FILES / "nginx.conf").read_text())
    machine.write("/etc/taimat-ward/ward.ca.pem", authority.ca.read_text())
    machine.write("/etc/taimat-ward/city.ca.pem", authority.ca.read_text())
    machine.write("/etc/taimat-ward/ward.crl.pem", authority.revoke().read_text())
    for name, stem in (("ingest", "ward"), ("forward-w07", "city"), ("intake", "proxy/intake"), (DEV, "device")):
        for path, kind in zip(authority.issue(name), ("cert", "key"), strict=True):
            machine.write(f"/etc/taimat-ward/{stem}.{kind}.pem", path.read_text(), 0o600)
    machine.write("/etc/systemd/system/broker.service", SERVICE.format("/usr/sbin/mosquitto -p 1883"))
    machine.enable("broker.service")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The ward's CA."""
    return Authority(tmp_path_factory.mktemp("pki"), "ward-ca")


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Machine]:
    """A booted machine, on which a technician then types what docs/guide/ward.md says."""
    folder = tmp_path_factory.mktemp("ward")
    try:
        demand_libraries()
        with Machine(folder) as made:
            furnish(made, authority)
            made.boot()
            made.run("taimat", "ward", "keys")
            made.run("sed", "-i", f"s#/etc/taimat-ward/receipt.pem#{KEY}#", "/etc/taimat-ward/ward.toml")
            made.run("sh", "-c", "cd /etc/taimat-ward && chown -R root:ward-taimat-proxy proxy && chmod 750 proxy && "
                     "chmod 640 proxy/*")
            made.run("systemctl", "enable", "--now", INGEST, FORWARD, "ward-taimat-intake.socket", INTAKE, PROXY)
            yield made
    except NoMachine as reason:
        pytest.skip(f"no machine: {reason}")


def curl(machine: Machine, *words: str) -> tuple[int, str]:
    """Status and body of what a device gets for this, with its certificate."""
    own = ("--cacert", "/etc/taimat-ward/ward.ca.pem", "--cert", "/etc/taimat-ward/device.cert.pem", "--key",
           "/etc/taimat-ward/device.key.pem", "-H", "Tus-Resumable: 1.0.0")
    said = machine.run("curl", "-sS", "-w", "\n%{http_code}", *own, *words)
    body, _, status = said.rpartition("\n")
    return int(status), body


def test_each_is_ready_as_its_user_and_no_drop_in_of_the_recorder_takes_hold(machine: Machine) -> None:
    for unit in (INGEST, INTAKE, FORWARD, PROXY, RELOAD):
        machine.until(unit, "ActiveState", "active")
        assert machine.show(unit, "DropInPaths") == "" and machine.show(unit, "NRestarts") in ("0", "")
    *wards, proxy = (machine.run("stat", "--format=%u %U", f"/proc/{machine.show(unit, 'MainPID')}").split()
                     for unit in (INGEST, INTAKE, FORWARD, PROXY))
    assert wards[0] == wards[1] == wards[2] and int(wards[0][0]) in DYNAMIC and proxy[1] == "ward-taimat-proxy"
    until(lambda: "connected" in machine.journal("--unit", INGEST), "the broker is found")
    assert machine.run("curl", "-sS", "http://127.0.0.1:9467/metrics").strip() == "taimat_ward_proxy_up 1"
    assert machine.show(INTAKE, "OOMPolicy") == "continue", "a check that takes too much ends alone"


def test_a_picture_comes_through_the_proxy_and_is_signed_for(machine: Machine) -> None:
    machine.write("/srv/ask.py", ASK)
    machine.run("env", "PYTHONPATH=/opt/taimat/current", "python3", "/srv/ask.py", REQUEST, DEV)
    (machine.root / "srv/picture.jpg").write_bytes(PICTURE.data)
    url = "https://localhost:8443/exports"
    told = metadata({"request": REQUEST, "kind": "snapshot", "sha256": PICTURE.sha256})
    until(lambda: curl(machine, "-X", "OPTIONS", url)[0] == 204, "the proxy answers")
    assert curl(machine, "-X", "POST", "-H", f"Upload-Length: {len(PICTURE.data)}", "-H", f"Upload-Metadata: {told}",
                url)[0] == 201
    assert curl(machine, "-X", "PATCH", "-H", "Content-Type: application/offset+octet-stream", "-H", "Upload-Offset: 0",
                "--data-binary", "@/srv/picture.jpg", f"{url}/{REQUEST}")[0] == 204
    until(lambda: curl(machine, f"{url}/{REQUEST}/receipt")[0] == 200, "the receipt")
    receipt = json.loads(curl(machine, f"{url}/{REQUEST}/receipt")[1])
    assert (receipt["dev"], receipt["sha256"]) == (DEV, PICTURE.sha256)
    kept = f"/var/lib/taimat-ward/exports/{time.gmtime().tm_year}/1-2026/{REQUEST}/snapshot.jpg"
    assert machine.run("sha256sum", kept).split()[0] == PICTURE.sha256


def test_the_intakes_socket_opens_for_the_proxy_alone(machine: Machine) -> None:
    assert machine.run("stat", "--format=%U:%G %a", "/run/ward-taimat-intake.sock") == "root:ward-taimat-proxy 660"
    knock = ("runuser", "--user", "nobody", "--", "python3", "-c", KNOCK)
    assert "ConnectionRefused" not in machine.run(*knock, check=False)
    with pytest.raises(AssertionError, match="PermissionError"):
        machine.run(*knock)


def test_who_is_revoked_is_out_when_the_list_is_written(machine: Machine, authority: Authority) -> None:
    certificate = machine.root / "etc/taimat-ward/device.cert.pem"
    machine.write("/etc/taimat-ward/ward.crl.pem", authority.revoke(certificate).read_text())
    until(lambda: curl(machine, "-X", "OPTIONS", "https://localhost:8443/exports")[0] == 400, "it is out")
    assert "certificate revoked" in machine.journal("--unit", PROXY)
    assert machine.show(PROXY, "NRestarts") == "0" and machine.show(PROXY, "ActiveState") == "active"
