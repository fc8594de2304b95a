"""The account for the cameras, and the network cameras that the configuration has already."""
import contextlib
import getpass
import os
import socket
import sys
from pathlib import Path

import typer

from agent.cli.discover.found import CameraAccount, FoundCamera
from agent.cli.discover.onvif import target
from agent.config.settings import Settings
from agent.core.protocols.rtsp.address import parse

VARIABLE = "TAIMAT_CAMERA_PASSWORD"


def account(user: str | None, password_file: Path | None) -> CameraAccount | None:
    """The account to use; None without a user. Asks at a terminal. Raises BadParameter."""
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


class ConfiguredCameras:
    """Names and accounts of the configuration's network cameras, by address and path."""

    def __init__(self, settings: Settings) -> None:
        self.names = [camera.name for camera in settings.camera]        # all of them, also those of other kinds
        self._by_stream: dict[tuple[str, str], str] = {}
        self._by_address: dict[str, str] = {}
        self._accounts: dict[str, CameraAccount] = {}
        for camera in settings.camera:
            with contextlib.suppress(ValueError, OSError):              # no network camera; a name that nobody knows
                where = parse(camera.source)
                address = socket.gethostbyname(where.host)
                self._by_stream[address, target(where.uri)] = camera.name
                self._by_address.setdefault(address, camera.name)
                if where.user:
                    self._accounts[address] = CameraAccount(where.user, where.password)

    def name(self, camera: FoundCamera) -> str:
        """What it is called in the configuration, "" if it is not there."""
        path = target(camera.main.url) if camera.main else ""
        alone = self._by_address.get(camera.address, "") if not camera.channel else ""
        return self._by_stream.get((camera.address, path), alone)

    def account(self, address: str) -> CameraAccount | None:
        """The account that is configured for it."""
        return self._accounts.get(address)
