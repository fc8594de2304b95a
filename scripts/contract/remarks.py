"""What each field of a payload is, in the words of the comment beside it: the one place where they are written."""
import inspect
import re

from msgspec import Struct

FIELD = re.compile(r"^    (\w+): .*?(?:\s# (.*))?$", re.MULTILINE)

# Fields that are the same wherever they are found.
EVERYWHERE = {
    "v": "version of the payload's form: it grows by additions only",
    "boot": "id of the boot that this is told of",
    "conn": "number of the connection, never reset",
    "mono_ms": "the device's own clock, since its boot",
    "start_ms": "when it began, on the clock of mono_ms",
    "dur_ms": "how long it lasted",
    "utc_ms": "UTC, since 1970",
    "ts": "UTC, in ms since 1970; absent while the clock is unset",
    "clock": "unset | saved | rtc | ntp: how far the wall clock can be relied on",
    "phase": "start | end: the event's number ties the two",
    "c": "the camera's name",
    "cam": "the camera's name",
    "code": "one word for a program",
    "detail": "one line for a person",
    "st": "state",
    "codec": "such as h264",
    "fps_set": "pictures a second that were asked for",
    "outbox_n": "events that wait for their receipt",
}

UNITS = {"ms": "ms", "s": "s", "d": "days", "b": "bytes", "pct": "%", "dbm": "dBm", "c": "°C"}
WHOLE = {"fps": "1/s", "kbps": "kbit/s"}


def remarks(kind: type[Struct]) -> dict[str, str]:
    """A line for each field of `kind` that has a comment, a common meaning or a unit, by its name in JSON."""
    ours = [each for each in reversed(kind.__mro__) if each is not Struct and issubclass(each, Struct)]
    beside = {name: remark for each in ours for name, remark in FIELD.findall(inspect.getsource(each))}
    names = zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True)
    lines = {sent: " ".join(filter(None, (beside.get(name) or EVERYWHERE.get(name), _unit(name))))
             for name, sent in names}
    return {sent: line for sent, line in lines.items() if line}


def _unit(name: str) -> str:
    """The unit that the name ends in, in brackets."""
    stem, _, ending = name.rpartition("_")
    unit = WHOLE.get(name) or (UNITS.get(ending) if stem else None)
    return f"[{unit}]" if unit else ""
