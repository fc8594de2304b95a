"""Starts the real agent on what a cut left, and says what does not hold. docs/design/storage.md has the invariants."""
import contextlib
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.core.evidence.ledger.card_check import check_card
from agent.core.evidence.ledger.check import check
from agent.core.media.mp4.read import fragments, read_head, samples
from agent.host.command_key import verifies
from agent.host.datagram import Outlet
from agent.store import outbox
from agent.store.database import connect
from agent.store.folders import Folders
from tests.conftest import HandClock
from tests.rigs.cameras.h264 import movie
from tests.rigs.store.cards import look
from tests.sim.card import Image
from tests.sim.parts import CAMERAS, Writer, make_keeper
from tests.sim.promise import FINISHED, GOING, Promise, digest, dump, lay_out, read

LOSS_MAX_S = 2.0
OFF_S = 60              # how long the power was away


@dataclass(frozen=True, slots=True)
class Cut:
    """What is known of the moment: what was promised before it and at the next mark, and how late it was."""

    before: Promise
    after: Promise
    told: dict[int, str]        # all messages that the ward may have, by seq
    mono_s: float


def clock_after(mono_s: float, boot: str = "0b007002", off_s: float = OFF_S) -> HandClock:
    """The clock of a boot that comes `off_s` after a cut at the script's `mono_s`."""
    return HandClock(boot, 30, HandClock.wall_ms + int((mono_s - HandClock.mono + off_s) * 1000))


class Agent:
    """All that writes, started on a store."""

    def __init__(self, folders: Folders, clock: HandClock, runtime: Path) -> None:
        outlet = Outlet(runtime)
        self.writers = [Writer(camera, folders, clock, outlet) for camera in CAMERAS]
        for writer in self.writers:
            writer.work()
        self.db = connect(folders.root)
        self.keeper = make_keeper(self.db, folders, clock, outlet, runtime)
        self.keeper.recover()

    def faults(self) -> Iterator[str]:
        """What its parts complain of."""
        for writer in self.writers:
            if writer.recorder.fault or writer.recorder.errors_n:
                yield f"{writer.recorder.name}: {writer.recorder.fault}"
        if self.keeper.fault:
            yield f"keeper: {self.keeper.fault}"


def judge(image: Image, cut: Cut, place: Path) -> list[str]:
    """Everything that is wrong after a start on this card; `place` is empty."""
    folders = lay_out(image, place / "store").create()
    clock = clock_after(cut.mono_s)
    agent = Agent(folders, clock, place)
    once = dump(folders)
    Agent(folders, clock, place)
    wrong = [] if dump(folders) == once else ["a second recovery changes something"]
    agent.keeper.round(asked_for_space=False)
    now = read(folders)
    wrong += [*agent.faults(), *_clips(cut, now), *_open(cut, now), *_events(cut, now), *_messages(cut, now),
              *_files(folders, now), *_pictures(folders, now), *_films(folders, now), *_ledger(folders, cut),
              *_database(agent.db), *_goes_on(agent, folders, cut)]
    return wrong


def _clips(cut: Cut, now: Promise) -> Iterator[str]:
    for seq, was in cut.before.clips.items():
        row, may_go = now.clips.get(seq), cut.after.clips[seq]["state"] in GOING
        if row is None:
            yield f"clip {seq} has lost its row"
        elif was["state"] in FINISHED and row["state"] in FINISHED:
            facts = ("name", "bytes", "frames", "dur_ms", "state")
            if now.files[seq] != cut.before.files[seq] or any(row[fact] != was[fact] for fact in facts):
                yield f"announced clip {seq} is another one: {was} now {row}"
        elif was["state"] in FINISHED and not (may_go and row["state"] == "deleted"):
            yield f"announced clip {seq} is {row['state']}: {row['why']}"
        elif was["state"] in GOING and row["state"] != "deleted":
            yield f"condemned clip {seq} is {row['state']}"


def _open(cut: Cut, now: Promise) -> Iterator[str]:
    """What was being written, or was begun since."""
    for seq, row in now.clips.items():
        was = cut.before.clips.get(seq)
        if was is not None and was["state"] != "open":
            continue
        ended_s = (row["mono_ms"] + (row["dur_ms"] or 0)) / 1000
        over = cut.after.clips.get(seq, {}).get("state") in FINISHED and row["state"] in FINISHED
        if row["state"] == "open" or not over and cut.mono_s - ended_s > LOSS_MAX_S:
            yield f"open clip {seq} is {row['state']} ({row['why']}), {cut.mono_s - ended_s:.1f} s of it are gone"


def _events(cut: Cut, now: Promise) -> Iterator[str]:
    for number, was in cut.before.events.items():
        row, after = now.events.get(number), cut.after.events.get(number, {})
        if row is None or row["state"] == "open":
            yield f"event {number} is lost or open: {row}"
        elif was["state"] != "open" and any(row[key] != was[key] for key in row if key != "thumb"):
            yield f"event {number} is another one: {was} now {row}"
        elif row["thumb"] not in (was["thumb"], after.get("thumb")):
            yield f"event {number} has another picture: {row['thumb']}"


def _messages(cut: Cut, now: Promise) -> Iterator[str]:
    for seq, was in cut.before.outbox.items():
        if seq not in now.outbox and seq in cut.after.outbox:
            yield f"message {seq} is lost: {was}"
    for seq, row in now.outbox.items():
        if seq in cut.told and seq not in cut.before.outbox:
            yield f"message {seq} was delivered, and is there again"
        if row["data"] != cut.told.get(seq, row["data"]):
            yield f"message {seq} says something else now"
    all_told = {**cut.told, **{seq: row["data"] for seq, row in now.outbox.items()}}
    subjects = [subject for text in all_told.values() if (subject := _subject(json.loads(text)))]
    for subject in {each for each in subjects if subjects.count(each) > 1}:
        yield f"told twice: {subject}"


def _subject(data: dict) -> tuple | None:
    """What may be told only once."""
    if "frames" in data:
        return "clip", data["id"]
    return ("event", data["event"], data["phase"]) if "event" in data else None


def _files(folders: Folders, now: Promise) -> Iterator[str]:
    """Rows and files tell the same."""
    names = {row["name"] + ".mp4": row for row in now.clips.values()}
    found = {path.name: path for path in folders.clips.glob("*/*")}
    for name in found.keys() - names.keys():
        yield f"a file without a row: {name}"
    for name, row in names.items():
        is_there = name in found
        if is_there != (row["state"] in FINISHED) or is_there and found[name].stat().st_size != row["bytes"]:
            yield f"{name} is {row['state']} with {row['bytes']} bytes, its file: {found.get(name)}"


def _pictures(folders: Folders, now: Promise) -> Iterator[str]:
    named = {row["thumb"] for row in now.events.values() if row["thumb"]}
    found = {path.name for path in folders.thumbs.iterdir()}
    if named != found:
        yield f"pictures of no event: {found - named}, events without theirs: {named - found}"


def _films(folders: Folders, now: Promise) -> Iterator[str]:
    """Every clip on the card is the beginning of the film, packet by packet."""
    film = movie()[1]
    for seq in now.files:
        row, data = now.clips[seq], folders.clip(seq, now.clips[seq]["name"]).read_bytes()

        def read_at(offset: int, size_b: int, data: bytes = data) -> bytes:
            return data[offset:offset + size_b]

        head = read_head(read_at)
        shown = [sample for fragment in fragments(read_at, head) for sample in samples(read_at, head, fragment)]
        whole = all(read_at(sample.offset, sample.size_b) == film[n % len(film)].data for n, sample in enumerate(shown))
        if len(shown) != row["frames"] or not whole:
            yield f"clip {seq} shows {len(shown)} frames of {row['frames']}, or others than were filmed"


def _ledger(folders: Folders, cut: Cut) -> Iterator[str]:
    seen = look(folders)
    checked = check(seen.lines, verifies, heads=cut.before.heads, told_key=seen.key, waiting=seen.waiting,
                    noted_n=seen.noted_n)
    yield from (f"ledger: {finding}" for finding in (*checked.findings, *check_card(checked, seen.shelf)))


def _database(db: sqlite3.Connection) -> Iterator[str]:
    yield from (f"database: {row[0]}" for row in db.execute("PRAGMA quick_check") if row[0] != "ok")


def _goes_on(agent: Agent, folders: Folders, cut: Cut) -> Iterator[str]:
    """It films again, under numbers that nobody has had before."""
    gate = agent.writers[0]
    gate.film()
    gate.end()
    now = read(folders)
    seq = max(now.clips)
    if now.clips[seq]["state"] != "done" or seq in cut.before.clips:
        yield f"the next clip is {now.clips[seq]}"
    with contextlib.closing(connect(folders.root)) as db:
        if outbox.next_seq(db) <= max(cut.told, default=0) + 1:
            yield "the numbers of messages begin again"
    if digest(folders.clip(seq, now.clips[seq]["name"])) != now.files[seq]:
        yield "the next clip changes"
