"""What every page has: the way to the other pages and home, and where one is."""
import re

import pytest

PLACES = re.compile(r'<a href="([^"]+)"(?: aria-current="(\w+)")?><svg.*?</svg><span>([^<]+)</span></a>', re.DOTALL)
PLACES_SHOWN = ["/", "/recordings", "/sharing", "/health", "/settings"]


def places(text: str) -> dict[str, str]:
    """Address and mark of each entry of the navigation."""
    return {address: mark for address, mark, _ in PLACES.findall(text)}


@pytest.mark.parametrize(("path", "marked"), [
    ("/", ("/", "page")), ("/live/gate", ("/", "true")), ("/recordings", ("/recordings", "page")),
    ("/events/1", ("/recordings", "true")), ("/handout", ("/sharing", "true")),
    ("/health", ("/health", "page")), ("/health/month", ("/health", "true")), ("/notice", ("/health", "true")),
    ("/sharing", ("/sharing", "page")), ("/requests", ("/sharing", "true")), ("/settings", ("/settings", "page")),
    *((path, ("/settings", "true")) for path in ("/cameras", "/cameras/gate", "/browsers", "/pair"))])
def test_a_page_tells_where_one_is(house, path: str, marked: tuple[str, str]):
    shown = places(house.get(path).text)
    assert list(shown) == PLACES_SHOWN
    assert [(address, mark) for address, mark in shown.items() if mark] == [marked]


def test_what_does_not_exist_leads_home_and_marks_nothing(house):
    answer = house.get("/nowhere")
    assert answer.status == 404 and places(answer.text) == dict.fromkeys(PLACES_SHOWN, "")


def test_a_stranger_sees_no_navigation(house):
    assert places(house.get("/pair", cookie="").text) == {}
