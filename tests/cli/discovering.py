"""`taimat discover` as the tests call it: as user admin, the password in a file."""
import json
import subprocess
from pathlib import Path

from tests.cli.cli import taimat_process
from tests.rigs.cameras.onvif import OnvifCamera
from tests.rigs.cameras.rtsp_door import RtspDoor


def ask(home: Path, *arguments: object, password: str = "right") -> subprocess.CompletedProcess[str]:
    """What it printed for people."""
    (home / "password").write_text(f"{password}\n")
    return taimat_process(home, "discover", "--user", "admin", "--password-file", home / "password", *arguments)


def ask_json(home: Path, *arguments: object, password: str = "right") -> list[dict]:
    """What it printed for programs, one a camera."""
    return [json.loads(line) for line in ask(home, "--json", *arguments, password=password).stdout.splitlines()]


def at(*machines: OnvifCamera | RtspDoor) -> list[str]:
    """The options that name these machines, port and all."""
    return [word for each in machines for word in ("--at", f"{each.address}:{each.port}")]
