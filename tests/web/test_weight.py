"""What a browser has to load: text compressed, pictures small, and the first home page light on a slow Wi-Fi."""
import gzip
import json
from collections.abc import Iterator

import pytest

from tests.rigs.cameras.h264 import detailed
from tests.rigs.house.household import Household, happen
from tests.rigs.house.loaded import loaded


@pytest.fixture(scope="module")
def house(tmp_path_factory) -> Iterator[Household]:
    """Two cameras with real footage, full of detail, and more events than the home page shows."""
    house = Household(tmp_path_factory.mktemp("house"))
    for n in range(10):
        happen(house.folders, house.clock.now(), ("gate", "yard")[n % 2], video=detailed())
    with house:
        yield house


def clip_of(house: Household) -> str:
    """The address of a clip."""
    return json.loads(house.get("/events.json").body)["events"][0]["clip"]


def test_text_is_compressed_for_who_takes_it_and_pictures_are_not(house):
    plain, small = house.get("/"), house.get("/", accept_encoding="br, gzip")
    assert "content-encoding" not in plain.headers and small.headers["content-encoding"] == "gzip"
    assert small.headers["vary"].lower() == "accept-encoding" and len(small.body) * 3 < len(plain.body)
    assert "<html" in gzip.decompress(small.body).decode() and small.headers["cache-control"] == "no-store"
    assert "content-security-policy" in small.headers
    for path in ("/thumbs/1-small.jpg", "/thumbs/1.jpg", clip_of(house)):
        answer = house.get(path, accept_encoding="gzip")
        assert answer.status == 200 and "content-encoding" not in answer.headers, path


def test_a_part_of_a_clip_stays_as_it_is(house):
    clip = clip_of(house)
    part = house.get(clip, accept_encoding="gzip", range="bytes=0-99")
    assert (part.status, len(part.body)) == (206, 100) and "content-encoding" not in part.headers


def test_a_head_tells_the_same_length_as_the_body_has(house):
    head = house.get("/static/page.css", method="HEAD", accept_encoding="gzip")
    body = house.get("/static/page.css", accept_encoding="gzip")
    assert head.headers["content-length"] == str(len(body.body)) and head.body == b""


def test_the_first_home_page_is_light(house):
    weight = loaded(house, "/")
    assert sum("small" in path for path in weight) >= 6 and sum(".js" in path for path in weight) >= 2
    assert sum(weight.values()) <= 60_000, weight
