"""What the household was promised holds when one role is lost: each attack, from inside each sandbox and beside it.

The rows are the table of docs/design/security.md. The agent runs under its real units; one boot for all of it.
"""
import hashlib
import json
import re
import shutil
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent.core.evidence.ledger.row import decode
from agent.store import ledger
from agent.store.database import FILE
from tests.rigs.wait import Stopwatch, until
from tests.systemd.booted import (
    ISSUE,
    KEEPER,
    LINK,
    NETWORK,
    PATHS,
    ROOT,
    SETTINGS,
    SETUP,
    STORE,
    WEB,
    clips,
    demand_libraries,
    furnish,
    health,
)
from tests.systemd.machine import Machine, NoMachine
from tests.systemd.siege import (
    CAMERAS,
    OWN,
    PROGRAM,
    Growth,
    Household,
    two_cameras,
)

ATTACKS = "/usr/lib/attacks.py"
PAPER = ROOT / "docs/design/security.md"
# The role's own business: the page shows footage and pictures to whoever logs in, a recorder has its own pictures, and
# writes what it sees.
MAY = {("web", "past"), ("web", "live"), ("capture", "live"), ("capture", "database"), ("link", "outbox"),
       ("link", "ward_key")}
KEPT = {promise: ["holds"] * 4 for promise in ("film", "days", "ledger", "recording", "stop")} | {
    "told": ["its own", "holds", "its own", "holds"]}
SIEGE_S = 30.0              # a short one ends as soon as all is seen
DOWN_WITHIN_S, STALLED_S = 20.0, 12.0       # a silence that is told; and how long a clip may rest, by fair seconds
WATCHED_S, SHORT_S = STALLED_S + 1, 6.0      # less would see no rest that is too long; a short siege sees that it grows
INSIDE = {"capture": NETWORK, "link": LINK, "web": WEB}
ASKED = ("database", "outbox", "approve", "erase", "household_key", "pause", "home_pause", "signing_key", "past",
         "page", "code", "role", "settings", "ward_key", "live", "health")


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
            two_cameras(made)
            made.enable(SETUP, *PATHS)
            shutil.copy(Path(__file__).with_name("attacks.py"), made.root / ATTACKS.lstrip("/"))
            made.write("/etc/taimat/ward/enrol.toml", "claim", 0o600)
            made.write("/etc/taimat/ward/2026/device.key", "key", 0o640)
            (made.root / "etc/taimat/ward/current").symlink_to("2026")
            made.boot()
            made.run("chgrp", "taimat-exports", "/etc/taimat/ward/2026/device.key")
            until(lambda: {clip["camera"] for clip in clips(made) if clip["sha256"]} == CAMERAS.keys(), "signed clips")
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
    return json.loads(machine.run("setpriv", *user_of(role), "python3", ATTACKS))


def user_of(role: str) -> tuple[str, ...]:
    """As whom a process beside the role's unit runs."""
    return ("--reuid=65534", "--regid=65534", "--clear-groups") if role == "nobody" else (
        f"--reuid=taimat-{role}", "--regid=taimat", "--init-groups")


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
        until(lambda: {row["state"] for row in db.execute("SELECT state FROM request")} <= {"failed"},
              "no request stands that the ward has not signed")
    assert not list((machine.root / STORE.lstrip("/") / "exports").iterdir())
    assert machine.run("taimat", "verify", STORE, "--json", check=False)


def test_nobody_was_heard_as_another_role(machine: Machine, promised: dict[str, str]) -> None:
    """Each role was, by the page, which listens across the sandboxes."""
    def roles() -> dict[str, str]:
        return {name: role["state"] for name, role in health(machine).get("roles", {}).items()}
    until(lambda: roles() == dict.fromkeys(("capture", "keeper", "link", "web"), "ok"), "all roles are heard")
    assert "forged" not in json.dumps(health(machine))
    assert "Traceback" not in machine.journal("--unit", KEEPER, "--unit", LINK, "--unit", WEB)


@pytest.fixture(scope="module")
def household(machine: Machine, promised: dict[str, str]) -> Household:
    """Its browser is paired, and there are recordings of each camera that can be handed out."""
    made = Household(machine)
    made.pair()
    return made


def rows_by(machine: Machine, role: str) -> dict[str, str]:
    """What a role does to rows and files from its unit's place, or as nobody."""
    if role in INSIDE:
        return machine.in_place_of(INSIDE[role], f"{PROGRAM} rows")
    return json.loads(machine.run("setpriv", *user_of(role), "python3", PROGRAM, "rows"))


@pytest.mark.parametrize("roles", [("capture",), ("link", "web", "nobody")], ids=",".join)
def test_rows_and_files_of_recordings_mislead_nobody(machine: Machine, household: Household,
                                                     roles: tuple[str, ...]) -> None:
    """What is handed out is the camera that was asked for, nothing goes by age, and decisions are in the ledger."""
    household.pair()
    household.switch("gate", "open")
    household.switch("gate", "resume")
    before = {clip["name"]: clip for clip in clips(machine) if clip["sha256"]}
    for role in roles:
        done = rows_by(machine, role)
        print(role, done)
        assert role == "capture" or not [each for each in done.values() if not each.endswith(" 0 done")], done
    household.restart()
    household.holds_film()
    household.holds_days(before)
    household.holds_ledger()


@dataclass
class Siege:
    """All that lost roles may hold, fill and flood, from entry to exit: each (role, how)."""

    machine: Machine
    lost: tuple[tuple[str, str], ...]
    thorough: bool
    done: list[dict[str, str]] = field(default_factory=list)

    def __enter__(self) -> "Siege":
        program = f"{PROGRAM} {'siege' if self.thorough else 'short-siege'} {SIEGE_S}"
        self._roles = ThreadPoolExecutor()
        self._sieges = [self._roles.submit(self._run, role, how, program) for role, how in self.lost]
        until(lambda: self._under_way_n() == len(self.lost), "the siege begins")
        return self

    def _run(self, role: str, how: str, program: str) -> dict[str, str]:
        if how == "inside":
            return self.machine.in_place_of(INSIDE[role], program)
        return json.loads(self.machine.run("setpriv", *user_of(role), "python3", *program.split()))

    def _under_way_n(self) -> int:
        return self.machine.run("ps", "-o", "args=", "-C", "python3", check=False).count(PROGRAM)

    def _is_over(self) -> bool:
        return all(siege.done() for siege in self._sieges)

    def seen(self, watch: Stopwatch) -> None:
        """Wait until that is long enough, or the siege is over."""
        until(lambda: (watch.fair_s > WATCHED_S if self.thorough else watch.wall_s > SHORT_S) or self._is_over())

    def __exit__(self, *_: object) -> None:
        """A thorough one has all its time."""
        if not self.thorough:
            self.machine.run("pkill", "-TERM", "-f", f"^\\S*python3 {PROGRAM}", check=False)
        self.done = [siege.result() for siege in self._sieges]
        self._roles.shutdown()
        print(self.lost, self.done)


def test_a_besieged_household_records_pauses_and_knows_what_is_down(machine: Machine, household: Household,
                                                                    thorough: bool) -> None:
    """By the link, and by a process of nobody's."""
    with Siege(machine, (("link", "inside"), ("nobody", "user")), thorough) as siege:
        with Stopwatch() as watch, Growth(household, "gate") as gate:
            machine.run("systemctl", "stop", OWN)
            until(lambda: household.misses("own"), "the page tells that a camera is not recorded")
            told_s = watch.fair_s
            siege.seen(watch)
        household.pauses("gate")
        print(told_s, gate)
    machine.run("systemctl", "start", OWN)
    household.resumes("gate")
    assert told_s < DOWN_WITHIN_S
    assert gate.grown_b > 100_000 and gate.longest_s < STALLED_S


def test_while_capture_of_the_network_is_lost_another_camera_is_recorded_and_paused(
        machine: Machine, household: Household, thorough: bool) -> None:
    with Siege(machine, (("capture", "inside"),), thorough) as siege:
        with Growth(household, "own") as own, Stopwatch() as watch:
            siege.seen(watch)
        print(own)
        household.pauses("own")
    for attack in ("signals", "memory"):
        assert siege.done[0][attack].endswith(" 0 done"), siege.done
    household.resumes("own")
    assert own.grown_b > 100_000 and own.longest_s < STALLED_S


def test_while_the_page_is_lost_cameras_are_recorded_and_paused_by_command(machine: Machine, household: Household,
                                                                          thorough: bool) -> None:
    lost = (("web", "inside"),)
    with Growth(household, "own") as own, Siege(machine, lost, thorough) as siege, Stopwatch() as watch:
        household.pauses("gate", by_page=False)
        siege.seen(watch)
    household.resumes("gate")
    assert own.grown_b > 100_000 and own.longest_s < STALLED_S


def test_the_paper_has_the_same_table() -> None:
    rows = re.findall(r"^\| `(\w+)` \|(.*)\|$", PAPER.read_text(), re.MULTILINE)
    told = {promise: [cell.strip() for cell in cells.split("|")][1:] for promise, cells in rows}
    assert {promise: told.get(promise) for promise in KEPT} == KEPT
    assert {promise: told.get(promise) for promise in ASKED} == {
        promise: ["its own" if (role, promise) in MAY else "refused" for role in ("capture", "link", "web", "nobody")]
        for promise in ASKED}
