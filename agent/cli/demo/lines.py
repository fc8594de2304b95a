"""Each message as one line for a person."""
import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Column, DownloadColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress
from rich.text import Text

from agent.cli.demo.listen import ReceivedMessage
from agent.cli.terminal import length, size
from agent.look.device_words import condition_texts

Progress = Callable[[float], None]      # told how much is done, in the total's unit


@contextlib.contextmanager
def bar(text: str, total: float | None, in_bytes: bool = False) -> Iterator[Progress]:
    """Show `text` and how far it is while the block runs; a `total` of None means that nobody knows."""
    out = Console(stderr=True)
    if not out.is_terminal:
        out.print(f"{text} ...", soft_wrap=True, highlight=False, markup=False)
        yield lambda _done: None
        return
    amount = DownloadColumn() if in_bytes else TaskProgressColumn()
    with RichProgress(TextColumn("{task.description}", markup=False, table_column=Column(ratio=2)), BarColumn(), amount,
                      TimeRemainingColumn(), console=out, transient=True) as progress:
        task = progress.add_task(text, total=total)
        yield lambda done: progress.update(task, completed=done)


WORDS = {"person": "a person", "vehicle": "a vehicle", "animal": "an animal", "other": "a thing"}
COLOURS = {"motion": "bold yellow", "label": "bold yellow", "clip": "bold green", "health": "bold blue",
           "status": "bold cyan", "camera": "bold magenta"}
SEEN = ("ok", "paused", "ended")        # states of a camera that nobody has to wait for
FileOf = Callable[[str], Path]


def line(told: ReceivedMessage, file_of: FileOf) -> Text:
    """The line of one message; `file_of` finds a clip's file by its name."""
    text = Text(time.strftime("%H:%M:%S", time.localtime(told.wall_s)) if told.wall_s else "--:--:--", style="dim")
    text.append(f"  {told.kind:<8}", style=COLOURS.get(told.kind, "bold"))
    tell = TELLERS.get(told.kind, _other)
    return text.append(tell(told, file_of), style="not dim")


def _motion(told: ReceivedMessage, _file_of: FileOf) -> str:
    data = told.data
    where = f"{told.camera}: event {data.get('event')}"
    if data.get("phase") == "start":
        begins = f"goes on from {data['continues']}" if data.get("continues") else "begins"
        return f"{where} {begins}" + (f", score {data['score']:.3f}" if data.get("score") is not None else "")
    tracks_n = data.get("tracks_n")
    things = f", {tracks_n} thing{'s' if tracks_n != 1 else ''} moved" if tracks_n is not None else ""
    return f"{where} ends after {length(data.get('dur_ms'))}{things}"


def _label(told: ReceivedMessage, _file_of: FileOf) -> str:
    data = told.data
    known = data["label"] != "nothing"
    return f"{told.camera}: event {data['event']} was " + (
        f"{WORDS[data['label']]}, score {data['score']:.2f}" if known else "nothing that it knows")


def _clip(told: ReceivedMessage, file_of: FileOf) -> str:
    data = told.data
    return f"{told.camera}: {length(data.get('dur_ms'))}, {size(data.get('bytes'))}  {file_of(str(data['id']))}"


def _health(told: ReceivedMessage, _file_of: FileOf) -> str:
    data = told.data
    parts = [conditions(data)]
    if data.get("soc_temp_c") is not None:
        parts.append(f"{data['soc_temp_c']:.0f} °C")
    if data.get("disk_free_b") is not None:
        parts.append(f"{size(data['disk_free_b'])} free")
    parts += [_camera_health(each) for each in data.get("cams", [])]
    return " · ".join(parts)


def conditions(health: dict[str, Any]) -> str:
    codes = [condition["code"] for condition in health.get("cond", [])]
    cameras = health.get("cams", [])
    dark = [str(camera.get("c")) for camera in cameras if camera.get("st") not in SEEN]
    good = f"no picture yet of {', '.join(dark)}" if dark else "all well" if cameras else "no picture yet"
    return ", ".join(map(_condition, codes)) or good


def _condition(code: str) -> str:
    texts = condition_texts("en")
    return texts[code].title if code in texts else code


def title(told: ReceivedMessage) -> str:
    return _condition(str(told.data.get("code") or ""))


def shows_picture(told: ReceivedMessage) -> bool:
    return told.kind in ("motion", "clip") or any(camera.get("st") == "ok" for camera in told.data.get("cams", []))


def _camera_health(camera: dict[str, Any]) -> str:
    rate = f" {camera['fps']:.1f} pictures/s" if camera.get("fps") is not None else ""
    amount = f" {camera['kbps'] / 1000:.1f} Mbit/s" if camera.get("kbps") is not None else ""
    return f"{camera.get('c')} {camera.get('st')}{rate}{amount}"


def _camera(told: ReceivedMessage, _file_of: FileOf) -> str:
    over = " (over)" if told.data.get("phase") == "end" else ""
    return f"{told.camera}: {title(told)}{over}" + (f": {told.data['detail']}" if told.data.get("detail") else "")


def _status(told: ReceivedMessage, _file_of: FileOf) -> str:
    if told.data.get("online"):
        return "the recorder is online at the broker"
    return f"the recorder is offline ({told.data.get('why') or 'it does not say why'})"


def _other(told: ReceivedMessage, _file_of: FileOf) -> str:
    words = (told.camera, told.data.get("code"), told.data.get("phase"), told.data.get("detail"))
    return " ".join(str(word) for word in words if word)


TELLERS = {"motion": _motion, "label": _label, "clip": _clip, "health": _health, "status": _status, "camera": _camera}
