"""The cameras on this machine, by what the kernel and udev have written down: no device is opened.

A name comes from whoever made the camera, and what is plugged in may say anything: it becomes a title only as far as
the settings take it.
"""
import os
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from agent.config.settings import UNPRINTED, Camera
from agent.config.source import is_on_board
from agent.core.contract.setup import LocalCamera

# Image sensors as their drivers call them on their bus: "imx219 10-0010". Lens motors and flashes are dw…, ak…, lm….
SENSOR = re.compile(r"((?:imx|ov|og|os|ar|gc|hi|mt|s5k|mira|irs|vd)\d\w*|arducam[\w-]*) (\d+-[0-9a-f]{4})")
MODULES = {"ov5647": "Camera Module 1", "imx219": "Camera Module 2", "imx708": "Camera Module 3",
           "imx477": "HQ Camera", "imx296": "Global Shutter Camera", "imx500": "AI Camera"}
TITLE_MAX = 40
FIRST_NODE = "-video-index0"        # of a webcam; further nodes of it give no pictures


def find(kernel: Path, devices: Path, cameras: Sequence[Camera]) -> list[LocalCamera]:
    """Those that `kernel` (/sys) and `devices` (/dev) show, and which of `cameras` each of them is."""
    known = {_place(camera.source, devices): camera.name for camera in cameras}
    taken: set[str] = set()
    found = []
    for kind, source, title, detail in (*_sensors(kernel), *_webcams(kernel, devices)):
        title = _unlike(title, taken)
        taken.add(title)
        found.append(LocalCamera(kind=kind, source=source, title=title, detail=detail,
                                 camera=known.get(_place(source, devices), "")))
    return found


def _sensors(kernel: Path) -> Iterator[tuple[str, str, str, str]]:
    """Pi cameras, numbered as libcamera does: by their place on the buses."""
    names = (_read(path / "name") for path in sorted(kernel.glob("class/video4linux/v4l-subdev*")))
    seen = sorted((match[2], match[1]) for name in names if (match := SENSOR.fullmatch(name)))
    for number, (bus, chip) in enumerate(seen):
        module = MODULES.get(chip.partition("_")[0], "Camera")
        yield "picamera", f"picamera:{number}", f"Raspberry Pi {module}", f"{chip} {bus}"


def _webcams(kernel: Path, devices: Path) -> Iterator[tuple[str, str, str, str]]:
    """USB cameras. Codecs and image processors of the board are no USB devices, so udev gives them no such names."""
    links: dict[str, str] = {}
    by_path = [path for path in _names(devices / "v4l/by-path") if "-usb" in path.name]
    for path in (*by_path, *_names(devices / "v4l/by-id")):             # by-id, which stays in another socket, wins
        links[Path(os.path.realpath(path)).name] = f"v4l2:/dev/v4l/{path.parent.name}/{path.name}"
    for node, link in sorted(links.items()):
        detail = _printed(_read(kernel / "class/video4linux" / node / "name"))
        title = detail.partition(":")[0].strip()[:TITLE_MAX].strip() or "Webcam"
        yield "v4l2", link if is_on_board(link) else f"v4l2:/dev/{node}", title, detail


def _names(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{FIRST_NODE}"))


def _read(path: Path) -> str:
    try:
        return path.read_bytes()[:200].decode(errors="replace").strip()
    except OSError:
        return ""


def _printed(name: str) -> str:
    return re.sub(rf"[{UNPRINTED}\ufffd]+", " ", name).strip()


def _unlike(title: str, taken: Collection[str]) -> str:
    """Two cameras of one make: "HD Webcam", "HD Webcam 2"."""
    named, number = title, 1
    while named in taken:
        number += 1
        named = f"{title[:TITLE_MAX - 4]} {number}"
    return named


def _place(source: str, devices: Path) -> str:
    """The same for two ways to name one device."""
    scheme, _, target = source.partition(":/dev/")
    return os.path.realpath(devices / target) if scheme == "v4l2" else source
