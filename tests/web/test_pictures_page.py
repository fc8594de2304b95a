"""Pictures of events in lists: small, of now while an event goes on; and what is told of a time that may be wrong."""
import contextlib
import re
from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
import pytest

from agent.capture.sockets import snapshot_socket
from agent.host.runtime import camera_socket
from agent.store import clips
from agent.store.database import connect, transaction
from tests.rigs.cameras.h264 import movie
from tests.rigs.house.household import Household, happen

UNSURE = "Giờ chưa chắc đúng"


@pytest.fixture
def going_on(tmp_path) -> Iterator[Household]:
    """One event is over, the newest one goes on, of a camera with a picture of now."""
    house = Household(tmp_path)
    happen(house.folders, house.clock.now())
    happen(house.folders, house.clock.now(), done=False)
    info, packets = movie()
    shop = snapshot_socket(camera_socket(house.runtime, "snap", "gate"), lambda: (info, packets[:10]), house.clock)
    with house:
        yield house
    shop.close()


def size(jpeg: bytes) -> tuple[int, int]:
    high, wide, _ = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).shape
    return wide, high


def test_lists_have_small_pictures_that_are_kept_for_good(going_on):
    answer = going_on.get("/thumbs/1-small.jpg")
    assert answer.status == 200 and size(answer.body) == (272, 153)
    assert "immutable" in answer.headers["cache-control"]
    again = going_on.get("/thumbs/1-small.jpg", if_none_match=answer.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    assert size(going_on.get("/thumbs/1.jpg").body) == (640, 360)
    assert 'src="/thumbs/1-small.jpg"' in going_on.get("/").text
    assert going_on.get("/thumbs/99-small.jpg").status == 404


def test_a_picture_of_an_older_version_is_served_as_it_is(going_on):
    (thumb,) = going_on.folders.thumbs.glob("*-1.jpg")
    thumb.write_bytes(old := cv2.imencode(".jpg", np.zeros((360, 640, 3), np.uint8))[1].tobytes())
    assert going_on.get("/thumbs/1-small.jpg").body == old


def test_an_event_that_goes_on_shows_the_picture_of_now(going_on):
    address = re.search(r'src="(/thumbs/2-small\.jpg\?\d+)"', going_on.get("/").text)[1]
    answer = going_on.get(address)
    assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")
    assert size(answer.body) == (272, 153)


def test_without_a_picture_of_now_there_is_none(going_on):
    event_id = happen(going_on.folders, going_on.clock.now(), "yard", done=False)
    assert going_on.get(f"/thumbs/{event_id}-small.jpg").status == 404


def test_a_time_that_may_be_wrong_is_said_once_a_group(tmp_path):
    house = Household(tmp_path)
    now = house.clock.now()
    for boot, clock in (("0000000a", "ntp"), ("0000000a", "ntp"), ("0000000b", "unset"), ("0000000b", "unset"),
                        ("0000000b", "unset")):
        happen(house.folders, replace(now, boot=boot, clock=clock))
    with house:
        for path in ("/", "/recordings"):
            text = house.get(path).text
            assert text.count(UNSURE) == 1, path
        text = house.get("/").text
        assert text.index(UNSURE) < text.index('href="/events/5"')
        assert text.index('href="/events/3"') < text.index('href="/events/2"')


def test_a_clip_that_is_gone_is_told_in_the_household_s_words(going_on):
    page = {"accept": "text/html,*/*"}
    db = connect(going_on.folders.root)
    clip = clips.finished(db, limit=1)[0]
    with contextlib.closing(db), transaction(db):
        clips.condemn(db, [clip.name], "age")
    answer = going_on.get(f"/clips/{clip.name}.mp4", **page)
    assert answer.status == 410 and "Đoạn video này không còn" in answer.text
    assert 'class="places"' in answer.text
    assert going_on.get(f"/clips/{clip.name}.mp4").status == 404        # a player needs no page
