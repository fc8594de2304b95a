"""The desk speaks both languages: the same keys with the same gaps, each used, none missing."""
import re
import string
from pathlib import Path

from agent.look import words
from agent.look.words import FOLDER, LANGUAGES
from agent.ward.authority import doctor
from agent.ward.desk.pages import HERE
from agent.ward.desk.rows import WORST_FIRST
from agent.ward.requests import HEARD, OPEN

VI, EN = (words.load(language, HERE / "i18n") for language in LANGUAGES)
SHARED = words.load("en", FOLDER).texts
SOURCE = "\n".join(path.read_text() for path in [
    *HERE.glob("*.py"), *HERE.glob("templates/*"), *FOLDER.parent.glob("templates/*")])
# Their keys are made of a word of the ward's or a device's; `known` shows the bare word where there is none.
GROUPS = ("state.", "light.", "alarm.", "why.", "excess.", "camera.", "kind.", "request.", "code.", "step.", "who.",
          "refusal.", "device.", "error.", "part.", "finding.", "remedy.", "detail.")


def gaps(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_the_languages_have_the_same_keys_and_gaps():
    own = VI.texts.keys() - SHARED.keys()
    assert VI.texts.keys() == EN.texts.keys()
    assert {key: gaps(VI.texts[key]) for key in own} == {key: gaps(EN.texts[key]) for key in own}


def test_every_text_is_used_and_every_used_one_exists():
    used = {*re.findall(r"""(?<![\w.])t\(["']([a-z_.-]+[a-z])["'][),]""", SOURCE),
            *re.findall(r'"((?:nav|error)\.[a-z]+)"', SOURCE)}
    assert len(used) > 60 and not used - VI.texts.keys()
    assert not {key for key in VI.texts.keys() - SHARED.keys() if key not in used and not key.startswith(GROUPS)}


def test_every_state_has_its_words():
    assert {f"state.{each}" for each in (*WORST_FIRST, "all", "missing")} <= VI.texts.keys()
    assert {f"request.{each}" for each in (*OPEN, *HEARD.values(), "done", "cancelled")} <= VI.texts.keys()
    assert {f"request.{each}_help" for each in (*OPEN, "failed")} <= VI.texts.keys()


def test_whatever_the_doctor_finds_has_its_words_and_a_remedy_where_it_is_bad():
    source = Path(doctor.__file__).read_text()
    # a code alone in quotes: what is found; "fault" carries the remedy of whoever raised it
    codes = {key.removeprefix("finding.") for key in VI.texts if key.startswith("finding.")}
    assert codes <= {*re.findall(r'"([a-z_]+)"', source)}
    said = re.findall(r'\b(well|bad)\((?:"[\w ]+"|part(?:\.__name__)?), "([a-z_]+)"', source)
    assert len(said) > 25 and {code for _, code in said} <= codes
    assert {code for how, code in said if how == "bad"} - {"fault"} <= {
        key.removeprefix("remedy.") for key in VI.texts if key.startswith("remedy.")}


def test_the_vietnamese_has_its_marks():
    assert not [text for text in VI.texts.values() if text.isascii() and len(text.split()) > 2 and "{" not in text]
