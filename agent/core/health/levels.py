"""Thresholds with a dead band, so that a value that trembles at the limit does not flap."""
from collections.abc import Callable

from agent.core.health.codes import Severity

# raised(code, unit, camera): the severity at which a finding stands from earlier looks, or None
Raised = Callable[..., Severity | None]


def above(value: float | None, enter: float, leave: float, before: bool) -> bool:
    """Whether `value` has reached `enter`, or has not yet fallen to `leave` again; an unknown value has not."""
    return value is not None and (value > leave if before else value >= enter)


def below(value: float | None, enter: float, leave: float, before: bool) -> bool:
    """Whether `value` has fallen under `enter`, or has not yet come back to `leave`; an unknown value has not."""
    return value is not None and (value < leave if before else value < enter)
