"""The whole of a search: who may be a camera, what each one has, and what to write down."""
import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from rich.markup import escape

from agent.cli.discover import blocks, leads, networks, show
from agent.cli.discover import known as secret
from agent.cli.discover.found import Account, Camera
from agent.cli.discover.known import Known
from agent.cli.discover.look import Lead, look
from agent.cli.discover.show import Shown
from agent.cli.place import config_path
from agent.cli.terminal import console
from agent.config.load import ConfigError, load
from agent.config.settings import Settings
from agent.host.stop import Stop

AT_ONCE_N = 8
EXIT_OK, EXIT_WORK_LEFT = 0, 1


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was asked for on the command line."""

    user: str | None = None
    password_file: Path | None = None
    at: list[str] = field(default_factory=list)
    network: list[str] = field(default_factory=list)
    tune: bool = False
    write: Path | None = None
    show_password: bool = False
    json: bool = False
    config: Path | None = None


def discover(wishes: Wishes) -> int:
    """Search, show and, if asked, tune and write; returns the exit code: 0 only where every camera is ready.

    Raises typer.BadParameter for wishes that can't be, ConfigError, StoreError.
    """
    known = Known(load(wishes.write) if wishes.write else _settings_if_any(wishes.config))
    asked = [networks.network(each) for each in wishes.network]
    places = [leads.place(each) for each in wishes.at]
    account = secret.account(wishes.user, wishes.password_file)
    with _telling(wishes, "looking for cameras"):
        machines, troubles = leads.at(places) if places else leads.around(asked)
    with _telling(wishes, f"asking {len(machines)} machines what they have"):
        shown = _named(_look(machines, known, account, wishes.tune), known)
    if wishes.json:
        show.as_json(shown, wishes.show_password)
    else:
        show.as_table(shown)
    show.as_troubles([*troubles, *([] if shown else [show.NOT_A_CAMERA if places else show.NOBODY])])
    if wishes.write:
        _add(wishes.write, [each for each in shown if each.wanted])
    elif not wishes.json:
        show.as_blocks(shown, wishes.show_password)
    return EXIT_OK if shown and all(each.camera.ready for each in shown) else EXIT_WORK_LEFT


def _settings_if_any(config: Path | None) -> Settings:
    """The configuration, for the names that are taken; a search needs none unless one was named."""
    try:
        return load(config_path(config))
    except ConfigError:
        if config is not None:
            raise
        return Settings()


@contextlib.contextmanager
def _telling(wishes: Wishes, what: str) -> Iterator[None]:
    """What is being done, on a terminal."""
    out = console()
    with out.status(f" {what} ...") if out.is_terminal and not wishes.json else contextlib.nullcontext():
        yield


def _look(machines: list[Lead], known: Known, account: Account | None,
          tuning: bool) -> list[tuple[Camera, Account | None]]:
    """The cameras there, a few machines at a time; each with the account that it was asked with.

    The configuration's own account goes first: it is the one that worked.
    """
    accounts = [known.account(machine.address) or account for machine in machines]
    stop = Stop()
    with ThreadPoolExecutor(AT_ONCE_N) as pool:
        try:
            found = list(pool.map(lambda machine, used: look(machine, used, tuning, stop), machines, accounts))
        except BaseException:       # Ctrl-C: the threads would go on asking
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    return [(camera, used) for cameras, used in zip(found, accounts, strict=True) for camera in cameras]


def _named(found: list[tuple[Camera, Account | None]], known: Known) -> list[Shown]:
    """Each with the name that it has in the configuration, or a new one as soon as it is ready."""
    fresh = blocks.names((camera for camera, _ in found if camera.ready and not known.name(camera)), known.names)
    return [Shown(camera, known.name(camera) or (next(fresh) if camera.ready else ""), bool(known.name(camera)), used)
            for camera, used in found]


def _add(config: Path, new: list[Shown]) -> None:
    """Write the new cameras into the configuration. Raises ConfigError, StoreError."""
    out = console()
    if not new:
        out.print(f"nothing to add to {escape(str(config))}", soft_wrap=True)
        return
    blocks.append(config, [blocks.block(each.name, each.camera, each.account, True) for each in new])
    out.print(f"[green]added[/green] {', '.join(each.name for each in new)} to {escape(str(config))}; "
              "next: taimat doctor", soft_wrap=True)
