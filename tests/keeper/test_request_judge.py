"""What a link that is somebody else's by now writes into the requests is worth nothing: only the ward's signed command
and the household's own word count.
"""
import base64
import contextlib
import json
import os
from collections.abc import Callable

import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.config.settings import Sharing, Ward
from agent.core.contract import ulid
from agent.core.contract.decisions import DecideRequest, DecisionAnswer
from agent.core.evidence.ledger.acts import Decided
from agent.core.evidence.ledger.row import canonical, decode
from agent.core.household.sharing_rules import Decision
from agent.host.setup_folders import SetupFolders
from agent.keeper import damage
from agent.keeper.desk import DecisionDesk
from agent.store import identity, ledger, outbox, requests
from agent.store.database import connect, transaction
from agent.store.decisions import browsers
from agent.store.requests import WardRequest
from tests.rigs.device.keeper import keeper_of
from tests.rigs.store.exports import BEGIN_MS, END_MS, shoot
from tests.rigs.store.shelf import OFFSET_MS
from tests.rigs.wait import until
from tests.rigs.ward.handover import rfc3339
from tests.rigs.ward.requests import insert

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
HOUR_MS = 3_600_000


class Stolen:
    """A keeper with five seconds of footage, and what the link's user may do: write into the shared database."""

    def __init__(self, folders, clock, folder) -> None:
        clock.wall_ms = END_MS + 1000
        clock.mono = (clock.wall_ms - OFFSET_MS) / 1000
        pem = folder / "command.pem"
        pem.write_bytes(KEY.public_key().public_bytes(serialization.Encoding.PEM,
                                                      serialization.PublicFormat.SubjectPublicKeyInfo))
        self.clock = clock
        self.keeper = keeper_of(folders, clock, ward=Ward(enabled=True, ward="w07", command_key=str(pem)))
        self.db, self.own, self.folders = self.keeper.db, self.keeper.own, folders
        shoot(self.db, folders)
        self.keeper.round(asked_for_space=False)
        self.token = browsers.pair(self.own, self.db, "phone", clock.now())
        self.desk = DecisionDesk(folders, clock, self.keeper.judge.signature,
                                 SetupFolders.beside(folders.root / "run"))

    def command(self, name="clip.export", key=KEY, dev=None, exp_ms=60_000, **args) -> bytes:
        """A signed command, of a wish for all of the footage unless `args` say something else."""
        now_ms = self.clock.wall_ms
        wish = {"case": "W07-2026-0093", "purpose": "theft", "officer": "Trần Văn B", "basis": "BLTTHS 2015, điều 107",
                "cam": "gate", "upload": "https://ward07.example.invalid:8443/exports", "receipt_key": 64 * "0"}
        if name == "clip.export":
            wish |= {"from": rfc3339(BEGIN_MS), "to": rfc3339(END_MS)}
        order = {"v": 1, "id": ulid.make(now_ms, os.urandom(ulid.CHANCE_B)), "iat": now_ms, "exp": now_ms + exp_ms,
                 "dev": dev or identity.name(self.folders, self.db), "name": name,
                 "args": args if name == "clip.cancel" else wish | args}
        return json.dumps({**order, "sig": base64.b64encode(key.sign(canonical(order))).decode()}).encode()

    def brings(self, command: bytes, **columns) -> str:
        """The link writes down a request, as it does or with other columns; the keeper looks at it. Returns its id."""
        with transaction(self.db):
            request = requests.request_of(command)
            requests.add(self.db, request, self.clock.now())
            self.writes(request.id, **columns)
        self.round()
        return request.id

    def writes(self, request_id: str, **columns) -> None:
        """The link changes a row."""
        for name, value in columns.items():
            self.db.execute(f"UPDATE request SET {name} = ? WHERE id = ?", (value, request_id))

    def round(self) -> None:
        self.keeper.round(asked_for_space=False)

    def row(self, request_id: str) -> WardRequest:
        found = requests.find(self.db, request_id)
        assert found
        return found

    def taps(self, request_id: str, code: Decision = "approved", token: str | None = None) -> str:
        """The page brings a word on what it showed; returns why it is not taken."""
        question = DecideRequest(token=self.token if token is None else token, request=request_id,
                                 digest=self.row(request_id).digest, code=code)
        answer = self.desk.answer(msgspec.json.encode(question), os.geteuid())
        return msgspec.json.decode(answer, type=DecisionAnswer).why

    def decisions(self) -> list[tuple[str, str]]:
        """What the ledger tells of requests, once all is sealed."""
        self.round()
        self.round()
        rows = [decode(line.doc) for line in ledger.lines(self.db)]
        return [(row.body["code"], row.body["by"]) for row in rows if row.kind == "decision"]

    def warnings(self) -> list[dict[str, object]]:
        return [json.loads(row["data"]) for row in outbox.after(self.db, 0, 1000) if row["kind"] == "security"]

    def nothing_leaves(self) -> bool:
        """Whether nothing is packed, and nothing is about to be."""
        self.round()
        return not list(self.folders.exports.iterdir()) and not self.keeper.judge.packager._at_work


@pytest.fixture
def stolen(folders, hand_clock, tmp_path):
    stolen = Stolen(folders, hand_clock, tmp_path)
    yield stolen
    stolen.keeper.judge.packager.close()


@pytest.mark.parametrize("state", ["new", "waiting", "approved", "packed"])
def test_a_request_that_the_ward_never_made_is_worth_nothing(stolen, state):
    request_id = insert(stolen.db, now=stolen.clock.now(), begin_ms=BEGIN_MS, end_ms=END_MS, command=b"{}")
    stolen.writes(request_id, state=state, decided_by="page", decided_ms=stolen.clock.wall_ms)
    assert stolen.taps(request_id) == "too_late", "a form that the link has sent, by a token that it stole"
    stolen.round()
    assert (stolen.row(request_id).state, stolen.row(request_id).code) == ("failed", "bad_args")
    assert stolen.taps(request_id) == "too_late" and stolen.nothing_leaves() and stolen.decisions() == []
    assert [each["code"] for each in stolen.warnings()] == ["forged_request"]


FORGED: dict[str, tuple[Callable[[Stolen], bytes], dict[str, object], str]] = {
    "stranger": (lambda it: it.command(key=Ed25519PrivateKey.generate()), {}, "bad_signature"),
    "elsewhere": (lambda it: it.command(dev="c-000000000000"), {}, "other_order"),
    "old": (lambda it: it.command(exp_ms=-HOUR_MS), {}, "expired"),
    "kept back": (lambda it: it.command(exp_ms=-HOUR_MS), {"wall_ms": 1}, "expired"),
    "bedroom": (Stolen.command, {"camera": "bedroom"}, "altered"),
    "longer": (Stolen.command, {"end_ms": END_MS + HOUR_MS}, "altered"),
    "thief": (Stolen.command, {"upload": "https://thief.example/exports"}, "altered"),
    "officer": (Stolen.command, {"officer": "somebody else"}, "altered"),
}


@pytest.mark.parametrize(("command", "columns", "code"), FORGED.values(), ids=FORGED.keys())
def test_a_row_must_be_what_the_ward_has_signed_for_this_device(stolen, command, columns, code):
    request_id = stolen.brings(command(stolen), **columns)
    assert (stolen.row(request_id).state, stolen.row(request_id).code) == ("failed", code)
    assert len(stolen.warnings()) == (code != "expired")


def test_a_row_with_a_time_that_no_calendar_has_is_set_aside_and_holds_up_no_other(stolen):
    absurd = stolen.brings(stolen.command(), end_ms=2**60)
    true = stolen.brings(stolen.command())
    assert stolen.row(true).state == "waiting" and stolen.taps(true) == ""
    assert requests.find(stolen.db, absurd) is None and requests.open_ones(stolen.db) == [stolen.row(true)]
    assert absurd in (stolen.folders.keys / damage.ASIDE).read_text() and stolen.keeper.fault is None


def test_the_household_says_yes_to_what_it_was_shown_and_to_nothing_else(stolen):
    request_id = stolen.brings(stolen.command())
    assert stolen.row(request_id).state == "waiting" and stolen.warnings() == []
    assert stolen.taps(request_id, token="guess") == "not_paired"
    stolen.writes(request_id, camera="bedroom")
    assert stolen.taps(request_id) == "too_late"
    stolen.writes(request_id, camera="gate", state="approved", decided_by="page", decided_ms=1)
    assert stolen.nothing_leaves() and stolen.row(request_id).state == "waiting" and stolen.decisions() == []
    assert stolen.taps(request_id) == "" and stolen.row(request_id).decided_by == "page"
    stolen.writes(request_id, end_ms=END_MS + HOUR_MS)
    assert stolen.nothing_leaves() and stolen.row(request_id).code == "altered"
    assert stolen.decisions() == [("approved", "page")]


def test_a_refusal_holds_against_the_link(stolen):
    request_id = stolen.brings(stolen.command())
    assert stolen.taps(request_id, "refused") == "" and stolen.taps(request_id) == "too_late"
    for state in ("approved", "packed", "waiting", "new"):
        stolen.writes(request_id, state=state)
        assert stolen.nothing_leaves() and stolen.row(request_id).state == "refused"
    assert stolen.decisions() == [("refused", "page")]


def test_a_decision_that_the_link_notes_is_none(stolen):
    row = stolen.row(stolen.brings(stolen.command()))
    with contextlib.closing(connect(stolen.folders.root)) as its, transaction(its):
        ledger.note(its, stolen.clock.now(), Decided(
            request=row.id, code="approved", by="page", asked="clip", camera="gate", case=row.case_no,
            purpose=row.purpose, officer=row.officer, basis=row.basis))
    assert stolen.decisions() == []


def test_the_rules_are_the_keeper_s(stolen):
    stolen.keeper.judge.settings.sharing = Sharing(allow=["theft"], never=["traffic"])
    allowed, forbidden = stolen.brings(stolen.command()), stolen.brings(stolen.command(purpose="traffic"))
    assert [(row.state, row.decided_by) for row in map(stolen.row, (allowed, forbidden))] == [
        ("approved", "rule"), ("refused", "rule")]
    assert stolen.decisions() == [("approved", "rule"), ("refused", "rule")]


def test_only_the_ward_cancels_in_its_own_name(stolen):
    request_id = stolen.brings(stolen.command())
    for forged in (b"{}", stolen.command("clip.cancel", request=ulid.make(1, bytes(ulid.CHANCE_B))), stolen.command()):
        stolen.writes(request_id, cancel=forged)
        stolen.round()
        assert (stolen.row(request_id).state, stolen.row(request_id).cancel) == ("waiting", None)
    stolen.writes(request_id, cancel=stolen.command("clip.cancel", request=request_id))
    assert stolen.decisions() == [("cancelled", "ward")] and stolen.row(request_id).state == "cancelled"


def test_nobody_waits_for_ever_but_only_a_clock_that_is_right_tells(stolen):
    request_id = stolen.brings(stolen.command())
    stolen.clock.state = "saved"
    stolen.clock.boot = "0b007002"
    stolen.clock.advance(25 * 3600)
    stolen.round()
    assert stolen.row(request_id).state == "waiting"
    stolen.clock.state = "ntp"
    assert stolen.decisions() == [("lapsed", "time")] and stolen.row(request_id).state == "lapsed"


def test_an_approval_is_for_the_picture_of_its_moment(stolen):
    request_id = stolen.brings(stolen.command("snapshot"))
    assert stolen.taps(request_id) == ""
    stolen.clock.advance(3600)
    stolen.round()
    assert (stolen.row(request_id).state, stolen.row(request_id).code) == ("failed", "no_picture")
    stolen.writes(request_id, state="approved")
    assert stolen.nothing_leaves()


def test_after_a_week_an_approval_packs_nothing(stolen):
    request_id = stolen.brings(stolen.command())
    assert stolen.taps(request_id) == ""
    stolen.clock.advance(8 * 86_400)
    assert stolen.nothing_leaves() and stolen.row(request_id).state == "approved"


def test_what_was_decided_is_packed(stolen):
    request_id = stolen.brings(stolen.command())
    assert stolen.taps(request_id) == ""
    until(lambda: stolen.round() or stolen.row(request_id).state == "packed", "packed")
    assert stolen.folders.export(request_id, "clip").stat().st_size == stolen.row(request_id).bytes
