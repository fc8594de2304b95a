"""Makes foreign text safe for a terminal: no control characters and no additional lines. Pure."""
import re

# C0 and C1 controls, marks that reverse, join or hide letters, line ends, and surrogates.
_UNPRINTED = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff"
                        "\ufff9-\ufffb\U000e0000-\U000e007f]")


def one_line(text: str) -> str:
    """Replaces each such character with a mark."""
    return _UNPRINTED.sub("\N{REPLACEMENT CHARACTER}", text)


def lines(text: str) -> str:
    """Does the same for a text of ours, but keeps its line ends and tabs."""
    return re.sub(r"[^\n\t]+", lambda found: one_line(found[0]), text)
