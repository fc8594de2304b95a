"""The whole city on this machine, broker restart included: `scripts/simulate` with its promises as targets."""
from collections.abc import Iterator

import msgspec

from scripts.benches import needs
from scripts.benches.city_simulation.city import simulate
from scripts.benches.city_simulation.figures import targets
from scripts.benches.city_simulation.plan import CityPlan as Simulation
from scripts.benches.city_simulation.plan import SimulationFault
from scripts.benches.city_simulation.show import rows
from scripts.benches.plan import Plan, tell
from scripts.benches.processes import BenchError
from scripts.benches.table import Table, Verdict

WARD_N, CITY_N = 370, 6279      # devices
EVENTS_S = 50


def run(plan: Plan) -> Iterator[Table]:
    """Measure, and give the table. Raises Missing and BenchError."""
    if line := needs.mosquitto():
        raise needs.Missing(line)
    devices_n = WARD_N if plan.quick else CITY_N
    try:
        figures = simulate(Simulation(devices_n, EVENTS_S, plan.long_s(120, 20), restart=True),
                           lambda what: tell(f"simulate: {what}"))
    except SimulationFault as fault:
        raise BenchError(str(fault)) from fault
    table = Table(f"{devices_n:,} devices, mutual TLS, {EVENTS_S} events a second", ("", "measured"))
    table.rows += rows(figures)
    table.verdicts += [Verdict(each.what, each.limit, each.unit, each.measured) for each in targets(figures)]
    table.figures = msgspec.to_builtins(figures)
    yield table
