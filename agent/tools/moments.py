"""Moments as people write them on the command line, in the machine's own zone."""
from datetime import datetime

import typer

from agent.tools.pausing import length_ms

FORMATS = ("%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S")
TIMES = ("%H:%M", "%H:%M:%S")


def moment_ms(text: str, option: str, day_ms: int) -> int:
    """Wall time, Unix milliseconds, of "2026-11-25 14:00" or "14:00"; a time alone is on the day of `day_ms`.

    Raises typer.BadParameter with the name of the `option`.
    """
    day = datetime.fromtimestamp(day_ms / 1000)
    for form in (*FORMATS, *TIMES):
        try:
            found = datetime.strptime(text.strip(), form)
        except ValueError:
            continue
        return int((day.replace(hour=found.hour, minute=found.minute, second=found.second, microsecond=0)
                    if form in TIMES else found).timestamp() * 1000)
    raise typer.BadParameter(f'{option} takes a moment, as in "2026-11-25 14:00", 14:00 or 14:00:30; it is {text!r}')


def last_ms(text: str) -> int:
    """Milliseconds of the "10m" or "2h" that `--last` takes. Raises typer.BadParameter."""
    try:
        return length_ms(text)
    except typer.BadParameter:
        raise typer.BadParameter(f"--last takes a length, as in 10m, 2h or 1d; it is {text!r}") from None
