"""Docstrings are plain English (docs/style.md). The share of those with an old idiom may only fall."""
import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHARE_MAX = 0.01
IDIOMS = {
    "say 'a caller that', not 'who'": r"(?:^|[.;:] )[Ww]ho(?:se)? (?!is\b[^.]*\?)\w",
    "name it, instead of 'whoever' or 'whatever'": r"\b[Ww]h(?:o|at)ever\b",
    "name it, instead of 'nobody' or 'somebody'": r"\b(?:[Nn]o|[Ss]ome|[Aa]ny|[Ee]very)body\b",
    "say 'if it is not …'": r"\b(?:is|are|was|were) none\b",
    "begin with the subject": r"(?:^|[.;:] )Of (?:a|an|the|what|those|which|it|each|two|several|one)\b",
    "say 'because'": r", for (?:it|they|he|that|there|a|the|what)\b",
    "say 'is sent' or 'is shown'": r"\b(?:is|are|be|was|were) told\b",
    "say 'if'": r"\bwhere (?:it|that|there|they|no|none)\b",
    "say 'repair', 'put' or 'follow'": r"\b(?:mend(?:s|ed)?|lay|laid|heeds?|fares?|vouch\w*)\b",
    "say 'only', before the noun": r"\balone\b",
    "say 'again'": r"\banew\b",
}


def docstrings() -> list[tuple[str, str]]:
    """Each docstring below agent/ with its file."""
    return [(str(path.relative_to(ROOT)), text) for path in sorted((ROOT / "agent").rglob("*.py"))
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and (text := ast.get_docstring(node))]


def idioms(text: str) -> list[str]:
    """What to write instead, for each idiom in the text."""
    return [remedy for remedy, pattern in IDIOMS.items() if re.search(pattern, text)]


@pytest.mark.parametrize("text", ["Who asks gets an answer.", "None for what is none.", "Of a clip, its name.",
                                  "Waits, for it may come.", "The keeper alone writes.", "The ward is told."])
def test_old_idioms_are_found(text: str):
    assert idioms(text)


def test_few_docstrings_have_an_old_idiom():
    every = docstrings()
    found = [f"{path}: {text.splitlines()[0]}: {', '.join(remedies)}" for path, text in every
             if (remedies := idioms(text))]
    assert len(found) <= SHARE_MAX * len(every), "\n".join(found)
