"""The campaign with whole machines: cut anywhere in what a recorder does, or after its card has failed; then judged."""
import contextlib
import json
import random
import re
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.store.database import FILE
from agent.store.folders import Folders
from tests.rigs.powercut import card
from tests.rigs.powercut.cable import Cable
from tests.rigs.powercut.disk import Disk, plain_disk, plugged_in
from tests.rigs.powercut.faults import FAULTS, Fault
from tests.rigs.powercut.judge import Due, Judge, Outcome
from tests.rigs.powercut.life import PATIENCE_S, Life, life
from tests.rigs.powercut.log import FATES, Log, Replay
from tests.rigs.powercut.phases import PHASES, After, Phase
from tests.rigs.powercut.places import extents
from tests.rigs.powercut.recorder import STORE, NeedsPerson, Recorder, reading
from tests.rigs.ward.orders import Orders
from tests.rigs.ward.receiver import said

CLEAN_S = 60.0                      # the keeper signs what it has found
BEFORE_S, AFTER_S = (8.0, 14.0), (6.0, 15.0)        # recorded before a fault, and between its end and the cut
TRACE, ERRORS_MAX_N = "Traceback (most recent call last)", 5


@dataclass(frozen=True, slots=True)
class Rig:
    """Where it takes place."""

    folder: Path
    film: Path
    cable: Cable


def cuts(rig: Rig, name: str, cuts_n: int, seed: int) -> Iterator[Outcome]:
    """What each of `cuts_n` random cuts in this phase leaves, earliest first."""
    phase, dice = PHASES[name], random.Random(f"{seed} {name}")
    with life(rig.folder / _slug(name), phase.base(), rig.film, rig.cable, dice, phase.prepare, phase.settings) as it:
        phase.do(it)
        it.cut()
        it.line.close()         # each cut has a ward of its own, which knows nothing of what came later
        judge, log, past = Judge(), Log.read(it.disk.log), copy(it.ward.tus)
        entries = range(*(log.number(at_b) for at_b in it.span_b))
        chosen = sorted(dice.sample(entries, min(cuts_n, len(entries))))
        fates = [FATES[number % len(FATES)] for number in range(len(chosen))]
        dice.shuffle(fates)
        with contextlib.closing(Replay(log, it.folder / "flushed", card.SIZE_B, it.start)) as replay:
            for number, (cut, fate) in enumerate(zip(chosen, fates, strict=True), 1):
                outcome = Outcome(fate, f"{name}, cut {number} before entry {cut} of {len(log.entries)}, seed {seed}")
                replay.cut(cut, fate, dice, it.folder / "cut")
                due = Due.by(cut, log, it.promises, it.recorder.later_ms)
                it.ward.tus.uploads, it.ward.tus.came = past.as_of(due.cut_ms / 1000), []
                _boot(it, judge, due, phase, outcome)
                yield outcome


def fault(rig: Rig, name: str, seed: int) -> Outcome:
    """What a fault leaves: whether the recorder comes to itself, and what the card has after a cut some time later."""
    given, dice = FAULTS[name], random.Random(f"{seed} {name}")
    phase, fate = PHASES[given.phase], dice.choice(FATES)
    outcome = Outcome(fate, f"{name}, seed {seed}")

    def prepare(root: Path) -> None:
        phase.prepare(root)
        given.prepare(root)
    with life(rig.folder / _slug(name), phase.base(), rig.film, rig.cable, dice, prepare, phase.settings) as it:
        try:
            _suffer(it, given, phase)
        except NeedsPerson as error:
            outcome.person.append(f"while it was on: {error}")
        it.cut()
        outcome.again_s += it.again_s
        outcome.notes += [*it.notes, f"{it.disk.refused_n()} requests refused or forgotten"]
        log = Log.read(it.disk.log)
        cut = _leave(it, log, given, fate)
        _boot(it, Judge(), Due.by(cut, log, it.promises, it.recorder.later_ms), phase, outcome, given)
    return outcome


def _suffer(it: Life, given: Fault, phase: Phase) -> None:
    """Have the fault, and a time after it. Raises NeedsPerson."""
    if given.phase == "recording":
        it.switch_on(given.up_s)
        time.sleep(it.dice.uniform(*BEFORE_S))
        given.bring(it)
    else:
        def trouble() -> None:
            time.sleep(it.dice.uniform(0.2, given.within_s))
            given.bring(it)
        it.trouble = trouble
        try:
            phase.do(it)
        except (AssertionError, subprocess.SubprocessError, StopIteration, IndexError) as error:
            it.notes.append(f"broken off: {str(error)[-200:]}")
            phase.again(it.recorder)
    it.well_again()
    time.sleep(it.dice.uniform(*AFTER_S))
    it.recorder.tend()


def _leave(it: Life, log: Log, given: Fault, fate: str) -> int:
    """Make the card as it is after the cut; returns before which entry it came."""
    image, cut = it.folder / "cut", log.number(it.cut_b)
    with contextlib.closing(Replay(log, it.folder / "flushed", card.SIZE_B, it.start)) as replay:
        if not given.age_s:
            replay.cut(cut, fate, it.dice, image)
            return cut
        then_ns = log.entries[cut - 1].mono_ns - int(given.age_s * 1e9)
        past = next(number for number, entry in enumerate(log.entries) if entry.mono_ns >= then_ns)
        replay.cut(past, "kept", it.dice, image)
        if given.only:
            old = image.rename(it.folder / "old")
            replay.cut(cut, fate, it.dice, image)
            with plugged_in(image, it.folder / "prepared"):
                ranges = [each for path in (it.folder / "prepared" / STORE / given.only).iterdir()
                          for each in extents(path)]
            with old.open("rb") as source, image.open("r+b") as target:
                for begin, end in ranges:
                    source.seek(begin)
                    target.seek(begin)
                    target.write(source.read(end - begin))
    return past


def _boot(it: Life, judge: Judge, due: Due, phase: Phase, outcome: Outcome, given: Fault | None = None) -> None:
    """Boot what is left, and judge it."""
    folder, image = it.folder / f"after-{len([*it.folder.glob('after-*')])}", it.folder / "cut"
    with contextlib.ExitStack() as stack:
        disk = stack.enter_context(plain_disk(folder, image))
        orders = it.orders if given else stack.enter_context(it.ward.listening(folder / "ward", it.dev))
        recorder = stack.enter_context(Recorder(disk, folder, it.cable, film=it.film))
        began_s = time.monotonic()
        try:
            recorder.switch_on()
            phase.again(recorder)
            recorder.until_recording(PATIENCE_S)
            outcome.again_s.append(time.monotonic() - began_s)
        except NeedsPerson as error:
            outcome.person.append(f"after the cut: {error}")
        if recorder.is_on:
            _look(it, judge, due, recorder, orders, outcome, given)
            phase.demand(After(recorder, due.acts, outcome))
        if recorder.is_on:
            recorder.cut()
            _check(disk, outcome)
    if given and given.lies:
        outcome.notes += [*outcome.lost_clips, *outcome.lost_events, *outcome.findings]
        outcome.lost_clips, outcome.lost_events, outcome.findings = [], [], []


def _look(it: Life, judge: Judge, due: Due, recorder: Recorder, orders: Orders, outcome: Outcome,
          given: Fault | None) -> None:
    with contextlib.suppress(NeedsPerson):
        recorder.until(lambda: recorder.says("taimat", "verify", "--json") is not None, "nothing is found", CLEAN_S)
    found = recorder.says("sh", "-c", "taimat verify --json || true") or ""
    outcome.findings += [line for line in found.splitlines() if "holds" not in json.loads(line)]
    before = it.heard(due.cut_ms / 1000)

    def after() -> dict[int, dict[str, Any]]:
        return {event["seq"]: event for event in orders.ward.events()}
    # What was sent while the power went is on no card, and nobody was promised it.
    outcome.numbers += [f"told again, otherwise: message {seq}: {both}" for seq, both in orders.ward.twice
                        if not given or seq in before]
    outcome.numbers += [f"told again, otherwise: message {seq}: {said(before[seq])}, {said(event)}"
                        for seq, event in after().items() if seq in before and said(before[seq]) != said(event)]
    try:
        with contextlib.closing(reading(recorder.store / FILE)) as db:
            judge.compare(db, Folders(recorder.store), due, outcome, lambda: before.keys() | after().keys())
    except (sqlite3.Error, OSError) as error:
        outcome.person.append(f"its database can't be read: {error}")
    outcome.notes += errors(recorder)


def _slug(name: str) -> str:
    return re.sub(r"\W+", "-", name)


def errors(recorder: Recorder) -> list[str]:
    """What its programs ended with that is a fault of theirs: the last lines of tracebacks."""
    lines = (recorder.says("journalctl", "--boot", "--output", "cat", "--no-pager") or "").splitlines()
    ends = []
    for number, line in enumerate(lines):
        if TRACE in line:
            ends.append(next((each for each in lines[number + 1:] if each[:1] not in (" ", "")), ""))
    return [f"traceback: {end}" for end in dict.fromkeys(ends)][:ERRORS_MAX_N]


def _check(disk: Disk, outcome: Outcome) -> None:
    if disk.mend() > 1 or not disk.is_whole():
        outcome.findings.append("the file system is not clean after it was in use again")
