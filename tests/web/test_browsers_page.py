"""/browsers: which browsers are paired, and how one of them, or all, are put out."""
import re

import pytest

from agent.core.household.access import grouped
from agent.store.decisions import browsers
from agent.web.pair import browser_name
from tests.rigs.household import Household

PHONE = ("Mozilla/5.0 (Linux; Android 14; SM-A155F) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile "
         "Safari/537.36")


@pytest.fixture
def house(tmp_path):
    with Household(tmp_path, language="en") as house:
        yield house


def code_of(house: Household) -> str:
    with house.decisions() as own:
        return browsers.pairing_code(own)


def let_in(house: Household, name: str) -> str:
    """The cookie of one more browser."""
    answer = house.post("/pair", f"code={code_of(house)}", cookie="", user_agent=name)
    return answer.headers["set-cookie"].split(";")[0]


def test_one_browser_is_put_out_at_once_and_the_others_stay(house):
    phone = let_in(house, PHONE)
    page = house.get("/browsers").text
    assert "Chrome · Android" in page and "Last here: " in page and page.count("<small>this one</small>") == 1
    which = re.search(r'value="([0-9a-f]+)"\s+aria-label="Un-pair: Chrome · Android"', page)[1]
    assert house.get("/", cookie=phone).status == 200
    answer = house.post("/browsers", f"which={which}")
    assert (answer.status, answer.headers["location"]) == (303, "/browsers")
    assert house.get("/", cookie=phone).status == 401 and house.get("/").status == 200
    assert "Android" not in house.get("/browsers").text


def test_all_are_put_out_and_the_one_that_did_it_sees_the_new_code_once(house):
    phone, old = let_in(house, PHONE), code_of(house)
    page = house.post("/browsers", "which=all")
    assert page.status == 200 and grouped(code_of(house)) in page.text and code_of(house) != old
    assert house.get("/").status == house.get("/", cookie=phone).status == 401
    assert house.post("/pair", f"code={old}", cookie="").status == 403
    assert grouped(code_of(house)) not in house.get("/pair").text


@pytest.mark.parametrize("form, status", [("", 400), ("which=0123456789ab", 303), ("which=" + "a" * 5000, 400)])
def test_a_form_that_names_no_browser_puts_none_out(house, form, status):
    assert house.post("/browsers", form).status == status
    assert house.get("/").status == 200


def test_a_browsers_words_are_text_and_nothing_else(house):
    let_in(house, "<script>alert(1)</script>")
    assert "&lt;script&gt;alert(1)" in house.get("/browsers").text


@pytest.mark.parametrize("said, name", [
    (PHONE, "Chrome · Android"),
    ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 "
     "Mobile/15E148 Safari/604.1", "Safari · iPhone"),
    ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) coc_coc_browser/130.0.220 "
     "Chrome/124.0.6367.220 Safari/537.36", "Cốc Cốc · Windows"),
    ("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "Firefox · Linux"),
    ("curl/8.5.0", "curl/8.5.0"), ("", "?")])
def test_a_browser_is_called_as_people_call_it(said, name):
    assert browser_name(said) == name
