"""The page of the recorder's health: a day and a month as plots whose sentences say the same, and what has none."""
import asyncio
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import closing
from html import unescape

import pytest

from agent.config.settings import Camera
from agent.core.contract.facts import ReachFacts
from agent.core.health.forecast import ILL_DAY_POINTS
from agent.core.health.report import TELL_EVERY_S
from agent.host.datagram import Inbox, Outlet
from agent.host.runtime import own
from agent.process.monitor import monitor_of
from agent.store.database import connect
from agent.store.decisions import browsers
from agent.web.server.access import COOKIE
from agent.web.server.watcher import HealthWatcher
from tests.conftest import HandClock
from tests.rigs.house.household import Household, happen
from tests.rigs.house.month import live_through, sample
from tests.rigs.wait import until

PLOT = re.compile(r'<(h[23]) id="plot-([\w-]+)">(.*?)</\1>\s*<p[^>]*>(.*?)</p>.*?(<svg.*?</svg>)', re.DOTALL)


@pytest.fixture(scope="module")
def house(tmp_path_factory) -> Iterator[Household]:
    """A month of a recorder with all sensors, and an event."""
    house = Household(tmp_path_factory.mktemp("house"), language="en", cameras=[
        Camera(name="gate", title="Front gate", source="file:/gate.mp4"),
        Camera(name="yard", source="file:/yard.mp4", enabled=False)])
    happen(house.folders, house.clock.now(), "gate")
    live_through(house.folders, house.clock.now())
    with house:
        yield house


def plots(house: Household, path: str) -> dict[str, tuple[str, str, ET.Element]]:
    """Title, sentence and drawing of each."""
    answer = house.get(path)
    assert answer.status == 200
    return {name: (unescape(title), unescape(told), ET.fromstring(svg))
            for _, name, title, told, svg in PLOT.findall(answer.text)}


def looks(svg: ET.Element) -> list[str]:
    return [path.attrib["class"] for path in svg]


def test_a_day_has_a_plot_for_each_that_is_known_and_a_sentence_beside_it(house):
    found = plots(house, "/health")
    assert list(found) == ["gaps-0", "temperature", "card", "written", "network", "clock"]
    assert re.fullmatch(r"5\d\u00a0°C now; between 44 and 60\u00a0°C\.", found["temperature"][1])
    assert found["card"][1].startswith("90\u00a0% full now, 6.5 GB free of 64 GB. At 90\u00a0%")
    assert found["network"][1] == "Not connected for 3 h." and looks(found["network"][2]) == ["recorded", "camera"]
    assert found["clock"][1] == "Could be wrong for 2 h." and looks(found["clock"][2]) == ["recorded", "missing"]
    assert found["gaps-0"][:2] == ("Front gate", "No picture: 11 min.")
    assert looks(found["gaps-0"][2]) == ["recorded", "camera"]
    for name, (_, _, svg) in found.items():
        assert svg.attrib["role"] == "img" and f"plot-{name}-told" in svg.attrib["aria-labelledby"]


def test_a_month_is_drawn_by_the_day(house):
    found = plots(house, "/health/month")
    assert list(found) == ["gaps-0", "temperature", "card", "days", "written", "network", "clock"]
    bars, = found["temperature"][2]
    assert 28 <= bars.attrib["d"].count("z") <= 30          # and today's hours may have begun only just now
    assert found["days"][1] == "The card is not getting fuller: as much is deleted as is recorded."
    curve, = found["days"][2]
    assert curve.attrib["d"].count("M") == 1 and curve.attrib["d"].count("L") < 20      # no line where it does not fill
    assert re.fullmatch(r"No picture: (11|12) h( \d+ min)?\.", found["gaps-0"][1])


def test_a_line_has_a_gap_where_the_recorder_was_off(house):
    first, *_ = plots(house, "/health/month")["network"][2]
    assert first.attrib["d"].count("M") >= 3                # before the night it was off, after it, after the outage


def test_what_a_machine_can_not_tell_is_said_in_a_sentence(tmp_path):
    house = Household(tmp_path, language="en")
    live_through(house.folders, house.clock.now(), days_n=2, sensors=False)
    with house:
        text = house.get("/health").text
        assert "This machine does not report its temperature." in text and "plot-temperature" not in text
        assert "This machine does not report how much is written to the card." in text and "plot-written" not in text


def test_what_is_not_on_the_card_yet_is_shown(tmp_path):
    house = Household(tmp_path, language="en")
    with house:
        assert "There are no values yet." in house.get("/health").text
        now = house.clock.now()
        house.beat(unit="keeper", lately=[sample(n, now.mono_ms - int(60_000 * n)) for n in (1.5, 1.0)])
        until(lambda: "temperature" in plots(house, "/health"), "the heartbeat has come and a look was made")


@pytest.mark.parametrize(("broker", "ward_up"), [("connected", True), ("unreachable", False), ("off", None)])
def test_the_keeper_is_told_who_can_be_reached(tmp_path, broker: str, ward_up: bool | None):
    house = Household(tmp_path)
    own(house.runtime, "keeper")
    own(house.runtime, "web")
    keepers, pages = Inbox(house.runtime, "keeper"), Inbox(house.runtime, "web")
    clock = HandClock()
    monitor = monitor_of(house.settings, house.folders.root, clock)
    watcher = HealthWatcher(pages, Outlet(house.runtime), monitor, clock, lambda: None)
    house.beat(unit="link", broker=broker)
    told = [asyncio.run(watcher.report()) and keepers.receive(0)]
    clock.advance(TELL_EVERY_S - 1)
    asyncio.run(watcher.report())
    assert keepers.receive(0) is None
    clock.advance(1)
    house.beat(unit="keeper", card_fault="card_io")
    told.append(asyncio.run(watcher.report(0)) and keepers.receive(0))
    assert {type(each) for each in told} == {ReachFacts} and told[0].ward_up is ward_up
    assert [each.card_ill for each in told] == [0, ILL_DAY_POINTS]
    keepers.close()
    pages.close()


def test_a_viewer_sees_it_a_stranger_does_not(house):
    with house.decisions() as own, closing(connect(house.folders.root)) as db:
        viewer = browsers.pair(own, db, "a guest's", house.clock.now())
    assert house.get("/health", cookie=f"{COOKIE}={viewer}").status == 200
    assert house.get("/health", cookie="").status == 401
