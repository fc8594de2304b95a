"""Makes a camera's plain name from its title: "Cổng trước" becomes "cong-truoc" in file names and topics. Pure.

The name is made once, when the camera is added. Footage and the ledger use it, so a new title never changes it.
"""
import re
import unicodedata
from collections.abc import Collection
from itertools import count

LETTERS_MAX = 24
RESERVED = ("network",)         # capture@network is the process of all network cameras
_OTHERS = str.maketrans({"đ": "d", "ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "ı": "i"})


def plain(title: str) -> str:
    """Lower-case letters without accents, digits and '-'; "camera" if the title has none of them."""
    apart = unicodedata.normalize("NFKD", title.casefold().translate(_OTHERS))
    bare = re.sub("[\u0300-\u036f]", "", apart)
    return re.sub("[^a-z0-9]+", "-", bare).strip("-")[:LETTERS_MAX].rstrip("-") or "camera"


def camera_name(title: str, taken: Collection[str]) -> str:
    """Returns a name for a camera with this title that is not in `taken`: "gate", "gate-2", "gate-3"."""
    stem = plain(title)
    for number in count(1):
        end = f"-{number}" if number > 1 else ""
        name = stem[:LETTERS_MAX - len(end)].rstrip("-") + end
        if name not in taken and name not in RESERVED:
            return name
    raise AssertionError
