"""A store that has lived, one sector of whose database holds random bytes; and all roles' parts, started on it.

What a failing card does to a page is done to each kind of page: schema, inner page, leaf and overflow of each table
and index, and pages that are free.
"""
import contextlib
import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from agent.core.contract import wire
from agent.core.contract.facts import Poke
from agent.host.clock import Instant
from agent.host.datagram import Inbox, Outlet
from agent.keeper import repair
from agent.keeper.main import Keeper
from agent.keeper.repair import open_own
from agent.link import drain
from agent.link.requests import flow as request_flow
from agent.store import (
    absences,
    boots,
    clips,
    commands,
    damage,
    events,
    holds,
    notify,
    outbox,
    recordings,
    requests,
)
from agent.store.commands import Ordered
from agent.store.database import FILE, connect, transaction
from agent.store.folders import Folders
from agent.store.link_questions import LinkQuestion, close_interrupted, fold_outbox, follow_commands, settle_deferred
from agent.store.requests import WardRequest
from tests.conftest import HandClock
from tests.rigs.house import month
from tests.rigs.store.joined import join
from tests.rigs.store.kept_store import KeptStore
from tests.sim.day import STORE, Day
from tests.sim.parts import CAMERAS, Writer, make_keeper

SECTOR_B = 512
MORNINGS_N = 40             # clips of each camera
WAITS_S = 20.0              # for a job of the link's, which takes milliseconds
TURN_S = 6.0                # of the household's day in between: more than a recorder waits with a card that failed


def live(place: Path) -> Folders:
    """Clips, events and messages by the real parts, and of every other table some rows by what writes them; closed."""
    day = Day(place)
    join(day.keeper_db)
    for number in range(MORNINGS_N):
        day.see()
        day.film(0.3, day.gate, day.yard)
        day.lose_sight(picture=number < 2)
        day.gate.end()
        day.yard.end()
    for _ in range(4):
        day.keep(60)
    _fill(day)
    day.keep(60)
    day.keeper.close()
    day.link_db.close()
    return day.folders


def _fill(day: Day) -> None:
    """What no camera writes."""
    db, own, now = day.link_db, day.keeper.own, day.clock.now()
    month.live_through(day.folders, now, days_n=2)
    kept = clips.finished(db, limit=12)
    holds.place(own, day.keeper_db, kept[:6], "police", None, now, 1 << 40)
    with transaction(db):
        for number in range(40):
            boot = f"0c{number:06x}"
            boots.date(db, boot, now.wall_ms - number * 10_000_000)
            outbox.defer(db, "motion", "gate", now, f'{{"event":{number + 1},"pad":"{"x" * 60}"}}', events=[number + 1])
            absences.note_camera(db, "gate", 5, True, now)
            _order(db, number, now)
        for number in range(3):         # longer than a page
            outbox.append(db, "motion", "gate", now, json.dumps({"event": 1, "phase": "end", "pad": "x" * 3000}))
            long = [(n, 1, 100, 200, 300, 400) for n in range(150)]
            events.finish(db, number + 5, 4000, 0.5, 1, [(0.1, 0.2, 0.3, 0.4)], "2", None, path=long, zones=["path"])
        clips.hand_out(db, [clip.seq for clip in kept[6:9]])
        events.mark_seen(db, range(1, 30), now)
        for seq in outbox.seqs(db, 1, 10, 10):
            outbox.quarantine(db, seq, "schema")
        outbox.settle(db, range(11, 40))
        for _ in range(3):
            db.execute("INSERT INTO signing_request (state, claim, why) VALUES ('refused', X'7B7D', 'otherwise')")
    notify.keep(db, {"phone": notify.PlaceState(progress=notify.Progress(after_id=3))})


def _order(db: sqlite3.Connection, number: int, now: Instant) -> None:
    """A command of the ward's, and a request that has come to its end, or goes on."""
    ulid = f"01JDZQ4T8R5V6W7X8Y9Z{number:06d}"
    answer = wire.encode(commands.response(ulid, "accepted" if number % 8 == 0 else "done", None, now))
    commands.add(db, Ordered(ulid, "clip.export", "ops", "accepted" if number % 8 == 0 else "done", answer, True, "ops",
                             None, now))
    requests.add(db, WardRequest(id=ulid, kind="clip", camera="gate", case_no=f"case {number}", purpose="theft",
                                 officer="Officer Lan", basis="the law on that", upload="https://intake.example/up",
                                 receipt_key="ab" * 32, begin_ms=now.wall_ms - 60_000, end_ms=now.wall_ms,
                                 command=b'{"v":1}' * (20 + 300 * (number % 9 == 0))), now)
    db.execute("UPDATE request SET state = ? WHERE id = ?", ("failed" if number % 8 else "new", ulid))


@dataclass(frozen=True, slots=True, order=True)
class Sector:
    """A place in the database."""

    kind: str               # of page: "clip leaf", "free", ...
    page: int
    half: int


def sectors(folders: Folders) -> dict[str, list[Sector]]:
    """All of them, by the kind of their page."""
    with contextlib.closing(sqlite3.connect(folders.root / FILE)) as db:
        page_b, pages_n = (db.execute(f"PRAGMA {what}").fetchone()[0] for what in ("page_size", "page_count"))
        kinds = {page: f"{name} {kind}" for name, page, kind in db.execute("SELECT name, pageno, pagetype FROM dbstat")}
    found: dict[str, list[Sector]] = {}
    for page in range(1, pages_n + 1):
        kind = kinds.get(page, "free")
        found.setdefault(kind, []).extend(Sector(kind, page, half) for half in range(page_b // SECTOR_B))
    return found


def strike(folders: Folders, sector: Sector, dice: Random) -> None:
    """Random bytes in it."""
    with (folders.root / FILE).open("r+b") as file:
        file.seek((sector.page - 1) * 1024 + sector.half * SECTOR_B)
        file.write(dice.randbytes(SECTOR_B))


@dataclass(slots=True)
class Household:
    """All that works on a store, as one process a role would: a role that ends is started anew with the next turn."""

    place: Path
    clock: HandClock
    folders: Folders = field(init=False)
    outlet: Outlet = field(init=False)
    inbox: Inbox = field(init=False)
    writers: list[Writer] = field(init=False)
    keeper: Keeper | None = None
    link: KeptStore | None = None
    told: list[str] = field(default_factory=list)       # what went wrong in this turn
    recorded_n: int = 0                                 # clips of this turn

    def __post_init__(self) -> None:
        self.folders, runtime = Folders(self.place / STORE).create(), self.place / "run"
        runtime.mkdir(exist_ok=True)
        self.outlet, self.inbox = Outlet(runtime), Inbox(runtime, "keeper")
        damage.DOUBT.tell, damage.DOUBT.met_n = partial(self.outlet.send, Poke(what="database"), "keeper"), 0
        self.writers = [Writer(camera, self.folders, self.clock, self.outlet) for camera in CAMERAS]

    def turn(self) -> list[str]:
        """Time goes by, and everybody works; returns what went wrong."""
        self.told, self.recorded_n = [], 0
        for writer in self.writers:
            self._trying(writer.recorder.name, partial(self._record, writer))
        self._trying("keeper", self._keep)
        self._trying("link", self._link)
        self._trying("page", self._show)
        self.clock.advance(TURN_S)
        return self.told

    def close(self) -> None:
        self.inbox.close()
        if self.link:
            self.link.close()
        if self.keeper:
            with contextlib.suppress(Exception):
                self.keeper.close()

    def _trying(self, who: str, work: Callable[[], object]) -> None:
        try:
            work()
        except Exception as error:
            self.told.append(f"{who} ended: {type(error).__name__}: {error}")

    def _record(self, writer: Writer) -> None:
        for _ in range(3):
            self.clock.advance(0.1)
            writer.film()
        writer.end()
        recorder = writer.recorder
        if recorder.fault:
            self.told.append(f"{recorder.name}: {recorder.fault}")
        else:
            self.recorded_n += 1

    def _keep(self) -> None:
        if self.keeper is None or self.keeper.role.stop.is_set():
            self.keeper = None
            own, _ = open_own(self.folders)
            db, _ = repair.open_database(self.folders)
            self.keeper = make_keeper(db, self.folders, self.clock, self.outlet, self.place / "run")
        keeper = self.keeper
        try:
            asked = {message.what for message in self.inbox.waiting() if isinstance(message, Poke)}
            if "database" in asked:
                keeper.examine()
            keeper.round(asked_for_space="space" in asked)
        except Exception:
            self.keeper = None
            raise
        if keeper.fault:
            self.told.append(f"keeper: {keeper.fault}")

    def _link(self) -> None:
        if self.link is None:
            self.link = KeptStore(self.folders.root, self.clock)
        now = self.clock.now()
        jobs: dict[str, Callable[[sqlite3.Connection], Any] | LinkQuestion] = {
            "interrupted": close_interrupted(),
            "outbox": lambda db: [wire.cloud_event("w07", "c-7f3a9c21b04d", entry, False)
                                  for entry in drain._fetch(db, [], 0, 500)[0]],
            "bound": fold_outbox(0),
            "deferred": settle_deferred(),
            "requests": lambda db: request_flow.look(db, True),
            "follow": follow_commands("requests"),
            "notify": lambda db: [list(notify.events_after(db, 0, now)), notify.states(db)],
        }
        for name, job in jobs.items():
            done = self.link.wait_for(job if isinstance(job, LinkQuestion) else lambda db, job=job: (job(db), True),
                                      WAITS_S)
            if done is None and self.link.fault:
                self.told.append(f"link, {name}: {self.link.fault}")
                if not self.link._threads[0].is_alive():
                    self.link = None
                    return

    def _show(self) -> None:
        with contextlib.closing(connect(self.folders.root)) as db:
            now = self.clock.now()
            span = recordings.WallSpan(now.wall_ms - 10 * 86_400_000, now.wall_ms)
            lists: dict[str, Callable[[], object]] = {
                "clips": lambda: list(clips.newest(db, None)), "events": lambda: events.latest(db, limit=500),
                "requests": lambda: requests.newest(db, 500), "holds": lambda: holds.placed(db),
                "day": lambda: recordings.events(db, boots.Dates(db), "gate", span),
            }
            for name, read in lists.items():
                try:
                    read()
                except Exception as error:
                    self.told.append(f"page, {name}: {type(error).__name__}: {error}")
                    damage.meet(error)
