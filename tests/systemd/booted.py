"""A booted machine with the agent under its units: its names, what is installed on it, and questions to its page."""
import contextlib
import json
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from agent.store.clips import newest
from agent.store.database import StoreError, connect
from agent.store.folders import Folders
from tests.rigs.cameras import footage
from tests.rigs.house.phone import dial_within
from tests.rigs.wait import until
from tests.systemd.machine import Machine, NoMachine

ROOT = Path(__file__).parents[2]
STORE, SETTINGS = "/var/lib/taimat", "/etc/taimat/taimat.toml"
NETWORK, CAMERA = "taimat-capture-network.service", "taimat-capture@gate.service"
KEEPER, LINK, WEB = "taimat-keeper.service", "taimat-link.service", "taimat-web.service"
OTHERS = (KEEPER, LINK, WEB)
SETUP, PATHS = "setup-taimat.service", ("setup-taimat.path", "setup-taimat-news.path")
ISSUE = "/run/issue.d/taimat.issue"
BROKER, SUBSCRIBER = "broker.service", "subscriber.service"
LIBRARIES = "av, cv2, jinja2, msgspec, paho.mqtt, psutil, rich, starlette, typer, uvicorn"
CONFIG = """
[[camera]]
name = "gate"
source = "file:/srv/gate.mp4"
loop = true
record = "continuous"

[ward]
enabled = true
host = "localhost"
port = 1883
tls = false
delivery = "puback"
"""
# The units wait longer; here the mechanism is tried. Enough for a role that is late because the tests' machine is busy.
IMPATIENT = "[Service]\nWatchdogSec=12\nTimeoutAbortSec=2\n"
SERVICE = ("[Unit]\nStartLimitIntervalSec=0\n"      # the loopback device may come up late
           "[Service]\nExecStart={}\nRestart=on-failure\nRestartSec=100ms\nDynamicUser=yes\n"
           "[Install]\nWantedBy=multi-user.target\n")
COOKIE = "root/cookie"


def demand_libraries() -> None:
    """Raises NoMachine with what is missing of that which the agent imports on a device."""
    programs = {"/usr/sbin/mosquitto": "mosquitto", "/usr/bin/mosquitto_sub": "mosquitto-clients"}
    lacking = [package for path, package in programs.items() if not Path(path).exists()]
    tried = subprocess.run(["/usr/bin/python3", "-c", f"import {LIBRARIES}"], capture_output=True, text=True)
    if tried.returncode:
        lacking.append(tried.stderr.strip().rpartition("\n")[2])
    if lacking:
        raise NoMachine(f"Debian's packages are incomplete, see scripts/test: {', '.join(lacking)}")


def furnish(machine: Machine, agent: Path = ROOT / "agent", version: str = "0.1.0",
            units: Sequence[str] = (NETWORK, *OTHERS, BROKER, SUBSCRIBER)) -> None:
    """Install the agent, a file that plays the camera, a broker and somebody who listens there; `units` start at boot.
    """
    machine.borrow("/usr", "/etc/alternatives")
    machine.install(agent, version)
    shutil.copy(footage.clip(640, 360, 10, 10, 500), machine.root / "srv/gate.mp4")
    machine.write(SETTINGS, CONFIG)
    machine.write("/etc/systemd/system/taimat-.service.d/90-impatient.conf", IMPATIENT)
    machine.write("/etc/systemd/system/taimat-link.service.d/50-allow.conf", "[Service]\nIPAddressAllow=localhost\n")
    machine.write(f"/etc/systemd/system/{BROKER}", SERVICE.format("/usr/sbin/mosquitto -p 1883"))
    machine.write(f"/etc/systemd/system/{SUBSCRIBER}", SERVICE.format("/usr/bin/mosquitto_sub -V 5 -t # -v"))
    machine.enable("taimat.target", *units)


def clips(machine: Machine) -> list[dict[str, Any]]:
    """Finished clips, oldest first, as `taimat clips list` shows them.

    They are read from outside: a start of the command costs as much as the roles do in seconds.
    """
    folders = Folders(machine.root / STORE.lstrip("/"))
    try:
        with closing(connect(folders.root, read_only=True)) as db:
            shown = [*newest(db, None)][::-1]
    except (StoreError, sqlite3.OperationalError):
        return []           # no role has made it yet
    return [{**asdict(clip), "file": f"/{folders.clip(clip.seq, clip.name).relative_to(machine.root)}"}
            for clip in shown]


def ask_page(machine: Machine, method: str, path: str, body: str = "") -> tuple[int, str, bytes]:
    """Status, place to go on and body: what the page answers to a browser on the machine, whose cookie is in COOKIE.

    The browser is this process, in the machine's network. Raises OSError and HTTPException.
    """
    cookie = machine.root / COOKIE
    known = {"Cookie": cookie.read_text()} if cookie.exists() else {}
    with closing(HTTPConnection("localhost", 8088)) as line:
        line.sock = dial_within(int(machine.leader), "127.0.0.1")(8088)
        line.request(method, path, body or None, {"Origin": "http://localhost:8088", **known})
        answer = line.getresponse()
        if given := answer.getheader("set-cookie"):
            cookie.write_text(given.partition(";")[0])
        return answer.status, answer.getheader("location", ""), answer.read()


def browse(machine: Machine, method: str, path: str, body: str = "") -> str:
    """Status, place to go on and text of the page's answer; "" while there is none: it restarts with a change."""
    try:
        status, goal, text = ask_page(machine, method, path, body)
    except (OSError, HTTPException):
        return ""
    return f"{status} {goal} {text.decode()}"


def pair(machine: Machine) -> None:
    """Have the browser let in by a link, if the page answers."""
    link = machine.run("taimat", "pair", "--link", "-c", SETTINGS, check=False).strip()
    browse(machine, "GET", re.sub("^https?://[^/]*", "", link) or "/")


def fetch(machine: Machine, address: str) -> bytes:
    """What the page answers to a browser that a link lets in; b"" while it does not."""
    if not (machine.root / COOKIE).exists():
        pair(machine)
    with contextlib.suppress(OSError, HTTPException):
        status, _, data = ask_page(machine, "GET", address)
        return data if status == HTTPStatus.OK else b""
    return b""


def health(machine: Machine) -> dict[str, Any]:
    """The page's newest look at the device; empty before the first one."""
    with contextlib.suppress(ValueError):
        return json.loads(fetch(machine, "/health.json"))
    return {}


def conditions(machine: Machine) -> dict[str, str | None]:
    """Codes of what the page's newest look has found, with their details."""
    return {each["code"]: each["detail"] for each in health(machine).get("conditions", ())}


def open_parts(machine: Machine) -> list[tuple[Path, int]]:
    """Files of the clips that are being written, and their sizes in bytes."""
    found = []
    for part in (machine.root / STORE.lstrip("/") / "clips").glob("*/*.part"):
        with contextlib.suppress(FileNotFoundError):        # it may just get its final name
            found.append((part, part.stat().st_size))
    return found


def stem(part: Path) -> str:
    """The clip's name, from its file."""
    return part.name.removesuffix(".mp4.part")


def until_recording(machine: Machine, but: Path | None = None) -> Path:
    """Wait until a clip other than `but` is open and has pictures on the card; returns its file."""
    def grown() -> list[Path]:
        return [part for part, size_b in open_parts(machine) if part != but and size_b > 100_000]
    until(lambda: bool(grown()), "recording")
    return grown()[0]
