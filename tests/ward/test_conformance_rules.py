"""The rules of `taimat-conformance`, each on a look in which nothing is wrong but what it is there for."""
import json
import re
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.contract.channels import CHANNELS
from scripts.contract.samples import samples
from scripts.contract.schemas import schemas
from taimat_conformance import channels, form
from taimat_conformance.device.rules import rules as device_rules
from taimat_conformance.subscriber.rules import BEHIND, rules
from taimat_conformance.subscriber.says import SPOILED
from taimat_conformance.transcript import HeardMessage, Transcript
from taimat_conformance.verdict import judge
from tests.ward.looks import (
    DEV,
    TOPICS,
    DeviceLook,
    carried,
    copies,
    edited,
    heard,
    id_of,
    plus,
    subscriber_look,
    without,
)

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "subscriber.md"
DEVICE, SUBSCRIBER = DeviceLook().whole(), subscriber_look()
RULES = device_rules()
NULL_IN = {"status": "mode", "birth": "site", "health": "load1", "response": "request", "cfg-reported": "clamped"}


def live(each: HeardMessage) -> bool:
    return not each.stored


def stored(each: HeardMessage) -> bool:
    return each.stored


def near(at_s: float):
    return lambda each: abs(each.at_s - at_s) < 0.1


def set_to(**values):
    return lambda payload: {**payload, **values}


def data_set_to(**values):
    return lambda event: {**event, "data": {**event["data"], **values}}


def lacking(*keys):
    return lambda payload: {key: value for key, value in payload.items() if key not in keys}


def topic(tail):
    return lambda each: each.topic == f"{TOPICS.root}/{tail}"


def answered(look: Transcript, what: str, state: str, code: str | None) -> Transcript:
    """The command gets another answer, and its event tells the same."""
    command_id = id_of(look, what)
    coded = {"code": code} if code else {}
    changed = edited(look, f"rsp/ops/{command_id}", lambda answer: {**lacking("code")(answer), "st": state, **coded})
    return edited(changed, "evt", lambda event: {
        **event, "data": {**lacking("code")(event["data"]), "st": state, **coded}},
                  lambda each: command_id.encode() in each.payload)


def event_of(look: Transcript, what: str):
    command_id = id_of(look, what).encode()
    return lambda each: each.topic == TOPICS.evt and command_id in each.payload


def late_copy(look: Transcript, what: str, at_s: float) -> Transcript:
    """What was settled comes again."""
    ack = json.loads(next(look.tried(what)).payload)
    seq = (ack["also"] or [ack["reject"][0]["seq"]])[0]
    again = data_set_to(hist=True)(json.loads(next(copies(look.heard, seq)).payload))
    return plus(look, heard(at_s, "evt", again))


def swapped(look: Transcript) -> Transcript:
    """Two events came in the wrong order."""
    first, second = next(copies(look.heard, 101)), next(copies(look.heard, 102))
    return plus(without(look, lambda each: each in (first, second)),
                replace(second, at_s=first.at_s), replace(first, at_s=second.at_s))


BREAKS = {
    "status.there": lambda look: carried(edited(look, "status", set_to(online=False, why="lost"), stored), "status",
                                         stored, expiry_s=None),
    "status.refreshed": lambda look: carried(look, "status", stored, expiry_s=400),
    "status.conn": lambda look: edited(look, "status", set_to(conn=6), live),
    "birth.there": lambda look: without(look, lambda each: topic("birth")(each) and each.stored),
    "birth.conn": lambda look: edited(look, "birth", set_to(boot="0therb00t"), live),
    "birth.schemas": lambda look: edited(look, "birth", set_to(schemas={"status": 1}), live),
    "birth.again": lambda look: without(look, lambda each: topic("birth")(each) and live(each)),
    "health.interval": lambda look: edited(without(look, near(80.0)), "health", lambda report: {
        **report, "seq": report["seq"] - 1}, lambda each: each.at_s > 80),
    "health.seq": lambda look: edited(look, "health", set_to(seq=41), near(50.0)),
    "health.units": lambda look: edited(look, "health", set_to(cpu_pct=250.0), near(50.0)),
    "health.plausible": lambda look: edited(look, "health", set_to(soc_temp_c=142.0), near(50.0)),
    "health.clock": lambda look: edited(look, "health", lambda report: {**report, "ts": report["ts"] - 3_600_000},
                                        near(50.0)),
    "secrets": lambda look: edited(look, "health", set_to(wifi_password="hunter2"), near(50.0)),
    "health.boot": lambda look: edited(look, "health", set_to(boot="0therb00t"), near(50.0)),
    "evt.envelope": lambda look: edited(look, "evt", set_to(type="cam.clip.v1"), near(1.22)),
    "evt.time": lambda look: edited(look, "evt", lacking("time"), near(1.22)),
    "evt.order": swapped,
    "evt.gapless": lambda look: without(look, lambda each: each in set(copies(look.heard, 102))),
    "evt.repeated": lambda look: edited(look, "evt", data_set_to(detail="other"), near(43.0)),
    "evt.hist": lambda look: edited(look, "evt", data_set_to(hist=True), near(1.22)),
    "ack.wanted": lambda look: without(look, near(43.0)),
    "ack.heeded": lambda look: late_copy(look, "receipt", 120.0),
    "ack.rejected": lambda look: late_copy(look, "reject", 120.0),
    "cmd.answered": lambda look: without(look, topic(f"rsp/ops/{id_of(look, 'unknown')}")),
    "cmd.time_hint": lambda look: answered(look, "time_hint", "failed", "store"),
    "cmd.diagnostics": lambda look: answered(look, "diagnostics", "refused", "unsupported"),
    "cmd.replay": lambda look: answered(look, "replay", "refused", "unsupported"),
    "cmd.rebirth": lambda look: answered(look, "rebirth", "refused", "unsupported"),
    "cmd.retained": lambda look: answered(look, "retained", "refused", "bad_args"),
    "cmd.expired": lambda look: answered(look, "expired", "refused", "unsupported"),
    "cmd.too_far": lambda look: answered(look, "too_far", "failed", None),
    "cmd.elsewhere": lambda look: answered(look, "elsewhere", "failed", None),
    "cmd.unknown": lambda look: answered(look, "unknown", "done", None),
    "cmd.bad_args": lambda look: answered(look, "bad_args", "failed", "store"),
    "cmd.unsigned": lambda look: answered(look, "unsigned", "done", None),
    "cmd.forged": lambda look: answered(look, "forged", "done", None),
    "cmd.data": lambda look: edited(look, f"rsp/ops/{id_of(look, 'time_hint')}", lacking("data")),
    "cmd.correlation": lambda look: carried(look, "rsp", near(2.1), correlation=b"else"),
    "cmd.once": lambda look: edited(look, "rsp", set_to(ts=1), near(7.6)),
    "cmd.told": lambda look: edited(look, "evt", data_set_to(st="failed"), event_of(look, "unknown")),
    "cmd.replayed": lambda look: without(look, near(8.3)),
    **{f"{name}.form": lambda look, name=name, key=key: edited(look, {"cfg-reported": "cfg", "response": "rsp"}.get(
        name, name), set_to(**{key: None})) for name, key in NULL_IN.items()},
    "evt.form": lambda look: edited(look, "evt", data_set_to(clip=None), near(1.22)),
    **{f"{each.name}.carriage": lambda look, each=each: carried(look, each.tail.split("/")[0], content_type=None)
       for each in channels.FROM_DEVICE},
    "size": lambda look: edited(look, "health", set_to(more=9000 * "x"), near(50.0)),
    "topics": lambda look: plus(look, replace(heard(3.0, "status", {}), topic=f"{TOPICS.root}/temperature")),
}

ASKED = f"{TOPICS.root}/cmd/replay"
ACK = f"{TOPICS.root}/ack"


def late(look: Transcript, what: str) -> Transcript:
    """What was said to try this is named by no receipt."""
    seqs = {said.seq for said in look.tried(what)}
    since_s = next(look.tried(what)).at_s
    return without(look, lambda each: each.topic == ACK and each.at_s > since_s and bool(
        seqs & set(json.loads(each.payload)["also"])))


def taken(look: Transcript, word: str) -> Transcript:
    """What is wrong with an event is not seen."""
    seq = next(look.tried(word)).seq
    return edited(look, "ack", set_to(also=[seq], reject=[]), lambda each: f'"seq": {seq},'.encode() in each.payload)


STATE = TOPICS.ward_state
SUBSCRIBER_BREAKS = {
    "state.there": lambda look: without(look, lambda each: each.topic == STATE),
    "state.form": lambda look: replace(look, heard=(
        *look.heard, replace(look.heard[0], payload=b'{"online":"yes"}', at_s=50.0))),
    "state.carriage": lambda look: replace(look, heard=(replace(look.heard[0], expiry_s=None), *look.heard[1:])),
    "ack.form": lambda look: plus(look, heard(90.0, "ack", {"v": 1, "upto": -1})),
    "ack.carriage": lambda look: carried(look, "ack", retain=False),
    "ack.honest": lambda look: edited(look, "ack", set_to(upto=112), near(6.3)),
    "ack.each": lambda look: late(look, BEHIND),
    "ack.repeated": lambda look: late(look, "repeat"),
    "ack.later": lambda look: late(look, "later"),
    "ack.burst": lambda look: late(look, "burst"),
    **{f"reject.{word}": lambda look, word=word: taken(look, word) for word in SPOILED},
    "gap.asked": lambda look: edited(look, "cmd", set_to(args={"from": 110, "to": 110})),
    "gap.patient": lambda look: carried(look, "cmd", at_s=30.0),
    "gap.closed": lambda look: plus(look, *(replace(each, at_s=each.at_s + 60) for each in look.heard
                                            if each.topic == ASKED)),
    "cmd.form": lambda look: edited(look, "cmd", set_to(sig=None)),
}


def failed(all_rules, look):
    return {each.rule for each in judge(all_rules, look) if each.verdict == "fail"}


def test_whoever_keeps_the_contract_passes_every_rule():
    assert {each.verdict for each in judge(RULES, DEVICE)} == {each.verdict for each in judge(rules(), SUBSCRIBER)} == {
        "pass"}


@pytest.mark.parametrize(("told", "place"), [
    ({"wifi_password": "hunter2"}, "wifi_password"), ({"roles": {"apiKey": "hunter2"}}, "roles.apiKey"),
    ({"cond": [{"code": "x", "sev": "warn", "unit": "rtsp://admin:hunter2@10.0.0.7/1"}]}, "cond[0].unit"),
    ({"note": "the password: hunter2"}, "note"), ({"note": "-----BEGIN EC PRIVATE KEY-----hunter2"}, "note")])
def test_a_secret_is_named_by_its_place_and_never_shown(told, place):
    [finding] = [each for each in judge(RULES, edited(DEVICE, "health", set_to(**told), near(50.0)))
                 if each.rule == "secrets"]
    assert finding.verdict == "fail" and finding.wrong == [f"health: {place}"]


def test_of_whom_nothing_is_heard_is_not_said_that_all_is_well():
    assert failed(RULES, Transcript("w07", DEV, (), DEVICE.said, 120.0)) == {
        "status.there", "birth.there", "cmd.answered"}
    silent = failed(rules(), replace(SUBSCRIBER, heard=()))
    assert silent == {"state.there", "ack.each", "ack.repeated", "ack.later", "ack.burst", "gap.asked",
                      *(f"reject.{word}" for word in SPOILED)}


def test_each_rule_has_somebody_who_breaks_it():
    assert BREAKS.keys() == {rule.id for rule in RULES}
    assert SUBSCRIBER_BREAKS.keys() == {rule.id for rule in rules()}


@pytest.mark.parametrize("rule", BREAKS)
def test_a_device_that_breaks_a_rule_fails_that_one(rule):
    assert failed(RULES, BREAKS[rule](DEVICE)) == {rule}


@pytest.mark.parametrize("rule", SUBSCRIBER_BREAKS)
def test_a_subscriber_that_breaks_a_rule_fails_that_one(rule):
    assert failed(rules(), SUBSCRIBER_BREAKS[rule](SUBSCRIBER)) == {rule}


VALUES = st.recursive(st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["ntp", "unset", DEV, "x"]),
                      lambda inner: st.lists(inner, max_size=2), max_leaves=3)
RAW = st.sampled_from([b"", b"\xff", b"[1]", b'"x"', b"{"])


@given(st.data())
def test_no_message_however_wrong_stops_the_judge(data):
    """Any value in any place, and what is no JSON: each rule comes to something."""
    for look, own in ((DEVICE, RULES), (SUBSCRIBER, rules())):
        spoilt = dict[int, HeardMessage]()
        for number in data.draw(st.sets(st.integers(0, len(look.heard) - 1), min_size=1, max_size=5)):
            payload = json.loads(look.heard[number].payload)
            place = data.draw(st.sampled_from(sorted(spots(payload), key=repr)))
            raw = data.draw(RAW | VALUES.map(lambda value, at=(payload, place): json.dumps(put(*at, value)).encode()))
            spoilt[number] = replace(look.heard[number], payload=raw)
        heard_all = tuple(spoilt.get(number, each) for number, each in enumerate(look.heard))
        assert len(judge(own, replace(look, heard=heard_all))) == len(own)


def spots(node, path=()):
    """Every place in a JSON value."""
    if path:
        yield path
    inside = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in inside:
        yield from spots(value, (*path, key))


def put(node, path, value):
    """The JSON value with another one at that place; ... takes it away."""
    key, *rest = path
    copy = dict(node) if isinstance(node, dict) else list(node)
    if rest:
        copy[key] = put(node[key], rest, value)
    elif value is ...:
        del copy[key]
    else:
        copy[key] = value
    return copy


SCHEMAS = schemas()
SAMPLES = [(channel, sample) for channel in channels.FROM_DEVICE for sample in samples(channel.name).values()]


@given(st.data())
def test_the_structs_say_what_the_schemas_say(data):
    channel, sample = data.draw(st.sampled_from(SAMPLES))
    place = data.draw(st.sampled_from(sorted(spots(sample), key=repr)))
    value = data.draw(st.sampled_from([..., None, "x", 3, 1.5, True, [], {}, [1, 2]]))
    payload = put(sample, place, value)
    theirs = list(jsonschema.Draft7Validator(SCHEMAS[channel.name]).iter_errors(payload))
    ours = form.faults(json.dumps(payload).encode(), channel.kind)
    assert bool(ours) == bool(theirs), (ours, theirs)


def test_messages_are_carried_as_the_contract_has_it():
    due = {each.name: each for each in CHANNELS}
    for channel in (*channels.FROM_DEVICE, channels.RECEIPT, channels.WARD):
        theirs = due[channel.name]
        assert (channel.qos, channel.retain) == (theirs.qos, theirs.retain), channel.name
        assert re.fullmatch(channel.tail, theirs.address.split("/", 3 if channel is channels.WARD else 4)[-1])
        if channel.name != "health":
            assert channel.lives_s == theirs.expiry_s


def test_each_rule_names_a_heading_of_the_guide():
    headings = {line.lstrip("# ") for line in GUIDE.read_text().splitlines() if line.startswith("#")}
    assert {rule.place for rule in (*RULES, *rules())} <= headings
