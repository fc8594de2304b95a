"""The words of enrolment: a bundle reads back as it was written, a claim is 128 bits, an id is the first key's."""
import hashlib
import string
import tomllib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.contract.enrolment import (
    CLAIM_N,
    Bundle,
    BundleError,
    CardSettings,
    DeviceId,
    EnrolAsk,
    Ready,
    claim_digest,
    device_id,
    parse_bundle,
    parse_card,
)
from agent.ward.enrolment.papers import bundle_text, card_text, new_claim

PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
CLAIM = new_claim(bytes(range(16)))
BUNDLE = Bundle(ward="ben-nghe", ward_name="Phường Bến Nghé", host="ward.example", roots=PEM, claim=CLAIM, until_ms=1,
                serial="HH-0412", site="12 Lê Lợi", title='Nhà "bà Sáu" \\ cổng')
LINES = st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\u2028\u2029"), max_size=40)
BUNDLES = st.builds(
    Bundle, ward=st.from_regex(r"[a-z0-9][a-z0-9-]{0,23}", fullmatch=True), ward_name=LINES,
    host=st.from_regex(r"[A-Za-z0-9.:-]{1,253}", fullmatch=True), broker_port=st.integers(1, 65535), roots=st.text(
        st.characters(codec="utf-8"), max_size=200), claim=st.binary(min_size=16, max_size=16).map(new_claim),
    until_ms=st.integers(0, 1 << 50), serial=st.text(string.ascii_letters + string.digits + "-", min_size=1, max_size=32
                                                     ), site=LINES, title=LINES, join=st.booleans())


@given(BUNDLES)
def test_a_bundle_reads_back_as_it_was_written(bundle: Bundle):
    assert parse_bundle(bundle_text(bundle)) == bundle


@given(st.builds(CardSettings, hostname=st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True),
                 wifi=LINES.map(lambda name: name[:32]), wifi_password=LINES))
def test_so_do_the_cards_settings(card: CardSettings):
    assert parse_card(card_text(card)) == card


def test_people_read_it_too():
    assert 'title = "Nhà \\"bà Sáu\\" \\\\ cổng"' in bundle_text(BUNDLE).splitlines()
    assert tomllib.loads(bundle_text(BUNDLE))["site"] == "12 Lê Lợi"


@pytest.mark.parametrize(("old", "new"), [
    (CLAIM, CLAIM[:-1]), (CLAIM, CLAIM[:-1] + "I"), ('ward = "ben-nghe"', 'ward = "../x"'), ("v = 1", "v = 2"),
    ("join = false", "join = 1"), ('host = "ward.example"', 'host = "a b"'), ("8883", "0"),
    ("v = 1", 'v = 1\nmore = ""'), ("HH-0412", "../HH"),
    ("12 Lê Lợi", "12\\u2028Lê"), ("v = 1", "v = "), ("Phường", "\\u001b[2J")])
def test_what_is_no_bundle_is_refused_with_a_remedy(old: str, new: str):
    text = bundle_text(BUNDLE)
    assert old in text
    with pytest.raises(BundleError, match="--again SERIAL"):
        parse_bundle(text.replace(old, new))


@pytest.mark.parametrize(("old", "new", "line"), [
    (CLAIM, CLAIM[:-1], 10), ("join = false", "join = 1", 15), ("v = 1", 'v = 1\nmore = ""', 3), ("v = 1", "v = ", 2)])
def test_it_is_told_which_line_will_not_do_and_not_what_stands_there(old: str, new: str, line: int):
    with pytest.raises(BundleError, match=rf"line {line}\b") as told:
        parse_bundle(bundle_text(BUNDLE).replace(old, new))
    assert CLAIM[:-1] not in str(told.value)


@given(st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16))
def test_a_claim_is_all_of_its_random_bits(one: bytes, other: bytes):
    claims = [new_claim(each) for each in (one, other)]
    assert (claims[0] == claims[1]) == (one == other)
    assert {len(claim) for claim in claims} == {CLAIM_N}
    for claim in claims:
        msgspec.convert({"claim": claim, "csr": "", "serial": "x"}, EnrolAsk)
        assert claim not in claim_digest(claim)


@given(st.binary())
def test_an_id_is_made_of_the_keys_digest(der: bytes):
    assert device_id(der) == "c-" + hashlib.sha256(der).hexdigest()[:12]
    msgspec.convert(device_id(der), DeviceId)


@pytest.mark.parametrize("lacking", ["camera", "card", "clock", "broker"])
def test_a_device_is_green_when_all_four_are_good(lacking: str):
    facts = dict.fromkeys(("camera", "card", "clock", "broker"), True)
    assert Ready(**facts).is_green and not Ready(**facts | {lacking: False}).is_green
