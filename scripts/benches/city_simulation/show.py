"""The figures as a table for people."""
from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from scripts.benches.city_simulation.figures import (
    ArrivalFigures,
    Load,
    RestartFigures,
    SimulationFigures,
    Spread,
    SteadyFigures,
    Target,
    counted,
    targets,
)

MB = 1_000_000


def show(figures: SimulationFigures) -> RenderableType:
    """All figures, and the promises below them."""
    grid = Table("", "", box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for what, value in rows(figures):
        grid.add_row(what, value)
    title = f"{figures.devices_n:,} devices, {figures.events_per_s:g} events a second"
    return Group(Text(title, style="bold"), grid, *(_line(target) for target in targets(figures)))


def rows(figures: SimulationFigures) -> Iterator[tuple[str, str]]:
    """Each figure's name and value."""
    yield "machine's load before", f"{figures.load1:.1f}"
    yield from _arrival(figures.arrival)
    yield from _steady(figures.steady)
    if figures.restart:
        yield from _restart(figures.restart)
    kept = figures.kept
    yield "events made / in the database", f"{kept.made_n:,} / {kept.kept_n:,}, {kept.missing_n:,} missing"
    yield "copies recognised", f"{kept.repeated_n:,}"


def _arrival(arrival: ArrivalFigures) -> Iterator[tuple[str, str]]:
    yield "first connections", f"{arrival.took_s:.1f} s, {arrival.connects_per_s:.0f}/s"
    yield "connects each", f"{arrival.connects_each:.2f}"
    yield "broker's CPU for each", f"{arrival.broker_each_ms:.2f} ms"


def _steady(steady: SteadyFigures) -> Iterator[tuple[str, str]]:
    yield "broker", _load(steady.broker)
    yield "ingest", _load(steady.ingest)
    yield "its commits", f"{1000 * steady.commit_mean_s:.1f} ms each, {steady.slow_commits_n} above 1 s"
    yield "CPU for simulating / of others", f"{steady.devices_cpu_pct:.0f} % / {steady.others_cpu_pct:.0f} % of a core"
    yield "connections that failed or ended", counted(steady.faults) or "none"
    yield "health sent / taken", f"{steady.health_sent_n:,} / {steady.health_taken_n:,}"
    yield "health lag", _spread(steady.health_lag)
    yield "events / sent", f"{steady.events_n:,} / {steady.offers_n:,}"
    yield "event lag", _spread(steady.event_lag)


def _restart(restart: RestartFigures) -> Iterator[tuple[str, str]]:
    yield f"back after {restart.down_s:g} s without a broker", _spread(restart.back)
    yield "connects each, after it was there", f"{restart.connects_each:.3f}"
    yield "knocks each, while it was not", f"{restart.knocks_each:.2f}"
    yield "connections that failed or ended", counted(restart.faults) or "none"
    yield "CPU until all are back", f"broker {restart.broker_cpu_s:.1f} s, for simulating {restart.devices_cpu_s:.1f} s"
    yield "connections that found its queue full", f"{restart.listen_overflows_n:,}"
    yield "events meanwhile / sent", f"{restart.events_n:,} / {restart.offers_n:,}"
    yield "event lag, the outage included", _spread(restart.event_lag)


def _spread(spread: Spread) -> str:
    return f"p50 {spread.p50_s:.2f} s, p99 {spread.p99_s:.2f} s, most {spread.most_s:.2f} s"


def _load(load: Load) -> str:
    return f"{load.cpu_pct:.1f} % of a core, {load.rss_b / MB:.0f} MB"


def _line(target: Target) -> Text:
    promised = f"{target.what} <= {target.limit:g} {target.unit}".rstrip()
    return Text(f"{promised}: {target.measured:.3g}, {'met' if target.met else 'MISSED'}",
                style="green" if target.met else "red")
