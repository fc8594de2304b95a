"""The whole agent as real processes under its own supervisor, with a look into its store."""
import contextlib
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from agent.core.contract.facts import Beat
from agent.host.datagram import Inbox
from agent.store import clips, events, outbox
from agent.store.database import FILE, connect
from agent.store.folders import Folders
from tests.rigs.cameras import footage
from tests.rigs.store.joined import NOWHERE, join_in
from tests.rigs.wait import HANG_S, Stopwatch, free_port, until

ROOT = Path(__file__).parents[2]


class Agent:
    """`taimat run` on a configuration of its own. A context manager: gone after it, whatever happened."""

    def __init__(self, place: Path, config: str, environment: dict[str, str] | None = None,
                 joined: bool = False) -> None:
        """`config` is TOML without [store]; folders are made under `place`.

        `joined`: the household has been in the ward for long; if `config` names none, its broker is nowhere.
        """
        self.place, self.path = place, place / "taimat.toml"
        self.folders = Folders(place / "store")
        self.runtime = place / "run"
        if joined:
            join_in(self.folders.root)
            config += "" if "[ward]" in config else NOWHERE
        self.path.write_text(f'[store]\nfolder = "{self.folders.root}"\nruntime = "{self.runtime}"\n'
                             f'sync_every_s = 0.5\nfree_floor_pct = 1\n{config}')
        self.environment = {**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})}
        self.log_path = place / "log"
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Agent":
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            for pid in [*self.pids().values(), self.process.pid]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.wait()

    def start(self) -> "Agent":
        """Start the supervisor; its roles follow."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "agent.cli.run", "--config", str(self.path)], cwd=self.place,
            env=self.environment, stdout=self.log_path.open("ab"), stderr=subprocess.STDOUT)
        return self

    @contextlib.contextmanager
    def capture(self, *which: str) -> Iterator[subprocess.Popen[bytes]]:
        """A capture process alone, without the supervisor; `which` are its arguments. Gone after it."""
        self.runtime.mkdir(exist_ok=True)
        process = subprocess.Popen([sys.executable, "-m", "agent.capture", "--config", str(self.path), *which],
                                   cwd=ROOT, env=self.environment, stderr=self.log_path.open("ab"))
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def interrupt(self) -> tuple[int, float]:
        """Ctrl-C; returns the exit code and how many seconds it took."""
        assert self.process is not None
        with Stopwatch() as watch:
            self.process.send_signal(signal.SIGINT)
            code = self.process.wait(HANG_S)
        return code, watch.fair_s

    @property
    def log(self) -> str:
        """All that the processes have said so far."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def pids(self) -> dict[str, int]:
        """Process ids of the roles that run now, by role."""
        found = {}
        assert self.process is not None
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                match = re.search(r"-m\0agent\.(\w+)\0--config\0" + re.escape(str(self.path)), path.read_text())
                if match and int(path.parent.name) != self.process.pid:
                    found[match[1]] = int(path.parent.name)
        return found

    def beats(self, listener: str, seconds: float) -> list[Beat]:
        """Heartbeats sent to a role that this test plays (the role must not run itself)."""
        inbox, heard, deadline = Inbox(self.runtime, listener), [], time.monotonic() + seconds
        while time.monotonic() < deadline:
            if isinstance(message := inbox.receive(0.2), Beat):
                heard.append(message)
        inbox.close()
        return heard

    def db(self) -> sqlite3.Connection:
        """A connection to the store, as soon as there is one."""
        until((self.folders.root / FILE).exists, "the store is made")
        return connect(self.folders.root)

    def clips(self) -> list[clips.Clip]:
        """Finished clips, oldest first."""
        with contextlib.closing(self.db()) as db:
            return clips.finished(db, limit=1000)[::-1]

    def events(self) -> list[events.StoredEvent]:
        """Events, oldest first."""
        with contextlib.closing(self.db()) as db:
            return events.latest(db, limit=1000)[::-1]

    def messages(self, kind: str) -> list[dict[str, Any]]:
        """Data of the outbox's messages of that kind."""
        with contextlib.closing(self.db()) as db:
            return [msgspec.json.decode(row["data"]) for row in outbox.after(db, 0, 10_000) if row["kind"] == kind]


CAMERA = '''
[[camera]]
name = "gate"
source = "file:{path}"
loop = true
record = "continuous"
max_clip_s = 10
[camera.motion]
enabled = false
[web]
port = {port}
'''


def config(port: int = 0) -> str:
    return CAMERA.format(path=footage.clip(640, 360, 10, 10, 500), port=port or free_port())


def records(agent: Agent) -> bool:
    """Whether a second or two are in a clip that is open."""
    with contextlib.suppress(FileNotFoundError):
        return any(part.stat().st_size > 100_000 for part in agent.folders.clips.glob("*/*.part"))
    return False
