"""The keeper's desk: who is let in, by what, and that nobody else is believed."""
import json
import os
import stat
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from agent.config.settings import Settings
from agent.core.contract.decisions import (
    SOCKET,
    AskSetup,
    ChangeSettings,
    DecideRequest,
    DecisionAnswer,
    GiveRole,
    KnowBrowser,
    ListBrowsers,
    ListRequests,
    NewCode,
    OpenLink,
    PairBrowser,
    PauseCameras,
    PauseFromHome,
    Question,
    UnpairBrowser,
)
from agent.core.contract.setup import AddCamera, ChangeCamera, SetDevice
from agent.core.household.access import LOCKED_S, TRIES_N
from agent.core.household.pause import Pauses
from agent.host.setup_folders import WAITING_MAX_N, SetupFolders
from agent.host.sockets import ask
from agent.keeper.desk import DecisionDesk
from agent.keeper.ward_signature import WardSignature
from agent.store import pause
from agent.store.database import connect
from agent.store.decisions import browsers
from agent.store.decisions import database as decisions
from agent.store.folders import Folders
from tests.conftest import HandClock
from tests.rigs.store.cards import all_acts
from tests.rigs.wait import Stopwatch

NOBODY = 65_534


@pytest.fixture
def desk(folders: Folders, hand_clock: HandClock) -> DecisionDesk:
    """A desk on a new store."""
    return DecisionDesk(folders, hand_clock, WardSignature(Settings(), folders),
                        SetupFolders.beside(folders.root / "run"))


def say(desk: DecisionDesk, question: Question, user: int | None = None) -> DecisionAnswer:
    line = msgspec.json.encode(question)
    return msgspec.json.decode(desk.answer(line, os.geteuid() if user is None else user), type=DecisionAnswer)


def kinds(folders: Folders) -> list[str]:
    db = connect(folders.root)
    found = [row.kind for row in all_acts(db) if row.kind != "begin"]
    db.close()
    return found


def test_the_code_lets_a_browser_in_and_the_ledger_tells(desk, own, folders):
    let_in = say(desk, PairBrowser(code=browsers.pairing_code(own).lower(), browser="phone"))
    assert let_in.why == "" and say(desk, KnowBrowser(token=let_in.token)).why == ""
    assert say(desk, KnowBrowser(token="guess")).why == "not_paired"
    assert say(desk, ListBrowsers(token="guess")) == DecisionAnswer(why="not_paired")
    assert kinds(folders) == ["pairing"]


def test_the_keeper_is_told_of_what_was_decided_and_of_no_mere_question(desk, own):
    pokes: list[int] = []
    desk.noted = lambda: pokes.append(1)
    token = say(desk, PairBrowser(code=browsers.pairing_code(own), browser="phone")).token
    assert len(pokes) == 1
    say(desk, KnowBrowser(token=token))
    say(desk, ListRequests(token=token))
    assert len(pokes) == 1
    say(desk, NewCode(token=token))
    assert len(pokes) == 2


def test_five_wrong_codes_lock_the_desk_for_five_minutes(desk, own, hand_clock):
    right = PairBrowser(code=browsers.pairing_code(own), browser="phone")
    for _ in range(TRIES_N):
        assert say(desk, PairBrowser(code="00000000", browser="thief")).why == "wrong_code"
    assert say(desk, right).why == "wrong_code"
    hand_clock.mono += LOCKED_S
    assert say(desk, right).why == ""


def test_a_link_lets_one_browser_in_within_a_minute(desk, own, hand_clock):
    link = browsers.make_link(own, hand_clock.now())
    assert say(desk, OpenLink(link=link, browser="desk")).token
    assert say(desk, OpenLink(link=link, browser="desk")).why == "stale_link"
    late = browsers.make_link(own, hand_clock.now())
    hand_clock.mono += 61
    assert say(desk, OpenLink(link=late, browser="desk")).why == "stale_link"


def test_a_browser_or_all_of_them_are_let_in_no_more(desk, own, folders):
    code = browsers.pairing_code(own)
    one, other = (say(desk, PairBrowser(code=code, browser=name)).token for name in ("one", "other"))
    listed = {each.name: each.id for each in say(desk, ListBrowsers(token=one)).browsers}
    assert [each.name for each in say(desk, UnpairBrowser(token=one, which=listed["other"])).browsers] == ["one"]
    assert say(desk, KnowBrowser(token=other)).why == "not_paired"
    assert say(desk, UnpairBrowser(token=one, which="0123")).why == "unknown"
    assert say(desk, UnpairBrowser(token=one)).code not in ("", code)
    assert say(desk, PairBrowser(code=code, browser="one")).why == "wrong_code"
    assert kinds(folders) == ["pairing", "pairing", "unpairing", "unpairing"]


def test_the_first_browser_is_an_owner_and_a_later_one_looks_until_it_is_made_one(desk, own, folders):
    code = browsers.pairing_code(own)
    owner, viewer = (say(desk, PairBrowser(code=code, browser=name)) for name in ("owner", "viewer"))
    assert (owner.role, viewer.role) == ("owner", "viewer") == (
        say(desk, KnowBrowser(token=owner.token)).role, say(desk, KnowBrowser(token=viewer.token)).role)
    ids = {each.name: each.id for each in say(desk, ListBrowsers(token=owner.token)).browsers}
    refused: list[Question] = [
        PauseCameras(token=viewer.token), ListBrowsers(token=viewer.token), UnpairBrowser(token=viewer.token),
        GiveRole(token=viewer.token, which=ids["viewer"], role="owner"), NewCode(token=viewer.token),
        ChangeSettings(token=viewer.token, change=SetDevice(title="x")), AskSetup(token=viewer.token, over=True),
        ListRequests(token=viewer.token), DecideRequest(token=viewer.token, request="x", digest="x", code="approved")]
    desk.setup.asked.mkdir(mode=0o700)
    for question in refused:
        assert say(desk, question) == DecisionAnswer(why="viewer"), question
    assert say(desk, AskSetup(token=viewer.token)) == DecisionAnswer() and pause.load(folders) == Pauses()
    assert browsers.pairing_code(own) == code and not desk.setup.collect(desk.clock.now())
    given = say(desk, GiveRole(token=owner.token, which=ids["viewer"], role="owner"))
    assert {each.role for each in given.browsers} == {"owner"}
    assert say(desk, ListBrowsers(token=viewer.token)).why == ""
    assert kinds(folders) == ["pairing", "pairing", "browser_role"]


def test_the_last_owner_is_not_taken_from_viewers(desk, own):
    code = browsers.pairing_code(own)
    owner, viewer = (say(desk, PairBrowser(code=code, browser=name)).token for name in ("owner", "viewer"))
    ids = {each.name: each.id for each in say(desk, ListBrowsers(token=owner)).browsers}
    for question in (UnpairBrowser(token=owner, which=ids["owner"]),
                     GiveRole(token=owner, which=ids["owner"], role="viewer")):
        assert say(desk, question).why == "last_owner"
    assert say(desk, GiveRole(token=owner, which="0123", role="viewer")).why == "unknown"
    assert say(desk, UnpairBrowser(token=owner, which=ids["viewer"])).why == ""
    assert say(desk, UnpairBrowser(token=owner, which=ids["owner"])).why == ""
    assert say(desk, PairBrowser(code=code, browser="anew")).role == "owner"


def test_a_link_lets_in_an_owner_and_no_flood_of_pairings_puts_one_out(desk, own, hand_clock):
    code = browsers.pairing_code(own)
    owner = say(desk, PairBrowser(code=code, browser="owner")).token
    assert say(desk, OpenLink(link=browsers.make_link(own, hand_clock.now()), browser="desk")).role == "owner"
    for _ in range(browsers.BROWSERS_MAX):
        hand_clock.advance(1)
        newest = say(desk, PairBrowser(code=code, browser="flood"))
    assert say(desk, KnowBrowser(token=owner)).role == "owner" and say(desk, KnowBrowser(token=newest.token)).why == ""
    assert len(say(desk, ListBrowsers(token=owner)).browsers) == browsers.BROWSERS_MAX


def test_another_code_puts_nobody_out(desk, own):
    code = browsers.pairing_code(own)
    owner = say(desk, PairBrowser(code=code, browser="owner")).token
    other = say(desk, NewCode(token=owner)).code
    assert other != code and say(desk, PairBrowser(code=code, browser="late")).why == "wrong_code"
    assert say(desk, KnowBrowser(token=owner)).why == "" and say(desk, PairBrowser(code=other, browser="new")).token


def test_a_browser_from_before_there_were_roles_is_an_owner(desk, own, folders):
    token = say(desk, PairBrowser(code=browsers.pairing_code(own), browser="old")).token
    own.execute("ALTER TABLE browser RENAME TO kept")
    own.execute("""CREATE TABLE browser (                    -- paired browsers of the household
        token_sha256 TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        paired_wall_ms INTEGER NOT NULL,
        used_wall_ms INTEGER NOT NULL         -- to the hour, so that looking costs few writes
    ) STRICT, WITHOUT ROWID""")
    own.execute("INSERT INTO browser SELECT token_sha256, name, paired_wall_ms, used_wall_ms FROM kept")
    own.execute("DROP TABLE ledger")
    own.execute("PRAGMA user_version = 1")
    assert say(desk, KnowBrowser(token=token)).role == "owner"
    assert own.execute("PRAGMA user_version").fetchone()[0] == decisions.SCHEMA


def test_a_paired_browser_pauses_and_nobody_else(desk, own, folders, hand_clock):
    token = say(desk, PairBrowser(code=browsers.pairing_code(own), browser="phone")).token
    assert say(desk, PauseCameras(token="guess")).why == "not_paired" and pause.load(folders) == Pauses()
    assert say(desk, PauseCameras(token=token, cameras=["gate"], length_ms=60_000)).why == ""
    assert pause.load(folders).of("gate", hand_clock.now()).by == "page"
    assert say(desk, PauseCameras(token=token, paused=False)).why == "" and pause.load(folders) == Pauses()


def test_home_assistant_pauses_where_the_household_has_set_it_up(desk, folders, hand_clock):
    word = PauseFromHome(camera="gate", paused=True)
    assert say(desk, word).why == "not_yours" and pause.load(folders) == Pauses()
    at_home = DecisionDesk(folders, hand_clock, WardSignature(Settings(), folders),
                           SetupFolders.beside(folders.root / "run"), home=True)
    assert say(at_home, word, user=NOBODY).why == "not_yours"
    assert say(at_home, word).why == "" and pause.load(folders).of("gate", hand_clock.now()).by == "home"


def test_a_paired_browser_has_settings_changed_and_nobody_else(desk, own, folders, hand_clock):
    token = say(desk, PairBrowser(code=browsers.pairing_code(own), browser="phone")).token
    adding = AddCamera(name="gate", title="Cổng trước", source="rtsp://me:secret@192.168.1.20/1")
    assert say(desk, ChangeSettings(token=token, change=adding)).why == "no_setup"      # no device: nobody would do it
    desk.setup.asked.mkdir(mode=0o700)
    assert say(desk, ChangeSettings(token="guess", change=adding)).why == "not_paired"
    assert say(desk, ChangeSettings(token=token, change=adding), user=NOBODY).why == "not_yours"
    assert not desk.setup.collect(hand_clock.now())
    hand_clock.advance(1)
    first = say(desk, ChangeSettings(token=token, change=adding)).change
    hand_clock.advance(1)
    second = say(desk, ChangeSettings(token=token, change=ChangeCamera(name="gate", enabled=False))).change
    asked = desk.setup.collect(hand_clock.now())
    assert [(each.id, type(each.change), fresh) for each, fresh in asked] == [
        (first, AddCamera, True), (second, ChangeCamera, True)]
    with closing(connect(folders.root)) as db:
        told = [row.body for row in all_acts(db) if row.kind == "settings"]
    assert told == [
        {"change": first, "by": "page", "what": "add_camera", "camera": "gate", "keys": ["source", "title"]},
        {"change": second, "by": "page", "what": "change_camera", "camera": "gate", "keys": ["enabled"]}]


def test_a_change_of_what_no_page_may_change_is_not_understood(desk, own):
    token = say(desk, PairBrowser(code=browsers.pairing_code(own), browser="phone")).token
    for change in ({"change": "update", "rule": "allow"}, {"change": "device", "folder": "/tmp"},
                   {"change": "add_camera", "name": "x", "source": "picamera:0", "release_key": "/tmp/key"}):
        line = json.dumps({"ask": "settings", "token": token, "change": change}).encode()
        assert b"not_understood" in desk.answer(line, os.geteuid()), change


def test_no_more_changes_wait_than_root_would_ever_do(desk, own):
    token = say(desk, PairBrowser(code=browsers.pairing_code(own), browser="phone")).token
    desk.setup.asked.mkdir()
    question = ChangeSettings(token=token, change=SetDevice(title="Nhà"))
    assert {say(desk, question).why for _ in range(WAITING_MAX_N)} == {""}
    assert say(desk, question).why == "no_setup"


def test_a_paired_browser_is_known_while_the_card_can_not_be_written(own, db, hand_clock):
    token = browsers.pair(own, db, "phone", hand_clock.now())
    own.execute("PRAGMA query_only = ON")
    hand_clock.advance(2 * 3600)
    assert browsers.use(own, token, hand_clock.now())
    own.execute("PRAGMA query_only = OFF")
    assert browsers.use(own, token, hand_clock.now())
    assert browsers.paired(own)[0].used_wall_ms == hand_clock.wall_ms


def test_nonsense_and_other_users_get_nothing(desk, own):
    deep = b'{"ask":"pair","x":' + b"[" * 16_000
    for nonsense in (b"[" * 5000, b'{"ask":"pair","code":"\xff","browser":"x"}', deep, b""):
        assert b"not_understood" in desk.answer(nonsense, os.geteuid())
    right = PairBrowser(code=browsers.pairing_code(own), browser="phone")
    assert say(desk, right, user=NOBODY) == DecisionAnswer(why="not_yours")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_the_kernel_tells_the_desk_who_asks(desk, own, folders: Folders, tmp_path: Path):
    server = desk.open(tmp_path)
    for path in (*tmp_path.parents, tmp_path, (tmp_path / SOCKET).parent):      # a test's folders are root's
        if path.stat().st_uid == 0 and path != Path("/"):
            path.chmod(path.stat().st_mode | stat.S_IXOTH)
    (tmp_path / SOCKET).chmod(0o666)
    line = msgspec.json.encode(PairBrowser(code=browsers.pairing_code(own), browser="x")) + b"\n"
    told, tells = os.pipe()
    if (child := os.fork()) == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        try:
            os.write(tells, ask(tmp_path / SOCKET, line))
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(tells)
    server.close()
    assert msgspec.json.decode(os.read(told, 1000), type=DecisionAnswer).why == "not_yours"


def test_the_set_up_waits_until_the_household_says_that_it_is_over(desk, own, folders):
    token = say(desk, PairBrowser(code=browsers.pairing_code(own), browser="phone")).token
    assert say(desk, AskSetup(token=token)).setup == ""         # no device: nobody could change a setting
    desk.setup.asked.mkdir()
    assert say(desk, AskSetup(token="guess", over=True)).why == "not_paired"
    assert say(desk, AskSetup(token=token)).setup == "waits"
    assert say(desk, AskSetup(token=token, over=True)).setup == "over" == say(desk, AskSetup(token=token)).setup


def test_cameras_are_paused_while_another_role_holds_the_shared_database(desk, own, folders, hand_clock):
    token = say(desk, PairBrowser(code=browsers.pairing_code(own), browser="phone")).token
    with closing(connect(folders.root)) as role, Stopwatch() as watch:
        role.execute("BEGIN EXCLUSIVE")
        assert say(desk, KnowBrowser(token=token)) == DecisionAnswer(role="owner")
        assert say(desk, PauseCameras(token=token, cameras=["gate"])).why == ""
        assert pause.load(folders).of("gate", hand_clock.now())
        assert say(desk, PauseCameras(token="guess", cameras=["gate"], paused=False)).why == "not_paired"
        assert say(desk, PairBrowser(code=browsers.pairing_code(own), browser="other")).why == "card"
        role.execute("ROLLBACK")
    assert watch.fair_s < 3, "whoever waits behind has its turn"
