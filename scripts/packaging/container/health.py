"""A container's health check, by what `taimat status` finds: each role that is asked for runs and answers.

A camera without a picture does not count, because a restart of the container would not help: it is in the text.
"""
import sys

from agent.cli.status import OLD_S, RecorderStatus, look
from agent.config.load import DEFAULT_PATH, ConfigError, load
from agent.core.health.conditions import ROLE


def fault(found: RecorderStatus) -> str:
    """Returns what is wrong, or ""."""
    if missing := [unit for unit, pid in found.roles.items() if pid is None]:
        return f"not running: {', '.join(missing)}"
    if found.report is None or (found.report_age_s or 0) > OLD_S:
        return "no role answers"
    return ", ".join(f"{each.code} {each.unit}" for each in found.report.conditions if each.code in ROLE)


if __name__ == "__main__":
    try:
        seen = look(load(DEFAULT_PATH))
        wrong, text = fault(seen), ", ".join([seen.state, *(each.code for each in seen.report.conditions)]
                                             if seen.report else [])
    except ConfigError as error:
        wrong, text = str(error), ""
    print(wrong or text)
    sys.exit(bool(wrong))
