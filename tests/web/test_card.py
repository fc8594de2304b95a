"""A card that hangs: who opens a thumbnail waits, as for a dying card."""
import asyncio
import http.client
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agent.host.files import open_plain
from agent.store.database import connect
from agent.store.encryption import clear_file
from agent.web.server.store_pool import CardTrouble, StorePool
from tests.rigs.cameras.h264 import movie
from tests.rigs.cameras.live_camera import LiveCam
from tests.rigs.house.household import FRAME_US, Household, happen
from tests.rigs.wait import HANG_S, until


def test_while_the_card_hangs_live_pictures_go_on_and_the_page_says_so(tmp_path, monkeypatch):
    house = Household(tmp_path)
    event_id = happen(house.folders, house.clock.now(), "gate")
    db = connect(house.folders.root)
    thumb = house.folders.thumbs / db.execute("SELECT thumb FROM event").fetchone()["thumb"]
    db.close()
    waiting, well_again = [], threading.Event()

    def open_slowly(path: Path) -> int:
        if path == thumb:
            waiting.append(path)
            well_again.wait(HANG_S)
        return open_plain(path)

    monkeypatch.setattr(clear_file, "open_plain", open_slowly)
    info, packets = movie()
    cam = LiveCam(house.runtime, "gate", info, packets, FRAME_US)
    with house:
        connection = http.client.HTTPConnection("127.0.0.1", house.port, timeout=HANG_S)
        connection.request("GET", "/live/gate.mp4", headers={"cookie": house.cookie})
        live = connection.getresponse()
        stuck = [threading.Thread(target=house.get, args=(f"/thumbs/{event_id}.jpg",), daemon=True) for _ in range(3)]
        for each in stuck:
            each.start()
        until(lambda: len(waiting) == 3, "all workers hang")
        with ThreadPoolExecutor() as visitors:
            home, events = visitors.submit(house.get, "/"), visitors.submit(house.get, "/recordings")
            pieces_n = 0
            while not (home.done() and events.done()):
                assert live.read1(65536)
                pieces_n += 1
        assert pieces_n > 10, "ten a second, while both wait for two seconds and longer"
        assert home.result().status == 200 and "Thẻ nhớ đang trả lời chậm" in home.result().text
        assert events.result().status == 503 and "Thẻ nhớ không trả lời" in events.result().text
        live.close()
        well_again.set()
    cam.close()


@pytest.fixture
def desk(folders):
    connect(folders.root).close()           # the keeper has made it
    pool = StorePool(folders.root, threads_n=1, queue_n=2, patience_s=0.3).start()
    yield pool
    pool.stop()


def test_what_waits_for_the_card_is_bounded_and_counted(desk):

    async def crowd() -> list:
        release = threading.Event()
        asked = [asyncio.ensure_future(desk.ask(lambda db: release.wait(HANG_S))) for _ in range(10)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        release.set()
        await asyncio.sleep(0.1)
        return [*answers, await desk.ask(lambda db: "well again")]

    answers = asyncio.run(crowd())
    assert all(isinstance(answer, CardTrouble) for answer in answers[:-1])
    assert answers[-1] == "well again" and desk.troubles_n == 10


def test_a_bug_is_not_taken_for_a_bad_card(desk):
    with pytest.raises(ZeroDivisionError):
        asyncio.run(desk.ask(lambda db: 1 // 0))
    assert asyncio.run(desk.ask(lambda db: db.execute("SELECT 1").fetchone()[0])) == 1


def test_a_store_that_cant_be_opened_is_trouble_and_is_tried_again(tmp_path):
    folder = tmp_path / "later"
    desk = StorePool(folder, threads_n=1).start()
    with pytest.raises(CardTrouble):
        asyncio.run(desk.ask(lambda db: 1))
    folder.mkdir()
    connect(folder).close()
    assert asyncio.run(desk.ask(lambda db: 1)) == 1
    desk.stop()
