"""What a recorder's owner does with a phone: pairs it, has a camera looked for, and takes it."""
import html
import re
import time
from collections.abc import Callable
from http import HTTPStatus

from agent.core.household.access import ALPHABET
from tests.rigs.house.phone import Phone, Visit
from tests.rigs.wait import HANG_S, Stopwatch, until

USE = re.compile(r'name="use-([0-9a-f]+)"')
SEARCHING = 'class="working"'
LOOKS_N = 200               # while a camera is searched for
CODE = re.compile(rf"\b[{ALPHABET}]{{4}}-[{ALPHABET}]{{4}}\b")


def asks_for_the_code(visit: Visit) -> bool:
    """Whether a page is the pairing form and nothing else."""
    return visit.path.startswith("/pair") and 'name="code"' in visit.text


def opened(phone: Phone, path: str, limit_s: float = HANG_S) -> Visit:
    """A page, as soon as there is one: a change of settings starts the page anew."""
    def look() -> Visit | None:
        try:
            visit = phone.get(path)
        except OSError:
            return None
        return visit if visit.status == HTTPStatus.OK else None
    return until(look, f"the page opens {path}", limit_s)


def pair(phone: Phone, code: str, limit_s: float = HANG_S) -> Visit:
    """Type the code; once more, as the page asks, where the keeper was just restarting."""
    def typed() -> Visit | None:
        visit = phone.post("/pair", code=code, next="/")
        return None if visit.status == HTTPStatus.SERVICE_UNAVAILABLE else visit
    assert asks_for_the_code(opened(phone, "/", limit_s))
    visit = until(typed, "the keeper looks at the code", limit_s)
    assert visit.status == HTTPStatus.OK and not asks_for_the_code(visit), visit.text
    return visit


def add_camera(phone: Phone, title: str, address: str, until_runs: Callable[[], object] | None = None,
               limit_s: float = HANG_S) -> float:
    """Type a camera's address, and take what was found there under that title.

    Returns for how many fair seconds (Stopwatch) `until_runs` went on after that.
    """
    def look_for_it() -> None:
        phone.post("/search", at=address, user="", password="", by_hand="1", next="/cameras")

    def found() -> str:
        text = opened(phone, "/cameras", limit_s).text
        key = next(iter(set(USE.findall(text)) - known), "")
        if not key and SEARCHING not in text:       # a slow machine has not seen it: once more, as people do
            look_for_it()
        elif not key:                               # each look takes from a slow machine what the search needs
            time.sleep(limit_s / LOOKS_N)
        return key
    known = set(USE.findall(opened(phone, "/cameras", limit_s).text))
    look_for_it()
    key = until(found, "the camera is found", limit_s)
    with Stopwatch() as watch:
        visit = phone.post("/cameras", **{f"use-{key}": "on", f"title-{key}": title, "next": "/cameras"})
        if until_runs:
            until_runs()
    assert visit.status < HTTPStatus.BAD_REQUEST, visit.text
    until(lambda: html.escape(title) in opened(phone, "/cameras", limit_s).text, f"{title} is there", limit_s)
    return watch.fair_s
