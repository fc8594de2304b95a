"""How many examples Hypothesis tries: a test says how many a thorough run takes, and the profile which part of them."""
from hypothesis import settings

THOROUGH_N = 100            # examples of a test that names no number, in a thorough run


def examples(thorough_n: int) -> int:
    """Of so many, those of the profile that tests/conftest.py has loaded."""
    return max(1, thorough_n * settings.default.max_examples // THOROUGH_N)
