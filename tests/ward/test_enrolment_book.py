"""Who gets in by a claim, and what the enrolment book remembers of it."""
import os
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.contract.enrolment import Ready, claim_digest
from agent.ward.enrolment.book import BookFault, CloneAlarm, DevicePlace, EnrolmentBook, IssuedCertificate, KnownClaim
from agent.ward.enrolment.service import NAMES_MAX, Pace, refusal

PLACE = DevicePlace(serial="HH-0412", site="12 Lê Lợi", household="Bà Sáu", title="Nhà bà Sáu", cameras=2, wifi="Nhà")
DEV, DAY_MS = "c-7f3a9c21b04d", 86_400_000
CLAIM = KnownClaim(claim_digest("one"), "HH-0412", until_ms=100)


@pytest.mark.parametrize(("claim", "serial", "key", "now_ms", "word"), [
    (CLAIM, "HH-0412", "k", 100, None), (CLAIM, "hh-0412", "k", 100, None), (None, "HH-0412", "k", 0, "claim_unknown"),
    (CLAIM, "HH-0412", "k", 101, "claim_expired"), (CLAIM, "HH-0413", "k", 100, "not_yours"),
    (KnownClaim("d", "s", 100, key="k"), "s", "k", 100, None),
    (KnownClaim("d", "s", 100, key="k"), "s", "k", 101, "claim_expired"),
    (KnownClaim("d", "s", 100, key="k"), "s", "other", 100, "claim_used"),
    (KnownClaim("d", "s", 100, key="k"), "s", "other", 101, "claim_used"),
    (KnownClaim("d", "s", 100, key="k", revoked_ms=5), "s", "k", 100, "claim_revoked")])
def test_who_gets_in_by_a_claim(claim, serial, key, now_ms, word):
    assert refusal(claim, serial, key, now_ms) == word


@given(st.lists(st.floats(0, 100), max_size=60).map(sorted), st.integers(1, 5), st.floats(0.5, 20))
def test_nobody_is_faster_than_the_pace(moments, at_once, every_s):
    pace = Pace(at_once, every_s)
    done = [now_s for now_s in moments if pace.allows("x", now_s)]
    for i, begin_s in enumerate(done):
        within = [now_s for now_s in done[i:] if now_s - begin_s < every_s]
        assert len(within) <= at_once + 1
    assert len(done) <= at_once + (moments[-1] - moments[0]) / every_s + 1 if moments else not done


def test_who_waits_may_again_and_others_always_may():
    pace = Pace(2, 10)
    assert [pace.allows("x", now_s) for now_s in (0, 0, 0, 9.9, 10, 10)] == [True, True, False, False, True, False]
    assert pace.allows("y", 0)


def test_the_pace_of_any_number_of_names_takes_bounded_room():
    pace = Pace(1, 1e9)
    for n in range(NAMES_MAX + 5):
        assert pace.allows(f"{n}", n)
    assert not pace.allows(f"{NAMES_MAX}", NAMES_MAX + 6) and pace.allows("0", NAMES_MAX + 6)


@pytest.fixture
def book(tmp_path) -> EnrolmentBook:
    return EnrolmentBook(tmp_path)


def certificate(number: int, made_ms: int = 0, serial: str = "HH-0412") -> IssuedCertificate:
    return IssuedCertificate(number=number, dev=DEV, serial=serial, made_ms=made_ms, until_ms=made_ms + 700 * DAY_MS)


def test_a_place_its_claim_and_its_device(book):
    with book.change() as entries:
        assert entries.expect(PLACE, CLAIM.digest, 0, 100) == []
    with book.change() as entries:
        assert entries.claim(CLAIM.digest) == CLAIM and entries.claim("other") is None
        entries.grant(CLAIM, "key", certificate(1 << 150))
        entries.note_ready(DEV, Ready(camera=True, card=True, clock=False, broker=True, why={"clock": "chưa"}), 7)
    with book.look() as entries:
        (state,) = entries.states()
        assert entries.place("hh-0412") == PLACE == state.place
        assert state.dev == DEV and state.ready_ms == 7 and state.ready and not state.ready.is_green
        assert entries.certificate(1 << 150) == certificate(1 << 150) == entries.certificates(DEV)[0]
        assert entries.newest_claim("HH-0412") == state.claim != CLAIM


def test_a_new_claim_ends_what_was_before_it(book):
    with book.change() as entries:
        entries.expect(PLACE, CLAIM.digest, 0, 100)
        entries.grant(CLAIM, "key", certificate(1))
        entries.add(certificate(2))
        gone = entries.expect(DevicePlace(serial="HH-0412", site="34 Lê Lợi"), claim_digest("two"), 5, 105)
    assert [each.number for each in gone] == [1, 2]
    with book.look() as entries:
        assert entries.claim(CLAIM.digest).revoked_ms == 5 and entries.newest_claim("HH-0412").revoked_ms is None
        assert [(each.revoked_ms, each.why) for each in entries.certificates()] == [(5, "replaced")] * 2
        assert entries.place("HH-0412").site == "34 Lê Lợi" and entries.states()[0].dev == ""


def test_a_device_is_revoked_once_and_alone(book):
    with book.change() as entries:
        for serial, dev in (("A", DEV), ("B", "c-0123456789ab")):
            claim = KnownClaim(claim_digest(serial), serial, 100)
            entries.expect(DevicePlace(serial=serial), claim.digest, 0, 100)
            number = len(entries.certificates())
            entries.grant(claim, "k", IssuedCertificate(number=number, dev=dev, serial=serial, made_ms=0, until_ms=90))
        assert entries.revoke("", "nobody", 10) == [] and entries.revoke("c-x", "nobody", 10) == []
        assert [each.serial for each in entries.revoke(DEV, "stolen", 10)] == ["A"]
        assert entries.revoke("a", "stolen", 11) == []
        assert entries.revoke("B", "late", 90) == [], "it has run out by itself"
    with book.look() as entries:
        assert [each.why for each in entries.certificates()] == ["stolen", ""]


def test_alarms_of_one_claim_are_bounded(book):
    with book.change() as entries:
        entries.expect(PLACE, CLAIM.digest, 0, 100)
        for n in range(100):
            alarm = CloneAlarm(serial="", code="claim_used", peer=f"10.0.0.{n}", first_ms=n, last_ms=n, times=1)
            entries.raise_alarm(alarm, CLAIM, f"key {n}")
    with book.look() as entries:
        alarms = entries.alarms()
    assert len(alarms) == 17 and sum(each.times for each in alarms) == 100
    assert (alarms[0].peer, alarms[0].first_ms, alarms[0].last_ms, alarms[0].times) == ("10.0.0.99", 16, 99, 84)


def test_a_new_card_ends_the_alarms_of_the_old_one_until_that_is_used_again(book):
    def alarm(at_ms):
        entries.raise_alarm(CloneAlarm(serial="", code="claim_revoked", peer="10.0.0.9", first_ms=at_ms, last_ms=at_ms,
                                       times=1), CLAIM, "another key")

    with book.change() as entries:
        entries.expect(PLACE, CLAIM.digest, 0, 100)
        alarm(5)
        assert [each.last_ms for each in entries.alarms()] == [5]
        entries.expect(PLACE, "digest of the new card", 10, 100)
        assert entries.alarms() == []
        alarm(11)
        assert [(each.first_ms, each.last_ms, each.times) for each in entries.alarms()] == [(5, 11, 2)]


def test_a_change_that_fails_has_changed_nothing(book):
    with pytest.raises(ZeroDivisionError), book.change() as entries:
        entries.expect(PLACE, CLAIM.digest, 0, 100)
        raise ZeroDivisionError
    with book.change() as entries:
        assert entries.states() == []


def test_no_log_beside_the_book_and_no_stranger_reads_it(book):
    with book.change() as entries:
        entries.expect(PLACE, CLAIM.digest, 0, 100)
    assert [path.name for path in book.path.parent.iterdir()] == ["enrolment.db"]
    assert book.path.stat().st_mode & 0o777 == 0o640
    if os.geteuid() == 0:
        os.chown(book.path.parent, 1234, 2345)
        book.path.unlink()
        with book.change():
            pass
        assert (book.path.stat().st_uid, book.path.stat().st_gid) == (1234, 2345)


def test_a_book_that_can_not_be_used_is_told_with_a_remedy(book, tmp_path):
    with pytest.raises(BookFault, match="to begin: taimat ward enrol"), book.look():
        pass
    with pytest.raises(BookFault, match="taimat ward init"), EnrolmentBook(tmp_path / "away").change():
        pass
    with sqlite3.connect(book.path) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(BookFault, match="update this one"), book.change():
        pass
    book.path.write_bytes(b"no database" * 1000)
    with pytest.raises(BookFault, match="taimat ward restore"), book.change():
        pass
