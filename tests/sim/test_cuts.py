"""The power goes at every index of a scripted life: what was announced is there, and the store goes on by itself."""
import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from agent.store.database import FILE
from agent.store.decisions import database as decisions
from agent.store.folders import Folders
from agent.store.numbers import PAGE
from tests.sim import tape
from tests.sim.campaign import Day, cuts, cuts_of_a_restart, moments
from tests.sim.card import Fate, Image
from tests.sim.day import STORE
from tests.sim.judge import Cut, judge
from tests.sim.promise import lay_out, read

pytestmark = pytest.mark.needs.with_args(tape.missing)

SEED = 1
FATES = list(Fate)
STRIDES = {True: 2, False: 25}      # of the indices, whether it is thorough or not: all of them take minutes


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Day:
    return Day.live(tmp_path_factory.mktemp("life"))


@pytest.fixture(scope="module")
def last(day: Day) -> Image:
    """The card when the script was over."""
    card, steps = day.steps()
    for _ in steps:
        pass
    return card.cut(Fate.ALL, Random(0))


@pytest.mark.parametrize("fate", FATES, ids=lambda fate: fate.name.lower())
def test_nothing_announced_is_lost_wherever_the_power_goes(day: Day, fate: Fate, thorough: bool):
    """Each fate takes its turn at every so many indices. `scripts/bench cuts` tries them all at each."""
    stride = STRIDES[thorough]
    turn = FATES.index(fate) * stride
    verdicts = list(cuts(day, lambda index_n: [fate] if index_n % (stride * len(FATES)) == turn else [], SEED))
    assert len(verdicts) > 200 / stride
    assert not [verdict for verdict in verdicts if verdict.wrong]


def test_the_power_may_go_again_while_the_store_recovers(day: Day, tmp_path: Path, thorough: bool):
    """After a cut with two clips and an event open: at each index of the start that follows, usually at every third."""
    every = 1 if thorough else 3
    number = max(index_n for index_n, step, *_ in moments(day) if step.call == "write" and "gate" in step.path)
    verdicts = list(cuts_of_a_restart(day, number, Fate.ANY, SEED, tmp_path, every))
    assert len(verdicts) > 50 / every
    assert not [verdict for verdict in verdicts if verdict.wrong]


def test_the_card_of_the_model_is_the_one_that_the_script_wrote(day: Day, last: Image):
    store = day.place / STORE
    real = {str(path.relative_to(store)): path.read_bytes() if path.is_file() else None for path in store.rglob("*")}
    mapped = {name: b"" for name in real if name.endswith("-shm")}        # nobody sees what is written into memory
    assert {"": None, **real, **mapped} == {**last, **mapped}


def without_a_clip(folders: Folders) -> None:
    next(folders.clips.glob("*/*.mp4")).unlink()


def another_byte(folders: Folders) -> None:
    path = next(folders.clips.glob("*/*.mp4"))
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def sql(statement: str) -> Callable[[Folders], None]:
    def change(folders: Folders) -> None:
        with sqlite3.connect(folders.root / FILE) as db:
            db.executescript(statement)
        db.close()
    return change


def numbers_again(folders: Folders) -> None:
    sql("DELETE FROM outbox; UPDATE sqlite_sequence SET seq = 1 WHERE name = 'outbox'")(folders)
    (folders.root / PAGE).unlink()          # which knows better


def without_the_newest_row(folders: Folders) -> None:
    """Of the ledger, and of the keeper's copies, from which it would be put back."""
    cut = "DELETE FROM ledger WHERE n = (SELECT MAX(n) FROM ledger)"
    sql(cut)(folders)
    with contextlib.closing(decisions.connect(folders)) as own:
        own.execute(cut)


HARM = {
    "a clip less": (without_a_clip, "announced clip"),
    "another byte": (another_byte, "announced clip"),
    "an event less": (sql("DELETE FROM event_clip; DELETE FROM event WHERE id = 4"), "event 4 is lost"),
    "a message less": (sql("DELETE FROM outbox WHERE seq = (SELECT MAX(seq) FROM outbox)"), "is lost"),
    "a message twice": (sql("INSERT INTO outbox (kind, camera, boot, mono_ms, wall_ms, clock, data) SELECT kind, "
                            "camera, boot, mono_ms, wall_ms, clock, data FROM outbox WHERE kind = 'motion' LIMIT 1"),
                        "told twice"),
    "numbers again": (numbers_again, "begin again"),
    "a ledger cut short": (without_the_newest_row, "ledger: "),
}


@pytest.mark.parametrize("name", HARM)
def test_the_judge_sees_what_is_wrong(last: Image, tmp_path: Path, name: str):
    harm, complaint = HARM[name]
    kept = read(lay_out(last, tmp_path / "before"))
    harm(lay_out(last, tmp_path / "harmed"))
    harmed = {path: (tmp_path / "harmed" / path).read_bytes() if content is not None else None
              for path, content in last.items() if (tmp_path / "harmed" / path).exists()}
    (tmp_path / "judged").mkdir()
    told = {seq: row["data"] for seq, row in kept.outbox.items()}
    late_mono_s = max(row["mono_ms"] for row in kept.clips.values()) / 1000 + 2
    wrong = judge(harmed, Cut(kept, kept, told, late_mono_s), tmp_path / "judged")
    assert any(complaint in each for each in wrong), wrong
