"""JSON Schemas of the payloads, out of the structs that the agent itself encodes and decodes them with.

Draft 7, because that is the one that AsyncAPI asks every tool to know. Each file stands alone: a subscriber takes one
and has no others to look for. Fields that a schema doesn't know are welcome, for later versions add some.
"""
import inspect
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from agent.core.contract import wire
from agent.core.contract.wire import commands
from scripts.contract.remarks import remarks

Schema = dict[str, Any]

DRAFT = "http://json-schema.org/draft-07/schema#"
INSIDE = "#/definitions/{name}"
PAYLOADS: dict[str, type[Struct]] = {
    "status": wire.Status, "birth": wire.Birth, "health": wire.Health, "ack": wire.Ack, "response": wire.Response,
    "cfg-reported": wire.Reported, "ward-state": wire.WardState,
}
ADDED: Schema = {       # what the envelope puts beside the data of a kind
    "mono_ms": {"type": "integer", "description": "when it happened, on the device's own clock since its boot [ms]"},
    "kind": {"type": "string", "description": "what happened; later versions know more kinds"},
    "hist": {"type": "boolean", "description": "sent more than a minute after it happened: raise no alarm"},
}


def schemas() -> dict[str, Schema]:
    """The schema of each payload, by its name."""
    return {**{name: _whole(kind) for name, kind in PAYLOADS.items()}, "command": _command(), "evt": _event()}


def _command() -> Schema:
    """An order; what each takes is among the definitions, by the struct's name."""
    return _whole(wire.Command, *{rule.args for rule in commands.COMMANDS.values()})


def _event() -> Schema:
    """The envelope, whose data is checked by its kind where that is known."""
    whole = _whole(wire.CloudEvent, *wire.KINDS.values())
    fields = whole["properties"]
    for name in ("specversion", "datacontenttype"):
        fields[name] = {"const": fields[name].pop("default"), **fields[name]}
    fields["data"] |= {"properties": ADDED, "required": list(ADDED), "allOf": [
        {"if": {"properties": {"kind": {"const": kind}}}, "then": {"$ref": INSIDE.format(name=data.__name__)}}
        for kind, data in wire.KINDS.items()]}
    return whole | {"required": [name for name in fields if name != "time"]}


def _whole(kind: type[Struct], *others: type[Struct]) -> Schema:
    """The schema of `kind`, with all that it or one of `others` refers to inside."""
    parts = _parts([kind, *others])
    return {"$schema": DRAFT, **parts.pop(kind.__name__), "definitions": dict(sorted(parts.items()))}


def _parts(kinds: Iterable[type[Struct]]) -> dict[str, Schema]:
    """The schemas of `kinds` and of the structs in them, by the struct's name."""
    _, parts = msgspec.json.schema_components(kinds, ref_template=INSIDE)
    named = {**vars(commands), **vars(wire)}
    return {name: _told(part, named[name]) for name, part in parts.items()}


def _told(part: Schema, kind: type[Struct]) -> Schema:
    """The schema of a struct with what is written beside its fields."""
    lines = remarks(kind)
    fields = {name: _draft7(_present(field)) | ({"description": lines[name]} if name in lines else {})
              for name, field in part["properties"].items()}
    return part | {"description": inspect.getdoc(kind), "properties": fields}


def _present(field: Schema) -> Schema:
    """The schema of a field that is there: what is unknown is absent, never null."""
    if field.get("default", ...) is not None:
        return field
    known = [each for each in field["anyOf"] if each != {"type": "null"}]
    return known[0] if len(known) == 1 else {"anyOf": known}


def _draft7(node: Any) -> Any:
    """Tuples as draft 7 writes them; the rest of what msgspec makes is the same in both."""
    if isinstance(node, list):
        return [_draft7(each) for each in node]
    if not isinstance(node, dict):
        return node
    node = {name: _draft7(each) for name, each in node.items()}
    if "prefixItems" in node:
        node |= {"items": node.pop("prefixItems"), "additionalItems": False}
    return node
