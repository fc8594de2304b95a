"""`taimat ward simulate`: the devices of a ward or a city, all on this machine, and their cost.

`python -m agent.ward.simulate`
"""
import argparse
import signal
import sys
from collections.abc import Sequence

import msgspec
from rich.console import Console

from agent.ward.database import DatabaseFault
from agent.ward.simulate.city import simulate
from agent.ward.simulate.figures import targets
from agent.ward.simulate.plan import CityPlan, SimulationFault
from agent.ward.simulate.show import show

EXIT_MISSED = 1
EXIT_CAN_NOT = 69               # sysexits.h EX_UNAVAILABLE
EXIT_INTERRUPTED = 130


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="taimat ward simulate")
    parser.add_argument("--devices", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--processes", type=int, required=True)
    parser.add_argument("--restart", action="store_true")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """The entry of the command. Returns the exit code."""
    wishes = parse(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)       # a SIGTERM, too, lets it clean up
    words = Console(stderr=True)
    plan = CityPlan(wishes.devices, wishes.rate, 60 * wishes.minutes, wishes.restart, wishes.processes)
    try:
        with words.status("beginning") as status:
            tell = status.update if words.is_terminal else lambda what: words.print(f"... {what}")
            figures = simulate(plan, tell)
    except (SimulationFault, DatabaseFault) as error:
        print(error, file=sys.stderr)
        return EXIT_CAN_NOT
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    if wishes.json:
        print(msgspec.json.encode(figures).decode())
    else:
        Console().print(show(figures))
    return 0 if all(target.met for target in targets(figures)) else EXIT_MISSED


if __name__ == "__main__":
    sys.exit(main())
