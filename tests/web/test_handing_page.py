"""Handing recordings out by the page: the form, the signed download, and who gets none."""
import io
import re
import threading
import zipfile
from contextlib import closing
from datetime import datetime
from pathlib import Path
from urllib.parse import urlencode

import pytest

from agent.core.evidence.ledger.row import decode
from agent.host.clock import SystemClock
from agent.host.datagram import Outlet
from agent.host.stop import Stop
from agent.keeper.main import Keeper
from agent.process.heartbeat import Heartbeat
from agent.process.role import Role
from agent.store import clips, holds, keeper_client, ledger
from agent.store.database import connect
from agent.store.decisions import database as decisions
from tests.rigs.house.household import Household, happen
from tests.rigs.store.exports import look
from tests.rigs.store.kept_store import link_desk
from tests.rigs.wait import HANG_S, until


@pytest.fixture
def house(tmp_path: Path):
    """A clip of the camera "gate" from a minute ago, held, for this machine's disk may be full."""
    house = Household(tmp_path)
    now = SystemClock().now()
    happen(house.folders, type(now)(now.boot, now.mono_ms - 60_000, now.wall_ms - 60_000, "ntp"))
    with connect(house.folders.root) as db, closing(decisions.connect(house.folders)) as own:
        holds.place(own, db, clips.finished(db), "the test", None, now, 10**9)
    db.close()
    with house:
        yield house


@pytest.fixture
def keeper(house: Household):
    """The real one, in a thread."""
    stop = Stop()

    def live() -> None:
        role = Role(house.settings, None, house.folders, house.runtime, house.clock,
                    Heartbeat("keeper", "keeper", house.runtime, house.clock), stop)
        keeper = Keeper(role, connect(house.folders.root), decisions.connect(house.folders), Outlet(house.runtime))
        while not stop.wait(0.05):
            keeper.round(asked_for_space=False)
        keeper.close()

    thread = threading.Thread(target=live)
    thread.start()
    (house.runtime / "keeper").mkdir(exist_ok=True)
    desk = link_desk(house.folders.root, house.runtime, house.clock, house.settings)
    yield
    desk.close()
    stop.set()
    thread.join(HANG_S)


def clip_of(house: Household):
    db = connect(house.folders.root)
    try:
        return clips.finished(db)[0]
    finally:
        db.close()


def form(house: Household, **changed: str) -> str:
    clip = clip_of(house)
    begin, end = (datetime.fromtimestamp(each // 1000).isoformat()
                  for each in (clip.wall_ms, clip.wall_ms + clip.dur_ms + 999))
    return urlencode({"camera": "gate", "from": begin, "to": end, "case": "12/2026", "officer": "Lê Văn Tám"} | changed)


def test_the_form_is_filled_in_from_the_event_and_gives_a_package_that_holds(house, keeper, tmp_path):
    event = house.get("/events/1")
    (link,) = re.findall(r'href="(/handout[^"]+)"', event.text)
    own = house.get(link.replace("&amp;", "&")).text
    assert '<option value="gate" selected>gate' in own and own.count('value="20') == 2
    answer = house.post("/handout", form(house))
    assert answer.status == 200, answer.text
    assert answer.headers["content-type"] == "application/zip" and 'filename="gate-' in answer.headers[
        "content-disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path)
    (folder,) = tmp_path.glob("gate-*")
    verdict = look(folder)
    assert verdict.findings == [] and verdict.manifest.claim.wish.case == "12/2026"
    db = connect(house.folders.root)
    row = decode(ledger.newest(db).doc)
    assert (row.kind, row.body["by"], row.body["officer"]) == ("export", "page", "Lê Văn Tám")
    until(lambda: not db.execute("SELECT COUNT(*) FROM hold WHERE work").fetchone()[0],
          "retention may have the clips again")
    db.close()
    until(lambda: house.post("/handout", form(house)).status == 200, "the next one is made")


@pytest.mark.parametrize("changed", [
    {"camera": "nobody"}, {"from": "yesterday"}, {"to": "2001-01-01T00:00"}, {"from": "2001-01-01T00:00"},
    {"case": "x" * 201}, {"purpose": "a\nb"}])
def test_what_is_no_time_of_ours_shows_the_form_again(house, changed):
    answer = house.post("/handout", form(house, **changed))
    assert answer.status == 400 and "Hãy chọn camera" in answer.text


def test_what_can_not_be_signed_is_said_with_the_reason(house, keeper):
    answer = house.post("/handout", form(house, camera="yard"))
    assert answer.status == 409 and "Máy ghi hình không ký được đoạn này" in answer.text
    assert "there is no recording of a camera called yard" in answer.text
    assert house.post("/handout", form(house)).status == 200, "the next one is not kept waiting"


def test_without_a_keeper_it_is_said_and_the_card_is_not_blamed(house, monkeypatch):
    monkeypatch.setattr(keeper_client, "KEEPER_S", 0.0)
    answer = house.post("/handout", form(house))
    assert answer.status == 409 and "the keeper, which writes the store, does not answer" in answer.text


def test_strangers_and_other_sites_get_nothing(house, keeper):
    assert house.post("/handout", form(house), origin="http://evil.example").status == 403
    assert house.post("/handout", "x" * 5000).status == 413
