"""Where notifications arrive in tests: a server with ntfy's publish API, a mail server; and the house they come from.

https://docs.ntfy.sh/publish: a message is JSON to the root; one with a file is the file's bytes to the topic, with the
words in the query. Sizes and answers are ntfy's own.
"""
import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from agent.capture.still import thumbnail
from agent.config.settings import Camera, Device, Notify, Settings, Store
from agent.core.contract.facts import Poke
from agent.core.delivery.backoff import Waits
from agent.host import runtime
from agent.host.clock import Clock
from agent.host.setup_folders import SetupFolders
from agent.keeper.desk import DecisionDesk
from agent.keeper.ward_signature import WardSignature
from agent.link.notifier import NotifyContext, NotifyThread
from agent.store import events, notify
from agent.store.database import connect, transaction
from agent.store.folders import Folders
from tests.rigs.cameras.h264 import movie
from tests.rigs.device.command_desk import HandClock
from tests.rigs.store.cards import all_acts
from tests.rigs.store.kept_store import link_desk
from tests.rigs.wait import free_port, until

MESSAGE_B_MAX = 4096
WAITS = Waits(start_s=0.1, lost_s=0.2, step_s=0.2, longest_s=0.3, hopeless_s=(0.3, 0.4))


@dataclass(frozen=True)
class Arrived:
    """What a phone that listens to a topic shows."""

    topic: str
    title: str
    message: str
    file: bytes = b""
    name: str = ""


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:      # the name that http.server looks for
        """Publish."""
        self.server.phones.publish(self)

    do_PUT = do_POST

    def log_message(self, *_: object) -> None:
        """Tests say what is wrong themselves."""


@dataclass
class Ntfy:
    """Listens until its end. `status` other than 200 refuses all; `hold` lets a publisher wait before the answer."""

    arrived: list[Arrived] = field(default_factory=list)
    status: int = 200
    hold: threading.Event = field(default_factory=threading.Event)
    port: int = field(default_factory=free_port)
    _server: ThreadingHTTPServer | None = None

    def __post_init__(self) -> None:
        self.hold.set()
        self.open()

    @property
    def url(self) -> str:
        """The topic's address, as Apprise writes it; topic and password are secrets."""
        return f"ntfy://mai:right-horse@127.0.0.1:{self.port}/secret-topic"

    def open(self) -> None:
        """Be reached."""
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), _Handler)
        self._server.phones = self
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        """Be reached no more."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def publish(self, asked: _Handler) -> None:
        """One message."""
        body, address = asked.rfile.read(int(asked.headers["content-length"] or 0)), urlsplit(asked.path)
        status = self.status
        if status == 200:
            topic = address.path.strip("/")
            if topic:
                said = dict(parse_qsl(address.query))
                file = body
            else:
                said, file = json.loads(body), b""
                topic, status = said["topic"], 200 if len(said["message"]) <= MESSAGE_B_MAX else 400
            if status == 200:
                self.arrived.append(Arrived(topic, said.get("title", ""), said.get("message", ""), file,
                                            said.get("filename", "")))
        self.hold.wait()
        answer = json.dumps({"event": "message"} if status == 200 else {"code": status * 100 + 1, "error": "no"})
        with contextlib.suppress(OSError):      # a publisher that was killed
            asked.send_response(status)
            asked.send_header("content-length", str(len(answer)))
            asked.end_headers()
            asked.wfile.write(answer.encode())

    def __enter__(self) -> "Ntfy":
        return self

    def __exit__(self, *_: object) -> None:
        self.hold.set()
        self.close()


class MailBox:
    """Takes mail for aiosmtpd's server."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []

    async def handle_DATA(self, server: object, session: object, envelope: object) -> str:
        """One mail has come."""
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 taken"


@contextlib.contextmanager
def telling(settings: Settings, folders: Folders, at: Path, clock: Clock) -> Iterator[NotifyThread]:
    """The notifications' thread in one life, as the link starts it; each place hears of what happens from now on."""
    desk = link_desk(folders.root, at, clock, settings)
    thread = NotifyThread(NotifyContext(settings, folders, at, clock, lambda: 0.5, WAITS))
    thread.start()
    with contextlib.closing(connect(folders.root)) as db:
        until(lambda: notify.states(db).keys() == {each.name for each in settings.notify})
    yield thread
    thread.leave()
    desk.close()


class NotifyHouse:
    """A store with two cameras, the keeper's real desk, and the notifications' thread. Its clock is moved by hand."""

    def __init__(self, folder: Path, urls: dict[str, str], language: str = "en", **keys: object) -> None:
        """`urls` are the places by name, `keys` are those of each."""
        self.folders, self.clock, self.runtime = Folders(folder / "store").create(), HandClock(), folder
        self.db = connect(self.folders.root)
        places = []
        for number, (name, url) in enumerate(urls.items()):
            file = folder / f"url{number}"
            file.write_text(f"{url}\n")
            places.append(Notify(name=name, url_file=str(file), **keys))
        self.settings = Settings(
            device=Device(title="Nhà bà Sáu", language=language),
            store=Store(folder=str(self.folders.root), runtime=str(folder)), notify=places,
            camera=[Camera(name="gate", title="Cổng", source="file:/a.mp4"), Camera(name="yard", source="file:/b.mp4")])
        runtime.own(self.runtime, "keeper")
        self.keeper = DecisionDesk(self.folders, self.clock, WardSignature(self.settings, self.folders),
                                   SetupFolders.beside(self.runtime))
        self._ends = contextlib.ExitStack()

    @property
    def fault(self) -> str:
        """What the heartbeat would tell."""
        return self._thread.fault

    def poke(self) -> None:
        """As capture does, or a person who taps the page's button."""
        self._thread.hear(Poke(what="outbox"))

    def is_told(self, name: str = "Mai") -> bool:
        """Whether a message to that place is noted as sent, at the present time of the clock."""
        state = notify.states(self.db).get(name)
        return state is not None and state.progress.sent_ms == self.clock.now().wall_ms

    def later(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.step(seconds)
        self.poke()

    def happen(self, camera: str = "gate", picture: bool = False, **more: object) -> int:
        """Something moved, and it is over."""
        info, packets = movie()
        with transaction(self.db):
            event = events.open_row(self.db, camera, "motion", self.clock.now())
            thumb = f"{camera}-{event}.jpg" if picture else None
            if thumb:
                (self.folders.thumbs / thumb).write_bytes(thumbnail(info, packets) or b"")
            events.finish(self.db, event, 1000, 0.2, 1, [], "test/1", thumb, **more)
        self.poke()
        return event

    def ledger(self) -> list[dict[str, object]]:
        """What the keeper has signed of notifications."""
        return [row.body for row in all_acts(self.db) if row.kind == "notification"]

    def __enter__(self) -> "NotifyHouse":
        self._ends.callback(self.db.close)
        self._ends.enter_context(contextlib.closing(self.keeper.open(self.runtime)))
        self._thread = self._ends.enter_context(telling(self.settings, self.folders, self.runtime, self.clock))
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()
