"""An update under a real systemd: asked for by the link, installed by root in its sandbox, tried by real heartbeats.

One machine, installed as the technician's guide says, and the tests go on from one another. Each cut, each spoiled
bundle and the whole way from the ward's order are in tests/cli/test_update.py and tests/link/test_update_order.py.
"""
import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rigs.bundles import Maker
from tests.rigs.wait import HANG_S, until
from tests.systemd.machine import BOOTED, Machine, NoMachine
from tests.systemd.test_agent_boot import KEEPER, LINK, SETTINGS, STORE, demand_libraries, furnish

ROOT = Path(__file__).parents[2]
INSTALLER, WATCH, GUARD = (f"update-taimat-{name}" for name in ("install.service", "install.path", "boot.service"))
FIRST, GOOD, BAD = "0.1.0", "0.2.0", "0.3.0"
# Versions for tests judge sooner; nothing else about them is another.
SOONER = (("listen_s: float = 7.0", "listen_s: float = 4.0"), ("settle_s: float = 60.0", "settle_s: float = 3.0"),
          ("deadline_s: float = 300.0", "deadline_s: float = 12.0"))
CONFIG = """
[[camera]]
name = "gate"
source = "file:/srv/gate.mp4"
loop = true
[web]
enabled = false
[update]
rule = "allow"
release_key = "/etc/taimat/release.pem"
"""
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"      # pip looks for them whatever it does
ASK = """
import sys
from agent.host.clock import SystemClock
from agent.host.updates import UpdateFolders
UpdateFolders().ask(sys.argv[1], sys.argv[2], SystemClock().now())
"""
# The first version, as the technician's guide lays it out, without the wait for pip.
INSTALL = """
set -e
python3 -m venv --system-site-packages --without-pip /opt/taimat/versions/0.1.0
mv /usr/lib/taimat/agent /opt/taimat/versions/0.1.0/lib/python3.*/site-packages
ln -s versions/0.1.0 /opt/taimat/current
ln -s versions/0.1.0 /opt/taimat/proven
ln -sf /opt/taimat/current/bin/taimat /usr/bin/taimat
"""
PROGRAM = """#!/opt/taimat/versions/0.1.0/bin/python3
from agent.__main__ import main
main()
"""


def release(folder: Path, maker: Maker, version: str) -> Path:
    """A bundle of this checkout by the maker's tool, called by another version; BAD's keeper ends at once."""
    copy = folder / version
    shutil.copytree(ROOT / "agent", copy / "agent", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "scripts", copy / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, copy)
    become(copy / "agent", version)
    if version == BAD:
        replace(copy / "agent/keeper/__main__.py", "from ", "raise SystemExit('this keeper does not work')\nfrom ")
    target = folder / f"{version}.tar"
    subprocess.run(["/usr/bin/python3", copy / "scripts/package", "--key", maker.private, "-o", target], check=True,
                   capture_output=True)
    return target


def become(agent: Path, version: str) -> None:
    """Call it another version, that judges sooner."""
    (agent / "__init__.py").write_text(f'"""Taimat."""\n\n__version__ = "{version}"\n')
    for was, then in SOONER:
        replace(agent / "core/trial.py", was, then)


def replace(path: Path, was: str, then: str) -> None:
    text = path.read_text()
    assert was in text, f"{path}: {was}"
    path.write_text(text.replace(was, then, 1))


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A booted machine that records with FIRST, as the technician's guide installs it."""
    folder = tmp_path_factory.mktemp("update")
    maker = Maker(folder / "maker")
    try:
        demand_libraries()
        with Machine(folder) as made:
            furnish(made, folder)
            made.write(SETTINGS, CONFIG)
            made.write("/etc/taimat/release.pem", maker.public.read_text())
            made.write("/usr/lib/ask.py", ASK)
            for version in (GOOD, BAD):
                shutil.copy(release(folder, maker, version), made.root / "srv")
            become(made.root / "usr/lib/taimat/agent", FIRST)
            made.write(AUTHORITIES, Path(AUTHORITIES).read_text())
            subprocess.run(["chroot", made.root, "sh", "-c", INSTALL], check=True)
            made.write(f"/opt/taimat/versions/{FIRST}/bin/taimat", PROGRAM, 0o755)
            made.enable(WATCH, GUARD)
            subprocess.run(["systemctl", f"--root={made.root}", "disable", "--quiet", "taimat-web"], check=True)
            made.boot()
            made.until(KEEPER, "ActiveState", "active")
            yield made
    except NoMachine as reason:
        pytest.skip(f"no machine: {reason}")


def ask(machine: Machine, version: str, order: str) -> None:
    """Ask as the link does: what it sees of the file system, its user."""
    data = (machine.root / f"srv/{version}.tar").read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    inside = ["nsenter", "--mount", "--target", machine.show(LINK, "MainPID")]
    user = ["setpriv", "--reuid", "taimat-link", "--regid", "taimat", "--init-groups"]
    machine.run(*inside, *user, "sh", "-c", f"umask 7; mkdir -p {STORE}/updates; "
                f"cp /srv/{version}.tar {STORE}/updates/{digest}.tar")
    machine.run(*inside, *user, "/opt/taimat/current/bin/python", "/usr/lib/ask.py", order, digest)


def told(machine: Machine, order: str) -> tuple[str | None, str | None] | None:
    """Version and code of the result that root has left for the link."""
    path = machine.root / f"var/lib/taimat-update/results/{order}.json"
    if not path.exists():
        return None
    result = json.loads(path.read_text())
    return result["version"], result["code"]


def of_version(machine: Machine, version: str) -> bool:
    """Whether both roles run, and by that version's environment."""
    lines = [machine.run("cat", f"/proc/{machine.show(unit, 'MainPID')}/cmdline", check=False)
             for unit in (KEEPER, LINK)]
    return all(line.startswith(f"/opt/taimat/versions/{version}/") for line in lines)


def test_a_release_that_works_takes_over(machine: Machine) -> None:
    order = "01JAAAAAAAAAAAAAAAAAAAAAAA"
    ask(machine, GOOD, order)
    until(lambda: told(machine, order) is not None, "a result", 3 * HANG_S)
    assert told(machine, order) == (GOOD, None), machine.journal("--unit", INSTALLER)
    until(lambda: of_version(machine, GOOD), f"roles of {GOOD}")
    assert machine.run("taimat", "--version") == f"taimat {GOOD}"
    assert not (machine.root / "run/taimat-update/install").exists()


def test_one_that_does_not_work_is_taken_back_even_if_the_power_goes_in_between(machine: Machine) -> None:
    order = "01JBBBBBBBBBBBBBBBBBBBBBBB"
    ask(machine, BAD, order)
    until(lambda: machine.run("readlink", "/opt/taimat/current").endswith(BAD), "a trial", 3 * HANG_S)
    machine.cut_power()
    machine.boot(enough=("starting", *BOOTED))          # it is not over before the trial is
    until(lambda: told(machine, order) is not None, "a result", 3 * HANG_S)
    assert told(machine, order) == (BAD, "unhealthy_rolled_back"), machine.journal("--unit", INSTALLER)
    until(lambda: of_version(machine, GOOD), f"roles of {GOOD}")
    assert sorted(path.name for path in (machine.root / "opt/taimat/versions").iterdir()) == [FIRST, GOOD]
