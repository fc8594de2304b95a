"""/browsers: which browsers are paired, and how one of them, or all, are put out."""
import pytest

from agent.core.household.access import grouped
from agent.core.household.pause import Pauses
from agent.store import pause
from agent.store.decisions import browsers
from agent.web.pairing.pair import browser_name
from tests.rigs.house.household import Household, happen, house_of

PHONE = ("Mozilla/5.0 (Linux; Android 14; SM-A155F) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile "
         "Safari/537.36")
house = house_of(language="en")


def code_of(house: Household) -> str:
    with house.decisions() as own:
        return browsers.pairing_code(own)


def let_in(house: Household, name: str) -> str:
    """The cookie of one more browser."""
    answer = house.post("/pair", f"code={code_of(house)}", cookie="", user_agent=name)
    return answer.headers["set-cookie"].split(";")[0]


def id_of(house: Household, name: str) -> str:
    with house.decisions() as own:
        return next(each.id for each in browsers.paired(own) if each.name == name)


def test_one_browser_is_put_out_at_once_and_the_others_stay(house):
    phone = let_in(house, PHONE)
    page = house.get("/browsers").text
    assert "Chrome · Android" in page and "Last here: " in page and page.count("<small>this one</small>") == 1
    which = id_of(house, "Chrome · Android")
    assert house.get("/", cookie=phone).status == 200
    answer = house.post("/browsers", f"do=unpair&which={which}")
    assert (answer.status, answer.headers["location"]) == (303, "/browsers")
    assert house.get("/", cookie=phone).status == 401 and house.get("/").status == 200
    assert "Android" not in house.get("/browsers").text


def test_all_are_put_out_and_the_one_that_did_it_sees_the_new_code_once(house):
    phone, old = let_in(house, PHONE), code_of(house)
    page = house.post("/browsers", "do=reset")
    assert page.status == 200 and grouped(code_of(house)) in page.text and code_of(house) != old
    assert house.get("/").status == house.get("/", cookie=phone).status == 401
    assert house.post("/pair", f"code={old}", cookie="").status == 403
    assert grouped(code_of(house)) not in house.get("/pair").text


@pytest.mark.parametrize("form, status", [
    ("", 400), ("do=unpair", 400), ("do=owner&which=", 400), ("do=god&which=0123456789ab", 400),
    ("do=unpair&which=0123456789ab", 303), ("do=viewer&which=0123456789ab", 303), ("which=" + "a" * 5000, 413)])
def test_a_form_that_names_no_browser_puts_none_out(house, form, status):
    assert house.post("/browsers", form).status == status
    assert house.get("/").status == 200


def test_a_later_browser_may_look_and_nothing_else(house):
    guest, code = let_in(house, PHONE), code_of(house)
    event = happen(house.folders, house.clock.now())
    for path in ("/", "/live/gate", "/recordings", f"/events/{event}", "/health.json"):
        page = house.get(path, cookie=guest)
        assert page.status == 200
        for address in ("/pause", "/busy/forget", "/handout", "/cameras", "/setup", "/browsers", "/requests", "/pair"):
            assert f'="{address}' not in page.text, (path, address)
    for path in ("/browsers", "/cameras", "/cameras/gate", "/cameras/gate/picture", "/cameras/gate/looks", "/handout",
                 "/setup", "/pair"):
        page = house.get(path, cookie=guest)
        assert page.status == 403 and grouped(code) not in page.text and "An owner can do that" in page.text
    for path, form in (("/pause", "camera=gate&for=15&next=/"), ("/busy/forget", "camera=gate"), ("/setup", ""),
                       ("/browsers", "do=reset"), ("/cameras/gate", "do=off"), ("/cameras/gate/picture", "do=try"),
                       ("/search", "at="), ("/requests", "")):
        assert house.post(path, form, cookie=guest).status == 403
    assert pause.load(house.folders) == Pauses() and code_of(house) == code


def test_an_owner_makes_another_one_with_a_tap_and_takes_it_back(house):
    guest = let_in(house, PHONE)
    page = house.get("/browsers").text
    assert "Owner: may change everything" in page and "Viewer: may only look" in page
    assert "Only one phone may change" in page
    which, own = id_of(house, "Chrome · Android"), id_of(house, "the test's")
    assert house.get("/cameras", cookie=guest).status == 403
    assert house.post("/browsers", f"do=owner&which={which}").status == 303
    assert house.get("/cameras", cookie=guest).status == 200
    assert "Only one phone may change" not in house.get("/browsers").text
    assert house.post("/browsers", f"do=viewer&which={own}", cookie=guest).status == 303
    assert house.get("/browsers").status == 403
    last = house.post("/browsers", f"do=unpair&which={which}", cookie=guest)
    assert last.status == 409 and "That is the only owner" in last.text
    assert house.get("/browsers", cookie=guest).text.count('value="unpair"') == 2


def test_a_new_code_lets_others_in_and_nobody_is_put_out(house):
    old = code_of(house)
    page = house.post("/browsers", "do=code")
    assert page.status == 200 and grouped(code_of(house)) in page.text and code_of(house) != old
    assert house.post("/pair", f"code={old}", cookie="").status == 403
    assert house.get("/").status == 200 and let_in(house, PHONE)


def test_a_link_lets_an_owner_in(house):
    link = house.link().removeprefix(house.url)
    cookie = house.get(link, cookie="").headers["set-cookie"].split(";")[0]
    assert house.get("/browsers", cookie=cookie).status == 200


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
