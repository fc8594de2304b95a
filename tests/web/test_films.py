"""/film and /events/ID.mp4: a span over the borders of clips as one video, in parts, as far as there is footage."""
import contextlib
import json
from urllib.parse import unquote

import pytest

from agent.config.settings import Camera
from agent.store import clips
from agent.store.database import connect, transaction
from tests.core.cut_material import packets_of
from tests.core.mp4_material import encode
from tests.core.sound_material import hear
from tests.rigs.house.household import Household, house_of
from tests.rigs.house.run_of_clips import Kept

SECOND_MS = 1000
house = house_of(cameras=[Camera(name="gate", source="file:/gate.mp4", title="Cổng: trước"),
                          Camera(name="yard", source="file:/yard.mp4")])


@pytest.fixture
def kept(house) -> Kept:
    """Five seconds in four clips, with sound."""
    kept = Kept(house, *encode("h264"))
    kept.store([0, 15, 30, 60], *hear("aac"))
    return kept


def payloads(data: bytes) -> list[bytes]:
    return [packet.data for packet in packets_of(data)]


def span(kept: Kept, first: int, last: int, more: str = "", kind: str = "mp4") -> str:
    """The address of the film in which these are the first and the last picture."""
    return f"/film/{kept.camera}.{kind}?from={kept.wall_ms(first) + 2}&to={kept.wall_ms(last) + 2}{more}"


def test_a_span_over_three_borders_is_one_film_of_exactly_its_pictures(house, kept):
    whole = house.get(span(kept, 15, 65))
    assert (whole.status, whole.headers["content-type"], whole.headers["accept-ranges"]) == (200, "video/mp4", "bytes")
    assert payloads(whole.body) == [packet.data for packet in kept.packets[15:66]]
    assert len(packets_of(whole.body, "audio")) > 50 and "private" in whole.headers["cache-control"]
    told = json.loads(house.get(span(kept, 15, 65, kind="json")).body)
    (film,) = told["films"]
    assert house.get(film["address"]).body == whole.body and film["bytes"] == len(whole.body)
    assert film["type"] == f'video/mp4; codecs="avc1.{kept.stream.config[1:4].hex()}"'
    assert film["begin_ms"] == pytest.approx(kept.wall_ms(15), abs=2) and told["gaps"] == [] and not told["grows"]


def test_any_part_of_it_is_the_same_bytes_and_nothing_comes_twice(house, kept):
    address = span(kept, 0, 74)
    whole = house.get(address)
    size_b, etag = len(whole.body), whole.headers["etag"]
    for first, last in [(0, 9), (100, 5099), (size_b // 2, size_b - 1), (size_b - 7, size_b - 1)]:
        part = house.get(address, range=f"bytes={first}-{last}")
        assert (part.status, part.body) == (206, whole.body[first:last + 1])
        assert part.headers["content-range"] == f"bytes {first}-{last}/{size_b}" and part.headers["etag"] == etag
    assert house.get(address, if_none_match=etag).status == 304
    assert house.get(address, range="bytes=0-9", if_range='"other"').status == 200
    assert house.get(address, range=f"bytes={size_b}-").status == 416
    head = house.get(address, "HEAD")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(size_b))


def test_another_process_gives_the_same_film_its_tag_tells(house, kept, tmp_path):
    address = span(kept, 15, 65)
    before = house.get(address)
    with Household(tmp_path / "other") as other:
        twin = Kept(other, kept.stream, kept.packets)
        twin.offset_ms = kept.offset_ms
        twin.store([0, 15, 30, 60], *hear("aac"))
        again = other.get(address)
    assert (again.body, again.headers["etag"]) == (before.body, before.headers["etag"])


def test_keyframes_alone_are_a_small_film_of_the_same_time(house, kept):
    told = json.loads(house.get(span(kept, 0, 74, "&keys=1", kind="json")).body)
    (film,) = told["films"]
    data = house.get(film["address"]).body
    keys = [packet.data for packet in kept.packets[:75] if packet.key]
    assert payloads(data) == keys and packets_of(data, "audio") == []
    (whole,) = json.loads(house.get(span(kept, 0, 74, kind="json")).body)["films"]
    assert film["dur_ms"] == pytest.approx(whole["dur_ms"], abs=100) and film["bytes"] < whole["bytes"] / 2


@pytest.mark.parametrize("query", [
    "", "?from=5", "?from=10&to=5", "?from=-5&to=9", "?from=0&to=3600001", "?from=1&to=86400002&keys=1", "?from=x&to=9"
])
def test_what_is_no_span_or_too_long_is_refused(house, query):
    assert house.get(f"/film/gate.mp4{query}").status == house.get(f"/film/gate.json{query}").status == 400


def test_where_nothing_was_recorded_it_is_said(house, kept):
    assert house.get("/film/gate.mp4?from=1000&to=5000").status == 404
    assert house.get(span(kept, 0, 20, "&part=2")).status == house.get("/events/99.mp4").status == 404
    assert json.loads(house.get("/film/yard.json?from=1000&to=5000").body) == {
        "camera": "yard", "begin_ms": 1000, "end_ms": 5000, "grows": False, "films": [],
        "gaps": [{"begin_ms": 1000, "end_ms": 5000, "why": "not_recorded"}]}


def test_gaps_are_told_with_their_reason_and_where_time_goes_on(house):
    kept = Kept(house, *encode("h264"))
    kept.store_part(0, 15)
    kept.store_part(30, 60)
    kept.store_part(60, 75)
    name, torn = kept.files[1]
    torn.write_bytes(torn.read_bytes()[:torn.stat().st_size * 2 // 3])
    told = json.loads(house.get(span(kept, 0, 74, kind="json")).body)
    assert [gap["why"] for gap in told["gaps"]] == ["not_recorded", "damaged"]
    ((first, second, third),) = [film["stretches"] for film in told["films"]]
    assert (first["at_ms"], second["at_ms"]) == (0, pytest.approx(SECOND_MS, abs=2))
    assert third["begin_ms"] == pytest.approx(kept.wall_ms(60), abs=2)


def test_another_encoding_is_another_film(house):
    kept, later = Kept(house, *encode("h264")), Kept(house, *encode("h265"), boot="0b007002")
    later.offset_ms = kept.offset_ms + 20 * SECOND_MS
    kept.store([0, 30])
    later.store([0])
    address = f"/film/gate.json?from={kept.wall_ms(0)}&to={later.end_ms}"
    told = json.loads(house.get(address).body)
    assert [film["codec"] for film in told["films"]] == ["h264", "h265"]
    assert "hvc1" in told["films"][1]["type"] and told["films"][1]["address"].endswith("&part=2")
    assert payloads(house.get(told["films"][0]["address"]).body) == [packet.data for packet in kept.packets]
    assert payloads(house.get(told["films"][1]["address"]).body) == [packet.data for packet in later.packets]


def test_an_event_is_its_whole_span_over_clips_with_what_was_before_and_after(house, kept):
    event_id = kept.happen(35, 1000)
    data = house.get(f"/events/{event_id}.mp4")
    assert data.status == 200 and payloads(data.body) == [packet.data for packet in kept.packets]
    loaded = house.get(f"/events/{event_id}.mp4?download", "HEAD")
    named = loaded.headers["content-disposition"]
    assert unquote(named.partition("filename*=UTF-8''")[2]).startswith("Cổng trước 20") and 'filename="gate 20' in named


def test_while_an_event_goes_on_its_film_ends_where_the_footage_does(house):
    kept = Kept(house, *encode("h264"))
    kept.store_part(0, 30)
    kept.store_part(30, 60, finished=False)
    event_id = kept.happen(5, None)
    told = json.loads(house.get(f"/events/{event_id}.json").body)
    assert told["grows"]
    led = house.get(f"/events/{event_id}.mp4")
    assert led.status == 307 and led.headers["location"] == told["films"][0]["address"]
    before = house.get(told["films"][0]["address"])
    assert before.status == 200 and payloads(before.body)[:30] == [packet.data for packet in kept.packets[:30]]
    name, part = kept.files.pop()
    part.unlink()
    with contextlib.closing(connect(house.folders.root)) as db, transaction(db):
        db.execute("DELETE FROM clip WHERE name = ?", (name,))
    kept.store_part(30, 75)
    later = json.loads(house.get(f"/events/{event_id}.json").body)
    assert later["end_ms"] > told["end_ms"] and len(payloads(house.get(later["films"][0]["address"]).body)) == 75


def test_footage_that_is_deleted_is_gone_at_once_and_a_reader_is_told(house, kept):
    address = span(kept, 0, 74)
    before = house.get(address)
    name, file = kept.files[1]
    file.unlink()                           # a cut came between the file's end and the row's
    assert house.get(address, range="bytes=0-9").status == 206
    with pytest.raises(Exception, match="IncompleteRead|closed"):
        house.get(address)
    with contextlib.closing(connect(house.folders.root)) as db, transaction(db):
        assert clips.condemn(db, [name], "erased") == [name]
    after = house.get(address)
    assert after.status == 200 and after.headers["etag"] != before.headers["etag"]
    kept_n = len(payloads(after.body))
    assert kept_n == len(kept.packets) - 15 and not set(payloads(after.body)) & {p.data for p in kept.packets[15:30]}
    with contextlib.closing(connect(house.folders.root)) as db, transaction(db):
        clips.condemn(db, [each for each, _ in kept.files], "erased")
    assert house.get(address).status == 404
