"""The keeper's desk: other roles bring the household's decisions to its socket, and must prove that they may.

The page brings a browser's token, and the kernel says that the page's user asks. Root and the keeper's own user may act
for every role, because under `taimat run` all roles are one user.
"""
import hmac
import logging
import os
import pwd
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from agent.core import json_door
from agent.core.contract import decisions as asked
from agent.core.contract.setup import Changes, SetWard, in_short
from agent.core.evidence.ledger.acts import SettingsChanged
from agent.core.household import access
from agent.core.household.access import BrowserRole
from agent.core.household.pause import By
from agent.host import board
from agent.host.clock import Clock
from agent.host.setup_folders import NoSetup, SetupFolders
from agent.host.sockets import SocketServer
from agent.keeper.footage_desk import FootageDesk, NotifyDesk, picture_for_home
from agent.keeper.ledger_writer import LedgerWriter
from agent.keeper.room import release_ballast
from agent.keeper.sharing_desk import SharingDesk
from agent.keeper.ward_signature import WardSignature, change_command_keys
from agent.store import damage, ledger, meta, pause
from agent.store.card_fault import NO_ROOM, fault_of
from agent.store.database import StoreConnection, StoreError, connect, transaction
from agent.store.decisions import browsers, decided
from agent.store.decisions import database as decisions
from agent.store.folders import Folders
from agent.store.requests import RequestError

PAGE_USER, LINK_USER = "taimat-web", "taimat-link"
BUSY_S = 1.0                # wait for a held database; callers wait not much longer
SETUP_KEY = "setup"         # in meta, once the household has finished the set-up

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class DecisionDesk:
    """Serves on its own thread. Each question opens the databases again, because one may have been replaced."""

    folders: Folders
    clock: Clock
    signature: WardSignature
    setup: SetupFolders
    home: bool = False                      # Home Assistant may pause, and get pictures if the settings permit it
    lock: access.PairingLock = field(default_factory=access.PairingLock, init=False)
    notify: NotifyDesk = field(init=False)
    serial: str | None = field(init=False)          # the board's
    erased: Callable[[], object] = lambda: None     # removes the files of erased clips
    noted: Callable[[], object] = lambda: None      # something was written that the keeper may have to carry out

    def __post_init__(self) -> None:
        self.serial = board.read().serial
        self.notify = NotifyDesk(self.signature.settings, self.folders)

    def open(self, runtime: Path) -> SocketServer:
        """Listens in the runtime folder. Raises OSError."""
        return SocketServer(runtime / asked.SOCKET, "desk", self.answer, asked.QUESTION_B_MAX)

    def answer(self, line: bytes, user: int) -> bytes:
        try:
            said = self._answer(json_door.read(line, asked.Questions), user)
        except msgspec.DecodeError:
            said = asked.DecisionAnswer(why="not_understood")
        except (OSError, sqlite3.Error, StoreError, *damage.OF_A_ROW) as error:
            _log.error("%s", error)
            if fault_of(error, self.folders.root) in NO_ROOM and release_ballast(self.folders):
                return self.answer(line, user)
            damage.meet(error)
            said = asked.DecisionAnswer(why="card")
        return msgspec.json.encode(said)

    def _answer(self, question: asked.Question, user: int) -> asked.DecisionAnswer:
        from_home = isinstance(question, asked.PauseFromHome | asked.PictureForHome)
        from_link = from_home or isinstance(question, asked.ChangeCommandKeys | asked.HandOutEvent)
        by = "" if isinstance(question, asked.UseFirstCode) else LINK_USER if from_link else PAGE_USER
        if not is_from(user, by) or (from_home and not self.home):
            _log.error("user %d may not ask as %s", user, by or "root")
            return asked.DecisionAnswer(why="not_yours")
        if isinstance(question, asked.PauseFromHome):
            self._pause([question.camera], question.paused, None, "home")
            return asked.DecisionAnswer()
        if isinstance(question, asked.KnowBrowser | asked.PauseCameras):
            return self._answer_alone(question)
        with self._databases() as (own, db):
            match question:
                case asked.PairBrowser():
                    return self._pair(own, db, question)
                case asked.OpenLink():
                    return self._open_link(own, db, question)
                case asked.PictureForHome(camera=camera):
                    home = self.signature.settings.home
                    picture = picture_for_home(db, self.folders, home, camera, self.clock.now())
                    return asked.DecisionAnswer(picture=picture)
                case asked.UseFirstCode(code=code):
                    return asked.DecisionAnswer(why="" if browsers.use_first_code(own, code) else "too_late")
                case asked.HandOutEvent():
                    return self.notify.hand_out(db, question, self.clock.now())
                case asked.ChangeCommandKeys(command=command):
                    with transaction(own):          # it has a copy of the ledger's row
                        why = change_command_keys(self.signature, db, command.encode(), self.clock.now())
                    return asked.DecisionAnswer(why=why)
                case asked.BrowserQuestion(token=token):
                    return self._ask_browser(own, db, question, browsers.use(own, token, self.clock.now()))
        return asked.DecisionAnswer()

    def _answer_alone(self, question: asked.KnowBrowser | asked.PauseCameras) -> asked.DecisionAnswer:
        """Answers without the shared database, because a role may hold it: cameras must be paused anyway."""
        with closing(decisions.connect(self.folders, busy_s=BUSY_S)) as own:
            role = browsers.use(own, question.token, self.clock.now())
        why = _refusal(question, role)
        if isinstance(question, asked.PauseCameras) and not why:
            self._pause(question.cameras, question.paused, question.length_ms, "page")
        return asked.DecisionAnswer(why=why, role=role or "viewer")

    def _ask_browser(self, own: sqlite3.Connection, db: sqlite3.Connection, question: asked.BrowserQuestion,
                     role: BrowserRole | None) -> asked.DecisionAnswer:
        if why := _refusal(question, role):
            return asked.DecisionAnswer(why=why)
        match question:
            case asked.ChangeSettings(change=SetWard(enabled=True)):
                return asked.DecisionAnswer(why="not_shown")          # joining needs the text
            case asked.ChangeSettings(change=change):
                return self._change_settings(own, db, change)
            case asked.JoinWard(ward=ward, text=text):
                if not self._sharing.may_join(ward, text):
                    return asked.DecisionAnswer(why="not_shown")
                return self._change_settings(own, db, SetWard(enabled=True))
            case asked.AskSharing():
                return asked.DecisionAnswer(sharing=self._sharing.state(own, db))
            case asked.AskSetup(over=over):
                return self._setup(own, over) if role == "owner" else asked.DecisionAnswer(why="viewer" if over else "")
            case asked.ListBrowsers():
                return _all_browsers(own)
            case asked.GiveRole():
                return self._give_role(own, db, question)
            case asked.NewCode():
                browsers.new_code(own)
                return _all_browsers(own)
            case asked.UnpairBrowser(which=which):
                return self._unpair(own, db, which)
            case asked.ListRequests():
                return asked.DecisionAnswer(waiting={row.request: row.digest for row in decided.waiting(own)})
            case asked.DecideRequest():
                return self._decide(own, db, question)
            case asked.TryNotify(to=to):
                return self.notify.order_trial(db, to, self.clock.now())
            case asked.MarkSeen() | asked.HoldClips() | asked.ReleaseClips() | asked.EraseSpan():
                footage = FootageDesk(self.folders, self.signature.settings.store, self.erased)
                return asked.DecisionAnswer(why=footage.answer(own, db, question, self.clock.now()))
        return asked.DecisionAnswer()

    def _pair(self, own: sqlite3.Connection, db: sqlite3.Connection,
              question: asked.PairBrowser) -> asked.DecisionAnswer:
        now_mono_s = self.clock.mono_s()
        was_locked = self.lock.locked(now_mono_s)
        right = hmac.compare_digest(access.tidy(question.code).encode(), browsers.pairing_code(own).encode())
        self.lock, admitted = self.lock.step(right, now_mono_s)
        if admitted:
            return self._let_in(own, db, question.browser)
        _log.warning("a wrong pairing code was tried")
        if self.lock.locked(now_mono_s) and not was_locked:
            _log.warning("pairing is locked for %d s after %d wrong codes", access.LOCKED_S, access.TRIES_N)
        return asked.DecisionAnswer(why="wrong_code")

    def _open_link(self, own: sqlite3.Connection, db: sqlite3.Connection,
                   question: asked.OpenLink) -> asked.DecisionAnswer:
        with transaction(own):
            if not browsers.open_link(own, question.link, self.clock.now()):
                return asked.DecisionAnswer(why="stale_link")
        return self._let_in(own, db, question.browser, as_owner=True)

    def _let_in(self, own: sqlite3.Connection, db: sqlite3.Connection, name: str,
                as_owner: bool = False) -> asked.DecisionAnswer:
        token = browsers.pair(own, db, name, self.clock.now(), as_owner=as_owner)
        _log.info("a browser was paired: %s", name[:80])
        return asked.DecisionAnswer(token=token, role=browsers.use(own, token, self.clock.now()) or "viewer")

    def _unpair(self, own: sqlite3.Connection, db: sqlite3.Connection, which: str) -> asked.DecisionAnswer:
        if which and browsers.is_last_owner(own, which):
            return asked.DecisionAnswer(why="last_owner")
        if not (gone := browsers.unpair(own, db, which, self.clock.now())) and which:
            return asked.DecisionAnswer(why="unknown")
        _log.info("%d browsers are no longer paired", len(gone))
        return _all_browsers(own)

    def _give_role(self, own: sqlite3.Connection, db: sqlite3.Connection,
                   question: asked.GiveRole) -> asked.DecisionAnswer:
        if question.role != "owner" and browsers.is_last_owner(own, question.which):
            return asked.DecisionAnswer(why="last_owner")
        if not browsers.give_role(own, db, question.which, question.role, "page", now=self.clock.now()):
            return asked.DecisionAnswer(why="unknown")
        _log.info("browser %s is %s now", question.which, question.role)
        return _all_browsers(own)

    def _decide(self, own: sqlite3.Connection, db: sqlite3.Connection,
                question: asked.DecideRequest) -> asked.DecisionAnswer:
        try:
            decided.decide(own, db, question.request, question.digest, question.code, by="page",
                           now=self.clock.now(), shown=question.shown)
        except RequestError as error:
            _log.warning("%s on the page: %s", question.code, error)
            return asked.DecisionAnswer(why="too_late")
        _log.info("request %s: %s on the page", question.request, question.code)
        return asked.DecisionAnswer()

    def _pause(self, cameras: list[str] | None, paused: bool, length_ms: int | None, by: By) -> None:
        now = self.clock.now()
        if paused:
            pause.put(self.folders, cameras, None if length_ms is None else now.wall_ms + length_ms, by, now)
        else:
            pause.lift(self.folders, cameras, now)

    def _change_settings(self, own: sqlite3.Connection, db: sqlite3.Connection,
                         change: Changes) -> asked.DecisionAnswer:
        """Writes the ledger first: a cut in between leaves the row of a change that never reached root.

        What is withdrawn from the ward counts from here on, whether root is there or not.
        """
        now = self.clock.now()
        if not self._sharing.can_undo(own, change):
            return asked.DecisionAnswer(why="not_undone")
        try:
            change_id = self.setup.new_id(now)
        except NoSetup as error:
            _log.warning("%s", error)
            self._sharing.note(own, db, change, "", now)
            return asked.DecisionAnswer(why="no_setup")
        self._sharing.note(own, db, change, change_id, now)
        with transaction(own), transaction(db):
            ledger.note(db, now, SettingsChanged(change=change_id, by="page", **in_short(change)))
        self.setup.ask(change_id, change, now)
        return asked.DecisionAnswer(change=change_id)

    def _setup(self, own: sqlite3.Connection, over: bool) -> asked.DecisionAnswer:
        if over:
            with transaction(own):
                meta.put(own, SETUP_KEY, "over")
            _log.info("the set-up is over")
        if not self.setup.asked.is_dir():
            return asked.DecisionAnswer()
        return asked.DecisionAnswer(setup="over" if meta.get(own, SETUP_KEY) else "waits")

    @property
    def _sharing(self) -> SharingDesk:
        return SharingDesk(self.signature.settings)

    @contextmanager
    def _databases(self) -> Iterator[tuple[StoreConnection, StoreConnection]]:
        with closing(decisions.connect(self.folders, busy_s=BUSY_S)) as own, closing(
                connect(self.folders.root, BUSY_S)) as db:
            db.signer = LedgerWriter(self.folders, self.clock, own, self.serial)
            before_n = own.total_changes + db.total_changes
            yield own, db
            if own.total_changes + db.total_changes > before_n:
                self.noted()


def _refusal(question: asked.BrowserQuestion, role: BrowserRole | None) -> str:
    if role is None:
        return "not_paired"
    return "viewer" if role != "owner" and not isinstance(question, asked.ViewerQuestion) else ""


def _all_browsers(own: sqlite3.Connection) -> asked.DecisionAnswer:
    return asked.DecisionAnswer(code=browsers.pairing_code(own), browsers=browsers.paired(own))


def is_from(user: int, name: str) -> bool:
    """Whether the user's id belongs to the role `name` ("": none), or to a user that may act for all roles."""
    try:
        return user in (0, os.geteuid(), pwd.getpwnam(name).pw_uid)
    except KeyError:                # no such user: this is not a device
        return user in (0, os.geteuid())
