"""The detail of a request's step in the reader's language. The database keeps what was noted: English, as a log."""
import re

from agent.look.words import PageWords

NOTED = {
    "files_hold": re.compile(r"(?P<held>\d+) of (?P<all>\d+) files hold"),
    "heads_agree": re.compile(r"(?P<n>\d+) of its rows are known from health reports, and agree"),
    "size": re.compile(r"\b(?P<b>\d+) bytes\b"),
    "late": re.compile(r"\bit has come late\b"),
    "restarted": re.compile(r"\bafter a restart\b"),
    "same_sum": re.compile(r"\bits SHA-256 is the announced one"),
    "other_sum": re.compile(r"\bits SHA-256 is another\b"),
    "endless": re.compile(r"\bthe check (took too long|came to no end)\b"),
}


def in_words(t: PageWords, detail: str) -> str:
    """Returns the detail with its known parts in the page's language; a code or a name stays as it is."""
    if f"code.{detail}" in t.texts:
        return t(f"code.{detail}")
    for key, pattern in NOTED.items():
        detail = pattern.sub(lambda found, key=key: _say(t, key, found.groupdict()), detail)
    return detail


def _say(t: PageWords, key: str, values: dict[str, str]) -> str:
    if "b" in values:
        values["b"] = t.size(int(values["b"]))
    return t(f"detail.{key}", **values)
