"""Our own processes under measurement: the agent, or one role of it, on a configuration and a store of its own."""
import contextlib
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.benches.copied import Interpreter, ordinary
from scripts.benches.processes import running, tree
from tests.rigs.cameras.rtsp import RtspCamera, free_port
from tests.rigs.mqtt.broker import Broker

ORDINARY = ordinary(sys.executable)


@dataclass(frozen=True, slots=True)
class Device:
    """A place to work in, and the configuration in it."""

    place: Path
    store: Path
    config: Path
    port: int = 0               # of its page
    python: Interpreter = ORDINARY

    @property
    def clips(self) -> Path:
        """Where clips and open parts lie."""
        return self.store / "clips"

    @property
    def log(self) -> Path:
        """What the agent says."""
        return self.place / "cli.run.log"

    @contextlib.contextmanager
    def role(self, *words: str) -> Iterator[int]:
        """One role's process id while it runs: `role("capture", "--network")`."""
        command = [self.python.command, "-m", f"agent.{words[0]}", "--config", self.config, *words[1:]]
        with running(words[0], command, self.place, self.python.environment) as pid:
            yield pid

    @contextlib.contextmanager
    def agent(self) -> Iterator[int]:
        """All roles as `taimat run` starts them, under the supervisor whose process id this gives."""
        with self.role("cli.run") as pid:
            yield pid


def device(place: Path, cameras: str | Sequence[str], broker: Broker | None = None,
           store: Path | None = None, python: Interpreter = ORDINARY) -> Device:
    """A fresh device, all defaults, that `python` runs; `cameras` are the bodies of its [[camera]]s.

    `store` is a store outside `place`.
    """
    place.mkdir(parents=True, exist_ok=True)
    made = Device(place, store or place / "store", place / "taimat.toml", free_port(), python)
    lines = ["[store]", f'folder = "{made.store}"', f'runtime = "{place / "run"}"', "[web]", f"port = {made.port}"]
    if broker:
        lines += ["[ward]", "enabled = true", 'host = "127.0.0.1"', f"port = {broker.port}", "tls = false",
                  'delivery = "puback"']
    bodies = [cameras] if isinstance(cameras, str) else cameras
    for number, body in enumerate(bodies, 1):
        lines += ["[[camera]]", f'name = "gate-{number}"', body]
    made.config.write_text("\n".join([*lines, ""]))
    return made


def network(server: RtspCamera, record: str, sub: bool = True, **keys: float) -> str:
    """The body of a [[camera]] that records this server's main stream."""
    lines = [f'source = "{server.url}"', f'record = "{record}"', *([f'sub = "{server.sub_url}"'] if sub else []),
             *(f"{key} = {value}" for key, value in keys.items())]
    return "\n".join(lines)


def roles(supervisor: int) -> dict[str, int]:
    """Process ids by role, the supervisor's among them."""
    found = {"supervisor": supervisor}
    for pid in tree(supervisor)[1:]:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if match := re.search(r"\0-m\0agent\.(\w+)\0", Path(f"/proc/{pid}/cmdline").read_text()):
                found[match[1]] = pid
    return found
