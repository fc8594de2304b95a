"""An upload over a line that loses packets, is long, narrow, and is cut in the middle: a real kernel's TCP and TLS."""
import math
import time

import pytest

from tests.rigs.network import wan
from tests.rigs.network.bad_line import Line
from tests.rigs.network.far import Far
from tests.rigs.wait import until

BAD = Line(delay_s=0.15, loss=0.03, rate_bps=4e6)
NARROW = Line(delay_s=0.01, rate_bps=4e6)

pytestmark = pytest.mark.needs.with_args(wan.missing)


def test_over_loss_and_a_cut_in_the_middle_every_byte_comes_once(tmp_path):
    with Far(tmp_path) as far:
        far.line.become(BAD)
        request_id, data = far.packed(100_000)
        until(lambda: far.tus.taken_b > 40_000, "it is on its way")
        far.line.become(Line(up=False))
        time.sleep(1.0)
        far.line.become(BAD)
        until(lambda: far.state(request_id) == "delivered", "delivered")
        assert bytes(far.tus.uploads[request_id].data) == data


def stands_still(far: Far) -> bool:
    """Whether nothing more comes for a second; what is in the line's queue may."""
    before_b = far.tus.taken_b
    time.sleep(1.0)
    return far.tus.taken_b - before_b < 20_000


def test_events_hardly_wait_for_an_upload_and_it_waits_when_the_ward_s_answers_are_late(tmp_path):
    with Far(tmp_path, "upload_pct = 100") as far:
        far.line.become(NARROW)
        request_id, _ = far.packed(8_000_000)
        while far.tus.taken_b < 800_000:
            far.rig.append()
            time.sleep(0.05)
        until(lambda: far.rig.waiting_n() == 0)
        late_s = sorted(far.late_s())
        assert late_s[math.ceil(len(late_s) * 0.9) - 1] <= 0.15, "in a router's full queue it is 0.2 s"
        far.broker.freeze()
        until(lambda: stands_still(far), "it waits")
        held_b = far.tus.taken_b
        assert far.state(request_id) == "packed"
        far.broker.thaw()
        until(lambda: far.tus.taken_b > held_b + 100_000, "it goes on")
