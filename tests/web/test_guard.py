"""Who may look: at the device itself, on the network with the code, and nobody else."""
import re

import pytest

from agent.core.household.access import LOCKED_S, TRIES_N
from agent.store import meta
from agent.store.database import connect, transaction
from tests.rigs.household import Household
from tests.rigs.wait import until

CODE = "7K2MQ9XD"
PHONE = {"host": "192.168.1.7:8088"}        # what a phone's browser sends; only then is a visitor not at the device


@pytest.fixture
def open_house(tmp_path, hand_clock):
    """Listens on all addresses; its clock is stepped by hand."""
    house = Household(tmp_path, listen="0.0.0.0", clock=hand_clock)
    db = connect(house.folders.root)
    with transaction(db):
        meta.put(db, "pairing_code", CODE)
    db.close()
    with house:
        yield house


def pair(house, code, **more):
    return house.post("/pair", f"code={code}", **PHONE | more)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8088", "192.168.1.7", "127.0.0.1.evil.example",
                                  "localhost.evil.example", "2130706433"])
def test_on_loopback_only_loopback_names_are_answered(house, host):
    answer = house.get("/", host=host)
    assert answer.status == 421 and "gate" not in answer.text


@pytest.mark.parametrize("host", ["", "[::1", ":80"])
def test_a_malformed_host_is_refused(house, open_house, host):
    assert house.get("/", host=host).status == open_house.get("/pair", host=host).status == 400


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:9", "[::1]:8088", "LOCALHOST:1"])
def test_loopback_needs_no_pairing_and_shows_the_code(house, host):
    assert house.get("/", host=host).status == 200
    assert re.search(r"[0-9A-Z]{4}-[0-9A-Z]{4}", house.get("/pair", host=host).text)


@pytest.mark.parametrize("header", ["x_forwarded_for", "forwarded", "via", "x_real_ip"])
def test_a_proxy_on_the_device_does_not_make_strangers_local(house, open_house, header):
    assert house.get("/", **{header: "10.0.0.9"}).status == 421
    assert open_house.get("/", **{header: "10.0.0.9"}).status == 401


@pytest.mark.parametrize("path", ["/", "/events", "/events/1", "/events.json", "/health.json", "/live/gate",
                                  "/live/gate.mp4", "/clips/a.mp4", "/thumbs/1.jpg", "/nowhere"])
def test_on_the_network_everything_needs_pairing(open_house, path):
    assert open_house.get(path, **PHONE).status == 401
    page = open_house.get(path, accept="text/html", **PHONE)
    assert page.status == 303 and page.headers["location"].startswith("/pair?next=%2F")
    assert open_house.get(path, cookie="taimat=guess", **PHONE).status == 401


def test_a_phone_is_paired_once_and_its_token_is_not_stored(open_house):
    form = open_house.get("/pair?next=%2Fevents", accept="text/html", **PHONE)
    assert form.status == 200 and CODE not in form.text and "7K2M" not in form.text
    answer = open_house.post("/pair", "code=7k2m-q9xd&next=%2Fevents", **PHONE)
    assert (answer.status, answer.headers["location"]) == (303, "/events")
    cookie = answer.headers["set-cookie"]
    assert all(part in cookie.lower() for part in ("httponly", "samesite=strict", "path=/", "max-age=31536000"))
    token = cookie.split(";")[0]
    assert open_house.get("/events", cookie=token, **PHONE).status == 200
    db = connect(open_house.folders.root)
    stored = "".join(str(value) for row in db.execute("SELECT * FROM browser") for value in row)
    assert stored and token.removeprefix("taimat=") not in stored
    db.execute("DELETE FROM browser")
    db.close()
    open_house.clock.advance(61)
    assert open_house.get("/events", cookie=token, **PHONE).status == 401


@pytest.mark.parametrize("goal", ["//evil.example", "https://evil.example", "/\\evil.example", "/%0d%0aSet-Cookie:x",
                                  "javascript:alert(1)"])
def test_pairing_leads_nowhere_else(open_house, goal):
    answer = open_house.post("/pair", f"code={CODE}&next={goal}", **PHONE)
    assert (answer.status, answer.headers["location"]) == (303, "/")


def test_five_wrong_codes_lock_everybody_out_for_five_minutes_with_one_answer(open_house):
    answers = [pair(open_house, code) for code in ["WRONG000"] * (TRIES_N + 2) + [CODE]]        # right, but too late
    assert {(answer.status, answer.body) for answer in answers} == {(403, answers[0].body)}
    open_house.clock.advance(LOCKED_S - 1)
    assert pair(open_house, CODE).status == 403
    open_house.clock.advance(1)
    assert pair(open_house, CODE).status == 303


def test_wrong_codes_are_told_in_health(open_house):
    for _ in range(3):
        pair(open_house, "")

    def told():
        open_house.clock.advance(10)        # the beat and the look at it are each due again: either may come first
        return '"pairing_failures_n":3' in open_house.get("/health.json").text

    until(told)


@pytest.mark.parametrize("headers", [{"origin": "http://evil.example"}, {"origin": "null"}, {"origin": ""},
                                     {"sec_fetch_site": "cross-site"}, {"sec_fetch_site": "same-site"}])
def test_a_form_of_another_site_is_refused(open_house, headers):
    assert open_house.post("/pair", f"code={CODE}", **PHONE | headers).status == 403
    assert "set-cookie" not in open_house.post("/pair", f"code={CODE}", **PHONE | headers).headers


def test_a_form_is_bounded(open_house):
    assert pair(open_house, "A" * 10_000).status == 413


def test_the_code_is_made_once_and_kept(tmp_path):
    codes = set()
    for _ in range(2):
        with Household(tmp_path) as house:
            codes |= set(re.findall(r'class="code">([^<]+)<', house.get("/pair").text))
    assert len(codes) == 1 and re.fullmatch(r"[0-9A-Z]{4}-[0-9A-Z]{4}", codes.pop())


def test_the_device_shows_phones_the_way(open_house):
    text = open_house.get("/pair", host="localhost").text
    assert "7K2M-Q9XD" in text
    assert re.search(rf"http://[\d.]+:{open_house.port}", text) and "<svg" in text
