"""Exports: each kind of tampering is found and named where it is, what still holds is told, and nothing is invented."""
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.evidence.ledger import seals, stretch
from agent.core.evidence.ledger.acts import WardIdentity
from agent.core.evidence.ledger.card_check import FoundFile
from agent.core.evidence.ledger.claim import Manifest, RowRef
from agent.core.evidence.ledger.row import RowHead, canonical, fingerprint, follow
from tests.core.ledger_material import KEY, STEPS, STRANGER, Device, live, lose_the_key, public, week
from tests.core.package_material import OF_EXPORTS, Parcel, hand_out
from tests.rigs.examples import examples

pytestmark = pytest.mark.core
FILM, OTHER_FILM = "film-1.mp4", "film-2.mp4"
LAST = 13           # the export's own row


def parcel() -> Parcel:
    """Six clips of the device's week, in two films, with the rows 3 to 13."""
    return hand_out(week(), first=1, after_n=2)


def other_device() -> Device:
    other = Device(dev="c-000000000002", key=STRANGER)
    for _ in range(8):
        other.film()
    return other


def edit_a_film(package: Parcel) -> None:
    package.files[FILM] = FoundFile(package.files[FILM].size_b, "e" * 64)


def cut_a_film(package: Parcel) -> None:
    package.files[FILM] = FoundFile(10, "e" * 64)


def swap_the_films(package: Parcel) -> None:
    package.files[FILM], package.files[OTHER_FILM] = package.files[OTHER_FILM], package.files[FILM]


def take_a_film_away(package: Parcel) -> None:
    del package.files[OTHER_FILM]


def spoil_the_stick(package: Parcel) -> None:
    package.files[FILM] = FoundFile(trouble="Input/output error")


def slip_in_a_film(package: Parcel) -> None:
    package.files["film-3.mp4"] = FoundFile(10, "3" * 64)


def put_in_another_device_s_film(package: Parcel) -> None:
    package.files[FILM] = hand_out(other_device()).files[OTHER_FILM]


def edit_the_summary(package: Parcel) -> None:
    package.files["summary.vi.html"] = FoundFile(900, "7" * 64)


def edit_verify_py(package: Parcel) -> None:
    package.files["verify.py"] = FoundFile(5001, "7" * 64)


def shift_the_time_in_the_manifest(package: Parcel) -> None:
    wish = package.told().claim.wish
    package.change_claim(wish=msgspec.structs.replace(wish, begin_ms=wish.begin_ms - 86_400_000))


def give_the_manifest_the_digest_of_a_forged_film(package: Parcel) -> None:
    film, *rest = package.told().claim.films
    package.change_claim(films=[msgspec.structs.replace(film, sha256="e" * 64), *rest])
    edit_a_film(package)


def say_that_nothing_is_missing(package: Parcel) -> None:
    package.change_claim(gaps=[])


def change_the_case(package: Parcel) -> None:
    package.manifest = package.manifest.replace(b"12/2026", b"13/2026")


def set_the_manifest_in_other_words(package: Parcel) -> None:
    package.manifest = package.manifest.replace(b',"', b', "')


def cut_the_manifest(package: Parcel) -> None:
    package.manifest = package.manifest[:200]


def take_the_manifest_away(package: Parcel) -> None:
    package.manifest = b""


def sign_an_edited_manifest_with_another_key(package: Parcel) -> None:
    change_the_case(package)
    package.change_manifest(STRANGER, key=public(STRANGER).hex())
    package.small |= seals.keys(public(STRANGER), package.device.dev)


def take_the_signatures_away(package: Parcel) -> None:
    for name in (seals.RAW, seals.MINISIG, seals.SSHSIG):
        del package.small[name]


def spoil_one_signature(package: Parcel) -> None:
    package.small[seals.MINISIG] = package.small[seals.MINISIG].replace(b"comment: taimat", b"comment: ")


def put_another_key_beside_it(package: Parcel) -> None:
    package.small[seals.MINISIGN_KEY] = seals.keys(public(STRANGER), package.device.dev)[seals.MINISIGN_KEY]


def call_it_unsigned(package: Parcel) -> None:
    package.change_manifest(signed=False)


def edit_a_row(package: Parcel) -> None:
    package.change_row(4, b"gate-0b", b"yard-0b")


def spoil_a_line(package: Parcel) -> None:
    package.ledger[3] = b"{}\n"


def number_a_line_anew(package: Parcel) -> None:
    package.ledger[3] = package.ledger[3].replace(b'"n":6,"prev"', b'"n":7,"prev"')


def edit_a_row_and_chain_it_anew(package: Parcel) -> None:
    """With another key: from there on nothing is the device's."""
    lines = stretch.read(b"".join(package.ledger))
    head = RowHead(lines[6].n, lines[6].hash)
    for at in range(7, len(lines)):
        lines[at] = follow(head, msgspec.json.decode(lines[at].doc, type=type(package.device.row(1))), STRANGER.sign)
        head = RowHead(lines[at].n, lines[at].hash)
    package.ledger = stretch.write(lines).splitlines(keepends=True)


def break_a_row_s_signature(package: Parcel) -> None:
    package.change_row(5, b'"sig":"' + package.device.lines[4].sig.hex()[:8].encode(), b'"sig":"00000000')


def take_a_row_away(package: Parcel) -> None:
    del package.ledger[1]


def take_the_first_rows_away(package: Parcel) -> None:
    del package.ledger[:2]


def cut_the_rows(package: Parcel) -> None:
    del package.ledger[-3:]


def take_all_rows_away(package: Parcel) -> None:
    package.ledger = []


def cut_the_rows_and_the_manifest_to_fit(package: Parcel) -> None:
    cut_the_rows(package)
    last = stretch.read(package.ledger[-1])[0]
    package.change_manifest(last=RowRef(n=last.n, hash=last.hash.hex()))


def swap_two_rows(package: Parcel) -> None:
    package.ledger[3], package.ledger[4] = package.ledger[4], package.ledger[3]


def tell_a_row_twice(package: Parcel) -> None:
    package.ledger.insert(3, package.ledger[2])


def put_in_another_device_s_row(package: Parcel) -> None:
    other = replace(week(), dev="c-000000000002", key=STRANGER)
    line = follow(RowHead(5, package.device.lines[4].hash), msgspec.structs.replace(other.row(6), dev=other.dev),
                  STRANGER.sign)
    package.ledger[3] = stretch.write([line])


def put_in_another_device_s_rows(package: Parcel) -> None:
    package.ledger = hand_out(other_device()).ledger


def put_in_another_export_s_row(package: Parcel) -> None:
    """By somebody who may sign: the ledger tells of less than the manifest."""
    package.sign_rows_anew(lambda row: row if row.kind != "export" else msgspec.structs.replace(
        row, body={**row.body, "claim": "0" * 64}))


def lie_about_a_clip_s_digest(package: Parcel) -> None:
    """By somebody who may sign: the manifest names another clip's content."""
    claim = package.told().claim
    package.change_claim(KEY, clips=[msgspec.structs.replace(claim.clips[0], sha256="e" * 64), *claim.clips[1:]])


def date_a_clip_anew(package: Parcel) -> None:
    """By somebody who may sign."""
    clip, *rest = package.told().claim.clips
    package.change_claim(KEY, clips=[msgspec.structs.replace(
        clip, begin_ms=clip.begin_ms + 3_600_000, off_ms=clip.off_ms + 3_600_000), *rest])


def leave_a_clip_out(package: Parcel) -> None:
    """By somebody who may sign: it is in the film, and not in the manifest's list."""
    package.change_claim(KEY, clips=package.told().claim.clips[1:])


def begin_the_rows_too_late(package: Parcel) -> None:
    """By somebody who may sign: the first clip's row is not among them."""
    line = package.device.lines[4]
    package.ledger = package.ledger[3:]
    package.change_manifest(KEY, after=RowRef(n=line.n, hash=line.hash.hex()))


def hide_a_step_of_the_clock(package: Parcel) -> None:
    """By somebody who may sign: the clock was put back an hour in between, and no row says so."""
    def earlier(row):
        back = {"wall_ms": row.sealed.wall_ms - 3_600_000} if row.n > 5 and row.sealed.boot == "0b000001" else {}
        told = {"offset_ms": 0} if row.kind == "clock" else {}
        return msgspec.structs.replace(row, body={**row.body, **told},
                                       sealed=msgspec.structs.replace(row.sealed, **back))
    package.sign_rows_anew(earlier)


def turn_monotonic_time_back(package: Parcel) -> None:
    """By somebody who may sign: rows in an order in which they were not made."""
    package.sign_rows_anew(lambda row: row if row.n != 7 else msgspec.structs.replace(
        row, at=msgspec.structs.replace(row.at, mono_ms=1),
        sealed=msgspec.structs.replace(row.sealed, mono_ms=2, wall_ms=2 + row.sealed.offset_ms)))


def keep_silent_about_what_is_missing(package: Parcel) -> None:
    """By somebody who may sign: the films end before the time that was asked for."""
    package.change_claim(KEY, gaps=[])


def call_it_another_one_of_the_ward_s(package: Parcel) -> None:
    """By somebody who may sign: no row ties the recorder to that certificate."""
    package.change_claim(KEY, ward=WardIdentity(name="c-0123456789ab", key="a" * 64))


FOREIGN = {("source_foreign", 3)}


def ask_for_an_earlier_begin(package: Parcel) -> None:
    """By somebody who may sign: the films begin later than the manifest makes believe."""
    wish = package.told().claim.wish
    package.change_claim(KEY, wish=msgspec.structs.replace(wish, begin_ms=wish.begin_ms - 8_000))


def ask_for_another_camera(package: Parcel) -> None:
    """By somebody who may sign: the films show another room than the manifest makes believe."""
    package.change_claim(KEY, wish=msgspec.structs.replace(package.told().claim.wish, camera="yard"))


def ask_for_another_day(package: Parcel) -> None:
    """By somebody who may sign: the films show another time than the one that was asked for."""
    wish = package.told().claim.wish
    package.change_claim(KEY, wish=msgspec.structs.replace(
        wish, begin_ms=wish.begin_ms + 86_400_000, end_ms=wish.begin_ms + 86_400_001))


def hand_out_what_nobody_was_shown(package: Parcel) -> None:
    """By somebody who may sign."""
    package.change_claim(KEY, wish=msgspec.structs.replace(package.told().claim.wish, only=[]))


def name_another_device(package: Parcel) -> None:
    """By somebody who may sign."""
    package.change_manifest(KEY, dev="c-000000000009")
    package.small |= seals.keys(public(KEY), "c-000000000009")


def name_another_board(package: Parcel) -> None:
    """By somebody who may sign."""
    package.change_manifest(KEY, serial="10000000bbbbbbbb")


EDITED = {("manifest_edited", None)}
TAMPERINGS = [
    (edit_a_film, {("file_edited", FILM)}),
    (cut_a_film, {("file_truncated", FILM)}),
    (swap_the_films, {("file_swapped", FILM), ("file_swapped", OTHER_FILM)}),
    (take_a_film_away, {("file_missing", OTHER_FILM)}),
    (spoil_the_stick, {("file_missing", FILM)}),
    (slip_in_a_film, {("file_unknown", "film-3.mp4")}),
    (put_in_another_device_s_film, {("file_edited", FILM)}),
    (edit_the_summary, {("file_edited", "summary.vi.html")}),
    (edit_verify_py, {("file_edited", "verify.py")}),
    (shift_the_time_in_the_manifest, EDITED),
    (give_the_manifest_the_digest_of_a_forged_film, EDITED | {("file_edited", FILM)}),
    (say_that_nothing_is_missing, EDITED),
    (change_the_case, EDITED),
    (set_the_manifest_in_other_words, {("seal_broken", name) for name in (seals.RAW, seals.MINISIG, seals.SSHSIG)}),
    (cut_the_manifest, {("manifest_malformed", None)}),
    (take_the_manifest_away, {("manifest_malformed", None)}),
    (sign_an_edited_manifest_with_another_key, {("row_foreign", None)}),
    (take_the_signatures_away, {("seal_broken", name) for name in (seals.RAW, seals.MINISIG, seals.SSHSIG)}),
    (spoil_one_signature, {("seal_broken", seals.MINISIG)}),
    (put_another_key_beside_it, {("key_file_differs", seals.MINISIGN_KEY)}),
    (call_it_unsigned, {("export_unsigned", None)}),
    (edit_a_row, {("row_edited", 4)}),
    (spoil_a_line, {("row_edited", 6)}),
    (number_a_line_anew, {("row_edited", 6)}),
    (edit_a_row_and_chain_it_anew, {("row_foreign", n) for n in range(10, 14)} | {("head_differs", LAST)}),
    (break_a_row_s_signature, {("signature_broken", 5)}),
    (take_a_row_away, {("row_removed", 4)}),
    (take_the_first_rows_away, {("row_removed", 3)}),
    (cut_the_rows, {("tail_cut", 10)}),
    (take_all_rows_away, {("tail_cut", None)}),
    (cut_the_rows_and_the_manifest_to_fit, EDITED),
    (swap_two_rows, {("rows_reordered", 6)}),
    (tell_a_row_twice, {("rows_reordered", 5)}),
    (put_in_another_device_s_row, {("row_foreign", 6)}),
    (put_in_another_device_s_rows, {("row_foreign", None)}),
    (put_in_another_export_s_row, {("export_without_row", LAST)}),
    (lie_about_a_clip_s_digest, {("source_without_row", 3), ("export_without_row", LAST)}),
    (date_a_clip_anew, {("clip_redated", 3), ("export_without_row", LAST)}),
    (leave_a_clip_out, {("source_without_row", None), ("export_without_row", LAST)}),
    (begin_the_rows_too_late, {("source_without_row", 3)}),
    (hide_a_step_of_the_clock, {("wall_moved", 6), ("clip_redated", 3)}),
    (turn_monotonic_time_back, {("mono_back", 7)}),
    (keep_silent_about_what_is_missing, {("gap_unnamed", None), ("export_without_row", LAST)}),
    (call_it_another_one_of_the_ward_s, {("identity_without_row", None), ("export_without_row", LAST)}),
    (ask_for_an_earlier_begin, {("gap_unnamed", None), ("export_without_row", LAST)}),
    (ask_for_another_camera, {*FOREIGN, ("export_without_row", LAST)}),
    (ask_for_another_day, {*FOREIGN, ("export_without_row", LAST)}),
    (hand_out_what_nobody_was_shown, {*FOREIGN, ("export_without_row", LAST)}),
    (name_another_device, {("device_differs", 3)}),
    (name_another_board, {("device_differs", None)}),
]


@pytest.mark.parametrize(("tamper", "found"), TAMPERINGS, ids=lambda each: getattr(each, "__name__", ""))
def test_tampering_is_found_and_named(tamper, found):
    package = parcel()
    assert package.codes() == set()
    tamper(package)
    assert found <= package.codes()
    assert {code for code, _ in package.codes()} == {code for code, _ in found}, "nothing else is invented"


def test_each_code_of_exports_is_brought_about_by_a_test():
    assert {code for _, found in TAMPERINGS for code, _ in found} >= OF_EXPORTS


def test_what_still_holds_is_told():
    package = parcel()
    edit_a_row(package)
    edit_a_film(package)
    assert package.check().checked.stretches == [(3, 3), (5, 13)]


def test_where_the_manifest_was_edited_the_ledger_vouches_for_the_films():
    package = parcel()
    change_the_case(package)
    assert [each.file for each in package.check().told] == [FILM, OTHER_FILM]
    edit_a_film(package)
    assert package.codes() == EDITED | {("file_edited", FILM)}


def test_heads_and_keys_that_others_have_kept_are_compared():
    package, lines = parcel(), week().lines
    heads = {line.n: line.hash.hex()[:32] for line in lines[1:]}
    assert package.codes(heads=heads, key=fingerprint(public(KEY))) == set()
    assert package.check(heads=heads).compared_n == 11
    assert package.codes(heads={9: "0" * 32}) == {("head_differs", 9)}
    assert package.codes(key=fingerprint(public(STRANGER))) == {("key_foreign", None)}


def test_heads_from_before_and_after_the_export_say_nothing_of_it():
    package = parcel()
    verdict = package.check(heads={1: "0" * 32, LAST + 1: "0" * 32})
    assert verdict.findings == [] and verdict.compared_n == 0


def test_an_export_that_is_written_anew_with_another_key_is_found_by_the_key_and_by_a_head():
    forged, seen = hand_out(replace(week(), key=STRANGER), first=1, after_n=2), week().lines[6].hash.hex()
    lines = stretch.read(b"".join(forged.ledger))
    assert {each.code for each in forged.check().findings} == {"signature_broken"}, "only the last row is the forger's"
    head = RowHead(2, lines[0].prev)
    rows = [msgspec.json.decode(line.doc, type=type(week().row(1))) for line in lines]
    forged.ledger = []
    for row in rows:
        line = follow(head, row, STRANGER.sign)
        forged.ledger.append(stretch.write([line]))
        head = RowHead(line.n, line.hash)
    forged.change_manifest(STRANGER, last=RowRef(n=head.n, hash=head.hash.hex()))
    assert forged.codes() == set(), "from the export alone nobody can tell"
    assert forged.codes(heads={6: seen}) == {("head_differs", 6)}
    assert forged.codes(key=fingerprint(public(KEY))) == {("key_foreign", None)}


def test_a_key_that_was_changed_in_between_is_told_and_nothing_else():
    device = week()
    lose_the_key(device)
    device.film()
    package = hand_out(device, after_n=2)
    assert package.codes() == {("key_changed", 13)}


def test_an_unsigned_export_says_so_and_its_rows_are_checked():
    package = hand_out(week(), first=1, after_n=2, signed=False)
    assert package.codes() == {("export_unsigned", None)}
    edit_a_row(package)
    edit_a_film(package)
    assert package.codes() == {("export_unsigned", None), ("row_edited", 4), ("file_edited", FILM)}


def test_the_manifest_is_what_any_json_library_writes_again():
    package = parcel()
    assert canonical(msgspec.json.decode(package.manifest)) == package.manifest
    assert canonical(msgspec.json.decode(package.manifest, type=Manifest)) == package.manifest


def lived(steps: list[tuple]) -> Device:
    device = Device()
    device.film()
    live(device, steps)
    return device


@settings(max_examples=examples(1000))
@given(STEPS, st.data())
def test_nothing_is_invented_about_an_honest_export(steps, data):
    device = lived(steps)
    while device.waiting:
        device.seal()
    first, after_n = data.draw(st.integers(0, 3)), data.draw(st.integers(0, len(device.lines)))
    package = hand_out(device, first, first + data.draw(st.integers(1, 8)), after_n)
    heads = {line.n: line.hash.hex()[:32] for line in device.lines[::3]}
    assert package.codes(heads=heads, key=fingerprint(public(KEY))) == set()


@settings(max_examples=examples(200))
@given(st.data())
def test_any_changed_byte_of_the_manifest_or_the_rows_is_found(data):
    package = parcel()
    whole = [package.manifest, *package.ledger]
    which = data.draw(st.integers(0, len(whole) - 1))
    at = data.draw(st.integers(0, len(whole[which].rstrip()) - 1))
    text = whole[which]
    whole[which] = text[:at] + bytes([text[at] ^ data.draw(st.integers(1, 255))]) + text[at + 1:]
    package.manifest, package.ledger = whole[0], whole[1:]
    assert package.codes()


ODD = st.sampled_from([None, 0, -1, 2**60, 1.5, "", "zz", "f" * 64, [], {}, [1], {"a": 1}])


def places(value, at=()):
    """The way to each value in there."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield *at, key
        yield from places(each, (*at, key))


@settings(max_examples=examples(300))
@given(st.data(), ODD)
def test_a_manifest_that_tells_nonsense_is_checked_to_the_end_even_if_it_is_signed(data, odd):
    package = parcel()
    told = msgspec.json.decode(package.manifest)
    *way, last = data.draw(st.sampled_from(list(places(told))))
    inner = told
    for key in way:
        inner = inner[key]
    before, inner[last] = inner[last], odd
    package.manifest = msgspec.json.encode(told)
    package.small |= seals.signatures(package.manifest, public(KEY), KEY.sign)
    package.check(heads={3: "0" * 16, 7: "1" * 16}, key="0" * 16)
    assert package.codes() or before == odd or odd is None


@settings(max_examples=examples(200))
@given(st.sampled_from(seals.FILES), st.data())
def test_any_changed_byte_of_a_signature_or_a_key_is_found_where_it_is(name, data):
    package = parcel()
    text = package.small[name]
    at = data.draw(st.integers(0, len(text) - 1))
    package.small[name] = text[:at] + bytes([text[at] ^ data.draw(st.integers(1, 255))]) + text[at + 1:]
    assert [each.clip for each in package.check().findings] == [name]
    del package.small[name]
    assert [each.clip for each in package.check().findings] == [name]


@pytest.mark.parametrize("name", [seals.MINISIG, seals.SSHSIG])
def test_a_signature_in_the_right_form_for_something_else_is_found(name):
    package = parcel()
    package.small[name] = seals.signatures(b"{}", public(KEY), KEY.sign)[name]
    assert package.codes() == {("seal_broken", name)}


def test_a_comment_that_is_not_signed_is_no_signature():
    """minisign signs its comment by itself: only that signature is another one here."""
    package = parcel()
    lines = package.small[seals.MINISIG].split(b"\n")
    lines[3] = seals.signatures(b"{}", public(KEY), KEY.sign)[seals.MINISIG].split(b"\n")[3]
    package.small[seals.MINISIG] = b"\n".join(lines)
    assert package.codes() == {("seal_broken", seals.MINISIG)}
