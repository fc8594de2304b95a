"""The package taimat-ward: what a ward's machine gets, that it is enough, and that nothing of a recorder's is in it."""
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from agent.cli.card.provision import TEMPLATES
from agent.ward.authority.places import TEMPLATE_FOLDERS
from scripts.packaging import ward
from scripts.packaging.closure import imports
from tests.rigs.machine.packaged import MOMENT_S, REPO
from tests.rigs.wait import HANG_S

DEBIAN = "/usr/bin/python3"
OWN = ("agent", "taimat_conformance")
UNITS = "usr/lib/systemd/system/"
# What Debian calls the package of a library.
LIBRARIES = {"anyio": "anyio", "cryptography": "cryptography", "jinja2": "jinja2", "msgspec": "msgspec",
             "paho": "paho-mqtt", "prometheus_client": "prometheus-client", "psutil": "psutil",
             "reportlab": "reportlab", "rich": "rich", "segno": "segno", "sqlalchemy": "sqlalchemy",
             "starlette": "starlette", "tomlkit": "tomlkit", "typer": "typer", "uvicorn": "uvicorn", "yaml": "yaml"}


@pytest.fixture(scope="module")
def package():
    return ward.build(REPO, "0.3.0", MOMENT_S)


@pytest.fixture(scope="module")
def laid(package, tmp_path_factory) -> Path:
    """Its files, as dpkg lays them."""
    folder = tmp_path_factory.mktemp("laid")
    for path, entry in package.files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        if entry.link:
            (folder / path).symlink_to(entry.link)
        else:
            (folder / path).write_bytes(entry.data)
    return folder


def test_no_role_of_a_recorder_and_none_of_its_units_is_in_it(package):
    rooms = {path.split("/")[4] for path in package.files if path.startswith(f"{ward.HOME}/agent/")}
    assert rooms and not rooms & {"cameras", "capture", "footage", "home", "keeper", "link", "web"}
    commands = {path.split("/")[5] for path in package.files if path.startswith(f"{ward.HOME}/agent/cli/")}
    assert not commands & {"demo", "discover", "doctor", "roles.py", "run.py", "update"}
    units = {path.removeprefix(UNITS) for path in package.files if path.startswith(UNITS)}
    recorders = {path.name for path in (REPO / "systemd").iterdir()}
    assert not {name.split("/")[0] for name in units} & recorders
    assert all(each.split("/")[-1].startswith("ward-taimat") for each in units
               if not each.startswith(("ward-taimat-.service.d/", "mosquitto.service.d/")))
    assert package.relations["Conflicts"] == "taimat"


def test_what_the_code_imports_is_debians_and_asked_for(package, laid):
    found = {name.split(".")[0] for path in (laid / ward.HOME).rglob("*.py") for name in imports(path)}
    needed = set(re.findall(r"python3-([a-z0-9-]+)", package.relations["Depends"]))
    assert {LIBRARIES[name] for name in found - {*sys.stdlib_module_names, *OWN}} == needed


@pytest.mark.skipif(not os.access(DEBIAN, os.X_OK), reason="no /usr/bin/python3")
def test_its_code_is_enough_for_its_commands(package, laid):
    """Under Debian's own Python and libraries, without the checkout."""
    asked = [name for name, deb in LIBRARIES.items() if f"python3-{deb} " in package.relations["Depends"]]
    tried = subprocess.run([DEBIAN, "-c", f"import {', '.join(asked)}"], capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"Debian's packages are incomplete, see scripts/test: {tried.stderr.strip().splitlines()[-1]}")
    home = laid / ward.HOME
    names = sorted(".".join(path.relative_to(home).with_suffix("").parts) for path in home.rglob("*.py")
                   if path.name not in ("__init__.py", "__main__.py"))
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(home), "PYTHONSAFEPATH": "1",
                   "PYTHONDONTWRITEBYTECODE": "1", "NO_COLOR": "1", "COLUMNS": "100"}
    code = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)"
    done = subprocess.run([DEBIAN, "-c", code, *names], capture_output=True, text=True, env=environment, timeout=HANG_S)
    assert done.returncode == 0, done.stderr
    helped = subprocess.run([DEBIAN, "-m", "agent", "--help"], capture_output=True, text=True, env=environment)
    listed = re.findall(r"^│ ([a-z][a-z-]+) ", helped.stdout, re.MULTILINE)
    assert listed == ["verify", "card", "ward"], helped.stdout


def test_templates_come_with_it_where_the_commands_look_for_them(package):
    def in_place(place: Path) -> set[str]:
        return {each.name for path in package.files if (each := Path("/", path)).parent == place}

    checkout, installed = TEMPLATE_FOLDERS
    assert in_place(installed) == {path.name for path in checkout.iterdir() if path.suffix not in ("", ".md")}
    assert in_place(TEMPLATES[-1]) == {path.name for path in TEMPLATES[0].iterdir()}        # of a card


def test_all_starts_with_the_target_but_for_what_only_some_wards_want(package):
    wanted = {path.rpartition("/")[2] for path in package.files if "/ward-taimat.target.wants/" in path}
    services = {path.removeprefix(UNITS) for path in package.files
                if path.startswith(UNITS) and path.endswith(".service") and "/" not in path.removeprefix(UNITS)}
    beside = {"ward-taimat-forward.service", "ward-taimat-proxy-reload.service",
              *(f"ward-taimat-{name}.service" for name in ("renew", "backup", "doctor"))}        # by their timers
    assert services - wanted == beside
    assert {"ward-taimat-renew.timer", "ward-taimat-proxy-reload.path"} <= wanted
    assert f"{UNITS}multi-user.target.wants/ward-taimat.target" in package.files


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="no shellcheck")
@pytest.mark.parametrize("name", ["postinst", "prerm", "postrm", "taimat", "taimat-conformance"])
def test_shellcheck_has_nothing_to_say(name):
    script = REPO / "scripts/packaging/debian/ward" / name
    said = subprocess.run(["shellcheck", script], capture_output=True, text=True)
    assert said.returncode == 0, said.stdout
