"""What a recorder is at when the power goes, or its card fails; and what has to be so after the next boot."""
import json
import os
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agent.core.household.access import tidy
from agent.core.key_slots import CHANGE
from agent.store.database import FILE
from agent.store.encryption.household import public_half
from tests.rigs.powercut import card
from tests.rigs.powercut.judge import Outcome
from tests.rigs.powercut.life import Life
from tests.rigs.powercut.recorder import OLD_S, STORE, NeedsPerson, Recorder
from tests.rigs.wait import HANG_S
from tests.rigs.ward.orders import rfc3339

RECORDED_S = 20.0
A_FEW_N = 4
SETTLED_S = 90.0                    # a trial that a cut ended is judged anew
APT = ("apt-get", "--yes", "-o", "Dpkg::Use-Pty=0")
INDEXES = ("clip_by_state", "clip_by_camera", "event_by_start")
OTHER = b"\xa5"


@dataclass(frozen=True, slots=True)
class After:
    """A recorder that was cut, and is on again; `acts` are those that were told to be done by then."""

    recorder: Recorder
    acts: list[tuple[str, str]]
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Phase:
    """`do` begins with a recorder that is off and ends with one that is on."""

    do: Callable[[Life], None]
    base: Callable[[], Path] = card.used
    prepare: Callable[[Path], None] = lambda root: None
    again: Callable[[Recorder], None] = lambda recorder: None       # what a person does once more, as it was broken off
    demand: Callable[[After], None] = lambda after: None
    settings: bool = True


def record(life: Life) -> None:
    """Nothing but that."""
    life.switch_on()
    with life.of_interest():
        time.sleep(RECORDED_S)


def spoil(root: Path) -> None:
    """Overwrite where three indexes begin: no row of a table is lost by that."""
    path = root / STORE / FILE
    with sqlite3.connect(path) as db:
        page_b, = db.execute("PRAGMA page_size").fetchone()
        pages = [db.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (name,)).fetchone()[0]
                 for name in INDEXES]
    db.close()
    with path.open("r+b") as file:
        for page in pages:
            file.seek((page - 1) * page_b)
            file.write(OTHER * page_b)
        os.fsync(file.fileno())


def repair(life: Life) -> None:
    """It boots with a damaged database and mends it."""
    with life.of_interest():
        life.recorder.switch_on(OLD_S)
        life.recorder.until(lambda: list(life.recorder.store.glob(f"{FILE}.damaged-*")), "the damaged one is set aside")
        life.recorder.until_recording()
        time.sleep(2)


def update(life: Life) -> None:
    """A release from a stick is tried and taken."""
    life.switch_on()
    with life.of_interest():
        _install(life, card.LATER)


def rollback(life: Life) -> None:
    """One that does not work is taken back, and then the household goes back to the first."""
    life.switch_on()
    _install(life, card.LATER)
    with life.of_interest():
        life.recorder.says("taimat", "update", "install", card.UPDATE.format(card.BAD), limit_s=2 * HANG_S)
        life.recorder.machine.run("taimat", "update", "rollback", limit_s=2 * HANG_S)
        life.act("version", card.FIRST)


def _install(life: Life, version: str) -> None:
    life.recorder.machine.run("taimat", "update", "install", card.UPDATE.format(version), limit_s=2 * HANG_S)
    life.act("version", version)


def has_one_version(after: After) -> None:
    """All that tells of it names the same, and one that was told to be in place."""
    def told() -> set[str]:
        links = [after.recorder.says("readlink", f"/opt/taimat/{name}") or "" for name in ("current", "proven")]
        return {(after.recorder.says("taimat", "--version") or "? ?").split()[1],
                *(link.rpartition("/")[2] for link in links)}
    try:
        after.recorder.until(lambda: len(told()) == 1, "one version", SETTLED_S)
    except NeedsPerson:
        after.outcome.person.append(f"versions {sorted(told())}")
    wanted = [subject for what, subject in after.acts if what == "version"][-1:]
    if wanted and not told() & {*wanted, card.FIRST, card.LATER} or card.BAD in told():
        after.outcome.person.append(f"version {sorted(told())}, told was {wanted}")


def hold(life: Life) -> None:
    """Clips are held, others let go."""
    life.switch_on()
    names = [row["name"] for row in life.recorder.finished()][-3 * A_FEW_N:]
    life.recorder.machine.run("taimat", "clips", "hold", "--reason", "case 7", *names[:A_FEW_N])
    with life.of_interest():
        for old, new in zip(names[:A_FEW_N], names[A_FEW_N:], strict=False):
            life.recorder.machine.run("taimat", "clips", "hold", "--reason", "case 8", new)
            life.act("hold", new)
            life.recorder.machine.run("taimat", "clips", "release", old)
            life.act("release", old)


def holds_are_kept(after: After) -> None:
    """Those that were placed are there, and none that was let go."""
    said = after.recorder.says("taimat", "clips", "holds", "--json") or ""
    held = {json.loads(line)["clip"] for line in said.splitlines()}
    for what, clip in after.acts:
        if (what == "hold" and clip not in held) or (what == "release" and clip in held):
            after.outcome.lost_events.append(f"{what} of {clip}")


def erase(life: Life) -> None:
    """Old footage is erased, minute by minute."""
    life.switch_on()
    clips = life.recorder.finished()[:A_FEW_N]
    with life.of_interest():
        for clip in clips:
            told = life.recorder.machine.run("taimat", "clips", "list", "--json", "--last", "1000")
            if all(each["name"] != clip["name"] for each in map(json.loads, told.splitlines())):
                continue        # it went with the last one
            since, till = (time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(clip["wall_ms"] / 1000 + more_s))
                           for more_s in (0.0, 1 + clip["dur_ms"] / 1000))
            life.recorder.machine.run("taimat", "clips", "erase", "--yes", "--camera", clip["camera"], "--from", since,
                                      "--to", till)
            life.act("erase", clip["name"])


def erased_is_gone(after: After) -> None:
    """No file is left of it."""
    for what, clip in after.acts:
        if what == "erase" and list(after.recorder.store.glob(f"clips/*/{clip}.*")):
            after.outcome.lost_events.append(f"{what} of {clip}")


def change_keys(life: Life) -> None:
    """The household makes itself a key, twice, and the ward changes its own."""
    life.switch_on()
    with life.of_interest():
        for more in ((), ("--replace",)):
            said = life.recorder.machine.run("taimat", "household-key", "--yes", *more)
            life.act("household key", public_half(tidy(said.split()[0])).hex())
        order = life.orders.order(CHANGE, life.ward.change_of_keys(), life.ward.next_key)
        life.orders.hears(order, "done")
        life.act("ward's key", life.orders.said(order)[-1][0])


def keys_hold(after: After) -> None:
    """The ledger has every key that somebody was told of."""
    kinds = {"household key": "household_key", "ward's key": "command_key"}
    rows = [json.loads(row["doc"]) for row in after.recorder.rows("SELECT doc FROM ledger")]
    for what, kind in kinds.items():
        told_n = sum(act == what for act, _ in after.acts)
        if told_n > sum(row["kind"] == kind for row in rows):
            after.outcome.lost_events.append(f"{told_n} times {what}, {[row['kind'] for row in rows].count(kind)} rows")


def upload(life: Life) -> None:
    """The ward asks for footage, the household lets it go, and it arrives."""
    life.switch_on()
    clip = next(row for row in life.recorder.finished() if row["camera"] == "gate")
    with life.of_interest():
        order = life.orders.order("clip.export", life.orders.wish(
            **{"from": rfc3339(clip["wall_ms"]), "to": rfc3339(clip["wall_ms"] + 20_000)}))
        life.orders.hears(order, "waiting_consent")
        life.act("request", order)
        number = life.recorder.rows("SELECT n FROM request WHERE id = ?", order)[0]["n"]
        life.recorder.machine.run("taimat", "requests", "approve", str(number), "--yes")
        life.act("approval", order)
        life.orders.hears(order, "done")
        life.act("delivery", order)


def is_delivered(after: After) -> None:
    """What the household has let go arrives, without another word."""
    for what, order in after.acts:
        if what == "approval":
            try:
                after.recorder.until(lambda order=order: _state(after.recorder, order) == "delivered", order, SETTLED_S)
            except NeedsPerson:
                after.outcome.person.append(f"request {order} is {_state(after.recorder, order)}")
        elif what == "request" and not _state(after.recorder, order):
            after.outcome.lost_events.append(f"request {order}")


def _state(recorder: Recorder, order: str) -> str:
    rows = recorder.rows("SELECT state FROM request WHERE id = ?", order)
    return rows[0]["state"] if rows else ""


def install(life: Life) -> None:
    """Somebody installs it by the guide, and names two cameras."""
    life.recorder.switch_on(OLD_S)
    with life.of_interest():
        install_again(life.recorder)


def install_again(recorder: Recorder) -> None:
    """The guide's commands for power that failed meanwhile, and then those from the first."""
    recorder.says("sh", "-c", "rm -rf /var/lib/apt/lists/*", limit_s=HANG_S)
    recorder.says("dpkg", "--configure", "-a", limit_s=4 * HANG_S)
    recorder.machine.run(*APT, "update", limit_s=4 * HANG_S)
    recorder.machine.run(*APT, "--no-install-recommends", "install", "taimat", limit_s=4 * HANG_S)
    settings = recorder.disk.mount / card.SETTINGS
    if "\n[[camera]]" not in settings.read_text():
        recorder.machine.write(f"/{card.SETTINGS}", card.config())
    recorder.until_recording()


PHASES = {
    "recording": Phase(record),
    "repair": Phase(repair, prepare=spoil),
    "update": Phase(update, demand=has_one_version),
    "rollback": Phase(rollback, demand=has_one_version),
    "installation": Phase(install, card.bare, again=install_again, settings=False),
    "hold": Phase(hold, demand=holds_are_kept),
    "erase": Phase(erase, demand=erased_is_gone),
    "keys": Phase(change_keys, demand=keys_hold),
    "upload": Phase(upload, demand=is_delivered),
}
