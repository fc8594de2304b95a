"""An update under a real systemd: asked for by the link, or brought by dpkg; tried by root with real heartbeats.

One machine, installed as the package does it, and the tests go on from one another. Each cut, each spoiled file and the
whole way from the ward's order are in tests/cli/test_update.py, test_adopt.py and tests/link/test_update_order.py.
"""
import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.core.release import UNITS
from agent.host import tree
from agent.store.schema import READABLE_FROM
from tests.rigs.device.bundles import Maker, ar, data_files, tar
from tests.rigs.wait import HANG_S, until
from tests.systemd.booted import KEEPER, LINK, NETWORK, SETTINGS, STORE, demand_libraries, furnish
from tests.systemd.machine import BOOTED, Machine, NoMachine

ROOT = Path(__file__).parents[2]
INSTALLER, WATCH, GUARD = (f"update-taimat-{name}" for name in ("install.service", "install.path", "boot.service"))
FIRST, GOOD, BAD, LATER = "0.1.0", "0.2.0", "0.3.0", "0.4.0"
# Versions for tests judge sooner what works. What dies is judged as on a device: it must not take the five minutes that
# a slow one is given.
SOONER = (("listen_s: float = 16.0", "listen_s: float = 11.0"), ("settle_s: float = 60.0", "settle_s: float = 3.0"))
CONFIG = """
[[camera]]
name = "gate"
source = "file:/srv/gate.mp4"
loop = true
[web]
enabled = false
[metrics]
port = 9467
[update]
rule = "allow"
release_key = "/etc/taimat/release.pem"
"""
ASK = """
import sys
from agent.host.clock import SystemClock
from agent.host.updates import UpdateFolders
UpdateFolders().ask(sys.argv[1], sys.argv[2], SystemClock().now())
"""
# What the package's maintainer script calls.
ADOPT = "cd / && PYTHONPATH=/usr/lib/taimat:/usr/lib/taimat/libraries python3 -P -B -m agent.cli.update adopt"


def source(folder: Path, version: str) -> Path:
    """The agent of this checkout, called another version, that judges sooner; BAD's keeper ends at once."""
    agent = folder / version / "agent"
    shutil.copytree(ROOT / "agent", agent, ignore=shutil.ignore_patterns("__pycache__", "ward"))
    replace(agent / "__init__.py", '__version__ = "', f'__version__ = "{version}"  # ')
    for was, then in SOONER:
        replace(agent / "core/trial.py", was, then)
    if version == BAD:
        replace(agent / "keeper/__main__.py", "from ", "raise SystemExit('this keeper does not work')\nfrom ")
    return agent


def release(folder: Path, maker: Maker, version: str) -> bytes:
    """A light release of it: the libraries are those that the machine has, which are none."""
    agent = source(folder, version)
    code = {str(path.relative_to(agent)): path.read_bytes() for path in sorted(agent.rglob("*")) if path.is_file()}
    told = maker.told(version, code, {}, needs={"python": "3.11", "schema": READABLE_FROM, "units": UNITS})
    return ar(maker.members(told, tar(data_files(code, {})), light=True))


def replace(path: Path, was: str, then: str) -> None:
    text = path.read_text()
    assert was in text, f"{path}: {was}"
    path.write_text(text.replace(was, then, 1))


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A booted machine that records with FIRST, as its package installs it."""
    folder = tmp_path_factory.mktemp("update")
    maker = Maker(folder / "maker")
    try:
        demand_libraries()
        with Machine(folder) as made:
            furnish(made, source(folder, FIRST), FIRST, units=(NETWORK, KEEPER, LINK))
            made.write(SETTINGS, CONFIG)
            made.write("/etc/taimat/release.pem", maker.public.read_text())
            made.write("/usr/lib/ask.py", ASK)
            for version in (GOOD, BAD):
                (made.root / f"srv/{version}.update").write_bytes(release(folder, maker, version))
            made.enable(WATCH, GUARD)
            made.boot()
            made.until(KEEPER, "ActiveState", "active")
            yield made
    except NoMachine as reason:
        pytest.skip(f"no machine: {reason}")


def ask(machine: Machine, version: str, order: str) -> None:
    """Ask as the link does: what it sees of the file system, its user."""
    data = (machine.root / f"srv/{version}.update").read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    inside = ["nsenter", "--mount", "--target", machine.show(LINK, "MainPID")]
    user = ["setpriv", "--reuid", "taimat-link", "--regid", "taimat", "--init-groups"]
    machine.run(*inside, *user, "sh", "-c", f"umask 7; mkdir -p {STORE}/updates; "
                f"cp /srv/{version}.update {STORE}/updates/{digest}")
    machine.run(*inside, *user, "env", "PYTHONPATH=/opt/taimat/current", "python3", "/usr/lib/ask.py", order, digest)


def told(machine: Machine, order: str) -> tuple[str | None, str | None] | None:
    """Version and code of the result that root has left for the link."""
    path = machine.root / f"var/lib/taimat-update/results/{order}.json"
    if not path.exists():
        return None
    result = json.loads(path.read_text())
    return result["version"], result["code"]


def born(machine: Machine) -> dict[str, str]:
    """When each role's process was started."""
    return {unit: machine.show(unit, "ExecMainStartTimestampMonotonic") for unit in (KEEPER, LINK)}


def named(machine: Machine, name: str) -> str:
    """The version that `current` or `proven` leads to."""
    return (machine.root / "opt/taimat" / name).readlink().name


def of_version(machine: Machine, version: str, before: dict[str, str]) -> bool:
    """Whether `current` leads there, and both roles have been started anew since then."""
    if named(machine, "current") != version:
        return False
    active = all(machine.show(unit, "ActiveState") == "active" for unit in (KEEPER, LINK))
    return active and all(born(machine)[unit] != before[unit] for unit in before)


def test_a_release_that_works_takes_over(machine: Machine) -> None:
    order, before = "01JAAAAAAAAAAAAAAAAAAAAAAA", born(machine)
    ask(machine, GOOD, order)
    until(lambda: told(machine, order) is not None, "a result", 3 * HANG_S)
    assert told(machine, order) == (GOOD, None), machine.journal("--unit", INSTALLER)
    until(lambda: of_version(machine, GOOD, before), f"roles of {GOOD}")
    assert machine.run("taimat", "--version") == f"taimat {GOOD}"
    assert not (machine.root / "run/taimat-update/install").exists()


def test_a_version_that_somebody_went_back_from_may_come_again(machine: Machine) -> None:
    """Its folder is there already, and changes places with the new one inside the sandbox."""
    order, before = "01JCCCCCCCCCCCCCCCCCCCCCCC", machine.run("stat", "-c", "%i", f"/opt/taimat/versions/{GOOD}")
    machine.run("taimat", "update", "rollback")
    assert machine.run("taimat", "--version") == f"taimat {FIRST}"
    ask(machine, GOOD, order)
    until(lambda: told(machine, order) is not None, "a result", 3 * HANG_S)
    assert told(machine, order) == (GOOD, None), machine.journal("--unit", INSTALLER)
    assert machine.run("stat", "-c", "%i", f"/opt/taimat/versions/{GOOD}") != before


def test_one_that_does_not_work_is_taken_back_even_if_the_power_goes_in_between(machine: Machine) -> None:
    order = "01JBBBBBBBBBBBBBBBBBBBBBBB"
    ask(machine, BAD, order)
    until(lambda: named(machine, "current") == BAD, "a trial", 3 * HANG_S)
    machine.cut_power()
    machine.boot(enough=("starting", *BOOTED))          # it is not over before the trial is
    until(lambda: told(machine, order) is not None, "a result", 3 * HANG_S)
    assert told(machine, order) == (BAD, "unhealthy_rolled_back"), machine.journal("--unit", INSTALLER)
    until(lambda: of_version(machine, GOOD, {}), f"roles of {GOOD}")
    refused = json.loads(machine.run("taimat", "update", "show", "--json"))["refused"]
    assert (refused["version"], refused["unit"]) == (BAD, "keeper") and "this keeper does not work" in refused["why"]
    until(lambda: '"update_refused"' in machine.run("taimat", "status", "--json", check=False), "a condition says so")
    assert sorted(path.name for path in (machine.root / "opt/taimat/versions").iterdir()) == [FIRST, GOOD]


def test_what_dpkg_brings_and_does_not_work_is_taken_back(machine: Machine, tmp_path: Path) -> None:
    lay(machine, source(tmp_path, BAD), BAD)
    assert "is tried now" in machine.run("sh", "-c", f"{ADOPT} {FIRST}")
    until(lambda: named(machine, "current") == GOOD
          and "going back to" in machine.journal("--unit", INSTALLER, "--boot"), "it is taken back", 3 * HANG_S)
    machine.until(INSTALLER, "ActiveState", "inactive")
    assert machine.run("taimat", "--version") == f"taimat {GOOD}"


@pytest.mark.thorough
def test_what_dpkg_brings_takes_over_while_the_old_version_stands_by(machine: Machine, tmp_path: Path) -> None:
    """It shares its files with dpkg's folder. The usual run has this with apt, in test_life_cycle.py."""
    before = born(machine)
    lay(machine, source(tmp_path, LATER), LATER)
    machine.run("sh", "-c", f"{ADOPT} {BAD}")
    until(lambda: named(machine, "proven") == LATER, "it takes over", 3 * HANG_S)
    until(lambda: of_version(machine, LATER, before), f"roles of {LATER}")
    assert machine.run("taimat", "--version") == f"taimat {LATER}"
    machine.run("rm", "-r", "/usr/lib/taimat")
    machine.run("systemctl", "restart", KEEPER)
    machine.until(KEEPER, "ActiveState", "active")


def lay(machine: Machine, agent: Path, version: str) -> None:
    """Put this version's files in the place of dpkg's."""
    package = machine.root / "usr/lib/taimat"
    shutil.rmtree(package / "agent")
    shutil.copytree(agent, package / "agent")
    told = json.loads((package / "release.json").read_text())
    told |= {"version": version, "trees": told["trees"] | {"agent": tree.digest(agent)}}
    machine.write("/usr/lib/taimat/release.json", json.dumps(told))
