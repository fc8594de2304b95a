"""What a household agrees to by joining: the same in both languages, in the guides, and in what is sent."""
import hashlib
from pathlib import Path

import pytest

from agent.core.contract.wire.events import KINDS
from agent.core.household.consent import TOLD, VERSION
from agent.look.device_words import consent_text

GUIDES = Path(__file__).resolve().parents[2] / "docs" / "guide"
LANGUAGES = ("en", "vi")
DIGESTS = {1: "4fecad6a4057c152", 2: "ef5983357d3754ff", 3: "0187a54cb8e2988c"}       # of both texts, by version


def test_another_text_is_another_version():
    whole = "".join(map(consent_text, LANGUAGES))
    assert DIGESTS[VERSION] == hashlib.sha256(whole.encode()).hexdigest()[:16]


def test_all_that_a_ward_can_be_told_is_named():
    assert set(TOLD) == {"status", "birth", "health", *KINDS} - {"health_hist"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_guide_has_the_very_words(language: str):
    assert consent_text(language) in (GUIDES / f"household.{language}.md").read_text(encoding="utf-8")
    assert consent_text(language).count("\n") == consent_text("en").count("\n")
