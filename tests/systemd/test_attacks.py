"""What the household was promised holds when one role is lost: each attack, from inside each sandbox and beside it.

The rows are the table of docs/design/security.md. The agent runs under its real units; one boot for all of it.
"""
import hashlib
import json
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agent.core.evidence.ledger import decode
from agent.store import ledger
from agent.store.database import FILE
from tests.rigs.wait import until
from tests.systemd.machine import Machine, NoMachine
from tests.systemd.test_agent_boot import (
    KEEPER,
    LINK,
    NETWORK,
    ROOT,
    SETTINGS,
    STORE,
    WEB,
    clips,
    demand_libraries,
    furnish,
)
from tests.systemd.test_setup_boot import ISSUE, PATHS, SETUP

ATTACKS = "/usr/lib/attacks.py"
PAPER = ROOT / "docs/design/security.md"
# The role's own business: the page shows footage and pictures to whoever logs in, a recorder has its own pictures.
MAY = {("web", "past"), ("web", "live"), ("capture", "live"), ("link", "ward_key")}
INSIDE = {"capture": NETWORK, "link": LINK, "web": WEB}
ASKED = ("approve", "erase", "household_key", "pause", "home_pause", "signing_key", "past", "page", "code", "role",
         "settings", "ward_key", "live")


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A booted machine with finished clips that the keeper has signed."""
    folder = tmp_path_factory.mktemp("attacked")
    try:
        demand_libraries()
        with Machine(folder) as made:
            furnish(made)
            settings = made.root / "etc/taimat/taimat.toml"
            settings.write_text(settings.read_text().replace('record = "continuous"',
                                                             'record = "continuous"\nmax_clip_s = 10')
                                + '[web]\nlisten = "0.0.0.0"\n')
            made.enable(SETUP, *PATHS)
            shutil.copy(Path(__file__).with_name("attacks.py"), made.root / ATTACKS.lstrip("/"))
            made.write("/etc/taimat/ward/enrol.toml", "claim", 0o600)
            made.write("/etc/taimat/ward/2026/device.key", "key", 0o640)
            (made.root / "etc/taimat/ward/current").symlink_to("2026")
            made.boot()
            made.run("chgrp", "taimat-exports", "/etc/taimat/ward/2026/device.key")
            until(lambda: [clip for clip in clips(made) if clip["sha256"]], "a signed clip")
            yield made
    except NoMachine as reason:
        pytest.skip(f"no machine: {reason}")


@pytest.fixture(scope="module")
def promised(machine: Machine) -> dict[str, str]:
    """Before the first attack: digests of what has to stay."""
    machine.run("taimat", "pair")
    until(lambda: machine.run("ls", ISSUE, check=False), "root shows the code")
    return {path: digest(machine, path) for path in ("keys/signing.key", first_clip(machine))}


def digest(machine: Machine, path: str) -> str:
    return hashlib.sha256((machine.root / STORE.lstrip("/") / path).read_bytes()).hexdigest()


def first_clip(machine: Machine) -> str:
    root = machine.root / STORE.lstrip("/")
    return str(next(iter(sorted(root.glob("clips/*/*.mp4")))).relative_to(root))


def attacked(machine: Machine, role: str, how: str) -> dict[str, str]:
    """What a role gets: in its unit's place, with its user alone, or (nobody) as any process of this machine."""
    if how == "inside":
        return machine.in_place_of(INSIDE[role], ATTACKS)
    user = ("--reuid=65534", "--regid=65534", "--clear-groups") if role == "nobody" else (
        f"--reuid=taimat-{role}", "--regid=taimat", "--init-groups")
    return json.loads(machine.run("setpriv", *user, "python3", ATTACKS))


@pytest.mark.parametrize(("role", "how"), [("capture", "inside"), ("link", "inside"), ("web", "inside"),
                                           ("capture", "user"), ("link", "user"), ("web", "user"), ("nobody", "user")])
def test_a_lost_role_breaks_no_promise(machine: Machine, promised: dict[str, str], role: str, how: str) -> None:
    got = attacked(machine, role, how)
    assert set(got) == set(ASKED)
    own = {promise for who, promise in MAY if who == role}
    assert {promise: answer for promise, answer in got.items() if answer != "refused" and promise not in own} == {}


def test_nothing_came_of_what_was_written(machine: Machine, promised: dict[str, str]) -> None:
    """After all attacks, and a restart of the keeper, which reads all of it once more."""
    for path, before in promised.items():
        assert digest(machine, path) == before, path
    assert "evil" not in machine.run("cat", SETTINGS) and 'name = "gate"' in machine.run("cat", SETTINGS)
    for path, text in (("enrol.toml", "claim"), ("current/device.key", "key")):
        assert machine.run("cat", f"/etc/taimat/ward/{path}") == text
    machine.run("systemctl", "restart", KEEPER)
    machine.until(KEEPER, "ActiveState", "active")
    with closing(sqlite3.connect(machine.root / STORE.lstrip("/") / FILE)) as db:
        db.row_factory = sqlite3.Row
        until(lambda: not ledger.waiting(db), "all acts are told")
        told = [row for line in ledger.lines(db) if (row := decode(line.doc))]
        claimed = {row.body["claimed"] for row in told if row.kind == "unauthorised"}
        assert claimed >= {"decision", "deletion", "household_key"}
        assert not {"decision", "household_key"} & {row.kind for row in told}
        assert db.execute("SELECT state FROM clip WHERE seq = 1").fetchone()["state"] in ("done", "recovered")
        assert {row["state"] for row in db.execute("SELECT state FROM request")} == {"failed"}
    assert not list((machine.root / STORE.lstrip("/") / "exports").iterdir())
    assert machine.run("taimat", "verify", STORE, "--json", check=False)


def test_the_paper_has_the_same_table() -> None:
    rows = re.findall(r"^\| `(\w+)` \|(.*)\|$", PAPER.read_text(), re.MULTILINE)
    told = {promise: [cell.strip() for cell in cells.split("|")][1:] for promise, cells in rows}
    assert {promise: told.get(promise) for promise in ASKED} == {
        promise: ["its own" if (role, promise) in MAY else "refused" for role in ("capture", "link", "web", "nobody")]
        for promise in ASKED}
