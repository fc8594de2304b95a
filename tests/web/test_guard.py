"""Who may look: a browser that was let in by the code or by a link, on the device itself too, and nobody else."""
import contextlib
import socket

import pytest

from agent.core.contract.facts import Poke
from agent.core.household.access import LOCKED_S, TRIES_N, grouped
from agent.host.datagram import Outlet
from agent.store.database import connect
from agent.store.decisions import browsers
from agent.web.server.browsers import AGAIN_S, TRUSTED_S
from tests.rigs.cameras.h264 import movie
from tests.rigs.cameras.live_camera import LiveCam
from tests.rigs.house.household import Household
from tests.rigs.wait import HANG_S, until

PHONE = {"host": "192.168.1.7:8088", "cookie": ""}      # what a phone's browser sends at first
STRANGER = {"cookie": "", "accept": "text/html"}


@pytest.fixture
def open_house(tmp_path, hand_clock):
    """Listens on all addresses; its clock is stepped by hand."""
    with Household(tmp_path, listen="0.0.0.0", clock=hand_clock) as house:
        yield house


def code_of(house: Household) -> str:
    with house.decisions() as own:
        return browsers.pairing_code(own)


def pair(house, code, **more):
    return house.post("/pair", f"code={code}", **PHONE | more)


def unpair(house: Household, which: str = "") -> None:
    """As `taimat pair` does it."""
    with house.decisions() as own, contextlib.closing(connect(house.folders.root)) as db:
        browsers.unpair(own, db, which, house.clock.now())


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8088", "192.168.1.7", "127.0.0.1.evil.example",
                                  "localhost.evil.example", "2130706433"])
def test_on_loopback_only_loopback_names_are_answered(house, host):
    answer = house.get("/", host=host)
    assert answer.status == 421 and "gate" not in answer.text


@pytest.mark.parametrize("host", ["", "[::1", ":80"])
def test_a_malformed_host_is_refused(house, open_house, host):
    assert house.get("/", host=host).status == open_house.get("/pair", host=host).status == 400


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:9", "[::1]:8088", "LOCALHOST:1"])
def test_on_loopback_too_a_browser_is_let_in_and_the_code_is_not_shown(house, host):
    assert house.get("/", host=host).status == 200
    assert house.get("/", host=host, cookie="").status == 401
    form = house.get("/pair", host=host, cookie="")
    assert form.status == 200 and grouped(code_of(house)) not in form.text and 'name="code"' in form.text


@pytest.mark.parametrize("header", ["x_forwarded_for", "forwarded", "via", "x_real_ip"])
def test_a_proxy_on_the_device_does_not_make_strangers_local(house, open_house, header):
    assert house.get("/", **{header: "10.0.0.9"}).status == 421
    assert open_house.get("/", **{header: "10.0.0.9", "cookie": ""}).status == 401


@pytest.mark.parametrize("path", ["/", "/recordings", "/events/1", "/events.json", "/health.json", "/live/gate",
                                  "/live/gate.mp4", "/clips/a.mp4", "/thumbs/1.jpg", "/browsers", "/nowhere"])
def test_everything_needs_pairing(house, open_house, path):
    assert house.get(path, cookie="").status == open_house.get(path, **PHONE).status == 401
    page = open_house.get(path, accept="text/html", **PHONE)
    assert page.status == 303 and page.headers["location"].startswith("/pair?next=%2F")
    assert open_house.get(path, **PHONE | {"cookie": "taimat=guess"}).status == 401


@pytest.mark.parametrize("path", ["/static/page.js", "/static/live.js", "/pairing", "/pair/", "/static/page.css/",
                                  "/entering", "/setup", "/cameras"])
def test_strangers_see_the_form_alone(open_house, path):
    assert open_house.get(path, **PHONE).status == 401
    assert open_house.get("/static/page.css", **PHONE).status == 200


def test_the_form_tells_nothing_of_the_house(tmp_path):
    with Household(tmp_path, listen="0.0.0.0", site="HH-07", language="en") as house:
        assert "HH-07" in house.get("/").text
        form = house.get("/pair", cookie="", host="taimat.local:8088").text
        assert "taimat-pairing.txt" in form and "label" in form
        assert not any(word in form for word in ("HH-07", "gate", "yard", "page.js", "/recordings"))
        house.close_desk()
        told = house.get("/", cookie="taimat=from-an-earlier-life", accept="text/html")
        assert told.status == 503 and "HH-07" not in told.text and "page.js" not in told.text
        house.open_desk()


def test_a_phone_is_paired_once_and_its_token_is_not_stored(open_house):
    code = code_of(open_house)
    form = open_house.get("/pair?next=%2Frecordings", accept="text/html", **PHONE)
    assert form.status == 200 and code[:4] not in form.text
    answer = open_house.post("/pair", f"code={grouped(code).lower()}&next=%2Frecordings", **PHONE)
    assert (answer.status, answer.headers["location"]) == (303, "/recordings")
    cookie = answer.headers["set-cookie"]
    assert all(part in cookie.lower() for part in ("httponly", "samesite=strict", "path=/", "max-age=31536000"))
    token = cookie.split(";")[0]
    assert open_house.get("/recordings", **PHONE | {"cookie": token}).status == 200
    with open_house.decisions() as own:
        stored = "".join(str(value) for row in own.execute("SELECT * FROM browser") for value in row)
    assert stored and token.removeprefix("taimat=") not in stored


def test_an_unpaired_browser_is_out_within_a_minute_and_at_once_when_the_page_is_told(open_house):
    assert open_house.get("/recordings").status == 200
    unpair(open_house)
    assert open_house.get("/recordings").status == 200
    open_house.clock.advance(TRUSTED_S + 1)
    assert open_house.get("/recordings").status == 401
    token = pair(open_house, code_of(open_house)).headers["set-cookie"].split(";")[0]
    unpair(open_house)
    Outlet(open_house.runtime).send(Poke(what="browsers"), "web")
    until(lambda: open_house.get("/recordings", cookie=token).status == 401)


def test_a_live_picture_ends_with_the_pairing(house: Household):
    info, packets = movie()
    cam = LiveCam(house.runtime, "gate", info, packets, 100_000)
    with socket.create_connection(("127.0.0.1", house.port), timeout=HANG_S) as line:
        line.sendall(f"GET /live/gate.mp4 HTTP/1.1\r\nHost: localhost\r\nCookie: {house.cookie}\r\n\r\n".encode())
        assert line.recv(1000).startswith(b"HTTP/1.1 200")
        unpair(house)
        Outlet(house.runtime).send(Poke(what="browsers"), "web")
        while line.recv(65_536):
            pass
    cam.close()


def test_a_link_lets_one_browser_in_within_a_minute(open_house):
    link = open_house.link().removeprefix(open_house.url)
    assert open_house.get(link, "HEAD", **STRANGER).status == 405
    answer = open_house.get(link, **STRANGER)
    assert (answer.status, answer.headers["location"]) == (303, "/")
    assert open_house.get("/", cookie=answer.headers["set-cookie"].split(";")[0]).status == 200
    late = open_house.link().removeprefix(open_house.url)
    open_house.clock.advance(61)
    for stale in (link, late, "/enter/guess"):
        said = open_house.get(stale, **STRANGER)
        assert said.status == 403 and "taimat pair --link" in said.text and "set-cookie" not in said.headers


def test_while_the_keeper_is_silent_a_paired_browser_stays_and_a_new_one_is_told_to_come_back(open_house):
    newcomer = pair(open_house, code_of(open_house)).headers["set-cookie"].split(";")[0]
    assert open_house.get("/").status == 200
    open_house.close_desk()
    for wait_s in (0, TRUSTED_S + 1, AGAIN_S + 1):
        open_house.clock.advance(wait_s)
        assert open_house.get("/").status == open_house.get("/", cookie=newcomer).status == 200
    page = open_house.get("/?lang=en", cookie="taimat=from-an-earlier-life", accept="text/html")
    assert page.status == 503 and "Come back in a moment" in page.text and "gate" not in page.text
    assert pair(open_house, code_of(open_house)).status == 503
    assert open_house.get("/enter/any", **STRANGER).status == 503
    open_house.open_desk()
    unpair(open_house)
    open_house.clock.advance(TRUSTED_S + 1)
    assert open_house.get("/").status == 401


@pytest.mark.parametrize("goal", ["//evil.example", "https://evil.example", "/\\evil.example", "/%0d%0aSet-Cookie:x",
                                  "javascript:alert(1)"])
def test_pairing_leads_nowhere_else(open_house, goal):
    answer = open_house.post("/pair", f"code={code_of(open_house)}&next={goal}", **PHONE)
    assert (answer.status, answer.headers["location"]) == (303, "/")


def test_five_wrong_codes_lock_everybody_out_for_five_minutes_with_one_answer(open_house):
    code = code_of(open_house)
    answers = [pair(open_house, each) for each in ["WRONG000"] * (TRIES_N + 2) + [code]]        # right, but too late
    assert {(answer.status, answer.body) for answer in answers} == {(403, answers[0].body)}
    open_house.clock.advance(LOCKED_S - 1)
    assert pair(open_house, code).status == 403
    open_house.clock.advance(1)
    assert pair(open_house, code).status == 303


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
    for form in (f"code={code_of(open_house)}", "do=reset"):
        path = "/pair" if form.startswith("code") else "/browsers"
        answer = open_house.post(path, form, **{"host": PHONE["host"]} | headers)
        assert answer.status == 403 and "set-cookie" not in answer.headers
    assert open_house.get("/").status == 200


def test_a_form_is_bounded(open_house):
    assert pair(open_house, "A" * 10_000).status == 413


def test_a_paired_browser_shows_phones_the_way(open_house):
    text = open_house.get("/pair").text
    assert grouped(code_of(open_house)) in text
    assert f":{open_house.port}</p>" in text and "<svg" in text
