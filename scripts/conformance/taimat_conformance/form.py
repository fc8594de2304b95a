"""Checks payloads by the structs that the contract's schemas are made from. Pure."""
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from agent.core.contract import wire
from agent.ward import ward_side
from taimat_conformance.transcript import table

CONSTANT = {"specversion": "1.0", "datacontenttype": "application/json"}


class AnyEventData(Struct):
    """The fields of every event's data."""

    mono_ms: int
    kind: str
    hist: bool


def faults(payload: bytes, kind: type[Struct]) -> list[str]:
    """The faults of a payload as `kind`, each with its path."""
    sent = table(payload)
    if not sent:
        return ["is no JSON object"]
    return [*_against(sent, kind, ""), *(_event(sent) if kind is wire.CloudEvent else ())]


def bounds(payload: bytes, kind: type[ward_side.Told]) -> list[str]:
    """The values for which the ward's ingest would refuse it."""
    return list(_converted(table(payload), kind, ""))


def _event(event: dict[str, Any]) -> Iterator[str]:
    for key, due in CONSTANT.items():
        if event.get(key) != due:
            yield f'{key} is not "{due}"'
    data = event.get("data")
    if not isinstance(data, dict):
        return
    yield from _converted(data, AnyEventData, "data")
    known = wire.KINDS.get(data["kind"]) if isinstance(data.get("kind"), str) else None
    if known:
        yield from _against(data, known, "data")


def _against(sent: dict[str, Any], kind: type[Struct], where: str) -> Iterator[str]:
    wrong = list(_converted(sent, kind, where))
    yield from wrong
    if not wrong:
        yield from _nulls(sent, msgspec.convert(sent, kind), where)


def _converted(sent: dict[str, Any], kind: type[Struct], where: str) -> Iterator[str]:
    try:
        msgspec.convert(sent, kind)
    except msgspec.ValidationError as error:
        yield f"{error}".replace("`$", f"`{where or '$'}")


def _nulls(sent: Any, read: Any, where: str) -> Iterator[str]:
    """Paths of nulls: an unknown field must be left out."""
    if isinstance(read, Struct):
        for field in msgspec.structs.fields(read):
            path, value = f"{where}.{field.encode_name}".lstrip("."), sent.get(field.encode_name, ...)
            if value is None and field.default is None:
                yield f"{path} is null; what is unknown is left out"
            elif value is not ...:
                yield from _nulls(value, getattr(read, field.name), path)
    elif isinstance(read, list):
        for number, (one, other) in enumerate(zip(sent, read, strict=True)):
            yield from _nulls(one, other, f"{where}[{number}]")
