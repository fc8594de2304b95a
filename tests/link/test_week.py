"""A week without a broker, on a clock that is moved by hand: the outbox stays small, and in the end the ward knows all.

A twentieth of what `scripts/bench week` does, in rows and in bytes.
"""
import random

from agent.core.delivery.outbox import BOUND_B, GIVES_WAY
from agent.store import outbox
from tests.rigs.store.week import Away, come_back

SCALE, DAYS, MOTIONS_A_DAY = 20, 7, 8000


def test_a_week_offline_loses_nothing_that_is_not_named(tmp_path):
    (tmp_path / "store").mkdir()
    away = Away(tmp_path / "store", random.Random(7), BOUND_B // SCALE)
    away.live(DAYS, MOTIONS_A_DAY // SCALE)
    assert away.highest_b <= away.bound_b
    waiting = away.kinds()
    folded = {kind: away.written[kind] - waiting[kind] for kind in away.written}
    assert set(GIVES_WAY) == {kind for kind, n in folded.items() if n}, "both had to give way, and nothing else did"
    assert folded["health_hist"] > 0.9 * away.written["health_hist"], "history first"

    told = come_back(away, tmp_path / "ward.db")
    assert sorted(told.seqs + told.missing) == list(range(1, outbox.next_seq(away.db)))
    assert told.kinds == waiting and told.motions_n == away.motions_n
    assert told.repeated_n > 0, "the line broke, and the ward kept each event once"
    assert told.holes == ()
