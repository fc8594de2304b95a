"""Documents: wrapped, with links that lead somewhere, and true as far as paths, names and words can tell."""
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

from tests.rigs.machine.guides import GUIDES, NEEDS, blocks

ROOT = Path(__file__).parents[2]
GLOSSARY = ROOT / "docs" / "reference" / "glossary.md"
VIETNAMESE = ("agent/web/i18n/vi.toml", "agent/look/i18n/vi.toml", "agent/ward/desk/i18n/vi.toml",
              "docs/guide/household.vi.md")
COLUMNS_MAX = 120
TOP = ("agent", "docs", "firmware_cfg", "scripts", "systemd", "tests")
# Names of others: picamera2, cookies.
FOREIGN = {"CircularOutput2", "SplittableOutput", "LibavH264Encoder", "HttpOnly"}


def tracked() -> list[Path]:
    """Files that git tracks, or would; without git, all."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"],
                            cwd=ROOT, capture_output=True, text=True, check=False)
    paths = [ROOT / name for name in listed.stdout.splitlines()] if listed.returncode == 0 else ROOT.rglob("*")
    return [path for path in paths if path.is_file()]


DOCUMENTS = sorted(path for path in tracked() if path.suffix == ".md")
GENERATED = {ROOT / "docs/reference" / name for name in ("cli.md", "conditions.md", "config.md",
                                                          "journal.md", "metrics.md", "ward.md")}
WRITTEN = [path for path in DOCUMENTS if path not in GENERATED]
CODE = sorted((ROOT / "agent").rglob("*.py"))


def name_of(path: Path) -> str:
    """How a test is called."""
    return str(path.relative_to(ROOT))


def prose(path: Path) -> list[tuple[int, str]]:
    """Numbered lines without tables and code blocks."""
    kept, code = [], False
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.lstrip().startswith("```"):
            code = not code
        elif not code and not line.lstrip().startswith("|"):
            kept.append((number, line))
    return kept


@cache
def defined() -> set[str]:
    """Names of all classes of the agent."""
    return {name for path in CODE for name in re.findall(r"^class (\w+)", path.read_text(), re.MULTILINE)}


@cache
def headings(path: Path) -> set[str]:
    """The anchors of a document, as GitHub makes them."""
    titles = [line.lstrip("#").strip().lower() for _, line in prose(path) if line.startswith("#")]
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in titles}


def spelled_out(name: str) -> list[str]:
    """`a/{b,c}.py` as two names."""
    found = re.search(r"\{([^{}]*)\}", name)
    if not found:
        return [name]
    return [whole for part in found[1].split(",")
            for whole in spelled_out(name[:found.start()] + part + name[found.end():])]


def is_there(name: str) -> bool:
    """Whether a path of this checkout, or a pattern of paths, leads to anything."""
    name = name.rstrip("/")
    return any(ROOT.glob(name)) if "*" in name else (ROOT / name).exists()


@pytest.mark.parametrize("path", WRITTEN, ids=name_of)
def test_prose_is_wrapped(path: Path):
    long = [f"{number}: {line}" for number, line in prose(path)
            if len(re.sub(r"\]\([^)]*\)|https?://\S+", "", line)) > COLUMNS_MAX]
    assert not long, "\n".join(long)


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_links_lead_somewhere(path: Path):
    broken = []
    pictures = [(name, "") for name in re.findall(r'<img src="([^"]*)"', path.read_text())]
    for target, anchor in pictures + re.findall(r"\]\(([^)#\s]*)(?:#([^)]*))?\)", path.read_text()):
        if "://" not in target:
            there = path.parent / target if target else path
            if not there.exists():
                broken.append(target)
            elif anchor and there.suffix == ".md" and anchor not in headings(there.resolve()):
                broken.append(f"{target}#{anchor}")
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_paths_named_in_documents_exist(path: Path):
    named = [word for quoted in re.findall(r"`([^`\n]+)`", path.read_text()) for word in quoted.split()]
    paths = [word.rstrip(".,:;") for word in named if re.match(rf"({'|'.join(TOP)}|core)/[\w{{*]", word)]
    missing = {whole for word in paths for whole in spelled_out(word)
               if not is_there(f"agent/{whole}" if whole.startswith("core/") else whole)}
    tests = {word for word in named if re.fullmatch(r"test_\w+\.py", word)}
    missing |= {word for word in tests if not any((ROOT / "tests").rglob(word))}
    modules = {word for word in named if re.fullmatch(r"agent(\.[a-z_0-9]+)+", word)}
    missing |= {word for word in modules if not is_there(word.replace(".", "/") + "*")}
    assert not missing, "\n".join(sorted(missing))


@pytest.mark.parametrize("path", [path for path in WRITTEN if "guide" not in path.parts], ids=name_of)
def test_classes_named_in_documents_exist(path: Path):
    named = set(re.findall(r"`([A-Z][a-z]+[A-Z]\w*)`", path.read_text())) - FOREIGN
    missing = {name for name in named if name not in defined()}
    assert not missing, "\n".join(sorted(missing))


@pytest.mark.parametrize("path", GUIDES, ids=name_of)
def test_a_block_of_commands_runs_or_says_what_it_needs(path: Path):
    """A block without a need is for `tests.rigs.machine.guides.commands`; nobody would run one in no known language."""
    unclear = [f"{block.name}: {block.language or 'no language'} {block.needs}" for block in blocks(path)
               if not block.language or block.needs and (block.language != "sh" or block.needs not in NEEDS)]
    assert not unclear, "\n".join(unclear)


def test_no_guide_logs_in_as_a_user_that_no_card_makes():
    found = [name_of(path) for path in GUIDES if re.search(r"\bpi@", path.read_text())]
    assert not found, found


def test_documents_named_in_the_code_exist():
    missing = {f"{path.relative_to(ROOT)}: {name}" for path in CODE
               for name in re.findall(r"docs/[\w/.-]+\.md", path.read_text()) if not (ROOT / name).exists()}
    assert not missing, "\n".join(sorted(missing))


def glossary() -> list[tuple[str, str, str, str]]:
    """Term, meaning, room and Vietnamese of each row."""
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in GLOSSARY.read_text().splitlines()
            if line.startswith("| ")]
    return [tuple(row) for row in rows if row[0] != "term"]


def test_the_glossary_is_a_table_of_four_columns():
    assert {len(row) for row in glossary()} == {4}
    terms = [row[0] for row in glossary()]
    assert len(terms) == len(set(terms))


@pytest.mark.parametrize(("term", "meaning", "room", "vietnamese"), glossary(), ids=lambda cell: cell[:40])
def test_a_term_of_the_glossary_is_found(term: str, meaning: str, room: str, vietnamese: str):
    assert is_there(room.strip("`")), "no such room"
    assert re.fullmatch(r"`(agent|scripts)/[\w/.]+`", room)
    assert set(re.findall(r"`([A-Z]\w+)`", term + meaning)) <= defined(), "no such class"
    seen = "".join((ROOT / name).read_text() for name in VIETNAMESE)
    assert vietnamese.lower() in seen.lower(), "households read another word"
