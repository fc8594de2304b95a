"""/settings: what holds now, what a form has changed, and the newest change put back."""
import re
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config.settings import Camera, Store
from agent.core.contract.setup import (
    ChangeCamera,
    LastChange,
    LocalCameras,
    SetDevice,
    SetStore,
    SetWeb,
    TextChange,
    UndoChange,
)
from agent.core.household.pause import DAYS, all_hours
from agent.web.server import words
from agent.web.settings.form import BadForm, parsed
from agent.web.settings.pages import RetentionSettings, hours_from, retention_text
from tests.rigs.house.household import Household, house_of

EN = words.load("en")
OFF = ["Mon-Fri 07:00-17:00", "Sun"]
PAGES = ("/settings", "/settings/recording/gate", "/settings/recording/yard", "/settings/retention", "/settings/device",
         "/settings/home", "/settings/afar")
house = house_of(language="en", title="Nhà", may_change=True, cameras=[
    Camera(name="gate", title="Cổng trước", source="rtsp://192.168.1.2/1", off=OFF),
    Camera(name="yard", title="Sân", source="picamera:0")])


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("language", ["vi", "en"])
def test_each_page_is_there_in_both_languages(house: Household, path: str, language: str):
    page = house.get(f"{path}?lang={language}")
    assert page.status == 200 and f'<html lang="{language}">' in page.text
    assert 'aria-current="page"' in page.text or 'aria-current="true"' in page.text


def test_the_first_page_says_what_holds(house: Household):
    text = house.get("/settings").text
    assert "When something moves · off Mon-Fri 07:00-17:00; Sun" in text and "10 days" in text and "Nhà" in text
    for path in (*PAGES[1:], "/cameras", "/browsers", "/pair"):
        assert f'href="{path}"' in text and house.get(path).status == 200
    assert "Put it back" not in text


@pytest.mark.parametrize(("path", "form", "change"), [
    ("/settings/recording/gate", {"record": "both", "audio": "on", "keep-1": "on", "day-sat": "on", "begin": "22:00",
                                  "end": "06:00"},
     ChangeCamera(name="gate", record="both", audio=True, off=["Sun", "Sat 22:00-06:00"])),
    ("/settings/recording/gate", {"record": "motion", "keep-0": "on", "keep-1": "on", "audio": "on"},
     ChangeCamera(name="gate", audio=True)),
    ("/settings/recording/yard", {"record": "continuous", "audio": "on", **{f"day-{day}": "on" for day in DAYS},
                                  "begin": "07:00", "end": "17:30"},
     ChangeCamera(name="yard", record="continuous", off=["07:00-17:30"])),
    ("/settings/retention", {"keep_days": "30", "keep_continuous_days": "1,5"},
     SetStore(keep_days=30, keep_continuous_days=1.5)),
    ("/settings/retention", {"keep_days": "5", "keep_continuous_days": "3"}, SetStore(keep_days=5)),
    ("/settings/device", {"title": " Nhà  bà Sáu", "language": "en"}, SetDevice(title="Nhà bà Sáu")),
    ("/settings/device", {"title": "Nhà", "language": "vi"}, SetDevice(language="vi")),
    ("/settings/afar", {"tailscale": "on"}, SetWeb(afar=["100.64.0.0/10"]))])
def test_a_form_changes_what_is_another_and_nothing_else(house: Household, path: str, form: dict[str, str],
                                                         change: TextChange):
    answer = house.post(path, urlencode(form))
    assert answer.status == 303 and answer.headers["location"].startswith("/saving?of=")
    assert house.carry_out() == [change]


@pytest.mark.parametrize(("path", "form"), [
    ("/settings/recording/gate", {"record": "motion", "keep-0": "on", "keep-1": "on"}),
    ("/settings/retention", {"keep_days": "10.0", "keep_continuous_days": "3"}),
    ("/settings/device", {"title": "Nhà", "language": "en"}), ("/settings/afar", {"tailscale": "off"})])
def test_what_is_so_already_needs_no_change(house: Household, path: str, form: dict[str, str]):
    assert house.post(path, urlencode(form)).headers["location"] == "/settings" and house.carry_out() == []


@pytest.mark.parametrize(("path", "form", "told"), [
    ("/settings/recording/gate", {"record": "motion", "begin": "22:00", "end": "06:00"}, "at least one day"),
    ("/settings/recording/gate", {"record": "motion", "day-sat": "on", "begin": "22:00"}, "both times or none"),
    ("/settings/recording/gate", {"record": "motion", "day-sat": "on", "begin": "25:00", "end": "x"}, "both times"),
    ("/settings/retention", {"keep_days": "0", "keep_continuous_days": "3"}, "Enter a number of days"),
    ("/settings/retention", {"keep_days": "nan", "keep_continuous_days": "<b>"}, "Enter a number of days"),
    ("/settings/device", {"title": "x" * 41, "language": "en"}, "too long")])
def test_what_can_not_be_is_told_where_it_was_wished(house: Household, path: str, form: dict[str, str], told: str):
    answer = house.post(path, urlencode(form))
    assert answer.status == 400 and told in answer.text and "<b>" not in answer.text and house.carry_out() == []


def test_no_form_names_a_camera_or_a_way_that_is_not_there(house: Household):
    assert house.post("/settings/recording/x", "record=motion").status == 404
    assert house.post("/settings/recording/gate", "record=never").status == 400
    assert house.get("/settings/recording/x").status == 404


def test_the_newest_change_is_told_and_put_back(house: Household):
    last = LastChange(id="0" * 20, wall_ms=house.clock.now().wall_ms, what="change_camera", camera="gate",
                      keys=["motion.ignore", "motion.sensitivity", "masks"])
    house.setup.show(LocalCameras(cameras=[]), last)
    text = house.get("/settings").text
    assert "Cổng trước was changed: motion, masks" in text
    of = re.search(r'name="of" value="(\w+)"', text)[1]
    assert house.post("/settings/undo", f"of={of}").headers["location"].startswith("/saving?of=")
    assert house.carry_out() == [UndoChange(of=last.id)]
    late = house.post("/settings/undo", "of=" + "1" * 20)
    assert house.carry_out() == [] and "can&#39;t be undone now" in house.get(late.headers["location"]).text
    house.setup.show(LocalCameras(cameras=[]), None)
    assert "Put it back" not in house.get("/settings").text


def test_where_nobody_changes_settings_nothing_can_be_saved(tmp_path):
    with Household(tmp_path, language="en") as house:
        for path in ("/settings", "/settings/recording/gate", "/settings/retention", "/settings/device"):
            assert "button strong" not in house.get(path).text
        assert house.post("/settings/retention", "keep_days=5&keep_continuous_days=3").status == 409


@given(days=st.sets(st.sampled_from(DAYS)), begin=st.sampled_from(["", "07:00", "22:30", "7"]),
       end=st.sampled_from(["", "06:00", "22:30", "24:00"]))
def test_hours_that_a_form_makes_are_hours_that_the_settings_take(days: set[str], begin: str, end: str):
    form = {f"day-{day}": "on" for day in days} | {"begin": begin, "end": end, "keep-0": "on"}
    try:
        lines = hours_from(form, OFF)
    except BadForm:
        assert not days or begin in ("7", end) or end == "24:00" or not (begin and end)
        return
    assert lines[0] == OFF[0] and len(all_hours(lines)) >= len(all_hours(OFF[:1]))


@pytest.mark.parametrize(("text", "days"), [("10", 10), (" 1,5 ", 1.5), ("365", 365), ("366", None), ("0", None),
                                            ("-1", None), ("nan", None), ("inf", None), ("", None), ("ten", None)])
def test_days_as_people_type_them(text: str, days: float | None):
    form = {"keep_days": text, "keep_continuous_days": "3"}
    if days is None:
        with pytest.raises(BadForm, match="bad_days"):
            parsed(SetStore, RetentionSettings.fields, form)
    else:
        assert parsed(SetStore, RetentionSettings.fields, form)["keep_days"] == days


def test_what_was_typed_stays_in_the_form_and_a_secret_does_not(house: Household):
    page = house.post("/settings/device", urlencode({"title": "x" * 41, "language": "vi"})).text
    assert "x" * 41 in page and re.search(r'value="vi" checked', page)
    page = house.post("/settings/home", urlencode({"host": "192.168.1.5", "port": "0", "user": "me",
                                                   "password": "right-horse", "snapshots": "on"})).text
    assert 'value="me"' in page and "horse" not in page and re.search(r'name="snapshots" value="on" checked', page)


def test_what_the_limits_mean_on_this_card():
    store = Store(keep_days=10, keep_continuous_days=1.5)
    assert retention_text(store, 8.6, EN) == [
        "Events are kept for 10 days, other video for 1.5 days. Then they are deleted.",
        "At the recent rate, the card has room for only about 8.6 days: the oldest recordings go sooner."]
    assert "room for about 40 days." in retention_text(store, 40.2, EN)[1]
    assert "After an hour" in retention_text(store, None, EN)[1]
