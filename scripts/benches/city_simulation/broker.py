"""The ward's broker: a real mosquitto with the very configuration and rights of firmware_cfg/ward.

It stands alone, as the ingest does: each program of the simulation is one file.
"""
import getpass
import os
import shutil
from pathlib import Path

from agent.ward.authority.places import template
from scripts.benches.city_simulation.pki import Authority
from scripts.benches.city_simulation.plan import HOST, WARD, SimulationFault
from scripts.benches.city_simulation.program import CityProgram, free_port

ELSEWHERE = ("/usr/sbin", "/usr/local/sbin")        # not on everybody's PATH


def broker(folder: Path, authority: Authority) -> tuple[CityProgram, int]:
    """A broker that is not started yet, and its port. Raises SimulationFault."""
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), *ELSEWHERE))
    if (mosquitto := shutil.which("mosquitto", path=path)) is None:
        raise SimulationFault("there is no mosquitto to simulate with: apt install mosquitto")
    folder.mkdir()
    port, config = free_port(), folder / "mosquitto.conf"
    config.write_text(_configuration(folder, port, authority))
    return CityProgram("mosquitto", [mosquitto, "-c", config], port, folder / "mosquitto.log"), port


def _configuration(folder: Path, port: int, authority: Authority) -> str:
    rights, own = folder / "acl", authority.issue("broker")
    try:
        rights.write_text(template("acl.in", WARD))
        text = template("mosquitto.conf")
    except OSError as error:
        raise SimulationFault(f"{error.filename}: {error.strerror}") from error
    rights.chmod(0o600)
    for theirs, ours in (
            ("listener 8883", f"listener {port} {HOST}"), ("/etc/taimat-ward/public/ca.pem", authority.ca),
            ("/etc/taimat-ward/keys/broker.pem", own), ("/etc/taimat-ward/keys/broker.key", own),
            ("/etc/taimat-ward/public/crl.pem", authority.crl), ("/etc/taimat-ward/mosquitto.acl", rights)):
        if theirs not in text:
            raise SimulationFault(f"mosquitto.conf has no {theirs!r} that could be replaced for a simulation")
        text = text.replace(theirs, str(ours))
    return f"{text}\nuser {getpass.getuser()}\npersistence true\npersistence_location {folder}/\nlog_dest stderr\n"
