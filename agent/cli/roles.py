"""`taimat run`, `capture`, `keeper`, `link`, `web`, and the hidden `rescue` and `setup`: each becomes the process that
it names.

Such a process lives for months and must not carry the command line's libraries in memory.
"""
import os
import shlex
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from agent.cli.options import Config

OneCamera = Annotated[str | None, typer.Option(
    "--camera", metavar="NAME", show_default=False, help="One camera, by its name in the configuration.")]
Network = Annotated[bool, typer.Option("--network", help="All network cameras and files together.")]


def _become(module: str, config: Path | None, *more: str) -> NoReturn:
    from agent.cli.exits import TYPED
    from agent.cli.place import config_path
    os.environ[TYPED] = shlex.join(sys.argv[1:])
    os.execv(sys.executable, [sys.executable, "-m", module, "--config", str(config_path(config)), *more])


def run(config: Config = None) -> None:
    _become("agent.cli.run", config)


def capture(camera: OneCamera = None, network: Network = False, config: Config = None) -> None:
    if network == (camera is not None):
        raise typer.BadParameter("say which cameras: --camera NAME, or --network for all that come over the network")
    _become("agent.capture", config, *(("--network",) if network else ("--camera", str(camera))))


def keeper(config: Config = None) -> None:
    _become("agent.keeper", config)


def link(config: Config = None) -> None:
    _become("agent.link", config)


def web(config: Config = None) -> None:
    _become("agent.web", config)


def rescue(what: str, config: Config = None) -> None:
    """What systemd starts as root for a capture process whose camera stays dead."""
    _become("agent.privileged.rescue", config, what)


def setup(config: Config = None) -> None:
    """What systemd starts as root when the configuration changes, or the household changes it on the page."""
    _become("agent.privileged.setup.main", config)
