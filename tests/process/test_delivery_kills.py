"""Broker, links and ingest killed by turns while 50 events a second arrive: nothing is lost, nothing is there twice.

`scripts/bench delivery` does it with the contract's waits and for much longer.
"""
import random
import tempfile
from pathlib import Path

import pytest

from tests.rigs.mqtt import broker
from tests.rigs.ward.delivery import Storm, campaign

STORM = Storm(broker_n=4, link_n=2, ingest_n=2, devices_n=2, pauses_s=(0.2, 0.8))


@pytest.mark.skipif(not broker.MOSQUITTO, reason="apt install mosquitto")
def test_every_event_is_with_the_ward_once_whoever_was_killed():
    seed = random.randrange(1 << 30)
    print("seed", seed)
    with tempfile.TemporaryDirectory(prefix="k") as folder:
        done = campaign(Path(folder), "receipt", STORM, random.Random(seed))
    assert done.events_n > 200
    assert (done.lost_n, done.twice_n, done.left_n) == (0, 0, 0)
