"""Starts footage, broker and recorder, prints the recorder's messages, and ends them all."""
import contextlib
import os
import re
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from agent.cli.config import document
from agent.cli.demo import footage, messages
from agent.cli.demo.debian import Apt, Broker, NotToBeHad, end, find, free_port
from agent.cli.demo.footage import CannotPlay, Footage
from agent.cli.demo.messages import Joined, ReceivedMessage, StoreReader, Subscriber
from agent.cli.run import page_link
from agent.cli.terminal import console, count, size
from agent.config.settings import Camera, Device, Settings, Store, Ward, Web
from agent.core.household.labels import WordLack
from agent.core.passwords import redact
from agent.host.files import AlreadyRunning, Lock
from agent.host.prctl import die_with_parent
from agent.host.stop import Stop
from agent.host.weights import words_lack
from agent.store import clips
from agent.store.database import FILE, connect
from agent.store.folders import Folders

Address = tuple[str, int]
WARD, CAMERA = "demo", "demo"
QUOTA_GB = 0.5
SLOTS_N = 9                 # demos at the same time; each keeps its clips until the next one takes its place
END_S = 6.0                 # the supervisor needs 5
TOLD_LINES_N = 15
LACKS: dict[WordLack, str] = {
    "no_weights": "events get no labels: the weights are missing, which scripts/demo fetches (is there internet?)"}
NO_PICTURE = re.compile(rf"(?m)^capture@\S+ {CAMERA}: no picture(: .+)$")     # in the recorder's log
EXIT_FAILED = 1

Source = Annotated[str | None, typer.Argument(metavar="[SOURCE]", show_default=False,
    help="A video file, rtsp://user:password@address/path, or /dev/video0. Default: real surveillance footage.")]
OtherBroker = Annotated[str | None, typer.Option(
    metavar="HOST:PORT", show_default=False, help="Use this MQTT 5 broker, without TLS. Default: start one.")]
Seconds = Annotated[float | None, typer.Option(
    metavar="N", min=1, show_default=False, help="End after so many seconds. Default: at Ctrl-C.")]
Port = Annotated[int, typer.Option(
    metavar="PORT", min=1, max=65535, help="The page's port. If it is in use, the demo takes another one.")]


def demo(source: Source = None, broker: OtherBroker = None, seconds: Seconds = None, port: Port = 8088) -> None:
    out = console()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "taimat"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            _address(broker)            # before anything is fetched
            film = footage.choose(source, cache)
            store = _store(stack, cache)
            address, described = _broker(stack, broker, cache, store)
            Apt(cache).forget()
            settings = _settings(stack, film, store, address, free_port(port))
            topics = f"cam/v1/{WARD}/#" if settings.ward.enabled else ""
            facts = {"footage": film.text, "broker": described, "topics": topics, "store": settings.store.folder,
                     "words": LACKS[why] if (why := words_lack()) else ""}
            for name, value in facts.items():
                if value:
                    _fact(out, name, value)
            out.print("[dim]Ctrl-C ends it.[/dim]\n")
            raise typer.Exit(_Show(out, settings).run(stack, seconds))
    except CannotPlay as error:
        print(redact(str(error)), file=sys.stderr)
    except PermissionError as error:
        print(f"{error.filename}: {error.strerror}; set XDG_CACHE_HOME to a folder that you may write", file=sys.stderr)
    raise typer.Exit(EXIT_FAILED)


def _store(stack: contextlib.ExitStack, cache: Path) -> Path:
    """Empties the folder of an earlier demo for this one. Raises AlreadyRunning."""
    for number in range(1, SLOTS_N + 1):
        with contextlib.suppress(AlreadyRunning):
            stack.callback(Lock(cache / f"demo-{number}.lock").release)
            folder = cache / f"demo-{number}"
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            return folder
    raise AlreadyRunning(f"{SLOTS_N} demos run already; end one of them")


def _address(named: str | None) -> Address | None:
    if named is None:
        return None
    host, _, port = named.rpartition(":")
    if not host or not port.isdecimal():
        raise CannotPlay(f"--broker {named}: takes HOST:PORT, as in localhost:1883")
    return host, int(port)


def _broker(stack: contextlib.ExitStack, named: str | None, cache: Path, store: Path) -> tuple[Address | None, str]:
    if address := _address(named):
        return address, f"{named}, as you asked"
    try:
        program = find(cache)
        own = stack.enter_context(contextlib.closing(Broker(program, store)))
    except NotToBeHad as error:
        return None, f"none, so the messages come from the store: {error}"
    return ("127.0.0.1", own.port), f"mosquitto ({program.path}) on 127.0.0.1:{own.port}"


def _settings(stack: contextlib.ExitStack, film: Footage, store: Path, broker: Address | None, port: int) -> Settings:
    memory = os.environ.get("XDG_RUNTIME_DIR") or "/tmp"
    runtime = stack.enter_context(tempfile.TemporaryDirectory(prefix="taimat-", dir=memory))
    host, broker_port = broker or ("127.0.0.1", 1883)
    return Settings(
        # Not encrypted, so that any player opens the clips.
        device=Device(site="demo"), store=Store(folder=str(store), runtime=runtime, quota_gb=QUOTA_GB, encrypt="off"),
        camera=[Camera(name=CAMERA, source=film.source, loop=film.loop, record="motion", pre_roll_s=2, post_roll_s=2,
                       merge_gap_s=messages.MERGE_GAP_S, max_clip_s=12)],
        ward=Ward(enabled=broker is not None, ward=WARD, host=host, port=broker_port, tls=False, delivery="puback",
                  health_every_s=10), web=Web(port=port))


def _fact(out: Console, name: str, value: str) -> None:
    out.print(Text.assemble((f"{name:<9}", "bold"), redact(value)))


class _Show:
    def __init__(self, out: Console, settings: Settings) -> None:
        self._out, self._settings = out, settings
        self._folders = Folders(Path(settings.store.folder))
        self._log = self._folders.root / "taimat.log"
        self._events_n = self._messages_n = 0
        self._health: dict[str, Any] | None = None
        self._joined = Joined()
        self._came = False              # a picture from the camera
        self._why = ""                  # the last reason that the recorder has logged for that
        self._shown = False             # the page's address

    def run(self, stack: contextlib.ExitStack, seconds: float | None) -> int:
        """Runs for `seconds`, until a signal, or until the recorder ends. Returns the exit code."""
        ward, began_s = self._settings.ward, time.monotonic()
        try:
            listener = Subscriber(ward.host, ward.port, WARD) if ward.enabled else StoreReader(self._folders.root)
        except OSError as error:
            raise CannotPlay(f"{ward.host}:{ward.port}: no broker answers there ({error.strerror or error})") from error
        stack.callback(listener.close)
        stop = Stop().on_signals()
        agent = self._start()
        stack.callback(end, agent, END_S)
        while not stop.is_set() and agent.poll() is None and (seconds is None or time.monotonic() - began_s < seconds):
            self._hear(listener.next(0.2))
            self._show_page()
            self._look_why()
        code = agent.poll()
        end(agent, END_S)
        while message := listener.next(0.5):
            self._hear(message)
        for message in self._joined.rest():
            self._print(message)
        self._sum(time.monotonic() - began_s, listener.dropped_n)
        if code is not None:
            self._out.print("[bold red]the recorder ended by itself:[/bold red]")
            last = self._log.read_text(errors="replace").splitlines()[-TOLD_LINES_N:]
            self._out.print(Text("\n".join(last)))
            return code or EXIT_FAILED
        if not self._came:
            why = redact(self._why) or ": it sent nothing"
            self._out.print(Text.assemble(("No picture came from the camera", "bold red"), why))
            return EXIT_FAILED
        return 0

    def _start(self) -> subprocess.Popen[bytes]:
        config = Path(self._settings.store.runtime) / "taimat.toml"     # in memory, and gone with the demo
        config.touch(mode=0o600)
        config.write_text("\n".join(document(self._settings)))
        with self._log.open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "agent.cli.run", "--config", config], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True, preexec_fn=die_with_parent)

    def _show_page(self) -> None:
        """Shows an address once the page is up, and another one at each Enter: each is valid for a minute."""
        if self._shown and not (sys.stdin.isatty() and select.select([sys.stdin], [], [], 0)[0]):
            return
        if self._shown:
            sys.stdin.readline()
        web = self._settings.web
        with contextlib.suppress(OSError), socket.create_connection((web.listen, web.port), 1.0):
            self._shown = True
        if self._shown:
            again = "; press Enter for another link" if sys.stdin.isatty() else ""
            _fact(self._out, "page", f"{page_link(web, self._folders)}  (valid for a minute{again})")

    def _look_why(self) -> None:
        """Shows why no picture has come. The recorder's message would come later, and none if there is no broker."""
        said = "" if self._came else NO_PICTURE.findall(self._log.read_text(errors="replace"))[-1:]
        if said and said[0] != self._why:
            self._why = said[0]
            self._out.print(Text(f"no picture yet{redact(self._why)}", style="bold magenta"))

    def _hear(self, received: ReceivedMessage | None) -> None:
        for message in self._joined.next(received):
            self._print(message)

    def _print(self, message: ReceivedMessage) -> None:
        self._messages_n += 1
        self._came = self._came or messages.shows_picture(message)
        self._events_n += message.kind == "motion" and message.data.get("phase") == "start"
        if message.kind == "health":
            self._health = message.data
        self._out.print(messages.line(message, lambda clip: self._folders.clip(int(clip.rsplit("-", 1)[-1]), clip)))

    def _sum(self, took_s: float, dropped_n: int) -> None:
        count_n, count_b = 0, 0
        if (self._folders.root / FILE).exists():
            with contextlib.closing(connect(self._folders.root)) as db:
                count_n, count_b = clips.totals(db)
        health = f"; health: {messages.conditions(self._health)}" if self._health is not None else ""
        self._out.print(f"\n[bold]{took_s:.0f} s[/bold]: {count(self._events_n, 'event')}, "
                        f"{count(count_n, 'clip')} ({size(count_b)}), {count(self._messages_n, 'message')}{health}")
        if dropped_n:
            self._out.print(f"{count(dropped_n, 'message')} came too fast to be shown.")
        if count_n:
            self._out.print(Text(f"The clips stay in {self._folders.clips} until the next demo."))
