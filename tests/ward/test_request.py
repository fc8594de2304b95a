"""`taimat ward request`: what is asked is signed and written down, and the list is true whoever was away when."""
import asyncio
import contextlib
import json
import stat
import subprocess
import sys
import threading
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sql
from hypothesis import given
from hypothesis import strategies as st

from agent.core.contract import wire
from agent.core.contract.wire.commands import ClipCancel, ClipExport, Snapshot, args
from agent.helpers import signature
from agent.host.clock import SystemClock
from agent.link import answers
from agent.mqtt.messages import Arrived
from agent.ward import database, keys, requests, ward_side
from agent.ward.command_signer import CommandKey
from agent.ward.metrics import IntakeMetrics
from agent.ward.request.main import says
from agent.ward.requests import OPEN, PictureRequest, PictureRequests
from agent.ward.uploads.checker import Spool
from agent.ward.uploads.headers import Announced
from agent.ward.uploads.service import UploadService
from tests.cli.cli import REPO, environment, taimat_process
from tests.conftest import HandClock
from tests.rigs.device.link_role import LinkRig
from tests.rigs.mqtt.broker import Broker
from tests.rigs.mqtt.certified import certified, furnish, swapped
from tests.rigs.pki import Authority
from tests.rigs.wait import HANG_S, deaf_port, until
from tests.rigs.ward import postgres
from tests.rigs.ward.answering_device import DEV, Asked, request
from tests.rigs.ward.ingest import WardIngest
from tests.rigs.ward.typed import typed

DAY_MS = 86_400_000
URL = "https://ward.example:8443/exports"
NOW = datetime.now(ZoneInfo("Asia/Ho_Chi_Minh")).replace(microsecond=0)       # the ward's zone, not the machine's
WISH = {"dev": DEV, "cam": "gate", "case": "12/2026", "purpose": "theft", "officer": "Lê Văn Tám", "basis": "Điều 88"}
RANGE = {"from": f"{NOW - timedelta(hours=2):%Y-%m-%d %H:%M:%S}", "to": (NOW - timedelta(minutes=90)).isoformat()}


def words(kind="clip", **changes):
    said = {**WISH, **(RANGE if kind == "clip" else {}), **changes}
    return [kind, *(f"--{name}={value}" for name, value in said.items())]


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with Broker(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


@pytest.fixture(scope="module")
def ward(tmp_path_factory, broker):
    folder = tmp_path_factory.mktemp("ward")
    keys.make(folder / "command.pem")
    keys.make(folder / "receipt.pem")
    more = f'[ops]\ncommand_key = "{folder}/command.pem"\n[intake]\nurl = "{URL}"\nreceipt_key = "{folder}/receipt.pem"'
    with WardIngest(folder, broker.port, more=more) as ward:
        until(lambda: "connected" in ward.log.read_text())
        yield ward


@pytest.fixture
def device(broker):
    with Asked(broker.port) as device:
        yield device


@pytest.fixture
def book(ward):
    engine = database.open_engine(ward.url, read_only=True)
    yield PictureRequests(engine)
    engine.dispose()


def asked(ward, device, kind="clip", **changes):
    assert request(ward.config, *words(kind, **changes)) == 0
    return device.command("clip.export" if kind == "clip" else "snapshot")


def test_a_device_gets_an_order_that_it_can_believe(ward, device, book):
    command, payload = asked(ward, device)
    key = CommandKey.load(str(ward.config.parent / "command.pem")).key.public_key().public_bytes_raw()
    assert signature.judge(payload, key) == 0
    topics = wire.Topics("w07", DEV)
    decoded = wire.decode(wire.Command, payload)
    message = Arrived(f"{topics.root}/cmd/clip.export", payload, False, None, None)
    assert answers.judge(decoded, "clip.export", message, topics, SystemClock().now()) in (
        None, answers.Outcome("refused", "clock_unset"))
    export = args(decoded, ClipExport)
    assert (export.end - export.begin, export.begin) == (timedelta(minutes=30), NOW - timedelta(hours=2))
    assert (export.case, export.purpose, export.officer, export.basis, export.cam, export.upload) == (
        "12/2026", "theft", "Lê Văn Tám", "Điều 88", "gate", URL)
    assert export.receipt_key == keys.public_half(str(ward.config.parent / "receipt.pem")).hex()
    known = book.find(command["id"])
    assert (known.state, known.command.encode(), known.case_no) == ("sent", payload, "12/2026")
    assert [(step.who, step.what) for step in book.steps(known.id)] == [("ops", "made"), ("ops", "sent")]


def test_a_picture_is_asked_for_likewise(ward, device, book):
    command, payload = asked(ward, device, "snapshot")
    assert args(wire.decode(wire.Command, payload), Snapshot).cam == "gate"
    assert book.find(command["id"]).begin_ms is None


def test_the_list_tells_what_became_of_it_while_nobody_waited(ward, device, book, capsys):
    one, two = asked(ward, device)[0]["id"], asked(ward, device, "snapshot")[0]["id"]
    device.answers(one, "accepted")
    device.answers(one, "waiting_consent", request=7)
    until(lambda: book.find(one).told_n == 7)
    ward.kill()
    device.answers(one, "running", sent_b=1_000_000, total_b=4_000_000)
    device.answers(two, "refused", code="no_consent")
    ward.start()
    until(lambda: book.find(two).state == "refused")
    assert (book.find(one).state, book.find(one).sent_b, book.find(two).code) == ("running", 1_000_000, "no_consent")
    assert [step.what for step in book.steps(one)] == ["made", "sent", "waiting", "running"]
    capsys.readouterr()
    assert request(ward.config, "list", "--last=2") == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [(line[0], line[5]) for line in lines] == [(two, "refused"), (one, "running")]
    assert request(ward.config, "show", one) == 0
    shown = capsys.readouterr().out
    assert "1.0 of 4.0 MB are here" in shown and "Lê Văn Tám" in shown
    assert request(ward.config, "show", two, "--json") == 0
    assert [step["what"] for step in json.loads(capsys.readouterr().out)["steps"]] == ["made", "sent", "refused"]


def test_with_the_rights_that_the_ward_s_broker_gives_it_gets_through(tmp_path):
    authority, broker = Authority(tmp_path / "pki", "ward-ca"), Broker(tmp_path / "broker")
    furnish(broker, "mosquitto.conf", authority, swapped("acl.in", {"@WARD@": "w07"}))
    keys.ensure(str(tmp_path / "key.pem"), "[ops] command_key")
    cert, key = authority.issue("ops")
    papers = f'command_key = "{tmp_path}/key.pem.pub"\n{certified(authority, DEV)}'
    more = (f'[ops]\ncert = "{cert}"\nkey = "{key}"\ncommand_key = "{tmp_path}/key.pem"\n'
            f'[intake]\nurl = "{URL}"\nreceipt_key = "{tmp_path}/key.pem"')
    with broker, WardIngest(tmp_path / "ward", broker.port, ward=certified(authority, "ingest"), more=more) as ward, \
            LinkRig(tmp_path / "link", broker.port, papers,
                    '[[camera]]\nname = "yard"\nsource = "picamera:0"'):
        until(lambda: (row := ward.device(DEV)) and row.online)
        assert request(ward.config, *words()) == 0
        until(lambda: ward.rows(sql.select(database.request.c.state, database.request.c.code))
              == [("refused", "unknown_camera")], "the link's own answer: it needs no keeper")


def test_what_an_event_says_counts_where_the_answer_was_lost(ward, device, book):
    command = asked(ward, device)[0]["id"]
    event = {"specversion": "1.0", "id": f"{DEV}/1", "type": "cam.command.v1", "source": f"/{DEV}", "seq": 1,
             "boot": "0b007001", "clock": "ntp",
             "data": {"mono_ms": 5, "kind": "command", "id": command, "name": "clip.export", "st": "failed",
                      "code": "no_footage"}}
    device.publishes("evt", event)
    until(lambda: book.find(command).state == "failed")
    assert book.find(command).code == "no_footage"


def test_nobody_answers_for_a_neighbour(ward, device, book):
    command = asked(ward, device)[0]["id"]
    answer = {"v": 1, "id": command, "st": "refused", "code": "no_consent"}
    device.publishes(f"rsp/ops/{command}", answer, dev="c-000000000002")
    device.answers(command, "waiting_consent", request=1)
    until(lambda: book.find(command).state == "waiting")


def test_who_waits_sees_it_to_its_end(ward, device):
    process = subprocess.Popen(
        [sys.executable, "-m", "agent", "ward", "request", *words(), "--wait", "--config", ward.config], cwd=REPO,
        env=environment(ward.config.parent), stdout=subprocess.PIPE, text=True)
    command, lines = device.command("clip.export")[0]["id"], process.stdout
    assert lines.readline().startswith("sent; the device has not answered")
    for state, more, said in (
            ("waiting_consent", {"request": 3}, "waiting for the household (there it is number 3)"),
            ("running", {"sent_b": 1_200_000, "total_b": 9_000_000}, "agreed to: 1.2 of 9.0 MB are here"),
            ("failed", {"code": "no_footage"}, "failed: no_footage")):
        device.answers(command, state, **more)
        assert lines.readline().strip() == said
    assert process.wait(HANG_S) == 1
    lines.close()


def test_a_request_can_be_taken_back(ward, device, book, capsys):
    command = asked(ward, device)[0]["id"]
    assert request(ward.config, "cancel", command) == 0
    told_of, payload = device.command("clip.cancel")
    assert args(wire.decode(wire.Command, payload), ClipCancel).request == command != told_of["id"]
    device.answers(command, "running")
    assert request(ward.config, "cancel", command) == 1 and "nothing to cancel" in capsys.readouterr().err
    assert book.find(command).state == "cancelled"


def test_a_device_that_is_away_is_told_so(ward, book, capsys):
    assert request(ward.config, *words(dev="c-000000000009")) == 69
    assert "has been away for more than an hour" in capsys.readouterr().err
    (latest,) = book.newest(1)
    assert (latest.dev, latest.state, latest.code) == ("c-000000000009", "failed", "not_sent")


def test_what_is_taken_back_is_so_even_if_its_device_is_away(ward, broker, book, capsys):
    with Asked(broker.port) as device:
        command = asked(ward, device)[0]["id"]
    assert request(ward.config, "cancel", command) == 0
    assert "cancelled: the ward accepts no upload for it; but its device does not know" in capsys.readouterr().out
    assert book.find(command).state == "cancelled"


@pytest.mark.parametrize(("changes", "said"), [
    ({"dev": "Camera 1"}, "--dev Camera 1: a device's id is made of"), ({"cam": ""}, "--cam: takes the camera's name"),
    ({"purpose": "Mất xe"}, "--purpose Mất xe: takes one word"), ({"officer": "a\nb"}, "--officer: takes who"),
    ({"case": ""}, "--case: takes the case's number"), ({"basis": "x" * 201}, "--basis: takes the law"),
    ({"from": "yesterday"}, "--from yesterday: takes a moment, as in '2026-11-25 14:00'"),
    ({"to": RANGE["from"]}, "has to be later than --from"), ({"to": "2099-01-01"}, "is in the future"),
    ({"from": "2026-01-01 10:00", "to": "2026-01-01 12:30"}, "--to '2026-01-01 11:00:00"),
])
def test_what_can_not_be_asked_is_told_with_what_would_be_right(ward, book, capsys, changes, said):
    before = book.newest(1)
    assert request(ward.config, *words(**changes)) == 2
    assert said in capsys.readouterr().err and book.newest(1) == before


def test_what_stands_in_the_way_has_its_remedy(tmp_path, capsys):
    config = tmp_path / "ward.toml"
    for text, code, said in (("", 78, "[ops] command_key: is not set"),
                             (f'[ops]\ncommand_key = "{tmp_path}/command.pem"\n', 2, "[intake] url: is not set")):
        keys.make(tmp_path / "command.pem") if text else None
        config.write_text(f'{text}[database]\nurl = "sqlite:///{tmp_path}/ward.db"\n')
        assert request(config, *words()) == code and said in capsys.readouterr().err
    config.write_text(f'[ward]\nhost = "127.0.0.1"\nport = {deaf_port()}\ntls = false\n{text}[intake]\nurl = "{URL}"\n'
                      f'receipt_key = "{tmp_path}/command.pem"\n[database]\nurl = "sqlite:///{tmp_path}/ward.db"\n')
    assert request(config, *words()) == 69 and "nothing listens there" in capsys.readouterr().err
    assert request(config, "show", "0" * 26) == 2 and "there is no such request" in capsys.readouterr().err


def test_as_it_is_typed(ward, device):
    said = taimat_process(ward.config.parent, "ward", "request", *words(), "--json", "--config", ward.config)
    assert said.returncode == 0 and json.loads(said.stdout)["id"] == device.command("clip.export")[0]["id"]


def test_keys_are_made_once_and_for_their_owner_alone(tmp_path, capsys):
    config = tmp_path / "ward.toml"
    config.write_text(f'[ops]\ncommand_key = "{tmp_path}/c.pem"\n[intake]\nreceipt_key = "{tmp_path}/r.pem"\n')
    assert typed("keys", "--config", config) == 0
    first = (tmp_path / "c.pem").read_bytes()
    assert stat.S_IMODE((tmp_path / "c.pem").stat().st_mode) == 0o600
    assert "PUBLIC KEY" in (tmp_path / "c.pem.pub").read_text()
    assert typed("keys", "--config", config) == 0 and (tmp_path / "c.pem").read_bytes() == first
    assert "is there" in capsys.readouterr().out
    (tmp_path / "r.pem").unlink()
    assert len(keys.public_half(str(tmp_path / "r.pem"))) == 32, "who asks needs the public half alone"


ANSWERS = st.lists(st.builds(
    ward_side.CommandAnswer, id=st.just("0" * 26), code=st.sampled_from([None, "cancelled", "no_consent"]),
    st=st.sampled_from(["accepted", "waiting_consent", "running", "done", "failed", "refused", "expired"]),
    request=st.none() | st.integers(0, 9), sent_b=st.none() | st.integers(0, 9)))


@pytest.fixture(scope="module")
def paper():
    engine = sql.create_engine("sqlite://")
    database.request.metadata.create_all(engine)
    yield engine
    engine.dispose()


@given(before=ANSWERS, after=ANSWERS)
def test_whatever_is_answered_a_request_goes_forward_and_ends_once(paper, before, after):
    book, engine = PictureRequests(paper), paper
    with engine.begin() as db:
        db.execute(sql.delete(database.request))
    book.add(PictureRequest(id="0" * 26, dev=DEV, kind="clip", cam="gate", case_no="1", purpose="fire", officer="x",
                            basis="y", made_ms=1, until_ms=2, command="{}", state="sent"))
    seen = ["sent"]

    def hear(answers):
        for answer in answers:
            with engine.begin() as db:
                requests.apply_answer(db, DEV, answer, 5)
            seen.append(book.find("0" * 26).state)
    hear(before)
    came = book.become("0" * 26, "done", "intake", 9)
    hear(after)
    places = [OPEN.index(state) if state in OPEN else len(OPEN) for state in seen]
    ends = {state for state in seen if state not in OPEN}
    assert places == sorted(places) and len(ends) <= 1
    assert came == (seen[len(before)] in OPEN) and ("done" in ends) == (came and bool(after))


@pytest.mark.parametrize("place", ["sqlite", pytest.param("postgresql", marks=pytest.mark.skipif(
    bool(postgres.missing()), reason=postgres.missing()))])
def test_several_may_write_at_once_and_each_request_ends_once(tmp_path, place):
    with contextlib.ExitStack() as stack:
        url = f"sqlite:///{tmp_path}/ward.db" if place == "sqlite" else stack.enter_context(postgres.Postgres()).url
        engine = database.open_engine(url)
        stack.callback(engine.dispose)
        end_all(PictureRequests(engine), engine)


def end_all(desk, engine):
    ids = [f"{n:026}" for n in range(20)]
    for each in ids:
        desk.add(PictureRequest(id=each, dev=DEV, kind="clip", cam="g", case_no="1", purpose="fire", officer="x",
                                basis="y", made_ms=1, until_ms=2, command="{}"))
    def answer():
        for each in ids:
            with engine.begin() as db:
                requests.apply_answer(db, DEV, ward_side.CommandAnswer(id=each, st="refused", code="no_consent"), 5)
    hands = [threading.Thread(target=lambda who=who, state=state: [desk.become(each, state, who, 1) for each in ids])
             for who, state in (("ops", "cancelled"), ("intake", "done"))] + [threading.Thread(target=answer)]
    for hand in hands:
        hand.start()
    for hand in hands:
        hand.join()
    assert all(len(desk.steps(each)) == 2 and not desk.find(each).open for each in ids)
    desk.add(PictureRequest(id="9" * 26, dev=DEV, kind="clip", cam="g", case_no="1", purpose="fire", officer="x",
                            basis="y", made_ms=2, until_ms=2, command="{}", state="sent"))
    assert [desk.announced("9" * 26, 5, "a" * 64, None, "", 3) for _ in range(2)] == [True, False]
    assert [each.id for each in desk.open_ones()] == ["9" * 26] == [each.id for each in desk.newest(1)]


def test_one_whose_device_stays_silent_ends_with_its_command_and_a_late_answer_still_counts(tmp_path):
    """The command holds for a day; what was accepted in time may be answered later, and uploaded for three weeks."""
    engine = database.open_engine(f"sqlite:///{tmp_path}/ward.db")
    desk, clock = PictureRequests(engine), HandClock()
    spool, metrics = Spool(tmp_path / "exports"), IntakeMetrics("")
    service = UploadService(desk, spool, None, clock, metrics, 0, 10**9)
    made_ms = clock.wall_ms
    silent, heard, brought = (f"{n:026}" for n in range(3))
    for each in (silent, heard, brought):
        desk.add(PictureRequest(id=each, dev=DEV, kind="snapshot", cam="g", case_no="1", purpose="fire", officer="x",
                                basis="y", made_ms=made_ms, until_ms=made_ms + 21 * DAY_MS, state="sent",
                                command=json.dumps({"exp": made_ms + DAY_MS})))

    def states():
        asyncio.run(service.tidy())
        return {(found.state, found.code) for found in map(desk.find, (silent, heard, brought))}

    def answers(request, st, code=None):
        with engine.begin() as db:
            requests.apply_answer(db, DEV, ward_side.CommandAnswer(id=request, st=st, code=code), clock.wall_ms)

    clock.advance(DAY_MS / 1000 + 60)
    assert states() == {("sent", None)}, "an answer may be on its way"
    clock.advance(600)
    assert states() == {("expired", "no_answer")}
    assert "has not answered" in says(desk.find(silent))
    answers(heard, "waiting_consent", "undated")
    asyncio.run(service.begin(DEV, Announced(brought, "snapshot", 5, "a" * 64, None), "c" * 64))
    assert (desk.find(brought).state, desk.find(brought).code) == ("running", None)
    assert (desk.find(heard).state, desk.find(heard).code) == ("waiting", "undated")
    assert "clock was wrong" in says(desk.find(heard))
    clock.advance(21 * DAY_MS / 1000)
    answers(silent, "running")
    assert (desk.find(silent).state, desk.find(silent).code) == ("expired", "no_answer"), "three weeks are over"
    engine.dispose()
