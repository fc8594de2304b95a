"""The contract's documents hold together: examples pass, spoiled ones don't, references lead somewhere."""
import copy
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.contract import wire
from agent.core.contract.wire import commands
from tests.rigs.ward.contract import REFERENCE, faults, judge, read

DOCUMENT = read("asyncapi.yaml")
MESSAGES = DOCUMENT["components"]["messages"]
EXAMPLES = {(name, each["name"]): each["payload"] for name, message in MESSAGES.items() for each in message["examples"]}
SCHEMAS = sorted(path.name for path in (REFERENCE / "schemas").iterdir())
FROM_WARD = {"ack": wire.Ack, "command-restart": wire.Command, "ward-state": wire.WardState}
NAMES_AS_KEYS = ("roles", "schemas", "args", "cfg", "clamped")      # tables without fields of their own
GUIDE = REFERENCE / "subscriber.md"
TELLTALE = {"specversion": "evt", "upto": "ack", "iat": "command-rebirth", "int_s": "health", "conn": "status",
            "st": "response", "online": "ward-state", "cfg": "cfg-reported"}


def example(message: str, name: str | None = None) -> dict[str, Any]:
    """A copy of an example, to be spoiled."""
    return copy.deepcopy(EXAMPLES[message, name or message])


@pytest.mark.parametrize(("message", "name"), EXAMPLES, ids="/".join)
def test_an_example_is_what_its_schema_says(message: str, name: str):
    assert not faults(message, example(message, name))


@pytest.mark.parametrize(("message", "name"), EXAMPLES, ids="/".join)
def test_later_versions_may_add_fields_anywhere(message: str, name: str):
    assert not faults(message, grown(example(message, name)))


def grown(value: Any) -> Any:
    """The value with a field more in each object."""
    if isinstance(value, list):
        return [grown(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {key: each if key in NAMES_AS_KEYS else grown(each) for key, each in value.items()} | {"later": {"new": 1}}


@pytest.mark.parametrize(("message", "name", "where", "value"), [
    ("status", "online", "conn", "184"), ("status", "online", "conn", None), ("status", "lost", "online", ...),
    ("birth", None, "cams", {}), ("health", None, "soc_temp_c", None), ("health", None, "card_life_d", [1]),
    ("health", None, "card_life_d", [1, 2, 3]), ("health", None, "cams.0.c", ...), ("health", None, "roles.link", 1),
    ("evt", "motion", "specversion", "0.3"), ("evt", "motion", "seq", ...), ("evt", "motion", "time", 1),
    ("evt", "motion", "data.kind", ...), ("evt", "motion", "data.hist", ...), ("evt", "motion", "data.phase", "middle"),
    ("evt", "motion", "data.clip.id", ...), ("evt", "gap", "data.missing.0", [1]), ("evt", "clock", "data.utc_ms", ...),
    ("evt", "clip", "data.bytes", 0.5), ("evt", "health_hist", "data.int_s", ...), ("ack", None, "upto", -1),
    ("ack", None, "also", list(range(1001))), ("ack", None, "reject.0.code", "a b"),
    ("command-rebirth", None, "id", "01kav0"), ("command-rebirth", None, "exp", ...),
    ("command-replay", None, "args.to", ...), ("command-set", None, "args.masks", []),
    ("command-set", None, "args.retention_d", "5"), ("ward-state", None, "online", 1),
    ("response", "done", "st", "fine"), ("cfg-reported", None, "cfg", [])])
def test_a_spoiled_example_is_refused(message: str, name: str | None, where: str, value: Any):
    spoiled = example(message, name)
    *way, last = [int(step) if step.isdigit() else step for step in where.split(".")]
    inner: Any = spoiled
    for step in way:
        inner = inner[step]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    assert faults(message, spoiled)


# Without null: absent is what the contract has, and the device forgives it.
EDGES = [-1, 0, 253_402_300_799_999, 253_402_300_800_000, 2**63 - 1, 2**63, True, [], {}, "", "a b", "7",
         *("x" * n for n in (64, 65, 128, 129)), "01KAV0Z6V6M3W2Q8T1B7N5D4XE", "01KAV0Z6V6M3W2Q8T1B7N5D4XU"]
# JSON Schema takes 9.0 for a whole number, and the device does not: the guide says so.
FRACTIONS = st.floats(allow_nan=False, allow_infinity=False).filter(lambda number: not number.is_integer())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 2**63 - 1) | FRACTIONS | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3))


def takes(message: str, payload: dict[str, Any]) -> bool:
    """Whether the device takes a message of the ward's."""
    try:
        told = wire.decode(FROM_WARD[message], json.dumps(payload).encode())
        return not isinstance(told, wire.Command) or bool(commands.args(told, commands.Restart))
    except wire.BadPayload:
        return False


@pytest.mark.parametrize(("message", "key"), [(message, key) for message in FROM_WARD for key in example(message)])
def test_schema_and_device_have_the_same_bounds(message: str, key: str):
    for value in EDGES:
        payload = example(message) | {key: value}
        assert judge(message).is_valid(payload) == takes(message, payload), value


@given(st.sampled_from(sorted(FROM_WARD)), st.dictionaries(st.text(max_size=6), JSON, max_size=3), st.data())
def test_what_the_schemas_allow_the_device_takes(message: str, more: dict[str, Any], data: st.DataObject):
    payload = example(message) | more
    payload[data.draw(st.sampled_from(list(payload)))] = data.draw(JSON)
    assert takes(message, payload) or not judge(message).is_valid(payload)


def references(node: Any, inside: str) -> Iterator[tuple[str, str]]:
    """All references below `node`, as (file, place in it)."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        if key == "$ref":
            file, _, place = value.partition("#")
            yield file.removeprefix("./") or inside, place
        elif isinstance(value, dict | list):
            yield from references(value, inside)


@pytest.mark.parametrize("name", ["asyncapi.yaml", *(f"schemas/{name}" for name in SCHEMAS)])
def test_every_reference_leads_somewhere(name: str):
    for file, place in references(read(name), name):
        found = read(file)
        for step in filter(None, place.split("/")):
            found = found[step]


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_one_and_stands_alone(name: str):
    schema = read(f"schemas/{name}")
    judge("evt").check_schema(schema)
    assert all(not file or file == name for file, _ in references(schema, name))


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_field_says_what_it_is(name: str):
    schema = read(f"schemas/{name}")
    silent = {f"{part['title']}.{field}" for part in (schema, *schema["definitions"].values())
              for field, told in part["properties"].items() if not told.get("description")}
    assert not silent, "write a comment beside the field in agent/core/contract/wire"


@pytest.mark.parametrize("name", DOCUMENT["channels"])
def test_a_channel_has_messages_an_operation_and_its_parameters(name: str):
    channel = DOCUMENT["channels"][name]
    assert channel["messages"] and channel["description"]
    assert set(re.findall(r"{(\w+)}", channel["address"])) == set(channel["parameters"])
    here = {"$ref": f"#/channels/{name}"}
    (operation,) = [each for each in DOCUMENT["operations"].values() if each["channel"] == here]
    assert operation["bindings"]["mqtt"].keys() >= {"qos", "retain"}


def test_it_has_every_topic_of_a_device_and_an_example_of_every_kind():
    topics = wire.Topics("{ward}", "{dev}")
    told = {channel["address"] for channel in DOCUMENT["channels"].values()}
    assert {topics.status, topics.birth, topics.health, topics.evt, topics.cfg_reported} < told
    assert {each.replace("#", "{name}") for each in topics.subscriptions} < told
    assert {payload["data"]["kind"] for (name, _), payload in EXAMPLES.items() if name == "evt"} == set(wire.KINDS)


def test_the_guide_shows_what_the_schemas_say():
    blocks = re.findall(r"```json\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    shown = [told for block in blocks for told in objects(block)]
    assert len(shown) >= 6
    for told in shown:
        message = next(name for key, name in TELLTALE.items() if key in told)
        assert not faults(message, told)


def objects(text: str) -> Iterator[dict[str, Any]]:
    """The JSON objects of a text, one after the other."""
    while text := text.strip():
        told, end = json.JSONDecoder().raw_decode(text)
        yield told
        text = text[end:]
