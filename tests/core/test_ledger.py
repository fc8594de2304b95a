"""The ledger: its bytes are the same for everybody, each kind of tampering is found and named, and nothing is invented.
"""
import hashlib
import json
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.evidence.ledger.acts import CameraPaused, DatabaseMended, Deletion
from agent.core.evidence.ledger.card_check import FoundFile
from agent.core.evidence.ledger.findings import FlawCode
from agent.core.evidence.ledger.row import NotCanonical, RowHead, canonical, chained, fingerprint, follow
from tests.core.ledger_material import KEY, STEPS, STRANGER, Device, live, lose_the_key, public, week
from tests.core.package_material import OF_EXPORTS
from tests.rigs.examples import examples

pytestmark = pytest.mark.core


def test_the_bytes_are_those_that_any_json_library_writes_again():
    assert canonical({"b": 1, "a": "cổng\n", "c": [True, None]}) == '{"a":"cổng\\n","b":1,"c":[true,null]}'.encode()
    line = week().lines[2]
    told = json.loads(line.doc)
    assert json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() == line.doc
    assert hashlib.sha256(line.prev + line.doc).digest() == line.hash


@pytest.mark.parametrize("value", [{"a": 0.5}, {"a": [2 ** 60]}, {"ổ": 1}, {"a": "\ud800"}])
def test_what_has_no_single_way_to_be_written_is_refused(value: object):
    with pytest.raises(NotCanonical):
        canonical(value)


def test_an_honest_device_holds_and_agrees_with_a_head_that_was_seen():
    device = week()
    heads = {n: device.lines[n - 1].hash.hex()[:32] for n in (1, 5, 12)}
    checked, findings = device.find(heads=heads, key=fingerprint(public(KEY)))
    assert findings == [] and checked.stretches == [(1, 12)] and checked.keys == [public(KEY)]


def edit_row(device: Device) -> None:
    device.change(3, doc=device.lines[2].doc.replace(b'"gate"', b'"yard"'))


def edit_row_and_hash(device: Device) -> None:
    doc = device.lines[2].doc.replace(b'"gate"', b'"yard"')
    device.change(3, doc=doc, hash=chained(device.lines[2].prev, doc))


def edit_and_sign_anew_from_there_on(device: Device) -> None:
    rows = [device.row(n) for n in range(9, 13)]
    del device.lines[8:]
    for row in rows:
        device.append(row, STRANGER)


def spoil_a_row(device: Device) -> None:
    device.change(5, doc=b"\xff not a row")


def break_a_signature(device: Device) -> None:
    device.change(7, sig=bytes(64))


def remove_a_row(device: Device) -> None:
    del device.lines[4]


def remove_the_first_row(device: Device) -> None:
    del device.lines[0]


def remove_and_renumber(device: Device) -> None:
    device.lines[4:] = [msgspec.structs.replace(line, n=line.n - 1) for line in device.lines[5:]]


def swap_two_rows(device: Device) -> None:
    fourth, fifth = device.lines[3:5]
    device.lines[3:5] = [msgspec.structs.replace(fifth, n=4), msgspec.structs.replace(fourth, n=5)]


def insert_a_row(device: Device) -> None:
    """A deletion, to excuse a file that is gone."""
    name = next(iter(device.files))
    before = Device(lines=device.lines[:9])
    row = device.row(9)
    before.append(msgspec.structs.replace(row, n=10, kind="deletion", body={"clips": [name], "why": "age"}), STRANGER)
    device.lines[9:] = [before.lines[-1], *device.lines[9:]]


def append_a_row(device: Device) -> None:
    device.append(msgspec.structs.replace(device.row(12), n=13, act_n=12), STRANGER)


def row_of_another_device(device: Device) -> None:
    other = replace(week(), dev="c-000000000002", key=STRANGER)
    device.lines[5] = follow(RowHead(5, device.lines[4].hash), msgspec.structs.replace(other.row(6), dev=other.dev),
                             STRANGER.sign)


def replay_an_old_row(device: Device) -> None:
    device.lines.append(msgspec.structs.replace(device.lines[3], n=13))


def mix_two_histories(device: Device) -> None:
    """Both signed by the device: an old copy of the database went on, and somebody put rows of both together."""
    other = week()
    del other.lines[5:]
    for n in range(6, 13):
        other.append(msgspec.structs.replace(device.row(n), body={"other": n}, kind="x"), KEY)
    device.lines[8:] = other.lines[8:]


def cut_the_tail(device: Device) -> None:
    del device.lines[10:]
    device.noted_n = device.row(10).act_n
    for name in [name for name in device.files if name > "gate-0b000002-000005"]:
        del device.files[name], device.known[name]


def remove_a_waiting_act(device: Device) -> None:
    device.pause()
    device.waiting.clear()


def remove_a_waiting_act_before_others(device: Device) -> None:
    device.pause()
    device.waiting.clear()
    device.pause()
    device.seal()


def take_the_ledger_away(device: Device) -> None:
    device.lines.clear()
    device.noted_n = 0


def lose_the_ledger_with_a_damaged_database(device: Device) -> None:
    head = device.lines[-1]
    device.lines.clear()
    device.noted_n, device.waiting[:] = 0, []
    for gone in (device.files, device.known, device.boots):     # the new one begins behind the clips that are there
        gone.clear()
    device.note(DatabaseMended(ledger_n=0, before_n=head.n, before=head.hash.hex()[:32], torn=["ledger"]))
    device.seal()


def begin_anew_with_another_key(device: Device) -> None:
    rows = [device.row(n) for n in range(1, 13)]
    device.lines.clear()
    rows[0] = msgspec.structs.replace(rows[0], body={**rows[0].body, "key": public(STRANGER).hex()})
    for row in rows:
        device.append(row, STRANGER)


def move_the_card(device: Device) -> None:
    device.serial = "10000000bbbbbbbb"
    device.film()
    device.seal()


def turn_monotonic_time_back(device: Device) -> None:
    device.mono_ms -= 5_000
    device.offset_ms += 5_000
    device.pause()
    device.seal()


def seal_before_the_act(device: Device) -> None:
    device.pause()
    device.waiting[0] = msgspec.structs.replace(
        device.waiting[0], at=msgspec.structs.replace(device.now, mono_ms=device.mono_ms + 60_000))
    device.seal()


def move_the_clock_in_secret(device: Device) -> None:
    device.offset_ms += 86_400_000
    device.append(msgspec.structs.replace(device.row(12), n=13, act_n=12, kind="x", at=device.now, sealed=device.now),
                  KEY)
    device.noted_n = 12


def go_back_a_day_over_a_restart(device: Device) -> None:
    device.clock = "ntp"
    device.pause()
    device.seal()
    device.reboot("ntp")
    device.offset_ms -= 86_400_000
    device.pause()
    device.seal()


def redate_a_boot(device: Device) -> None:
    device.boots["0b000001"] = {each - 7_200_000 for each in device.boots["0b000001"]}


def redate_a_clip(device: Device) -> None:
    name = "gate-0b000001-000002"
    device.known[name] = replace(device.known[name], wall_ms=device.known[name].wall_ms - 7_200_000)


def edit_a_clip(device: Device) -> None:
    device.files["gate-0b000001-000002"] = FoundFile(1002, "e" * 64)


def truncate_a_clip(device: Device) -> None:
    device.files["gate-0b000001-000002"] = FoundFile(900, "e" * 64)


def swap_two_clips(device: Device) -> None:
    second, third = "gate-0b000001-000002", "gate-0b000001-000003"
    device.files[second], device.files[third] = device.files[third], device.files[second]


def remove_a_clip(device: Device) -> None:
    del device.files["gate-0b000001-000002"]


def spoil_a_clip(device: Device) -> None:
    device.files["gate-0b000001-000002"] = FoundFile(trouble="Input/output error")


def delete_without_a_row(device: Device) -> None:
    name = "gate-0b000001-000002"
    del device.files[name]
    device.known[name] = replace(device.known[name], state="deleted")


def delete_an_unsigned_one_without_a_row(device: Device) -> None:
    device.film(sign=False)
    name = "gate-0b000002-000008"
    del device.files[name]
    device.known[name] = replace(device.known[name], state="deleted")


def slip_in_a_file(device: Device) -> None:
    device.files["gate-0b000002-000099"] = FoundFile(10, "9" * 64)


def slip_in_a_clip_that_looks_signed(device: Device) -> None:
    device.film(sign=False)
    name = "gate-0b000002-000008"
    device.known[name] = replace(device.known[name], sha256="8" * 64)


def keep_a_clip_from_the_keeper(device: Device) -> None:
    device.film(sign=False)
    device.film(sign=False)
    device.wait(700_000)
    device.hash("gate-0b000002-000008")
    device.seal()


def sign_an_edited_clip_again(device: Device) -> None:
    name = "gate-0b000001-000002"
    device.files[name] = FoundFile(1002, "e" * 64)
    body = {**device.row(3).body, "sha256": "e" * 64}
    device.note(CameraPaused(camera="gate", paused=True, by="page"))
    device.waiting[0] = msgspec.structs.replace(device.waiting[0], kind="clip", body=body)
    device.seal()


def note_nonsense(device: Device) -> None:
    device.note(Deletion(clips=[], why="x"))
    device.waiting[0] = msgspec.structs.replace(device.waiting[0], body={"clips": 7})
    device.seal()


REST = {("row_foreign", n) for n in range(9, 13)}
TAMPERINGS = [
    (edit_row, {("row_edited", 3)}),
    (edit_row_and_hash, {("row_foreign", 3)}),
    (edit_and_sign_anew_from_there_on, REST | {("deletion_without_row", 2)}),
    (spoil_a_row, {("row_edited", 5)}),
    (break_a_signature, {("signature_broken", 7)}),
    (remove_a_row, {("row_removed", 5)}),
    (remove_the_first_row, {("row_removed", 1)}),
    (remove_and_renumber, {("row_removed", 5)}),
    (swap_two_rows, {("rows_reordered", 4)}),
    (insert_a_row, {("row_foreign", 10)}),
    (append_a_row, {("row_foreign", 13)}),
    (row_of_another_device, {("row_foreign", 6)}),
    (replay_an_old_row, {("rows_reordered", 4)}),
    (mix_two_histories, {("chain_broken", 9), ("deletion_without_row", 2)} |
     {("clip_without_row", f"gate-0b000002-00000{n}") for n in (5, 6, 7)}),
    (remove_a_waiting_act, {("act_missing", None)}),
    (remove_a_waiting_act_before_others, {("act_missing", 13)}),
    (take_the_ledger_away, {("ledger_missing", None)}),
    (lose_the_ledger_with_a_damaged_database, {("ledger_renewed", 2)}),
    (lose_the_key, {("key_changed", 13)}),
    (move_the_card, {("device_differs", 13)}),
    (turn_monotonic_time_back, {("mono_back", 13)}),
    (seal_before_the_act, {("mono_back", 13)}),
    (move_the_clock_in_secret, {("wall_moved", 13)}),
    (go_back_a_day_over_a_restart, {("wall_back", 14)}),
    (redate_a_boot, {("boot_redated", None)}),
    (redate_a_clip, {("clip_redated", 3)}),
    (edit_a_clip, {("clip_edited", 3)}),
    (truncate_a_clip, {("clip_truncated", 3)}),
    (swap_two_clips, {("clip_swapped", 3), ("clip_swapped", 4)}),
    (remove_a_clip, {("clip_missing", 3)}),
    (spoil_a_clip, {("clip_unreadable", 3)}),
    (delete_without_a_row, {("deletion_without_row", 3)}),
    (delete_an_unsigned_one_without_a_row, {("deletion_without_row", "gate-0b000002-000008")}),
    (slip_in_a_file, {("clip_without_row", "gate-0b000002-000099")}),
    (slip_in_a_clip_that_looks_signed, {("clip_without_row", "gate-0b000002-000008")}),
    (keep_a_clip_from_the_keeper, {("clip_without_row", "gate-0b000002-000009")}),
    (sign_an_edited_clip_again, {("clip_edited", 3), ("clip_resigned", 13)}),
    (note_nonsense, {("row_malformed", 13)}),
]


@pytest.mark.parametrize(("tamper", "found"), TAMPERINGS, ids=lambda each: getattr(each, "__name__", ""))
def test_tampering_is_found_and_named(tamper, found):
    device = week()
    tamper(device)
    assert found <= device.codes()
    assert {code for code, _ in device.codes()} == {code for code, _ in found}, "nothing else is invented"


def test_a_tail_that_was_cut_with_all_its_traces_is_found_by_a_head_alone():
    device, ward = week(), {12: week().lines[11].hash.hex()[:32]}
    cut_the_tail(device)
    assert device.codes() == set()
    assert device.codes(heads=ward) == {("tail_cut", 10)}


def test_a_tail_that_was_cut_without_care_is_found_without_a_head():
    device = week()
    del device.lines[10:]
    assert {"act_missing", "clip_without_row"} == {code for code, _ in device.codes()}


def test_a_ledger_that_was_written_anew_is_found_by_its_key_and_by_a_head():
    device, head = week(), week().lines[7].hash.hex()
    begin_anew_with_another_key(device)
    assert device.codes() == set(), "nobody can tell from the card alone"
    assert device.codes(heads={8: head}) == {("head_differs", 8)}
    assert device.codes(key=fingerprint(public(KEY))) == {("key_foreign", 1)}


def test_where_the_first_row_is_spoilt_the_others_still_hold():
    device = week()
    device.change(1, doc=b"{}")
    checked, findings = device.find()
    assert [(each.code, each.n) for each in findings] == [(FlawCode.ROW_EDITED, 1)]
    assert checked.stretches == [(2, 12)]


def test_what_still_holds_is_told():
    device = week()
    edit_row(device)
    remove_a_clip(device)
    checked, _ = device.find()
    assert checked.stretches == [(1, 2), (4, 12)]


def test_each_code_is_brought_about_by_a_test():
    tried = {code for _, found in TAMPERINGS for code, _ in found} | {"tail_cut", "head_differs", "key_foreign"}
    assert tried == set(FlawCode) - OF_EXPORTS


@settings(max_examples=examples(1000))
@given(STEPS)
def test_nothing_is_invented_about_an_honest_device(steps):
    device = Device()
    live(device, steps)
    heads = {line.n: line.hash.hex()[:32] for line in device.lines[::3]}
    assert device.codes(heads=heads) == set()


@settings(max_examples=examples(300))
@given(STEPS, st.data())
def test_any_changed_byte_of_any_row_is_found_where_it_is(steps, data):
    device = Device()
    device.pause()
    live(device, steps)
    device.seal()
    n = data.draw(st.integers(1, len(device.lines)))
    column = data.draw(st.sampled_from(["doc", "prev", "hash", "sig"]))
    value = getattr(device.lines[n - 1], column)
    at = data.draw(st.integers(0, len(value) - 1))
    device.change(n, **{column: value[:at] + bytes([value[at] ^ data.draw(st.integers(1, 255))]) + value[at + 1:]})
    rows = {each.n for each in device.find()[1] if each.code in ("row_edited", "row_foreign", "signature_broken")}
    assert rows == {n}


@settings(max_examples=examples(300))
@given(STEPS, st.data())
def test_any_missing_row_is_found_but_for_the_last(steps, data):
    device = Device()
    device.pause()
    live(device, steps)
    device.seal()
    device.pause()
    device.seal()
    n = data.draw(st.integers(1, len(device.lines) - 1))
    del device.lines[n - 1]
    assert ("row_removed", n) in device.codes()
