"""Where the cameras' password comes from: never the command line, which every user of this computer can read."""
import getpass
import os
import sys
from pathlib import Path

import typer

from agent.tools.discover.found import Account

VARIABLE = "TAIMAT_CAMERA_PASSWORD"


def account(user: str | None, password_file: Path | None) -> Account | None:
    """The account to use; None without a user. Asks at a terminal. Raises BadParameter."""
    if user is None:
        if password_file is not None:
            raise typer.BadParameter("--password-file needs --user NAME")
        return None
    return Account(user, _password(user, password_file))


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
