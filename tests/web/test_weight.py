"""What a browser has to load: text compressed, pictures small, and the first home page light on a slow Wi-Fi."""
import gzip
import re
from collections.abc import Iterator

import av
import pytest

from tests.rigs import footage
from tests.rigs.h264 import encoded
from tests.rigs.household import Household, happen

HEADERS_B = 450                 # of an answer, at most; HTTP/1.1 does not compress them
LINKS = re.compile(r'(?:src|href|poster)="(/(?:static|thumbs|app)[^"]*)"')
IMPORTS = re.compile(r'from "\./([a-z_]+\.js)"')


@pytest.fixture(scope="module")
def house(tmp_path_factory) -> Iterator[Household]:
    """Two cameras with real footage, full of detail, and more events than the home page shows."""
    house = Household(tmp_path_factory.mktemp("house"))
    pictures = footage.frames(640, 360)
    frames = [av.VideoFrame.from_ndarray(next(pictures), "yuv420p") for _ in range(20)]
    for n in range(10):
        happen(house.folders, house.clock.now(), ("gate", "yard")[n % 2], video=encoded(frames, 10, 10))
    with house:
        yield house


def test_text_is_compressed_for_who_takes_it_and_pictures_are_not(house):
    plain, small = house.get("/"), house.get("/", accept_encoding="br, gzip")
    assert "content-encoding" not in plain.headers and small.headers["content-encoding"] == "gzip"
    assert small.headers["vary"].lower() == "accept-encoding" and len(small.body) * 3 < len(plain.body)
    assert "<html" in gzip.decompress(small.body).decode() and small.headers["cache-control"] == "no-store"
    assert "content-security-policy" in small.headers
    for path in ("/thumbs/1-small.jpg", "/thumbs/1.jpg", re.search(r"/clips/[^#\"]+", house.get("/events/1").text)[0]):
        answer = house.get(path, accept_encoding="gzip")
        assert answer.status == 200 and "content-encoding" not in answer.headers, path


def test_a_part_of_a_clip_stays_as_it_is(house):
    clip = re.search(r"/clips/[^#\"]+", house.get("/events/1").text)[0]
    part = house.get(clip, accept_encoding="gzip", range="bytes=0-99")
    assert (part.status, len(part.body)) == (206, 100) and "content-encoding" not in part.headers


def test_a_head_tells_the_same_length_as_the_body_has(house):
    head = house.get("/static/page.css", method="HEAD", accept_encoding="gzip")
    body = house.get("/static/page.css", accept_encoding="gzip")
    assert head.headers["content-length"] == str(len(body.body)) and head.body == b""


def test_the_first_home_page_is_light(house):
    seen = {"/": house.get("/", accept_encoding="gzip")}
    waiting = LINKS.findall(gzip.decompress(seen["/"].body).decode())
    while waiting:
        if (path := waiting.pop()) not in seen:
            seen[path] = house.get(path, accept_encoding="gzip")
            assert seen[path].status == 200, path
            if ".js" in path:
                text = gzip.decompress(seen[path].body).decode()
                waiting += [f"/static/{name}" for name in IMPORTS.findall(text)]
    weight = {path: len(answer.body) + HEADERS_B for path, answer in seen.items()}
    assert sum("small" in path for path in weight) >= 6 and sum(".js" in path for path in weight) >= 2
    assert sum(weight.values()) <= 60_000, weight
