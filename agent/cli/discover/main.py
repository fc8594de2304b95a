"""`taimat discover` from start to end: which machines may be cameras, what each one has, and what to configure."""
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from agent.cli.discover import blocks, leads, networks, show
from agent.cli.discover.found import CameraAccount, FoundCamera
from agent.cli.discover.known import ConfiguredCameras
from agent.cli.discover.known import account as account_of
from agent.cli.discover.look_at import look_at
from agent.cli.discover.show import ListedCamera
from agent.cli.options import Config, Json
from agent.cli.place import config_path
from agent.cli.terminal import console
from agent.config.load import ConfigError, load
from agent.config.settings import Settings

EXIT_WORK_LEFT = 1          # no camera, or one that is not ready


CameraUser = Annotated[str | None, typer.Option(
    "--user", "-u", metavar="NAME", show_default=False,
    help="The user that the cameras know. The password is asked for, or taken from TAIMAT_CAMERA_PASSWORD.")]
PasswordFile = Annotated[Path | None, typer.Option(
    "--password-file", metavar="FILE", show_default=False, help="Take the password from the file's first line.")]
At = Annotated[list[str] | None, typer.Option(
    "--at", metavar="ADDRESS[:PORT]", show_default=False,
    help="Look at this machine only; several times for several. Also finds cameras in other networks.")]
Networks = Annotated[list[str] | None, typer.Option(
    "--network", metavar="CIDR", show_default=False,
    help="Knock at every address of this network, as in 192.168.1.0/24, instead of our own.")]
Tune = Annotated[bool, typer.Option("--tune", help="Change the cameras: each small stream to 5 pictures a second.")]
WriteTo = Annotated[Path | None, typer.Option(
    "--write", metavar="FILE", show_default=False, help="Add new cameras to this configuration, with the password.")]
ShowPassword = Annotated[bool, typer.Option("--show-password", help="Print the password instead of a placeholder.")]


def discover(user: CameraUser = None, password_file: PasswordFile = None, at: At = None, network: Networks = None,
             tune: Tune = False, write: WriteTo = None, show_password: ShowPassword = False, json: Json = False,
             config: Config = None) -> None:
    """Find the cameras in the network, by ONVIF and by the paths of common makers, and show what to configure."""
    known = ConfiguredCameras(load(write) if write else _settings_if_any(config))
    asked = [networks.network(each) for each in network or ()]
    places = [leads.place(each) for each in at or ()]
    account = account_of(user, password_file)
    with _telling("looking for cameras", quiet=json):
        machines, troubles = leads.at(places) if places else leads.around(asked)
    with _telling(f"asking {len(machines)} machines what they have", quiet=json):
        shown = _named(look_at(machines, known, account, tune), known)
    if json:
        show.as_json(shown, show_password)
    else:
        show.as_table(shown)
    show.as_troubles([*troubles, *([] if shown else [show.NOT_A_CAMERA if places else show.NOBODY])])
    if write:
        _add(write, [each for each in shown if each.wanted])
    elif not json:
        show.as_blocks(shown, show_password)
    if not shown or not all(each.camera.ready for each in shown):
        raise typer.Exit(EXIT_WORK_LEFT)


def _settings_if_any(config: Path | None) -> Settings:
    """The configuration, for the names that are taken; a search needs none unless one was named."""
    try:
        return load(config_path(config))
    except ConfigError:
        if config is not None:
            raise
        return Settings()


@contextlib.contextmanager
def _telling(what: str, quiet: bool) -> Iterator[None]:
    """Show on a terminal what is being done."""
    out = console()
    with out.status(f" {what} ...") if out.is_terminal and not quiet else contextlib.nullcontext():
        yield


def _named(found: list[tuple[FoundCamera, CameraAccount | None]], known: ConfiguredCameras) -> list[ListedCamera]:
    """Each with the name that it has in the configuration, or a new one as soon as it is ready."""
    fresh = blocks.names((camera for camera, _ in found if camera.ready and not known.name(camera)), known.names)
    return [ListedCamera(camera, name or (next(fresh) if camera.ready else ""), bool(name), used)
            for camera, used in found for name in [known.name(camera)]]


def _add(config: Path, new: list[ListedCamera]) -> None:
    """Write the new cameras into the configuration. Raises ConfigError, StoreError."""
    out = console()
    if not new:
        out.print(f"nothing to add to {escape(str(config))}", soft_wrap=True)
        return
    blocks.append(config, [blocks.block(each.name, each.camera, each.account, True) for each in new])
    out.print(f"[green]added[/green] {', '.join(each.name for each in new)} to {escape(str(config))}; "
              "next: taimat doctor", soft_wrap=True)
