"""From the ward's desk to its shelf: asked for, agreed to by the household, brought, checked, kept, signed for."""
import functools
import io
import json
import zipfile
from types import SimpleNamespace

import pytest

from tests.rigs.mqtt.broker import Broker
from tests.rigs.store.exports import look
from tests.rigs.wait import until
from tests.rigs.ward.answering_device import request
from tests.rigs.ward.handover import DEV, House, rfc3339
from tests.rigs.ward.ingest import WardIngest
from tests.rigs.ward.intake import Intake
from tests.rigs.ward.officers import PERSON, OfficersDesk

WISH = ("--dev", DEV, "--cam", "gate", "--case", "W07/2026-0093", "--purpose", "theft", "--officer", "Trần Văn B",
        "--basis", "BLTTHS 2015, điều 107")


@pytest.fixture(scope="module")
def ward(tmp_path_factory):
    """The broker, a house, and the ward's ingest and intake on one database."""
    tmp_path = tmp_path_factory.mktemp("ward")
    with Broker(tmp_path / "broker") as broker, Intake(tmp_path / "intake") as intake:
        door = SimpleNamespace(authority=intake.authority, url=f"https://localhost:{intake.port}/exports",
                               receipt_key=intake.public().hex())
        with House(tmp_path / "house", broker, door) as house:
            (tmp_path / "command.pem").write_bytes(house.private_pem())
            more = (f'[ops]\ncommand_key = "{tmp_path}/command.pem"\n[intake]\nurl = "{door.url}"\n'
                    f'receipt_key = "{intake.key}"\nfolder = "{intake.folder}"\n'
                    f'[desk]\nsocket = "{intake.proxy.desk}"')
            with WardIngest(tmp_path / "ward", broker.port, url=f"sqlite:///{tmp_path}/intake/ward.db",
                            ward='name = "ward"', more=more) as ingest:
                until(lambda: "connected" in ingest.log.read_text())
                with OfficersDesk(ingest.config, intake.authority, intake.proxy) as desk:
                    yield SimpleNamespace(house=house, intake=intake, book=intake.requests, officer=desk.officer(),
                                          ask=functools.partial(request, ingest.config))


def newest(ward):
    return ward.book.newest(1)[0]


def test_footage_comes_when_its_household_agrees_even_if_the_intake_is_away_just_then(ward, capsys):
    house = ward.house
    assert ward.ask("clip", *WISH, "--from", rfc3339(house.begin_ms), "--to", rfc3339(house.end_ms)) == 0
    asked = newest(ward).id
    until(lambda: newest(ward).state == "waiting")
    assert newest(ward).told_n == 1
    ward.intake.kill()
    house.decide(asked, "approved")
    until(lambda: newest(ward).state == "running")
    ward.intake.start()
    until(lambda: newest(ward).state == "done")
    known = newest(ward)
    assert look(ward.intake.folder / known.place / "export").findings == []
    assert house.hears(asked, "done")["data"] == {
        "bytes": known.bytes, "sha256": known.sha256, "manifest": known.manifest}
    assert house.request(asked).receipt == known.receipt
    capsys.readouterr()
    ward.ask("show", asked, "--json")
    steps = [step["what"] for step in json.loads(capsys.readouterr().out)["steps"]]
    assert steps[:3] == ["made", "sent", "waiting"] and steps[-1] == "done"
    assert sorted(steps[3:-1]) == ["announced", "running"], "two hands wrote these"


def test_what_its_household_refuses_does_not(ward):
    house = ward.house
    assert ward.ask("clip", *WISH, "--from", rfc3339(house.begin_ms), "--to", rfc3339(house.end_ms)) == 0
    until(lambda: newest(ward).state == "waiting")
    house.decide(newest(ward).id, "refused")
    until(lambda: newest(ward).state == "refused")
    assert not list((ward.intake.folder / "coming").iterdir()) and newest(ward).bytes is None


def test_what_the_ward_takes_back_is_not_brought(ward):
    house = ward.house
    assert ward.ask("clip", *WISH, "--from", rfc3339(house.begin_ms), "--to", rfc3339(house.end_ms)) == 0
    until(lambda: newest(ward).state == "waiting")
    assert ward.ask("cancel", newest(ward).id) == 0
    until(lambda: house.request(newest(ward).id).state == "cancelled")


def test_an_officer_asks_follows_and_takes_home_what_holds(ward, tmp_path):
    house, officer = ward.house, ward.officer
    until(lambda: house.films() and ">gate</option>" in officer.get(f"/requests/new?dev={DEV}").text,
          "the device has named its cameras")
    form = {"once": officer.form(DEV), "dev": DEV, "kind": "clip", "cam": "gate", "case": "W07/2026-0094",
            "purpose": "theft", "basis": "BLTTHS 2015, điều 107", "from": rfc3339(house.begin_ms),
            "to": rfc3339(house.end_ms)}
    address = officer.post("/requests/new", form).headers["location"]
    asked = address.rpartition("/")[2]
    until(lambda: "Waiting for the household" in officer.get(f"{address}?lang=en").text)
    assert house.request(asked).officer == PERSON
    house.decide(asked, "approved")
    until(lambda: "Here, and checked" in officer.get(f"{address}?lang=en").text)
    assert "everything holds" in officer.get(f"{address}?lang=en").text
    assert officer.post(f"{address}/check", {}).status == 303
    known = next(step for step in ward.book.steps(asked) if step.what == "checked")
    assert "files hold" in known.detail and PERSON in known.detail
    answer = officer.post(f"{address}/package", {})
    zipfile.ZipFile(io.BytesIO(answer.body)).extractall(tmp_path)
    (folder,) = tmp_path.iterdir()
    assert look(folder / "export").findings == []
    assert json.loads((folder / "receipt.json").read_text())["request"] == asked
    export = next((ward.intake.folder / ward.book.find(asked).place / "export").glob("*.mp4"))
    for path in (export.parent, export):
        path.chmod(0o750)
    export.write_bytes(export.read_bytes()[:-1] + b"!")
    officer.post(f"{address}/check", {})
    assert "it does not hold" in officer.get(f"{address}?lang=en").text
    assert [step.what for step in ward.book.steps(asked)][-3:] == ["checked", "handed out", "does not hold"]
