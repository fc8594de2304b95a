"""What is said of public standards: every provision of theirs has a verdict, and what is not met its reason."""
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
# EN 303 645 V3.1.3, annex B: how many provisions a clause has; those with two letters count twice.
CLAUSES = {"5.0": 1, "5.1": 6, "5.2": 3, "5.3": 19, "5.4": 4, "5.5": 8, "5.6": 10, "5.7": 2, "5.8": 3, "5.9": 3,
           "5.10": 1, "5.11": 4, "5.12": 3, "5.13": 2, "6": 9}
VERDICTS = {"met", "partly", "not", "none"}
GROUPS_N = 11       # of QCVN 135:2024/BTTTT
MISSING = re.compile(r"\b\d\.\d+-\d+\b|\b6-\d\b")


def rows() -> list[list[str]]:
    """The cells of every row of every table."""
    return [[cell.strip() for cell in line.strip().strip("|").split("|")]
            for line in (ROOT / "docs/reference/compliance.md").read_text().splitlines() if line.startswith("| ")]


def provisions() -> dict[str, list[str]]:
    """The rows of EN 303 645 by number."""
    return {number: row for row in rows() if len(row) == 5 and row[0] != "no." for number in row[0].split(", ")}


def test_every_provision_has_a_verdict_and_a_place_or_a_reason():
    found = provisions()
    clauses = [number.rpartition("-")[0] for number in found]
    assert {clause: clauses.count(clause) for clause in clauses} == CLAUSES
    assert all(row[1] in "MR" and row[3] in VERDICTS and row[4] for row in found.values())


def test_a_group_of_the_vietnamese_regulation_is_no_better_than_its_provisions():
    groups = [row for row in rows() if len(row) == 4 and row[2] in VERDICTS]
    assert len(groups) == GROUPS_N
    found = provisions()
    for name, _, verdict, missing in groups:
        assert (verdict == "met") == (missing == ""), name
        assert {found[number][3] for number in MISSING.findall(missing) if number in found} <= {"partly", "not"}, name


def test_a_reader_finds_out_how_to_report_a_weakness():
    assert "](SECURITY.md)" in (ROOT / "README.md").read_text()
    assert "](docs/reference/compliance.md)" in (ROOT / "README.md").read_text()
    said = (ROOT / "SECURITY.md").read_text()
    assert all(f"## {title}\n" in said for title in ("Report a weakness", "What happens then", "Supported versions"))
