"""The ward's desk behind the real proxy: who gets in, what it shows, and what is asked for there."""
import hashlib
import io
import re
import threading
import zipfile
from datetime import UTC, datetime, timedelta
from urllib.parse import quote
from zoneinfo import ZoneInfo

import msgspec
import pytest
import sqlalchemy as sql

from agent.core.contract import wire
from agent.core.contract.wire.commands import ClipExport, args
from agent.host.clock import SystemClock
from agent.look.device_words import condition_texts
from agent.ward import database, settings
from agent.ward.authority.findings import bad, note, well
from agent.ward.authority.places import Places
from agent.ward.desk.rows import DeskRow
from agent.ward.enrolment.book import CloneAlarm, EnrolmentBook
from agent.ward.opslink import OpsLink
from agent.ward.requests import PictureRequest
from tests.rigs.mqtt.certified import Client
from tests.rigs.wait import until
from tests.rigs.ward.answering_device import DEV, request
from tests.rigs.ward.desk import ENROLLED, PLACE, SICK, now_ms, ward_with_desk
from tests.rigs.ward.officers import PERSON, Officer
from tests.rigs.ward.proxy import MISSING

pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)

ROW = re.compile(r'<li id="row-([^"]+)">')
LIGHT = re.compile(r'<li class="light (\w+)">')
AWAY = "c-00000000000e"


@pytest.fixture(scope="module")
def ward(tmp_path_factory):
    with ward_with_desk(tmp_path_factory.mktemp("ward")) as ward:
        yield ward


@pytest.fixture(scope="module")
def binh(ward):
    return ward.desk.officer()


@pytest.fixture
def device(ward):
    """A device at the broker, with the rights that it has there."""
    client = Client(ward.authority, ward.broker, DEV, DEV)
    client.hears(f"cam/v1/w07/{DEV}/cmd/#")
    yield client
    client.close()


def filled(binh, **changes):
    """The form as somebody fills it in."""
    begin = datetime.now() - timedelta(hours=2)
    return {"once": binh.form(DEV), "dev": DEV, "kind": "clip", "cam": "gate", "case": "W07/2026-0093",
            "purpose": "theft", "basis": "BLTTHS 2015, điều 107", "from": f"{begin:%Y-%m-%dT%H:%M}",
            "to": f"{begin + timedelta(minutes=30):%Y-%m-%dT%H:%M}"} | changes


def made(answer):
    """The id of the request that was made."""
    assert answer.status == 303, answer.text
    return answer.headers["location"].rpartition("/")[2]


def test_the_desk_is_for_officers_alone(ward, binh):
    assert binh.get("/").status == 200 and PERSON in binh.get("/").text
    for name in (DEV, "ops", "desk", "desk+", "desk-an", "reader"):
        answer = Officer(ward.desk, ward.authority.issue(name)).get("/")
        assert answer.status == 403 and "HH-9" not in answer.text and "Bến Nghé" not in answer.text, name
    assert Officer(ward.desk, None).get("/").status == 400, "the proxy wants a certificate"
    forged = quote(binh.certificate[0].read_text())
    assert Officer(ward.desk, ward.authority.issue("reader")).get("/", x_client_certificate=forged).status == 403
    nameless = Officer(ward.desk, ward.authority.issue("desk+an"))
    assert "Người trực: an<" in nameless.get("/").text, "a certificate without a person's name"


def test_whatever_it_answers_is_guarded(ward, binh):
    answer = binh.get("/")
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', answer.text)
    for headers in ({"origin": "https://elsewhere.example"}, {"sec_fetch_site": "cross-site"}, {"origin": "null"}):
        assert binh.post("/requests/new", {}, **headers).status == 403
    assert binh.ask("PUT", "/", None, {}).status == 405 and binh.get("/nowhere").status == 404


def test_what_is_missing_comes_first(binh):
    page = binh.get("/").text
    assert ROW.findall(page) == [PLACE, SICK, ENROLLED, DEV]
    lights = LIGHT.findall(page)
    assert [lights[n:n + 4] for n in range(0, 16, 4)] == [
        ["unknown"] * 4, ["good", "bad", "bad", "good"], ["good", "bad", "good", "good"], ["good"] * 4]
    assert "thẻ bị sao chép hoặc bị lấy cắp" in page and "Hộ bà Sáu" in page
    assert page.count('class="line device green"') == 1


@pytest.mark.parametrize(("query", "shown"), [
    ("state=missing", [PLACE, SICK, ENROLLED]), ("state=enrolled", [ENROLLED]), ("state=online", [SICK, DEV]),
    ("q=b%C3%A0+s%C3%A1u", [ENROLLED]), ("q=hh-9", [DEV]), ("q=nobody", []),
    ("state=odd", [PLACE, SICK, ENROLLED, DEV]),
    ("page=99", [PLACE, SICK, ENROLLED, DEV]), ("page=-1", [PLACE, SICK, ENROLLED, DEV])])
def test_the_list_is_searched_and_filtered(binh, query, shown):
    assert ROW.findall(binh.get(f"/?{query}").text) == shown


def test_a_fragment_is_the_list_alone(binh):
    whole, part = binh.get("/").text, binh.get("/?fragment=1").text
    assert ROW.findall(part) == ROW.findall(whole) and "<html" not in part and len(part) < len(whole)


def test_a_device_shows_all_of_it(binh):
    page = binh.get(f"/devices/{SICK}?lang=en").text
    assert "yard &lt;b&gt;" in page and "Sun 2 January 2028" in page and "1.2.3" in page
    assert condition_texts("en")["card_full"].title in page
    page = binh.get(f"/devices/{ENROLLED}?lang=en").text
    assert "no card found in the reader" in page and "Hộ bà Sáu" in page
    assert "Claim used twice" in binh.get(f"/devices/{PLACE}?lang=en").text
    assert binh.get("/devices/c-0").status == 404


def test_an_officer_puts_an_alarm_aside_until_the_card_is_used_again(ward, binh):
    said = "thẻ bị sao chép hoặc bị lấy cắp"
    assert said in binh.get(f"/devices/{PLACE}").text
    assert binh.post(f"/devices/{PLACE}/seen", {}).status == 303 and binh.post("/devices/c-0/seen", {}).status == 404
    assert said not in binh.get(f"/devices/{PLACE}").text + binh.get("/").text
    with ward.engine.begin() as db:
        assert db.execute(sql.select(database.alarm_seen.c.officer)).scalar() == f"{PERSON} (desk+binh)"
    with EnrolmentBook(ward.folder / "authority").change() as entries:
        alarm = CloneAlarm(serial=PLACE, code="claim_used", peer="10.0.0.9", first_ms=0, last_ms=now_ms() + 1, times=1)
        entries.raise_alarm(alarm, entries.claim(f"digest of {PLACE}"), "another key")
    until(lambda: said in binh.get(f"/devices/{PLACE}").text, "it is shown again")


def test_a_request_goes_from_the_page_to_the_device(ward, binh, device):
    known = ward.requests.find(made(binh.post("/requests/new", filled(binh))))
    until(lambda: f"cam/v1/w07/{DEV}/cmd/clip.export" in device.heard)
    export = args(wire.decode(wire.Command, known.command.encode()), ClipExport)
    assert (export.officer, export.case, export.cam) == (PERSON, "W07/2026-0093", "gate")
    assert [(step.who, step.what, step.detail) for step in ward.requests.steps(known.id)] == [
        ("desk", "made", f"{PERSON} (desk+binh)"), ("desk", "sent", None)]
    assert "W07/2026-0093" in binh.get("/requests").text
    page = binh.get(f"/requests/{known.id}?lang=en").text
    assert "Sent; the device has not answered" in page and "Cancel</button>" in page
    assert binh.post(f"/requests/{known.id}/cancel", {}).status == 303
    until(lambda: f"cam/v1/w07/{DEV}/cmd/clip.cancel" in device.heard)
    assert "Cancelled" in binh.get(f"/requests/{known.id}?lang=en").text


def test_times_are_the_wards_whatever_zone_its_machine_has(ward, binh, device):
    begin = (datetime.now(ZoneInfo("Asia/Ho_Chi_Minh")) - timedelta(hours=3)).replace(second=0, microsecond=0)
    form = filled(binh, **{"from": f"{begin:%Y-%m-%dT%H:%M}", "to": f"{begin + timedelta(minutes=5):%Y-%m-%dT%H:%M}"})
    known = ward.requests.find(made(binh.post("/requests/new", form)))
    assert known.begin_ms == begin.timestamp() * 1000
    assert f"{begin:%H:%M}–{begin + timedelta(minutes=5):%H:%M} UTC+7" in binh.get(f"/requests/{known.id}").text
    assert "Từ lúc (UTC+7)" in binh.get(f"/requests/new?dev={DEV}").text


def test_house_2_stands_before_house_10():
    sites = ("100 Lê Lợi", "2 Lê Lợi", "1 Lê Lợi", "An", "")
    rows = [DeskRow(serial=site, site=site, state="waiting") for site in sites]
    assert [row.site for row in sorted(rows, key=lambda row: row.rank)] == ["", "1 Lê Lợi", "2 Lê Lợi", "100 Lê Lợi",
                                                                            "An"]


def test_a_form_that_is_sent_twice_makes_one_request(ward, binh, device):
    form = filled(binh, kind="snapshot")
    answers = []
    senders = [threading.Thread(target=lambda: answers.append(made(binh.post("/requests/new", form))))
               for _ in range(3)]
    for each in senders:
        each.start()
    for each in senders:
        each.join()
    assert len(answers) == 3 and len(set(answers)) == 1
    assert ward.requests.find(answers[0]).kind == "snapshot"


def test_page_and_terminal_do_not_throw_each_other_out(ward, binh, device, capsys):
    with OpsLink(settings.load(ward.config), [f"cam/v1/w07/{DEV}/rsp/ops/#"], SystemClock()) as terminal:
        first = made(binh.post("/requests/new", filled(binh)))
        assert ward.requests.find(first).state == "sent"
        assert list(terminal.answers(0.5)) == [], "it would have raised"
    begin = datetime.now() - timedelta(hours=1)
    words = ("clip", "--dev", DEV, "--cam", "gate", "--case", "1", "--purpose", "fire", "--officer", "x", "--basis",
             "y", "--from", f"{begin:%Y-%m-%d %H:%M}", "--to", f"{begin + timedelta(minutes=5):%Y-%m-%d %H:%M}")
    codes, pages = [], []
    both = [threading.Thread(target=lambda: codes.extend(request(ward.config, *words) for _ in range(3))),
            *(threading.Thread(target=lambda: pages.append(made(binh.post("/requests/new", filled(binh)))))
              for _ in range(3))]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert codes == [0, 0, 0], capsys.readouterr().err
    assert [ward.requests.find(each).state for each in pages] == ["sent"] * 3
    log = ward.broker.log.read_text()
    assert "already connected, closing old connection" not in log, "the broker has thrown nobody out"


@pytest.mark.parametrize(("changes", "said"), [
    ({"cam": "cellar"}, "Choose one of this device"), ({"purpose": ""}, "Choose the purpose"),
    ({"case": ""}, "number of the case is missing"), ({"basis": "x" * 201}, "The law is missing"),
    ({"from": "yesterday"}, "From: a day and a time"), ({"to": "2001-01-01T00:00"}, "later than the beginning"),
    ({"to": "2099-01-01T00:00"}, "is in the future"), ({"from": "2026-01-01T00:00"}, "longer than an hour")])
def test_what_can_not_be_asked_is_told_beside_what_was_typed(ward, binh, changes, said):
    before = ward.requests.newest(1)
    answer = binh.post("/requests/new", filled(binh, **changes), cookie="language=en")
    assert answer.status == 422 and said in answer.text
    assert (changes.get("basis") or "điều 107") in answer.text
    assert ward.requests.newest(1) == before
    assert binh.post("/requests/new", filled(binh, dev=AWAY)).status == 404


@pytest.mark.parametrize(("language", "said"), [("vi", "Trộm cắp"), ("en", "Theft")])
def test_what_it_is_for_is_chosen_in_words_and_asked_in_the_word_of_households_rules(ward, binh, language, said):
    """A word that somebody has used in a terminal is on the list, too."""
    ward.requests.add(PictureRequest(id=f"{language:0>26}", dev=DEV, kind="snapshot", cam="gate", case_no="1",
                                     purpose="stray-dog", officer="x", basis="x", made_ms=1, until_ms=2, command="{}"))
    form = binh.get(f"/requests/new?dev={DEV}&lang={language}").text
    assert f'<option value="theft">{said}</option>' in form and '<option value="stray-dog">stray-dog</option>' in form
    known = ward.requests.find(made(binh.post("/requests/new", filled(binh))))
    assert known.purpose == "theft" and f"<dd>{said}</dd>" in binh.get(f"/requests/{known.id}?lang={language}").text


def test_a_device_that_is_away_is_told_so(ward, binh):
    known = ward.requests.find(made(binh.post("/requests/new", filled(binh, dev=SICK))))
    assert (known.state, known.code) == ("failed", "not_sent")
    assert "the device is offline" in binh.get(f"/requests/{known.id}?lang=en").text


def test_what_has_come_is_checked_and_handed_out_and_both_are_noted(ward, binh):
    place, picture = "2026/case/" + "0" * 26, b"\xff\xd8\xff picture"
    folder = ward.folder / "exports" / place
    folder.mkdir(parents=True)
    (folder / "snapshot.jpg").write_bytes(picture)
    (folder / "receipt.json").write_text("{}")
    sha256 = hashlib.sha256(picture).hexdigest()
    receipt = {"request": "0" * 26, "dev": DEV, "sha256": sha256, "bytes": len(picture), "ts": now_ms()}
    ward.requests.add(PictureRequest(id="0" * 26, dev=DEV, kind="snapshot", cam="gate", case_no="case", purpose="fire",
                                     officer=PERSON, basis="y", made_ms=1, until_ms=2, command="{}", sha256=sha256))
    ward.requests.become("0" * 26, "done", "intake", now_ms(), place=place,
                         receipt=msgspec.json.encode(receipt).decode())
    address = f"/requests/{'0' * 26}"
    assert "Checked on arrival" in binh.get(f"{address}?lang=en").text and sha256 in binh.get(address).text
    assert binh.post(f"{address}/check", {}).status == 303
    assert "Checked again" in binh.get(f"{address}?lang=en").text
    answer = binh.post(f"{address}/package", {})
    assert answer.headers["content-type"] == "application/zip"
    archive = zipfile.ZipFile(io.BytesIO(answer.body))
    assert archive.read(f"case-{'0' * 26}/snapshot.jpg") == picture
    (folder / "snapshot.jpg").write_bytes(b"another")
    binh.post(f"{address}/check", {})
    assert "it does not hold" in binh.get(f"{address}?lang=en").text
    page = binh.get(f"{address}?lang=vi").text
    assert "mã SHA-256 khác mã đã báo: Trần Văn Bình" in page and "its SHA-256" not in page
    assert [(step.who, step.what) for step in ward.requests.steps("0" * 26)][2:] == [
        ("desk", "checked"), ("desk", "handed out"), ("desk", "does not hold")]
    assert all("(desk+binh)" in step.detail for step in ward.requests.steps("0" * 26)[2:])
    assert binh.get(f"{address}/package").status == 405


def test_the_ward_s_own_certificates_are_shown(binh):
    page = binh.get("/ward?lang=en").text
    assert "CA ward-ca" in page and "List of the revoked" in page and "Hộ bà Sáu" in page


def test_what_the_doctor_finds_is_shown_and_when_that_is_long_ago(ward, binh):
    places = Places(ward.folder, ward.folder / "authority", ward.folder)
    fine, faint = well("disk", "disk_free", free="9", needs="5"), bad("enrol door", "no_answer", error="<e>", look="it")
    assert "There was no check yet" in binh.get("/ward?lang=en").text
    note(places, [fine, faint], datetime.now(UTC))
    page = binh.get("/ward?lang=en").text
    assert "Door for new cards" in page and "<dd>&lt;e&gt;<br>" in page
    assert "Tell the person who runs the ward" in page and "too long ago" not in page and "9 GB" not in page
    page = binh.get("/ward?lang=vi").text
    assert "Cổng cho thẻ mới" in page and "Không trả lời: &lt;e&gt;" in page and "Hãy xem it" in page
    until(lambda: "See Ward." in binh.get("/?lang=en").text)
    note(places, [fine], datetime.now(UTC) - timedelta(hours=2))
    page = binh.get("/ward?lang=en").text
    assert "That is too long ago" in page and "Everything was in order" in page
    note(places, [fine], datetime.now(UTC))
    until(lambda: "See Ward." not in binh.get("/?lang=en").text)


def test_without_a_book_or_a_database_it_says_so(ward, binh):
    book = ward.folder / "authority" / "enrolment.db"
    book.rename(book.with_suffix(".away"))
    until(lambda: "There is no enrolment book" in binh.get("/?lang=en").text)
    assert ROW.findall(binh.get("/").text) == [SICK, DEV]
    book.with_suffix(".away").rename(book)
    with ward.engine.begin() as db:
        db.execute(sql.text("ALTER TABLE device RENAME TO gone"))
    until(lambda: binh.get("/").status == 503)
    with ward.engine.begin() as db:
        db.execute(sql.text(f"ALTER TABLE gone RENAME TO {database.device.name}"))
    until(lambda: binh.get("/").status == 200)
