"""What was found: a table and ready [[camera]] blocks for people, an object a camera for programs, or into a file."""
import os
import stat
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from agent.cameras.discovery.found import (
    PLACEHOLDER,
    CameraAccount,
    FoundCamera,
    FoundStream,
    with_login,
    without_password,
)
from agent.cli.config import FOR_OWNER, toml
from agent.cli.doctor.rights import roles_group
from agent.cli.terminal import console, json_line, table
from agent.config.load import load, parse
from agent.host.files import write_durably
from agent.store.database import StoreError

NAME_MAX_N = 24

CODECS = {"h264": "H.264", "h265": "H.265"}
COLUMNS = ("address", "camera", "main stream", "small stream", "state")
NOTES = ("address", "what it says, what to do")
NOT_A_CAMERA = ("nothing there speaks ONVIF or RTSP. Is it switched on, and is ONVIF or RTSP on in its app? "
                "A port of its own is written so: --at 192.168.1.20:8554")
NOBODY = ("no camera was found. Is it switched on, and in the same network (a guest Wi-Fi is another one)? "
          "Is ONVIF or RTSP on in its app? Does a firewall here drop answers from UDP port 3702? "
          "One camera by its address: taimat discover --at 192.168.1.20")


@dataclass(frozen=True, slots=True)
class ListedCamera:
    camera: FoundCamera
    name: str                   # in the configuration; "" where there is nothing to configure yet
    configured: bool            # it is there already
    account: CameraAccount | None     # that it was asked with

    @property
    def wanted(self) -> bool:
        return self.camera.ready and not self.configured

    def source(self, url: str, secret: bool) -> str:
        """A stream's address as a `source`; with a placeholder for the password unless `secret`."""
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


def _slug(text: str) -> str:
    """A text as a camera's name: "Cổng Trước" becomes "cong-truoc"; "" where nothing is left."""
    plain = unicodedata.normalize("NFKD", text.replace("đ", "d").replace("Đ", "D").lower())
    letters = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in plain
                      if not unicodedata.combining(letter))
    return "-".join(filter(None, letters.split("-")))[:NAME_MAX_N].rstrip("-")


def names(cameras: Iterable[FoundCamera], taken: Iterable[str]) -> Iterator[str]:
    """A name for each, by its model, what it calls itself, or its maker; numbered where it is not the first."""
    used = set(taken)
    for camera in cameras:
        base = _slug(camera.model) or _slug(camera.name) or _slug(camera.maker) or "camera"
        name, number = base, 1
        while name in used:
            number += 1
            name = f"{base[:NAME_MAX_N - len(str(number)) - 1].rstrip('-')}-{number}"
        used.add(name)
        yield name


def as_json(shown: Iterable[ListedCamera], secret: bool) -> None:
    """One object a camera; passwords in it only if `secret`."""
    for each in shown:
        camera = each.camera
        told = {**asdict(camera), "name": each.name, "configured": each.configured,
                "block": each.block(secret) if each.wanted else ""}
        for stream in filter(None, (told["main"], told["sub"])):
            stream["url"] = each.source(stream["url"], secret)
        json_line(told)


def as_table(shown: Sequence[ListedCamera]) -> None:
    """One row a camera; what to do stands in a second table on a terminal, in a last column in a pipe."""
    if not console().is_terminal:
        table(COLUMNS, [(*_row(each), "; ".join(each.camera.advice)) for each in shown])
    elif shown:
        table(COLUMNS, map(_row, shown), fold=("camera", "state"))
        if notes := list(_notes(shown)):
            print()
            table(NOTES, notes, fold=NOTES)


def as_blocks(shown: Sequence[ListedCamera], secret: bool) -> None:
    out = console()
    ready = [each.block(secret) for each in shown if each.wanted]
    for block in ready:
        out.print("\n" + block, markup=False, end="")
    if not secret and any(PLACEHOLDER in block for block in ready) and out.is_terminal:
        out.print(f"\n[dim]Put the password in place of {PLACEHOLDER}, or let --write FILE do it all.[/dim]")


def _row(each: ListedCamera) -> tuple[str, ...]:
    camera = each.camera
    what = (camera.kind or camera.name or "?") + camera.beside
    state = "ready" if camera.ready else "not ready"
    return (camera.address, what, _stream(camera.main), _stream(camera.sub),
            f"{state}, configured as {each.name}" if each.configured else state)


def _notes(shown: Sequence[ListedCamera]) -> Iterator[tuple[str, str]]:
    concerned: dict[str, list[str]] = {}
    for each in shown:
        for line in each.camera.advice:
            concerned.setdefault(line, []).append(each.camera.address)
    for line, addresses in concerned.items():
        yield ", ".join(dict.fromkeys(addresses)), line


def _stream(stream: FoundStream | None) -> str:
    """ "2560x1440 H.264 20 fps", as much of it as is known."""
    if stream is None:
        return "-"
    size = f"{stream.width}x{stream.height}" if stream.width else ""
    rate = f"{stream.fps:g} fps" if stream.fps else ""
    return " ".join(filter(None, (size, CODECS.get(stream.codec, stream.codec), rate)))


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
