"""The package `taimat`: which file of the checkout and of the wheels lies where on a device."""
import hashlib
import json
import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.packaging.archive import Entry, Files, ar, gzip, packed, tar
from scripts.packaging.deb import DEBIAN, Package, changelog, completions, manual, scripts
from scripts.packaging.units import units

if TYPE_CHECKING:
    from scripts.packaging.signer import Signer

HOME = "usr/lib/taimat"
TOLD_FILE, SIGNATURE_FILE, KEY_FILE = "release.json", "release.sig", "release.pem"
PYTHON = "3.11"                 # the oldest that setup.cfg allows
# Which cameras there are, and whether there is a ward, says the configuration: root's part of set-up starts these.
BY_CONFIGURATION = ("taimat-link.service", "taimat-capture-network.service", "taimat-capture@.service")
# What a recorder never reads: stubs, Cython's declarations, trained classifiers.
LEFT_OUT = (".pyi", ".pxd", ".pyx", ".xml", "py.typed")
DOC = "usr/share/doc/taimat"

RELATIONS = {
    "Depends": ", ".join((
        "python3 (>= 3.13)", "python3-numpy (>= 1:2.2)", "python3-paho-mqtt (>= 2.1)", "python3-psutil (>= 7.0)",
        "python3-msgspec (>= 0.19)", "python3-cryptography (>= 43)", "python3-starlette (>= 0.46)",
        "python3-uvicorn (>= 0.32)", "python3-jinja2 (>= 3.1)", "python3-typer (>= 0.15)", "python3-rich (>= 13.9)",
        "python3-segno (>= 1.6)", "python3-tomlkit (>= 0.13)", "libc6 (>= 2.28)", "libstdc++6 (>= 8)",
        "zlib1g", "sqlite3", "avahi-daemon", "systemd (>= 257)")),
    # Masks of a Pi camera are safe from that version on; the agent looks at the one that it finds, too.
    "Recommends": "python3-picamera2 (>= 0.3.33), unattended-upgrades",
    # Notifications; cloud-init's files, which `taimat card check` reads.
    "Suggests": "taimat-board, apprise (>= 1.9.3), python3-yaml"}
SUMMARY = "video recorder that a household owns and a ward can rely on"
DESCRIPTION = """
Records the cameras of a house: those of a Raspberry Pi, of USB, and in the network (RTSP). It looks for motion, keeps
the video for as long as the household wants, and shows it on a page for the phone in the same network. What a ward may
know, the household decides; by default nothing.

FFmpeg's and OpenCV's libraries for Python lie in a folder of the package's own; everything else is Debian's. Newer
versions come by apt or by the recorder's own signed updates, are tried, and taken back if they are not well.
"""


def build(source: Path, architecture: str, wheels: Iterable[Path], weights: Path, version: str, moment_s: int,
          signer: "Signer | None" = None) -> Package:
    """The package of the checkout `source`, with the folder `weights` (packaging.weights) among its libraries.

    Without a signer it is fine for apt, and no device's updater takes it.
    """
    trees = {"agent": dict(code(source)), "libraries": {**dict(libraries(wheels)), **dict(beneath(weights))}}
    told = release(source, trees, architecture, version, signer)
    files = {f"{HOME}/{TOLD_FILE}": Entry(told),
             **{f"{HOME}/{tree}/{path}": Entry(data) for tree, found in trees.items() for path, data in found.items()},
             **units(source / "systemd", BY_CONFIGURATION), **beside(source, wheels, version, moment_s)}
    signed = signer.signed(told) if signer else ()
    if signer:
        files |= {f"{HOME}/{SIGNATURE_FILE}": Entry(signed[1][1]), f"{HOME}/{KEY_FILE}": Entry(signer.public())}
    return Package(name="taimat", version=version, architecture=architecture, summary=SUMMARY, files=files,
                   description=DESCRIPTION, relations=RELATIONS, scripts=scripts(DEBIAN / "recorder"), members=signed)


def light(package: Package, moment_s: int, is_fast: bool) -> bytes:
    """The release for a device that has these libraries already: the code alone."""
    code = {path: entry for path, entry in package.files.items() if path.startswith(f"{HOME}/agent/")}
    return ar([("debian-binary", b"2.0\n"), *package.members, packed(tar(code, moment_s), is_fast)], moment_s)


def release(source: Path, trees: dict[str, dict[str, bytes]], architecture: str, version: str,
            signer: "Signer | None") -> bytes:
    """`release.json`; a signed one tells by which keys later ones will be."""
    needs = {"python": PYTHON, "schema": number(source / "agent/store/schema.py", "READABLE_FROM"),
             "units": number(source / "agent/core/release.py", "UNITS")}
    told = {"v": 2, "version": version, "architecture": architecture, "needs": needs,
            "trees": {name: digest(files) for name, files in trees.items()}}
    return json.dumps({**told, "keys": signer.keys} if signer else told, indent=1).encode()


def number(module: Path, name: str) -> int:
    """A constant of the checkout's, which need not be the code that runs here."""
    return int(re.search(rf"^{name} = (\d+)\b", module.read_text(), re.MULTILINE)[1])


def digest(files: dict[str, bytes]) -> str:
    """As agent/core/release.py has it, whose libraries a maker of packages need not have."""
    lines = (f"{hashlib.sha256(files[path]).hexdigest()}  {path}\n" for path in sorted(files, key=str.encode))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def code(source: Path) -> Iterator[tuple[str, bytes]]:
    """The agent's files without the ward's end, by their path in `agent`."""
    agent = source / "agent"
    for path in sorted(agent.rglob("*")):
        name = path.relative_to(agent)
        if path.is_file() and name.parts[0] != "ward" and not {"__pycache__", "build"} & {*name.parts}:
            yield str(name), path.read_bytes()


def libraries(wheels: Iterable[Path]) -> Iterator[tuple[str, bytes]]:
    """What the wheels bring to the recorder, without what only builders and readers need."""
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as packed:
            names = {info.filename for info in packed.infolist() if not info.is_dir()}
            yield from ((name, packed.read(name)) for name in sorted(names) if _is_read(name, names))


def beneath(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below `folder`, by its path there."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(folder)), path.read_bytes()


def _is_read(name: str, names: set[str]) -> bool:
    is_doubled = name.endswith(".py") and name.removesuffix(".py") + ".abi3.so" in names   # compiled, and so imported
    return not (is_doubled or name.endswith(LEFT_OUT) or name.split("/")[0].endswith(".dist-info") or "LICENSE" in name)


def licences(wheels: Iterable[Path]) -> Iterator[tuple[str, bytes]]:
    """The wheels' own licence files, named after the library."""
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as packed:
            for name in packed.namelist():
                if "LICENSE" in name and name.split("/")[0].endswith(".dist-info"):
                    yield f"{wheel.name.split('-')[0]}-{name.rpartition('/')[2]}", packed.read(name)


def beside(source: Path, wheels: Iterable[Path], version: str, moment_s: int) -> Files:
    """The command, its completion and manual page, and the papers."""
    papers = {path.name: path.read_bytes() for path in (DEBIAN / "recorder").iterdir()}
    return {
        "usr/bin/taimat": Entry(link="/opt/taimat/current/bin/taimat"),
        **completions(papers["completion"]),
        "usr/share/man/man1/taimat.1.gz": Entry(manual(papers["taimat.1"], version, moment_s)),
        "usr/share/lintian/overrides/taimat": Entry(papers["overrides"]),
        f"{DOC}/copyright": Entry(papers["copyright"]),
        f"{DOC}/changelog.gz": Entry(changelog("taimat", version, source, moment_s)),
        **{f"{DOC}/{name}.gz": Entry(gzip(data)) for name, data in licences(wheels)}}
