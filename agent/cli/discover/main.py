"""`taimat discover` from start to end: which machines may be cameras, what each one has, and what to configure."""
import getpass
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from agent.cameras.discovery import network as networks
from agent.cameras.discovery.found import CameraAccount
from agent.cameras.discovery.look import Asked, ConfiguredCameras, look_at
from agent.cli.discover import show
from agent.cli.discover.show import ListedCamera
from agent.cli.options import Config, Json
from agent.cli.place import config_path
from agent.cli.terminal import console, working
from agent.config.load import ConfigError, load
from agent.config.settings import Settings
from agent.core.harmless import one_line
from agent.host.apart import apart

EXIT_WORK_LEFT = 1          # no camera, or one that is not ready
VARIABLE = "TAIMAT_CAMERA_PASSWORD"
Found = tuple[list[Asked], list[str]]       # and what went wrong, in words


CameraUser = Annotated[str | None, typer.Option("--user", "-u", metavar="NAME", show_default=False,
    help="The user that the cameras know. The password is asked for, or taken from TAIMAT_CAMERA_PASSWORD.")]
PasswordFile = Annotated[Path | None, typer.Option(
    "--password-file", metavar="FILE", show_default=False, help="Take the password from the file's first line.")]
At = Annotated[list[str] | None, typer.Option("--at", metavar="ADDRESS[:PORT]", show_default=False,
    help="Look at this machine only; several times for several. Also finds cameras in other networks.")]
Networks = Annotated[list[str] | None, typer.Option("--network", metavar="CIDR", show_default=False,
    help="Knock at every address of this network, as in 192.168.1.0/24, instead of our own.")]
Tune = Annotated[bool, typer.Option("--tune", help="Change the cameras: each small stream to 5 pictures a second.")]
WriteTo = Annotated[Path | None, typer.Option(
    "--write", metavar="FILE", show_default=False, help="Add new cameras to this configuration, with the password.")]
ShowPassword = Annotated[bool, typer.Option("--show-password", help="Print the password instead of a placeholder.")]


def discover(user: CameraUser = None, password_file: PasswordFile = None, at: At = None, network: Networks = None,
             tune: Tune = False, write: WriteTo = None, show_password: ShowPassword = False, json: Json = False,
             config: Config = None) -> None:
    known = ConfiguredCameras(load(write) if write else _settings_if_any(config))
    try:
        asked = [networks.network(each) for each in network or ()]
        places = [networks.place(each) for each in at or ()]
    except networks.BadPlace as bad:
        raise typer.BadParameter(str(bad)) from None
    account = _account(user, password_file)

    def searched() -> Found:
        machines, troubles = networks.at(places) if places else networks.around(asked)
        return look_at(machines, known, account, tune), troubles

    with working("looking for cameras ...", quiet=json) as tick:
        found, troubles = apart(searched, Found, tick)
    shown = _named(found, known)
    if json:
        show.as_json(shown, show_password)
    else:
        show.as_table(shown)
    for line in [*troubles, *([] if shown else [show.NOT_A_CAMERA if places else show.NOBODY])]:
        print(one_line(line), file=sys.stderr)      # beside the results, not among them
    if write:
        _add(write, [each for each in shown if each.wanted])
    elif not json:
        show.as_blocks(shown, show_password)
    if not shown or not all(each.camera.ready for each in shown):
        raise typer.Exit(EXIT_WORK_LEFT)


def _account(user: str | None, password_file: Path | None) -> CameraAccount | None:
    """None without a user. Raises BadParameter."""
    if user is None:
        if password_file is not None:
            raise typer.BadParameter("--password-file needs --user NAME")
        return None
    return CameraAccount(user, _password(user, password_file))


def _password(user: str, file: Path | None) -> str:
    if file is not None:
        try:
            return file.read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")
        except (OSError, UnicodeDecodeError) as error:
            raise typer.BadParameter(f"{file}: {getattr(error, 'strerror', None) or 'is no text'}") from error
    if VARIABLE in os.environ:
        return os.environ[VARIABLE]
    if not sys.stdin.isatty():
        raise typer.BadParameter(f"no terminal to ask for the password: give --password-file FILE, or set {VARIABLE}")
    return getpass.getpass(f"Password of {user} on the cameras: ")


def _settings_if_any(config: Path | None) -> Settings:
    """The configuration, for the names that are taken; a search needs none unless one was named."""
    try:
        return load(config_path(config))
    except ConfigError:
        if config is not None:
            raise
        return Settings()


def _named(found: list[Asked], known: ConfiguredCameras) -> list[ListedCamera]:
    fresh = show.names((camera for camera, _ in found if camera.ready and not known.name(camera)), known.names)
    return [ListedCamera(camera, name or (next(fresh) if camera.ready else ""), bool(name), used)
            for camera, used in found for name in [known.name(camera)]]


def _add(config: Path, new: list[ListedCamera]) -> None:
    """Write the new cameras into the configuration. Raises ConfigError, StoreError."""
    out = console()
    if not new:
        out.print(f"nothing to add to {escape(str(config))}")
        return
    show.append(config, [each.block(True) for each in new])
    out.print(f"[green]added[/green] {', '.join(each.name for each in new)} to {escape(str(config))}; "
              "next: taimat doctor")
