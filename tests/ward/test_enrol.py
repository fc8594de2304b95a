"""`taimat ward enrol` and `handover`: from a list to bundles and labels, wrong rows named, and again without harm."""
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from agent.core.contract.enrolment import claim_digest, parse_card
from agent.core.household.access import ALPHABET
from agent.ward.enrolment.main import SheetError, read_sheet
from tests.rigs.wait import HANG_S
from tests.rigs.ward.authority import now
from tests.rigs.ward.enrolment import Ward
from tests.rigs.ward.typed import typed

EXAMPLE = Path(__file__).parents[2] / "docs" / "guide" / "devices.csv"
ROW = 'HH-0412,"12 Lê Lợi, tổ 5",Hộ bà Sáu,Nhà bà Sáu,2,Nhà Sáu 5G,mat-khau-dài,VN,pi02,imx708,'


@pytest.fixture
def ward(tmp_path) -> Ward:
    return Ward(tmp_path / "ward")


def test_a_row_becomes_a_bundle_a_code_and_what_the_card_is_to_know(ward, capsys):
    assert ward.enrols(ward.lists(ROW)) == 0
    assert capsys.readouterr().out.startswith("1 newly expected, 0 as before, 0 wrong\n")
    bundle, folder = ward.bundle("HH-0412"), ward.out / "HH-0412"
    assert (bundle.site, bundle.title, bundle.host) == ("12 Lê Lợi, tổ 5", "Nhà bà Sáu", "ward.example")
    assert bundle.roots == ward.pki.roots.read_text() and not bundle.join
    assert bundle.until_ms > (now().timestamp() + 29 * 86_400) * 1000
    card = parse_card((folder / "card.toml").read_text())
    assert (card.hostname, card.wifi, card.wifi_password, card.sensor) == (
        "taimat-hh-0412", "Nhà Sáu 5G", "mat-khau-dài", "imx708")
    code = (folder / "taimat-code.txt").read_text().strip()
    assert len(code) == 9 and set(code.replace("-", "")) <= set(ALPHABET)
    assert {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()} == dict.fromkeys(
        ("enrol.toml", "taimat-code.txt", "card.toml"), 0o600)
    assert folder.stat().st_mode & 0o777 == 0o700 and (ward.out / "labels.pdf").stat().st_mode & 0o777 == 0o600


def test_the_book_has_no_secret(ward):
    ward.enrols(ward.lists(ROW))
    book = ward.book.path.read_bytes()
    code = (ward.out / "HH-0412" / "taimat-code.txt").read_text().strip()
    assert "Nhà Sáu 5G".encode() in book and claim_digest(ward.bundle("HH-0412").claim).encode() in book
    for secret in (ward.bundle("HH-0412").claim, "mat-khau-dài", code):
        assert secret.encode() not in book


def test_wrong_rows_are_named_and_the_others_done(ward, capsys):
    sheet = ward.lists(ROW, "HH 7,,,,,,,,,,", "HH-8,,,,many,,,,,,", "HH-9,,,,,,password1,,,,", "HH-0412,,,,,,,,,,",
                       "HH-10,,,,,Nhà,short,,,,", "HH-10,,,,,,,,,,maybe", "HH-11,,,,,,,vn,pi9,,", "",
                       "HH-12,,,,,,,,,,có", "HH-13", ",Lê Lợi,,,,,,,,,")
    assert ward.enrols(sheet) == 65
    told = capsys.readouterr()
    assert told.out.startswith("3 newly expected, 0 as before, 8 wrong\n")
    lines = told.err.splitlines()
    assert [line.split(":")[1] for line in lines] == ["3", "4", "5", "6", "7", "8", "9", "13"]
    assert "letters, digits and '-'" in lines[0] and "cameras: takes a whole number from 0 to 32" in lines[1]
    assert "wifi: is missing" in lines[2] and "stands in line 2, too" in lines[3]
    assert "8 to 63 characters" in lines[4] and "short" not in lines[4]
    assert "'maybe' is neither yes nor no" in lines[5] and "VN" in lines[6] and "pi02" in lines[6]
    assert "serial: is missing" in lines[7] and ward.bundle("HH-12").join


@pytest.mark.parametrize(("data", "text"), [
    (b"", "1: the column serial is missing"), (b"serial,sight\n", "did you mean site?"),
    (b"serial,Serial\n", "stands there twice"), ("serial\nNh\u00e0".encode("utf-16"), "1: is not in UTF-8"),
    (b"serial\nA\n\xe1\n", "3: is not in UTF-8"), (b'serial,site\nA,"open\nB,\n', "2: .*quotation mark")])
def test_a_list_that_can_not_be_read_is_told(data, text):
    with pytest.raises(SheetError, match=text):
        read_sheet(data)


@pytest.mark.parametrize("data", [
    "\ufeffserial;site\r\nA;1, Lê Lợi\r\n", "Site\tSERIAL\n1, Lê Lợi\tA\n", 'serial,site\n\n"A","1, Lê Lợi"',
    "serial , site \n A , \"1, Lê Lợi\"\n".replace(' "', '"')])
def test_what_spreadsheets_save_is_understood(data):
    rows, wrong = read_sheet(data.encode())
    assert [(row.serial, row.site) for row in rows] == [("A", "1, Lê Lợi")] and not wrong


def test_again_is_safe_and_a_new_claim_is_asked_for(ward, capsys):
    sheet = ward.lists(ROW, "HH-7,,,,,,,,,,")
    ward.enrols(sheet)
    first, codes = ward.bundle("HH-7"), (ward.out / "labels.pdf").read_bytes()
    assert ward.enrols(sheet) == 0 and ward.bundle("HH-7") == first and (ward.out / "labels.pdf").read_bytes() == codes
    assert "0 newly expected, 2 as before, 0 wrong" in capsys.readouterr().out
    assert ward.enrols(sheet, "--again=hh-7") == 0 and ward.bundle("HH-7").claim != first.claim
    with ward.book.look() as entries:
        assert entries.claim(claim_digest(first.claim)).revoked_ms is not None
        assert entries.newest_claim("HH-7").digest == claim_digest(ward.bundle("HH-7").claim)


def test_a_changed_row_changes_nothing_unless_asked(ward, capsys):
    ward.enrols(ward.lists(ROW))
    first = ward.bundle("HH-0412")
    sheet = ward.lists(ROW.replace("tổ 5", "tổ 6").replace("mat-khau-dài", "mat-khau-khác"))
    assert ward.enrols(sheet) == 65 and ward.bundle("HH-0412") == first
    error = capsys.readouterr().err
    assert "site, wifi_password: not as expected so far" in error and "--again HH-0412" in error
    assert ward.enrols(sheet, "--again=HH-0412") == 0 and ward.bundle("HH-0412").site == "12 Lê Lợi, tổ 6"


def test_a_lost_card_needs_no_list(ward, capsys):
    ward.enrols(ward.lists(ROW))
    first = ward.bundle("HH-0412")
    assert ward.enrols("--again=hh-0412") == 0
    card = parse_card((ward.out / "HH-0412" / "card.toml").read_text())
    assert ward.bundle("HH-0412").claim != first.claim and card.wifi_password == "mat-khau-dài"
    assert (ward.out / "label-hh-0412.pdf").exists()
    assert ward.enrols("--again=HH-99") == 65 and "no such device is expected" in capsys.readouterr().err


def test_another_household_gets_it_without_the_first_ones_name_and_wifi(ward, capsys):
    ward.enrols(ward.lists(ROW))
    first = ward.bundle("HH-0412")
    assert typed("handover", f"--config={ward.config}", f"--output={ward.out}", "--household=Hộ ông Tư", "HH-0412") == 0
    assert "reset the recorder" in capsys.readouterr().out
    card = parse_card((ward.out / "HH-0412" / "card.toml").read_text())
    assert (card.wifi, card.wifi_password, ward.bundle("HH-0412").title) == ("", "", "")
    with ward.book.look() as entries:
        assert entries.place("HH-0412").household == "Hộ ông Tư"
        assert entries.claim(claim_digest(first.claim)).revoked_ms is not None


def test_the_same_list_elsewhere_makes_no_second_bundle(ward, capsys):
    sheet = ward.lists(ROW)
    ward.enrols(sheet)
    ward.out = ward.home / "elsewhere"
    assert ward.enrols(sheet) == 0 and not ward.out.exists()
    assert "1 have no bundle here" in capsys.readouterr().out


def test_a_cut_between_bundles_and_book_is_completed_by_the_next_run(ward):
    """The book's transaction is the last thing: killed before it, a process leaves bundles that nobody expects."""
    sheet, asked = ward.lists(ROW), ["ward", "enrol", "--config", ward.config, f"--output={ward.out}"]
    code = "import os; from agent.__main__ import main; os.sync = lambda: os._exit(9); main()"
    killed = subprocess.run([sys.executable, "-c", code, *asked, sheet], timeout=HANG_S, check=False)
    assert killed.returncode == 9 and (ward.out / "HH-0412").exists()
    left = ward.bundle("HH-0412")
    assert ward.enrols(sheet) == 0 and ward.bundle("HH-0412").claim != left.claim
    with ward.book.look() as entries:
        assert entries.claim(claim_digest(left.claim)) is None
        assert entries.claim(claim_digest(ward.bundle("HH-0412").claim)) is not None
    assert [path.name for path in ward.out.iterdir() if path.name.startswith(".")] == []


@pytest.mark.skipif(not shutil.which("pdftoppm"), reason="no pdftoppm: apt install poppler-utils")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_sudo_makes_belongs_to_the_technician_and_nothing_else_does(ward, monkeypatch, tmp_path):
    monkeypatch.setenv("SUDO_UID", "1234")
    monkeypatch.setenv("SUDO_GID", "1235")
    ward.enrols(ward.lists(ROW))
    made = [ward.out, *ward.out.rglob("*")]
    assert len(made) > 4 and {(path.stat().st_uid, path.stat().st_gid) for path in made} == {(1234, 1235)}
    ward.out = tmp_path / "of others"
    ward.out.mkdir()
    (ward.out / "other").write_text("")
    ward.enrols(ward.lists("HH-7,,,,,,,,,,"))
    assert {path.name for path in [ward.out, *ward.out.iterdir()] if path.stat().st_uid == 0} == {"of others", "other"}


def test_a_label_says_where_the_page_is_and_its_code(ward, tmp_path):
    ward.enrols(ward.lists(ROW, *(f"HH-{n},,,,,,,,,," for n in range(24))))
    pdf, codes = ward.out / "labels.pdf", {}
    for name in ("HH-0412", "HH-23"):
        codes[name] = (ward.out / name / "taimat-code.txt").read_text().strip()
    text = subprocess.run(["pdftotext", pdf, "-"], capture_output=True, text=True, check=True, timeout=HANG_S).stdout
    for word in ("Nhà bà Sáu", "Phường Bến Nghé", "028 3822 0000", "12 Lê Lợi, tổ 5", *codes.values()):
        assert word in text, word
    subprocess.run(["pdftoppm", "-r", "150", "-png", pdf, tmp_path / "page"], check=True, timeout=HANG_S)
    (last,) = tmp_path.glob("page-*2.png")
    read, _, _ = cv2.QRCodeDetector().detectAndDecode(cv2.imread(str(last)))
    assert read == f"http://taimat-hh-23.local/#{codes['HH-23']}"


def test_the_example_of_the_guide_is_right(ward):
    assert ward.enrols(EXAMPLE) == 0


@pytest.mark.parametrize(("old", "new", "code", "text"), [
    ('"ward.example"', '"localhost"', 78, r"\[authority\] host: devices can't find"),
    ("ca.pem", "nothing.pem", 73, "taimat ward init makes it"), ('/authority"', '/away"', 73, "taimat ward init")])
def test_what_is_missing_is_told(ward, capsys, old, new, code, text):
    ward.config.write_text(ward.config.read_text().replace(old, new))
    assert ward.enrols(ward.lists(ROW)) == code
    assert re.search(text, capsys.readouterr().err)


def test_a_thousand_rows_in_one_run(ward, capsys):
    rows = [f'HH-{n:04},"{n} Lê Lợi",Hộ {n},Nhà {n},2,Nhà {n},mat-khau-{n:04},VN,pi02,imx708,' for n in range(1000)]
    assert ward.enrols(ward.lists(*rows)) == 0
    assert capsys.readouterr().out.startswith("1000 newly expected")
    assert len({ward.bundle(f"HH-{n:04}").claim for n in range(0, 1000, 50)}) == 20
    with ward.book.look() as entries:
        assert len(entries.states()) == 1000
