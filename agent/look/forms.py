"""Forms and addresses: the fields that a browser has sent, numbers among them, and the page to go on with."""
import re
from urllib.parse import parse_qs

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

FORM_B_MAX = 4096
DIGITS_N_MAX = 18           # what SQLite can hold, and no row's number comes near
OWN_PATH = re.compile(r"/(?!/)[\w./-]*", re.ASCII)     # never another site's


async def read_form(request: Request, largest_b: int = FORM_B_MAX) -> dict[str, str] | None:
    """The fields, the first of each name; None for more than `largest_b`, which no form of ours has, or a part."""
    body = b""
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > largest_b:
                return None
    except ClientDisconnect:
        return None
    return {name: values[0] for name, values in parse_qs(body.decode(errors="replace")).items()}


def title_of(text: str) -> str:
    """A title as it is kept: no space at its ends, and nothing in it that nobody sees."""
    return " ".join("".join(each for each in text if each.isprintable() or each.isspace()).split())


def own_path(wanted: str) -> str:
    """`wanted` if it is an address on this page, else "/"."""
    return wanted if OWN_PATH.fullmatch(wanted) else "/"


def number(text: str | None) -> int | None:
    """A positive number, or None for what is none. Raises HTTPException (404) for one of more than DIGITS_N_MAX."""
    if not text or not text.isascii() or not text.isdecimal():
        return None
    if len(text) > DIGITS_N_MAX:
        raise HTTPException(404)
    return int(text)
