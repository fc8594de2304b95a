"""Runs all checks of one device, prints their verdicts, and chooses the exit code."""
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from agent.cli.doctor import Check, CheckVerdict, bad, broker, camera, card, machine, metrics, roles
from agent.cli.options import Config, Json
from agent.cli.place import config_path
from agent.cli.terminal import console, json_line, working
from agent.config.derived import units
from agent.config.load import load
from agent.config.settings import Camera, Settings
from agent.config.unit_wishes import full_name
from agent.core.harmless import one_line
from agent.core.passwords import redact
from agent.host.apart import CallFailed, apart
from agent.host.updates import key_file

EXIT_OF = {"ok": 0, "skipped": 0, "warn": 1, "bad": 2}
COLOUR = {"ok": "green", "skipped": "dim", "warn": "yellow", "bad": "bold red"}
NAME_WIDTH = 16


def doctor(json: Json = False, config: Config = None) -> None:
    path = config_path(config)
    settings = load(path)
    states = []
    for check in checks(settings, path):
        called = f"camera {check.title}" if check.title else check.name
        with working(f"{called} ...", quiet=json) as tick:
            verdict = ask(check, tick)
        verdict = CheckVerdict(verdict.state, redact(verdict.text), redact(verdict.remedy))
        states.append(verdict.state)
        if json:
            title = {"title": check.title} if check.title else {}
            json_line({"check": check.name, **title, **msgspec.structs.asdict(verdict)})
        else:
            _print(called, verdict)
    if console().is_terminal and not json:
        counts = [f"[{COLOUR[state]}]{states.count(state)} {state}[/]" for state in EXIT_OF if state in states]
        console().print("\n" + ", ".join(counts))
    raise typer.Exit(max(EXIT_OF[state] for state in states))


def ask(check: Check, tick: Callable[[], None]) -> CheckVerdict:
    """Runs the check in a process of its own, because a driver or a dying card may hang. Calls `tick` meanwhile.

    Most checks read nothing that a camera has sent, and keep root's rights; a camera's check drops them itself.
    """
    try:
        return apart(check.ask, CheckVerdict, tick, check.deadline_s, step_down=lambda: None)
    except TimeoutError:
        return bad(f"no answer within {check.deadline_s:g} s",
                   "unplug and reconnect the part, restart the device, and run this again")
    except CallFailed as failed:
        return bad(f"the check itself failed: {failed}", "send this line to the maintainer of Taimat")


def checks(settings: Settings, config: Path) -> list[Check]:
    store, runtime = Path(settings.store.folder), Path(settings.store.runtime)
    cameras = [it for it in settings.camera if it.enabled]

    def of_camera(it: Camera) -> Check:
        unit = full_name(next(iter(units(Settings(camera=[it])))))
        return Check(f"camera {it.name}", partial(camera.examine, it, store, unit), camera.DEADLINE_S, it.title)

    found = [
        Check("roles", partial(roles.examine, settings, config), roles.DEADLINE_S),
        Check("board", partial(machine.board, store)),
        Check("clock", machine.clock),
        Check("memory limits", machine.memory_limits),
        Check("watchdog", machine.watchdog),
        Check("encoder", partial(machine.encoder, cameras)),
        Check("labels", machine.labels),
        Check("other Taimat", partial(machine.others, store, config)),
        Check("permissions", partial(machine.rights, settings, config)),
        Check("runtime folder", partial(card.runtime, runtime)),
        Check("card", partial(card.examine, settings.store), 40.0),
        *(map(of_camera, cameras) if cameras else [Check("camera", camera.none)])]
    if broker.is_enrolling(config, runtime):
        found.append(Check("enrolment", partial(broker.examine_enrolment, config, runtime)))
    found.append(Check("broker", partial(broker.examine, settings.ward, store), broker.DEADLINE_S))
    if settings.home.enabled:
        found.append(Check("Home Assistant", partial(broker.examine_home, settings.home, store), broker.DEADLINE_S))
    if settings.metrics.port:
        found.append(Check("metrics", partial(metrics.examine, settings.metrics.port, config)))
    if settings.update.release_key or key_file("").exists():
        found.append(Check("updates", partial(machine.updates, settings.update)))
    return found


def _print(called: str, verdict: CheckVerdict) -> None:
    """Prints one verdict with its remedy below it: aligned on a terminal, tab-separated in a pipe."""
    out = console()
    if not out.is_terminal:
        cells = (verdict.state, called, verdict.text, verdict.remedy)
        print("\t".join(one_line(cell) for cell in cells if cell), flush=True)
        return
    row = Table.grid(padding=(0, 2, 0, 0))
    row.add_column(width=7)
    row.add_column(width=NAME_WIDTH, overflow="fold")
    row.add_column(overflow="fold")
    text = Text(verdict.text, style="dim" if verdict.state == "skipped" else "")
    if verdict.remedy:
        text.append(f"\n→ {verdict.remedy}", style="yellow" if verdict.state in ("warn", "bad") else "dim")
    row.add_row(Text(verdict.state, style=COLOUR[verdict.state]), Text(called, style="bold"), text)
    out.print(row, soft_wrap=False)
