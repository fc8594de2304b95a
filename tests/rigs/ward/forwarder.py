"""The ward's forwarder as a process with short waits: `python -m tests.rigs.ward.forwarder --config CONFIG`."""
import sys
from pathlib import Path

from agent.core.delivery.backoff import Waits
from agent.ward.forward import ForwardTempo, main
from tests.rigs.wait import free_port
from tests.rigs.ward.ingest import WardIngest, WardPart

QUICK = ForwardTempo(waits=Waits(start_s=0.1, lost_s=0.4, step_s=0.3, longest_s=0.6, hopeless_s=(0.5, 1.0)),
                     again_s=1.0, again_max_s=2.0, database_s=0.3, look_s=0.1, measure_s=0.2)


def city(port: int, more: str = "") -> str:
    """The [city] table of a ward whose city's broker listens on `port`; `more` is TOML beyond the usual."""
    given = {line.split("=")[0].strip() for line in more.splitlines()}
    usual = {"host": '"127.0.0.1"', "port": port, "tls": "false", "keepalive_s": 5, "metrics_port": free_port()}
    return "\n".join(["[city]", *(f"{key} = {value}" for key, value in usual.items() if key not in given), more])


class WardForward(WardPart):
    """The forwarder beside an ingest whose configuration names a city."""

    started_as = ("tests.rigs.ward.forwarder",)

    def __init__(self, ward: WardIngest) -> None:
        """It reads the same file."""
        self.config, self.log = ward.config, ward.config.with_name("forward.log")
        ports = [line for line in ward.config.read_text().splitlines() if line.startswith("metrics_port")]
        self.metrics_port = int(ports[0].split("=")[1])


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[-1]), QUICK))
