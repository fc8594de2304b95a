"""/settings/notify: what a form asks of root, that no address is shown again, and a trial that arrives."""
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from agent.config.settings import Notify, Zone
from agent.core.contract.setup import RemoveNotify, SetNotify
from agent.store import notify
from agent.store.database import connect, transaction
from tests.rigs.house.household import Answer, Household
from tests.rigs.house.notifications import Ntfy, telling
from tests.rigs.wait import until

ADDRESS = "ntfys://ntfy.sh/a-secret-topic"
NEW = {"name": "Mai", "url": ADDRESS, "kind": "both", "camera-gate": "on", "camera-yard": "on",
       "at_most_every_min": "5"}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Household]:
    """One phone, of which some things are set that the form can't show."""
    house = Household(tmp_path, language="en", may_change=True)
    house.cameras[0].zone = [Zone(name="lối đi")]
    (tmp_path / "url").write_text(ADDRESS)
    house.settings.notify = [Notify(name="Bà Sáu", url_file=str(tmp_path / "url"), cameras=["gate"],
                                    hours=["Mon-Fri 22:00-06:00"], quiet=["12:00-14:00"], pictures=True)]
    with house:
        yield house


def save(house: Household, n: int = 0, **form: object) -> Answer:
    return house.post(f"/settings/notify/{n}", urlencode(form))


def shown(house: Household) -> dict[str, str]:
    """The form of the first phone, as a browser would send it."""
    text = house.get("/settings/notify/1").text
    fields = dict(re.findall(r'<input[^>]*? name="(\w+)"(?: type="(?:text|time)")? value="([^"]*)"[^>]*>', text))
    ticked = re.findall(r'type="checkbox" role="switch" name="([^"]+)" value="on" checked', text)
    chosen = re.findall(r'name="kind" value="(\w+)" checked', text) + re.findall(r'value="(\d+)" selected', text)
    return fields | dict.fromkeys(ticked, "on") | dict(zip(("kind", "at_most_every_min"), chosen, strict=True))


def test_a_phone_is_added_with_all_that_the_form_says(house: Household):
    assert save(house, **NEW).status == 303
    assert house.carry_out() == [SetNotify(name="Mai", url=ADDRESS, kinds=[], cameras=[], zones=[], hours=[], quiet=[],
                                           at_most_every_min=5, pictures=False)]
    more = {"kind": "tamper", "zone-lối đi": "on", "pictures": "on", "hours_begin": "22:00", "hours_end": "06:00"}
    form = {key: value for key, value in NEW.items() if key != "camera-yard"}
    assert save(house, **form | more).status == 303
    assert house.carry_out() == [SetNotify(name="Mai", url=ADDRESS, kinds=["tamper"], cameras=["gate"],
                                           zones=["lối đi"], hours=["22:00-06:00"], quiet=[], at_most_every_min=5,
                                           pictures=True)]


def test_people_and_vehicles_alone_are_chosen(house: Household):
    assert save(house, **NEW | {"kind": "known"}).status == 303
    change, = house.carry_out()
    assert change.kinds == ["person", "vehicle"]


def test_what_is_not_changed_stays_and_the_address_is_never_shown(house: Household):
    text = house.get("/settings/notify").text + house.get("/settings/notify/1").text + house.get("/settings").text
    assert "secret-topic" not in text and "ntfy · All · gate" in text and "only Mon-Fri 22:00-06:00" in text
    form = shown(house)
    answer = save(house, 1, **form)
    assert house.carry_out() == [] and answer.headers["location"] == "/settings/notify"
    assert form["quiet_begin"] == "12:00"
    save(house, 1, **form | {"at_most_every_min": "15", "quiet_begin": "", "quiet_end": ""})
    assert house.carry_out() == [SetNotify(name="Bà Sáu", at_most_every_min=15, quiet=[])]
    save(house, 1, name="Bà Sáu", remove="yes")
    assert house.carry_out() == [RemoveNotify(name="Bà Sáu")]


@pytest.mark.parametrize(("form", "told"), [
    ({"url": "me@example.vn"}, "not the address of a service"), ({"url": ""}, "not the address of a service"),
    ({"name": " "}, "Give it a name"), ({"name": "bà sáu"}, "already has that name"),
    ({"hours_begin": "22:00"}, "Give both times"), ({"quiet_begin": "22:00", "quiet_end": "22:00"}, "Give both times"),
    ({"at_most_every_min": "0"}, "can&#39;t use"), ({"camera-gate": None, "camera-yard": None}, "at least one camera")])
def test_what_can_not_be_is_told_and_the_address_is_not_repeated(house: Household, form: dict[str, str], told: str):
    answer = save(house, **{key: value for key, value in (NEW | form).items() if value is not None})
    assert answer.status == 400 and told in answer.text and "secret-topic" not in answer.text
    assert house.carry_out() == []


def test_another_place_than_was_shown_is_left_alone(house: Household):
    assert save(house, 1, **NEW).status == 400 and save(house, 7, **NEW).status == 400
    assert house.get("/settings/notify/7").status == 404 and house.carry_out() == []


def test_a_trial_arrives_and_the_page_says_so(tmp_path: Path):
    pytest.importorskip("apprise")
    house = Household(tmp_path, language="vi", may_change=True, title="Nhà bà Sáu")
    with Ntfy() as ntfy:
        (tmp_path / "url").write_text(ntfy.url)
        house.settings.notify = [Notify(name="Mai", url_file=str(tmp_path / "url"))]
        with house, telling(house.settings, house.folders, house.runtime, house.clock):
            there = house.post("/settings/notify/try", "to=Mai").headers["location"]
            assert "Đang gửi thử" in house.get(there).text
            until(lambda: "Dịch vụ đã nhận thông báo thử" in house.get(there).text)
            assert "Nhà bà Sáu" in ntfy.arrived[0].message
            ntfy.status = 401
            there = house.post("/settings/notify/try", "to=Mai").headers["location"]
            until(lambda: "không cho máy ghi hình vào" in house.get(there).text)
            assert house.post("/settings/notify/try", "to=Ba").headers["location"] == "/settings/notify"


def test_without_apprise_the_page_says_how_to_get_it(house: Household, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "apprise", None)
    assert "sudo apt install apprise" in house.get("/settings/notify").text


def test_a_fault_is_told_in_a_sentence(house: Household):
    db = connect(house.folders.root)
    with transaction(db):
        notify.keep(db, {"Bà Sáu": notify.PlaceState(progress=notify.Progress(after_id=0), fault="unreachable")})
    db.close()
    assert "Messages wait. The service does not answer." in house.get("/settings/notify").text


def test_a_viewer_sees_nothing_of_it(house: Household):
    with house.decisions() as own, own:
        own.execute("UPDATE browser SET role = 'viewer'")
    assert house.get("/settings/notify").status == 403 and save(house, **NEW).status == 403
    assert house.carry_out() == []
