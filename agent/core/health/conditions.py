"""Findings of the rules, and the conditions that are shown."""
from collections.abc import Callable
from dataclasses import dataclass

from agent.core.health.codes import CODES, Severity
from agent.core.passwords import redact

# raised(code, unit, camera): the severity of a finding from earlier looks, or None
Raised = Callable[..., Severity | None]


def above(value: float | None, enter: float, leave: float, before: bool) -> bool:
    """Whether `value` has reached `enter`, or has not fallen to `leave` since. False if it is unknown."""
    return value is not None and (value > leave if before else value >= enter)


def below(value: float | None, enter: float, leave: float, before: bool) -> bool:
    """Whether `value` has fallen below `enter`, or has not risen to `leave` since. False if it is unknown."""
    return value is not None and (value < leave if before else value < enter)


Key = tuple[str, str | None, str | None]        # code, unit, camera


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthFinding:
    """A rule's answer to one look. A finding about the whole device has neither unit nor camera."""

    code: str
    unit: str | None = None
    camera: str | None = None
    severity: Severity
    detail: str | None = None               # one line for a person
    after: tuple[str, ...] = ()             # causes that would explain it

    @property
    def key(self) -> Key:
        return self.code, self.unit, self.camera

    def explained_by(self, cause: "HealthFinding") -> bool:
        """Whether `cause` makes this a symptom: a cause in `after`, on the same camera or unit or on the whole device.
        """
        return (cause.code in self.after
                and cause.unit in (None, self.unit) and cause.camera in (None, self.camera))


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A problem as people and the ward see it."""

    code: str
    severity: Severity
    since_mono_s: float
    unit: str | None = None
    camera: str | None = None
    detail: str | None = None
    depends_on: tuple[str, ...] = ()        # causes that would have hidden it


def finding(code: str, *, unit: str | None = None, camera: str | None = None, severity: Severity | None = None,
            detail: object = None, also_after: tuple[str, ...] = ()) -> HealthFinding:
    """Makes a finding from its row of the table. `detail` counts only if it is text; passwords in it are masked."""
    row = CODES[code]
    return HealthFinding(code=code, unit=unit, camera=camera, severity=severity or row.severity,
                         detail=redact(detail) if isinstance(detail, str) else None, after=row.after + also_after)
