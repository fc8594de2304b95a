"""Packages of this very checkout, made once as long as nothing that goes into them changes.

Weakly packed, signed by a key of the tests. A later version is the same code with another number; one that shall not
work has a line more.
"""
import fcntl
import hashlib
import os
import platform
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from scripts.packaging import maker, recorder, signer, weights, wheels

REPO = Path(__file__).resolve().parents[3]
MACHINE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), "")
INGREDIENTS = ("agent", "systemd", "firmware_cfg", "scripts/packaging", "requirements.lock", "CHANGELOG.md")
MOMENT_S = 1_795_000_000
KEPT_N, KEPT_S = 8, 7200.0  # packages of earlier checkouts; another run may be at work with one that is young


class Edit(NamedTuple):
    """In a file of the checkout, one text takes another's place."""

    path: str
    was: str
    then: str


# Versions for tests judge sooner; nothing else about them is another.
SOONER = Edit("agent/privileged/update/root.py", "pace: TrialPace = TrialPace()",
              "pace: TrialPace = TrialPace(listen_s=11.0, started_s=8.0, settle_s=4.0, deadline_s=40.0)")
BROKEN = Edit("agent/keeper/__main__.py", "from ", "raise SystemExit('this keeper does not work')\nfrom ")


class Packaged(NamedTuple):
    """The files of one version, and the public key that its signature is checked by."""

    version: str
    deb: Path
    update: Path        # the code alone
    board: Path
    ward: Path
    public: Path


def packaged(version: str = "", machine: str = MACHINE, edit: Edit | None = None, is_light: bool = False) -> Packaged:
    """This checkout, edited, as packages of that version, or of its own; `machine` is Debian's word for a processor.

    `is_light`: the light release alone, in a fifth of the time. Raises NoWheel where the wheels can't be had.
    """
    if not machine:
        raise wheels.NoWheel(f"no package is made for {platform.machine()}")
    version = version or maker.version(REPO)
    cache = wheels.cache() / "packages"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)            # tests run side by side
        _forget(cache)
        if not (cache / "release.key.next").exists():
            signer.new(cache / "release.key")
        folder = cache / f"{version}-{machine}{'-light' * is_light}-{_digest(edit)}"
        if not folder.is_dir():
            _make(folder, version, machine, edit, cache / "release.key", is_light)
        os.utime(folder)
    name = f"taimat_{version}_{machine}"
    return Packaged(version, folder / f"{name}.deb", folder / f"{name}.update",
                    folder / f"taimat-board_{version}_all.deb", folder / f"taimat-ward_{version}_all.deb",
                    cache / "release.pem")


def _make(folder: Path, version: str, machine: str, edit: Edit | None, key: Path, is_light: bool) -> None:
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    source = part / "source"
    for name in INGREDIENTS:
        if (REPO / name).is_dir():
            shutil.copytree(REPO / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif (REPO / name).exists():
            shutil.copy(REPO / name, source / name)
    number = Edit("agent/__init__.py", f'"{maker.version(REPO)}"', f'"{version}"')
    for each in (number, edit) if edit else (number,):
        text = (source / each.path).read_text()
        assert each.was in text, each
        (source / each.path).write_text(text.replace(each.was, each.then, 1))
    recipe = maker.Recipe(source, version, MOMENT_S, signer.read(key, MOMENT_S), is_fast=True)
    whole = {} if is_light else {**recipe.recorder(machine), **recipe.board(), **recipe.ward()}
    for name, data in (whole or _light(recipe, machine)).items():
        (part / name).write_bytes(data)
    shutil.rmtree(source)
    part.rename(folder)


def _light(recipe: maker.Recipe, machine: str) -> dict[str, bytes]:
    package = recorder.build(recipe.source, machine, wheels.fetched(machine), weights.fetched(), recipe.version,
                             MOMENT_S, recipe.signer)
    return {f"{package.file.removesuffix('.deb')}.update": recorder.light(package, MOMENT_S, recipe.is_fast)}


def _digest(edit: Edit | None) -> str:
    """Of all that goes into a package of this checkout."""
    whole = hashlib.sha256(repr(edit).encode())
    for path in sorted(_ingredients()):
        whole.update(f"{path.relative_to(REPO)} {path.stat().st_size}\n".encode() + path.read_bytes())
    return whole.hexdigest()[:16]


def _ingredients() -> Iterator[Path]:
    for name in INGREDIENTS:
        for path in (REPO / name, *(REPO / name).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path


def _forget(cache: Path) -> None:
    made = sorted(((folder.stat().st_mtime, folder) for folder in cache.iterdir() if folder.is_dir()), reverse=True)
    for touched_s, folder in made[KEPT_N:]:
        if time.time() - touched_s > KEPT_S:
            shutil.rmtree(folder, ignore_errors=True)
