"""The power goes at random writes of a real ext4: what was promised is there. The long one: scripts/bench powercut."""
import random
from pathlib import Path

import pytest

from tests.rigs.cameras import footage
from tests.rigs.powercut.campaign import cuts, record
from tests.rigs.powercut.disk import missing
from tests.rigs.powercut.log import FATES, FLUSH, Log, Replay

CUTS_N = 24
OPEN_LOSS_MAX_S = 2.0
BUSY_S = 1.0                # other tests run beside this one: a late thread costs what a slow card does

needs_disk = pytest.mark.needs.with_args(missing)


@needs_disk
def test_what_was_promised_survives_a_cut_at_any_write(tmp_path: Path):
    seed = random.randrange(1 << 30)
    print("seed", seed)
    film = footage.clip(640, 360, 10, 10, 500)
    recording = record(tmp_path, [(film, "both"), (film, "continuous")], seconds=11, encrypt="on")
    assert len(recording.promises.clips) >= 2 and recording.promises.events and recording.promises.rows
    for outcome in cuts(recording, CUTS_N, random.Random(seed)):
        assert not (outcome.unmountable or outcome.lost_clips or outcome.lost_events or outcome.findings), outcome
        assert outcome.open_loss_s <= OPEN_LOSS_MAX_S + BUSY_S, outcome


def test_the_replay_keeps_what_was_flushed_and_only_plays_with_the_rest(tmp_path: Path):
    """Three sectors written, flushed, and written again: a cut may show the old ones or new ones, and nothing else."""
    log, sector_b = tmp_path / "log", 512
    image = tmp_path / "cut"
    entry = Log.pack
    old, new = (letter * 3 * sector_b for letter in (b"o", b"n"))
    log.write_bytes(entry(b"W", 0, old) + entry(FLUSH, 0, b"") + entry(b"W", 0, new))
    seen = {}
    for fate in FATES:
        replay = Replay(Log.read(log), tmp_path / "flushed", 3 * sector_b)
        seen[fate] = set()
        for seed in range(40):
            replay.cut(3, fate, random.Random(seed), image)
            seen[fate].add(image.read_bytes()[::sector_b])
        replay.close()
    assert seen == {"kept": {b"nnn"}, "dropped": {b"ooo"}, "diced": {b"ooo", b"nnn"},
                    "torn": {b"ooo", b"noo", b"nno", b"nnn"}}


def test_before_the_first_flush_nothing_is_certain(tmp_path: Path):
    log = tmp_path / "log"
    log.write_bytes(Log.pack(b"W", 0, b"o" * 512) + Log.pack(FLUSH, 0, b""))
    read = Log.read(log)
    assert [read.flushed_n(cut) for cut in (0, 1, 2)] == [0, 0, 2]
    assert [read.number(size_b) for size_b in (0, 1, read.entries[0].end, read.entries[1].end)] == [0, 1, 1, 2]
