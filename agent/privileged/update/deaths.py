"""How often units have died since somebody started them, as systemd counts it."""
import logging
import subprocess
from collections.abc import Mapping, Sequence

from agent.config.unit_wishes import full_name

ASK_S = 30.0
GIVEN_UP = 1_000            # systemd starts this unit no more

_log = logging.getLogger(__name__)


def deaths(units: Sequence[str]) -> Mapping[str, int]:
    """Returns the number for each of these units, by their names in heartbeats. Empty if systemd does not answer."""
    try:
        said = subprocess.run(["systemctl", "show", "--property=NRestarts,ActiveState", *map(full_name, units)],
                              check=True, text=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=ASK_S)
    except (OSError, subprocess.SubprocessError) as error:
        _log.warning("systemd does not say how often units died: %s", error)
        return {}
    # A block for each unit, in the order of the names.
    blocks = [dict(line.split("=", 1) for line in block.splitlines()) for block in said.stdout.strip().split("\n\n")]
    return {unit: GIVEN_UP if block.get("ActiveState") == "failed" else int(block.get("NRestarts") or 0)
            for unit, block in zip(units, blocks, strict=True)} if units else {}
