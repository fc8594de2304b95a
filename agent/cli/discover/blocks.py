"""A ready [[camera]] for each camera, with a name that nobody has, and how it gets into the configuration."""
import os
import stat
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

from agent.cli.config import FOR_OWNER, toml
from agent.cli.discover.found import PLACEHOLDER, CameraAccount, FoundCamera, with_login, without_password
from agent.cli.doctor.rights import roles_group
from agent.config.load import load, parse
from agent.host.files import write_durably
from agent.store.database import StoreError

NAME_MAX_N = 24


def slug(text: str) -> str:
    """A text as a camera's name: "Cổng Trước" becomes "cong-truoc"; "" where nothing is left."""
    plain = unicodedata.normalize("NFKD", text.replace("đ", "d").replace("Đ", "D").lower())
    letters = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in plain
                      if not unicodedata.combining(letter))
    return "-".join(filter(None, letters.split("-")))[:NAME_MAX_N].rstrip("-")


def names(cameras: Iterable[FoundCamera], taken: Iterable[str]) -> Iterator[str]:
    """A name for each, by its model, what it calls itself, or its maker; numbered where it is not the first."""
    used = set(taken)
    for camera in cameras:
        base = slug(camera.model) or slug(camera.name) or slug(camera.maker) or "camera"
        name, number = base, 1
        while name in used:
            number += 1
            name = f"{base[:NAME_MAX_N - len(str(number)) - 1].rstrip('-')}-{number}"
        used.add(name)
        yield name


def source(camera: FoundCamera, url: str, account: CameraAccount | None, secret: bool) -> str:
    """A stream's address as a `source`; with a placeholder for the password unless `secret`."""
    shown = url if secret else without_password(url)
    if not (camera.locked and account):
        return shown
    return with_login(shown, account.user, account.password if secret else PLACEHOLDER)


def block(name: str, camera: FoundCamera, account: CameraAccount | None, secret: bool) -> str:
    """The lines of one [[camera]] that has a main stream."""
    assert camera.main is not None
    what = " ".join(filter(None, (camera.maker, camera.model))) or "camera"
    lines = [f"# {what} at {camera.address}{camera.beside}", "[[camera]]", f"name = {toml(name)}",
             f"source = {toml(source(camera, camera.main.url, account, secret))}"]
    if camera.sub:
        lines.append(f"sub = {toml(source(camera, camera.sub.url, account, secret))}")
    return "\n".join(lines) + "\n"


def append(path: Path, blocks: Iterable[str]) -> None:
    """Add cameras to a configuration that stays valid; nobody but its owner and the roles may read it from then on.

    Raises ConfigError, and StoreError where it can't be written.
    """
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
