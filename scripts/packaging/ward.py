"""The package `taimat-ward`: what a ward's machine needs, and no part of a recorder beyond what that imports."""
from collections.abc import Iterator
from pathlib import Path

from scripts.packaging.archive import Entry, Files, gzip
from scripts.packaging.closure import closure
from scripts.packaging.deb import DEBIAN, Package, changelog, completions, manual, scripts
from scripts.packaging.units import units

NAME = "taimat-ward"
HOME = f"usr/lib/{NAME}"
DOC = f"usr/share/doc/{NAME}"
# What somebody types there: `taimat ward ...`, and the check of what a household has delivered.
COMMANDS = ("agent/__main__", "agent/ward", "agent/cli/verify")
# Where a checkout has the check of devices and ingests; it is laid beside `agent`.
CONFORMANCE = "scripts/conformance"
BUILDERS = ("pyproject.toml",)
# Whether there is a city says the configuration: its owner enables this one.
BY_CONFIGURATION = ("ward-taimat-forward.service",)

RELATIONS = {
    "Depends": ", ".join((
        "python3 (>= 3.13)", "python3-anyio (>= 4.8)", "python3-cryptography (>= 43)", "python3-jinja2 (>= 3.1)",
        "python3-msgspec (>= 0.19)", "python3-paho-mqtt (>= 2.1)", "python3-prometheus-client (>= 0.21)",
        "python3-reportlab (>= 4.3)", "python3-rich (>= 13.9)", "python3-segno (>= 1.6)",
        "python3-sqlalchemy (>= 2.0.40)", "python3-starlette (>= 0.46)", "python3-typer (>= 0.15)",
        "python3-uvicorn (>= 0.32)", "fonts-dejavu-core", "mosquitto (>= 2.0.21)", "nginx (>= 1.26)", "openssl",
        "sqlite3", "systemd (>= 257)",
        # For cards and their images.
        "python3-yaml (>= 6.0)", "mtools", "fdisk")),
    "Recommends": "unattended-upgrades",
    "Suggests": "mosquitto-clients, prometheus, python3-psycopg (>= 3.2)",
    # Both are the command taimat; a recorder is a household's, and no place for a ward's keys.
    "Conflicts": "taimat"}
SUMMARY = "ward's end of Taimat: authority, broker, database and desk"
DESCRIPTION = """
Takes in what the recorders of a ward tell, by their households' leave: which are there and well, what happened, and the
footage that was asked for. It makes the certificates by which recorders belong to the ward, and throws them out again.

Broker and proxy are Debian's mosquitto and nginx. After the installation, taimat ward init makes keys, certificates and
all configuration, and starts everything.
"""


def build(source: Path, version: str, moment_s: int) -> Package:
    """The package of the checkout `source`."""
    papers = {path.name: path.read_bytes() for path in (DEBIAN / "ward").iterdir()}
    files: Files = {
        **{f"{HOME}/{path}": Entry(data) for path, data in code(source)},
        **{f"usr/share/{NAME}/{path.name}": Entry(path.read_bytes())
           for path in (source / "firmware_cfg/ward").iterdir() if path.suffix not in ("", ".md")},
        **{f"usr/share/{NAME}/card/{path.name}": Entry(path.read_bytes())
           for path in (source / "firmware_cfg/card").iterdir()},
        **units(source / "systemd/ward", BY_CONFIGURATION),
        "usr/bin/taimat": Entry(papers["taimat"], 0o755),
        "usr/bin/taimat-conformance": Entry(papers["taimat-conformance"], 0o755),
        **completions(),
        "usr/share/man/man1/taimat.1.gz": Entry(manual(papers["taimat.1"], version, moment_s)),
        "usr/share/man/man1/taimat-conformance.1.gz": Entry(gzip(b".so man1/taimat.1\n")),
        f"usr/share/lintian/overrides/{NAME}": Entry(papers["overrides"]),
        f"{DOC}/copyright": Entry(papers["copyright"]),
        f"{DOC}/changelog.gz": Entry(changelog(NAME, version, source, moment_s))}
    return Package(name=NAME, version=version, architecture="all", summary=SUMMARY, description=DESCRIPTION,
                   relations=RELATIONS, files=files, scripts=scripts(DEBIAN / "ward"))


def code(source: Path) -> Iterator[tuple[str, bytes]]:
    """The files of the ward's commands and of all that they import, with the data beside them, by their path."""
    check = source / CONFORMANCE
    tool = _python(check / "taimat_conformance")
    modules = closure(source, [*tool, *(path for name in COMMANDS for path in _python(source / name))]) - {*tool}
    packages = {path.parent for path in modules if path.name == "__init__.py"}
    data = [path for path in (source / "agent").rglob("*")
            if path.is_file() and path.suffix != ".py" and path.name not in BUILDERS
            and not {"__pycache__", "build"} & {*path.relative_to(source).parts} and _owner(path) in packages]
    for path in sorted({*modules, *data}):
        yield str(path.relative_to(source)), path.read_bytes()
    for path in sorted(tool):
        yield str(path.relative_to(check)), path.read_bytes()


def _python(place: Path) -> list[Path]:
    """A module's file, or all files of a package."""
    alone = place.with_suffix(".py")
    return [alone] if alone.exists() else [*place.rglob("*.py")]


def _owner(path: Path) -> Path:
    """The package that a file belongs to."""
    return next(folder for folder in path.parents if (folder / "__init__.py").exists())
