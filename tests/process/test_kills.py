"""Roles killed at random moments beside a real broker: nothing announced is lost, and nothing is told twice.

`scripts/bench kills` does it for hundreds of times.
"""
import random
import tempfile
from pathlib import Path

import pytest

from tests.rigs.cameras import footage
from tests.rigs.kills.campaign import campaign
from tests.rigs.mqtt import broker

KILLS_N = 4


@pytest.mark.skipif(not broker.MOSQUITTO, reason="apt install mosquitto")
def test_what_was_committed_arrives_once_and_clips_are_whole():
    seed = random.randrange(1 << 30)
    print("seed", seed)
    with tempfile.TemporaryDirectory(prefix="k") as short:          # a socket's path may have 107 bytes
        done = campaign(Path(short), footage.clip(640, 360, 10, 10, 500), KILLS_N, random.Random(seed))
    found = done.found
    assert not (found.lost_clips or found.lost_messages or found.told_twice or done.ended)
    assert done.drained and found.clips_n and found.messages_n
    assert max(found.losses_s, default=0) <= 2
