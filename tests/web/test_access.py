"""The pairing code and the lock on it."""
from hypothesis import given
from hypothesis import strategies as st

from agent.core.household.access import (
    ALPHABET,
    CODE_RANDOM_B,
    LOCKED_S,
    TRIES_N,
    PairingLock,
    code_from,
    grouped,
    tidy,
)

randoms = st.binary(min_size=CODE_RANDOM_B, max_size=CODE_RANDOM_B)


@given(randoms, randoms)
def test_a_code_is_40_bits_in_8_letters(one, other):
    assert len(code_from(one)) == 8 and set(code_from(one)) <= set(ALPHABET)
    assert (code_from(one) == code_from(other)) == (one == other)


@given(randoms, st.randoms())
def test_however_people_write_it_it_is_the_same_code(random, dice):
    code = code_from(random)
    alike = {"0": "0Oo", "1": "1IiLl"}
    written = "".join(dice.choice(alike.get(letter, letter + letter.lower())) for letter in grouped(code))
    assert tidy(f"  {written.replace('-', dice.choice(['-', ' ', '', ' - ', '.']))}\n") == code


def test_five_wrong_tries_lock_for_five_minutes_and_then_it_opens_again():
    lock = PairingLock()
    for _ in range(TRIES_N):
        assert not lock.locked(100.0)
        lock, admitted = lock.step(False, 100.0)
        assert not admitted
    assert lock.step(True, 100.0 + LOCKED_S - 0.1) == (lock, False)
    assert lock.step(True, 100.0 + LOCKED_S) == (PairingLock(), True)


def test_the_right_code_forgives_earlier_mistakes():
    lock = PairingLock()
    for _ in range(3):
        for _ in range(TRIES_N - 1):
            lock, _ = lock.step(False, 5.0)
        lock, admitted = lock.step(True, 5.0)
        assert admitted


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 200)), max_size=60))
def test_no_five_minutes_see_more_than_five_wrong_tries_answered(tries):
    """A try counts as answered when the right code would have been let in at that moment."""
    lock, now_mono_s, answered = PairingLock(), 0.0, []
    for right, wait_s in tries:
        now_mono_s += wait_s
        if lock.step(True, now_mono_s)[1] and not right:
            answered.append(now_mono_s)
        lock, admitted = lock.step(right, now_mono_s)
        if admitted:
            answered.clear()
        assert len([then for then in answered if now_mono_s - then < LOCKED_S]) <= TRIES_N
