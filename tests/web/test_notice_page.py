"""The notice for visitors: each line is what the settings and the keeper say, and nothing of it is kept."""
import pytest

from agent.config.settings import Camera, Device, Notify, Settings, Sharing, Store, Ward
from agent.core.contract.decisions import SharingState
from agent.core.household.labels import WordLack
from agent.web.server import words
from agent.web.server.words import View
from agent.web.sharing.sharing_page import notice_view, sharing_view
from tests.rigs.house.household import Household

EN = words.load("en", {"gate": "Front gate", "yard": "Yard"})
GATE, YARD = Camera(name="gate", source="file:/gate.mp4"), Camera(name="yard", source="file:/yard.mp4")


def notice(state: SharingState | None = None, ask: str = "", lack: WordLack | None = None, **tables) -> View:
    settings = Settings(**{"camera": [GATE, YARD]} | tables)
    return notice_view(settings, sharing_view(settings, state or SharingState(), lack, EN), ask, EN)


def line(view: View, label: str) -> str:
    return dict(view.lines)[label]


def test_who_films_is_the_recorders_name_or_whoever_lives_there():
    assert line(notice(device=Device(title="Nhà bà Sáu")), "Who films") == "Nhà bà Sáu"
    assert line(notice(), "Who films") == "The household that lives here"


@pytest.mark.parametrize(("cameras", "told"), [
    ([GATE, YARD], "Video of these cameras: Front gate, Yard. No sound."),
    ([GATE, Camera(name="yard", source="file:/yard.mp4", audio=True)],
     "Video of these cameras: Front gate, Yard. Sound too: Yard."),
    ([GATE, Camera(name="yard", source="file:/yard.mp4", audio=True, enabled=False)],
     "Video of these cameras: Front gate. No sound."), ([], "No camera is switched on.")])
def test_what_is_recorded_names_cameras_and_sound(cameras, told):
    assert line(notice(camera=cameras), "What is recorded") == told


@pytest.mark.parametrize(("store", "record", "told"), [
    (Store(), "motion", "10 days at most"), (Store(keep_days=1), "motion", "1 day at most"),
    (Store(keep_continuous_days=30), "motion", "10 days at most"),
    (Store(keep_continuous_days=30), "both", "30 days at most")])
def test_how_long_is_the_longest_that_anything_stays(store, record, told):
    cameras = [Camera(name="gate", source="file:/gate.mp4", record=record)]
    assert line(notice(store=store, camera=cameras), "How long it is kept").startswith(told)


@pytest.mark.parametrize(("rule", "withheld", "told"), [
    ("never", [], "w07) gets a message when something moves before a camera, without pictures. It gets no recordings."),
    ("ask", ["events"], "w07) gets no messages about what happens here. It gets a recording only when it asks and the "
                        "household agrees."),
    ("allow", [], "w07) gets a message when something moves before a camera, without pictures. It gets recordings when "
                  "it asks for them.")])
def test_what_a_ward_gets_is_the_keepers_word(rule, withheld, told):
    view = notice(SharingState(ward="w07", withheld=withheld), ward=Ward(enabled=True, ward="w07", host="b.invalid"),
                  sharing=Sharing(default=rule, snapshots="never" if rule == "never" else "ask"))
    assert line(view, "Who else gets it") == f"The ward ({told}"


def test_a_ward_that_is_told_of_people_alone_is_told_of_all_motion_where_nobody_looks_what_it_was():
    for lack, told in ((None, "when a person or a vehicle moves"), ("no_weights", "when something moves")):
        view = notice(SharingState(ward="w07", only=["person", "vehicle"]), lack=lack,
                      ward=Ward(enabled=True, ward="w07", host="b.invalid"))
        assert told in line(view, "Who else gets it")


def test_without_a_ward_nothing_is_sent_to_one():
    assert line(notice(), "Who else gets it").startswith("The recorder sends nothing to the ward.")
    assert line(notice(ward=Ward(ward="w07", host="b.invalid")), "Who else gets it").startswith("The recorder sends")


def test_phones_that_are_told_are_named_with_what_they_get():
    some, all_of_it = (Notify(name="Sáu", url_file="/x", pictures=pictures) for pictures in (False, True))
    assert "message service" not in line(notice(), "Who else gets it")
    assert line(notice(notify=[some]), "Who else gets it").endswith("by a message service, without pictures.")
    assert line(notice(notify=[some, all_of_it]), "Who else gets it").endswith("by a message service, with a picture.")


def test_the_text_for_phones_says_the_same():
    view = notice(ask="Bà Sáu, 0901 234 567")
    text = view.text
    assert text.splitlines()[0] == "Cameras record here" and text.endswith("\nWhom to ask: Bà Sáu, 0901 234 567")
    assert all(f"{label}: {value}" in text for label, value in view.lines)
    assert "Whom to ask" not in notice().text


def test_whom_to_ask_stands_on_the_sheet_and_in_the_address_alone(tmp_path):
    house = Household(tmp_path, language="en", title="<b>Home")
    with house:
        assert '<span class="blank">' in house.get("/notice").text
        page = house.get("/notice?ask=%3Ci%3ESau%0A%20%200901" + "9" * 200).text
        assert f"<strong>{'&lt;i&gt;Sau 0901'.ljust(86, '9')}</strong>" in page and "&lt;b&gt;Home" in page
        assert '<span class="blank">' in house.get("/notice").text
        for path in ("/health", "/sharing"):
            assert 'href="/notice"' in house.get(path).text
