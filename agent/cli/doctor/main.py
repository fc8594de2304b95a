"""All checks of one device, their display, and the exit code."""
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec
import typer
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from agent.cli.doctor import broker, camera, card, enrolment, home, machine, rights
from agent.cli.doctor.in_child import ask
from agent.cli.doctor.verdict import Check, CheckVerdict
from agent.cli.options import Config, Json
from agent.cli.place import config_path
from agent.cli.terminal import console, json_line
from agent.config.load import load
from agent.config.settings import Settings
from agent.core.passwords import redact
from agent.host.updates import key_file

EXIT_OF = {"ok": 0, "skipped": 0, "warn": 1, "bad": 2}
COLOUR = {"ok": "green", "skipped": "dim", "warn": "yellow", "bad": "bold red"}
NAME_WIDTH = 16


def doctor(json: Json = False, config: Config = None) -> None:
    """Examine this device: cameras, encoder, clock, card, broker, permissions. Each with a verdict and what to do."""
    path = config_path(config)
    settings = load(path)
    states = []
    show = _Json() if json else _Lines()
    for check in checks(settings, path):
        with show.working(check) as tick:
            verdict = ask(check, tick)
        verdict = CheckVerdict(verdict.state, redact(verdict.text), redact(verdict.remedy))
        show.told(check, verdict)
        states.append(verdict.state)
    show.end(states)
    raise typer.Exit(max(EXIT_OF[state] for state in states))


def checks(settings: Settings, config: Path) -> list[Check]:
    """What there is to examine with these settings."""
    store, runtime = Path(settings.store.folder), Path(settings.store.runtime)
    cameras = [each for each in settings.camera if each.enabled]
    return [
        Check("board", partial(machine.board, store)),
        Check("clock", machine.clock),
        Check("memory limits", machine.memory_limits),
        Check("watchdog", machine.watchdog),
        Check("encoder", partial(machine.encoder, cameras)),
        Check("labels", machine.labels),
        Check("other Taimat", partial(machine.others, store, config)),
        Check("permissions", partial(rights.examine, settings, config)),
        Check("runtime folder", partial(card.runtime, runtime)),
        Check("card", partial(card.examine, settings.store), 40.0),
        *(Check(f"camera {each.name}", partial(camera.examine, each, store), camera.DEADLINE_S, each.title)
          for each in cameras),
        *([] if cameras else [Check("camera", camera.none)]),
        *([Check("enrolment", partial(enrolment.examine, config, runtime))]
          if enrolment.concerns(config, runtime) else []),
        Check("broker", partial(broker.examine, settings.ward, store), broker.DEADLINE_S),
        *([Check("Home Assistant", partial(home.examine, settings.home, store), broker.DEADLINE_S)]
          if settings.home.enabled else []),
        *([Check("updates", partial(machine.updates, settings.update))]
          if settings.update.release_key or key_file("").exists() else []),
    ]


def _called(check: Check) -> str:
    return f"camera {check.title}" if check.title else check.name


class _Json:
    """For programs: one object a check."""

    def working(self, check: Check) -> "_Working":
        """Nothing to see meanwhile."""
        return _Working(None)

    def told(self, check: Check, verdict: CheckVerdict) -> None:
        """Print one verdict."""
        title = {"title": check.title} if check.title else {}
        json_line({"check": check.name, **title, **msgspec.structs.asdict(verdict)})

    def end(self, states: list[str]) -> None:
        """Nothing more: the exit code says the rest."""


class _Lines:
    """For people: a line a check, its remedy below it, and what is being done at the bottom."""

    def __init__(self) -> None:
        self._console = console()

    def working(self, check: Check) -> "_Working":
        """Show the check's name while it runs, where that can be taken back."""
        if not self._console.is_terminal:
            return _Working(None)
        spinner = Spinner("dots", f" {_called(check)} ...")
        return _Working(Live(spinner, console=self._console, auto_refresh=False, transient=True))

    def told(self, check: Check, verdict: CheckVerdict) -> None:
        """Print one verdict: aligned on a terminal, tab-separated in a pipe."""
        if not self._console.is_terminal:
            cells = (verdict.state, _called(check), verdict.text, verdict.remedy)
            print("\t".join(cell for cell in cells if cell), flush=True)
            return
        row = Table.grid(padding=(0, 2, 0, 0))
        row.add_column(width=7)
        row.add_column(width=NAME_WIDTH, overflow="fold")
        row.add_column(overflow="fold")
        text = Text(verdict.text, style="dim" if verdict.state == "skipped" else "")
        if verdict.remedy:
            text.append(f"\n→ {verdict.remedy}", style="yellow" if verdict.state in ("warn", "bad") else "dim")
        row.add_row(Text(verdict.state, style=COLOUR[verdict.state]), Text(_called(check), style="bold"), text)
        self._console.print(row)

    def end(self, states: list[str]) -> None:
        """Print how many there were of each state."""
        if not self._console.is_terminal:
            return
        counts = [f"[{COLOUR[state]}]{states.count(state)} {state}[/]" for state in EXIT_OF if state in states]
        self._console.print("\n" + ", ".join(counts))


class _Working:
    """The display of one running check, refreshed by hand: a process that forks may have one thread only."""

    def __init__(self, live: Live | None) -> None:
        self._live = live

    def __enter__(self) -> Callable[[], None]:
        if self._live is None:
            return lambda: None
        self._live.start()
        return self._live.refresh

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()
