"""What beginners write into the configuration: every slip is told with line, column, and what would be right."""
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.config import slips
from agent.config.grammar import GrammarError, plain, read
from agent.config.load import TEMPLATE, ConfigError, load, parse
from agent.config.settings import Settings
from agent.config.slips import KnownKeys
from agent.ward import settings as ward

CAMERA = '[[camera]]\nname = "gate"\nsource = "rtsp://u:s3cret@10.0.0.3/1"\n'
KNOWN = KnownKeys.of(Settings)


def told(text: str) -> list[str]:
    """The mistakes in a text, each "LINE:COLUMN: what"."""
    with pytest.raises(ConfigError) as error:
        parse(text, "t.toml")
    return [line.removeprefix("t.toml:") for line in str(error.value).splitlines()]


@pytest.mark.parametrize(("written", "right"), [
    ("record = “both”", 'record = "both"'), ("record = ”both“  # always", 'record = "both"  # always'),
    ("record = ‘both’", "record = 'both'"), ('record = "both”', 'record = "both"'),
    ("record = «both»", 'record = "both"'),
    ("record = `both`", "record = 'both'"), ("off = [“Sat”, “Sun”]", 'off = ["Sat", "Sun"]'),
    ("record = both", 'record = "both"'), ("record = both # always", 'record = "both" # always'),
    ("sub = rtsp://10.0.0.3/a#b", 'sub = "rtsp://10.0.0.3/a#b"'), ("listen = 0.0.0.0", 'listen = "0.0.0.0"'),
    ("title = Cổng trước", 'title = "Cổng trước"'), ("off = 22:00-06:00", 'off = ["22:00-06:00"]'),
    ('record = "both', 'record = "both"'), ('record = "both   # always', 'record = "both"   # always'),
    ('record = both"', 'record = "both"'), ("record = 'both\"", 'record = "both"'),
    ('record = ""both""', 'record = "both"'),
    ("enabled = True", "enabled = true"), ("audio = FALSE", "audio = false"), ("tamper = yes", "tamper = true"),
    ("loop = off", "loop = false"), ("encrypt = on", 'encrypt = "on"'),
    ("fps = 015", "fps = 15"), ("pre_roll_s = 1,5", "pre_roll_s = 1.5"), ("pre_roll_s = .5", "pre_roll_s = 0.5"),
    ("pre_roll_s = 5.", "pre_roll_s = 5"), ("pre_roll_s = 5s", "pre_roll_s = 5"),
    ("keep_days = 10 days", "keep_days = 10"),
    ("quota_gb = 1,5 GB", "quota_gb = 1.5"), ("free_floor_pct = 10%", "free_floor_pct = 10"),
    ('record "both"', 'record = "both"'), ("record both", 'record = "both"'), ("fps 10", "fps = 10"),
    ('record: "both"', 'record = "both"'), ("record: both", 'record = "both"'), ("fps == 10", "fps = 10"),
    ("fps => 10", "fps = 10"), ('record = "both",', 'record = "both"'), ("fps = 10;", "fps = 10"),
    ("fps = 10 // pictures", "fps = 10  # pictures"), ("// the gate", "# the gate"), ("; the gate", "# the gate"),
    ("record\u00a0= 'both'", "record = 'both'"), ("record = \u200b'both'", "record = 'both'"),
    ("fps =\u300010", "fps = 10"), ("pre roll_s = 5", "pre_roll_s = 5"), ("pre-roll s = 5", "pre_roll_s = 5"),
    ('folder = "D:\\video\\gate"', "folder = 'D:\\video\\gate'"), ("folder = D:\\video", "folder = 'D:\\video'"),
    ("[store", "[store]"), ("store]", "[store]"), ("[[camera]", "[[camera]]"), ("[camera]]", "[[camera]]"),
    ("[camera.motion", "[camera.motion]"), ("{store}", "[store]"), ("<store>", "[store]"),
    ("[store]]  # card", "[store]  # card"),
    ("masks = [[[0, 0], [1, 0], [1, 1]]", "masks = [[[0, 0], [1, 0], [1, 1]]]"),
    ('motion = {fps = 2', "motion = {fps = 2}"),
    ('motion = {\n fps = 2,\n tamper = 3,\n}', "motion = { fps = 2, tamper = 3}"),
    ("title = \x0b'a'", "title = 'a'"),
])
def test_a_slip_is_put_right(written: str, right: str):
    found = told(CAMERA + written + "\n")
    assert len(found) == 1 and found[0].startswith("4:") and found[0].endswith(f". Write: {right}")
    assert slips.is_toml(right)


@pytest.mark.parametrize(("written", "said"), [
    ("fps =", "4:5: no value stands behind =: it takes a whole number of pictures a second from 1 to 60"),
    ("= 5", "4:1: no key stands before ="), ("tên = 5", "4:1: a key consists of a-z, 0-9"),
    ("this is my gate", "4:1: is neither a [table] nor key = value: put # before it"),
    ('fps = 5 loop = true', "4:9: here begins another key"),
    ('[store] folder = "/x"', "4:8: behind [store] begins a new line"),
    ("[]", "4:1: a table is begun by its name in brackets"),
    ("off = [Sat]", "4:8: can't be read from here (S): no value"),
    ("masks = [[0 0]]", "4:13: can't be read from here (0): a comma or ] belongs here"),
    ('title = """Cổng', '4:9: the text that begins with """ has none at its end'),
    ("x = 1\nmasks = [[[0, 0],\n [1, 0]\n[store]\nkeep_days = 3\n",
    "5:10: what is opened here is not closed: ]] is missing"),
    ("fps = 5\nfps = 6", "5:1: camera[1].fps stands in line 4, too: keep one of them"),
    ("[store]\n[web]\n  [store]", "6:3: [store] begins in line 4 already: put all of its keys there"),
    ("[camera.motion]\n[camera.motion]", "5:1: [camera.motion] begins in line 4 already"),
    ("motion.fps = 2\n[camera.motion]", "5:1: [camera.motion] begins in line 4 already"),
    ("a = " + "[" * 20_000, "4:"), ("a = " + "9" * 5_000, "4:"),
])
def test_where_nobody_can_tell_what_was_meant_the_rule_is_told(written: str, said: str):
    assert told(CAMERA + written)[0].startswith(said)


def test_a_table_of_which_there_may_be_several_has_two_brackets():
    assert told('[camera]\nname = "a"\n[camera]\n') == [
        "3:1: there may be several: begin each with [[camera]], in line 1, too"]


def test_all_slips_are_told_at_once_in_their_order_each_where_it_stands():
    found = told("[store]\nkeep_days = 5d\n[store]\nfolder = /video\n[log\nmasks = [\n  [“a”],\n]\n")
    assert [line.split(": ")[0] for line in found] == ["2:13", "3:1", "4:10", "5:1", "7:4"]


@pytest.mark.parametrize("text", ["\ufeff" + CAMERA, CAMERA.replace("\n", "\r\n"),
                                  "\ufeff" + CAMERA.replace("\n", "\r\n"),
                                  CAMERA.replace(" = ", "\t=\t"), CAMERA.replace("\n", "\r")])
def test_what_editors_add_is_no_mistake(tmp_path: Path, text: str):
    file = tmp_path / "taimat.toml"
    file.write_bytes(text.encode())
    assert load(file).camera[0].name == "gate"
    file.write_bytes((text + "fsp = 3\r\n").encode())
    with pytest.raises(ConfigError, match=rf"{file}:4: camera\[1\].fsp"):
        load(file)


@pytest.mark.parametrize(("data", "said"), [
    ("\ufeffname = 1".encode("utf-16-le"), ":1:1: is written in UTF-16: save the file as UTF-8"),
    ('[store]\nx = "Cổng"\n# cổng'.encode() + b"\xe9", ":3:7: is written in another encoding: save"),
])
def test_another_encoding_is_told_with_its_place(tmp_path: Path, data: bytes, said: str):
    file = tmp_path / "taimat.toml"
    file.write_bytes(data)
    with pytest.raises(ConfigError, match=re.escape(f"{file}{said}")):
        load(file)


def test_the_wards_configuration_is_read_the_same_way():
    with pytest.raises(ConfigError, match=r"w.toml:2:8: text stands in quotes. Write: host = \"broker\""):
        ward.parse("[ward]\nhost = broker\n", "w.toml")


LINES = [line.removeprefix("#") for line in TEMPLATE.read_text().splitlines() if re.match(r"#?[\[a-z]", line)]
SIGNS = st.sampled_from("\"'[]{}=,.#\\ \t\n:;“”‘’«\u00a0\ufeff\x00-_xđ5\u2028")
scraps = st.lists(st.one_of(st.sampled_from(LINES), st.text(SIGNS, max_size=8), st.text(max_size=8)), max_size=6)


@st.composite
def spoilt(draw: st.DrawFn) -> str:
    """A configuration into which signs were typed, or from which they were taken."""
    text = "\n".join(draw(scraps))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(st.text(SIGNS, max_size=2)) + text[at + draw(st.integers(0, 2)):]
    return text


@given(spoilt())
@example("a = 'b\nc = [\n'''\n")
def test_whatever_is_written_each_mistake_has_a_line_of_the_text(text: str):
    text = plain(text)
    try:
        read(text, Settings)
    except GrammarError as error:
        lines = text.split("\n")
        assert error.faults
        for fault in error.faults:
            assert 1 <= fault.line <= len(lines) and 1 <= fault.column <= len(lines[fault.line - 1]) + 1
            assert fault.text and "\n" not in fault.text


@given(st.sampled_from(["source = {}", "source = “{}”", 'source = "{}', "source: {}", "source = {},", "source '{}'",
                        "x = [\n“{}”]", "source = '{}' fps = 5", "sub {} // small"]),
       st.sampled_from(["rtsp://u:s3cret@10.0.0.3/1", "rtsp://u:s3c#s3cret@cam/1", "rtsp://u:s3@s3cret@cam/1"]))
def test_no_slip_shows_a_password(line: str, url: str):
    assert "s3c" not in "".join(told(line.format(url)))


@given(st.text(SIGNS | st.characters(), max_size=30))
def test_a_mended_statement_can_be_read(statement: str):
    if not slips.is_toml(statement) and (slip := slips.find(statement, KNOWN)):
        assert 0 <= slip.at <= len(statement) and (not slip.fixed or slips.is_toml(slip.fixed))
