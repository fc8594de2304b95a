"""A mosquitto of our own on the loopback: the one on this machine, else Debian's, unpacked into the cache.

A broker in Python would be simpler to bring along, but the link speaks MQTT 5, and amqtt 0.12 knows 3.1.1 only.
"""
import getpass
import os
import shutil
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from agent.cli.demo.debian import Apt, NotToBeHad, unpack
from agent.host.prctl import die_with_parent

ELSEWHERE = ("/usr/sbin", "/usr/local/sbin", "/usr/local/bin")     # not on everybody's PATH
START_S = 10.0
END_S = 3.0


@dataclass(frozen=True, slots=True)
class MosquittoProgram:
    """A mosquitto and where its libraries are, if not in the system."""

    path: Path
    libraries: str = ""


def find(cache: Path) -> MosquittoProgram:
    """A mosquitto that can be started here; downloads one if need be. Raises NotToBeHad."""
    path = os.environ.get("PATH", os.defpath)
    if found := shutil.which("mosquitto", path=os.pathsep.join((path, *ELSEWHERE))):
        return MosquittoProgram(Path(found))
    home = cache / "mosquitto"
    if not (home / "usr/sbin/mosquitto").exists():
        apt = Apt(cache)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            unpacked = Path(folder) / "unpacked"
            for package in apt.fetch(apt.needed("mosquitto"), Path(folder)):
                unpack(package, unpacked)
            shutil.rmtree(home, ignore_errors=True)
            unpacked.rename(home)
    libraries = os.pathsep.join(str(each) for each in (home / "usr/lib").glob("*-linux-gnu*"))
    return MosquittoProgram(home / "usr/sbin/mosquitto", libraries)


class Broker:
    """A running mosquitto; close it."""

    def __init__(self, program: MosquittoProgram, folder: Path, rights: str = "allow_anonymous true\n") -> None:
        """Start it on a free port; `rights` are lines of its configuration. Raises NotToBeHad if it fails."""
        self.port = free_port(0)
        config = folder / "mosquitto.conf"
        config.write_text(f"listener {self.port} 127.0.0.1\npersistence false\nuser {getpass.getuser()}\n{rights}")
        environment = os.environ | ({"LD_LIBRARY_PATH": program.libraries} if program.libraries else {})
        self._log = folder / "mosquitto.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [program.path, "-c", config], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
                start_new_session=True, preexec_fn=die_with_parent)
        self._wait()

    def _wait(self) -> None:
        until_s = time.monotonic() + START_S
        while time.monotonic() < until_s and self._process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        self.close()
        said = self._log.read_text(errors="replace").strip().splitlines()
        raise NotToBeHad(f"mosquitto does not start: {said[-1] if said else 'it said nothing'}")

    def close(self) -> None:
        end(self._process, END_S)


def end(process: subprocess.Popen[bytes], within_s: float) -> None:
    """Stop it in order, or at once when it does not listen; harmless when it has ended."""
    process.terminate()
    try:
        process.wait(within_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port(preferred: int) -> int:
    """`preferred` if nobody listens there on the loopback, else any port that is free now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", preferred))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
