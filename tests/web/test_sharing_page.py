"""/sharing over HTTP: what it says in each standing, and which change a tap asks of the keeper and of root."""
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from msgspec import UNSET

from agent.config.settings import Sharing, Ward
from agent.core.contract.setup import SetSharing, SetWard
from agent.core.household.consent import TOLD, VERSION
from agent.host.clock import SystemClock
from agent.host.ward_folder import RECORD, EnrolState, WardRecord, show
from agent.store import membership
from agent.store.database import connect, transaction
from agent.store.decisions import browsers
from agent.web.server.access import COOKIE
from tests.rigs.device.label_weights import weights_here
from tests.rigs.house.household import Household
from tests.rigs.pki import Authority
from tests.rigs.ward.requests import ask

WARD = Ward(enabled=True, ward="w07", host="broker.w07.example.invalid")
Open = Callable[..., Household]
PEOPLE = re.compile(r'name="part" value="people">\s*<button class="switch"[^>]*aria-checked="(\w+)"')
SWITCH = re.compile(r'name="part" value="(health|events)">\s*<button class="switch"[^>]*aria-checked="(\w+)"')


@pytest.fixture
def open_house(tmp_path) -> Iterator[Open]:
    """A household with this ward in its configuration, which its keeper has read; root is there."""
    houses = []

    def open_(ward: Ward = WARD, sharing: Sharing | None = None, may_change: bool = True) -> Household:
        house = Household(tmp_path / str(len(houses)), may_change=may_change, language="en")
        house.settings.ward, house.settings.sharing = ward, sharing or Sharing()
        house.agree()
        houses.append(house)
        return house.__enter__()

    yield open_
    for house in houses:
        house.__exit__()


def known(house: Household) -> membership.Membership | None:
    """The membership as all roles see it."""
    with closing(connect(house.folders.root)) as db:
        return membership.read(db)


def switches(text: str) -> dict[str, str]:
    """Each part, and whether it is on."""
    return dict(SWITCH.findall(text))


def test_without_a_ward_it_says_who_sets_one_up(open_house):
    page = open_house(Ward()).get("/sharing").text
    assert "This recorder knows no ward" in page and "A technician of the ward" in page
    assert "/sharing/join" not in page and switches(page) == {} and 'href="/handout"' in page


def test_joining_is_under_the_text_and_is_asked_of_root(open_house):
    house = open_house(Ward(ward="w07", host=WARD.host))
    assert 'href="/sharing/join"' in house.get("/sharing").text
    page = house.get("/sharing/join").text
    assert "never the picture, the sound" in page and f'name="text" value="{VERSION}"' in page and WARD.host in page
    assert house.post("/sharing/join", f"ward=w07&text={VERSION - 1}").status == 409 and house.carry_out() == []
    answer = house.post("/sharing/join", f"ward=w07&text={VERSION}")
    assert answer.status == 303 and answer.headers["location"].startswith("/saving?")
    assert house.carry_out() == [SetWard(enabled=True)] and known(house) is None


def test_an_enrolled_recorder_names_its_ward_and_what_that_was_told(open_house, tmp_path):
    record = WardRecord(dev="c-0123456789ab", ward="w07", ward_name="Phường Bến Nghé", host=WARD.host, broker_port=8883,
                        door_port=8443, serial="S-1", join=False, claim_sha256="0" * 64, granted_ms=0)
    (tmp_path / RECORD).write_bytes(msgspec.json.encode(record))
    cert, key = Authority(tmp_path, "ward-root").issue(record.dev)
    out = open_house(Ward(ward="w07", host=WARD.host, cert=str(cert), key=str(key)))
    page = out.get("/sharing").text
    assert "You have not joined Phường Bến Nghé" in page and "camera, memory card, clock and network" in page
    assert "Join Phường Bến Nghé" in out.get("/sharing/join").text and "What would joining mean?" in page
    joined = open_house(msgspec.structs.replace(WARD, cert=str(cert), key=str(key)))
    page = joined.get("/sharing").text
    assert "You are in Phường Bến Nghé" in page and "a certificate that is valid until" in page


@pytest.mark.parametrize(("step", "code", "told"), [
    ("waiting", "dns", "connected to the Internet?"), ("waiting", "bad_grant", "goes on by itself"),
    ("waiting", "tls_not_yet_valid", "does not know the time"), ("refused", "claim_used", "copied"),
    ("refused", "claim_unknown", "The technician who brought it can help"), ("renewing", "dns", "again every day")])
def test_what_is_wrong_with_an_enrolment_is_said_without_a_code(open_house, step, code, told):
    house = open_house(Ward())
    show(Path(house.settings.store.runtime), EnrolState(
        step=step, ward="Phường 7", code=code, detail="for technicians"))
    page = house.get("/sharing").text
    assert told in page and "Phường 7" in page and code not in page and "for technicians" not in page
    assert "This recorder knows no ward" not in page


@pytest.mark.parametrize(("form", "change", "told"), [
    ("part=health&to=never", SetSharing(health="never"), 13), ("part=events&to=never", SetSharing(events="never"), 12),
    ("part=people&to=people", SetSharing(events="people"), 16),
    ("part=pictures&to=never", SetSharing(default="never", never=[], ask=[], allow=[], snapshots="never"), 16),
    ("part=pictures&to=allow", SetSharing(default="allow", never=[], ask=[], allow=[], snapshots="ask"), 16),
    ("part=purposes&default=ask&snapshots=never&purpose-theft=allow&purpose-traffic=never&purpose-fire=",
     SetSharing(default="ask", snapshots="never", never=["traffic"], ask=[], allow=["theft"]), 16)])
def test_a_tap_is_a_change_for_root_and_what_it_takes_back_counts_before(open_house, form, change, told):
    house = open_house()
    assert switches(house.get("/sharing").text) == {"health": "true", "events": "true"} and len(TOLD) == 16
    answer = house.post("/sharing", form)
    assert answer.status == 303 and answer.headers["location"].startswith("/saving?of=")
    assert house.carry_out() == [change] and len(known(house).telling) == told
    page = house.get("/sharing").text
    for part in ("health", "events"):
        assert switches(page)[part] == ("false" if getattr(change, part) == "never" else "true")
    assert getattr(change, "health", UNSET) is not None


@pytest.mark.parametrize("looks", [True, False])
def test_people_alone_is_a_switch_that_says_what_it_does_and_where_nobody_looks(open_house, monkeypatch, looks):
    if looks:
        weights_here(monkeypatch)
    house = open_house()
    page = house.get("/sharing").text
    assert PEOPLE.search(page)[1] == "false" and "at most four minutes later" in page
    assert ("So it reports all movement" in page) != looks
    house.post("/sharing", "part=people&to=people")
    assert house.carry_out() == [SetSharing(events="people")] and known(house).only == ["person", "vehicle"]
    page = house.get("/sharing").text
    assert PEOPLE.search(page)[1] == "true" and "You have taken something back" in page
    house.post("/sharing", "part=events&to=never")
    assert not PEOPLE.search(house.get("/sharing").text)


def test_leaving_is_asked_for_twice_and_counts_though_root_is_not_there(open_house):
    house = open_house(may_change=False)
    assert "Messages that still wait on this recorder are deleted" in house.get("/sharing/leave").text
    assert known(house)
    answer = house.post("/sharing/leave", "")
    assert (answer.status, answer.headers["location"]) == (303, "/sharing") and known(house) is None
    page = house.get("/sharing").text
    assert "You have taken something back" in page and "You are not in the ward w07" in page


def test_what_needs_root_says_so_where_it_is_not_there(open_house):
    house = open_house(Ward(ward="w07", host=WARD.host), may_change=False)
    answer = house.post("/sharing/join", f"ward=w07&text={VERSION}")
    assert answer.status == 409 and "can't be changed from this page" in answer.text.replace("&#39;", "'")


@pytest.mark.parametrize("form", ["part=health&to=ask", "part=all&to=never", "part=people&to=never",
                                  "part=pictures&to=sell", "part=purposes", "part=purposes&default=ask&snapshots=x",
                                  "x" * 5000, ""])
def test_a_form_that_is_none_of_ours_changes_nothing(open_house, form):
    house = open_house()
    assert house.post("/sharing", form).status in (400, 413)
    assert house.carry_out() == [] and len(known(house).telling) == len(TOLD)


def test_rules_by_purpose_are_shown_and_a_purpose_of_ones_own_too(open_house):
    page = open_house(sharing=Sharing(default="never", allow=["x-flood"], snapshots="ask")).get("/sharing").text
    assert "It depends on the purpose" in page and not re.search(r'type="radio"[^>]*checked', page)
    assert re.search(r'name="purpose-x-flood".*?<option value="allow" selected>', page, re.DOTALL)
    assert re.search(r'name="default".*?<option value="never" selected>', page, re.DOTALL)


def delivered(db: sqlite3.Connection, receipt: str) -> int:
    """A request that somebody says is delivered; its number."""
    asked = ask(db, approved=True)
    with transaction(db):
        db.execute("UPDATE request SET state = 'delivered', bytes = 5000000, sha256 = ?, receipt = ? WHERE id = ?",
                   (64 * "a", receipt, asked.id))
    return asked.n


def test_what_waits_and_what_has_left_is_there_and_a_receipt_that_nobody_signed_is_called_so(open_house):
    house = open_house()
    with closing(connect(house.folders.root)) as db:
        ask(db)
        delivered(db, "no receipt")
    page = house.get("/sharing").text
    assert "The ward asks. You decide" in page and 'href="/requests/1/approve"' in page
    assert "What has left the house" in page and "receipt is not valid" in page and 64 * "a" in page
    assert "receipt is valid" not in page and "5 MB, with signature" in house.get("/requests").text


def test_a_stranger_sees_and_changes_nothing(open_house):
    house = open_house()
    for path in ("/sharing", "/sharing/join", "/sharing/leave"):
        assert "w07" not in house.get(path, cookie="").text
        house.post(path, "part=health&to=never", cookie="")
    assert house.carry_out() == [] and len(known(house).telling) == len(TOLD)
    assert house.post("/sharing/leave", "", origin="http://evil.example").status == 403 and known(house)


def test_a_viewer_sees_what_leaves_and_neither_who_asks_nor_a_switch(open_house):
    house = open_house()
    with closing(connect(house.folders.root)) as db, house.decisions() as own:
        ask(db)
        delivered(db, "no receipt")
        guest = f"{COOKIE}={browsers.pair(own, db, 'a guest', SystemClock().now())}"
    page = house.get("/sharing", cookie=guest).text
    assert "You are in the ward w07" in page and "The ward gets this." in page and "The owners decide" in page
    assert "What has left the house" in page and "<form" not in page and 'href="/requests' not in page
    assert not any(told in page for told in ("Trần Văn B", "W07-2026-0093", "BLTTHS", 64 * "a", "/sharing/leave"))
    for path in ("/requests", "/requests/1/approve", "/sharing/join", "/sharing/leave", "/handout"):
        answer = house.get(path, cookie=guest)
        assert answer.status == 403 and "Trần Văn B" not in answer.text
    for path in ("/sharing", "/sharing/leave", "/sharing/join"):
        assert house.post(path, "part=health&to=never&ward=w07&text=2", cookie=guest).status == 403
    assert house.carry_out() == [] and len(known(house).telling) == len(TOLD)
