"""The first start after the pairing: each step by its own address, changes by the keeper and root, and its end."""
import json
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from agent.core.contract.setup import SetDevice
from agent.store.decisions import browsers
from agent.web.server.settings_desk import LATE_MS, RESTART_MS
from tests.rigs.house.household import Answer, Household

STEPS = ("/setup", "/setup/name", "/setup/cameras", "/setup/sharing", "/setup/done")
OLD = {"cookie": ""}


@pytest.fixture
def house(tmp_path, hand_clock) -> Iterator[Household]:
    with Household(tmp_path, language="en", listen="0.0.0.0", clock=hand_clock, may_change=True) as house:
        yield house


def pair(house: Household, goal: str = "/") -> str:
    with house.decisions() as own:
        code = browsers.pairing_code(own)
    return house.post("/pair", urlencode({"code": code, "next": goal}), cookie="").headers["location"]


def saved(house: Household, answer: Answer) -> str:
    """The query of the waiting page, which the answer leads to."""
    assert answer.status == 303 and answer.headers["location"].startswith("/saving?")
    return answer.headers["location"].removeprefix("/saving")


def goal(house: Household, query: str) -> str:
    return json.loads(house.get(f"/saving.json{query}").body)["to"]


def test_after_the_first_pairing_comes_the_set_up_until_it_is_over(house: Household):
    assert pair(house) == "/" and pair(house, "/recordings") == "/recordings"      # they may only look
    assert house.get(house.link().removeprefix(house.url), cookie="").headers["location"] == "/setup"
    assert 'href="/setup"' in house.get("/").text
    assert house.post("/setup", "").headers["location"] == "/"
    assert 'href="/setup"' not in house.get("/").text
    assert house.get("/setup").status == 200            # it is found again


def test_the_first_browser_is_led_to_the_set_up(tmp_path):
    with Household(tmp_path, may_change=True, visited=False) as house:
        assert pair(house) == "/setup" and pair(house) == "/"


def test_where_nobody_changes_settings_there_is_no_set_up(tmp_path):
    with Household(tmp_path, language="en") as house:
        assert pair(house) == "/" and 'href="/setup"' not in house.get("/").text
        assert "Settings can&#39;t be changed" in house.get("/cameras").text
        assert house.post("/setup/device", "title=Home").status == 409
        assert house.post("/search", "").status == 409


@pytest.mark.parametrize("path", STEPS)
def test_each_step_can_be_opened_by_itself_in_both_languages(house: Household, path: str):
    for language in ("vi", "en"):
        shown = house.get(f"{path}?lang={language}")
        assert shown.status == 200 and shown.text.count('aria-current="step"') == 1
        assert all(f'href="{each}"' in shown.text for each in STEPS)


def test_the_language_is_the_device_s_and_the_browser_s(house: Household):
    same = house.post("/setup/device", "language=en&next=/setup/name")
    assert same.headers["location"] == "/setup/name" and house.carry_out() == []
    other = house.post("/setup/device", "language=vi&next=/setup/name")
    assert "language=vi" in other.headers["set-cookie"]
    query = saved(house, other)
    assert goal(house, query) == "" and house.get(f"/saving{query}").status == 200
    assert house.carry_out() == [SetDevice(language="vi")]
    assert goal(house, query) == ""                     # root restarts the page now: this one is not the new one yet
    house.clock.advance(RESTART_MS / 1000 + 1)
    assert goal(house, query) == "/setup/name" == house.get(f"/saving{query}").headers["location"]


def test_a_page_that_has_restarted_goes_on_at_once(tmp_path, hand_clock):
    with Household(tmp_path, may_change=True, clock=hand_clock) as house:
        wish = urlencode({"title": " Nhà  bà Sáu ", "next": "/setup/cameras"})
        query = saved(house, house.post("/setup/device", wish))
        assert house.carry_out() == [SetDevice(title="Nhà bà Sáu")]
        hand_clock.advance(1)
    with Household(tmp_path, title="Nhà bà Sáu", clock=hand_clock) as house:
        assert goal(house, query) == "/setup/cameras"
        assert "Nhà bà Sáu" in house.get("/").text and "bà Sáu" not in house.get("/pair", cookie="").text


@pytest.mark.parametrize(("problem", "words"), [("card", "memory card"), ("broken_file", "settings file")])
def test_what_root_can_t_do_is_said_where_it_was_wished(house: Household, problem, words: str):
    query = saved(house, house.post("/setup/device", "title=Home&next=/setup/cameras"))
    house.carry_out(problem, "line 7: <none>")
    back = goal(house, query)
    assert back.startswith(f"/setup/name?problem={problem}")
    shown = house.get(back).text
    assert words in shown and "line 7: &lt;none&gt;" in shown
    assert 'role="alert"' not in house.get("/setup/name?problem=made_up").text


def test_a_root_that_says_nothing_is_not_waited_for_without_end(house: Household):
    query = saved(house, house.post("/setup/device", "title=Home"))
    house.clock.advance(LATE_MS / 1000 - 1)
    assert goal(house, query) == ""
    house.clock.advance(2)
    assert goal(house, query).startswith("/setup/name?problem=late")


@pytest.mark.parametrize("query", ["", "?of=", "?of=../../etc/passwd", "?of=zz&next=//evil.example",
                                   "?of=" + "f" * 5000])
def test_the_waiting_page_leads_nowhere_else(house: Household, query: str):
    house.clock.advance(LATE_MS)
    assert goal(house, query).startswith("/?problem=late")


def test_a_long_name_is_refused_at_the_field_and_nothing_is_changed(house: Household):
    answer = house.post("/setup/device", urlencode({"title": "ồ" * 41}))
    assert answer.status == 400 and "at most 40" in answer.text and "ồ" * 41 in answer.text
    assert house.carry_out() == []


@pytest.mark.parametrize("path", ["/setup", "/setup/device", "/cameras", "/cameras/gate", "/search"])
def test_strangers_change_nothing(house: Household, path: str):
    form = "title=x&do=remove&language=vi&next=/"
    assert house.post(path, form, cookie="").status == 401
    assert house.post(path, form, cookie="taimat=guess").status == 401
    for headers in ({"origin": "http://evil.example"}, {"sec_fetch_site": "cross-site"}):
        assert house.post(path, form, **headers).status == 403
    assert house.carry_out() == []
    assert house.get("/").status == 200 and 'href="/setup"' in house.get("/").text


@pytest.mark.parametrize("path", [*STEPS, "/cameras", "/cameras/gate", "/saving", "/saving.json"])
def test_strangers_see_nothing_of_it(house: Household, path: str):
    assert house.get(path, cookie="").status == 401
    assert house.get(path, cookie="", accept="text/html").headers["location"].startswith("/pair?")


def test_a_ward_that_was_joined_is_told(tmp_path):
    with Household(tmp_path, language="en", may_change=True) as house:
        assert "Joining the ward is off" in house.get("/setup/sharing").text
