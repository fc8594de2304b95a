"""A recorder whose page is up, shared by the tests of a module."""
import json
from collections.abc import Iterator

import pytest

from agent.host.clock import SystemClock
from tests.rigs.house.household import Household, happen


@pytest.fixture(scope="module")
def house(tmp_path_factory) -> Iterator[Household]:
    """Loopback only; three events of two cameras, the newest still going on."""
    house = Household(tmp_path_factory.mktemp("house"))
    now = SystemClock().now()
    happen(house.folders, now, "gate")
    happen(house.folders, now, "yard")
    happen(house.folders, now, "gate", done=False)
    with house:
        yield house


@pytest.fixture
def clip_url(house: Household) -> str:
    """The address of the oldest event's clip."""
    events = json.loads(house.get("/events.json").body)["events"]
    return next(event["clip"] for event in reversed(events) if event["clip"])


