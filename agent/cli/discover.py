"""`taimat discover`: find the cameras in the network, and show what to configure for each."""
import getpass
import os
import stat
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from agent.cameras.discovery import network as networks
from agent.cameras.discovery.found import (
    PLACEHOLDER,
    CameraAccount,
    FoundCamera,
    FoundStream,
    with_login,
    without_password,
)
from agent.cameras.discovery.look import Asked, ConfiguredCameras, look_at
from agent.cli.config import FOR_OWNER, roles_group, toml
from agent.cli.options import Config, Json
from agent.cli.place import config_path
from agent.cli.terminal import console, json_line, table, working
from agent.config.load import ConfigError, load, parse
from agent.config.settings import Settings
from agent.core.harmless import one_line
from agent.core.household.camera_names import camera_name
from agent.host.apart import apart
from agent.host.files import write_durably
from agent.store.database import StoreError

EXIT_WORK_LEFT = 1          # no camera, or one that is not ready
VARIABLE = "TAIMAT_CAMERA_PASSWORD"
Found = tuple[list[Asked], list[str]]       # and what went wrong, in words

CODECS = {"h264": "H.264", "h265": "H.265"}
COLUMNS = ("address", "camera", "main stream", "small stream", "state")
NOTES = ("address", "what it says, what to do")
NOT_A_CAMERA = ("nothing there speaks ONVIF or RTSP. Is it switched on, and is ONVIF or RTSP on in its app? "
                "To give another port: --at 192.168.1.20:8554")
NOBODY = ("no camera was found. Is it switched on, and in the same network (a guest Wi-Fi is another one)? "
          "Is ONVIF or RTSP on in its app? Does a firewall here drop answers from UDP port 3702? "
          "One camera by its address: taimat discover --at 192.168.1.20")

CameraUser = Annotated[str | None, typer.Option("--user", "-u", metavar="NAME", show_default=False,
    help="The cameras' user. The password is asked for, or read from TAIMAT_CAMERA_PASSWORD.")]
PasswordFile = Annotated[Path | None, typer.Option(
    "--password-file", metavar="FILE", show_default=False, help="Read the password from the file's first line.")]
At = Annotated[list[str] | None, typer.Option("--at", metavar="ADDRESS[:PORT]", show_default=False,
    help="Search only this machine, also in another network. May be repeated.")]
Networks = Annotated[list[str] | None, typer.Option("--network", metavar="CIDR", show_default=False,
    help="Search every address of this network, such as 192.168.1.0/24, instead of our own.")]
Tune = Annotated[bool, typer.Option("--tune", help="Set each camera's small stream to 5 pictures a second.")]
WriteTo = Annotated[Path | None, typer.Option(
    "--write", metavar="FILE", show_default=False, help="Add new cameras to this configuration, with the password.")]
ShowPassword = Annotated[bool, typer.Option("--show-password", help="Print the password instead of a placeholder.")]


@dataclass(frozen=True, slots=True)
class ListedCamera:
    camera: FoundCamera
    name: str                   # in the configuration; "" if there is nothing to configure yet
    configured: bool            # already
    account: CameraAccount | None     # with which it answered

    @property
    def wanted(self) -> bool:
        return self.camera.ready and not self.configured

    def source(self, url: str, secret: bool) -> str:
        """Returns a stream's address as a `source`, with a placeholder for the password unless `secret`."""
        shown = url if secret else without_password(url)
        if not (self.camera.locked and self.account):
            return shown
        return with_login(shown, self.account.user, self.account.password if secret else PLACEHOLDER)

    def block(self, secret: bool) -> str:
        camera = self.camera
        assert camera.main is not None
        lines = [f"# {camera.kind or 'camera'} at {camera.address}{camera.beside}", "[[camera]]",
                 f"name = {toml(self.name)}", f"source = {toml(self.source(camera.main.url, secret))}"]
        if camera.sub:
            lines.append(f"sub = {toml(self.source(camera.sub.url, secret))}")
        return "\n".join(lines) + "\n"


def discover(user: CameraUser = None, password_file: PasswordFile = None, at: At = None, network: Networks = None,
             tune: Tune = False, write: WriteTo = None, show_password: ShowPassword = False, json: Json = False,
             config: Config = None) -> None:
    known = ConfiguredCameras(load(write) if write else _settings_if_any(config))
    try:
        asked = [networks.network(text) for text in network or ()]
        places = [networks.place(text) for text in at or ()]
    except networks.BadPlace as bad:
        raise typer.BadParameter(str(bad)) from None
    if user is None and password_file is not None:
        raise typer.BadParameter("--password-file needs --user NAME")
    account = None if user is None else CameraAccount(user, _password(user, password_file))

    def searched() -> Found:
        machines, troubles = networks.at(places) if places else networks.around(asked)
        return look_at(machines, known, account, tune), troubles

    with working("looking for cameras ...", quiet=json) as tick:
        found, troubles = apart(searched, Found, tick)
    fresh = _names((camera for camera, _ in found if camera.ready and not known.name(camera)), known.names)
    shown = [ListedCamera(camera, name or (next(fresh) if camera.ready else ""), bool(name), used)
             for camera, used in found for name in [known.name(camera)]]
    if json:
        _print_json(shown, show_password)
    else:
        _print_table(shown)
    for line in [*troubles, *([] if shown else [NOT_A_CAMERA if places else NOBODY])]:
        print(one_line(line), file=sys.stderr)      # beside the results, not among them
    new = [listed for listed in shown if listed.wanted]
    if write and new:
        _append(write, [listed.block(True) for listed in new])
        console().print(f"[green]added[/green] {', '.join(listed.name for listed in new)} to {escape(str(write))}; "
                        "next: taimat doctor")
    elif write:
        console().print(f"nothing to add to {escape(str(write))}")
    elif not json:
        _print_blocks(shown, show_password)
    if not shown or not all(listed.camera.ready for listed in shown):
        raise typer.Exit(EXIT_WORK_LEFT)


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
    """Returns the settings, whose camera names are taken. A search needs a configuration only if one was named."""
    try:
        return load(config_path(config))
    except ConfigError:
        if config is not None:
            raise
        return Settings()


def _names(cameras: Iterable[FoundCamera], taken: Iterable[str]) -> Iterator[str]:
    """Yields a name for each camera from its model, its own name or its maker, numbered if that is taken."""
    used = list(taken)
    for camera in cameras:
        used.append(camera_name(camera.model or camera.name or camera.maker, used))
        yield used[-1]


def _print_json(shown: Iterable[ListedCamera], secret: bool) -> None:
    for listed in shown:
        camera = listed.camera
        found = {**asdict(camera), "name": listed.name, "configured": listed.configured,
                "block": listed.block(secret) if listed.wanted else ""}
        for stream in filter(None, (found["main"], found["sub"])):
            stream["url"] = listed.source(stream["url"], secret)
        json_line(found)


def _print_table(shown: Sequence[ListedCamera]) -> None:
    """One row per camera. Advice has a second table on a terminal, and a last column in a pipe."""
    if not console().is_terminal:
        table(COLUMNS, [(*_row(listed), "; ".join(listed.camera.advice)) for listed in shown])
    elif shown:
        table(COLUMNS, map(_row, shown), fold=("camera", "state"))
        if notes := list(_notes(shown)):
            print()
            table(NOTES, notes, fold=NOTES)


def _print_blocks(shown: Sequence[ListedCamera], secret: bool) -> None:
    out = console()
    ready = [listed.block(secret) for listed in shown if listed.wanted]
    for block in ready:
        out.print("\n" + block, markup=False, end="")
    if not secret and any(PLACEHOLDER in block for block in ready) and out.is_terminal:
        out.print(f"\n[dim]Put the password in place of {PLACEHOLDER}, or let --write FILE do it all.[/dim]")


def _row(listed: ListedCamera) -> tuple[str, ...]:
    camera = listed.camera
    what = (camera.kind or camera.name or "?") + camera.beside
    state = "ready" if camera.ready else "not ready"
    return (camera.address, what, _stream(camera.main), _stream(camera.sub),
            f"{state}, configured as {listed.name}" if listed.configured else state)


def _notes(shown: Sequence[ListedCamera]) -> Iterator[tuple[str, str]]:
    for line in dict.fromkeys(line for listed in shown for line in listed.camera.advice):
        addresses = [listed.camera.address for listed in shown if line in listed.camera.advice]
        yield ", ".join(dict.fromkeys(addresses)), line


def _stream(stream: FoundStream | None) -> str:
    """The known part of "2560x1440 H.264 20 fps"."""
    if stream is None:
        return "-"
    size = f"{stream.width}x{stream.height}" if stream.width else ""
    rate = f"{stream.fps:g} fps" if stream.fps else ""
    return " ".join(filter(None, (size, CODECS.get(stream.codec, stream.codec), rate)))


def _append(path: Path, blocks: Iterable[str]) -> None:
    """Adds cameras to a valid configuration. From now on, only its owner and the roles may read it."""
    load(path)
    target = path.resolve()
    text = "\n".join([target.read_text(encoding="utf-8"), *blocks])
    parse(text, str(path))
    try:
        before = target.stat()
        for_roles = before.st_mode & stat.S_IRGRP if before.st_gid == roles_group() else 0
        write_durably(target, text.encode(), FOR_OWNER | for_roles)
        os.chown(target, before.st_uid, before.st_gid)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}; nothing was written") from error
