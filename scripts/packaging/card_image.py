"""A card's image for Raspberry Pi Imager: the system's own, with a recorder's files on its boot partition.

Imager puts its own user-data, network-config and meta-data onto the card if somebody fills in its form. So the
installation is in vendor-data, too, which cloud-init reads from the same place and Imager leaves alone.
"""
import hashlib
import json
import lzma
import os
import re
import shlex
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

SECTOR_B, TABLE_B = 512, 446
FAT_KINDS = (0x06, 0x0B, 0x0C, 0x0E)
FOLDER = "taimat"
UNIT = "/etc/systemd/system/taimat-from-card.service"
ON_CARD = re.compile(r"taimat(_.+_arm64|-board_.+_all)\.deb")
WRITTEN = re.compile(r'^- path: (\S+)\n(?:  permissions: "(\d+)"\n)?  content: \|\n((?:    .*\n|\n)+)', re.MULTILINE)
COMMANDS = re.compile(r"^runcmd:\n((?:- \[.*\]\n)+)", re.MULTILINE)
# What Imager calls the boards: a Zero 2 W is of the kind of a 3.
BOARDS = {"Raspberry Pi 5": "pi5-64bit", "Raspberry Pi 4": "pi4-64bit", "Raspberry Pi 3, Zero 2 W": "pi3-64bit"}
XZ_LEVEL, XZ_FAST_LEVEL = 6, 0


class NoImage(Exception):
    """No image can be made; the text says why."""


def make(base: Path, target: Path, found: Mapping[str, bytes], moment_s: int, is_fast: bool) -> dict[str, object]:
    """Write the packed image to `target`: `base` with the files `found` on its boot partition. Raises NoImage.

    Returns sizes and digests as Imager's list has them.
    """
    with tempfile.TemporaryDirectory(dir=target.parent) as place:
        image = Path(place, "image")
        with _unpacked(base) as file, image.open("wb") as out:
            shutil.copyfileobj(file, out)
        _lay(image, found, moment_s)
        with image.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            with lzma.open(target, "wb", preset=XZ_FAST_LEVEL if is_fast else XZ_LEVEL) as out:
                shutil.copyfileobj(file, out)
        size_b = image.stat().st_size
    with target.open("rb") as file:
        packed_digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"extract_size": size_b, "extract_sha256": digest,
            "image_download_size": target.stat().st_size, "image_download_sha256": packed_digest}


def listed(url: str, version: str, sums: Mapping[str, object], moment_s: int) -> bytes:
    """The repository for Imager: `url` is the folder of the release, and `sums` what `make` has returned."""
    devices = [{"name": name, "description": name, "icon": f"{url}/icon.svg", "tags": [tag], "default": False,
                "matching_type": "exclusive"} for name, tag in BOARDS.items()]
    image = {"name": f"Taimat {version}",
             "description": "Video recorder that a household owns, on Raspberry Pi OS Lite",
             "url": f"{url}/taimat_{version}.img.xz", "icon": f"{url}/icon.svg", **sums,
             "release_date": f"{datetime.fromtimestamp(moment_s, UTC):%Y-%m-%d}", "devices": [*BOARDS.values()],
             "init_format": "cloudinit-rpi", "architecture": "armv8"}
    return json.dumps({"imager": {"devices": devices}, "os_list": [image]}, indent=1).encode()


def files(source: Path, debs: Mapping[str, bytes]) -> dict[str, bytes]:
    """What lies on the boot partition: as by `taimat card make` without Wi-Fi and without a code."""
    templates = {path.name: path.read_text() for path in (source / "firmware_cfg/card").iterdir()}
    templates["network-config"] = templates["network-config"].partition("  wifis:\n")[0]
    templates["vendor-data"] = vendor_data(templates["user-data"])
    return {**{name: text.encode() for name, text in templates.items()},
            **{f"{FOLDER}/{name}": data for name, data in debs.items() if ON_CARD.fullmatch(name)}}


def vendor_data(user_data: str) -> str:
    """A script that does what `user_data` would install, unless cloud-init has done so already."""
    lines = ["#!/bin/sh", "# The installation of user-data, for cards whose user-data Raspberry Pi Imager has written.",
             f"[ ! -e {UNIT} ] || exit 0"]
    for path, mode, body in WRITTEN.findall(user_data):
        text = re.sub(r"^    ", "", body, flags=re.MULTILINE).rstrip("\n")
        lines += [f"cat >{path} <<'END-OF-FILE'", text, "END-OF-FILE", f"chmod {mode or '0644'} {path}"]
    for command in COMMANDS.search(user_data)[1].splitlines():
        lines.append(shlex.join(command.removeprefix("- [").removesuffix("]").split(", ")))
    return "\n".join(lines) + "\n"


@contextmanager
def _unpacked(base: Path) -> Iterator[BinaryIO]:
    with (lzma.open(base) if base.suffix == ".xz" else base.open("rb")) as file:
        yield file


def _lay(image: Path, found: Mapping[str, bytes], moment_s: int) -> None:
    """Write these files to the image's FAT partition, with that time. Raises NoImage."""
    drive = f"{image}@@{_start_b(image)}"
    _run(moment_s, "mdir", "-i", drive, "::/config.txt")
    with tempfile.TemporaryDirectory() as place:
        for name in sorted({*found, FOLDER}):
            path = Path(place, name)
            if name == FOLDER:
                _run(moment_s, "mmd", "-i", drive, f"::/{FOLDER}")
                path.mkdir()
            else:
                path.write_bytes(found[name])
                os.utime(path, (moment_s, moment_s))
                _run(moment_s, "mcopy", "-m", "-o", "-i", drive, str(path), f"::/{name}")


def _start_b(image: Path) -> int:
    """Where the FAT partition begins. Raises NoImage."""
    with image.open("rb") as file:
        sector = file.read(SECTOR_B)
    for at in range(TABLE_B, TABLE_B + 64, 16):
        if sector[510:] == b"\x55\xaa" and sector[at + 4] in FAT_KINDS:
            return struct.unpack_from("<I", sector, at + 8)[0] * SECTOR_B
    raise NoImage("--base-image: has no FAT partition in an MBR: is it the image of a card?")


def _run(moment_s: int, *words: str) -> None:
    try:
        done = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                              env={**os.environ, "SOURCE_DATE_EPOCH": str(moment_s), "TZ": "UTC", "LC_ALL": "C",
                                   "MTOOLS_SKIP_CHECK": "1"})
    except OSError as error:
        raise NoImage(f"{words[0]}: {error.strerror}; on Debian: sudo apt install mtools") from error
    if done.returncode:
        raise NoImage(f"--base-image: {' '.join(done.stderr.split())}")
