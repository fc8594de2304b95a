"""How what was found is shown: a table and ready blocks for people, a JSON object a camera for programs."""
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass

from agent.cli.discover import blocks
from agent.cli.discover.found import PLACEHOLDER, CameraAccount, FoundCamera, FoundStream
from agent.cli.terminal import console, json_line, table

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
    """A camera with what the configuration knows or will know of it."""

    camera: FoundCamera
    name: str                   # in the configuration; "" where there is nothing to configure yet
    configured: bool            # it is there already
    account: CameraAccount | None     # that it was asked with

    @property
    def wanted(self) -> bool:
        """Whether there is something to add to the configuration."""
        return self.camera.ready and not self.configured


def as_json(shown: Iterable[ListedCamera], secret: bool) -> None:
    """One object a camera; passwords in it only if `secret`."""
    for each in shown:
        camera = each.camera
        told = {**asdict(camera), "name": each.name, "configured": each.configured,
                "block": blocks.block(each.name, camera, each.account, secret) if each.wanted else ""}
        for stream in filter(None, (told["main"], told["sub"])):
            stream["url"] = blocks.source(camera, stream["url"], each.account, secret)
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
    """The blocks to add, and where the password goes."""
    out = console()
    ready = [blocks.block(each.name, each.camera, each.account, secret) for each in shown if each.wanted]
    for block in ready:
        out.print("\n" + block, markup=False, end="", soft_wrap=True)
    if not secret and any(PLACEHOLDER in block for block in ready) and out.is_terminal:
        out.print(f"\n[dim]Put the password in place of {PLACEHOLDER}, or let --write FILE do it all.[/dim]")


def _row(each: ListedCamera) -> tuple[str, ...]:
    camera = each.camera
    what = (" ".join(filter(None, (camera.maker, camera.model))) or camera.name or "?") + camera.beside
    state = "ready" if camera.ready else "not ready"
    return (camera.address, what, _stream(camera.main), _stream(camera.sub),
            f"{state}, configured as {each.name}" if each.configured else state)


def _notes(shown: Sequence[ListedCamera]) -> Iterator[tuple[str, str]]:
    """Each piece of advice once, behind the addresses that it is for."""
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


def as_troubles(told: Iterable[str]) -> None:
    """What went wrong, beside the results, not among them."""
    for line in told:
        print(line, file=sys.stderr)
