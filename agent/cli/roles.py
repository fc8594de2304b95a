"""`taimat run`, `capture`, `keeper`, `link`, `web`, and the hidden `rescue` and `setup`: each becomes another process.

Such a process runs for months and must not keep the command line's libraries in memory.
"""
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from agent.cli import values
from agent.cli.options import Config

OneCamera = Annotated[str | None, typer.Option(
    "--camera", metavar="NAME", autocompletion=values.cameras, show_default=False,
    help="One camera, by its name in the configuration.")]
Network = Annotated[bool, typer.Option("--network", help="All network cameras and files together.")]


def _become(module: str, config: Path | None, *more: str) -> NoReturn:
    from agent.cli.exits import TYPED
    from agent.cli.place import config_path
    os.environ[TYPED] = shlex.join(sys.argv[1:])
    os.execv(sys.executable, [sys.executable, "-m", module, "--config", str(config_path(config)), *more])


def _role(module: str) -> Callable[..., None]:
    def become(config: Config = None) -> None:
        _become(module, config)
    return become


run, keeper, link, web = map(_role, ("agent.cli.run", "agent.keeper", "agent.link", "agent.web"))
setup = _role("agent.privileged.setup.main")


def capture(camera: OneCamera = None, network: Network = False, config: Config = None) -> None:
    if network == (camera is not None):
        raise typer.BadParameter("say which cameras: --camera NAME, or --network for all that come over the network")
    _become("agent.capture", config, *(("--network",) if network else ("--camera", str(camera))))


def rescue(what: str, config: Config = None) -> None:
    _become("agent.privileged.rescue", config, what)
