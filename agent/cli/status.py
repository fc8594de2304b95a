"""`taimat status`: the whole recorder on one screen, by what its roles say of themselves. It opens no camera."""
import contextlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import typer
from rich.markup import escape

from agent import __version__
from agent.cli.options import Config, Json
from agent.cli.place import load_here
from agent.cli.processes import at_work, poke
from agent.cli.terminal import console, json_line, local, size
from agent.cli.typed import titles
from agent.config.derived import units
from agent.config.settings import Settings
from agent.core.contract.facts import CameraFacts, LinkFacts
from agent.core.health.conditions import RANK, Condition, Severity
from agent.core.health.report import Report
from agent.host.clock import SystemClock
from agent.host.users import as_before
from agent.look.device_words import condition_text
from agent.process.monitor import monitor_of
from agent.store import events
from agent.store.database import FILE, StoreError, connect

ANSWER_S, LOOK_EVERY_S = 0.6, 0.02
OLD_S = 40.0                # the page looks every 30 s
COLOUR: dict[Severity, str] = {"info": "dim", "warn": "yellow", "alarm": "bold red"}


class LastEvent(msgspec.Struct, frozen=True):
    """The newest event, as far as it is known."""

    id: int
    camera: str
    kind: str
    wall_ms: int


class RecorderStatus(msgspec.Struct, frozen=True):
    """What `--json` prints. `roles` has each unit that should run, and its process id or None."""

    version: str
    state: Severity | str               # "well", or the severity of the worst condition
    roles: dict[str, int | None]
    report: Report | None               # None: no role has answered
    last: LastEvent | None
    report_age_s: float | None          # a link that hangs has left its report some time ago


def status(json: Json = False, config: Config = None) -> None:
    settings = load_here(config)
    found = look(settings)
    if json:
        json_line(found)
    else:
        show(found, settings)
    raise typer.Exit(2 if None in found.roles.values() or found.report is None else RANK.get(found.state, 0))


def look(settings: Settings) -> RecorderStatus:
    """Collects what the store, the processes and the roles' own reports say."""
    store = Path(settings.store.folder)
    with as_before():                   # each lock is its role's own
        at = at_work(store)
    report, age_s = reported(settings)
    severities = [each.severity for each in report.conditions] if report else ["alarm"]
    worst = max(severities, key=RANK.__getitem__, default="well")
    roles = {unit: at.get(unit) for unit in units(settings)}
    return RecorderStatus(__version__, worst, roles, report, last_event(store), age_s)


def reported(settings: Settings) -> tuple[Report | None, float | None]:
    """The report by what the link knows, else the page, which leaves it with each look; and its age in seconds. None if
    neither is there."""
    runtime, clock = Path(settings.store.runtime), SystemClock()
    asked_mono_s, role = clock.mono_s(), "link" if "link" in units(settings) else "web"
    monitor = monitor_of(settings, Path(settings.store.folder), clock)
    poke(settings.store.runtime, "known", role)
    while (left_mono_s := monitor.take_over(runtime, role, clock.mono_s())) is None or left_mono_s < asked_mono_s:
        if clock.mono_s() - asked_mono_s > ANSWER_S or role == "web":
            break
        time.sleep(LOOK_EVERY_S)
    now_mono_s = clock.mono_s()
    return (None, None) if left_mono_s is None else (monitor.look(now_mono_s), now_mono_s - left_mono_s)


def last_event(store: Path) -> LastEvent | None:
    with contextlib.suppress(OSError, StoreError):
        if (store / FILE).exists():
            with contextlib.closing(connect(store)) as db:
                for event in events.latest(db, limit=1):
                    return LastEvent(event.id, event.camera, event.kind, event.wall_ms)
    return None


def show(found: RecorderStatus, settings: Settings) -> None:
    out, called = console(), titles(settings)
    for name, lines in (("version", [found.version]), ("roles", [_roles(found)]), ("cameras", _cameras(found, called)),
                        ("card", _card(found.report)), ("ward", _ward(found.report)), ("last", _last(found, called)),
                        ("state", _state(found, called))):
        for number, line in enumerate(lines):
            out.print(f"[dim]{'' if number else name:<10}[/dim]{line}")


def _roles(found: RecorderStatus) -> str:
    return " · ".join(escape(unit) if pid else f"[bold red]{escape(unit)} does not run[/]"
                      for unit, pid in found.roles.items())


def _cameras(found: RecorderStatus, called: dict[str, str]) -> Iterator[str]:
    for camera in found.report.cameras if found.report else ():
        yield f"{escape(called.get(camera.camera, camera.camera))}: {_of_camera(camera)}"


def _of_camera(camera: CameraFacts) -> str:
    if camera.state != "ok":
        detail = f", {escape(camera.detail)}" if camera.detail else ""
        return f"[{'dim' if camera.state in ('paused', 'ended') else 'yellow'}]{camera.state}{detail}[/]"
    picture = f"{camera.width}x{camera.height} " if camera.width else ""
    return (f"[green]ok[/green] {picture}{camera.fps or 0:.1f} pictures/s {(camera.kbps or 0) / 1000:.1f} Mbit/s"
            f"{', recording' if camera.recording else ''}")


def _card(report: Report | None) -> Iterator[str]:
    if report and report.host.disk_free_b is not None:
        yield f"{size(report.host.disk_free_b)} free of {size(report.host.disk_tot_b)}"


def _ward(report: Report | None) -> Iterator[str]:
    for unit in report.units if report else ():
        if (link := unit.own_facts(LinkFacts)) and link.broker not in (None, "off"):
            waiting = f", {link.outbox_n} messages wait" if link.outbox_n else ""
            yield f"{'connected' if link.broker == 'connected' else f'[yellow]{link.broker}[/yellow]'}{waiting}"


def _last(found: RecorderStatus, called: dict[str, str]) -> Iterator[str]:
    if last := found.last:
        yield f"{escape(last.kind)} at {escape(called.get(last.camera, last.camera))}, {local(last.wall_ms)}"


def _state(found: RecorderStatus, called: dict[str, str]) -> Sequence[str]:
    if found.report is None:
        return ["[bold red]no role answers[/]: taimat doctor says why"]
    said = [_of_condition(each, called) for each in found.report.conditions] or ["[green]all is well[/green]"]
    if (found.report_age_s or 0) > OLD_S:
        said.insert(0, f"[yellow]as it was {found.report_age_s:.0f} s ago[/yellow]: nobody has answered since")
    return said


def _of_condition(condition: Condition, called: dict[str, str]) -> str:
    said = condition_text(condition.code, "en", condition.unit)
    where = called.get(condition.camera or "", condition.camera or condition.unit or "")
    return (f"[{COLOUR[condition.severity]}]{said.title}[/]{f' ({escape(where)})' if where else ''}"
            f"{f': {escape(said.remedy)}' if said.remedy else ''}")
