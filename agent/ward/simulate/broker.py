"""The ward's broker: a real mosquitto with the very configuration and rights of firmware_cfg/ward.

It stands alone, as the ingest does: each program of the simulation is one file.
"""
import getpass
import os
import shutil
from pathlib import Path

from agent.ward.simulate.pki import Authority
from agent.ward.simulate.plan import HOST, WARD, SimulationFault
from agent.ward.simulate.program import CityProgram, free_port

FILES = Path(__file__).resolve().parents[3] / "firmware_cfg" / "ward"
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
    rights.write_text(_read("acl.in").replace("@WARD@", WARD))
    rights.chmod(0o600)
    text = _read("mosquitto.conf")
    for theirs, ours in (
            ("listener 8883", f"listener {port} {HOST}"), ("/etc/mosquitto/taimat/ward-ca.pem", authority.ca),
            ("/etc/mosquitto/taimat/broker.pem", own), ("/etc/mosquitto/taimat/broker.key", own),
            ("/etc/mosquitto/taimat/crl.pem", authority.crl), ("/etc/mosquitto/taimat.acl", rights),
            ("/var/lib/mosquitto/", f"{folder}/")):
        if theirs not in text:
            raise SimulationFault(f"{FILES}/mosquitto.conf: has no {theirs!r} that could be replaced for a simulation")
        text = text.replace(theirs, str(ours))
    return f"{text}\nuser {getpass.getuser()}\nlog_dest stderr\n"


def _read(name: str) -> str:
    try:
        return (FILES / name).read_text()
    except OSError as error:
        raise SimulationFault(f"{FILES / name}: {error.strerror}; simulate from a checkout of Taimat's sources, which "
                              "has the broker's configuration") from error
