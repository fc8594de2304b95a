"""How often units have died since somebody started them, as systemd counts it, and what they said last."""
import contextlib
import logging
import subprocess
from collections.abc import Mapping, Sequence

from agent.config.unit_wishes import full_name

ASK_S = 30.0
JOURNAL_S, LINE_MAX = 5.0, 120
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


def last_words(unit: str) -> str:
    """Returns the last line of the unit's own processes, shortened; "" if this user may not read the journal."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        said = subprocess.run(["journalctl", "--quiet", "--no-pager", "--output=cat", "--lines=1",
                               f"_SYSTEMD_UNIT={unit}"], check=True, text=True, errors="replace", capture_output=True,
                              timeout=JOURNAL_S).stdout
        return said.strip().rpartition("\n")[2][:LINE_MAX]
    return ""
