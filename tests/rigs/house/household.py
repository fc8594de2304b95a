"""A recorder for the page's tests: a store filled through its own API, and the web role serving it in a thread.

The keeper's desk is real; one browser is paired, and visits unless told otherwise.
"""
import contextlib
import copy
import http.client
import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from agent.capture.still import thumbnail
from agent.config.derived import agreed, digest
from agent.config.settings import Camera, Device, Settings, Store, Web
from agent.core.contract.facts import Beat, CameraFacts
from agent.core.contract.setup import Changes, Problem, SetupResult
from agent.core.household.labels import EventWord, LabelWord
from agent.core.media.model import Box, Packet, StreamInfo
from agent.core.media.mp4.write import Movie
from agent.host import runtime
from agent.host.clock import Clock, Instant, SystemClock
from agent.host.datagram import Outlet
from agent.host.files import Lock
from agent.host.setup_folders import SetupFolders
from agent.host.stop import Stop
from agent.keeper.desk import DecisionDesk
from agent.keeper.ledger_writer import LedgerWriter
from agent.keeper.ward_signature import WardSignature
from agent.process.heartbeat import Heartbeat
from agent.process.role import Role
from agent.store import clips, events
from agent.store.database import connect, transaction
from agent.store.decisions import browsers, consent
from agent.store.decisions import database as decisions
from agent.store.folders import Folders
from agent.web.main import serve
from agent.web.server.access import COOKIE
from tests.rigs.cameras.h264 import movie
from tests.rigs.device.beats import own_facts
from tests.rigs.wait import HANG_S, free_port, until

FRAME_US = 100_000          # of h264.movie at 10 pictures a second


def write_clip(path: Path, info: StreamInfo, packets: tuple[Packet, ...], frame_us: int = FRAME_US) -> int:
    """A finished recording as capture leaves it; returns its size."""
    track = Movie(info)
    parts, gop = [track.init_segment()], []
    for packet in packets:
        if packet.key and gop:
            parts.append(track.fragment(gop, packet.dts_us))
            gop = []
        gop.append(packet)
    parts.append(track.fragment(gop, gop[-1].dts_us + frame_us))
    parts[0] = track.final_head()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(parts))
    return path.stat().st_size


def happen(folders: Folders, start: Instant, camera: str = "gate", *,
           video: tuple[StreamInfo, tuple[Packet, ...]] | None = None,
           offset_ms: int = 1000, dur_ms: int = 2000, done: bool = True, zones: Sequence[str] = (),
           word: EventWord | None = None) -> int:
    """One event and its clip, stored as capture stores them; returns the event's id."""
    info, packets = video or movie()
    db = connect(folders.root)
    with transaction(db):
        seq, name = clips.open_row(db, camera, "motion", start, info.codec, info.width, info.height)
        sight = Instant(start.boot, start.mono_ms + offset_ms, start.wall_ms + offset_ms, start.clock)
        event_id = events.open_row(db, camera, "motion", sight, zones)
        events.tie(db, event_id, seq)
    if done:
        size_b = write_clip(folders.clip(seq, name), info, packets)
        thumb = f"{name}-{event_id}.jpg"
        (folders.thumbs / thumb).write_bytes(thumbnail(info, packets[:len(packets) // 2]) or b"")
        with transaction(db):
            length_us = packets[-1].pts_us - packets[0].pts_us + FRAME_US
            clips.finish(db, seq, "done", length_us // 1000, size_b, len(packets))
            events.finish(db, event_id, dur_ms, 0.2, 1, [[0.4, 0.3, 0.2, 0.4]], "test/1", thumb,
                          zones=zones)
            events.label(db, event_id, word)
    db.close()
    return event_id


def name_some(folders: Folders, camera: Camera, word: LabelWord, box: Box, n: int, settings: str = "") -> None:
    """So many events of now with this word, without recordings; found under the camera's own settings or others."""
    now, found_by = SystemClock().now(), settings or digest(camera)
    with contextlib.closing(connect(folders.root)) as db, transaction(db):
        for _ in range(n):
            event = events.open_row(db, camera.name, "motion", now)
            events.finish(db, event, 1000, 0.5, 1, [box], "3", None, settings=found_by)
            events.label(db, event, EventWord(word, 0.7))


@dataclass
class Answer:
    """What the page said."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


@dataclass
class Household:
    """The web role, alive in a thread; `get` and `post` visit it, as the paired browser but with `cookie=""`."""

    root: Path
    cameras: list[Camera] = field(default_factory=lambda: [Camera(name="gate", source="file:/gate.mp4"),
                                                           Camera(name="yard", source="file:/yard.mp4")])
    listen: str = "127.0.0.1"
    tls: bool = False
    language: str = "vi"
    site: str = ""
    title: str = ""
    may_change: bool = False        # root is there, and takes changes of settings
    visited: bool = True            # a browser is paired, an owner's: `get` and `post` are its visits
    clock: Clock = field(default_factory=SystemClock)
    stop: Stop = field(default_factory=Stop)

    def __post_init__(self) -> None:
        self.runtime = self.root / "run"
        self.runtime.mkdir(parents=True, exist_ok=True)
        self.folders = Folders(self.root / "store").create()
        self.setup = SetupFolders.beside(self.runtime)
        if self.may_change:
            self.setup.asked.mkdir(mode=0o700)
            self.setup.told.mkdir()
        device = Device(language=self.language, site=self.site, title=self.title)
        self.settings = Settings(device=device, camera=self.cameras,
                                 store=Store(folder=str(self.folders.root), runtime=str(self.runtime)),
                                 web=Web(listen=self.listen, port=free_port(), tls=self.tls))
        self.error: BaseException | None = None
        self.token = ""

    @property
    def port(self) -> int:
        """Where the page is."""
        return self.settings.web.port

    @property
    def url(self) -> str:
        """The page's address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def cookie(self) -> str:
        """That of the paired browser."""
        return f"{COOKIE}={self.token}"

    def __enter__(self) -> "Household":
        self.open_desk()
        with self.decisions() as own, contextlib.closing(connect(self.folders.root)) as db:
            if self.visited:
                self.token = browsers.pair(own, db, "the test's", self.clock.now(), as_owner=True)
        heart = Heartbeat("web", "web", self.runtime, self.clock)
        parts = Role(self.settings, None, self.folders, self.runtime, self.clock, heart, self.stop)
        parts.lock = Lock(self.folders.lock("web"))
        self._thread = threading.Thread(target=self._serve, args=(parts,), daemon=True)
        self._thread.start()
        until(lambda: self.error is not None or self._answers())
        if self.error:
            raise self.error
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self._thread.join(HANG_S)
        self.close_desk()
        assert not self._thread.is_alive(), "the page did not end"
        if self.error:
            raise self.error

    def agree(self) -> None:
        """What the configuration says of the ward is agreed to, and the keeper has read it."""
        with self.decisions() as own, contextlib.closing(connect(self.folders.root)) as db:
            db.signer = LedgerWriter(self.folders, self.clock, own)
            consent.agree(own, db, agreed(self.settings), self.clock.now())
            consent.follow(own, db, self.clock.now())

    def open_desk(self) -> None:
        """Let the keeper answer, as it does from the start on."""
        runtime.own(self.runtime, "keeper")
        self._desk = DecisionDesk(self.folders, self.clock, WardSignature(self.settings, self.folders),
                                  self.setup).open(self.runtime)

    def close_desk(self) -> None:
        """Let the keeper answer no more."""
        self._desk.close()

    @contextlib.contextmanager
    def decisions(self) -> Iterator[sqlite3.Connection]:
        """The keeper's own database."""
        with contextlib.closing(decisions.connect(self.folders)) as own:
            yield own

    def link(self) -> str:
        """An address that lets a browser in within a minute."""
        with self.decisions() as own:
            return f"{self.url}/enter/{browsers.make_link(own, self.clock.now())}"

    def carry_out(self, problem: Problem = "", detail: str = "") -> list[Changes]:
        """As root: take the changes that wait, and say what became of them."""
        changes = [request for request, fresh in self.setup.collect(self.clock.now()) if fresh]
        for request in changes:
            self.setup.tell(SetupResult(id=request.id, done=not problem, problem=problem, detail=detail))
        return [request.change for request in changes]

    def _serve(self, parts: Role) -> None:
        try:
            serve(parts)
        except BaseException as error:
            self.error = error
        finally:
            parts.lock.release()

    def _answers(self) -> bool:
        try:
            return self.get("/static/mark.svg").status == 200
        except OSError:
            return False

    def get(self, path: str, method: str = "GET", **headers: str) -> Answer:
        """Ask for `path`; header names are given with underscores."""
        return self.ask(method, path, None, headers)

    def post(self, path: str, body: str, **headers: str) -> Answer:
        """Send a form, as a browser would from the page itself unless `headers` say otherwise."""
        own = {"host": f"127.0.0.1:{self.port}", "content_type": "application/x-www-form-urlencoded"} | headers
        return self.ask("POST", path, body, {"origin": f"http://{own['host']}"} | own)

    def ask(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> Answer:
        """One request on a connection of its own."""
        cookie = headers.get("cookie", "language=")
        if cookie and COOKIE not in cookie:
            headers = headers | {"cookie": f"{self.cookie}; {cookie}"}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=HANG_S)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def viewers_n(self) -> int | None:
        """How many watch live, by the page's own heartbeat."""
        units = json.loads(self.get("/health.json").body).get("units", [])
        beats = {unit["unit"]: unit["beat"] for unit in units if unit["beat"]}
        return beats["web"]["facts"]["viewers_n"] if "web" in beats else None

    def beat(self, *cameras: CameraFacts, unit: str = "capture@network", **facts: object) -> None:
        """Send a heartbeat of another role."""
        now_mono_s, role = self.clock.mono_s(), unit.partition("@")[0]
        Outlet(self.runtime).send(Beat(role=role, unit=unit, pid=1, mono_s=now_mono_s, up_s=100.0, starts_n=1,
                                       cameras=list(cameras), facts=own_facts(role, **facts)), "web")


def house_of(**fields: Any) -> Callable[[Path], Iterator[Household]]:
    """A fixture for a test module's `house`: one with these fields for each test, whose page is up."""
    @pytest.fixture
    def house(tmp_path: Path) -> Iterator[Household]:
        with Household(tmp_path, **copy.deepcopy(fields)) as made:
            yield made
    return house
